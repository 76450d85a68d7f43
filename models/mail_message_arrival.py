from odoo import models

from ..tools import arrival


class MailMessage(models.Model):
    """What is stored of a mail that came out of a mailbox decides who hears of it."""

    _inherit = "mail.message"

    def _external_audience(self, msg_vals=False):
        """Who is told of this message: "all", "team" or "nobody"; None: as core says.

        :param msg_vals: values that it was just created with, or False
        """
        if not self or (msg_vals or {}).get("message_type", "email") != "email":
            return None
        # sudo: whoever notifies
        message = self.sudo()
        if message.message_type != "email":
            return None
        return arrival.audience(message.external_mark)

    def _external_arrival(self):
        """The row (sudo) of the mailbox that this mail came out of, if it did."""
        rows = self.env["mail.external.arrival"].sudo()
        if not self.env["mail.external.account"]._any_configured():
            return rows
        return rows.search([("mail_message_id", "=", self.id)], limit=1)

    def _get_forbidden_access(self, operation):
        forbidden = super()._get_forbidden_access(operation)
        if (
            self.env.user._is_internal()
            or not self.env["mail.external.account"]._any_configured()
        ):
            return forbidden
        # Core finds internal mail for nobody in the portal, but lets it be read there
        # by its id. sudo: whoever asks
        strangers = (
            (self - forbidden)
            .sudo()
            .filtered(lambda message: message.external_mark and message.is_internal)
        )
        return forbidden + self.browse(strangers.ids)
