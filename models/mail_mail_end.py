from odoo import models
from odoo.tools.mail import email_normalize_all


class MailMail(models.Model):
    """Rows of mail that leave no more, and what stays of them in the chatter.

    None of them stays at "cancel": six months later Email Marketing deletes the
    *messages* of such rows (mass_mailing/models/mail_mail.py,
    ``_gc_canceled_mail_mail``).
    """

    _inherit = "mail.mail"

    def write(self, vals):
        result = super().write(vals)
        if vals.get("state") == "outgoing":
            self._refuse_gone_addresses()
        elif vals.get("state") == "cancel":
            self._show_cancelled()
        return result

    def cancel(self):
        result = super().cancel()
        if self.exists():
            return result
        # the row that the button belongs to is gone: back to the list
        action = self.env["ir.actions.actions"]._for_xml_id(
            "mail.action_view_mail_mail"
        )
        return {**action, "target": "main"}

    def _is_for_external_address(self):
        """Whether this row leaves through an external address, or would have done so
        through one that was deleted since. A colleague's row never does."""
        self.ensure_one()
        return bool(
            self.sending_account_id
            or (self.external_origin and not self.is_notification)
        )

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
        gone._release("account_gone")

    def _show_cancelled(self):
        """Somebody cancelled mail that waits: the chatter says so, the rows go."""
        # sudo: what the chatter shows is the server's
        mails = self.sudo().filtered(
            lambda mail: (
                (mail.sending_account_id or mail.external_origin)
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
