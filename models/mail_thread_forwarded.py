import re
import xmlrpc.client

from odoo import api, models

from ..tools import arrival
from .mail_external_account import FORWARD_PREFIX

_TOKEN = re.compile(rb"\b%b([a-z2-7]{26})@" % FORWARD_PREFIX.encode(), re.IGNORECASE)
# Octets of a header in which the address may stand.
_HEADER = 64 * 1024


class MailThread(models.AbstractModel):
    """Mail that a mailbox redirects to its own address at Odoo's gateway."""

    _inherit = "mail.thread"

    @api.model
    def message_process(
        self,
        model,
        message,
        custom_values=None,
        save_original=False,
        strip_attachments=False,
        thread_id=None,
    ):
        account, raw = self._external_forwarded(message)
        if account:
            # Before core's routing: it would make a task of it, or bounce it.
            return account._take_in_forwarded(raw)
        # Core lets go of the source once it is parsed, which needs several times its
        # size: nothing here may hold it meanwhile.
        source = [message]
        del message, raw
        return super().message_process(
            model,
            source.pop(),
            custom_values=custom_values,
            save_original=save_original,
            strip_attachments=strip_attachments,
            thread_id=thread_id,
        )

    @api.model
    def _external_forwarded(self, message):
        """:return: (account whose secret address the message came to or None, bytes)"""
        accounts = self.env["mail.external.account"]
        if arrival.current() is not None or not accounts._any_configured():
            return None, b""
        raw = message.data if isinstance(message, xmlrpc.client.Binary) else message
        raw = raw.encode() if isinstance(raw, str) else bytes(raw)
        tokens = {m.group(1).decode().lower() for m in _TOKEN.finditer(raw[:_HEADER])}
        if not tokens:
            return None, raw
        # sudo: the address itself is the right to be read; nobody else knows it
        account = accounts.sudo().search(
            [
                ("forward_token", "in", list(tokens)),
                ("incoming_protocol", "=", "forwarded"),
                ("receive_replies", "=", True),
                ("state", "=", "working"),
            ],
            limit=1,
        )
        return account, raw
