from odoo import fields, models

from ..tools.access_lists import check_still_restricted


class ResUsers(models.Model):
    _inherit = "res.users"

    external_address_ids = fields.One2many(
        "mail.external.address", "user_id", "External Addresses"
    )
    external_sign_in_ids = fields.One2many(
        "mail.external.account",
        "sign_in_user_id",
        "Company Accounts With My Sign-In",
        help="Mailboxes of the company that were opened with this person's sign-in.",
    )

    @property
    def SELF_READABLE_FIELDS(self):
        return [
            *super().SELF_READABLE_FIELDS,
            "external_address_ids",
            "external_sign_in_ids",
        ]

    def action_add_external_address(self):
        """Open the connect window for a new address of this employee."""
        self.ensure_one()
        return (
            self.env["mail.external.address"]
            .with_context(default_user_id=self.id)
            .action_add()
        )

    def action_take_over_mail_server(self):
        """Make a draft of the personal mail server that the current user has in Odoo.

        An administrator is shown all of Odoo's servers.
        """
        return self.env["mail.external.import"]._action_open()

    def write(self, vals):
        result = super().write(vals)
        senders = self.env["mail.external.sender"]
        if not senders._any_configured():
            return result
        if self._get_invalidation_fields().intersection(vals):
            senders._clear_sender_cache()  # core clears it before the commit only
            # who becomes a customer leaves as well
            gone = self.filtered(lambda user: not user.active or user.share)
            gone._withdraw_sign_ins()
        if not vals.get("active", True):
            self.env["mail.mail"]._external_release_of(self)
        return result

    def unlink(self):
        if self:
            # core does so later: until then nobody is told whose address they may use
            self.check_access("unlink")
        # sudo: who may delete a user may delete what belongs to nobody any more
        accounts = self.env["mail.external.account"].sudo()
        accounts = accounts.with_context(active_test=False)
        accounts.search([("user_id", "in", self.ids)]).unlink()
        self._withdraw_sign_ins()
        check_still_restricted("allowed_user_ids", self)
        return super().unlink()

    def _withdraw_sign_ins(self):
        """Who leaves takes their sign-in along: a company's account that was opened
        with it stops, visibly."""
        if not self:
            return
        # sudo: the accounts are the company's
        accounts = self.env["mail.external.account"].sudo()
        signed_in = [("sign_in_user_id", "in", self.ids)]
        for account in accounts.with_context(active_test=False).search(signed_in):
            account._withdraw_sign_in()
