from odoo import models


class MailNotification(models.Model):
    _inherit = "mail.notification"

    def _to_store_defaults(self, target):
        fields_to_store = super()._to_store_defaults(target)
        if self.env["mail.external.sender"]._any_configured() and target.is_internal(
            self.env
        ):
            # What the mail server said, so that the chatter can show it.
            fields_to_store.append("failure_reason")
        return fields_to_store
