"""One mail as Twisted's IMAP server wants it."""

import email
import email.policy
import email.utils
import io
import re
from collections.abc import Callable
from email.message import Message
from typing import Any

from twisted.mail import imap4
from zope.interface import implementer

from .maildir import Entry

#: IMAP's flags and Maildir's letters for them.
FLAGS = {
    r"\Seen": "S",
    r"\Answered": "R",
    r"\Flagged": "F",
    r"\Deleted": "T",
    r"\Draft": "D",
}


@implementer(imap4.IMessagePart)
class ImapPart:
    """A part of a mail, or the whole of it."""

    def __init__(self, message: "Message[str, str]") -> None:
        self._message = message

    def getHeaders(self, negate: bool, *names: str | bytes) -> dict[str, str]:
        wanted = {
            (name.decode() if isinstance(name, bytes) else name).lower()
            for name in names
        }
        return {
            name.lower(): str(value)
            for name, value in self._message.items()
            if (name.lower() in wanted) != bool(negate)
        }

    def getBodyFile(self) -> io.BytesIO:
        return io.BytesIO(_split(self._message.as_bytes())[1])

    def getSize(self) -> int:
        return len(self._message.as_bytes())

    def isMultipart(self) -> bool:
        return self._message.is_multipart()

    def getSubPart(self, part: int) -> "ImapPart":
        """Raises IndexError."""
        parts = self._message.get_payload()
        if not isinstance(parts, list):
            raise IndexError(part)
        return ImapPart(parts[part])


@implementer(imap4.IMessage, imap4.IMessageFile)
class ImapMessage(ImapPart):
    """A mail in a mailbox."""

    def __init__(self, entry: Entry, mark_seen: Callable[[], None]) -> None:
        self._entry = entry
        self._raw = entry.raw()
        self.mark_seen = mark_seen
        policy = email.policy.compat32.clone(linesep="\r\n")
        super().__init__(email.message_from_bytes(self._raw, policy=policy))

    def getUID(self) -> int:
        return self._entry.uid

    def getFlags(self) -> list[str]:
        return [name for name, letter in FLAGS.items() if letter in self._entry.flags]

    def getInternalDate(self) -> str:
        return email.utils.formatdate(self._entry.path.stat().st_mtime)

    def getSize(self) -> int:
        return len(self._raw)

    def getBodyFile(self) -> io.BytesIO:
        return io.BytesIO(_split(self._raw)[1])

    def open(self) -> io.BytesIO:
        return io.BytesIO(self._raw)

    def section(self, part: Any) -> bytes | None:
        """The bytes of BODY[], BODY[TEXT], BODY[HEADER...]; None for a MIME part."""
        if part.part or part.mime:
            return None
        head, body = _split(self._raw)
        if part.empty:
            return self._raw
        if part.text:
            return body
        if part.header is None:
            return None
        return _fields(head, part.header.fields, part.header.negate) + b"\r\n"


def _split(raw: bytes) -> tuple[bytes, bytes]:
    """Header lines and body, without the empty line between them."""
    head, gap, body = raw.partition(b"\r\n\r\n")
    return head + (b"\r\n" if gap else b""), body


def _fields(head: bytes, names: tuple[bytes, ...], others: bool) -> bytes:
    """The named fields, or the `others`, with their continuation lines."""
    wanted = {name.lower() for name in names}
    fields = re.findall(rb"[^\r\n]+\r\n(?:[ \t][^\r\n]*\r\n)*", head)
    return b"".join(
        field
        for field in fields
        if (field.partition(b":")[0].strip().lower() in wanted) != bool(others)
    )
