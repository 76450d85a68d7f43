"""Sending: one signed-in SMTP session that takes many messages (RFC 5321, 4954)."""

from __future__ import annotations

import email.parser
import email.policy
import ipaddress
import re
import smtplib
import socket
from dataclasses import dataclass
from typing import NoReturn, cast

from .connection.network import Wire
from .connection.replies import Stage, readable, smtp_error, speaks_of_sender
from .connection.session import Mechanism, Session, judged, usable_mechanisms
from .connection.settings import Protocol, Security
from .errors import ErrorCode, MailError
from .message.address import Address

# A long message gets a second more for each of these many bytes.
_BYTES_PER_SECOND = 64 * 1024
_LINE_END = re.compile(rb"\r\n|\r|\n")
_EIGHT_BIT = re.compile(rb"[\x80-\xff]")
# Octets of an AUTH command. Many servers cut a longer one where a line has to end, and
# take the rest for a bad sign-in (Postfix: 2,048); in a line of its own they read it.
_MOST_AT_ONCE = 1900
# Replies to AUTH that are about the mechanism: another one may be tried. After any
# other refusal a second attempt would only count towards a lock-out.
_OTHER_MECHANISM = (500, 501, 502, 503, 504)
# Refusals at RCPT TO the account's own address that say nothing about the sender.
_ONLY_RECIPIENT = (
    ErrorCode.RECIPIENT_UNKNOWN,
    ErrorCode.RECIPIENT_REFUSED,
    ErrorCode.MAILBOX_FULL,
)


@dataclass(frozen=True)
class SmtpFacts:
    """What the server told in its last EHLO. `max_size`: octets, 0 if unknown."""

    max_size: int = 0
    smtputf8: bool = False
    eightbitmime: bool = False
    auth: tuple[str, ...] = ()


