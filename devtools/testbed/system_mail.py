"""What mail systems write about a message: delivery reports, receipts, absence notes.

The structure follows RFC 3464, 8098 and 3834, and for the rest what the programs are
known to write; the sentences around it are our own, except those by which a program
is recognised.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from mailkit.message.headers import Headers, parse_headers

_DATE = "Mon, 10 Mar 2025 11:00:00 +0000"


@dataclass(frozen=True)
class About:
    """The reported message: its raw text, and the recipient in question."""

    original: bytes
    recipient: str

    @property
    def headers(self) -> Headers:
        return parse_headers(self.original)

    @property
    def head(self) -> str:
        return self.original.partition(b"\r\n\r\n")[0].decode("utf-8", "replace")

    @property
    def text(self) -> str:
        return self.original.decode("utf-8", "replace")


def delivery_report(system: str, original: bytes, recipient: str) -> bytes:
    """A report of `DELIVERY_REPORTS[system]` that `original` missed `recipient`."""
    return DELIVERY_REPORTS[system](About(original, recipient))


def read_receipt(program: str, original: bytes, recipient: str) -> bytes:
    """A receipt of `READ_RECEIPTS[program]`: `recipient` has opened `original`."""
    return READ_RECEIPTS[program](About(original, recipient))


def absence_note(system: str, original: bytes, recipient: str) -> bytes:
    """The automatic answer of `ABSENCE_NOTES[system]` for `recipient`."""
    return ABSENCE_NOTES[system](About(original, recipient))


def _message(about: About, fields: dict[str, str], body: str) -> bytes:
    everything = {
        "Return-Path": "<>",
        "To": about.headers.author.email,
        "Date": _DATE,
        "Message-ID": f"<{uuid.uuid4().hex}@mx.customer.test>",
        "MIME-Version": "1.0",
        **fields,
    }
    head = "".join(f"{name}: {value}\n" for name, value in everything.items() if value)
    text = f"{head}\n{body}".replace("\r\n", "\n")
    return text.replace("\n", "\r\n").encode()


def _report(
    about: About,
    fields: dict[str, str],
    parts: list[tuple[str, str]],
    report_type: str = "delivery-status",
) -> bytes:
    boundary = f"=_{uuid.uuid4().hex}"
    kind = f'multipart/report; report-type={report_type}; boundary="{boundary}"'
    body = "".join(f"--{boundary}\nContent-Type: {t}\n\n{b}\n" for t, b in parts)
    fields = {**fields, "Content-Type": kind}
    return _message(about, fields, f"{body}--{boundary}--\n")


def _status(about: About, action: str, status: str, said: str, **more: str) -> str:
    extra = "".join(f"{k.replace('_', '-')}: {v}\n" for k, v in more.items())
    return (
        f"Reporting-MTA: dns; mx.customer.test\nArrival-Date: {_DATE}\n\n"
        f"Final-Recipient: rfc822; {about.recipient}\nAction: {action}\n"
        f"Status: {status}\nDiagnostic-Code: smtp; {said}\n{extra}"
    )


def _postfix(about: About, *, action: str = "failed") -> bytes:
    said = "550 5.1.1 <x>: Recipient address rejected: User unknown"
    status = "5.1.1"
    subject = "Undelivered Mail Returned to Sender"
    if action == "delayed":
        said, status = "connect to mx[192.0.2.1]:25: Connection timed out", "4.4.1"
        subject = "Delayed Mail (still being retried)"
    fields = {
        "From": "MAILER-DAEMON@mx.customer.test (Mail Delivery System)",
        "Subject": subject,
        "Auto-Submitted": "auto-replied",
    }
    parts = [
        ("text/plain", f"This is the mail system.\n\n<{about.recipient}>: {said}\n"),
        (
            "message/delivery-status",
            _status(about, action, status, said, Remote_MTA="dns; mx.customer.test"),
        ),
        ("text/rfc822-headers", about.head),
    ]
    return _report(about, fields, parts)


def _gmail(about: About) -> bytes:
    said = (
        "550-5.1.1 The email account that you tried to reach does not exist.\n"
        " 550 5.1.1 https://support.example/?p=NoSuchUser - gsmtp"
    )
    fields = {
        "From": "Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
        "Subject": "Delivery Status Notification (Failure)",
        "X-Failed-Recipients": about.recipient,
        "Auto-Submitted": "auto-replied",
        "References": about.headers.message_id,
        "In-Reply-To": about.headers.message_id,
    }
    parts = [
        (
            "text/plain; charset=UTF-8",
            f"** Address not found **\n\n{about.recipient}\n",
        ),
        ("message/delivery-status", _status(about, "failed", "5.1.1", said)),
        ("message/rfc822", about.text),
    ]
    return _report(about, fields, parts)


def _exchange(about: About) -> bytes:
    said = "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP"
    sender = "postmaster@customer.test"
    fields = {
        "From": f"<{sender}>",
        "Subject": f"Undeliverable: {about.headers.subject}",
        "Content-Language": "en-US",
        "In-Reply-To": about.headers.message_id,
        "References": about.headers.message_id,
        "Auto-Submitted": "auto-replied",
        "X-MS-Exchange-Message-Is-Ndr": "",
    }
    html = (
        f"<html><body><p>Your message to {about.recipient} couldn't be delivered.</p>"
        f"<p>Original message headers:</p><pre>{about.head}</pre></body></html>"
    )
    parts = [
        ("text/html; charset=utf-8", html),
        ("message/delivery-status", _status(about, "failed", "5.1.10", said)),
        ("message/rfc822", f"{about.head}\n\n"),
    ]
    return _report(about, fields, parts)


def _exim(about: About) -> bytes:
    fields = {
        "From": "Mail Delivery System <Mailer-Daemon@mx.customer.test>",
        "Subject": "Mail delivery failed: returning message to sender",
        "X-Failed-Recipients": about.recipient,
        "Auto-Submitted": "auto-replied",
    }
    body = (
        "This message was created automatically by mail delivery software.\n\n"
        "A message that you sent could not be delivered to one or more of its\n"
        "recipients. This is a permanent error. The following address(es) failed:\n\n"
        f"  {about.recipient}\n    host mx.customer.test [192.0.2.1]\n"
        "    SMTP error from remote mail server after RCPT TO:\n"
        "    550 5.1.1 no such mailbox\n\n"
        "------ This is a copy of the message, including all the headers. ------\n\n"
        f"{about.text}"
    )
    return _message(about, fields, body)


def _qmail(about: About) -> bytes:
    fields = {"From": "MAILER-DAEMON@mx.customer.test", "Subject": "failure notice"}
    body = (
        "Hi. This is the qmail-send program at mx.customer.test.\n"
        "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
        "This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
        f"<{about.recipient}>:\n192.0.2.1 does not like recipient.\n"
        "Remote host said: 550 5.1.1 mailbox unavailable\nGiving up on 192.0.2.1.\n\n"
        f"--- Below this line is a copy of the message.\n\n{about.text}"
    )
    return _message(about, fields, body)


def _yahoo(about: About) -> bytes:
    fields = {
        "From": "MAILER-DAEMON@yahoo.com",
        "Subject": "Failure Notice",
        "X-YMailISG": "x",
    }
    body = (
        "Sorry, we were unable to deliver your message to the following address.\n\n"
        f"<{about.recipient}>:\n554: 5.7.9 Message not accepted for policy reasons.\n\n"
        f"--- Below this line is a copy of the message.\n\n{about.text}"
    )
    return _message(about, fields, body)


def _sendmail(about: About) -> bytes:
    fields = {
        "From": "Mail Delivery Subsystem <MAILER-DAEMON@mx.customer.test>",
        "Subject": "Returned mail: see transcript for details",
    }
    body = (
        "The original message was received at Mon, 10 Mar 2025\n\n"
        "   ----- The following addresses had permanent fatal errors -----\n"
        f"<{about.recipient}>\n    (reason: 550 5.1.1 no such user)\n\n"
        "   ----- Transcript of session follows -----\n"
        f"550 5.1.1 <{about.recipient}>... User unknown\n\n"
        f"   ----- Original message follows -----\n\n{about.text}"
    )
    return _message(about, fields, body)


def _domino(about: About) -> bytes:
    fields = {
        "From": "Postmaster@customer.test",
        "Subject": f"DELIVERY FAILURE: User unknown ({about.recipient})",
        "In-Reply-To": about.headers.message_id,
    }
    body = (
        f"Your message\n\n  Subject: {about.headers.subject}\n\n"
        f"was not delivered to:\n\n  {about.recipient}\n\nbecause:\n\n"
        "  550 5.1.1 User not listed in the public directory\n"
    )
    return _message(about, fields, body)


DELIVERY_REPORTS: dict[str, Callable[[About], bytes]] = {
    "postfix": _postfix,
    "postfix_delayed": lambda about: _postfix(about, action="delayed"),
    "gmail": _gmail,
    "exchange": _exchange,
    "exim": _exim,
    "qmail": _qmail,
    "yahoo": _yahoo,
    "sendmail": _sendmail,
    "domino": _domino,
}


def _receipt(about: About, *, names_original: bool) -> bytes:
    fields = {
        "From": about.recipient,
        "Subject": f"Read: {about.headers.subject}",
        "In-Reply-To": about.headers.message_id,
        "References": about.headers.message_id,
    }
    notification = (
        "Reporting-UA: customer.test; Mail\n"
        f"Final-Recipient: rfc822;{about.recipient}\n"
        "Disposition: manual-action/MDN-sent-manually; displayed\n"
    )
    if names_original:
        notification += f"Original-Message-ID: {about.headers.message_id}\n"
    parts = [
        ("text/plain", "Your message was shown on the receiver's screen.\n"),
        ("message/disposition-notification", notification),
    ]
    return _report(about, fields, parts, "disposition-notification")


READ_RECEIPTS: dict[str, Callable[[About], bytes]] = {
    "thunderbird": lambda about: _receipt(about, names_original=True),
    "exchange": lambda about: _receipt(about, names_original=False),
}


def _absence(about: About, subject: str, **fields: str) -> bytes:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    body = "I am away until Monday, and will answer then.\n"
    everything = {"From": about.recipient, "Subject": subject, **named}
    return _message(about, {"Content-Type": "text/plain", **everything}, body)


ABSENCE_NOTES: dict[str, Callable[[About], bytes]] = {
    "exchange": lambda about: _absence(
        about,
        f"Automatic reply: {about.headers.subject}",
        Auto_Submitted="auto-generated",
        X_Auto_Response_Suppress="All",
        In_Reply_To=about.headers.message_id,
        References=about.headers.message_id,
    ),
    "gmail": lambda about: _absence(
        about,
        f"Away Re: {about.headers.subject}",
        Precedence="bulk",
        X_Autoreply="yes",
        Auto_Submitted="auto-replied",
        In_Reply_To=about.headers.message_id,
        References=about.headers.message_id,
    ),
    "vacation": lambda about: _absence(
        about, "I am away", Auto_Submitted="auto-replied (vacation)", Precedence="junk"
    ),
    "exchange_localised": lambda about: _absence(
        about,
        f"Automatische Antwort: {about.headers.subject}",
        X_Auto_Response_Suppress="All",
    ),
    "old_autoresponder": lambda about: _absence(
        about,
        f"Out of office: {about.headers.subject}",
        Return_Path=f"<{about.recipient}>",
        X_Autorespond="yes",
    ),
}
