from odoo import api, fields, models
from odoo.exceptions import UserError

from ..mailkit.imap.grammar import readable_name, written_name
from ..tools.explanations import cause_and_remedy

# What a user decides; the rest is what visits bring.
CHOICES = frozenset({"account_id", "path", "name", "is_sent"})


class MailExternalFolder(models.Model):
    """A folder that is read, and up to where. A POP3 mailbox has one, "INBOX".

    Users choose the folders of an IMAP mailbox: they add and remove them, and say which
    hold sent mail. Everything else is written by the run that reads
    the mailbox, in superuser mode.
    """

    _name = "mail.external.folder"
    _allow_sudo_commands = False
    _description = "Mailbox Folder That Is Read"
    _order = "account_id, id"
    _rec_name = "path"
    _log_access = False

    account_id = fields.Many2one(
        "mail.external.account", required=True, ondelete="cascade", index=True
    )
    path = fields.Char(required=True)
    name = fields.Char(
        "Folder",
        compute="_compute_name",
        inverse="_inverse_name",
        help="As your mail program shows it, with the folders above: INBOX/Customers.",
    )
    is_sent = fields.Boolean("Sent Mail", help="Holds what the owner wrote.")
    # mailkit.imap.folders.FolderState or mailkit.pop3.MaildropStatus, as a dict
    state = fields.Json(readonly=True)
    last_listing = fields.Datetime(readonly=True)
    failure_code = fields.Char(readonly=True)
    failure_text = fields.Char("Problem", compute="_compute_failure_text")
    # see ``counted`` in tools/incoming/visit.py
    transfer = fields.Json(readonly=True, groups=fields.NO_ACCESS)

    _one_path = models.UniqueIndex("(account_id, path)")

    @api.depends("path")
    def _compute_name(self):
        for folder in self:
            # a path is kept as on the wire, each octet a character
            path = (folder.path or "").encode("latin-1", "replace")
            folder.name = readable_name(path)

    def _inverse_name(self):
        for folder in self:
            folder.path = written_name((folder.name or "").strip()).decode()

    @api.depends_context("lang")
    @api.depends("failure_code")
    def _compute_failure_text(self):
        for folder in self:
            folder.failure_text = folder.failure_code and " ".join(
                cause_and_remedy(self.env, folder.failure_code)
            )

    # Choosing

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            name = vals.pop("name", None)
            if name is not None:
                vals["path"] = written_name(name.strip()).decode()
            if not self.env.su:
                self._check_choice(vals)
        folders = super().create(vals_list)
        if not self.env.su:
            # A new folder starts from now: let that be soon.
            folders.account_id.sudo()._look_soon(0)
            folders.account_id.sudo()._tell_of_folders()
        return folders

    def unlink(self):
        # sudo: who may take a folder out need not see more of the account
        accounts = self.account_id.sudo()
        result = super().unlink()
        if not self.env.su:
            accounts._tell_of_folders()
        return result

    def write(self, vals):
        if not self.env.su and vals.keys() - {"is_sent"}:
            raise UserError(
                self.env._(
                    "A folder that is read cannot be changed into another one. "
                    "Remove it and add the other."
                )
            )
        return super().write(vals)

    def _check_choice(self, vals):
        """:raise UserError: not a folder, or of a mailbox that has none to choose"""
        account = self.env["mail.external.account"].browse(vals.get("account_id"))
        path = vals.get("path") or ""
        if vals.keys() - CHOICES or account.incoming_protocol != "imap":
            raise UserError(
                self.env._("Folders can be chosen for mailboxes read by IMAP only.")
            )
        if not path or any(ord(char) < 32 or ord(char) > 126 for char in path):
            raise UserError(self.env._("Enter the name of a folder of the mailbox."))
        if not account._may_connect():
            raise UserError(
                self.env._(
                    "Only the owner or a manager may change which folders of %s are "
                    "read.",
                    account.display_name,
                )
            )

    @api.model
    def _choose(self, account, folders):
        """Read these folders of an account and no others; how far the others are read
        is kept.

        :param dict folders: name on the wire, as ``mailkit.imap.folders.Folder.path``
            -> whether sent mail is in it; None: as it was
        :raise UserError: no folder, or a name that no folder can have
        """
        if not folders:
            raise UserError(self.env._("Folders: choose at least one to be read."))
        for path in folders:
            if not path or any(c in "\0\r\n" or ord(c) > 255 for c in path):
                raise UserError(self.env._("Folders: %s is not a folder.", repr(path)))
        known = account.folder_ids
        known.filtered(lambda folder: folder.path not in folders).unlink()
        known = {folder.path: folder for folder in account.folder_ids}
        for path, is_sent in folders.items():
            if path not in known:
                values = {"account_id": account.id, "path": path}
                self.create({**values, "is_sent": bool(is_sent)})
            elif is_sent is not None and known[path].is_sent != is_sent:
                known[path].is_sent = is_sent
