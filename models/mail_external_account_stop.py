from odoo import fields, models

from ..tools.as_odoo import as_odoo


class MailExternalAccount(models.Model):
    """What stops an account, and who is told."""

    _inherit = "mail.external.account"

    def _stop(self, code, reply):
        """A refused sign-in: stop at once (no lock-out), and tell the owner."""
        self.ensure_one()
        if self.state != "working":
            return
        self.sudo().write(
            {
                "state": "refused",
                "failure_code": code,
                "failure_reply": reply,
                "last_check": fields.Datetime.now(),
            }
        )
        self._tell_owner(
            self.env._("%s: the mail server refused the sign-in", self.email),
            self.env._(
                "Mail from %(email)s waits until the sign-in works again. %(text)s",
                email=self.email,
                text=self.failure_text or "",
            ),
        )

    def _tell_owner(self, subject, body):
        """Notify whose account it is; of a company's the managers."""
        self._tell(self.user_id or self._managers(), subject, body)

    def _tell(self, users, subject, body):
        """Notify users; of one account with a link to it."""
        partners = users.partner_id
        if not partners:
            return
        # Now: what a scheduled action notifies waits for the hourly queue otherwise.
        # As Odoo: nothing of the context of who has caused it gets into the mail.
        thread = as_odoo(self.env["mail.thread"])
        thread.with_context(mail_notify_force_send=True).message_notify(
            partner_ids=partners.ids,
            model=self._name if len(self) == 1 else False,
            res_id=self.id if len(self) == 1 else False,
            subject=subject,
            body=body,
        )

    def _managers(self):
        group = self.env.ref("mail_external_account.group_manager")
        owner, company = self.user_id, self.company_id
        return group.sudo().all_user_ids.filtered(
            lambda user: (
                not user.share and self.with_user(user)._manages_owner(owner, company)
            )
        )
