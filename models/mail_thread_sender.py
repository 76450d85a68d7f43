from odoo import models
from odoo.tools.mail import email_split

from ..mailkit.authentication import dmarc_passed
from ..mailkit.sender import Reason
from ..tools import arrival, origin

_IN_HIS_NAME = ("comment", "notification", "user_notification")


class MailThread(models.AbstractModel):
    """Who wrote a message, and so which account it leaves through."""

    _inherit = "mail.thread"

    def _external_sender_project_id(self):
        """Id of the project that decides which accounts fit this record, or False."""
        return False

    def _external_sender_company_id(self):
        """Id of the record's company, or False when it belongs to none."""
        self.ensure_one()
        return self.sudo()._mail_get_companies()[self.id].id

    def _with_external_sender(self, vals):
        """Complete message values with the default account, where none was chosen.

        An explicit choice, Odoo's own server (False) included, is kept.
        """
        if "external_account_id" in vals:
            return vals
        account_id, written_by = self._external_sender(vals)
        # Both said explicitly: they need no query when they are read back.
        return {
            **vals,
            "external_account_id": account_id or False,
            "external_origin": written_by if account_id else False,
        }

    def _external_sender(self, vals):
        """The account for message values, by ``message_type`` and author.

        :return: (id of the account or False, value of mail.message.external_origin)
        """
        if not self._may_have_external_sender(vals):
            return False, False
        account = self.env["mail.external.account"]
        thread = self.env[vals["model"]].sudo().browse(vals["res_id"])
        by_itself = origin.is_automatic() or account._is_odoo_bot()
        is_customer = self.env.user.share
        if not (by_itself or is_customer or account._usable_rows(self.env.uid)):
            return False, False
        if self._is_hidden_from_customers(vals):
            return False, False
        if account._is_odoo_bot() and vals.get("message_type") == "email":
            return self._external_sender_of_mail(vals, thread)
        if by_itself:
            return account._project_sender(thread, only_default=True), "project"
        if is_customer:  # his own words, relayed to the other customers
            return account._project_sender(thread, only_default=False), "project"
        if vals.get("message_type") == "auto_comment":
            return self._external_sender_of_automation(thread), "user"
        if not self._is_written_by_user(vals):
            return False, False
        # What was picked before the full composer was opened comes by the context.
        picked = self.env.context.get("external_sender_id")
        choice = account._sender_choice(thread, picked)
        if picked and choice.reason is not Reason.PICKED:
            return picked, "user"  # refused, with the remedy, when it is created
        return choice.candidate and choice.candidate.account_id, "user"

    def _external_sender_of_automation(self, thread):
        """Written by no person, in a way that we know nothing of: anybody could say
        so in a remote call, so the user has to be one who may use the account."""
        account = self.env["mail.external.account"]
        account_id = account._project_sender(thread, only_default=True)
        rows = account._usable_rows(self.env.uid)
        return account_id if any(row.id == account_id for row in rows) else False

    def _external_sender_of_mail(self, vals, thread):
        """A mail that came in by the gateway: relayed as what its author may do."""
        account = self.env["mail.external.account"]
        arrived = arrival.current()
        if arrived is not None and arrived.mark:
            return False, False  # only the team is told, or nobody
        # sudo: whether an internal user writes decides, whoever may read his data
        author = self.env["res.partner"].sudo().browse(vals.get("author_id") or [])
        if author.partner_share or not author:
            return account._project_sender(thread, only_default=False), "project"
        # In an employee's name only when it is proven that he wrote it.
        writer = self.env["res.users"].browse(origin.proven_writer_id() or [])
        if writer.sudo().partner_id != author:
            return False, False
        chosen = account.with_user(writer)._sender_choice(thread).candidate
        return chosen and chosen.account_id, "mail"

    def _may_have_external_sender(self, vals):
        """Messages on records go to customers; those of templates with a mail server
        of their own keep it."""
        return bool(
            vals.get("model", "discuss.channel") != "discuss.channel"
            and vals.get("res_id")
            and not vals.get("mail_server_id")
            and hasattr(self.env[vals["model"]], "_external_sender_project_id")
        )

    def _is_hidden_from_customers(self, vals):
        """Whether only colleagues get it: a note, which mentions nobody else."""
        subtype_id = vals.get("subtype_id")
        is_internal = (
            vals.get("is_internal")
            or not subtype_id
            or self.env["mail.message.subtype"]._is_internal_id(subtype_id)
        )
        return bool(is_internal and not self._is_addressed_to_customers(vals))

    def _is_addressed_to_customers(self, vals):
        if vals.get("outgoing_email_to"):
            return True
        # sudo: whether they are colleagues decides, whoever may read their data
        partners = self.env["res.partner"].sudo().browse(vals.get("partner_ids") or ())
        return any(partners.mapped("partner_share"))

    def _is_written_by_user(self, vals):
        """A message of his own, or what Odoo posts in his name: an invitation, say."""
        return (
            vals.get("message_type") in _IN_HIS_NAME
            and vals.get("author_id") == self.env.user.partner_id.id
        )

    def _external_proven_writer(self, message, message_dict):
        """Id of the employee who wrote a mail of the gateway for sure, or 0.

        Sure it is when our own receiving server says that DMARC passed. A remote
        caller of ``message_process`` can write any header, so he has to be an
        administrator; and so can whoever runs the server of a connected mailbox.
        """
        if arrival.current() is not None:
            return 0
        account = self.env["mail.external.account"]
        if not account._any_configured() or origin.proven_writer_id():
            return origin.proven_writer_id()
        server = (
            self.env["ir.config_parameter"]
            .sudo()
            .get_param("mail_external_account.trusted_authserv")
        )
        trusted = self.env.su or self.env.user.has_group("base.group_system")
        senders = email_split(message_dict.get("email_from") or "")
        if not (server and trusted) or len(senders) != 1:
            return 0
        if len(message.get_all("From", [])) != 1:
            return 0
        domain = senders[0].rpartition("@")[2]
        results = [
            str(value) for value in message.get_all("Authentication-Results", [])
        ]
        if not dmarc_passed(results, server.strip(), domain):
            return 0
        author = self.env["res.partner"].sudo().browse(message_dict.get("author_id"))
        return author.user_ids.filtered(lambda user: not user.share)[:1].id or 0
