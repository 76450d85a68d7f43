"""The secret address of Odoo's gateway that a mailbox redirects its mail to."""

import re
import xmlrpc.client

# Local part of the address, before its token.
FORWARD_PREFIX = "reply-"
_TOKEN = re.compile(rb"\b%b([a-z2-7]{26})@" % FORWARD_PREFIX.encode(), re.IGNORECASE)
# Octets of a header in which the address may stand.
_HEADER = 64 * 1024


def octets(message):
    """What ``message_process`` was given, or nothing where core says what is wrong.

    :param message: bytes, text or ``xmlrpc.client.Binary``
    """
    raw = message.data if isinstance(message, xmlrpc.client.Binary) else message
    if isinstance(raw, str):
        return raw.encode()
    return raw if isinstance(raw, bytes) else b""


def account_of(env, raw):
    """The account (sudo) whose secret address a message came to, or none.

    :param bytes raw: the message
    """
    accounts = env["mail.external.account"]
    if not raw or not env["mail.external.sender"]._any_configured():
        return accounts
    tokens = {m.group(1).decode().lower() for m in _TOKEN.finditer(raw[:_HEADER])}
    if not tokens:
        return accounts
    # sudo: the address itself is the right to be read; nobody else knows it
    hidden = accounts.sudo().with_context(active_test=False)
    found = hidden.search(
        # also of those that are refused, removed or read in another way by now: core
        # would make tasks of what goes on being redirected, or bounce it
        [("forward_token", "in", list(tokens)), ("state", "!=", "draft")],
        order="active desc, id",
        limit=1,
    )
    return accounts.sudo().browse(found.ids)
