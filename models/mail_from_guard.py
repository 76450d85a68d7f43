from odoo import api, models
from odoo.exceptions import AccessError

from ..tools import from_guard

# What an administrator may change of a mail in somebody else's name.
FREE_FIELDS = frozenset(
    {
        "state",
        "scheduled_date",
        "auto_delete",
        "external_next_try",
        "failure_type",
        "failure_reason",
    }
)


class MailMail(models.Model):
    """Rows of mail are Odoo's: nobody writes into them what leaves in other names."""

    _inherit = "mail.mail"

    @api.model_create_multi
    def create(self, vals_list):
        mails = super().create(vals_list)
        if not self.env.su and self.env["mail.external.account"]._any_configured():
            mails._check_in_own_name()
        return mails

    def write(self, vals):
        if (
            self.env.su
            or FREE_FIELDS.issuperset(vals)
            or from_guard.is_posting()
            or not self.env["mail.external.account"]._any_configured()
        ):
            return super().write(vals)
        self._check_in_own_name()
        result = super().write(vals)
        self._check_in_own_name()  # it may have got another message or account
        return result

    def _check_in_own_name(self):
        """:raise AccessError: one of these mails leaves in somebody else's name"""
        account = self.env["mail.external.account"]
        own = account._addresses_of(self.env.uid)
        for mail in self.sudo():
            if (
                mail.sending_account_id
                or mail.external_account_id
                or account._external_in(mail.email_from) - own
            ):
                raise AccessError(
                    self.env._(
                        "“%s” leaves from an external address. What it says cannot be "
                        "changed here: cancel it, and write a new message.",
                        mail.subject or mail.display_name,
                    )
                )

    def send(self, auto_commit=False, raise_exception=False, post_send_callback=None):
        account = self.env["mail.external.account"]
        if not (account._any_configured() and account._external_addresses()):
            return super().send(auto_commit, raise_exception, post_send_callback)
        # sudo: mail is read here as the queue reads it
        groups = self.sudo().grouped(lambda mail: mail._carried_addresses())
        for addresses, mails in groups.items():
            mails = mails.sudo(self.env.su).with_prefetch(self.ids)
            with from_guard.carrying(addresses), from_guard.posting():
                super(MailMail, mails).send(
                    auto_commit, raise_exception, post_send_callback
                )
        return True

    def _carried_addresses(self):
        """The external addresses in From that this mail may carry.

        All who made it must be allowed to use them: who wrote the message, and who
        made this row of it. Mail that came in from outside proves nothing by its From,
        and what no person wrote has nobody who may.

        :rtype: frozenset[str]
        """
        account = self.env["mail.external.account"]
        named = account._external_in(self.email_from)
        if not named:
            return named
        message = self.mail_message_id
        writers = message._external_from_writers()
        if writers and not self.create_uid._is_superuser():
            writers |= self.create_uid
        if not writers:
            return frozenset()
        return named.intersection(*map(account._addresses_of, writers.ids))
