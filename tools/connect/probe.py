"""Mail that Odoo's own server sends in order to be found: does it arrive here?

What the SMTP dialog cannot tell: whether mail to an address comes into the mailbox that
its account reads. The mail carries the mark of code mails (``code_mail``), so that
nothing that reads mailboxes takes it in. What the account itself sends: ``round_trip``.
"""

import secrets
import time
from typing import NamedTuple

from ...mailkit import probe
from ...mailkit.checks import CheckResult, Step
from ...mailkit.connection.network import Deadline
from ...mailkit.connection.settings import Credentials, Server
from ...mailkit.errors import ErrorCode, MailError
from .. import code_mail

# Seconds that a mail may take from server to server, and into the mailbox; a mail of
# Odoo's own, which was handed over before, half as long.
ARRIVAL_SECONDS = 60.0
_HANDED_OVER_SECONDS = 30.0
# So long a mail that was sent before is looked for, instead of sending another one.
LOOK_AGAIN_MINUTES = 30
HEADER = "X-Odoo-Test"


class Mailbox(NamedTuple):
    """Where to look: the reading connection of an account."""

    server: Server
    credentials: Credentials
    folders: tuple[str, ...]  # paths that it reads besides the inbox


def send_from_odoo(window):
    """Have Odoo's own server mail to the window's address, unless it just has.

    Commits nothing. The secret stands in the mail's header only, so whoever has it got
    that mail: the Message-ID is told to the mailbox's server when it is searched for.

    :return: (Message-ID, secret)
    :raise MailError: NO_OWN_SERVER
    """
    hidden = window.sudo()
    known = hidden.arrival_probe or {}
    if known.get("email") == window.email and known["until"] > time.time():
        return known["message_id"], known["secret"]
    secret = secrets.token_hex(16)
    message_id = _mail_by_odoo(window, secret)
    hidden.arrival_probe = {
        "email": window.email,
        "message_id": message_id,
        "secret": secret,
        "until": int(time.time()) + 60 * LOOK_AGAIN_MINUTES,
    }
    return message_id, secret


def _mail_by_odoo(window, secret):
    env = window.env
    text = env._(
        "Somebody wants to send mail from this address with Odoo, which looks for this "
        "mail in their mailbox. If you know of it, nothing has to be done, and you can "
        "delete this mail. If not, tell your administrator."
    )
    subject = env._("Odoo looks for this mail")
    headers = {HEADER: secret}
    try:
        return code_mail.send(
            env, window.email, subject, text, LOOK_AGAIN_MINUTES, headers
        )
    except code_mail.NOT_SENT:
        raise MailError(ErrorCode.NO_OWN_SERVER) from None


def wait_for_arrival(mailbox, message_id, secret, is_cancelled):
    """Wait for what ``send_from_odoo`` sent; needs no database.

    :param is_cancelled: whether nobody waits for it any more
    :rtype: mailkit.checks.CheckResult
    """
    began = time.monotonic()
    error = None
    try:
        seconds = _HANDED_OVER_SECONDS
        found = find(mailbox, message_id, seconds, is_cancelled=is_cancelled)
        if found is None or f"{HEADER}: {secret}".encode() not in found.raw:
            error = MailError(ErrorCode.NOT_ARRIVED)
    except MailError as problem:
        error = problem
    except probe.Cancelled:
        error = MailError(ErrorCode.CANCELLED)
    seconds = time.monotonic() - began
    return CheckResult(Step.ARRIVAL, error is None, seconds, {}, error)


def find(mailbox, message_id, seconds, **options):
    """:raise MailError: nobody could look; ``mailkit.probe.find`` has the options"""
    return probe.find(
        mailbox.server,
        mailbox.credentials,
        message_id,
        Deadline(seconds),
        folders=mailbox.folders,
        **options,
    )
