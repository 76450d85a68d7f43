"""SMTP: submission, where sign-in decides about the sender, and an open relay port."""

import email.utils
import re
from collections.abc import Callable

from twisted.internet import defer, protocol, ssl
from twisted.mail import imap4, smtp
from zope.interface import implementer

from . import accounts
from .accounts import Reply
from .store import SignIn, Store

HOST = b"mail.sandbox.test"
SIZE_LIMIT = 25_000_000  # bytes, about what the large services take


@implementer(smtp.IMessage)
class Incoming:
    """One mail for one recipient, while its lines arrive."""

    def __init__(self, store: Store, recipient: str, sender: str) -> None:
        self._store = store
        self._recipient = recipient
        self._sender = sender
        self._lines: list[bytes] = []

    def lineReceived(self, line: bytes) -> None:
        self._lines.append(line)

    def eomReceived(self) -> "defer.Deferred[None]":
        content = b"\n".join((*self._lines, b""))
        self._store.deliver(self._recipient, self._sender, content)
        return defer.succeed(None)

    def connectionLost(self) -> None:
        self._lines.clear()


class RelayProtocol(smtp.ESMTP):
    """For Odoo's own server: no sign-in, any sender, every recipient is here."""

    noisy = False

    def __init__(self, store: Store, context: ssl.CertificateOptions | None) -> None:
        super().__init__(contextFactory=context)
        self.host = HOST
        self._store = store

    def extensions(self) -> dict[bytes, list[bytes] | None]:
        return {
            **super().extensions(),
            b"SIZE": [str(SIZE_LIMIT).encode()],
            b"8BITMIME": None,
            b"ENHANCEDSTATUSCODES": None,
        }

    def do_MAIL(self, rest: bytes) -> None:
        declared = re.search(rb"\bSIZE=(\d+)", rest, re.IGNORECASE)
        if refused := self.refused_command():
            self.answer(refused)
        elif declared and int(declared[1]) > SIZE_LIMIT:
            self.answer(Reply(552, "5.3.4 Message size exceeds fixed limit"))
        else:
            super().do_MAIL(rest)

    def answer(self, reply: Reply) -> None:
        self.sendCode(reply.code, reply.text.encode())

    def refused_command(self) -> Reply | None:
        """Why no mail may begin now."""
        return None

    def refused_sender(self, sender: str) -> Reply | None:
        """Why this MAIL FROM address is refused."""
        return None

    def validateFrom(self, helo: object, origin: smtp.Address) -> smtp.Address:
        if refused := self.refused_sender(str(origin)):
            raise smtp.SMTPServerError(refused.code, refused.text)
        return origin

    def validateTo(self, user: smtp.User) -> Callable[[], Incoming]:
        recipient = str(user.dest).lower()
        if refused := accounts.REFUSED_RECIPIENTS.get(recipient):
            raise smtp.SMTPServerError(refused.code, refused.text)
        return lambda: Incoming(self._store, recipient, str(user.orig))

    def receivedHeader(
        self, helo: tuple[bytes, bytes], origin: object, recipients: list[smtp.User]
    ) -> bytes:
        name = (helo[0] or b"unknown") + b" ([" + helo[1] + b"])"
        date = email.utils.formatdate(localtime=True).encode()
        return b"Received: from " + name + b"\n\tby " + HOST + b" (sandbox); " + date


class SubmissionProtocol(RelayProtocol):
    """For mail programs: TLS, then sign-in, then only the login's own address."""

    def __init__(self, store: Store, context: ssl.CertificateOptions | None) -> None:
        super().__init__(store, context)
        self._sign_in = SignIn(lambda login: None)
        self.portal = self._sign_in
        self._mechanisms = {
            b"PLAIN": imap4.PLAINCredentials,
            b"LOGIN": imap4.LOGINCredentials,
        }

    @property
    def encrypted(self) -> bool:
        return self.startedTLS or self.ctx is None

    def connectionMade(self) -> None:
        if self.encrypted:
            self.challengers = self._mechanisms
        super().connectionMade()

    def ext_STARTTLS(self, rest: bytes) -> None:
        super().ext_STARTTLS(rest)
        if self.encrypted:
            self.challengers = self._mechanisms

    def ext_AUTH(self, rest: bytes) -> None:
        if not self.encrypted:
            self.answer(accounts.NEED_TLS)
        elif not rest:
            self.answer(Reply(501, "5.5.4 Syntax: AUTH mechanism"))
        else:
            super().ext_AUTH(rest)

    def sendCode(self, code: int, message: bytes = b"") -> None:
        """Twisted has one answer to a refused sign-in; this one knows the reason."""
        refused = self._sign_in.refused
        if code == 535 and refused:
            code, message = refused.code, refused.text.encode()
        super().sendCode(code, message)

    def refused_command(self) -> Reply | None:
        if not self.encrypted:
            return accounts.NEED_TLS
        return None if self.authenticated else accounts.NEED_SIGN_IN

    def refused_sender(self, sender: str) -> Reply | None:
        return accounts.refused_sender(self._sign_in.user, sender)


class SmtpFactory(protocol.ServerFactory):
    """`context`: for STARTTLS; None on the relay port and where TLS is implicit."""

    noisy = False

    def __init__(
        self,
        kind: type[RelayProtocol],
        store: Store,
        context: ssl.CertificateOptions | None = None,
    ) -> None:
        self._kind = kind
        self._store = store
        self._context = context

    def buildProtocol(self, address: object) -> RelayProtocol:
        made = self._kind(self._store, self._context)
        made.factory = self
        return made
