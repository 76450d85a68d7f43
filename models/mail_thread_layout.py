from odoo import models

from ..tools import origin

_CORE_LAYOUTS = ("mail.mail_notification_layout", "mail.mail_notification_light")


class MailThread(models.AbstractModel):
    """How the mails look that external contacts get through an account."""

    _inherit = "mail.thread"

    def _notify_by_email_render_layout(
        self, message, recipients_group, msg_vals=False, render_values=None
    ):
        account = self._external_account_of_group(recipients_group)
        if account:
            recipients_group, msg_vals, render_values = self._external_layout(
                account, message, recipients_group, msg_vals, render_values
            )
        return super()._notify_by_email_render_layout(
            message, recipients_group, msg_vals=msg_vals, render_values=render_values
        )

    def _external_account_of_group(self, recipients_group):
        """The account that this group's mails leave through; empty for colleagues."""
        account = self.env["mail.external.account"].sudo()
        notified = origin.notified()
        # the groups were split: one has either colleagues or external contacts
        if notified.is_carried_to(recipients_group["recipients_ids"]):
            return account.browse(notified.account_id)
        return account

    def _external_layout(self, account, message, group, msg_vals, render_values):
        """Core's arguments for rendering, changed to the account's signature and look.

        A layout that a template or a document asks for stays, with its button. What
        core's code asks for when no person writes (a stage's template, a rating) is
        no choice of anybody's.
        """
        msg_vals = msg_vals or {}
        look = account._look(account.id)
        values = {
            **(render_values or {}),
            **account._layout_values(render_values or {}, message.record_company_id),
        }
        explicit = (
            msg_vals["email_layout_xmlid"]
            if "email_layout_xmlid" in msg_vals
            else message.email_layout_xmlid
        )
        if not explicit or (origin.is_automatic() and explicit in _CORE_LAYOUTS):
            msg_vals = {**msg_vals, "email_layout_xmlid": look.layout_xmlid}
            # core decided who can open the record at all
            button = look.show_record_button and group.get("has_button_access")
            group = {**group, "has_button_access": button}
        return group, msg_vals, values
