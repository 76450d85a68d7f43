"""The parts of a raw message, found with bounded work.

`email.parser` takes a whole message apart, recurses into message/rfc822 without a
limit and holds several copies of a 50 MB mail. To find a mark in a body, or what a
delivery report says, the first parts of the first megabytes are enough.
"""

from __future__ import annotations

import binascii
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from . import fields
from .headers import Headers

_PARAMETER = re.compile(
    r""";\s*([\w*'%.-]{1,40})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))""", re.DOTALL
)
_TAG = re.compile(r"<[^<>]*>")
_WHOLE_MESSAGE = ("message/rfc822", "message/global", "message/news")


@dataclass(frozen=True)
class Limits:
    """`size`: bytes of the message that are looked at; `depth`: parts in parts."""

    size: int = 2 << 20
    depth: int = 8
    parts: int = 100


@dataclass(frozen=True)
class Part:
    """A part of a message; the message itself is the first, at depth 0.

    `content_type`: lower case, "text/plain" when it has none. `charset`: "" when it
    has none. `body`: as sent, possibly cut off; of a multipart the whole inside.
    """

    headers: Headers
    content_type: str
    boundary: str
    charset: str
    depth: int
    body: bytes

    @property
    def is_message(self) -> bool:
        """Whether the body is a message of its own, which is the next part then."""
        return self.content_type in _WHOLE_MESSAGE

    def decoded(self) -> bytes:
        """The body without its transfer encoding, as far as it can be decoded."""
        values = self.headers.fields.get("content-transfer-encoding", [b""])
        encoding = fields.text(values[0]).lower()
        if encoding == "base64":
            data = fields.unbase64(self.body)
            return self.body if data is None else data
        if encoding == "quoted-printable":
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


def walk(raw: bytes, limits: Limits = Limits()) -> Iterator[Part]:
    """The message, then its parts, in order. Never raises."""
    waiting = [(raw[: limits.size], 0, "text/plain")]
    for _count in range(limits.parts):
        if not waiting:
            return
        data, depth, default = waiting.pop()
        part = _parse(data, depth, default)
        yield part
        if depth >= limits.depth:
            continue
        if part.boundary:
            room = limits.parts - _count
            digest = part.content_type == "multipart/digest"
            default = "message/rfc822" if digest else "text/plain"
            inner = _inside(part.body, part.boundary, room)
            waiting += [(piece, depth + 1, default) for piece in reversed(inner)]
        elif part.is_message:
            waiting.append((part.decoded(), depth + 1, "text/plain"))


def without_tags(markup: str, instead: str) -> str:
    """HTML with something `instead` of each tag; comments and styles stay."""
    return _TAG.sub(instead, markup)


def parameters(value: str) -> dict[str, str]:
    """The parameters of a Content-Type or the like, names in lower case."""
    found: dict[str, str] = {}
    for name, quoted, token in _PARAMETER.findall(value[:4000]):
        found.setdefault(name.lower().rstrip("*"), quoted or token)
    return found


def _parse(data: bytes, depth: int, default: str) -> Part:
    end, start = fields.head_size(data)
    headers = Headers(fields.split(data[:end]))
    content_type = headers.content_type or default
    values = headers.fields.get("content-type")
    given = parameters(fields.text(values[0])) if values else {}
    boundary = given.get("boundary", "")
    if not content_type.startswith("multipart/"):
        boundary = ""
    charset = given.get("charset", "").strip("'\" ")
    body = data[start:]
    return Part(headers, content_type, boundary, charset, depth, body)


def _inside(body: bytes, boundary: str, room: int) -> list[bytes]:
    """What stands between the boundary lines; a missing last one is the end."""
    mark = b"--" + boundary.rstrip().encode("utf-8", "replace")
    pieces: list[bytes] = []
    start = -1
    position = 0
    while len(pieces) < room:
        found = body.find(mark, position)
        if found < 0:
            break
        position = found + len(mark)
        after = body[position : position + 2]
        at_line_start = found == 0 or body[found - 1] in b"\r\n"
        if not at_line_start or (after[:1] not in b"\r\n\t " and after != b"--"):
            continue
        if start >= 0:
            pieces.append(_trimmed(body, start, found))
        if after == b"--":
            return pieces
        line_end = body.find(b"\n", position)
        start = (line_end if line_end >= 0 else position) + 1
    else:
        return pieces
    if start >= 0:
        pieces.append(body[start:])
    return pieces


def _trimmed(body: bytes, start: int, end: int) -> bytes:
    """Without the line end that belongs to the boundary line (RFC 2046, 5.1.1)."""
    piece = body[start : max(start, end)]
    return piece[:-2] if piece.endswith(b"\r\n") else piece[:-1]
