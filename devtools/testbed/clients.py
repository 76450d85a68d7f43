"""Answers as people's mail programs write them: headers, quoting, what is kept.

What each keeps of References and Thread-Index is what public reports tell of it (Odoo
#280971: iOS Mail builds References anew).
"""

from __future__ import annotations

import base64
import quopri
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import format_datetime, formataddr, parseaddr

from mailkit.message.address_fields import parse

from . import quoting
from .quoting import Sent

TEXT = "Thank you, that suits us. Дякуємо!"


@dataclass(frozen=True)
class Client:
    """How one mail program answers.

    `html`, `plain`: make the bodies from the new text and what is quoted; None when
    the program sends no such part. `fields`: the header fields that it adds.
    """

    message_id: Callable[[str], str]
    fields: Callable[[Sent], dict[str, str]]
    plain: Callable[[str, Sent], str] | None
    html: Callable[[str, Sent], str] | None
    encoding: str = "quoted-printable"
    prefix: str = "Re: "
    drops_references: bool = False


def answer(
    client: str,
    original: bytes,
    *,
    sender: str = "Client <client@customer.test>",
    to: str = "",
    text: str = TEXT,
    date: datetime | None = None,
) -> bytes:
    """An answer to the raw message `original`, written with `CLIENTS[client]`.

    It goes to the original's Reply-To or From, unless `to` says another.
    """
    program = CLIENTS[client]
    sent = Sent.read(original)
    goes_to = parse([sent.reply_to])
    bare = re.sub(r"(?i)^(re:\s*)+", "", sent.subject)
    references = sent.references[-1:] if program.drops_references else sent.references
    name, email = parseaddr(sender)
    fields = {
        "From": formataddr((name, email)),
        "To": to or ", ".join(formataddr((a.display, a.email)) for a in goes_to),
        "Subject": _word(f"{program.prefix}{bare}"),
        "Date": format_datetime(date or datetime.now(timezone.utc)),
        "Message-ID": program.message_id(email.rpartition("@")[2]),
        "In-Reply-To": sent.headers.message_id,
        "References": "\r\n ".join(references),
        "MIME-Version": "1.0",
        **program.fields(sent),
    }
    bodies = []
    if program.plain:
        bodies.append(("text/plain", program.plain(text, sent)))
    if program.html:
        bodies.append(("text/html", program.html(text, sent)))
    return _assembled(fields, bodies, program.encoding)


def rewritten(original: bytes, new_id: str = "") -> bytes:
    """`original` after a provider that gives every mail its own Message-ID (SES)."""
    new_id = new_id or f"<0102{uuid.uuid4().hex}-000000@eu-west-1.amazonses.test>"
    head, separator, body = original.partition(b"\r\n\r\n")
    field = rb"(?im)^message-id:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*"
    return re.sub(field, b"Message-ID: " + new_id.encode(), head) + separator + body


def _assembled(
    fields: dict[str, str], bodies: list[tuple[str, str]], encoding: str
) -> bytes:
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    parts = [_part(kind, text, encoding) for kind, text in bodies]
    if len(parts) == 1:
        return head.encode() + parts[0]
    boundary = f"b_{uuid.uuid4().hex}"
    content = f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'
    inner = b"".join(f"--{boundary}\r\n".encode() + part for part in parts)
    return head.encode() + content.encode() + inner + f"--{boundary}--\r\n".encode()


def _part(kind: str, text: str, encoding: str) -> bytes:
    data = text.replace("\r\n", "\n").replace("\n", "\r\n").encode()
    if encoding == "base64":
        data = base64.encodebytes(data).replace(b"\n", b"\r\n")
    elif encoding == "quoted-printable":
        lines = data.split(b"\r\n")
        data = b"\r\n".join(_quoted(line) for line in lines)
    head = f"Content-Type: {kind}; charset=UTF-8\r\n"
    return (
        f"{head}Content-Transfer-Encoding: {encoding}\r\n\r\n".encode()
        + data
        + (b"" if data.endswith(b"\r\n") else b"\r\n")
    )


def _quoted(line: bytes) -> bytes:
    return quopri.encodestring(line).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _word(text: str) -> str:
    if text.isascii():
        return text
    return f"=?UTF-8?B?{base64.b64encode(text.encode()).decode()}?="


def _continued(value: str) -> str:
    """Outlook's answer to a Thread-Index: five bytes more; without one, a new one."""
    above = (
        base64.b64decode(value) if value else b"\x01\xdb" + uuid.uuid4().bytes + b"1234"
    )
    return base64.b64encode(above + b"\x00\x01\x02\x03\x10").decode()


def _uuid(domain: str) -> str:
    return f"<{uuid.uuid4()}@{domain}>"


CLIENTS: dict[str, Client] = {
    "thunderbird": Client(
        _uuid,
        lambda _sent: {
            "User-Agent": "Mozilla Thunderbird",
            "Content-Language": "en-US",
        },
        quoting.cited,
        quoting.thunderbird_html,
        encoding="8bit",
    ),
    "gmail": Client(
        lambda _domain: f"<CAJ{uuid.uuid4().hex}@mail.gmail.com>",
        lambda _sent: {},
        quoting.cited,
        quoting.gmail_html,
    ),
    "outlook": Client(
        lambda domain: f"<00ab01db${uuid.uuid4().hex[:8]}$1c2d3e40$@{domain}>",
        lambda sent: {
            "X-Mailer": "Microsoft Outlook 16.0",
            "Thread-Index": _continued(sent.headers.thread_index),
        },
        quoting.outlook_plain,
        quoting.outlook_html,
        prefix="RE: ",
    ),
    "outlook_365": Client(
        lambda _domain: (
            f"<{uuid.uuid4().hex.upper()}@AM0PR01MB1.prod.exchangelabs.com>"
        ),
        lambda sent: {
            "Thread-Topic": _word(sent.subject),
            "Thread-Index": _continued(sent.headers.thread_index),
            "Accept-Language": "de-DE, en-US",
            "X-MS-Has-Attach": "",
            "X-Auto-Response-Suppress": "DR, OOF, AutoReply",
        },
        quoting.outlook_plain,
        quoting.owa_html,
        encoding="base64",
        prefix="AW: ",
    ),
    "apple_mail": Client(
        lambda domain: f"<{str(uuid.uuid4()).upper()}@{domain}>",
        lambda _sent: {"X-Mailer": "Apple Mail (2.3826.400.131.1.6)"},
        quoting.cited,
        quoting.apple_html,
    ),
    "ios_mail": Client(
        lambda domain: f"<{str(uuid.uuid4()).upper()}@{domain}>",
        lambda _sent: {"X-Mailer": "iPhone Mail (21F90)"},
        lambda text, sent: quoting.cited(f"{text}\n\nSent from my iPhone", sent),
        quoting.apple_html,
        drops_references=True,
    ),
    "k9_mail": Client(
        _uuid,
        lambda _sent: {"User-Agent": "K-9 Mail for Android"},
        quoting.cited,
        None,
        encoding="8bit",
    ),
    "yahoo": Client(
        lambda _domain: f"<{uuid.uuid4().int % 10**9}.12345.1741601531@mail.yahoo.com>",
        lambda _sent: {"X-Mailer": "WebService/1.1.23369 YMailNovation"},
        quoting.cited,
        quoting.yahoo_html,
        drops_references=True,
    ),
}
