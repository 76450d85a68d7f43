from odoo import api, models

from ..tools.access_lists import check_still_restricted

# What says who is in a group, and so in those that it implies.
MEMBER_FIELDS = frozenset({"user_ids", "all_user_ids", "implied_ids", "implied_by_ids"})


class ResGroups(models.Model):
    _inherit = "res.groups"

    @api.model_create_multi
    def create(self, vals_list):
        groups = super().create(vals_list)
        if any(MEMBER_FIELDS.intersection(vals) for vals in vals_list):
            self._forget_members()
        return groups

    def write(self, vals):
        result = super().write(vals)
        if MEMBER_FIELDS.intersection(vals):
            self._forget_members()
        return result

    def unlink(self):
        if self:
            # core does so later: until then nobody is told which addresses there are
            self.check_access("unlink")
        check_still_restricted("allowed_group_ids", self)
        result = super().unlink()
        self._forget_members()
        return result

    @api.model
    def _forget_members(self):
        """Core clears what is cached before the commit only; that a field of
        ``mail`` happens to write on the users meanwhile is nothing to rely on."""
        senders = self.env["mail.external.sender"]
        if senders._any_configured():
            senders._clear_sender_cache()
