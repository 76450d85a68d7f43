"""Our own mark in sent mail: which message is being answered, signed.

Providers replace Message-IDs (Amazon SES, Outlook.com, Exchange), and some clients
give back neither References nor In-Reply-To, or only the replaced id (iOS Mail builds
References anew). So the mark travels in three ways, of which one comes back:

- References of our mail: `<mea.TOKEN@domain>`; Thunderbird, Gmail, Outlook, Apple
  Mail copy References, and providers leave it alone.
- Thread-Index: Outlook keeps its first 22 bytes in every answer and forward
  (MS-OXOMSG 2.2.1.3); newer ones compute it anew in some cases.
- the body: quoted text. Clients drop or rename `id`, `class` and `data-` attributes
  (Outlook writes its HTML anew from Word, Gmail and Yahoo prefix them), but keep
  characters. So the mark is text: hidden in HTML, a line at the end of plain text.

A token is 32 letters and digits of base32 in lower case, which survives systems that
change case, URL quoting and line wrapping: message id and address id (4 bytes each),
and 96 bits of HMAC-SHA256. The database's mark is signed but not contained.

Mail with a code that proves an address carries a token of another kind, which answers
nothing: it tells the mail, and what quotes it, from all others.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import html
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone

from ..message import mime
from ..message.headers import Headers

#: Key of the token from Thread-Index in what `Signer.in_headers` returns.
THREAD_INDEX = "thread-index"
MIN_KEY = 16
_MAX_TRIES = 100
_MAC = 12
_LIMITS = mime.WalkLimits(size=1 << 20, depth=4, parts=20)
_TOKEN = re.compile(r"[mM][eE][aA]\.([a-zA-Z2-7]{32})(?![a-zA-Z0-9])")
# What clients put into long words: <wbr>, soft hyphens, zero-width spaces and joiners.
_BREAKS = re.compile("<wbr ?/?>|\u00ad|\u200b|\u200c|\u200d|\u2060|\ufeff")
_FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Signer:
    """Makes and checks marks. `key`: at least 16 secret bytes. `database`: what tells
    this database from its copies (`database.uuid`); marks of another don't verify.
    """

    key: bytes = field(repr=False)
    database: str

    def __post_init__(self) -> None:
        if len(self.key) < MIN_KEY:
            raise ValueError(f"the key has fewer than {MIN_KEY} bytes")

    def token(self, message_id: int, address_id: int) -> str:
        """The token of one sent message; both numbers are database ids below 2**32."""
        data = message_id.to_bytes(4, "big") + address_id.to_bytes(4, "big")
        return base64.b32encode(data + self._mac(b"token", data)).decode().lower()

    def verify(self, token: str) -> int | None:
        """Id of the message that `token` marks, or None when we didn't sign it."""
        raw = _decoded(token)
        data, mac = raw[:8], raw[8:]
        if len(raw) != 8 + _MAC or not self._signed(b"token", data, mac):
            return None
        return int.from_bytes(data[:4], "big")

    def code_mark(self, until: int) -> str:
        """A token for a mail with a code; it answers nothing, and is never the same.

        `until`: when the code is worthless, in seconds since 1970, below 2**32.
        """
        data = until.to_bytes(4, "big") + secrets.token_bytes(4)
        return base64.b32encode(data + self._mac(b"code", data)).decode().lower()

    def is_code_mark(self, token: str, now: float) -> bool:
        """Whether `token` is one of `code_mark`, of this database and key, and the code
        may still be entered.
        """
        raw = _decoded(token)
        in_time = now <= int.from_bytes(raw[:4], "big")
        return in_time and self._signed(b"code", raw[:8], raw[8:])

    def thread_index(self, message_id: int, sent: datetime) -> str:
        """A Thread-Index value for a mail of the conversation that `message_id` began.

        Outlook groups by the 16 bytes that hold the mark: give every mail of one
        conversation the id of its first message. No address fits in.
        """
        ticks = int((sent - _FILETIME_EPOCH).total_seconds() * 10**7)
        data = message_id.to_bytes(4, "big")
        head = (ticks >> 16).to_bytes(6, "big")
        return base64.b64encode(head + data + self._mac(b"thread", data)).decode()

    def from_thread_index(self, value: str) -> int | None:
        """Id of the message that a Thread-Index marks, whatever was appended to it."""
        raw = _decoded_index(value)
        data, mac = raw[6:10], raw[10:22]
        if not raw or not self._signed(b"thread", data, mac):
            return None
        return int.from_bytes(data, "big")

    def in_headers(self, headers: Headers) -> dict[str, int]:
        """The verified marks: by the reference that holds it, or `THREAD_INDEX`, the
        id of the message that is marked."""
        found: dict[str, int] = {}
        for reference in filter(_TOKEN.search, headers.ancestors):
            for message in self._find(reference):
                found[reference] = message
        if headers.thread_index:
            thread = self.from_thread_index(headers.thread_index)
            if thread is not None:
                found[THREAD_INDEX] = thread
        return found

    def in_message(self, raw: bytes) -> tuple[int, ...]:
        """The messages that verified marks in the texts of a raw message name, each
        once, in order.

        The first megabyte counts: answers come before their attachments.
        """
        found: dict[int, None] = {}
        for text in _texts(raw, _LIMITS):
            found.update(dict.fromkeys(self._find(text)))
        return tuple(found)

    def _find(self, text: str) -> list[int]:
        verified = (self.verify(token) for token in _unverified(text)[:_MAX_TRIES])
        return [message for message in verified if message is not None]

    def _mac(self, purpose: bytes, data: bytes) -> bytes:
        context = b"\0".join((b"mea1", purpose, self.database.encode(), data))
        return hmac.digest(self.key, context, hashlib.sha256)[:_MAC]

    def _signed(self, purpose: bytes, data: bytes, mac: bytes) -> bool:
        return hmac.compare_digest(self._mac(purpose, data), mac)


