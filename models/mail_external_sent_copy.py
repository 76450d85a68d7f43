from odoo import fields, models


class MailExternalSentCopy(models.Model):
    """A sent mail that is to be put into the Sent folder of its mailbox.

    Sending makes it (``tools/outgoing/account.py``), reading puts it there.
    """

    _name = "mail.external.sent.copy"
    _description = "Copy for the Sent Folder"
    _order = "id"
    _log_access = False

    account_id = fields.Many2one(
        "mail.external.account",
        required=True,
        readonly=True,
        ondelete="cascade",
        index=True,
    )
    message_id_header = fields.Char(required=True, readonly=True)
    sent = fields.Datetime(required=True, readonly=True)
    attempts = fields.Integer(readonly=True)
    content = fields.Binary(attachment=True, readonly=True, groups=fields.NO_ACCESS)

    _once = models.UniqueIndex("(account_id, message_id_header)")
