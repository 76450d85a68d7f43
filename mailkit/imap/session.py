"""Reading over IMAP without leaving a trace (RFC 3501, 9051)."""

from __future__ import annotations

import imaplib
import re
from dataclasses import dataclass
from typing import Any

from ..connection.replies import Stage, mailbox_error
from ..connection.session import Session
from ..connection.settings import Credentials, Protocol, Security
from ..connection.tls import TlsFacts
from ..connection.wire import Wire
from ..errors import ErrorCode, MailError

_ANSWER = re.compile(rb"\S{1,64} (OK|NO|BAD|BYE|PREAUTH)\b ?(.*)", re.DOTALL)


@dataclass(frozen=True)
class ImapFacts:
    """What the server told before the sign-in."""

    address: str
    tls: TlsFacts
    capabilities: tuple[str, ...]


@dataclass(frozen=True)
class Listing:
    """What is in a mailbox. `uid_validity`: IMAP only, else 0 (RFC 3501 2.3.1.1)."""

    messages: int
    uid_validity: int = 0


class _Client(imaplib.IMAP4):
    """imaplib over a Wire, by the methods that are documented to be overridden."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        super().__init__()

    def capability(self) -> tuple[str, list[Any]]:
        """Return the capabilities: those that the server told by itself, or ask."""
        told = self.untagged_responses.pop("CAPABILITY", None)
        return ("OK", told) if told else super().capability()

    def open(
        self, host: str = "", port: int = 143, timeout: float | None = None
    ) -> None:
        """Take the connection that is there already."""
        self.host, self.port = host, port

    def read(self, size: int) -> bytes:
        """Read exactly `size` bytes."""
        return self._wire.read(size)

    def readline(self) -> bytes:
        """Read one line."""
        return self._wire.readline()

    def send(self, data: bytes) -> None:  # type: ignore[override]
        """Send all of `data`."""
        self._wire.sendall(data)

    def shutdown(self) -> None:
        """End the connection."""
        self._wire.close()


class ImapSession(Session):
    """One connection to one mailbox, which is only ever examined."""

    protocol = Protocol.IMAP
    _client: _Client
    # Whether the capabilities are those of a signed-in session.
    _told_signed_in = False

    def open(self) -> ImapFacts:
        """Connect and encrypt as the settings say; never goes on without STARTTLS.

        Raises MailError.
        """
        with self._operation(opening=True):
            wire = self._connect()
            self._client = self._greet(wire)
            if self.server.security is Security.STARTTLS:
                self._start_tls(wire)
            capabilities = tuple(self._client.capabilities)
            return ImapFacts(wire.endpoint.address, wire.tls, capabilities)

    def login(self) -> None:
        """Sign in. Raises MailError LOGIN_REFUSED and the like, AUTH_UNAVAILABLE.

        AUTHENTICATE PLAIN takes every character (RFC 4616); LOGIN follows only where
        the server says that the mechanism, not the password, was the problem.
        """
        with self._operation():
            self._sign_in(self._signed())
            # Many tell anew what they can do, and more of it (RFC 3501 section 6.2.3).
            told = self._client.untagged_responses.pop("CAPABILITY", None)
            self._told_signed_in = bool(told)
            if told:
                self._note_capabilities(told)

    def listing(self) -> Listing:
        """Open INBOX for reading only, so that no message is marked as seen.

        Raises MailError LISTING_FAILED and the like.
        """
        with self._operation():
            try:
                status, data = self._client.select("INBOX", readonly=True)
            except imaplib.IMAP4.error:
                raise self._refusal(Stage.LISTING) from None
            if status != "OK":
                raise self._refusal(Stage.LISTING)
            validity = self._client.response("UIDVALIDITY")[1]
            return Listing(_number(data), _number(validity))

    def _sign_in(self, credentials: Credentials) -> None:
        offered = self._client.capabilities
        if "AUTH=PLAIN" in offered:
            answer, text = self._authenticate(credentials)
            if answer == b"OK":
                return
            error = mailbox_error(Stage.LOGIN, text, self._secrets)
            unfit = answer == b"BAD" or error.code is ErrorCode.AUTH_UNAVAILABLE
            if not unfit or "LOGINDISABLED" in offered:
                raise error
        if "LOGINDISABLED" in offered:
            raise MailError(ErrorCode.AUTH_UNAVAILABLE)
        answer, text = self._plain_login(credentials)
        if answer != b"OK":
            raise mailbox_error(Stage.LOGIN, text, self._secrets)

    def _greet(self, wire: Wire) -> _Client:
        """Read the greeting, and ask for the capabilities."""
        try:
            client = _Client(wire)
        except imaplib.IMAP4.error:
            if wire.last_line.startswith(b"* BYE"):
                raise self._refusal(Stage.GREETING) from None
            if not _ANSWER.match(wire.last_line):
                raise self._not_this_protocol() from None
            raise
        if client.state != "NONAUTH":
            # A greeting of PREAUTH can't be encrypted any more, and nobody signed in.
            raise MailError(ErrorCode.PROTOCOL_ERROR, field="security")
        return client

    def _start_tls(self, wire: Wire) -> None:
        if "STARTTLS" not in self._client.capabilities:
            raise MailError(ErrorCode.STARTTLS_MISSING)
        answer, text = self._ask("STARTTLS")
        if answer != b"OK":
            reply = mailbox_error(Stage.HELLO, text, self._secrets).reply
            raise MailError(ErrorCode.STARTTLS_MISSING, reply=reply)
        wire.encrypt(self.server)
        # What was said in plain text counts for nothing (RFC 3501 section 6.2.1).
        self._client.untagged_responses.clear()
        self._note_capabilities(self._client.capability()[1])

    def _note_capabilities(self, told: list[Any]) -> None:
        self._client.capabilities = tuple(told[-1].decode("ascii").upper().split())

    def _authenticate(self, credentials: Credentials) -> tuple[bytes, bytes]:
        token = f"\0{credentials.login}\0{credentials.password}".encode()
        try:
            # imaplib does the base64.
            self._client.authenticate("PLAIN", lambda _challenge: token)
        except imaplib.IMAP4.error:
            return self._last_answer()
        return b"OK", b""

    def _plain_login(self, credentials: Credentials) -> tuple[bytes, bytes]:
        answer = self._ask(
            "LOGIN", _quoted(credentials.login), _quoted(credentials.password)
        )
        if answer[0] == b"OK":
            self._client.state = "AUTH"
        return answer

    def _ask(self, command: str, *arguments: bytes) -> tuple[bytes, bytes]:
        """Send a command; return OK, NO, BAD or BYE, and the text behind it."""
        try:
            # Unlike login(), this takes bytes, thus other characters than ASCII.
            self._client.xatom(command, *arguments)  # type: ignore[arg-type]
        except imaplib.IMAP4.error:
            return self._last_answer()
        return self._last_answer()

    def _last_answer(self) -> tuple[bytes, bytes]:
        line = self._connection.last_line
        found = _ANSWER.match(line)
        if not found:
            raise self._incomprehensible(line) from None
        return found.group(1), found.group(2)

    def _refusal(self, stage: Stage) -> MailError:
        _answer, text = self._last_answer()
        return mailbox_error(stage, text, self._secrets)

    def _goodbye(self) -> None:
        self._client.logout()


def _quoted(text: str) -> bytes:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'.encode()


def _number(data: list[bytes | None]) -> int:
    last = data[-1] if data else None
    if last is None or not re.fullmatch(rb"\d{1,10}", last):
        raise MailError(ErrorCode.LISTING_FAILED)
    return int(last)
