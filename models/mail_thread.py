import logging
from contextlib import contextmanager

from odoo import api, models

from ..tools import trusted_context
from ..tools.incoming import facts, gateway
from ..tools.incoming.heavy import ShownTexts
from ..tools.outgoing import notifying
from ..tools.outgoing.choice import EACH_DEFAULT
from ..tools.outgoing.default_sender import DefaultSender
from ..tools.trusted_context import as_odoo, is_remote_call

_logger = logging.getLogger(__name__)

# Models whose field ``project_id`` decides which addresses fit a record.
OF_A_PROJECT = ("project.task", "project.milestone", "project.update")


class MailThread(models.AbstractModel):
    """A record with a chatter: where its messages meet external addresses.

    Every seam of core's ``mail.thread``, in the order of a message's journey: guard,
    ``super()``, one delegated call each.

    - Posting: who calls from outside does so in their own name only; the message gets
      the sender that fits its writer and record (``tools/outgoing/default_sender.py``).
    - Notifying: who is told of what came out of a mailbox
      (``tools/incoming/gateway.py``); external contacts get mails of their own, through
      the address and in its look (``tools/outgoing/notifying.py``).
    - Coming in: core's gateway takes a message from a mailbox to where it belongs, as
      was decided before (``trusted_context.Arrival``, ``tools/incoming/``).
    - The chatter: what the picker "From:" shows, and who is suggested.

    Who runs inside of what (automatic, posting, notifying, proven writer, arrival)
    stands beside the environment, where no remote caller can write.
    """

    _inherit = "mail.thread"

    # What a record says of itself

    def _external_sender_project_id(self):
        """Id of the project that decides which addresses fit this record, or False.

        A sub-task has its own project, or its parent's by core's compute.
        """
        if self._name == "project.project":
            return self.id
        return self._name in OF_A_PROJECT and self.project_id.id

    def _external_sender_company_id(self):
        """Id of the record's company, or False when it belongs to none."""
        self.ensure_one()
        return self.sudo()._mail_get_companies()[self.id].id

    # Posting

    def message_post(self, **kwargs):
        with self._checking_typed_sender("message_post", kwargs):
            arrived = trusted_context.arrival.value
            if arrived is None or kwargs.get("message_type") != "email":
                return super().message_post(**kwargs)
            values, follows = gateway.post_values(self, arrived, kwargs)
            thread = self.with_context(mail_post_autofollow_author_skip=not follows)
            return super(MailThread, thread).message_post(**values)

    def message_notify(self, **kwargs):
        with self._checking_typed_sender("message_notify", kwargs):
            return super().message_notify(**kwargs)

    def message_post_with_source(self, source_ref, **kwargs):
        with self._checking_typed_sender("message_post_with_source", kwargs):
            return super().message_post_with_source(source_ref, **kwargs)

    def message_mail_with_source(self, source_ref, **kwargs):
        with self._checking_typed_sender("message_mail_with_source", kwargs):
            return super().message_mail_with_source(source_ref, **kwargs)

    @contextmanager
    def _checking_typed_sender(self, method, values):
        """Check the outermost call only. What Odoo posts inside of it by the same
        method, an absence note say, is in the name of whom Odoo's code chooses."""
        if not trusted_context.sender_checked.value:
            self._check_typed_sender(method, values)
        with trusted_context.sender_checked.during():
            yield

    def _check_typed_sender(self, method, values):
        """:raise AccessError: a remote caller names somebody else's address, or has no
        right to see the record
        :raise ValidationError: what they typed is too long to be looked at
        """
        senders = self.env["mail.external.sender"]
        if (
            self.env.su
            or not (values.get("email_from") or values.get("author_id"))
            or not senders._any_configured()
            or not is_remote_call(self._name, method)
        ):
            return
        senders._check_typed_length("email_from", values.get("email_from"))
        if method.startswith("message_post"):
            self.check_access("read")  # as core does, which reads the address before
        partner = self.env["res.partner"].browse(values.get("author_id") or [])
        senders._check_typed_from("email_from", values.get("email_from"))
        senders._check_typed_author("author_id", partner.exists())

    @api.model
    def _get_allowed_message_params(self):
        # what is picked in the chatter; checked when the message is created
        return super()._get_allowed_message_params() | {"external_address_id"}

    def _get_message_create_valid_field_names(self):
        return super()._get_message_create_valid_field_names() | {
            "external_address_id",
            "external_origin",
        }

    def _message_create(self, values_list):
        with trusted_context.posting.during():
            values_list = [self._with_sender(vals) for vals in values_list]
            messages = super()._message_create(values_list)
            arrived = trusted_context.arrival.value
            if arrived is not None:
                gateway.note_posted(arrived, messages)
            return messages

    def _with_sender(self, vals):
        """The values with an address to leave from; what was picked stays, also Odoo's
        own server (False)."""
        if vals.get("external_address_id") == EACH_DEFAULT:
            return DefaultSender(self.env, vals).with_best()
        if "external_address_id" in vals:
            # The chatter says 0, which a many2one field takes for a record.
            return {**vals, "external_address_id": vals["external_address_id"] or False}
        if not self.env["mail.external.sender"]._any_configured():
            return vals
        return DefaultSender(self.env, vals).with_default()

    def _message_update_content(self, message, /, **kwargs):
        if self.env["mail.external.sender"]._any_configured():
            message._check_may_edit()
        return super()._message_update_content(message, **kwargs)

    def _message_track(self, fields_iter, initial_values_dict):
        with trusted_context.automatic.during():
            return super()._message_track(fields_iter, initial_values_dict)

    def _message_track_post_template(self, changes):
        with trusted_context.automatic.during():
            return super()._message_track_post_template(changes)

    # Notifying: who is told. It follows from what is stored: another addon tells of a
    # message in a job of its own, long after the mail was processed.

    def _notify_get_recipients(self, message, msg_vals=False, **kwargs):
        audience = message._external_audience(msg_vals)
        if audience == "nobody":
            return []
        row = audience and message._external_arrival()
        if not row and audience != "team":
            return super()._notify_get_recipients(message, msg_vals, **kwargs)
        values = gateway.told_values(self, message.sudo(), msg_vals or {}, row)
        # Who has Odoo tell of it is not its author, whom core leaves out.
        recipients = super(MailThread, as_odoo(self))._notify_get_recipients(
            message, values, **kwargs
        )
        if audience == "team":
            return [data for data in recipients if data["id"] and not data["share"]]
        return recipients

    def _notify_thread_with_out_of_office(
        self, message, recipients_data, msg_vals=False, **kwargs
    ):
        if message._external_audience(msg_vals) in ("team", "nobody"):
            return self.env["mail.message"]  # strangers and programs get no answer
        return super()._notify_thread_with_out_of_office(
            message, recipients_data, msg_vals=msg_vals, **kwargs
        )

    # Notifying: by mail

    def _notify_thread_by_email(self, message, recipients_data, **kwargs):
        # Whenever it is told, also after the last of all addresses was deleted.
        gone = message._external_is_gone() and not message._external_change_sender()
        missed = []
        if gone:
            outside = notifying.carried_to(message.sudo(), recipients_data)
            missed = [data for data in recipients_data if data["id"] in outside]
            recipients_data = [
                data for data in recipients_data if data["id"] not in outside
            ]
        with notifying.through_address(self.env, message, recipients_data):
            result = super()._notify_thread_by_email(message, recipients_data, **kwargs)
        if gone:
            notifying.show_missed(self, message, missed)
        return result

    def _notify_get_classified_recipients_iterator(
        self, message, recipients_data, **kw
    ):
        groups = super()._notify_get_classified_recipients_iterator(
            message, recipients_data, **kw
        )
        notified = trusted_context.notified.value
        if not notified.address_id:
            yield from groups
            return
        for lang, render_values, group in groups:
            for part in notifying.split_group(group, notified.partner_ids):
                yield lang, render_values, part

    def _notify_by_email_render_layout(
        self, message, recipients_group, msg_vals=False, render_values=None
    ):
        address = notifying.address_of_group(self.env, recipients_group)
        if address:
            recipients_group, msg_vals, render_values = notifying.in_look_of(
                address, message, recipients_group, msg_vals, render_values
            )
        return super()._notify_by_email_render_layout(
            message, recipients_group, msg_vals=msg_vals, render_values=render_values
        )

    def _notify_by_email_get_final_mail_values(self, recipient_ids, mail_values, **kw):
        values = super()._notify_by_email_get_final_mail_values(
            recipient_ids, mail_values, **kw
        )
        notified = trusted_context.notified.value
        if notified.is_carried_to(recipient_ids):
            values["sending_address_id"] = notified.address_id
        return values

    # Coming in: what core's gateway must not get

    @api.model
    def message_process(
        self,
        model,
        message,
        custom_values=None,
        save_original=False,
        strip_attachments=False,
        thread_id=None,
    ):
        raw = b"" if trusted_context.arrival.value else gateway.octets(message)
        if raw and facts.carries_code(self.env, raw):
            # Also while no address is connected: it would prove the first one.
            _logger.info("Dropped: a mail with a code that proves an address")
            return False
        account = gateway.account_of(self.env, raw)
        if account:
            # Before core's routing: it would make a task of it, or bounce it.
            return gateway.take_in_forwarded(account, raw)
        # Core lets go of the source once it is parsed, which needs several times its
        # size: nothing here may hold it meanwhile.
        source = [message]
        del message, raw
        return super().message_process(
            model,
            source.pop(),
            custom_values=custom_values,
            save_original=save_original,
            strip_attachments=strip_attachments,
            thread_id=thread_id,
        )

    # Coming in: a message from a mailbox, in the order of core's gateway

    @api.model
    def _message_parse_extract_payload(
        self, message, message_dict, save_original=False
    ):
        arrived = trusted_context.arrival.value
        if arrived is None:
            return super()._message_parse_extract_payload(
                message, message_dict, save_original=save_original
            )
        # Of texts that would take core minutes only the beginning is shown.
        texts = ShownTexts(message, arrived.heavy)
        payload = super()._message_parse_extract_payload(
            message, message_dict, save_original=save_original
        )
        attachments = texts.attachments(payload["attachments"], self._Attachment)
        return {**payload, "attachments": attachments}

    @api.model
    def message_route(
        self, message, message_dict, model=None, thread_id=None, custom_values=None
    ):
        arrived = trusted_context.arrival.value
        if arrived is None:
            return super().message_route(
                message, message_dict, model, thread_id, custom_values
            )
        return gateway.routes(self, message, message_dict, arrived)

    @api.model
    def _detect_loop_headers(self, msg_dict):
        return trusted_context.arrival.value is None and super()._detect_loop_headers(
            msg_dict
        )

    @api.model
    def _detect_loop_sender(self, message, message_dict, routes):
        # Core drops what comes after 20 mails of one sender, and mails them;
        # ``ArrivalProcessing.is_loop`` has it kept in quarantine.
        return trusted_context.arrival.value is None and super()._detect_loop_sender(
            message, message_dict, routes
        )

    @api.model
    def _message_parse_post_process(self, message, message_dict, routes):
        if trusted_context.arrival.value is None:
            return super()._message_parse_post_process(message, message_dict, routes)
        # The author stands. Recipients whom core would add after the message was told
        # are those who have the mail anyway; told later, they would count.
        return {"author_id": message_dict["author_id"], "partner_ids": []}

    def _message_route_process(self, message, message_dict, routes):
        proven = gateway.proven_writer(self.env, message, message_dict)
        with trusted_context.proven_writer.during(proven):
            thread_id = super()._message_route_process(message, message_dict, routes)
            if self.env["mail.external.sender"]._any_configured():
                # What else the mail set off is posted before the commit: now.
                self.env.cr.flush()
            return thread_id

    def _create_attachments_for_post(self, values_list, extra_list):
        arrived = trusted_context.arrival.value
        if arrived is None or not arrived.heavy:
            return super()._create_attachments_for_post(values_list, extra_list)
        attachments = self.env["ir.attachment"]
        for values, extra in zip(values_list, extra_list, strict=True):
            # Large parts are stored directly; one at a time is in memory.
            attachments |= super()._create_attachments_for_post(
                [arrived.heavy.restored(values)], [extra]
            )
        return attachments

    # The chatter

    def _thread_to_store(self, store, fields, *, request_list=None):
        result = super()._thread_to_store(store, fields, request_list=request_list)
        if (
            "suggestedRecipients" in (request_list or [])
            and self.env.user._is_internal()
            and self.env["mail.external.sender"]._any_configured()
        ):
            for thread in self:
                store.add(thread, thread._external_senders_data(), as_thread=True)
        return result

    def _external_senders_data(self):
        """What the picker "From:" shows: the addresses, best first, and the reason."""
        senders = self.env["mail.external.sender"]
        thread = self.sudo()
        options = senders._sender_options(thread)
        labels = senders._labels([row for row, _candidate in options], thread)
        return {
            "externalSenders": [
                {
                    "id": row.id,
                    "label": labels[row.id],
                    "email": row.email,
                    "reason": senders._reason_text(candidate, thread),
                }
                for row, candidate in options
            ],
            "externalSenderOdoo": self.env["ir.mail_server"]
            .sudo()
            ._get_default_from_address()
            or "",
        }

    def _message_get_suggested_recipients_batch(self, *args, **kwargs):
        # No address of our own: every answer was addressed to the mailbox that it came
        # out of.
        if not self.env["mail.external.sender"]._any_configured():
            return super()._message_get_suggested_recipients_batch(*args, **kwargs)
        thread = self.with_context(external_suggested_recipients=True)
        return super(MailThread, thread)._message_get_suggested_recipients_batch(
            *args, **kwargs
        )
