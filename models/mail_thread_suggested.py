from odoo import models


class MailThread(models.AbstractModel):
    """Whom the chatter suggests as recipients: no address of our own."""

    _inherit = "mail.thread"

    def _message_get_suggested_recipients_batch(self, *args, **kwargs):
        # Every answer was addressed to the mailbox that it came out of.
        if not self.env["mail.external.account"]._any_configured():
            return super()._message_get_suggested_recipients_batch(*args, **kwargs)
        thread = self.with_context(external_suggested_recipients=True)
        return super(MailThread, thread)._message_get_suggested_recipients_batch(
            *args, **kwargs
        )
