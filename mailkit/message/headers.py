"""What a header block says, for recognising answers: fast, bounded, never an error.

Which fields are read at all is told in `fields.READ_FOR`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from . import fields
from .address import Address
from .address_fields import parse
from .author import author_of
from .fields import AUTOMATIC_FIELDS, DELIVERY_FIELDS, OWN_ID_FIELDS, Fields

MAX_REFERENCES = 64  # the newest; Odoo takes 32 (mail_thread.py, message_route)
MAX_MESSAGE_ID = 998  # octets: RFC 5322's longest line; an index has a limit too
_MAX_SUBJECT = 998
_KEY_BODY = 1 << 20
# One id as nearly all are: nothing to decode, nothing to take out.
_PLAIN_ID = re.compile(r"<[!-'*-;=@-~]+>")
_TOKENS = re.compile(r"<([^<>]*)(>?)|([^\s<>,;]+)")
_COMMENT = re.compile(r"\([^()<>]*\)")
_INSIDE = re.compile(r"[\s\x00-\x1f\x7f]+")
_REPORT_TYPE = re.compile(r"""report-type\s*=\s*["']?([\w.-]{1,60})""", re.I)
# What is the same in every copy of one message.
_KEY_FIELDS = ("from", "to", "cc", "subject", "date", "in-reply-to", "references")


@dataclass(slots=True)
class Headers:
    """A header block. Absent is "" or (), except where None is named.

    What every message of a mailbox is judged by is read at once, all else each time
    that it is asked for. Message-IDs are normalised (see `message_ids`), addresses too,
    texts decoded.

    `own_ids`: what the message is and was called, `message_id` first.
    `ancestors`: what References and In-Reply-To name, the nearest ancestor last; of
    each the newest `MAX_REFERENCES`. `from_`: all addresses of From; `author`: who
    wrote it (`author_of`), without an address in doubt. `content_type`: lower case,
    without parameters ("multipart/report").
    """

    fields: Fields = field(default_factory=dict, repr=False)
    message_id: str = field(init=False)
    own_ids: tuple[str, ...] = field(init=False)
    ancestors: tuple[str, ...] = field(init=False)
    from_: tuple[Address, ...] = field(init=False)
    author: Address = field(init=False)
    content_type: str = field(init=False)

    def __post_init__(self) -> None:
        found = {name: self._ids(name) for name in OWN_ID_FIELDS if name in self.fields}
        own = {name: ids[0] for name, ids in found.items() if ids}
        self.message_id = own.get("message-id", "")
        self.own_ids = tuple(own.values())
        self.ancestors = (
            *self._ids("references")[-MAX_REFERENCES:],
            *self._ids("in-reply-to")[:MAX_REFERENCES],
        )
        self.from_ = self._addresses("from")
        self.author = author_of(self.from_)
        kind = self._text("content-type").partition(";")[0]
        self.content_type = kind.strip().lower()[:120]

    @property
    def all_ids(self) -> tuple[str, ...]:
        """Every Message-ID that tells what the message is, or what it answers."""
        return (*self.own_ids, *self.ancestors)

    @property
    def to(self) -> tuple[Address, ...]:
        return self._addresses("to")

    @property
    def cc(self) -> tuple[Address, ...]:
        return self._addresses("cc")

    @property
    def delivered_to(self) -> tuple[str, ...]:
        """The recipients of the envelope, as far as servers wrote them down: of all of
        `DELIVERY_FIELDS`, in the order of these."""
        emails = [email for name in DELIVERY_FIELDS for email in self._emails(name)]
        return tuple(dict.fromkeys(emails))

    @property
    def failed_recipients(self) -> tuple[str, ...]:
        """X-Failed-Recipients: Exim and Gmail."""
        return self._emails("x-failed-recipients")

    @property
    def has_null_path(self) -> bool:
        """Whether Return-Path is the empty one of reports (RFC 5321, 4.5.5)."""
        return "return-path" in self.fields and not self._emails("return-path")

    @property
    def subject(self) -> str:
        return fields.decode_words(self._text("subject"))[:_MAX_SUBJECT]

    @property
    def date(self) -> datetime | None:
        """Aware; None when it is absent or no date."""
        return _date(self._text("date"))

    @property
    def auto_submitted(self) -> str:
        """RFC 3834's keyword, lower case."""
        return self._keyword("auto-submitted")

    @property
    def precedence(self) -> str:
        return self._keyword("precedence")

    @property
    def auto_response_suppress(self) -> str:
        return self._text("x-auto-response-suppress")[:200]

    @property
    def has_automatic_fields(self) -> bool:
        """Whether any of `AUTOMATIC_FIELDS` is there."""
        return any(name in self.fields for name in AUTOMATIC_FIELDS)

    @property
    def report_type(self) -> str:
        """Of multipart/report: "delivery-status", "disposition-notification", ..."""
        match = _REPORT_TYPE.search(self._text("content-type"), 0, 2000)
        return match.group(1).lower() if match else ""

    @property
    def thread_index(self) -> str:
        """Outlook's, base64 (MS-OXOMSG 2.2.1.3)."""
        return _INSIDE.sub("", self._text("thread-index"))[:2000]

    def _text(self, name: str) -> str:
        """The first value that isn't empty."""
        for value in self.fields.get(name, ()):
            text = fields.text(value)
            if text:
                return text
        return ""

    def _keyword(self, name: str) -> str:
        value = self._text(name).partition(";")[0].partition("(")[0]
        return value.strip().lower()[:60]

    def _ids(self, name: str) -> tuple[str, ...]:
        values = self.fields.get(name)
        return message_ids(fields.text(b" ".join(values))) if values else ()

    def _addresses(self, name: str) -> tuple[Address, ...]:
        values = self.fields.get(name)
        return parse(map(fields.text, values)) if values else ()

    def _emails(self, name: str) -> tuple[str, ...]:
        return tuple(a.email for a in self._addresses(name) if a.email)


