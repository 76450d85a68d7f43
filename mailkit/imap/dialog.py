"""IMAP commands and their answers, as many as wanted on the way at once.

imaplib keeps what every command brought in one dictionary by kind, whatever it
belongs to, and literals of any size whole. It stays for greeting and sign-in; what
reads mail asks here.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..connection.replies import Stage, mailbox_error
from ..connection.wire import Wire
from ..errors import ErrorCode, MailError

_CRLF = b"\r\n"
# Their text is free, so that braces at its end announce nothing (RFC 3501 section 9).
_CONDITION = re.compile(rb"\* (OK|NO|BAD|BYE|PREAUTH)\b", re.IGNORECASE)
_LITERAL = re.compile(rb"\{(\d{1,10})\}\r?\n\Z")
_PIECE = 65536
# Responses to one command: far more than to any that is asked here.
_MOST = 50_000
# Literals in one of them; a message has few.
_MOST_LITERALS = 100


@dataclass(frozen=True)
class Literal:
    """An argument that is sent as it is, behind its size."""

    data: bytes


@dataclass(frozen=True)
class Untagged:
    """An untagged response without the asterisk.

    Where a literal stood `text` has its place in `literals` in braces.
    """

    text: bytes
    literals: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Answer:
    """How a command ended: OK, NO or BAD, the text behind it, and what came before."""

    status: bytes
    text: bytes
    untagged: tuple[Untagged, ...]

    @property
    def ok(self) -> bool:
        """Whether the server did it."""
        return self.status == b"OK"

    @property
    def only_expunged(self) -> bool:
        """Whether it did so but for messages that are gone (RFC 5530)."""
        return self.text[:15].upper() == b"[EXPUNGEISSUED]"


Command = Sequence["bytes | Literal"]


class Spill:
    """Takes literals that are larger than what is kept of each: to the disk.

    `count`: how many there were; `file` holds the last one, ready to be read.
    """

    def __init__(self) -> None:
        self.count = 0
        self.file = tempfile.SpooledTemporaryFile(max_size=16 * _PIECE)

    def begin(self) -> None:
        """Forget the one before."""
        self.count += 1
        self.file.seek(0)
        self.file.truncate()

    def __enter__(self) -> Spill:
        return self

    def __exit__(self, *_error: object) -> None:
        self.file.close()


class Dialog:
    """The commands after the sign-in.

    Raises MailError, and ValueError for what is no IMAP; `secrets` are not shown.
    """

    def __init__(self, wire: Wire, secrets: Iterable[str]) -> None:
        self._wire = wire
        self._secrets = tuple(secrets)
        self._count = 0

    def ask(
        self,
        *command: bytes | Literal,
        keep: int = _PIECE,
        spill: Spill | None = None,
    ) -> Answer:
        """Send a command and wait for its answer.

        `keep`: how much is kept of each literal; the rest is read and dropped, but for
        `spill`, which gets the whole of what is larger.
        """
        tag = self._tag()
        early: list[Untagged] = []
        line = tag
        for part in command:
            if isinstance(part, bytes):
                line += b" " + part
                continue
            self._wire.sendall(b"%b {%d}\r\n" % (line, len(part.data)))
            refused = self._until_continuation(tag, early)
            if refused:
                return refused
            self._wire.sendall(part.data)
            line = b""
        self._wire.sendall(line + _CRLF)
        return self._until_tagged(tag, early, keep, spill)

    def ask_all(self, commands: Sequence[Command]) -> list[Answer]:
        """Send the commands all at once, if they have no literals; then wait.

        They have to be few and short: nothing is read while they are sent.
        """
        if any(isinstance(part, Literal) for command in commands for part in command):
            return [self.ask(*command) for command in commands]
        tags = [self._tag() for _ in commands]
        lines = [
            b" ".join([tag, *(part for part in command if isinstance(part, bytes))])
            for tag, command in zip(tags, commands, strict=True)
        ]
        self._wire.sendall(_CRLF.join([*lines, b""]))
        return [self._until_tagged(tag, [], _PIECE) for tag in tags]

    def _tag(self) -> bytes:
        self._count += 1
        return b"R%d" % self._count

    def _until_continuation(self, tag: bytes, seen: list[Untagged]) -> Answer | None:
        """Return None when the literal may follow, else the server's refusal."""
        while True:
            text, literals = self._read(_PIECE)
            if text.startswith(b"+"):
                return None
            if text.startswith(tag + b" "):
                refusal = _answer(tag, text, seen)
                if refusal.ok:
                    raise ValueError("done before it was told what")
                return refusal
            self._take(text, literals, seen)

    def _until_tagged(
        self,
        tag: bytes,
        seen: list[Untagged],
        keep: int,
        spill: Spill | None = None,
    ) -> Answer:
        while True:
            text, literals = self._read(keep, spill)
            if text.startswith(tag + b" "):
                return _answer(tag, text, seen)
            self._take(text, literals, seen)

    def _take(
        self, text: bytes, literals: tuple[bytes, ...], seen: list[Untagged]
    ) -> None:
        if not text.startswith(b"* "):
            raise ValueError("neither an answer nor an untagged response")
        if text[2:6].upper() == b"BYE ":
            raise self._farewell(text[6:])
        if len(seen) >= _MOST:
            raise ValueError("more responses than there can be")
        seen.append(Untagged(text[2:].rstrip(_CRLF), literals))

    def _farewell(self, text: bytes) -> MailError:
        """Return the error for a server that ends the session by itself."""
        error = mailbox_error(Stage.LISTING, text, self._secrets)
        if error.code is ErrorCode.LISTING_FAILED:
            return MailError(ErrorCode.CONNECTION_LOST, reply=error.reply)
        return error

    def _read(
        self, keep: int, spill: Spill | None = None
    ) -> tuple[bytes, tuple[bytes, ...]]:
        """Read one response with its literals."""
        line = self._wire.readline()
        if not line.startswith(b"* ") or _CONDITION.match(line):
            return line, ()
        pieces: list[bytes] = []
        literals: list[bytes] = []
        while line.endswith((b"}\r\n", b"}\n")) and (found := _LITERAL.search(line)):
            if len(literals) >= _MOST_LITERALS:
                raise ValueError("more literals than there can be")
            pieces.append(b"%b{%d}" % (line[: found.start()], len(literals)))
            literals.append(self._literal(int(found.group(1)), keep, spill))
            line = self._wire.readline()
        return b"".join((*pieces, line)), tuple(literals)

    def _literal(self, size: int, keep: int, spill: Spill | None) -> bytes:
        kept = self._wire.read(min(size, keep))
        left = size - len(kept)
        if left and spill:
            spill.begin()
            spill.file.write(kept)
        while left:
            piece = self._wire.read(min(left, _PIECE))
            left -= len(piece)
            if spill:
                spill.file.write(piece)
        if spill:
            spill.file.seek(0)
        return kept


def _answer(tag: bytes, line: bytes, seen: Sequence[Untagged]) -> Answer:
    status, _, text = line[len(tag) + 1 :].rstrip(_CRLF).partition(b" ")
    if status.upper() not in (b"OK", b"NO", b"BAD"):
        raise ValueError("no status")
    return Answer(status.upper(), text, tuple(seen))
