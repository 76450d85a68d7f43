from odoo import api, models
from odoo.exceptions import AccessError

from ..tools import from_guard

FROM_FIELDS = frozenset({"email_from", "author_id"})
# What a waiting mail takes from its message when it leaves.
OUTGOING_FIELDS = frozenset(
    {
        "attachment_ids",
        "mail_server_id",
        "message_id",
        "message_type",
        "record_alias_domain_id",
        "reply_to",
        "subject",
    }
)


class MailMessage(models.Model):
    """Messages written past the chatter: create, import, copy, later changes."""

    _inherit = "mail.message"

    @api.model_create_multi
    def create(self, vals_list):
        messages = super().create(vals_list)
        if self._is_direct_change():
            messages._check_from_is_own()
        return messages

    def write(self, vals):
        direct = FROM_FIELDS | OUTGOING_FIELDS
        if not direct.intersection(vals) or not self._is_direct_change():
            return super().write(vals)
        self._check_written_by_user()
        result = super().write(vals)
        if FROM_FIELDS.intersection(vals):
            self._check_from_is_own()
        return result

    def _is_direct_change(self):
        return (
            not self.env.su
            and not from_guard.is_posting()
            and self.env["mail.external.account"]._any_configured()
        )

    def _check_from_is_own(self):
        """:raise AccessError: From or author are somebody else's external address"""
        account = self.env["mail.external.account"]
        for message in self.sudo():
            account._check_typed_from(
                self.env._("From (email_from)"), message.email_from
            )
            account._check_typed_author(
                self.env._("Author (author_id)"), message.author_id
            )

    def _check_written_by_user(self):
        """:raise AccessError: another user changes what leaves in the writer's name"""
        account = self.env["mail.external.account"]
        own = account._addresses_of(self.env.uid)
        for message in self.sudo():
            if message.create_uid.id != self.env.uid and (
                message.external_account_id
                or account._external_in(message.email_from) - own
            ):
                raise AccessError(
                    self.env._(
                        "This message leaves from an external address of %s. Nobody "
                        "else can change it: write a message of your own.",
                        message.author_id.name or message.create_uid.name,
                    )
                )

    def _external_from_writers(self):
        """The users whose right to carry the From of this message counts.

        :return: none for what came in by mail (everybody can forge a From), and for
            what Odoo itself wrote
        """
        self.ensure_one()
        if self.external_origin == "mail":
            return self._external_writer()  # it was proven when it came in
        if self.message_type == "email" or self.create_uid._is_superuser():
            return self.env["res.users"]
        return self.create_uid
