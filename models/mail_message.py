from odoo import SUPERUSER_ID, Command, api, fields, models
from odoo.addons.mail.tools.discuss import Store
from odoo.exceptions import AccessError

from ..tools import trusted_context

SENDER_FIELDS = frozenset({"external_address_id", "external_origin", "external_mark"})
FROM_FIELDS = frozenset({"email_from", "author_id"})
# What readers do with a message, or what is only shown: no mail takes it.
SHOWN_FIELDS = frozenset(
    {
        "author_avatar",
        "call_history_ids",
        "child_ids",
        "date",
        "is_internal",
        "mail_activity_type_id",
        "mail_ids",
        "message_link_preview_ids",
        "notification_ids",
        "notified_partner_ids",
        "pinned_at",
        "reaction_ids",
        "starred_partner_ids",
    }
)
# Where it is shown: of mail that has left for good that may change.
PLACE_FIELDS = frozenset(
    {"model", "parent_id", "record_alias_domain_id", "record_company_id", "res_id"}
)
# Who is told of a message with this external_mark. Any other: all.
AUDIENCES = {
    "stranger": "team",
    "colleague": "team",
    "auto_reply": "nobody",
    "own_copy": "nobody",
    "unproven": "nobody",
}


def _keeps(commands, ids):
    """Whether commands, or plain ids, leave an x2many field with ``ids`` as it is."""
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
    """What a message knows of the mail that it leaves as, or that it came in as.

    It stores the address that external contacts get it from and by whose right
    (``external_address_id``, ``external_origin``), chosen once, when it is created; and
    of what came out of a mailbox, what is special about it (``external_mark``), which
    decides who hears of it. What leaves in somebody's name only they may change:
    messages are also written past the chatter, by create, import, copy and later
    changes. The chatter shows the address, and why mail waits.
    """

    _inherit = "mail.message"

    external_address_id = fields.Many2one(
        "mail.external.address",
        "Sent Through",
        index="btree_not_null",
        ondelete="set null",
        copy=False,
        help="The external address that external contacts get this message from. "
        "Empty: Odoo's own mail server.",
    )
    external_origin = fields.Selection(
        [
            ("user", "Its author, in Odoo"),
            ("mail", "Its author, by mail"),
            ("project", "The project, for a customer or for nobody"),
        ],
        "Sent On Behalf Of",
        copy=False,
        help="By whose right this message leaves through an external address.",
    )
    external_mark = fields.Selection(
        [
            ("auto_reply", "Automatic reply"),
            ("stranger", "From somebody whom this conversation was not sent to"),
            ("unproven", "Not proven who wrote it"),
            ("colleague", "From an address of ours, not proven who wrote it"),
            ("own_copy", "Sent from a mail program"),
        ],
        copy=False,
        help="What is special about a message that came out of a mailbox.",
    )
    external_waiting = fields.Char(
        compute="_compute_external_waiting",
        compute_sudo=True,
        groups="base.group_user",
        help="Why the mail to external contacts has not left yet.",
    )

    # Created: whose address it leaves from is checked, and fixed

    @api.model_create_multi
    def create(self, vals_list):
        checked = self._is_direct_change() and not self.env.su
        if checked:
            self._check_lengths(vals_list)
        self._check_address_ids(vals_list)
        messages = super().create(vals_list)
        messages._check_sender_of_new()
        if checked:
            messages._check_from_is_own()
        return messages

    def _prepare_create_values(self, vals_list):
        # The last step, with all defaults: that there was an address stays known when
        # it is deleted, and with it the field that names it. Said explicitly it costs
        # no query when it is read back.
        vals_list = super()._prepare_create_values(vals_list)
        for vals in vals_list:
            address_id = vals.get("external_address_id")
            vals["external_origin"] = (
                vals.get("external_origin") or (address_id and "user") or False
            )
        return vals_list

    def _check_address_ids(self, vals_list):
        """:raise AccessError: an address is named by something that is no id"""
        senders = self.env["mail.external.sender"]
        for vals in vals_list:
            address_id = vals.get("external_address_id") or 0
            # The database takes "7" for 7, and ``_check_sender_of_new`` for nothing.
            if type(address_id) is not int or address_id < 0:
                senders._refuse_sender()

    def _check_sender_of_new(self):
        """:raise AccessError: their sender may not be used for one of these messages"""
        senders = self.env["mail.external.sender"]
        if not senders._any_configured():
            return
        # the records, not the values: a default may come in by the context
        for message in self.sudo():
            if message.external_address_id or message.external_origin:
                senders._check_message(message)
        uid = self.env.uid
        if trusted_context.is_unproven(uid) and senders._addresses_of(uid):
            self._set_external_mark("unproven")

    # Changed: by who wrote it alone, as long as it may leave

    def write(self, vals):
        changed = self._outgoing_among(vals)
        checked = bool(changed) and self._is_direct_change()
        # core lets administrators alone move a message
        moved = (
            checked
            and not self.env.su
            and changed <= PLACE_FIELDS
            and self.env.is_system()
        )
        if checked:
            self._check_change(vals, moved)
        self._check_sender_stays(vals)
        result = super().write(vals)
        if moved:
            self.check_access("write")  # on the record, too, where it is now
        if checked and not self.env.su and FROM_FIELDS.intersection(vals):
            self._check_from_is_own()
        return result

    def _check_sender_stays(self, vals):
        """:raise AccessError: the sender is changed by values"""
        if SENDER_FIELDS.intersection(vals):
            raise AccessError(
                self.env._(
                    "The address that a message is sent through is chosen when it is "
                    "written, and cannot be changed afterwards."
                )
            )

    @property
    def _allow_sudo_commands(self):
        # x2many commands among the values of somebody's record: by their own right
        configured = self.env["mail.external.sender"]._any_configured()
        return super()._allow_sudo_commands and not configured

    def _outgoing_among(self, names):
        """What a mail takes from its message: when it is made, maybe later, or when it
        leaves. So may every field that core adds, until it is known as only shown."""
        return {
            name
            for name in set(names) - SHOWN_FIELDS
            if (field := self._fields.get(name))
            and "mail" in field._modules
            and (field.store or field.inverse)
        }

    def _is_direct_change(self):
        return (
            (not self.env.su or trusted_context.making_rows.value)
            and not trusted_context.posting.value
            and self.env["mail.external.sender"]._any_configured()
        )

    def _check_change(self, vals, moved):
        """Before a direct change of what leaves.

        :param bool moved: an administrator changes nothing but where it is shown
        :raise AccessError: only somebody else may change it
        :raise ValidationError: a From is too long to be looked at
        """
        if self.env.su:  # by the values of a row of mail
            self._check_no_row_changes(vals)
            return
        self._check_lengths([vals])
        if moved:
            self._check_may_move()
        else:
            self._check_written_by_user()

    def _check_lengths(self, vals_list):
        """:raise ValidationError: a From is too long to be looked at"""
        senders = self.env["mail.external.sender"]
        typed = self.env.context.get("default_email_from")
        for text in (typed, *(vals.get("email_from") for vals in vals_list)):
            senders._check_typed_length(self.env._("From (email_from)"), text)

    def _check_from_is_own(self):
        """:raise AccessError: From or author are somebody else's external address"""
        senders = self.env["mail.external.sender"]
        for message in self.sudo():
            senders._check_typed_from(
                self.env._("From (email_from)"), message.email_from
            )
            senders._check_typed_author(
                self.env._("Author (author_id)"), message.author_id
            )

    def _check_no_row_changes(self, vals):
        """:raise AccessError: a row of mail is made for a message of somebody else, and
        would change what that says
        """
        for message in self:
            if not trusted_context.is_notified(message.id) and any(
                message._differs(name, vals[name])
                for name in self._outgoing_among(vals)
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

        What Odoo says in a project's name nobody may change; customers their own words,
        also those that they wrote before they signed in.
        """
        self.ensure_one()
        if self.external_address_id:
            writer = self._external_writer()
            if self.external_origin != "project":
                return writer == user
            signed_in_since = self.author_id == user.partner_id and any(
                each._is_public() for each in writer
            )
            return user.share and (writer == user or signed_in_since)
        senders = self.env["mail.external.sender"]
        foreign = senders._external_in(self.email_from)
        return self.create_uid == user or not foreign - senders._addresses_of(user.id)

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

    # In whose name it leaves, as the server decides

    def _set_external_sender(self, address_id, origin):
        """Another sender than before, decided by the server: see ``_release``."""
        values = {"external_address_id": address_id, "external_origin": origin}
        return super().write(values)  # pylint: disable=super-method-mismatch

    def _external_change_sender(self):
        """Let it leave through another address, where the company wants that and its
        writer may use one.

        :return: whether it does
        """
        senders = self.env["mail.external.sender"]
        message = self.sudo()
        address_id, written_by = senders._other_sender(message)
        if address_id:
            message._set_external_sender(address_id, written_by)
        return bool(address_id)

    def _external_is_gone(self):
        """Whether the address that this message was to leave through is there no more:
        archived, or deleted. What waits for it leaves in no other name."""
        message = self.sudo()
        if not message.external_origin:
            return False
        address_id = message.external_address_id.id
        senders = self.env["mail.external.sender"]
        return not (address_id and senders._is_in_use(address_id))

    def _external_sender_thread(self):
        """The record whose customers get the message (sudo), or None."""
        self.ensure_one()
        if not (self.model and self.res_id):
            return None
        model = self.env.get(self.model)
        if not hasattr(model, "_external_sender_project_id"):
            return None
        return model.sudo().browse(self.res_id)

    def _external_writer(self):
        """The employee whose right to send counts; none for a customer's mail."""
        self.ensure_one()
        if self.external_origin == "mail":
            users = self.sudo().author_id.user_ids
            return users.filtered(lambda user: not user.share)[:1]
        return self.create_uid

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

    # What came out of a mailbox: its mark decides who hears of it

    def _set_external_mark(self, mark):
        """What is special about a message that came out of a mailbox."""
        values = {"external_mark": mark}
        return super().write(values)  # pylint: disable=super-method-mismatch

    def _external_audience(self, msg_vals=False):
        """Who is told of this message: "all", "team" or "nobody"; None: as core says.

        :param msg_vals: values that it was just created with, or False
        """
        if not self or (msg_vals or {}).get("message_type", "email") != "email":
            return None
        # sudo: whoever notifies
        message = self.sudo()
        if message.message_type != "email":
            return None
        return AUDIENCES.get(message.external_mark, "all")

    def _external_arrival(self):
        """The row (sudo) of the mailbox that this mail came out of, if it did."""
        rows = self.env["mail.external.arrival"].sudo()
        if not self.env["mail.external.sender"]._any_configured():
            return rows
        return rows.search([("mail_message_id", "=", self.id)], limit=1)

    def _get_forbidden_access(self, operation):
        forbidden = super()._get_forbidden_access(operation)
        if (
            self.env.user._is_internal()
            or not self.env["mail.external.sender"]._any_configured()
        ):
            return forbidden
        # Core finds internal mail for nobody in the portal, but lets it be read there
        # by its id. sudo: whoever asks
        strangers = (
            (self - forbidden)
            .sudo()
            .filtered(lambda message: message.external_mark and message.is_internal)
        )
        return forbidden + self.browse(strangers.ids)

    # What the chatter shows

    def _to_store_defaults(self, target):
        fields_to_store = super()._to_store_defaults(target)
        if target.is_internal(self.env):
            fields_to_store += self._external_store_fields()
        return fields_to_store

    def _message_notifications_to_store(self, store):
        result = super()._message_notifications_to_store(store)
        to_store = self._external_store_fields()
        if to_store and self.env.user._is_internal():
            store.add(self, to_store)
        return result

    def _external_store_fields(self):
        if not self.env["mail.external.sender"]._any_configured():
            return []
        return [
            Store.Attr(
                "external_sender",
                value=lambda message: message._external_sender_data(),
                predicate=lambda message: message._shows_external_sender(),
            ),
            Store.Attr(
                "external_mark",
                predicate=lambda message: message.external_mark,
            ),
            # What the mail server said. sudo: as core, for internal users.
            Store.Many(
                "notification_ids",
                ["failure_reason"],
                value=lambda m: m.sudo().notification_ids._filtered_for_web_client(),
            ),
        ]

    def _shows_external_sender(self):
        """A customer's own mail came in: that it is passed on to the others through an
        address, and that what is marked is not, says nothing about it."""
        message = self.sudo()
        came_in = message.message_type == "email" and message.external_origin != "mail"
        return message.external_address_id and not (came_in or message.external_mark)

    def _external_sender_data(self):
        """The line "sent through ..." of a message; why it still waits, if it does."""
        senders = self.env["mail.external.sender"]
        # sudo: who may read the message may know which address it left through; why
        # it waits is told to employees, also when a customer's request does so
        message = self.sudo()
        if "message_post_store" not in self.env.context:
            waiting = message.external_waiting or ""
        elif message._external_waiting_mails():
            # In the answer to a post it is not known yet what the server does, and its
            # sender can be used: no need to read the address for that.
            waiting = self.env._("waiting to be sent")
        else:
            waiting = ""
        return {
            "label": senders._address_of(message.external_address_id.id),
            "waiting": waiting,
            "writer_id": message.create_uid.id,
        }

    def _compute_external_waiting(self):
        waiting = self._external_waiting_mails().grouped("mail_message_id")
        for message in self:
            mails = waiting.get(message)
            message.external_waiting = mails and mails._external_waiting_reason()

    def _external_waiting_mails(self):
        """The mails of these messages that wait for their address.

        The notifications, which the web client reads anyway, tell it of most messages
        without a query. Mass mailings have none.
        """
        notified = self.filtered(
            lambda message: (
                "email" in message.notification_ids.mapped("notification_type")
            )
        )
        ready = notified.notification_ids.filtered(
            lambda notification: notification.notification_status == "ready"
        )
        mails = ready.mail_mail_id
        if others := self - notified:
            mails |= mails.search([("mail_message_id", "in", others.ids)])
        return mails.filtered(
            lambda mail: mail.sending_address_id and mail.state == "outgoing"
        )

    # Sent again

    def action_external_send_again(self):
        """Try the failed recipients of this message again; nobody gets it twice.

        :raise AccessError: only who wrote the message may, or a manager
        """
        self.ensure_one()
        self.check_access("read")
        # sudo: mail.mail is for administrators; delivery checks the right to send
        mails = self.sudo().mail_ids.filtered("sending_address_id")
        if (
            self.author_id != self.env.user.partner_id
            and self.create_uid != self.env.user  # its author may be a template's
            and not self._manages_senders(mails)
        ):
            raise AccessError(
                self.env._("Only the author of a message can send it again.")
            )
        notifications = self.sudo().notification_ids.filtered(
            lambda n: n.mail_mail_id in mails and n.notification_status == "exception"
        )
        notifications.write({"notification_status": "ready"})
        mails.action_retry()  # fails once more where the address is gone
        self._notify_message_notification_update()

    def _manages_senders(self, mails):
        """Whether the current user manages the addresses that ``mails`` leave from."""
        accounts = self.env["mail.external.account"]
        return accounts._is_manager() and all(
            accounts._manages_owner(sender.user_id, sender.company_id)
            for sender in mails.sending_address_id
        )