class SmtpSession(Session):
    """One connection for one account.

    It introduces itself by the address literal of this end of the connection (RFC 5321
    section 4.1.4).
    """

    protocol = Protocol.SMTP
    facts = SmtpFacts()
    _client: smtplib.SMTP

    def open(self) -> None:
        """Connect, encrypt as the settings say, and introduce ourselves.

        Never goes on in plain text when STARTTLS was asked for. Raises MailError.
        """
        with self._operation(opening=True):
            wire = self._connect()
            self._client = smtplib.SMTP(local_hostname=_literal(wire.local_address))
            # That of the class prints what is said: secrets.
            self._client.set_debuglevel(0)
            # smtplib has no way to be given a connection.
            self._client.sock = cast(socket.socket, wire)
            self._greet()
            self._hello()
            if self.server.security is Security.STARTTLS:
                self._start_tls(wire)
            self.facts = self._read_facts()

    def login(self) -> None:
        """Sign in. Raises MailError LOGIN_REFUSED and the like, AUTH_UNAVAILABLE.

        A mechanism is followed by another one only when the server says that the
        mechanism was the problem.
        """
        with self._operation():
            credentials = self._signed()
            mechanisms = usable_mechanisms(self.server, credentials, self.facts.auth)
            if not mechanisms:
                raise MailError(ErrorCode.AUTH_UNAVAILABLE)
            for mechanism in mechanisms:
                code, text = self._authenticate(mechanism)
                if code == 235:
                    return
                error = judged(mechanism, self._refusal(Stage.LOGIN, code, text))
                unfit = error.code is ErrorCode.AUTH_UNAVAILABLE
                if not (unfit or code in _OTHER_MECHANISM):
                    break
            raise error

    def _authenticate(self, mechanism: Mechanism) -> tuple[int, bytes]:
        """Return the last reply: its code and text."""
        words, answers = mechanism.name, mechanism.all_answers
        initial = mechanism.initial
        if initial is not None and len(words) + len(initial) < _MOST_AT_ONCE:
            words = f"{words} {mechanism.say_initial().decode()}"
            answers = mechanism.answers
        code, text = self._client.docmd("AUTH", words)
        for answer in answers:
            if code != 334:
                break
            code, text = self._client.docmd(answer(text).decode())
        return code, text

    def check_sender(self, address: str) -> None:
        """Ask whether `address` may be used as envelope sender. Sends nothing.

        Postfix answers only at RCPT TO, so the address is its own recipient; that it
        is unknown or full as a recipient does not matter. Raises MailError.
        """
        with self._operation():
            sender = _envelope_address(address, "email")
            try:
                self._mail(sender, 0, b"", (sender,))
                self._rcpt(sender)
            except MailError as error:
                if error.code not in _ONLY_RECIPIENT:
                    raise
                reply = error.reply
                refused = error.code is ErrorCode.RECIPIENT_REFUSED
                if refused and reply and speaks_of_sender(reply):
                    raise MailError(ErrorCode.SENDER_REFUSED, reply=reply) from None
            finally:
                self._reset()

    def send(self, sender: str, recipient: str, message: bytes) -> str:
        """Hand over `message` for one recipient; returns what the server said, a line.

        Line ends are made CRLF. A long message gets a second more than the timeout for
        every 64 KiB. Raises MailError; afterwards the session takes the next message
        unless `alive` is False. `in_doubt` is set when only the last answer is missing.
        """
        message = _LINE_END.sub(b"\r\n", message)
        with self._operation(extra=len(message) / _BYTES_PER_SECOND):
            envelope = (
                _envelope_address(sender, "email"),
                _envelope_address(recipient, "recipient"),
            )
            message = self._fitting(message)
            if 0 < self.facts.max_size < len(message):
                raise MailError(ErrorCode.MESSAGE_TOO_LARGE)
            try:
                self._mail(envelope[0], len(message), message, envelope)
                self._rcpt(envelope[1])
                return self._data(message)
            except MailError:
                self._reset()
                raise

    # Opening

    def _greet(self) -> None:
        code, text = self._client.getreply()
        if not 200 <= code <= 599 or self._connection.last_line[3:4] not in b" -\r\n":
            raise self._not_this_protocol()
        if code != 220:
            self._refuse(Stage.GREETING, code, text)

    def _hello(self) -> None:
        code, text = self._client.ehlo()
        if code != 250:
            self._refuse(Stage.HELLO, code, text)

    def _start_tls(self, wire: Wire) -> None:
        if not self._client.has_extn("starttls"):
            raise MailError(ErrorCode.STARTTLS_MISSING)
        code, text = self._client.docmd("STARTTLS")
        if code != 220:
            error = smtp_error(Stage.HELLO, code, text, self._secrets)
            if code // 100 not in (4, 5):
                raise error
            raise MailError(ErrorCode.STARTTLS_MISSING, reply=error.reply)
        wire.encrypt(self.server)
        # What was said in plain text counts for nothing (RFC 3207 section 4.2).
        self._client.esmtp_features = {}
        self._hello()

    def _read_facts(self) -> SmtpFacts:
        features = self._client.esmtp_features
        size = features.get("size", "").split(" ")[0]
        return SmtpFacts(
            max_size=int(size) if size.isdecimal() and len(size) < 16 else 0,
            smtputf8="smtputf8" in features,
            eightbitmime="8bitmime" in features,
            auth=tuple(features.get("auth", "").upper().split()),
        )

    # One message

    def _mail(
        self, sender: str, size: int, message: bytes, envelope: tuple[str, ...]
    ) -> None:
        options = [f"SIZE={size}"] if size and self._client.has_extn("size") else []
        if self.facts.eightbitmime and _EIGHT_BIT.search(message):
            options.append("BODY=8BITMIME")
        headers = message.partition(b"\r\n\r\n")[0]
        if _EIGHT_BIT.search(headers) or not all(map(str.isascii, envelope)):
            if not self.facts.smtputf8:
                raise MailError(ErrorCode.SMTPUTF8_MISSING)
            options.append("SMTPUTF8")
        self._command(Stage.MAIL, " ".join([f"MAIL FROM:<{sender}>", *options]))

    def _rcpt(self, recipient: str) -> None:
        self._command(Stage.RCPT, f"RCPT TO:<{recipient}>")

    def _data(self, message: bytes) -> str:
        self._command(Stage.DATA, "DATA", expected=354)
        stuffed = re.sub(rb"(?m)^\.", b"..", message)
        self._connection.sendall(
            stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n")
        )
        try:
            code, text = self._client.getreply()
        except MailError as error:
            error.in_doubt = True
            raise
        except smtplib.SMTPException:
            code, text = -1, b""
        if code // 100 not in (2, 4, 5):
            raise MailError(ErrorCode.PROTOCOL_ERROR, in_doubt=True)
        if code // 100 != 2:
            self._refuse(Stage.BODY, code, text)
        return f"{code} {readable(text, self._secrets)}".strip()

    def _fitting(self, message: bytes) -> bytes:
        """Return `message` in 7 bits if the server can't do better (RFC 6152)."""
        body = message.partition(b"\r\n\r\n")[2]
        if self.facts.eightbitmime or not _EIGHT_BIT.search(body):
            return message
        policy = email.policy.SMTP.clone(cte_type="7bit")
        return email.parser.BytesParser(policy=policy).parsebytes(message).as_bytes()

    def _command(self, stage: Stage, line: str, expected: int | None = None) -> None:
        self._connection.sendall(f"{line}\r\n".encode())
        code, text = self._client.getreply()
        if code != expected and (expected or code // 100 != 2):
            self._refuse(stage, code, text)

    def _refuse(self, stage: Stage, code: int, text: bytes) -> NoReturn:
        raise self._refusal(stage, code, text)

    def _refusal(self, stage: Stage, code: int, text: bytes) -> MailError:
        error = smtp_error(stage, code, text, self._secrets)
        if code == 421:  # the server is about to close (RFC 5321 section 3.8)
            self._abandon()
        return error

    def _reset(self) -> None:
        """Forget the transaction; a server that can't is left."""
        if self._wire is None:
            return
        try:
            code, _text = self._client.rset()
        except (MailError, smtplib.SMTPException):
            code = -1
        if code != 250:
            self._abandon()

    def _goodbye(self) -> None:
        self._client.quit()


def _envelope_address(address: str, field: str) -> str:
    envelope = Address(address).envelope
    if not envelope:
        raise MailError(ErrorCode.ADDRESS_INVALID, field=field)
    return envelope


def _literal(address: str) -> str:
    version = ipaddress.ip_address(address).version
    return f"[IPv6:{address}]" if version == 6 else f"[{address}]"
