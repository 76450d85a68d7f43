from odoo import api, models

from ..tools import origin
from ..tools.sender_choice import EACH_DEFAULT


class MailThread(models.AbstractModel):
    """Seams around posting: guard, ``super()``, one delegated call each."""

    _inherit = "mail.thread"

    # Posting

    def _get_message_create_valid_field_names(self):
        return super()._get_message_create_valid_field_names() | {
            "external_account_id",
            "external_origin",
        }

    def _message_create(self, values_list):
        values_list = [self._with_best_sender(vals) for vals in values_list]
        if self.env["mail.external.account"]._any_configured():
            values_list = [self._with_external_sender(vals) for vals in values_list]
        return super()._message_create(values_list)

    def _with_best_sender(self, vals):
        """Message values of the full composer, where no address was picked.

        By then it was known that a person writes; the author may be a template's.
        """
        if vals.get("external_account_id") != EACH_DEFAULT:
            return vals
        if not self._may_have_external_sender(vals):
            return {**vals, "external_account_id": False}
        thread = self.env[vals["model"]].sudo().browse(vals["res_id"])
        best = self.env["mail.external.account"]._best_account_id(thread)
        return {**vals, "external_account_id": best}

    def _message_track(self, fields_iter, initial_values_dict):
        with origin.automatic():
            return super()._message_track(fields_iter, initial_values_dict)

    def _message_track_post_template(self, changes):
        with origin.automatic():
            return super()._message_track_post_template(changes)

    def _message_route_process(self, message, message_dict, routes):
        proven = self._external_proven_writer(message, message_dict)
        with origin.proven_writer(proven):
            thread_id = super()._message_route_process(message, message_dict, routes)
            if self.env["mail.external.account"]._any_configured():
                # What else the mail set off is posted before the commit: now.
                self.env.cr.flush()
            return thread_id

    # Notifying

    def _notify_thread_by_email(self, message, recipients_data, **kwargs):
        if not self.env["mail.external.account"]._any_configured():
            return super()._notify_thread_by_email(message, recipients_data, **kwargs)
        account_id = message.sudo().external_account_id.id or 0
        carried_to = frozenset()
        if account_id:
            carried_to = self._external_recipients(message.sudo(), recipients_data)
        with origin.notifying(message.id, account_id, carried_to):
            return super()._notify_thread_by_email(message, recipients_data, **kwargs)

    def _external_recipients(self, message, recipients_data):
        """Whom the message's account carries it to: external contacts.

        A customer's words only to those who follow the record anyway. Whom he names
        himself core's route leaves out (``mail/controllers/thread.py``,
        ``_prepare_message_data``), but not a remote call of ``message_post``.

        :return: frozenset of ids of partners; False stands for addresses without one
        """
        by_customer = message.external_origin == "project" and message.create_uid.share
        return frozenset(
            recipient["id"]
            for recipient in recipients_data
            if recipient["share"] and (recipient["is_follower"] or not by_customer)
        )

    def _notify_get_classified_recipients_iterator(
        self, message, recipients_data, **kw
    ):
        groups = super()._notify_get_classified_recipients_iterator(
            message, recipients_data, **kw
        )
        notified = origin.notified()
        if not notified.account_id:
            yield from groups
            return
        for lang, render_values, group in groups:
            for part in self._split_external_group(group, notified.partner_ids):
                yield lang, render_values, part

    @api.model
    def _split_external_group(self, group, outside):
        """Who gets the message through the account, and the others of one group, get
        mails of their own.

        :param outside: ids of the former, see ``_external_recipients``
        """
        carried = {"recipients_ids": [], "recipients_emails": []}
        others = {"recipients_ids": [], "recipients_emails": []}
        for pid in group["recipients_ids"]:
            (carried if pid in outside else others)["recipients_ids"].append(pid)
        part = carried if False in outside else others
        part["recipients_emails"] = group["recipients_emails"]
        for part in (others, carried):
            if any(part.values()):
                yield {**group, **part}

    def _notify_by_email_get_final_mail_values(self, recipient_ids, mail_values, **kw):
        values = super()._notify_by_email_get_final_mail_values(
            recipient_ids, mail_values, **kw
        )
        notified = origin.notified()
        if notified.is_carried_to(recipient_ids):
            values["sending_account_id"] = notified.account_id
        return values

    # The chatter

    def _thread_to_store(self, store, fields, *, request_list=None):
        result = super()._thread_to_store(store, fields, request_list=request_list)
        if (
            "suggestedRecipients" in (request_list or [])
            and self.env.user._is_internal()
            and self.env["mail.external.account"]._any_configured()
        ):
            for thread in self:
                store.add(thread, thread._external_senders_data(), as_thread=True)
        return result

    def _external_senders_data(self):
        """What the picker "From:" shows: the accounts, best first, and the reason."""
        account = self.env["mail.external.account"]
        thread = self.sudo()
        options = account._sender_options(thread)
        labels = account._labels([row for row, _candidate in options], thread)
        return {
            "externalSenders": [
                {
                    "id": row.id,
                    "label": labels[row.id],
                    "email": row.email,
                    "reason": account._reason_text(candidate, thread),
                }
                for row, candidate in options
            ],
            "externalSenderOdoo": self.env["ir.mail_server"]
            .sudo()
            ._get_default_from_address()
            or "",
        }
