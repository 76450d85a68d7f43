"""A large message without its large parts, which are remembered by their places.

Python's `email.parser` needs eight times a message's size in memory, and Odoo holds
each attachment three times more. What this takes out stays where the message lies
until it is stored; a mark stands for it meanwhile.

What is not plainly well-formed stays as it is, and a message that stays too large, or
has too many parts, becomes its header, its first text and itself as a file.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from dataclasses import dataclass
from email.message import Message
from itertools import islice

from . import fields, mime
from .mime import Part, Source

#: Field that says: of this part only the beginning is left.
FIELD = "X-Taken-Out"
_MARK = re.compile(rb"taken-out-[0-9a-f]{32}")
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}")
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{1,200}")
# A value whose parameters nobody reads in another way: no comments, no encoded words,
# no RFC 2231, nothing that is escaped.
_PLAIN_VALUE = re.compile(
    r"""\A[\w.+-]+/[\w.+-]+(?: ?; ?[\w.-]+ ?= ?(?:"[^"\\]*"|[\w+.!#$&^~-]+))*\Z""",
    re.ASCII,
)
_SPACES = re.compile(r"\s+")
_BOUNDARY_LINE = re.compile(rb"[\r\n]--")
_PARAGRAPH = re.compile(rb"[\r\n]\r?\n|\r\r")
_ENCODED = ("base64", "quoted-printable")
_ENCODINGS = ("", "7bit", "8bit", "binary", *_ENCODED)
_TEXTS = {"text/plain": "message.txt", "text/html": "message.html"}

#: Octets of a header field that Odoo reads, all of one name together; 200 recipients
#: have 8 kB. `email.headerregistry` needs seconds for some kilobytes of quotation
#: marks, and reads a field anew each time it is asked for.
MOST_OF_FIELD = 12 << 10
_ROOM = {
    "references": MOST_OF_FIELD,
    **dict.fromkeys(
        "from sender reply-to delivered-to resent-to resent-cc subject in-reply-to"
        " message-id date return-path".split(),
        2 << 10,
    ),
}
# Of a field of addresses that is mostly signs, of which nobody writes so many: the
# time to read it grows with their square.
_MOST_SIGNS = 2 << 10
_SIGNS = b'"(),.:;<>@[\\]'
_MOST_COPIED = 1 << 20
_FIELD = re.compile(rb"^([!-9;-~]+):([^\n]*(?:\n[ \t][^\n]*)*)", re.MULTILINE)
_ABOUT_BODY = re.compile(r"content-|mime-version$")

# (start, end, what stands there instead), octets of a message.
_Edit = tuple[int, int, bytes]


@dataclass(frozen=True)
class LightLimits:
    """Octets: of a `message` that needs no lightening, of a `part` that may stay, of
    a text (`plain`, `html`) that may stay, of one that is `kept` of a longer text, of
    what may be `left` in all; of a MIME `field`, and of all `fields` of this kind,
    as Python reads some ten thousand octets of them a second. `parts`: how many a
    message may have. `depth`: parts in parts."""

    message: int = 1 << 20
    part: int = 16 << 10
    plain: int = 1 << 20
    html: int = 4 << 20
    kept: int = 256 << 10
    left: int = 6 << 20
    field: int = 2 << 10
    fields: int = 48 << 10
    parts: int = 1000
    depth: int = 20


@dataclass(frozen=True)
class HeavyPart:
    """A part that was taken out; `start` and `end` are its octets in the source.

    `mark` stands for it: as the part's content, or in the field `FIELD` where
    `is_beginning`, the text that is left is only the beginning of this one. `name`:
    for a file that nobody named.
    """

    mark: bytes
    start: int
    end: int
    encoding: str
    name: str
    is_beginning: bool = False

    def content(self, source: Source) -> bytes:
        """The part as its author has it, without its transfer encoding."""
        data = source[self.start : self.end]
        if self.encoding == "base64":
            return _unbase64(data)
        if self.encoding == "quoted-printable":
            return binascii.a2b_qp(data)
        return data


@dataclass(frozen=True)
class LightMessage:
    """What is left of a message, and what is not."""

    raw: bytes
    parts: tuple[HeavyPart, ...] = ()


