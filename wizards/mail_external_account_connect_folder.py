from odoo import api, fields, models
from odoo.exceptions import AccessError

from ..mailkit.imap.folders import sent_folder


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

    @api.model
    def _offer(self, window, folders):
        """Offer the folders that the mailbox has; what was chosen stays chosen.

        :param window: one mail.external.account.connect
        :param folders: mailkit.imap.folders.Folder of each
        """
        # sudo: only what the server listed can be chosen
        known = {folder.path: folder for folder in window.sudo().folder_ids}
        sent = sent_folder(folders)
        read = self._read_at_first(window, sent)
        for folder in known.values():
            if folder.path not in {each.path for each in folders}:
                folder.unlink()
        self.sudo().create(
            [
                {
                    "wizard_id": window.id,
                    "path": folder.path,
                    "name": folder.name,
                    "is_sent": folder == sent,
                    "is_read": folder.path in read,
                }
                for folder in folders
                if folder.path not in known
            ]
        )

    @api.model
    def _read_at_first(self, window, sent):
        """:return: set of paths: what the account reads, else the usual ones"""
        if not window._starts_reading():
            return set(window.account_id.sudo().folder_ids.mapped("path"))
        return {"INBOX", sent.path} if sent else {"INBOX"}
