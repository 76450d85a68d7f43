from odoo import api, fields, models
from odoo.addons.mail.tools.discuss import Store
from odoo.exceptions import AccessError

from ..tools import origin

SENDER_FIELDS = frozenset({"external_account_id", "external_origin", "external_mark"})


class MailMessage(models.Model):
    _inherit = "mail.message"

    external_account_id = fields.Many2one(
        "mail.external.account",
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

    @api.model_create_multi
    def create(self, vals_list):
        account = self.env["mail.external.account"]
        for vals in vals_list:
            account_id = vals.get("external_account_id") or 0
            # The database takes "7" for 7, and the check below for nothing.
            if type(account_id) is not int or account_id < 0:
                account._refuse_sender()
        messages = super().create(vals_list)
        if account._any_configured():
            # the records, not the values: a default may come in by the context
            for message in messages.sudo():
                if message.external_account_id or message.external_origin:
                    account._check_message(message)
            uid = self.env.uid
            if origin.is_unproven(uid) and account._addresses_of(uid):
                messages._set_external_mark("unproven")
        return messages

    def _prepare_create_values(self, vals_list):
        # The last step, with all defaults: that there was an address stays known when
        # it is deleted, and with it the field that names it. Said explicitly it costs
        # no query when it is read back.
        vals_list = super()._prepare_create_values(vals_list)
        for vals in vals_list:
            account_id = vals.get("external_account_id")
            vals["external_origin"] = (
                vals.get("external_origin") or (account_id and "user") or False
            )
        return vals_list

    def write(self, vals):
        if SENDER_FIELDS.intersection(vals):
            raise AccessError(
                self.env._(
                    "The address that a message is sent through is chosen when it is "
                    "written, and cannot be changed afterwards."
                )
            )
        return super().write(vals)

    def _set_external_sender(self, account_id, origin):
        """Another sender than before, decided by the server: see ``_release``."""
        values = {"external_account_id": account_id, "external_origin": origin}
        return super().write(values)  # pylint: disable=super-method-mismatch

    def _external_change_sender(self):
        """Let it leave through another address, where the company wants that and its
        writer may use one.

        :return: whether it does
        """
        account = self.env["mail.external.account"]
        message = self.sudo()
        account_id, written_by = account._other_sender(message)
        if account_id:
            message._set_external_sender(account_id, written_by)
        return bool(account_id)

    def _set_external_mark(self, mark):
        """What is special about a message that came out of a mailbox."""
        values = {"external_mark": mark}
        return super().write(values)  # pylint: disable=super-method-mismatch

    def _external_is_gone(self):
        """Whether the address that this message was to leave through is there no more:
        archived, or deleted. What waits for it leaves in no other name."""
        message = self.sudo()
        if not message.external_origin:
            return False
        account = self.env["mail.external.account"]
        account_id = message.external_account_id.id
        return not (account_id and account._is_in_use(account_id))

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
        if not self.env["mail.external.account"]._any_configured():
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
        ]

    def _shows_external_sender(self):
        """A customer's own mail came in: that it is passed on to the others through an
        address, and that what is marked is not, says nothing about it."""
        message = self.sudo()
        came_in = message.message_type == "email" and message.external_origin != "mail"
        return message.external_account_id and not (came_in or message.external_mark)

    def _external_sender_data(self):
        """The line "sent through ..." of a message; why it still waits, if it does."""
        account = self.env["mail.external.account"]
        # sudo: who may read the message may know which address it left through; why
        # it waits is told to employees, also when a customer's request does so
        message = self.sudo()
        if "message_post_store" not in self.env.context:
            waiting = message.external_waiting or ""
        elif message._external_waiting_mails():
            # In the answer to a post it is not known yet what the server does, and its
            # sender can be used: no need to read the account for that.
            waiting = self.env._("waiting to be sent")
        else:
            waiting = ""
        return {
            "label": account._address_of(message.external_account_id.id),
            "waiting": waiting,
            "writer_id": message.create_uid.id,
        }

    def action_external_send_again(self):
        """Try the failed recipients of this message again; nobody gets it twice.

        :raise AccessError: only who wrote the message may, or a manager
        """
        self.ensure_one()
        self.check_access("read")
        # sudo: mail.mail is for administrators; delivery checks the right to send
        mails = self.sudo().mail_ids.filtered("sending_account_id")
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
        """Whether the current user manages the accounts that ``mails`` leave from."""
        account = self.env["mail.external.account"]
        return account._is_manager() and all(
            account._manages_owner(sender.user_id, sender.company_id)
            for sender in mails.sending_account_id
        )

    def _compute_external_waiting(self):
        waiting = self._external_waiting_mails().grouped("mail_message_id")
        for message in self:
            mails = waiting.get(message)
            message.external_waiting = mails and mails._external_waiting_reason()

    def _external_waiting_mails(self):
        """The mails of these messages that wait for their account.

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
            lambda mail: mail.sending_account_id and mail.state == "outgoing"
        )