def marks_in_ids(headers: Headers) -> tuple[str, ...]:
    """What looks like a token in the ids of a header block, its own id among them."""
    return _unverified(" ".join(headers.all_ids))


def marks_in_parts(raw: bytes) -> tuple[str, ...]:
    """What looks like a token anywhere in a raw message, and in messages in it.

    Whatever a part is said to be: a message is also attached as a plain file, with its
    header as it was. The first two megabytes count (`mime.WalkLimits`). Nothing of it
    is verified.
    """
    limits = mime.WalkLimits()
    # As it came, for what lies deeper, or behind more parts, than is taken apart.
    found = dict.fromkeys(_unverified(raw[: limits.size].decode("latin-1")))
    for part in mime.walk(raw, limits):
        for text in _readings(part):
            found.update(dict.fromkeys(_unverified(text)))
    return tuple(found)


def _readings(part: mime.Part) -> Iterator[str]:
    """The texts of a part in which a mark may stand."""
    if part.boundary or part.is_message:
        return  # what is in it comes as parts of its own
    yield part.decoded().decode("latin-1")
    if part.content_type.startswith("text/"):
        text = _BREAKS.sub("", html.unescape(part.text()))
        yield text
        yield mime.without_tags(text, "")


def _texts(raw: bytes, limits: mime.WalkLimits) -> Iterator[str]:
    for part in mime.walk(raw, limits):
        if part.content_type.startswith("text/"):
            text = _BREAKS.sub("", part.text())
            if part.content_type == "text/html":
                # As it is for links; without tags, as Word puts some around
                # what it takes for spelling mistakes.
                text = f"{text} {mime.without_tags(text, '')}"
            yield text


def _unverified(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(str.lower, _TOKEN.findall(text))))


def _decoded(token: str) -> bytes:
    """The bytes of a token, b"" when it is none."""
    try:
        return base64.b32decode(token.upper().encode("ascii"))
    except (binascii.Error, UnicodeEncodeError):
        return b""


def reference(token: str, domain: str) -> str:
    """The id that our mail's References carry as the last."""
    return f"<mea.{token}@{domain}>"


def html_mark(token: str) -> str:
    """The mark for the end of an HTML body, before quoted history: hidden.

    mso-hide is for Outlook, which knows no display:none on old versions.
    """
    return (
        '<div style="display:none;mso-hide:all;font-size:1px;line-height:1px;'
        f'max-height:0;overflow:hidden">mea.{token}</div>'
    )


def text_mark(token: str) -> str:
    """The mark for the end of a plain text body: a line below everything."""
    return f"\n\nRef: mea.{token}\n"


def _decoded_index(value: str) -> bytes:
    """The bytes of a Thread-Index, b"" when it is none."""
    try:
        raw = base64.b64decode(value.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return b""
    return raw if len(raw) >= 22 and (len(raw) - 22) % 5 == 0 else b""
