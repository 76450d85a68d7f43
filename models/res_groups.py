from odoo import models


class ResGroups(models.Model):
    _inherit = "res.groups"

    def unlink(self):
        if self:
            # core does so later: until then nobody is told which addresses there are
            self.check_access("unlink")
        account = self.env["mail.external.account"]
        account._check_still_restricted("allowed_group_ids", self)
        return super().unlink()
