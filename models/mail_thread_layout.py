from odoo import models


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
        account_id = self.env.context.get("external_account_id")
        # the groups were split: one has either colleagues or external contacts
        if account_id and self.env.context["external_partner_ids"].issuperset(
            recipients_group["recipients_ids"]
        ):
            return account.browse(account_id)
        return account

    def _external_layout(self, account, message, group, msg_vals, render_values):
        """Core's arguments for rendering, changed to the account's signature and look.

        A layout that a template or a document asks for stays, with its button.
        """
        msg_vals = msg_vals or {}
        look = account._look(account.id)
        values = {
            **(render_values or {}),
            **account._layout_values(render_values or {}),
        }
        explicit = (
            msg_vals["email_layout_xmlid"]
            if "email_layout_xmlid" in msg_vals
            else message.email_layout_xmlid
        )
        if not explicit:
            msg_vals = {**msg_vals, "email_layout_xmlid": look.layout_xmlid}
            # core decided who can open the record at all
            button = look.show_record_button and group.get("has_button_access")
            group = {**group, "has_button_access": button}
        return group, msg_vals, values

    def _external_senders_data(self):
        """The picker's labels are what recipients will see, for this record."""
        data = super()._external_senders_data()
        rows = [row for row in data["externalSenders"] if "{" in row["label"]]
        if rows:
            # sudo: the names on the From line, of accounts that the user may use
            accounts = self.env["mail.external.account"].sudo()
            project_id = self.sudo()._external_sender_project_id()
            project = self.env["project.project"].sudo().browse(project_id or [])
            for row in rows:
                account = accounts.browse(row["id"])
                row["label"] = account._sender_label(
                    self.env.user.name, project.name or ""
                )
        return data
