"""What is said on an IMAP connection, and how it begins: greeting, TLS, sign-in.

RFC 3501, 9051; AUTHENTICATE takes the mechanisms of `connection.session`.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..connection.network import Wire
from ..connection.replies import Stage, mailbox_error
from ..connection.session import Mechanism, Session, judged, usable_mechanisms
from ..connection.settings import Credentials, Protocol, Security
from ..errors import ErrorCode, MailError
from . import grammar
from .grammar import Literal, Untagged

_CRLF = b"\r\n"
_GREETING = re.compile(rb"\* (OK|PREAUTH|BYE)\b ?(.*)", re.IGNORECASE | re.DOTALL)
# Their text is free, so that braces at its end announce nothing (RFC 3501 section 9).
_CONDITION = re.compile(rb"\* (OK|NO|BAD|BYE|PREAUTH)\b", re.IGNORECASE)
_LITERAL = re.compile(rb"\{(\d{1,10})\}\r?\n\Z")
# Of a BAD that does not say what is bad: perhaps the mechanism.
_UNSAID = (ErrorCode.LOGIN_REFUSED, ErrorCode.TOKEN_REFUSED)
_PIECE = 65536
# Responses to one command: far more than to any that is asked here.
_MOST = 50_000
# Literals in one of them; a message has few.
_MOST_LITERALS = 100


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

    @property
    def capabilities(self) -> frozenset[str]:
        """What it told that the server can do, asked for or not (RFC 3501 7.1)."""
        end = Untagged(b"OK " + self.text)
        return grammar.capabilities((*self.untagged, end))


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
    """Commands and their answers, as many as wanted on the way at once.

    Raises MailError, and ValueError for what is no IMAP; `secrets` are not shown.
    `stage`: what a server that says goodbye by itself may be speaking of.
    """

    stage = Stage.GREETING

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
            go_ahead = self._until_continuation(tag, early)
            if isinstance(go_ahead, Answer):
                if go_ahead.ok:
                    raise ValueError("done before it was told what")
                return go_ahead
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

    def authenticate(self, mechanism: Mechanism) -> Answer:
        """Sign in; every server takes the first answer in a line of its own."""
        tag = self._tag()
        early: list[Untagged] = []
        self._wire.sendall(b"%b AUTHENTICATE %b\r\n" % (tag, mechanism.name.encode()))
        for answer in mechanism.all_answers:
            challenge = self._until_continuation(tag, early)
            if isinstance(challenge, Answer):
                return challenge
            self._wire.sendall(answer(challenge) + _CRLF)
        return self._until_tagged(tag, early, _PIECE)

    def log_out(self) -> None:
        """Say goodbye, and wait until the server has heard it."""
        tag = self._tag()
        self._wire.sendall(tag + b" LOGOUT\r\n")
        while not self._wire.readline().startswith((tag, b"* BYE")):
            pass

    def _tag(self) -> bytes:
        self._count += 1
        return b"R%d" % self._count

    def _until_continuation(self, tag: bytes, seen: list[Untagged]) -> Answer | bytes:
        """Return what stands behind the plus, or how the command ended instead."""
        while True:
            text, literals = self._read(_PIECE)
            if text.startswith(b"+"):
                return text[1:].strip()
            if text.startswith(tag + b" "):
                return _answer(tag, text, seen)
            self._note(text, literals, seen)

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
            self._note(text, literals, seen)

    def _note(
        self, text: bytes, literals: tuple[bytes, ...], seen: list[Untagged]
    ) -> None:
        if not text.startswith(b"* "):
            raise ValueError("neither an answer nor an untagged response")
        if text[2:5].upper() == b"BYE":
            raise self._farewell(text[5:])
        if len(seen) >= _MOST:
            raise ValueError("more responses than there can be")
        seen.append(Untagged(text[2:].rstrip(_CRLF), literals))

    def _farewell(self, text: bytes) -> MailError:
        """Return the error for a server that ends the session by itself."""
        error = mailbox_error(self.stage, text, self._secrets)
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


class ImapSession(Session):
    """One connection to one mailbox.

    `capabilities`: what the server told last that it can do, in upper case.
    """

    protocol = Protocol.IMAP
    capabilities: frozenset[str] = frozenset()
    _dialog: Dialog
    # Whether the capabilities are those of a signed-in session.
    _told_signed_in = False

    def open(self) -> None:
        """Connect and encrypt as the settings say; never goes on without STARTTLS.

        Raises MailError.
        """
        with self._operation(opening=True):
            wire = self._connect()
            self._dialog = Dialog(wire, self._secrets)
            self._greet(wire)
            if self.server.security is Security.STARTTLS:
                self._start_tls(wire)

    def login(self) -> None:
        """Sign in. Raises MailError LOGIN_REFUSED and the like, AUTH_UNAVAILABLE.

        AUTHENTICATE PLAIN takes every character (RFC 4616); LOGIN follows only where
        the server says that the mechanism, not the password, was the problem, and
        never with an access token.
        """
        with self._operation():
            credentials = self._signed()
            self._dialog.stage = Stage.LOGIN
            answer = self._sign_in(credentials)
            self._dialog.stage = Stage.LISTING
            # Many tell anew what they can do, and more of it (RFC 3501 section 6.2.3).
            self._told_signed_in = bool(answer.capabilities)
            self.capabilities = answer.capabilities or self.capabilities

    # Within an operation

    def _demand(self, answer: Answer, stage: Stage) -> None:
        if not answer.ok:
            raise mailbox_error(stage, answer.text, self._secrets)

    def _ask_capabilities(self) -> frozenset[str]:
        told = self._dialog.ask(b"CAPABILITY").capabilities
        if not told:
            raise MailError(ErrorCode.PROTOCOL_ERROR, reply=self._last_words())
        return told

    def _greet(self, wire: Wire) -> None:
        """Read the greeting, and ask for the capabilities if it does not tell them."""
        found = _GREETING.match(wire.readline())
        if not found:
            raise self._not_this_protocol()
        if found.group(1).upper() == b"BYE":
            raise mailbox_error(Stage.GREETING, found.group(2), self._secrets)
        if found.group(1).upper() == b"PREAUTH":
            # It can't be encrypted any more, and nobody signed in.
            raise MailError(ErrorCode.PROTOCOL_ERROR, field="security")
        told = Answer(b"OK", found.group(2), ()).capabilities
        try:
            self.capabilities = told or self._ask_capabilities()
        except ValueError:
            raise self._not_this_protocol() from None

    def _start_tls(self, wire: Wire) -> None:
        if "STARTTLS" not in self.capabilities:
            raise MailError(ErrorCode.STARTTLS_MISSING)
        answer = self._dialog.ask(b"STARTTLS")
        if not answer.ok:
            reply = mailbox_error(Stage.HELLO, answer.text, self._secrets).reply
            raise MailError(ErrorCode.STARTTLS_MISSING, reply=reply)
        wire.encrypt(self.server)
        # What was said in plain text counts for nothing (RFC 3501 section 6.2.1).
        self.capabilities = self._ask_capabilities()

    def _sign_in(self, credentials: Credentials) -> Answer:
        told = self.capabilities
        offered = {name[5:] for name in told if name.startswith("AUTH=")}
        error = MailError(ErrorCode.AUTH_UNAVAILABLE)
        for mechanism in usable_mechanisms(self.server, credentials, offered):
            answer = self._authenticated(mechanism)
            if answer.ok:
                return answer
            refused = mailbox_error(Stage.LOGIN, answer.text, self._secrets)
            error = judged(mechanism, refused)
            unsaid = answer.status == b"BAD" and error.code in _UNSAID
            if not (unsaid or error.code is ErrorCode.AUTH_UNAVAILABLE):
                raise error
        if credentials.access_token or "LOGINDISABLED" in told:
            raise error
        answer = self._dialog.ask(
            b"LOGIN", _quoted(credentials.login), _quoted(credentials.password)
        )
        self._demand(answer, Stage.LOGIN)
        return answer

    def _authenticated(self, mechanism: Mechanism) -> Answer:
        try:
            return self._dialog.authenticate(mechanism)
        except MailError as farewell:
            error = judged(mechanism, farewell)
        if error.code is ErrorCode.TOKEN_REFUSED and not mechanism.was_judged:
            # Goodbye without a word about the token: nothing is known of it.
            error = MailError(ErrorCode.CONNECTION_LOST, reply=error.reply)
        raise error

    def _goodbye(self) -> None:
        self._dialog.log_out()


def _answer(tag: bytes, line: bytes, seen: Sequence[Untagged]) -> Answer:
    status, _, text = line[len(tag) + 1 :].rstrip(_CRLF).partition(b" ")
    if status.upper() not in (b"OK", b"NO", b"BAD"):
        raise ValueError("no status")
    return Answer(status.upper(), text, tuple(seen))


def _quoted(text: str) -> bytes:
    """In UTF-8, also beyond ASCII: a literal would cost a round trip more."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'.encode()
