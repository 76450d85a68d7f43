from contextlib import nullcontext

from odoo import SUPERUSER_ID, Command, api, fields, models
from odoo.exceptions import AccessError, MissingError
from odoo.tools.mail import email_normalize_all

from ..mailkit.message.address import Address
from ..tools import trusted_context
from ..tools.cron import start_at
from ..tools.explanations import cause_and_remedy
from ..tools.outgoing.default_sender import DefaultSender
from ..tools.outgoing.message import with_short_urls

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


def _linked_ids(command):
    """Ids of the existing records that one command of an x2many field links."""
    operation, record_id, *rest = command
    if operation == Command.LINK:
        return [record_id]
    return rest[0] if operation == Command.SET else []


class MailMail(models.Model):
    """A row of mail that leaves through an external address, or through Odoo's server.

    Rows with ``sending_address_id`` leave through that address only: they wait for the
    delivery's scheduled action. Rows are Odoo's: nobody writes into them what leaves in
    other names, and those that leave through Odoo's server carry in From only the
    external addresses that their writers may use.

    Rows that leave no more are shown as failed in the chatter, or go. None of them
    stays at "cancel": six months later Email Marketing deletes the *messages* of such
    rows (mass_mailing/models/mail_mail.py, ``_gc_canceled_mail_mail``).
    """

    _inherit = "mail.mail"

    sending_address_id = fields.Many2one(
        "mail.external.address",
        index="btree_not_null",
        ondelete="set null",
        copy=False,
        readonly=True,
    )
    external_next_try = fields.Datetime(
        "Next Attempt", copy=False, readonly=True, help="After a passing failure."
    )

    # Made and changed: what leaves in other names is Odoo's to write

    @api.model_create_multi
    def create(self, vals_list):
        guarded = self.env["mail.external.sender"]._any_configured()
        if guarded:
            vals_list = [self._with_automatic_sender(vals) for vals in vals_list]
        with trusted_context.making_rows.during() if guarded else nullcontext():
            mails = super().create(vals_list)
        if guarded and not self.env.su:
            mails._check_in_own_name()
        if any(vals.get("sending_address_id") for vals in vals_list):
            mails.filtered("sending_address_id")._trigger_external_delivery()
        return mails

    def _prepare_create_values(self, vals_list):
        # The last step before they are stored: with all defaults, from wherever, and in
        # superuser mode too. Templates and composers take values of remote callers.
        vals_list = super()._prepare_create_values(vals_list)
        if self.env["mail.external.sender"]._any_configured():
            self._check_rows_are_odoos(vals_list)
        return vals_list

    def _with_automatic_sender(self, vals):
        """The project's address for a mail that a template makes without a message.

        Only for customers: with a colleague among the recipients it stays Odoo's.
        """
        if not {"model", "res_id"} <= vals.keys() or {
            "mail_message_id",
            "sending_address_id",
        }.intersection(vals):
            return vals
        senders = self.env["mail.external.sender"]
        if not (trusted_context.automatic.value or senders._is_odoo_bot()):
            return vals
        if not DefaultSender(self.env, vals).may_be_external():
            return vals
        partners = self.env["res.partner"].sudo()
        commands = vals.get("recipient_ids") or []
        ids = [id_ for command in commands for id_ in _linked_ids(command)]
        if not all(partner.partner_share for partner in partners.browse(ids)):
            return vals
        record = self.env[vals["model"]].sudo().browse(vals["res_id"])
        address_id = senders._project_sender(record, only_default=True)
        return {
            **vals,
            "external_address_id": address_id,
            "external_origin": address_id and "project",
            "sending_address_id": address_id,
        }

    def _check_rows_are_odoos(self, vals_list):
        """A row leaves through an address when Odoo notifies of its message, or when
        both are new: then whether the user may use the address is checked with the
        message (``mail.message.create``).

        :raise AccessError: one is for a message that is there already
        """
        for vals in vals_list:
            message_id = vals.get("mail_message_id")
            address_id = vals.get("sending_address_id") or False
            if trusted_context.is_notified(message_id) or (
                trusted_context.splitting.value and not address_id
            ):
                continue
            message = self.env["mail.message"].sudo().browse(message_id or [])
            if message:
                refused = address_id or message.external_address_id
            else:
                refused = address_id and address_id != vals.get("external_address_id")
            if refused:
                self._refuse_change(message.subject or vals.get("subject"))

    def write(self, vals):
        guarded = self._is_guarded_change(vals)
        if guarded:
            self._check_in_own_name()
        result = super().write(vals)
        if guarded:
            self._check_in_own_name()  # it may have got another message or address
        if vals.get("state") == "outgoing":
            if external := self._through_addresses():
                super(MailMail, external).write({"external_next_try": False})
                external._try_again()
            self._refuse_gone_addresses()
        elif vals.get("state") == "cancel":
            self._show_cancelled()
        return result

    def _is_guarded_change(self, vals):
        return not (
            self.env.su
            or FREE_FIELDS.issuperset(vals)
            or trusted_context.posting.value
            or not self.env["mail.external.sender"]._any_configured()
        )

    def _through_addresses(self):
        """Those of these mails that leave through an address."""
        if not self.env["mail.external.sender"]._any_configured():
            return self.browse()
        return self.filtered("sending_address_id")

    def _try_again(self):
        """Those whom the server refused are tried again, too."""
        self.env["mail.external.delivery"].sudo()._try_again(self)
        self._trigger_external_delivery()

    @property
    def _allow_sudo_commands(self):
        # x2many commands among the values of somebody's record: by their own right
        configured = self.env["mail.external.sender"]._any_configured()
        return super()._allow_sudo_commands and not configured

    def _check_in_own_name(self):
        """:raise AccessError: one of these mails leaves in somebody else's name"""
        senders = self.env["mail.external.sender"]
        own = senders._addresses_of(self.env.uid)
        for mail in self.sudo():
            if (
                mail.sending_address_id
                or mail.external_address_id
                or senders._external_in(mail.email_from) - own
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

    # Sent: by Odoo's server, or handed to the delivery

    def send(self, auto_commit=False, raise_exception=False, post_send_callback=None):
        # One query, none more than without us: core reads the other fields next
        # (``_split_by_mail_configuration``) and finds them in the cache.
        self.fetch(
            ["email_from", "mail_server_id", "record_alias_domain_id"]
            + ["sending_address_id"]
        )
        try:
            external = self.filtered("sending_address_id")
        except MissingError:  # the queue was faster with some: sent, and deleted
            return self.exists().send(auto_commit, raise_exception, post_send_callback)
        external._trigger_external_delivery()
        others = self - external
        senders = self.env["mail.external.sender"]
        if not (senders._any_configured() and senders._external_addresses()):
            return super(MailMail, others).send(
                auto_commit, raise_exception, post_send_callback
            )
        for carried, mails in others._grouped_by_addresses().items():
            mails = mails.sudo(self.env.su).with_prefetch(others.ids)
            with (
                trusted_context.carried.during(carried),
                trusted_context.posting.during(),
            ):
                super(MailMail, mails).send(
                    auto_commit, raise_exception, post_send_callback
                )
        return True

    def _grouped_by_addresses(self):
        senders = self.env["mail.external.sender"]

        def key(mail):
            own = senders._address_for_odoo(mail.create_uid.id)
            return trusted_context.Carried(mail._carried_addresses(), own)

        return self.sudo().grouped(key)  # mail is read here as the queue reads it

    def _carried_addresses(self):
        """The external addresses in From that this mail may carry.

        All who made it must be allowed to use them: who wrote the message, and who
        made this row of it. Mail that came in from outside proves nothing by its From,
        and what no person wrote has nobody who may.

        :rtype: frozenset[str]
        """
        senders = self.env["mail.external.sender"]
        named = senders._external_in(self.email_from)
        if not named:
            return named
        message = self.mail_message_id
        writers = message._external_from_writers()
        if writers and self.create_uid.id != SUPERUSER_ID:
            writers |= self.create_uid
        if not writers:
            return frozenset()
        return named.intersection(*map(senders._addresses_of, writers.ids))

    def _split_by_delayed_batch(self, mail_server):
        with trusted_context.splitting.during():
            return super()._split_by_delayed_batch(mail_server)

    def send_after_commit(self):
        own = self
        if self.env["mail.external.sender"]._any_configured():
            # The others' delivery was started when they were made.
            own = self.filtered(lambda mail: not mail.sending_address_id)
        if self and not own:
            return None
        return super(MailMail, own).send_after_commit()

    @api.model
    def process_email_queue(self, email_ids=(), batch_size=1000):
        # Always, whatever is cached: none of ours may leave by Odoo's own server.
        filters = [
            *self.env.context.get("filters", []),
            ("sending_address_id", "=", False),
        ]
        return super(MailMail, self.with_context(filters=filters)).process_email_queue(
            email_ids, batch_size
        )

    def _prepare_outgoing_body(self):
        # Core makes a text of it, in which long URLs of images take it minutes.
        body = super()._prepare_outgoing_body()
        return with_short_urls(body) if self.sending_address_id else body

    def _trigger_external_delivery(self):
        """Start delivery once this transaction is committed, or when it is due."""
        if not self:
            return
        now = fields.Datetime.now()
        times = {mail.scheduled_date or now for mail in self}
        if not start_at(self.env, "mail_external_account.ir_cron_deliver", times):
            # an administrator deleted or archived it
            self.env["ir.cron"]._external_trigger("deliver", at=list(times))

    def _external_due_domain(self):
        now = fields.Datetime.now()
        return [
            ("state", "=", "outgoing"),
            ("sending_address_id.state", "=", "working"),
            ("sending_address_id.active", "=", True),
            "|",
            ("scheduled_date", "=", False),
            ("scheduled_date", "<=", now),
            "|",
            ("external_next_try", "=", False),
            ("external_next_try", "<=", now),
        ]

    # Waits, fails, or leaves through another address

    def _is_for_external_address(self):
        """Whether this row leaves through an external address, or would have done so
        through one that was deleted since. A colleague's row never does."""
        self.ensure_one()
        return bool(
            self.sending_address_id
            or (self.external_origin and not self.is_notification)
        )

    def _external_waiting_reason(self):
        """Until when and why these mails still wait, in the reader's language."""
        address = self.sending_address_id[:1]
        account = address.account_id
        if address.state != "working" or not address.active:
            code = address.failure_code or account.failure_code
            return self.env._(
                "waiting: %(email)s is stopped. %(text)s",
                email=address.email,
                text=" ".join(cause_and_remedy(self.env, code)) if code else "",
            ).strip()
        now = fields.Datetime.now()
        delayed = account.delivery_next_try and account.delivery_next_try > now
        later = [date for date in self.mapped("external_next_try") if date]
        if delayed:
            later = [max([account.delivery_next_try, *later])]
        if later:
            return self.env._(
                "waiting until %(time)s: %(reason)s",
                time=fields.Datetime.context_timestamp(self, min(later)).strftime(
                    "%H:%M"
                ),
                reason=account._delay_reason()
                if delayed
                else next((m.failure_reason for m in self if m.failure_reason), ""),
            )
        return self.env._("waiting to be sent")

    @api.model
    def _external_waiting(self, addresses):
        """The rows (sudo) that wait for external addresses."""
        # sudo: rows of mail are for administrators only
        domain = [
            ("sending_address_id", "in", addresses.ids),
            ("state", "=", "outgoing"),
        ]
        return self.sudo().search(domain)

    @api.model
    def _external_fail_waiting(self, addresses, reason):
        """Nothing that waits for an address, or may be sent again, leaves in another
        name: it is shown as failed, and its rows go."""
        # sudo: rows of mail are for administrators only
        domain = [
            ("sending_address_id", "in", addresses.ids),
            ("state", "not in", ("sent", "cancel")),
        ]
        self.sudo().search(domain)._end_in_chatter(reason)

    @api.model
    def _external_release_of(self, users):
        """Who cannot sign in any more does not send either."""
        domain = [
            ("sending_address_id", "!=", False),
            ("state", "=", "outgoing"),
            "|",
            ("sending_address_id.user_id", "in", users.ids),
            ("mail_message_id.create_uid", "in", users.ids),
        ]
        # sudo: rows of mail are for administrators only
        self.sudo().search(domain)._release("sender_not_allowed")

    def _release(self, code):
        """These mails cannot leave through their address any more.

        They leave through another one that their writer may use, where the company
        wants that; else they fail visibly. Who was served is not served again.

        :param str code: why, see ``tools.explanations``
        """
        for message in self.mail_message_id:
            mails = message.mail_ids.filtered(
                lambda mail: (
                    mail.state == "outgoing" and mail._is_for_external_address()
                )
            )
            if not message._external_change_sender():
                mails._fail_external("", code)
                continue
            address_id = message.external_address_id.id
            mails.write({"sending_address_id": address_id, "external_next_try": False})
            mails._trigger_external_delivery()

    def _refuse_gone_addresses(self):
        """What is sent again although its address is gone fails once more, or leaves
        through another one: it would wait for ever, or leave in Odoo's name."""
        # sudo: who may send mail again need not see the address
        gone = self.sudo().filtered(
            lambda mail: (
                mail._is_for_external_address()
                and mail.mail_message_id._external_is_gone()
            )
        )
        gone._release("address_gone")

    def _fail_external(self, reason, code=None):
        """Show the waiting mails as failed, with a reason, and stop trying."""
        if code:
            reason = " ".join([*cause_and_remedy(self.env, code), reason or ""]).strip()
        for mail in self:
            mail.write(
                {
                    "state": "exception",
                    "failure_type": "unknown",
                    "failure_reason": reason,
                }
            )
            served = mail._served_recipients()
            mail._postprocess_sent_message(
                success_pids=mail.recipient_ids.filtered(
                    lambda partner, served=served: (
                        Address.of(partner.email_normalized).envelope in served
                    )
                ),
                success_emails=list(served),
                failure_reason=reason,
                failure_type="unknown",
            )

    def _served_recipients(self):
        """Addresses that the ledger has as served with this message."""
        rows = self.env["mail.external.delivery"].search(
            [("message_id_header", "=", self.message_id), ("state", "=", "sent")]
        )
        return set(rows.mapped("recipient"))

    # Cancelled, or at an end: the chatter shows who did not get it

    def cancel(self):
        result = super().cancel()
        if self.exists():
            return result
        # the row that the button belongs to is gone: back to the list
        action = self.env["ir.actions.actions"]._for_xml_id(
            "mail.action_view_mail_mail"
        )
        return {**action, "target": "main"}

    def _show_cancelled(self):
        """Somebody cancelled mail that waits: the chatter says so, the rows go."""
        # sudo: what the chatter shows is the server's
        mails = self.sudo().filtered(
            lambda mail: (
                (mail.sending_address_id or mail.external_origin)
                and mail.model
                and mail.res_id
            )
        )
        if mails:
            reason = self.env._("Cancelled by %s before it left.", self.env.user.name)
            mails._end_in_chatter(reason, "canceled")

    def _end_in_chatter(self, reason, status="exception"):
        """These mails leave no more: the chatter shows who did not get them, the rows
        go, their messages stay.

        :param str status: notification_status of who was not served
        """
        self._add_missing_notifications()
        self.is_notification = True  # else a row takes its message along
        self._fail_external(reason)
        domain = [("mail_mail_id", "in", self.ids)]
        missed = self.env["mail.notification"].search(
            [*domain, ("notification_status", "=", "exception")]
        )
        missed.write({"notification_status": status})
        self.unlink()
        missed.mail_message_id._notify_message_notification_update()

    def _add_missing_notifications(self):
        """A mail that a template made has none, which could show what became of it."""
        for mail in self.filtered(
            lambda mail: not (mail.is_notification or mail.notification_ids)
        ):
            [values] = mail._get_notification_values()
            addresses = email_normalize_all(
                f"{mail.email_to or ''},{mail.email_cc or ''}"
            )
            recipients = [("res_partner_id", id_) for id_ in mail.recipient_ids.ids]
            recipients += [("mail_email_address", address) for address in addresses]
            self.env["mail.notification"].create(
                [
                    {**values, "notification_status": "ready", name: value}
                    for name, value in recipients
                ]
            )
