import base64
import secrets

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

from ..mailkit.imap_folders import sent_folder
from ..tools.connection import READ_PROTOCOLS

MAX_LOOK_BACK_DAYS = 90


def _new_token():
    """26 letters of base32, 130 bits: what ``mail_thread_forwarded`` looks for."""
    return base64.b32encode(secrets.token_bytes(20)).decode().lower()[:26]


class MailExternalAccountConnect(models.TransientModel):
    """Receiving replies: how they come in, from which folders, and since when."""

    _inherit = "mail.external.account.connect"

    folder_ids = fields.One2many(
        "mail.external.account.connect.folder", "wizard_id", "Folders"
    )
    look_back_days = fields.Integer(
        "Look Back (Days)", help="0: from now on. Earlier answers are left out."
    )
    keep_sent_copy = fields.Boolean("Copies in the Sent Folder", default=True)
    new_mail = fields.Selection(
        [("ignore", "Leave it alone"), ("task", "Make a task")],
        "Mail That Answers Nothing",
        default="ignore",
        required=True,
    )
    new_mail_project_id = fields.Many2one(
        "project.project", "Tasks In", ondelete="set null"
    )
    starts_reading = fields.Boolean(compute="_compute_starts_reading")
    forward_token = fields.Char(groups=fields.NO_ACCESS)
    forward_address = fields.Char(compute="_compute_forwarding")
    forward_problem = fields.Char(compute="_compute_forwarding")
    forward_confirmation = fields.Text(compute="_compute_forwarding")

    def _values_of(self, account):
        values = super()._values_of(account)
        for name in ("look_back_days", "new_mail", "keep_sent_copy"):
            values[name] = account[name]
        if not account.receive_replies:
            values["keep_sent_copy"] = not account.provider_id.saves_sent
        project = account.new_mail_project_id
        values["new_mail_project_id"] = project.has_access("read") and project.id
        return values

    @api.model_create_multi
    def create(self, vals_list):
        windows = super().create(vals_list)
        windows._make_forward_tokens()
        return windows

    def write(self, vals):
        result = super().write(vals)
        self._make_forward_tokens()
        return result

    # Filling in

    @api.onchange("receive_replies")
    def _onchange_receive_replies(self):
        if not self.receive_replies:
            self.incoming_protocol = "none"
        elif self.incoming_protocol == "none":
            pop3_only = self.provider_id.pop3_host and not self.provider_id.imap_host
            self.incoming_protocol = "pop3" if pop3_only else "imap"
            self._onchange_incoming_protocol()

    @api.onchange("provider_id")
    def _onchange_provider_receives(self):
        provider = self.provider_id
        if provider:
            self.keep_sent_copy = not provider.saves_sent
        modes = [m for m in READ_PROTOCOLS if provider[f"{m}_host"]]
        if not modes:
            return
        if self.incoming_protocol not in (*modes, "forwarded"):
            self.incoming_protocol = modes[0]
        self.receive_replies = True
        self._onchange_incoming_protocol()

    # Forwarding

    def _make_forward_tokens(self):
        """The secret of an account stays, unless another person gets the address."""
        for window in self.filtered(lambda w: w.incoming_protocol == "forwarded"):
            hidden = window.sudo()
            known = window._known_token()
            token = known or hidden.forward_token
            if not token or (not known and token == hidden.account_id.forward_token):
                token = _new_token()
            if token != hidden.forward_token:
                hidden.forward_token = token

    def _known_token(self):
        account = self.account_id.sudo()
        same_owner = account.user_id == self._owner()
        return account.forward_token if same_owner and self._may_see() else False

    def _may_see(self):
        """Whether the window's account, if any, is one that this user may connect."""
        # The saved account: an onchange may say anything about a new one.
        account = self.account_id._origin
        return not account or (account.has_access("read") and account._may_connect())

    @api.depends(
        "incoming_protocol", "account_id", "user_id", "company_id", "forward_token"
    )
    @api.depends_context("uid")
    def _compute_forwarding(self):
        account_model = self.env["mail.external.account"]
        for window in self:
            hidden = window.sudo()
            company = window.company_id or window.user_id.company_id
            domain = account_model._forward_domain(company)
            forwarded = window.incoming_protocol == "forwarded" and window._may_see()
            window.forward_problem = forwarded and not domain and self._no_domain()
            window.forward_address = (
                forwarded
                and hidden.forward_token
                and account_model._forward_address_for(company, hidden.forward_token)
            )
            window.forward_confirmation = (
                forwarded and hidden.account_id.forward_confirmation
            )

    def _no_domain(self):
        return self.env._(
            "Odoo has no address that mail could be redirected to, because it has no "
            "alias domain. Ask your administrator to set one in Settings / General "
            "Settings / Alias Domain, or choose IMAP or POP3."
        )

    # Folders

    @api.depends("account_id", "incoming_protocol", "incoming_host", "incoming_login")
    def _compute_starts_reading(self):
        for window in self:
            window.starts_reading = window._starts_reading()

    def _starts_reading(self):
        """Whether this is not the mailbox that the account reads already."""
        # sudo: whether it is read, of an account that this user may connect
        account = self._may_see() and self.account_id._origin.sudo()
        return not account or (
            not account.mailbox_ids
            or account._reading_place()
            != (self.incoming_protocol, self.incoming_host, self.incoming_login)
        )

    def _keep_folders(self, folders):
        """Offer the folders that the mailbox has; what was chosen stays chosen.

        :param folders: mailkit.imap_folders.Folder of each
        """
        self.ensure_one()
        # sudo: only what the server listed can be chosen
        known = {folder.path: folder for folder in self.sudo().folder_ids}
        sent = sent_folder(folders)
        read = self._default_paths(sent)
        for folder in known.values():
            if folder.path not in {each.path for each in folders}:
                folder.unlink()
        self.env["mail.external.account.connect.folder"].sudo().create(
            [
                {
                    "wizard_id": self.id,
                    "path": folder.path,
                    "name": folder.name,
                    "is_sent": folder == sent,
                    "is_read": folder.path in read,
                }
                for folder in folders
                if folder.path not in known
            ]
        )

    def _default_paths(self, sent):
        if not self._starts_reading():
            return set(self.account_id.sudo().folder_ids.mapped("path"))
        return {"INBOX", sent.path} if sent else {"INBOX"}

    def _chosen_folders(self):
        """:return: list of (path, whether sent mail is in it)"""
        if self.incoming_protocol != "imap" or not self.folder_ids:
            return [("INBOX", False)]
        chosen = self.folder_ids.filtered("is_read")
        return [(folder.path, folder.is_sent) for folder in chosen]

    # Saving

    def _check_reading(self):
        """:raise UserError: receiving replies cannot work so"""
        if not self.receive_replies:
            return
        if self.incoming_protocol == "none":
            raise UserError(
                self.env._(
                    "Receive Replies: choose how they come in: IMAP, POP3 or forwarded "
                    "to Odoo. Or switch it off; then replies go to Odoo's own address."
                )
            )
        if self.forward_problem:
            raise UserError(self.forward_problem)
        if not self._chosen_folders():
            raise UserError(
                self.env._("Folders: choose at least one, usually the inbox.")
            )
        if not 0 <= self.look_back_days <= MAX_LOOK_BACK_DAYS:
            raise UserError(
                self.env._(
                    "Look Back: enter a number of days from 0 (from now on) to %s.",
                    MAX_LOOK_BACK_DAYS,
                )
            )
        self._check_new_mail()

    def _check_new_mail(self):
        if not self.is_company or self.new_mail != "task":
            return
        if not self.new_mail_project_id:
            raise UserError(
                self.env._("Tasks In: choose the project that new mail goes to.")
            )
        if self.new_mail_project_id != self.account_id.sudo().new_mail_project_id:
            self.new_mail_project_id.check_access("read")

    def _reading_values(self):
        """What the account keeps of all this."""
        makes_task = self.is_company and self.new_mail == "task"
        values = {
            "receive_replies": self.receive_replies,
            "look_back_days": self.look_back_days,
            "keep_sent_copy": self.keep_sent_copy and self.incoming_protocol == "imap",
            "new_mail": "task" if makes_task else "ignore",
            "new_mail_project_id": makes_task and self.new_mail_project_id.id,
        }
        if self.incoming_protocol == "forwarded":
            values["forward_token"] = self.sudo().forward_token
            if values["forward_token"] != self.account_id.sudo().forward_token:
                values["forward_notice"] = False
        return values


class MailExternalAccountConnectFolder(models.TransientModel):
    """A folder of the mailbox to connect, as its server listed it."""

    _name = "mail.external.account.connect.folder"
    _description = "Folder of the Mailbox to Connect"
    _order = "id"

    wizard_id = fields.Many2one(
        "mail.external.account.connect", required=True, ondelete="cascade", index=True
    )
    path = fields.Char(required=True, readonly=True)
    name = fields.Char("Folder", readonly=True)
    is_sent = fields.Boolean("Sent Mail", readonly=True)
    is_read = fields.Boolean("Read")

    def write(self, vals):
        if not self.env.su and set(vals) - {"is_read"}:
            raise AccessError(
                self.env._("Folders are as the mail server lists them: choose only.")
            )
        return super().write(vals)
