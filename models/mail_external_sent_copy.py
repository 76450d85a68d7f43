import base64

from odoo import api, fields, models


class MailExternalSentCopy(models.Model):
    """A sent mail that is to be put into the Sent folder of its mailbox."""

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

    @api.model
    def _keep(self, account, message_id_header, content):
        """Remember what an account has sent, where it wants copies; one copy a mail.

        :param bytes content: the message as sent
        """
        if not (
            account.keep_sent_copy
            and account.receives
            and account.incoming_protocol == "imap"
        ):
            return
        domain = [
            ("account_id", "=", account.id),
            ("message_id_header", "=", message_id_header),
        ]
        if not self.search_count(domain, limit=1):
            self.create(
                {
                    "account_id": account.id,
                    "message_id_header": message_id_header,
                    "sent": fields.Datetime.now(),
                    "content": base64.b64encode(content),
                }
            )
