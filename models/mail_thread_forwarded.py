import logging
import re
import xmlrpc.client

from odoo import api, models

from ..tools import arrival, code_mail
from .mail_external_account import FORWARD_PREFIX

_logger = logging.getLogger(__name__)

_TOKEN = re.compile(rb"\b%b([a-z2-7]{26})@" % FORWARD_PREFIX.encode(), re.IGNORECASE)
# Octets of a header in which the address may stand.
_HEADER = 64 * 1024


class MailThread(models.AbstractModel):
    """What core's gateway must not get: mail that a mailbox redirects to its own
    address there, and mail with a code that proves an address."""

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
        raw = b"" if arrival.current() else self._external_source(message)
        if raw and code_mail.carries_code(self.env, raw):
            # Also while no address is connected: it would prove the first one.
            _logger.info("Dropped: a mail with a code that proves an address")
            return False
        account = self._external_forwarded(raw)
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
    def _external_source(self, message):
        raw = message.data if isinstance(message, xmlrpc.client.Binary) else message
        if isinstance(raw, str):
            return raw.encode()
        return raw if isinstance(raw, bytes) else b""  # core says what is wrong

    @api.model
    def _external_forwarded(self, raw):
        """:return: the account whose secret address the message came to, or none"""
        accounts = self.env["mail.external.account"]
        if not raw or not accounts._any_configured():
            return accounts
        tokens = {m.group(1).decode().lower() for m in _TOKEN.finditer(raw[:_HEADER])}
        if not tokens:
            return accounts
        # sudo: the address itself is the right to be read; nobody else knows it
        return accounts.sudo().search(
            [
                ("forward_token", "in", list(tokens)),
                ("incoming_protocol", "=", "forwarded"),
                ("receive_replies", "=", True),
                ("state", "=", "working"),
            ],
            limit=1,
        )