def lighten(source: Source, limits: LightLimits = LightLimits()) -> LightMessage:
    """Take the large parts out of a message. Never raises.

    :return: the message as it is when it is neither large nor has too many parts
    """
    scan = _Scan(source, limits)
    scan.root()
    left = len(source) - sum(end - start for start, end, _new in scan.edits)
    if scan.is_too_much or scan.count > limits.parts or left > limits.left:
        return _only_beginning(source)
    if not scan.edits:
        return LightMessage(source[:])
    return LightMessage(_edited(source, scan.edits), tuple(scan.parts))


def find_mark(data: bytes) -> bytes | None:
    """The first mark in `data`: of parts in parts the outermost."""
    found = _MARK.search(data)
    return found.group() if found else None


class _Scan:
    """Looks through a message for what is to be taken out."""

    def __init__(self, source: Source, limits: LightLimits) -> None:
        self.source = source
        self.limits = limits
        self.is_large = len(source) > limits.message
        self.edits: list[_Edit] = []
        self.parts: list[HeavyPart] = []
        self.count = 0
        self.fields = 0
        self.is_too_much = False  # a field too long, and no place to shorten it

    def root(self) -> None:
        """The message itself, whose header fields Odoo reads."""
        part = mime.message(self.source)
        if part.is_sound:
            self.edits, is_missed = _shortened_fields(part.head)
            if is_missed:
                self._take(0, len(self.source), "", "message.eml")
        elif part.head_end > MOST_OF_FIELD:
            self.is_too_much = True
        self.entity(part)

    def entity(self, part: Part) -> None:
        """A message or a part, with what is in it."""
        self.count += 1
        found = fields.split(part.head, every=True)
        self._count_fields(found)
        kind = part.content_type
        if (
            not part.is_sound
            or part.depth > self.limits.depth
            or self.count > self.limits.parts
            or not _TYPE.fullmatch(kind)
        ):
            self._count_hidden(part.start, part.end)
        elif kind.startswith("multipart/"):
            self._multipart(part, _first(found, "content-type"))
        elif kind == "message/rfc822" and part.encoding not in _ENCODED:
            self._message(part)
        elif kind.startswith("message/"):  # Python looks for parts in all of them
            self.count += 1
            self._count_hidden(part.body_start, part.end)
        elif self.is_large and part.encoding in _ENCODINGS:
            self._leaf(part, found)

    def _count_fields(self, found: fields.Fields) -> None:
        for name, values in found.items():
            if name.startswith("content-"):
                lengths = [len(value) for value in values]
                self.fields += sum(lengths)
                self.is_too_much |= max(lengths) > self.limits.field
        self.is_too_much |= self.fields > self.limits.fields

    def _count_hidden(self, start: int, end: int) -> None:
        """At most so many parts may be found in what is not plainly a message: at
        boundary lines, and between empty lines (``message/delivery-status``)."""
        most = self.limits.parts + 1
        for pattern in (_BOUNDARY_LINE, _PARAGRAPH):
            lines = pattern.finditer(self.source, start, end)
            self.count += sum(1 for _line in islice(lines, most))

    def _multipart(self, part: Part, value: str) -> None:
        if not (
            _BOUNDARY.fullmatch(part.boundary)
            and _PLAIN_VALUE.match(_SPACES.sub(" ", value.strip(" \t;")))
            and "=?" not in value
            and value.lower().count("boundary") == 1
        ):
            self._count_hidden(part.body_start, part.end)
            return
        for inner in part.inner(self.limits.parts + 1):
            self.entity(inner)

    def _message(self, part: Part) -> None:
        """An attached message: Odoo shows what is in it, and has it as a file."""
        before = len(self.edits)
        for inner in part.inner(1):
            self.entity(inner)
        if len(self.edits) > before:
            start = part.body_start
            mark = self._take(start, part.end, "", "message.eml")
            self.edits.append((start, start, _field_of(mark)))

    def _leaf(self, part: Part, found: fields.Fields) -> None:
        kind, start, end = part.content_type, part.body_start, part.end
        if kind in _TEXTS and not _is_file(found):
            html = kind == "text/html"
            if end - start > (self.limits.html if html else self.limits.plain):
                mark = self._take(start, end, part.encoding, _TEXTS[kind], True)
                self.edits.append((part.head_end, part.head_end, _field_of(mark)))
                self.edits.append((self._cut(start, part.encoding), end, b""))
        elif end - start > self.limits.part:
            mark = self._take(start, end, part.encoding, "attachment")
            new = base64.b64encode(mark) if part.encoding == "base64" else mark
            self.edits.append((start, end, new))

    def _take(
        self, start: int, end: int, encoding: str, name: str, beginning: bool = False
    ) -> bytes:
        mark = _new_mark()
        part = HeavyPart(mark, start, end, encoding, name, beginning)
        self.parts.append(part)
        return mark

    def _cut(self, start: int, encoding: str) -> int:
        """Where a long text ends now: at a line's end, if there is one."""
        limit = start + self.limits.kept
        line_end = self.source.rfind(b"\n", start, limit) + 1
        if line_end > start:
            return line_end
        return limit - self.limits.kept % 4 if encoding == "base64" else limit


