from odoo import SUPERUSER_ID, Command, api, models
from odoo.exceptions import AccessError

from ..tools import from_guard, origin

FROM_FIELDS = frozenset({"email_from", "author_id"})
# What a mail takes from its message: when it is made, maybe later, or when it leaves.
OUTGOING_FIELDS = frozenset(
    {
        "attachment_ids",
        "author_guest_id",
        "body",
        "email_add_signature",
        "email_layout_xmlid",
        "incoming_email_cc",
        "incoming_email_to",
        "mail_server_id",
        "message_id",
        "message_type",
        "model",
        "outgoing_email_to",
        "parent_id",
        "partner_ids",
        "record_alias_domain_id",
        "record_company_id",
        "reply_to",
        "reply_to_force_new",
        "res_id",
        "subject",
        "subtype_id",
        "tracking_value_ids",
    }
)
# Where it is shown: of mail that has left for good that may change.
PLACE_FIELDS = frozenset(
    {"model", "parent_id", "record_alias_domain_id", "record_company_id", "res_id"}
)


def _keeps(commands, ids):
    """Whether x2many commands, or plain ids, leave a field with ``ids`` as it is."""
    for command in commands or ():
        operation, record_id, *rest = (
            (Command.LINK, command) if isinstance(command, int) else command
        )
        if operation == Command.LINK:
            kept = record_id in ids
        else:
            kept = operation == Command.SET and set(rest[0]) == ids
        if not kept:
            return False
    return True


class MailMessage(models.Model):
    """Messages written past the chatter: create, import, copy, later changes."""

    _inherit = "mail.message"

    @property
    def _allow_sudo_commands(self):
        # x2many commands among the values of somebody's record: by his own right
        configured = self.env["mail.external.account"]._any_configured()
        return super()._allow_sudo_commands and not configured

    @api.model_create_multi
    def create(self, vals_list):
        checked = self._is_direct_change() and not self.env.su
        if checked:
            self._check_lengths(vals_list)
        messages = super().create(vals_list)
        if checked:
            messages._check_from_is_own()
        return messages

    def write(self, vals):
        changed = (FROM_FIELDS | OUTGOING_FIELDS).intersection(vals)
        if not changed or not self._is_direct_change():
            return super().write(vals)
        if self.env.su:  # by the values of a row of mail
            self._check_no_row_changes(vals)
            return super().write(vals)
        self._check_lengths([vals])
        # core lets administrators alone move a message
        moved = changed <= PLACE_FIELDS and self.env.is_system()
        if moved:
            self._check_may_move()
        else:
            self._check_written_by_user()
        result = super().write(vals)
        if moved:
            self.check_access("write")  # on the record, too, where it is now
        if FROM_FIELDS.intersection(vals):
            self._check_from_is_own()
        return result

    def _is_direct_change(self):
        return (
            (not self.env.su or from_guard.is_making_rows())
            and not from_guard.is_posting()
            and self.env["mail.external.account"]._any_configured()
        )

    def _check_lengths(self, vals_list):
        """:raise ValidationError: a From is too long to be looked at"""
        account = self.env["mail.external.account"]
        typed = self.env.context.get("default_email_from")
        for text in (typed, *(vals.get("email_from") for vals in vals_list)):
            account._check_typed_length(self.env._("From (email_from)"), text)

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

    def _check_no_row_changes(self, vals):
        """:raise AccessError: a row of mail is made for a message of somebody else, and
        would change what that says
        """
        for message in self:
            if not origin.is_notified(message.id) and any(
                message._differs(name, vals[name])
                for name in (FROM_FIELDS | OUTGOING_FIELDS).intersection(vals)
            ):
                message._check_written_by_user()

    def _differs(self, name, value):
        field = self._fields[name]
        if field.type in ("one2many", "many2many"):
            return not _keeps(value, set(self[name].ids))
        return field.convert_to_cache(value, self) != field.convert_to_cache(
            self[name], self
        )

    def _check_written_by_user(self):
        """:raise AccessError: another user changes what leaves in the writer's name"""
        for message in self.sudo():
            if not message._may_be_changed_by(self.env.user):
                raise AccessError(
                    self.env._(
                        "This message leaves from an external address of %s. Nobody "
                        "else can change it: write a message of your own.",
                        message.author_id.name or message.create_uid.name,
                    )
                )

    def _may_be_changed_by(self, user):
        """Whether ``user`` may say what leaves with this message: who wrote it may.

        What Odoo says in a project's name nobody may change; a customer his own words,
        also those that he wrote before he signed in.
        """
        self.ensure_one()
        if self.external_account_id:
            writer = self._external_writer()
            if self.external_origin != "project":
                return writer == user
            signed_in_since = self.author_id == user.partner_id and any(
                each._is_public() for each in writer
            )
            return user.share and (writer == user or signed_in_since)
        account = self.env["mail.external.account"]
        foreign = account._external_in(self.email_from)
        return self.create_uid == user or not foreign - account._addresses_of(user.id)

    def _check_may_edit(self):
        """In the chatter, authors and administrators edit what was sent: history.

        :raise AccessError: it has not left yet, or may be sent again
        """
        message = self.sudo()
        if message._may_be_changed_by(self.env.user) or not message._may_leave_again():
            return
        raise AccessError(
            self.env._(
                "This message has not left yet, and it leaves in the name of %s. Until "
                "then nobody else can change it: cancel it, or wait until it was sent.",
                message.author_id.name or message.create_uid.name,
            )
        )

    def _check_may_move(self):
        """To another record, as when two are merged; core's rights hold besides.

        :raise AccessError: it has not left yet, or may be sent again
        """
        for message in self.sudo():
            if message._may_be_changed_by(self.env.user):
                continue
            if message._may_leave_again():
                raise AccessError(
                    self.env._(
                        "“%(message)s” leaves in the name of %(author)s, and waits to "
                        "be sent or has failed. Until it has left nobody else can move "
                        "it to another record: wait, or cancel or delete its e-mail.",
                        message=message.subject or message.record_name or message.id,
                        author=message.author_id.name or message.create_uid.name,
                    )
                )

    def _may_leave_again(self):
        """Whether something of this message is to be sent, or failed and may be."""
        rows = self.mail_ids.filtered(
            lambda row: row.state in ("outgoing", "exception")
        )
        schedules = self.env["mail.message.schedule"].sudo()
        return bool(
            rows or schedules.search_count([("mail_message_id", "=", self.id)], limit=1)
        )

    def _external_from_writers(self):
        """The users whose right to carry the From of this message counts.

        :return: none for what came in by mail (everybody can forge a From), and what
            such a mail set off, and for what Odoo itself wrote
        """
        self.ensure_one()
        if self.external_origin == "mail":
            return self._external_writer()  # it was proven when it came in
        if (
            self.message_type == "email"
            or self.external_mark == "unproven"
            or self.create_uid.id == SUPERUSER_ID
        ):
            return self.env["res.users"]
        return self.create_uid
