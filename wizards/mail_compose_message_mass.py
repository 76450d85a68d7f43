from odoo import Command, models

from ..tools import origin
from ..tools.sender_choice import EACH_DEFAULT, ODOO


class MailComposeMessage(models.TransientModel):
    """Mass mode: it makes ``mail.mail`` rows without ``message_post``."""

    _inherit = "mail.compose.message"

    def _action_send_mail_mass_mail(self, res_ids, auto_commit=False):
        self._check_sender(res_ids)  # all, before the first one leaves
        return super()._action_send_mail_mass_mail(res_ids, auto_commit=auto_commit)

    def _prepare_mail_values(self, res_ids):
        values_by_record = super()._prepare_mail_values(res_ids)
        if self.composition_mode == "mass_mail":
            accounts = self._accounts_by_record(res_ids)
            for res_id, values in values_by_record.items():
                if accounts.get(res_id) and self._has_external_recipient(values):
                    values.update(self._external_mail_values(accounts[res_id], values))
        return values_by_record

    def _accounts_by_record(self, res_ids):
        """The id of the account of each record; absent: Odoo's own server."""
        if self.external_sender == ODOO or not self._may_choose_sender():
            return {}
        if self.external_sender == EACH_DEFAULT:
            return self._default_accounts(res_ids)
        return dict.fromkeys(res_ids, self.external_sender)

    def _recipients(self, values):
        """The partners of a mail's values, in superuser mode."""
        ids = [command[1] for command in values.get("recipient_ids") or []]
        return self.env["res.partner"].sudo().browse(ids)

    def _has_external_recipient(self, values):
        return bool(
            values.get("email_to")
            or values.get("email_cc")
            or any(self._recipients(values).mapped("partner_share"))
        )

    def _external_mail_values(self, account_id, values):
        # sudo: the layout of an account that the user may use
        account = self.env["mail.external.account"].sudo().browse(account_id)
        changed = {"external_account_id": account_id, "sending_account_id": account_id}
        if not self.email_layout_xmlid:
            changed["body_html"] = account._wrap_body(
                values["body_html"], self._recipients(values)[:1].lang
            )
        return changed

    def _generate_mail_notification_values(self, mails):
        """The one step between making the mails and sending them."""
        return super()._generate_mail_notification_values(
            mails + self._split_off_colleagues(mails)
        )

    def _split_off_colleagues(self, mails):
        """Colleagues get the mail from Odoo's own server, without the address's look.

        :return: the new mails, to them alone. Neither deletes the message that both
            share, when it is deleted after sending.
        """
        split = mails.browse()
        for mail in mails.filtered("sending_account_id"):
            colleagues = mail.recipient_ids.filtered(lambda p: not p.partner_share)
            if not colleagues:
                continue
            with origin.notifying(mail.mail_message_id.id):
                split += mail.create(self._colleagues_values(mail, colleagues))
            mail.recipient_ids -= colleagues
            mail.is_notification = True
        if split and self.force_send:
            split.filtered(lambda m: not m.scheduled_date).send_after_commit()
        return split

    def _colleagues_values(self, mail, colleagues):
        return {
            "mail_message_id": mail.mail_message_id.id,
            "body_html": mail.body_html if self.email_layout_xmlid else mail.body,
            "recipient_ids": [Command.set(colleagues.ids)],
            "auto_delete": mail.auto_delete,
            "headers": mail.headers,
            "references": mail.references,
            "state": mail.state,
            "scheduled_date": mail.scheduled_date,
        }