def _only_beginning(source: Source) -> LightMessage:
    """The header, the first text, and the whole message as a file."""
    mark = _new_mark()
    head = source[: fields.MAX_HEAD]
    end, _start = fields.head_size(head)
    limit = LightLimits().kept
    texts = (p for p in mime.walk(source[: 8 * limit]) if p.content_type in _TEXTS)
    text = next((text for p in texts if (text := p.plain()).strip()), "")
    raw = b"".join(
        (
            _copied_fields(head[:end]),
            _field_of(mark),
            b"Content-Type: text/plain; charset=utf-8\r\n",
            b"Content-Transfer-Encoding: base64\r\n\r\n",
            base64.encodebytes(text[:limit].encode()),
        )
    )
    part = HeavyPart(mark, 0, len(source), "", "message.eml", is_beginning=True)
    return LightMessage(raw, (part,))


def _shortened_fields(head: bytes) -> tuple[list[_Edit], bool]:
    """What to leave out of a sound header block, and whether anybody could miss it:
    the newest References, which are the last, are enough."""
    edits: list[_Edit] = []
    room: dict[str, int] = {}
    is_missed = False
    for field in _FIELD.finditer(head):
        name = field.group(1).decode("ascii").lower()
        start, end = field.span(2)
        left = room.get(name, _room(name, field.group(2), len(head)))
        room[name] = max(0, left - (end - start))
        if end - start <= left:
            continue
        if name == "references":
            edits.append((start, end - left, b""))
            continue
        is_missed = True
        comma = head.rfind(b",", start, start + left)  # not in the middle of an address
        edits.append((comma if comma > start else start + left, end, b""))
    return edits, is_missed


def _room(name: str, value: bytes, otherwise: int) -> int:
    if name in ("to", "cc"):
        signs = len(value) - len(value.translate(None, _SIGNS))
        return MOST_OF_FIELD if signs < len(value) * 2 // 5 else _MOST_SIGNS
    return _ROOM.get(name, otherwise)


def _copied_fields(head: bytes) -> bytes:
    """A header block anew, whatever is wrong with it: fields as long as they may be,
    and none about the body."""
    block = b"".join(
        b"%s: %s\r\n" % (name.encode(), value.strip().replace(b"\n", b"\r\n"))
        for name, values in fields.split(head[:_MOST_COPIED], every=True).items()
        for value in values
        if not _ABOUT_BODY.match(name)
    )
    edits, _is_missed = _shortened_fields(block)
    return _edited(block, edits)


def _edited(source: Source, edits: list[_Edit]) -> bytes:
    pieces: list[bytes] = []
    position = 0
    for start, end, new in sorted(edits):
        pieces += (source[position:start], new)
        position = end
    return b"".join((*pieces, source[position:]))


def _new_mark() -> bytes:
    """Nobody who writes a message can know it."""
    return b"taken-out-" + secrets.token_hex(16).encode()


def _field_of(mark: bytes) -> bytes:
    """The header field that carries a mark."""
    return b"%s: %s\r\n" % (FIELD.encode(), mark)


def _unbase64(data: bytes) -> bytes:
    """Decode as Python's email package does, which needs much more memory."""
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        part = Message()
        part["Content-Transfer-Encoding"] = "base64"
        part.set_payload(data.decode("ascii", "surrogateescape"))
        payload = part.get_payload(decode=True)
        return payload if isinstance(payload, bytes) else data


def _first(found: fields.Fields, name: str) -> str:
    return fields.text(found[name][0]) if name in found else ""


def _is_file(found: fields.Fields) -> bool:
    """Whether Odoo takes a text for a file, whose content is no part of the body."""
    disposition = _first(found, "content-disposition")
    given = mime.parameters(disposition)
    given.update(mime.parameters(_first(found, "content-type")))
    names = (name for name, value in given.items() if value)
    return disposition.lower().startswith("attachment") or any(
        name.startswith(("filename", "name")) for name in names
    )
