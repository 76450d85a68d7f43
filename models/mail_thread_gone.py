from odoo import models
from odoo.tools.misc import clean_context

from ..tools.explanations import cause_and_remedy


class MailThread(models.AbstractModel):
    """People are told of a message when the address that it leaves through is gone."""

    _inherit = "mail.thread"

    def _notify_thread_by_email(self, message, recipients_data, **kwargs):
        # Whenever it is told, also after the last of all addresses was deleted.
        if not message._external_is_gone() or message._external_change_sender():
            return super()._notify_thread_by_email(message, recipients_data, **kwargs)
        outside = self._external_recipients(message.sudo(), recipients_data)
        told = [data for data in recipients_data if data["id"] not in outside]
        result = super()._notify_thread_by_email(message, told, **kwargs)
        missed = [data for data in recipients_data if data["id"] in outside]
        self._external_show_missed(message, missed)
        return result

    def _external_show_missed(self, message, recipients_data):
        """The chatter shows who does not get ``message``, and why; there is no mail."""
        context = clean_context(self.env.context)
        context["lang"] = message.sudo().create_uid.lang
        env = self.env(context=context)
        values = {
            **self._notify_by_email_get_base_notification_values(message),
            "notification_status": "exception",
            "failure_type": "unknown",
            "failure_reason": " ".join(cause_and_remedy(env, "account_gone")),
        }
        # sudo: notifications are the server's, as those that core makes
        env["mail.notification"].sudo().create(
            [
                {
                    **values,
                    "res_partner_id": data["id"],
                    "mail_email_address": not data["id"] and data["email_normalized"],
                }
                for data in recipients_data
                if data["notif"] == "email"
            ]
        )
        message.sudo()._notify_message_notification_update()
