"""A large message without its large parts, which are remembered by their places.

Python's `email.parser` needs eight times a message's size in memory, and Odoo holds
each attachment three times more. What this takes out stays where the message lies
until it is stored; a mark stands for it meanwhile.

The structure is found by looking for boundary lines as `email.feedparser` does; what
is not plainly well-formed stays as it is, and a message that stays too large, or has
too many parts, becomes its header, its first text and itself as a file.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from itertools import islice

from . import fields, long_fields, mime
from .heavy_part import HeavyPart, field_of, new_mark
from .plain_head import PlainHead, Source, plain_head

_HEAD_ROOM = 256 * 1024
_LINE_REST = re.compile(rb"(--)?(?<![ \t])[ \t]*(?:\r\n|\r|\n|\Z)")
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


@dataclass(frozen=True)
class Limits:
    """Octets: of a `message` that needs no lightening, of a `part` that may stay, of
    a text (`plain`, `html`) that may stay, of one that is `kept` of a longer text, of
    what may be `left` in all. `parts`: how many a message may have. `squares`: sum
    of the squares of its MIME fields' lengths, by which the time to read them grows."""

    message: int = 1 << 20
    part: int = 16 << 10
    plain: int = 1 << 20
    html: int = 4 << 20
    kept: int = 256 << 10
    left: int = 6 << 20
    parts: int = 1000
    squares: int = 20_000_000
    depth: int = 20


@dataclass(frozen=True)
class LightMessage:
    """What is left of a message, and what is not."""

    raw: bytes
    parts: tuple[HeavyPart, ...] = ()


def lighten(source: Source, limits: Limits = Limits()) -> LightMessage:
    """Take the large parts out of a message. Never raises.

    :return: the message as it is when it is neither large nor has too many parts
    """
    scan = _Scan(source, limits)
    scan.root()
    left = len(source) - sum(end - start for start, end, _new in scan.edits)
    too_many = scan.count > limits.parts or scan.squares > limits.squares
    if too_many or left > limits.left or scan.is_head_hidden:
        return _only_beginning(source)
    if not scan.edits:
        return LightMessage(source[:])
    return LightMessage(scan.edited(), tuple(scan.parts))