def parse_headers(block: bytes) -> Headers:
    """Read a header block (or a whole message: its body is left alone).

    Any bytes are taken; what is missing or senseless becomes empty.
    """
    end, _start = fields.head_size(block)
    return Headers(fields.split(block[:end]))


def message_ids(value: str) -> tuple[str, ...]:
    """Every Message-ID in `value`, normalised, in order, each once (its last place).

    Normalised is "<...>" without white space (folding cuts ids in two) and control
    characters. Letters keep their case: RFC 5322 ids are compared as they are, and so
    does Odoo with what it stored. Taken as well: ids without brackets, run together,
    in encoded words (long ids, folded by Python's email), between comments, and
    unclosed ones. Not taken: words without "@" outside of brackets.
    """
    if _PLAIN_ID.fullmatch(value) and len(value) <= MAX_MESSAGE_ID:
        return (value,)
    if "=?" in value:
        value = fields.decode_words(value)
    if "(" in value:
        value = _COMMENT.sub(" ", value)
    found: dict[str, None] = {}
    for match in _TOKENS.finditer(value):
        inside, closed, bare = match.groups()
        if inside is None:
            inside = bare.strip("\"'") if "@" in bare else ""
        elif not closed:
            inside = (inside.split() or [""])[0]
        inside = _INSIDE.sub("", inside)
        if inside and len(inside.encode("utf-8", "replace")) <= MAX_MESSAGE_ID - 2:
            found.pop(f"<{inside}>", None)
            found[f"<{inside}>"] = None
    return tuple(found)


def message_key(headers: Headers, raw: bytes) -> str:
    """One key for every copy of a message: its Message-ID, or "sha256:" and a hash.

    The hash covers what no server on the way changes: the fields that people see and
    the beginning of the body, whatever the line ends; Received, Delivered-To, X-...
    differ from copy to copy.
    """
    if headers.message_id:
        return headers.message_id
    end, start = fields.head_size(raw)
    found = fields.split(raw[:end])
    digest = hashlib.sha256()
    for name in _KEY_FIELDS:
        for value in found.get(name, ()):
            digest.update(b"%s:%s\n" % (name.encode(), b" ".join(value.split())))
    body = fields.unix_lines(raw[start : start + 2 * _KEY_BODY])[:_KEY_BODY]
    digest.update(b"\n" + body.rstrip())
    return f"sha256:{digest.hexdigest()}"


def _date(value: str) -> datetime | None:
    """RFC 5322 says no zone where it means UTC, and so do we."""
    if not value:
        return None
    try:
        found = parsedate_to_datetime(value[:100])
        if found.tzinfo is None:
            return found.replace(tzinfo=timezone.utc)
        found.astimezone(timezone.utc)  # year 0 or 10000: overflows only here
    except (ValueError, TypeError, OverflowError, IndexError, AttributeError):
        return None
    return found
