"""A part of a message that is not where it was, and the mark that stands for it."""

from __future__ import annotations

import binascii
import re
import secrets
from dataclasses import dataclass
from email.message import Message

from .plain_head import Source

#: Field that says: of this part only the beginning is left.
FIELD = "X-Taken-Out"
_MARK = re.compile(rb"taken-out-[0-9a-f]{32}")


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


def new_mark() -> bytes:
    """Nobody who writes a message can know it."""
    return b"taken-out-" + secrets.token_hex(16).encode()


def field_of(mark: bytes) -> bytes:
    """The header field that carries a mark."""
    return b"%s: %s\r\n" % (FIELD.encode(), mark)


def find_mark(data: bytes) -> bytes | None:
    """The first mark in `data`: of parts in parts the outermost."""
    found = _MARK.search(data)
    return found.group() if found else None
