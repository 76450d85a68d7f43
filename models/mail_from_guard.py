from odoo import SUPERUSER_ID, api, models
from odoo.exceptions import AccessError

from ..tools import from_guard, origin

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

    @property
    def _allow_sudo_commands(self):
        # x2many commands among the values of somebody's record: by his own right
        configured = self.env["mail.external.account"]._any_configured()
        return super()._allow_sudo_commands and not configured

    @api.model_create_multi
    def create(self, vals_list):
        if not self.env["mail.external.account"]._any_configured():
            return super().create(vals_list)
        with from_guard.making_rows():
            mails = super().create(vals_list)
        if not self.env.su:
            mails._check_in_own_name()
        return mails

    def _prepare_create_values(self, vals_list):
        # The last step before they are stored: with all defaults, from wherever, and in
        # superuser mode too. Templates and composers take values of remote callers.
        vals_list = super()._prepare_create_values(vals_list)
        if self.env["mail.external.account"]._any_configured():
            self._check_rows_are_odoos(vals_list)
        return vals_list

    def _check_rows_are_odoos(self, vals_list):
        """A row leaves through an account when Odoo notifies of its message, or when
        both are new: then whether the user may use the account is checked with the
        message (``mail.message.create``).

        :raise AccessError: one is for a message that is there already
        """
        for vals in vals_list:
            message_id = vals.get("mail_message_id")
            account_id = vals.get("sending_account_id") or False
            if origin.is_notified(message_id) or (
                origin.is_splitting() and not account_id
            ):
                continue
            message = self.env["mail.message"].sudo().browse(message_id or [])
            if message:
                refused = account_id or message.external_account_id
            else:
                refused = account_id and account_id != vals.get("external_account_id")
            if refused:
                self._refuse_change(message.subject or vals.get("subject"))

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
                self._refuse_change(mail.subject or mail.display_name)

    def _refuse_change(self, name):
        """:raise AccessError: always"""
        raise AccessError(
            self.env._(
                "“%s” leaves from an external address. What it says cannot be "
                "changed here: cancel it, and write a new message.",
                name or "",
            )
        )

    def _is_of_its_writer(self):
        """Whether who wrote the message, or Odoo itself, made this row of it.

        Looked at on delivery, whatever way the row got into the database.
        """
        self.ensure_one()
        maker = self.create_uid
        return maker.id == SUPERUSER_ID or maker == self.mail_message_id.create_uid

    def send(self, auto_commit=False, raise_exception=False, post_send_callback=None):
        account = self.env["mail.external.account"]
        if not (account._any_configured() and account._external_addresses()):
            return super().send(auto_commit, raise_exception, post_send_callback)
        for (addresses, own), mails in self._grouped_by_addresses().items():
            mails = mails.sudo(self.env.su).with_prefetch(self.ids)
            with from_guard.carrying(addresses, own), from_guard.posting():
                super(MailMail, mails).send(
                    auto_commit, raise_exception, post_send_callback
                )
        return True

    def _grouped_by_addresses(self):
        account = self.env["mail.external.account"]

        def key(mail):
            own = account._address_for_odoo(mail.create_uid.id)
            return mail._carried_addresses(), own

        return self.sudo().grouped(key)  # mail is read here as the queue reads it

    def _split_by_delayed_batch(self, mail_server):
        with origin.splitting():
            return super()._split_by_delayed_batch(mail_server)

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
        if writers and self.create_uid.id != SUPERUSER_ID:
            writers |= self.create_uid
        if not writers:
            return frozenset()
        return named.intersection(*map(account._addresses_of, writers.ids))
