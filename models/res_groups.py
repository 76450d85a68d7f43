from odoo import models


class ResGroups(models.Model):
    _inherit = "res.groups"

    def unlink(self):
        self.env["mail.external.account"]._check_still_restricted(
            "allowed_group_ids", self
        )
        return super().unlink()
