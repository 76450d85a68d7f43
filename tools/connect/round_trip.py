"""A mail from an address to itself: what comes back of it, and what is kept of that.

The mail carries the marks of code mails (``code_mail``), so that nothing that reads
mailboxes takes it in. It is taken out of the mailbox again, by its own UID or UIDL, if
it is exactly this one; else it is left, and that is said.
"""

import base64
import secrets
import time
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import NamedTuple

from odoo import fields

from ...mailkit import given_ids, probe
from ...mailkit.checks import CheckResult, Step
from ...mailkit.connection.network import Deadline
from ...mailkit.errors import ErrorCode, MailError, ServerReply
from ...mailkit.message.headers import message_ids
from ...mailkit.round_trip import Fate, Return, Sent, compare
from ...mailkit.smtp import SmtpSession
from .. import code_mail
from ..service_habits import PARTS
from .probe import ARRIVAL_SECONDS, HEADER, find

# Octets of the header that are kept while the window is open, for ``advice``.
_MOST_HEAD = 24 * 1024
# So long the mail counts as a test, see ``code_mail``.
_MINUTES = 30


class Letter(NamedTuple):
    """A mail that is ready to leave."""

    sent: Sent
    subject: str
    content: bytes


def letter(window, recipient, reply_to):
    """A mail from the window's address.

    :param str recipient: an address whose mail arrives in the account's mailbox
    :param str reply_to: where answers to real mails go
    :rtype: Letter
    """
    env = window.env
    values, first, last = code_mail.signed_values(env, window.email, _MINUTES)
    domain = window.email.rpartition("@")[2]
    subject = env._("Odoo tests sending from this address (%s)", secrets.token_hex(4))
    sent = Sent(
        message_id=values["message_id"],
        sender=window.email,
        name="Odoo",
        reply_to=reply_to,
        reference=message_ids(f"<{secrets.token_hex(16)}@{domain}>")[0],
        thread_index=base64.b64encode(secrets.token_bytes(22)).decode(),
        mark=last.rpartition(" ")[2],
        header=HEADER,
        secret=secrets.token_hex(16),
    )
    # RFC 6531: an address that is not of ASCII goes as it is, or not at all
    is_plain = f"{window.email}{recipient}{reply_to}".isascii()
    policy = SMTP.clone(utf8=not is_plain, cte_type="7bit")
    message = EmailMessage(policy=policy)
    message["From"] = f"{sent.name} <{window.email}>"
    message["To"] = recipient
    message["Reply-To"] = reply_to
    message["Subject"] = subject
    message["Date"] = format_datetime(fields.Datetime.now().astimezone())
    message["Message-ID"] = sent.message_id
    message["X-Odoo-Message-Id"] = sent.message_id
    message["References"] = f"{sent.reference} {sent.message_id}"
    message["Thread-Index"] = sent.thread_index
    message[HEADER] = sent.secret
    for name, value in code_mail.HEADERS.items():
        message[name] = value
    text = env._(
        "Odoo sent this mail from the address above to itself, to see what the mail "
        "service makes of it. Nothing has to be done; you can delete it."
    )
    message.set_content(f"{text}\n\n{last}\n")
    message.add_alternative(f"{first}<p>{text}</p>", subtype="html")
    return Letter(sent, subject, message.as_bytes())


def travel(smtp, credentials, recipient, post, mailbox, is_cancelled, may_be_late):
    """Send a mail through the account, look at it where it arrives, and take it away.

    Needs no database.

    :param Letter post: the mail
    :param probe.Mailbox mailbox: where it arrives
    :param is_cancelled: whether nobody waits for it any more
    :param bool may_be_late: not to be seen in time is no fault: it may still be
        refused, changed, or come
    :return: mailkit.checks.CheckResult; ``facts``: see ``_facts``, or "seen": 0
    """
    began = time.monotonic()
    error, told = None, {"seen": 0}
    try:
        answer = _send(smtp, credentials, recipient, post)
        found = find(
            mailbox,
            post.sent.message_id,
            ARRIVAL_SECONDS,
            left_here=True,
            subject=post.subject,
            whole=True,
            is_cancelled=is_cancelled,
        )
        if found:
            back = compare(post.sent, found.raw, found.whole)
            told = _facts(post.sent, found, back, answer)
            told["removed"] = int(_remove(mailbox, found, post.sent))
            _check_sender(back)
        elif not may_be_late:
            error = MailError(ErrorCode.NOT_SEEN)
    except MailError as problem:
        error = problem
    except probe.Cancelled:
        error = MailError(ErrorCode.CANCELLED)
    seconds = time.monotonic() - began
    return CheckResult(Step.ROUND_TRIP, error is None, seconds, told, error)


def _send(smtp, credentials, recipient, post):
    with SmtpSession(smtp, credentials, deadline=Deadline(smtp.timeout)) as session:
        session.open()
        session.login()
        return session.send(post.sent.sender, recipient, post.content)


def _remove(mailbox, found, sent):
    if not sent.is_ours(found.raw):
        return False
    server = mailbox.server
    until = Deadline(server.timeout)
    return probe.remove(server, mailbox.credentials, found, sent.is_ours, until)


def _check_sender(back):
    """:raise MailError: SENDER_REPLACED, with who stands there instead"""
    if back.sender is not Fate.KEPT:
        reply = ServerReply(None, "", f"From: {back.senders}")
        raise MailError(ErrorCode.SENDER_REPLACED, reply=reply)


def _facts(sent, found, back: Return, answer):
    """:return: dict: "seen", "junk", "head" (the header as it arrived), each of
    ``PARTS`` (value of ``Fate``); where an id was given instead of ours "rule" 0 or 1:
    whether the answer to a mail tells it, "word" and "domain" of
    ``given_ids.IdRule``"""
    facts = {name: getattr(back, name).value for name in PARTS}
    facts.update(seen=1, junk=int(found.is_junk))
    facts["head"] = found.raw[:_MOST_HEAD].decode("latin-1")
    if back.message_id is Fate.CHANGED:
        rule = given_ids.learn(answer, back.id)
        facts["rule"] = int(rule is not None)
        if rule:
            facts.update(word=rule.word, domain=rule.domain)
    return facts
