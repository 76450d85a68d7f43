from odoo import api, models

from ..tools.fresh_cache import fresh_ormcache


class MailExternalAccount(models.Model):
    """What becomes of waiting mail when its account, writer or company goes."""

    _inherit = "mail.external.account"

    @api.model
    @fresh_ormcache("account_id")
    def _is_in_use(self, account_id):
        """Whether there is this account, and neither it nor its owner is archived: no
        query when warm."""
        domain = [("id", "=", account_id), ("active", "=", True)]
        for owner in ("user_id", "company_id"):
            domain += ["|", (owner, "=", False), (f"{owner}.active", "=", True)]
        return bool(self.sudo().search_count(domain, limit=1))

    def _waiting_mails(self):
        # sudo: mail.mail is for administrators only
        domain = [("sending_account_id", "in", self.ids), ("state", "=", "outgoing")]
        return self.env["mail.mail"].sudo().search(domain)

    def _release_waiting_mails(self, code):
        """Nothing may wait for ever: fail it visibly, or let it leave otherwise.

        :param str code: why, see ``tools.explanations``
        """
        self._waiting_mails()._release(code)

    @api.model
    def _release_mails_of(self, users):
        """Who cannot sign in any more does not send either."""
        domain = [
            ("sending_account_id", "!=", False),
            ("state", "=", "outgoing"),
            "|",
            ("sending_account_id.user_id", "in", users.ids),
            ("mail_message_id.create_uid", "in", users.ids),
        ]
        # sudo: mail.mail is for administrators only
        self.env["mail.mail"].sudo().search(domain)._release("sender_not_allowed")

    @api.model
    def _other_sender(self, message):
        """Another account that may carry ``message`` when its own one cannot.

        :return: (id of the account or False, value of external_origin)
        """
        thread = message._external_sender_thread()
        if thread is None or not thread.exists():
            return False, False
        company_id = thread._external_sender_company_id()
        company = self.env["res.company"].sudo().browse(company_id)
        company = company or message.external_account_id.company_id
        if (company or self.env.company).external_orphan_policy != "next":
            return False, False
        gone = message.external_account_id.id
        options, origin = self._project_options(thread), "project"
        writer = message.external_origin != "project" and message._external_writer()
        if writer and writer.active:
            # He could give up his own address in order to speak for the project.
            options = self.with_user(writer)._sender_options(thread)
            origin = message.external_origin or "user"
        for row, _candidate in options:
            if row.id != gone:
                return row.id, origin
        return False, False
