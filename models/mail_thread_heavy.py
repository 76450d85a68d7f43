from odoo import api, models

from ..tools import arrival
from ..tools.shown_texts import ShownTexts


class MailThread(models.AbstractModel):
    """What is too heavy for core in a message from a mailbox: large parts are stored
    directly, and of texts that would take it minutes only the beginning is shown."""

    _inherit = "mail.thread"

    @api.model
    def _message_parse_extract_payload(
        self, message, message_dict, save_original=False
    ):
        arrived = arrival.current()
        if arrived is None:
            return super()._message_parse_extract_payload(
                message, message_dict, save_original=save_original
            )
        texts = ShownTexts(message, arrived.heavy)
        payload = super()._message_parse_extract_payload(
            message, message_dict, save_original=save_original
        )
        attachments = texts.attachments(payload["attachments"], self._Attachment)
        return {**payload, "attachments": attachments}

    def _create_attachments_for_post(self, values_list, extra_list):
        arrived = arrival.current()
        if arrived is None or not arrived.heavy:
            return super()._create_attachments_for_post(values_list, extra_list)
        attachments = self.env["ir.attachment"]
        for values, extra in zip(values_list, extra_list, strict=True):
            # One at a time is in memory.
            attachments |= super()._create_attachments_for_post(
                [arrived.heavy.restored(values)], [extra]
            )
        return attachments
