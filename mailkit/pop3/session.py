"""Reading over POP3 (RFC 1939, 2449, 2595, 5034, 6856)."""

from __future__ import annotations

import base64
import poplib
import re
import socket
from dataclasses import dataclass
from typing import NoReturn, cast

from ..connection.replies import Stage, mailbox_error
from ..connection.session import Session
from ..connection.settings import Credentials, Protocol, Security
from ..connection.tls import TlsFacts
from ..connection.wire import Wire
from ..errors import ErrorCode, MailError
from ..imap.session import Listing

_MAX_LINE = 2048  # octets, as poplib


@dataclass(frozen=True)
class Pop3Facts:
    """What the server told before the sign-in; no capabilities if it has no CAPA."""

    address: str
    tls: TlsFacts
    capabilities: tuple[str, ...]


class _Client(poplib.POP3):
    """poplib over a Wire."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        super().__init__(wire.endpoint.address, wire.endpoint.port)

    def _create_socket(self, _timeout: float) -> socket.socket:
        return cast(socket.socket, self._wire)


class Pop3Session(Session):
    """One connection to one mailbox; nothing is deleted or fetched."""

    protocol = Protocol.POP3
    _client: _Client

    def open(self) -> Pop3Facts:
        """Connect and encrypt as the settings say; never goes on without STLS.

        Raises MailError.
        """
        with self._operation(opening=True):
            wire = self._connect()
            try:
                self._client = _Client(wire)
            except poplib.error_proto:
                if wire.last_line.startswith(b"-ERR"):
                    self._refuse(Stage.GREETING)
                raise self._not_this_protocol() from None
            if not self._client.welcome.startswith(b"+OK"):
                raise self._not_this_protocol()
            self._capabilities = self._ask_capabilities()
            if self.server.security is Security.STARTTLS:
                self._start_tls(wire)
            return Pop3Facts(
                wire.endpoint.address, wire.tls, tuple(sorted(self._capabilities))
            )

    def login(self) -> None:
        """Sign in. Raises MailError LOGIN_REFUSED and the like, AUTH_UNAVAILABLE."""
        with self._operation():
            credentials = self._signed()
            mechanisms = [name.upper() for name in self._capabilities.get("SASL", [])]
            try:
                if "USER" in self._capabilities or "PLAIN" not in mechanisms:
                    self._user_pass(credentials)
                else:
                    self._auth_plain(credentials)
            except poplib.error_proto:
                self._refuse(Stage.LOGIN)

    def listing(self) -> Listing:
        """Count the messages, and see that the server can name them (UIDL).

        Raises MailError UIDL_MISSING, LISTING_FAILED and the like.
        """
        with self._operation():
            try:
                messages, _octets = self._client.stat()
            except poplib.error_proto:
                self._refuse(Stage.LISTING)
            try:
                # One line, not a mailbox full of them.
                self._client.uidl(1) if messages else self._client.uidl()
            except poplib.error_proto:
                raise MailError(
                    ErrorCode.UIDL_MISSING, reply=self._refusal(Stage.LISTING).reply
                ) from None
            return Listing(messages)

    def _start_tls(self, wire: Wire) -> None:
        # Without CAPA nobody knows: then the command itself tells.
        if self._capabilities and "STLS" not in self._capabilities:
            raise MailError(ErrorCode.STARTTLS_MISSING)
        try:
            self._ask("STLS")
        except poplib.error_proto:
            reply = self._refusal(Stage.HELLO).reply
            raise MailError(ErrorCode.STARTTLS_MISSING, reply=reply) from None
        wire.encrypt(self.server)
        # What was said in plain text counts for nothing (RFC 2595 section 4).
        self._capabilities = self._ask_capabilities()

    def _ask_capabilities(self) -> dict[str, list[str]]:
        try:
            return {k.upper(): v for k, v in self._client.capa().items()}
        except poplib.error_proto:
            self._refusal(Stage.HELLO)
            return {}

    def _user_pass(self, credentials: Credentials) -> None:
        if "UTF8" in self._capabilities and not _is_ascii(credentials):
            self._client.utf8()
        self._client.user(credentials.login)
        self._client.pass_(credentials.password)

    def _auth_plain(self, credentials: Credentials) -> None:
        token = f"\0{credentials.login}\0{credentials.password}".encode()
        self._ask("AUTH PLAIN")
        self._ask(base64.b64encode(token).decode())

    def _ask(self, line: str) -> None:
        """Send a command that poplib doesn't know, or knows as more than that."""
        self._connection.sendall(f"{line}\r\n".encode())
        answer = self._connection.readline(_MAX_LINE)
        if not answer.startswith(b"+"):
            raise poplib.error_proto(answer)

    def _refuse(self, stage: Stage) -> NoReturn:
        raise self._refusal(stage) from None

    def _refusal(self, stage: Stage) -> MailError:
        """Return the error for the -ERR read last, or for something else instead."""
        line = self._connection.last_line
        found = re.match(rb"-ERR\b ?(.*)", line, re.DOTALL)
        if not found:
            raise self._incomprehensible(line) from None
        return mailbox_error(stage, found.group(1), self._secrets)

    def _goodbye(self) -> None:
        self._ask("QUIT")


def _is_ascii(credentials: Credentials) -> bool:
    return credentials.login.isascii() and credentials.password.isascii()
