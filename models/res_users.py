from odoo import fields, models


class ResUsers(models.Model):
    _inherit = "res.users"

    external_account_ids = fields.One2many(
        "mail.external.account", "user_id", "External Addresses"
    )

    @property
    def SELF_READABLE_FIELDS(self):
        return [*super().SELF_READABLE_FIELDS, "external_account_ids"]

    def action_add_external_account(self):
        """Open the connect window for a new address of this employee."""
        self.ensure_one()
        return (
            self.env["mail.external.account"]
            .with_context(default_user_id=self.id)
            .action_add()
        )

    def write(self, vals):
        result = super().write(vals)
        account = self.env["mail.external.account"]
        if not account._any_configured():
            return result
        if self._get_invalidation_fields().intersection(vals):
            account._clear_sender_cache()  # core clears it before the commit only
        if vals.get("active") is False:
            account._release_mails_of(self)
        return result

    def unlink(self):
        if self:
            # core does so later: until then nobody is told whose address he may use
            self.check_access("unlink")
        # sudo: who may delete a user may delete what belongs to nobody any more
        self.sudo().with_context(active_test=False).external_account_ids.unlink()
        self.env["mail.external.account"]._check_still_restricted(
            "allowed_user_ids", self
        )
        return super().unlink()
