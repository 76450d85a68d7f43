from odoo import fields, models


class MailExternalSeen(models.Model):
    """Messages of a POP3 mailbox that were looked at, by their UIDL."""

    _name = "mail.external.seen"
    _description = "Looked-at POP3 Message"
    _log_access = False

    folder_id = fields.Many2one(
        "mail.external.folder", required=True, readonly=True, ondelete="cascade"
    )
    uidl = fields.Char(required=True, readonly=True)

    _once = models.UniqueIndex("(folder_id, uidl)")
