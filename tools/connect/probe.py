"""Mail that is sent in order to be found: does it arrive here, and under which name?

What the SMTP dialog cannot tell: whether mail to an address comes into the mailbox that
its account reads, and whether the server leaves From as it is, or refuses it only after
the whole message. The mails carry the mark of code mails (``code_mail``), so that
nothing that reads mailboxes takes them in.
"""

import secrets
import time
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from typing import NamedTuple

from odoo import fields

from ...mailkit import probe
from ...mailkit.checks import CheckResult, Step
from ...mailkit.connection.network import Deadline
from ...mailkit.connection.settings import Credentials, Server
from ...mailkit.errors import ErrorCode, MailError, ServerReply
from ...mailkit.message.address import Address
from ...mailkit.smtp import SmtpSession
from .. import code_mail

# Seconds that a mail may take from server to server, and into the mailbox.
ARRIVAL_SECONDS = 30.0
# So long a mail that was sent before is looked for, instead of sending another one.
LOOK_AGAIN_MINUTES = 30
_HEADER = "X-Odoo-Test"


class Mailbox(NamedTuple):
    """Where to look: the reading connection of an account."""

    server: Server
    credentials: Credentials
    folders: tuple[str, ...]  # paths that it reads besides the inbox


# Arrival


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
    headers = {_HEADER: secret}
    try:
        return code_mail.send(
            env, window.email, subject, text, LOOK_AGAIN_MINUTES, headers
        )
    except code_mail.NOT_SENT:
        raise MailError(ErrorCode.NO_OWN_SERVER) from None


def wait_for_arrival(mailbox, message_id, secret):
    """Wait for what ``send_from_odoo`` sent; needs no database.

    :rtype: mailkit.checks.CheckResult
    """
    began = time.monotonic()
    error = None
    try:
        found = _find(mailbox, message_id)
        if found is None or f"{_HEADER}: {secret}".encode() not in found.raw:
            error = MailError(ErrorCode.NOT_ARRIVED)
    except MailError as problem:
        error = problem
    seconds = time.monotonic() - began
    return CheckResult(Step.ARRIVAL, error is None, seconds, {}, error)


# Round trip


def round_trip_mail(window, recipient):
    """A mail from the window's address, and its Message-ID.

    :param str recipient: an address whose mail arrives in the account's mailbox
    :return: (octets, Message-ID)
    """
    env = window.env
    values, first, last = code_mail.signed_values(env, window.email, 30)
    message = EmailMessage(policy=SMTP)
    message["From"] = formataddr(("Odoo", window.email))
    message["To"] = recipient
    message["Subject"] = env._("Odoo tests sending from this address")
    message["Date"] = format_datetime(fields.Datetime.now().astimezone())
    message["Message-ID"] = values["message_id"]
    for name, value in code_mail.HEADERS.items():
        message[name] = value
    text = env._(
        "Odoo sent this mail from the address above, to see whether the mail server "
        "leaves the sender as it is. Nothing has to be done; you can delete it."
    )
    message.set_content(f"{text}\n\n{last}\n")
    return message.as_bytes(policy=SMTP.clone(cte_type="7bit")), values["message_id"]


def round_trip(smtp, credentials, envelope, content, mailbox, message_id):
    """Send a mail through the account and look at it where it arrives.

    What does not come back in time is no fault: it may still be refused or changed.

    :param envelope: (sender, recipient)
    :return: mailkit.checks.CheckResult; ``facts["seen"]``: 1 when it came back
    """
    began = time.monotonic()
    error, seen = None, 0
    try:
        with SmtpSession(smtp, credentials, deadline=Deadline(smtp.timeout)) as session:
            session.open()
            session.login()
            session.send(*envelope, content)
        found = _find(mailbox, message_id, left_here=True)
        if found:
            seen = 1
            _check_sender(found, envelope[0])
    except MailError as problem:
        error = problem
    seconds = time.monotonic() - began
    facts = {"seen": seen}
    return CheckResult(Step.ROUND_TRIP, error is None, seconds, facts, error)


def _check_sender(found, email):
    """:raise MailError: SENDER_REPLACED, with who stands there instead"""
    authors = found.headers.from_
    if [author.key for author in authors] != [Address(email).key]:
        shown = ", ".join(author.email or author.display for author in authors)
        reply = ServerReply(None, "", f"From: {shown}"[:500])
        raise MailError(ErrorCode.SENDER_REPLACED, reply=reply)


def _find(mailbox, message_id, **options):
    return probe.find(
        mailbox.server,
        mailbox.credentials,
        message_id,
        Deadline(ARRIVAL_SECONDS),
        folders=mailbox.folders,
        **options,
    )
