from odoo import SUPERUSER_ID, api, models
from odoo.exceptions import UserError

from ..mailkit.sender import Reason, reason_of
from ..tools import origin


class MailExternalAccount(models.Model):
    """Whether a choice is allowed, at posting and at delivery, and how it is told."""

    _inherit = "mail.external.account"

    @api.model
    def _check_message(self, message):
        """Refuse a sender that the writer of ``message`` may not use on its record.

        ``env.user`` is the real user also where the caller is in sudo mode.

        :param message: a mail.message with an account, as it was created
        :raise UserError: when he may not; the text names the remedy
        """
        if not self._is_allowed(message):
            self._refuse_sender()

    @api.model
    def _refuse_sender(self):
        """:raise UserError: always"""
        raise UserError(
            self.env._(
                "You cannot send from this external address here: it is not yours, "
                "not shared with you, not working, or bound to other projects. "
                "Choose another sender in “From”."
            )
        )

    @api.model
    def _is_allowed(self, message):
        thread = message._external_sender_thread()
        if thread is None:
            return False
        account_id = message.external_account_id.id
        if message.external_origin == "project":
            # Nobody can pick this for himself: Odoo speaks, or a customer.
            return (
                origin.is_automatic() or self.env.user.share or self._is_odoo_bot()
            ) and self._belongs_to_project(account_id, thread)
        user_id = self.env.uid
        if message.external_origin == "mail":
            user_id = message._external_writer().id
            if not user_id or user_id != origin.proven_writer_id():
                return False
        return account_id in self.with_user(user_id)._usable_ids(thread) or (
            origin.is_scheduled() and self._may_wait_for(account_id, thread)
        )

    @api.model
    def _may_wait_for(self, account_id, thread):
        """Whether a refused sign-in alone keeps the user from this account on a record.

        What is posted waits then, as what was posted before the refusal does.
        """
        account = self.sudo().browse(account_id).exists()
        return bool(
            account.state == "refused"
            and account._may_send(self.env.user)
            and self._fitting(self._rows([("id", "=", account.id)]), thread)
        )

    @api.model
    def _is_odoo_bot(self):
        """Nobody can sign in as this user: what it does, Odoo itself does."""
        return self.env.uid == SUPERUSER_ID

    @api.model
    def _belongs_to_project(self, account_id, thread):
        project_id = thread._external_sender_project_id()
        rows = self._project_rows(project_id) if project_id else ()
        return any(row.id == account_id for row in rows)

    def _may_deliver(self, message):
        """Whether ``message`` may still leave through this account."""
        self.ensure_one()
        if message.external_account_id != self:
            return False
        if message.external_origin == "project":
            thread = message._external_sender_thread()
            return thread is not None and self._belongs_to_project(self.id, thread)
        return self._may_send(message._external_writer())

    @api.model
    def _reason_text(self, candidate, thread):
        """Why an account is the default on ``thread``, for the composer."""
        kind = self.env._("personal") if candidate.personal else self.env._("company")
        reason = reason_of(candidate, self._thread_policy(thread))
        name = ""
        if reason in (Reason.PROJECT_DEFAULT, Reason.PROJECT):
            project = self.env["project.project"].browse(
                thread._external_sender_project_id()
            )
            # sudo: who may write here may know the name of the project
            name = project.sudo().display_name
        match reason:
            case Reason.ADDRESSED:
                return self.env._("the customer wrote to this %s address", kind)
            case Reason.PROJECT_DEFAULT:
                return self.env._(
                    "%(kind)s default for “%(name)s”", kind=kind, name=name
                )
            case Reason.PROJECT:
                return self.env._(
                    "%(kind)s address of “%(name)s”", kind=kind, name=name
                )
            case Reason.GENERAL_DEFAULT:
                return self.env._("%(kind)s default address", kind=kind)
        return self.env._("%(kind)s address", kind=kind)
