from odoo import models


class ResPartner(models.Model):
    _inherit = "res.partner"

    def write(self, vals):
        result = super().write(vals)
        senders = self.env["mail.external.sender"]
        if {"name", "email"}.intersection(vals) and senders._any_configured():
            # sudo: whose names and addresses are cached, whoever changes them
            renamed = self.sudo().with_context(active_test=False)
            domain = [("partner_id", "in", self.ids)]
            if renamed.user_ids or renamed.env["res.company"].search(domain, limit=1):
                senders._clear_sender_cache()
        return result
