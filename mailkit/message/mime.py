"""The parts of a raw message, found with bounded work.

`email.parser` takes a whole message apart, recurses into message/rfc822 without a
limit and holds several copies of a 50 MB mail. Here a part is a place in the message,
whose boundary lines are told as `email.feedparser` tells them.
"""

from __future__ import annotations

import binascii
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import mmap

from . import fields
from .headers import Headers

#: Whatever can be sliced and searched.
Source = bytes | mmap

_PARAMETER = re.compile(
    r""";\s*([\w*'%.-]{1,40})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))""", re.DOTALL
)
_TAG = re.compile(r"<[^<>]*>")
_WHOLE_MESSAGE = ("message/rfc822", "message/global", "message/news")
_LINE_REST = re.compile(rb"(--)?(?<![ \t])[ \t]*(?:\r\n|\r|\n|\Z)")
_HEAD_END = re.compile(rb"\n(\r?\n)")
# A line that is neither a field's first (as email.feedparser sees it) nor a further
# one, and a CR alone.
_ODD_LINE = re.compile(rb"^(?![!-9;-~]+:|[ \t])|\r(?!\n)", re.MULTILINE)
_MOST_LINES = 50_000


@dataclass(frozen=True)
class WalkLimits:
    """`size`: bytes of the message that are looked at; `depth`: parts in parts."""

    size: int = 2 << 20
    depth: int = 8
    parts: int = 100


@dataclass(frozen=True)
class Part:
    """A part of a message; the message itself is the first, at depth 0.

    `start`, `head_end` (where the empty line begins), `body_start`, `end`: octets of
    `source`. `is_sound`: every reader finds this header, and its end, here.
    `content_type`: lower case, "text/plain" when it has none. `boundary`: "" when it
    is no multipart. `charset`, `encoding` (lower case): "" when it has none.
    """

    source: Source
    start: int
    head_end: int
    body_start: int
    end: int
    is_sound: bool
    depth: int
    headers: Headers
    content_type: str
    boundary: str
    charset: str
    encoding: str

    @property
    def head(self) -> bytes:
        """The header fields as they stand there."""
        return self.source[self.start : self.head_end]

    @property
    def body(self) -> bytes:
        """As sent, possibly cut off; of a multipart the whole inside."""
        return self.source[self.body_start : self.end]

    @property
    def is_message(self) -> bool:
        """Whether the body is a message of its own, which is the next part then."""
        return self.content_type in _WHOLE_MESSAGE

    def decoded(self) -> bytes:
        """The body without its transfer encoding, as far as it can be decoded."""
        if self.encoding == "base64":
            data = fields.unbase64(self.body)
            return self.body if data is None else data
        if self.encoding == "quoted-printable":
            return binascii.a2b_qp(self.body)
        return self.body

    def text(self) -> str:
        r"""The body as text with \n line ends and without NUL; HTML with its tags."""
        data = fields.unix_lines(self.decoded())
        return fields.decode(data, self.charset or "utf-8").replace("\0", "")

    def plain(self) -> str:
        """The body as text without tags."""
        found = self.text()
        if self.content_type != "text/html":
            return found
        return html.unescape(without_tags(found, " "))

    def inner(self, most: int) -> list[Part]:
        """The parts of a multipart, or the attached message; at most so many."""
        depth = self.depth + 1
        if self.boundary:
            digest = self.content_type == "multipart/digest"
            default = "message/rfc822" if digest else "text/plain"
            return [
                _part(self.source, start, end, depth, default)
                for start, end in self._pieces(most)
            ]
        if not self.is_message:
            return []
        if self.encoding in ("base64", "quoted-printable"):
            data = self.decoded()
            return [_part(data, 0, len(data), depth)]
        return [_part(self.source, self.body_start, self.end, depth)]

    def _pieces(self, most: int) -> Iterator[tuple[int, int]]:
        """What stands between the boundary lines; a missing last one is the end."""
        mark = b"--" + self.boundary.encode("utf-8", "replace")
        begin = -1
        position = self.body_start
        while most > 0 and (found := self.source.find(mark, position, self.end)) >= 0:
            position = found + len(mark)
            rest = _LINE_REST.match(self.source, position, self.end)
            at_line_start = found == self.body_start or (
                self.source[found - 1] in b"\r\n"
            )
            if rest is None or not at_line_start:
                continue
            if begin >= 0:
                yield begin, _before_line_end(self.source, begin, found)
                most -= 1
            begin = position = rest.end()
            if rest.group(1):
                return
        if begin >= 0 and most > 0:
            end = self.end
            if end == len(self.source):  # else an outer boundary has it already
                end = _before_line_end(self.source, begin, end)
            yield begin, end


def message(raw: Source) -> Part:
    """The message itself; `Part.inner` goes on from there."""
    return _part(raw, 0, len(raw), 0)


def walk(raw: bytes, limits: WalkLimits = WalkLimits()) -> Iterator[Part]:
    """The message, then its parts, in order. Never raises."""
    waiting = [message(raw[: limits.size])]
    for count in range(limits.parts):
        if not waiting:
            return
        part = waiting.pop()
        yield part
        if part.depth < limits.depth:
            waiting += reversed(part.inner(limits.parts - count))


def without_tags(markup: str, instead: str) -> str:
    """HTML with something `instead` of each tag; comments and styles stay."""
    return _TAG.sub(instead, markup)


def parameters(value: str) -> dict[str, str]:
    """The parameters of a Content-Type or the like, names in lower case."""
    found: dict[str, str] = {}
    for name, quoted, token in _PARAMETER.findall(value[:4000]):
        found.setdefault(name.lower().rstrip("*"), quoted or token)
    return found


def _part(
    source: Source, start: int, end: int, depth: int, default: str = "text/plain"
) -> Part:
    head_end, body_start, is_sound = _head(source, start, end)
    headers = Headers(fields.split(source[start:head_end]))
    content_type = headers.content_type or default
    given = parameters(_first(headers, "content-type"))
    boundary = given.get("boundary", "").rstrip()
    return Part(
        source=source,
        start=start,
        head_end=head_end,
        body_start=body_start,
        end=end,
        is_sound=is_sound,
        depth=depth,
        headers=headers,
        content_type=content_type,
        boundary=boundary if content_type.startswith("multipart/") else "",
        charset=given.get("charset", "").strip("'\" "),
        encoding=_first(headers, "content-transfer-encoding").lower(),
    )


def _first(headers: Headers, name: str) -> str:
    values = headers.fields.get(name)
    return fields.text(values[0]) if values else ""


def _head(source: Source, start: int, end: int) -> tuple[int, int, bool]:
    """Where the header ends, where the body begins, and whether it is sound."""
    room = min(end, start + fields.MAX_HEAD)
    for line_end in (b"\n", b"\r\n"):
        body_start = start + len(line_end)
        if source[start : min(end, body_start)] == line_end:
            return start, body_start, True
    found = _HEAD_END.search(source, start, room)
    if found:
        block = source[start : found.start(1)]
        lines = block[: -2 if block.endswith(b"\r\n") else -1]
        if block.count(b"\n") <= _MOST_LINES and not _ODD_LINE.search(lines):
            return found.start(1), found.end(), True
    size, body = fields.head_size(source[start:room])
    return start + size, start + body, False


def _before_line_end(source: Source, start: int, end: int) -> int:
    """A boundary line's line end before it belongs to it (RFC 2046, 5.1.1)."""
    for line_end in (b"\r\n", b"\n", b"\r"):
        if source[max(start, end - len(line_end)) : end] == line_end:
            return end - len(line_end)
    return max(start, end)
