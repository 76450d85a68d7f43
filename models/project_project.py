from odoo import fields, models


class ProjectProject(models.Model):
    _inherit = "project.project"

    external_account_binding_ids = fields.One2many(
        "mail.external.account.project", "project_id", "External Addresses", copy=False
    )

    def unlink(self):
        # sudo: an address for this project only must not become one for all of them
        bindings = self.sudo().external_account_binding_ids
        accounts = bindings.account_id
        bindings.unlink()
        accounts.filtered(lambda a: not a.binding_ids).active = False
        return super().unlink()

    def _external_sender_project_id(self):
        return self.id