class _Scan:
    """Looks through a message for what is to be taken out."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self.source = source
        self.limits = limits
        self.is_large = len(source) > limits.message
        self.edits: list[tuple[int, int, bytes]] = []
        self.parts: list[HeavyPart] = []
        self.count = 0
        self.squares = 0
        self.is_head_hidden = False  # long, and not plain enough to shorten it

    def root(self) -> None:
        """The message itself, whose header fields Odoo reads."""
        head = plain_head(self.source, 0, fields.MAX_HEAD)
        if head is None:
            end, _start = fields.head_size(self.source[: fields.MAX_HEAD])
            self.is_head_hidden = end > long_fields.MOST
        else:
            self._shorten(head.block)
        self.entity(0, len(self.source), 0)

    def _shorten(self, head: bytes) -> None:
        cuts, is_missed = long_fields.cuts(head)
        self.edits += ((start, end, b"") for start, end in cuts)
        if is_missed:
            self._take(0, len(self.source), "", "message.eml")

    def edited(self) -> bytes:
        pieces: list[bytes] = []
        position = 0
        for start, end, new in sorted(self.edits):
            pieces += (self.source[position:start], new)
            position = end
        return b"".join((*pieces, self.source[position:]))

    def entity(self, start: int, end: int, depth: int, default: str = "") -> None:
        """A message or a part, with header, in these octets."""
        self.count += 1
        room = _HEAD_ROOM if depth else fields.MAX_HEAD
        head = plain_head(self.source, start, min(end, start + room))
        found = self._mime_fields(head, start, end)
        if head is None or depth > self.limits.depth or self._is_enough():
            self.count += self._most_parts(start, end)
            return
        value = _first(found, "content-type")
        kind = value.partition(";")[0].strip().lower() or default or "text/plain"
        if not _TYPE.fullmatch(kind):
            self.count += self._most_parts(start, end)
        elif kind.startswith("multipart/"):
            self._multipart(head.body, end, depth, kind, value)
        elif kind == "message/rfc822" and _encoding(found) not in _ENCODED:
            self._message(head.body, end, depth)
        elif kind.startswith("message/"):  # Python looks for parts in all of them
            self.count += 1 + self._most_parts(head.body, end)
        else:
            self._leaf(head, end, kind, found)

    def _mime_fields(
        self, head: PlainHead | None, start: int, end: int
    ) -> dict[str, list[bytes]]:
        if head is None:
            block = self.source[start : min(end, start + _HEAD_ROOM)]
            block = block[: fields.head_size(block)[0]]
        else:
            block = head.block
        found = fields.split(block, every=True)
        for name, values in found.items():
            if name.startswith("content-"):
                self.squares += sum(len(value) ** 2 for value in values)
        return found

    def _is_enough(self) -> bool:
        return self.count > self.limits.parts

    def _most_parts(self, start: int, end: int) -> int:
        """At most so many parts may be found in what is not plainly a message: at
        boundary lines, and between empty lines (``message/delivery-status``)."""
        most = self.limits.parts + 1
        lines = _BOUNDARY_LINE.finditer(self.source, start, end)
        count = sum(1 for _line in islice(lines, most))
        paragraphs = _PARAGRAPH.finditer(self.source, start, end)
        return count + sum(1 for _one in islice(paragraphs, most))

    def _multipart(
        self, start: int, end: int, depth: int, kind: str, value: str
    ) -> None:
        boundary = mime.parameters(value).get("boundary", "").rstrip()
        if not (
            _BOUNDARY.fullmatch(boundary)
            and _PLAIN_VALUE.match(_SPACES.sub(" ", value.strip(" \t;")))
            and "=?" not in value
            and value.lower().count("boundary") == 1
        ):
            self.count += self._most_parts(start, end)
            return
        default = "message/rfc822" if kind == "multipart/digest" else ""
        for piece_start, piece_end in self._pieces(start, end, boundary.encode()):
            self.entity(piece_start, piece_end, depth + 1, default)

    def _pieces(self, start: int, end: int, boundary: bytes) -> list[tuple[int, int]]:
        """What stands between the boundary lines; a missing last one is the end."""
        pieces: list[tuple[int, int]] = []
        begin = -1
        position = start
        tries = 0
        while tries <= 4 * self.limits.parts:
            tries += 1
            found = self.source.find(b"--" + boundary, position, end)
            if found < 0:
                break
            position = found + 2 + len(boundary)
            rest = _LINE_REST.match(self.source, position, end)
            if rest is None or found > start and self.source[found - 1] not in b"\r\n":
                continue
            if begin >= 0:
                pieces.append((begin, self._before_line_end(begin, found)))
            begin = position = rest.end()
            if rest.group(1):
                return pieces
        else:
            self.count += tries
        if begin >= 0:
            if end == len(self.source):  # else an outer boundary has it already
                end = self._before_line_end(begin, end)
            pieces.append((begin, end))
        return pieces

    def _before_line_end(self, start: int, end: int) -> int:
        """A boundary line's line end before it belongs to it (RFC 2046, 5.1.1)."""
        for line_end in (b"\r\n", b"\n", b"\r"):
            if self.source[max(start, end - len(line_end)) : end] == line_end:
                return end - len(line_end)
        return max(start, end)

    def _message(self, start: int, end: int, depth: int) -> None:
        """An attached message: Odoo shows what is in it, and has it as a file."""
        before = len(self.edits)
        self.entity(start, end, depth + 1)
        if len(self.edits) > before:
            mark = self._take(start, end, "", "message.eml")
            self.edits.append((start, start, field_of(mark)))

    def _leaf(
        self, head: PlainHead, end: int, kind: str, found: dict[str, list[bytes]]
    ) -> None:
        encoding = _encoding(found)
        start = head.body
        if not self.is_large or encoding not in _ENCODINGS:
            return
        if kind in _TEXTS and not _is_file(found):
            html = kind == "text/html"
            if end - start > (self.limits.html if html else self.limits.plain):
                mark = self._take(start, end, encoding, _TEXTS[kind], True)
                self.edits.append((head.end, head.end, field_of(mark)))
                self.edits.append((self._cut(start, encoding), end, b""))
        elif end - start > self.limits.part:
            mark = self._take(start, end, encoding, "attachment")
            new = base64.b64encode(mark) if encoding == "base64" else mark
            self.edits.append((start, end, new))

    def _take(
        self, start: int, end: int, encoding: str, name: str, beginning: bool = False
    ) -> bytes:
        mark = new_mark()
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
    mark = new_mark()
    head = source[: fields.MAX_HEAD]
    end, _start = fields.head_size(head)
    limit = Limits().kept
    texts = (p for p in mime.walk(source[: 8 * limit]) if p.content_type in _TEXTS)
    text = next((text for p in texts if (text := p.plain()).strip()), "")
    raw = b"".join(
        (
            long_fields.copy(head[:end]),
            field_of(mark),
            b"Content-Type: text/plain; charset=utf-8\r\n",
            b"Content-Transfer-Encoding: base64\r\n\r\n",
            base64.encodebytes(text[:limit].encode()),
        )
    )
    part = HeavyPart(mark, 0, len(source), "", "message.eml", is_beginning=True)
    return LightMessage(raw, (part,))


def _first(found: dict[str, list[bytes]], name: str) -> str:
    return fields.text(found[name][0]) if name in found else ""


def _encoding(found: dict[str, list[bytes]]) -> str:
    return _first(found, "content-transfer-encoding").lower()


def _is_file(found: dict[str, list[bytes]]) -> bool:
    """Whether Odoo takes a text for a file, whose content is no part of the body."""
    disposition = _first(found, "content-disposition")
    given = mime.parameters(disposition)
    given.update(mime.parameters(_first(found, "content-type")))
    names = (name for name, value in given.items() if value)
    return disposition.lower().startswith("attachment") or any(
        name.startswith(("filename", "name")) for name in names
    )
