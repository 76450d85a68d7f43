"""POP3 with STLS (RFC 2595), over Twisted's server."""

import hashlib
import io
from collections.abc import Callable
from typing import Any

from twisted.internet import protocol, ssl
from twisted.mail import pop3
from twisted.python.failure import Failure
from zope.interface import implementer

from .maildir import Entry, Maildir
from .store import SignIn, Store

NEED_APP_PASSWORD = (
    b"[AUTH] Application-specific password required: "
    b"https://support.google.com/accounts/answer/185833"
)


@implementer(pop3.IMailbox)
class PopMailbox:
    """The mails that were there at sign-in. Deleted ones go at QUIT (RFC 1939, 6)."""

    def __init__(self, maildir: Maildir) -> None:
        self._maildir = maildir
        self._entries: list[Entry] = maildir.entries()
        self._deleted: set[int] = set()

    def _entry(self, index: int) -> Entry:
        if not 0 <= index < len(self._entries):
            raise ValueError(f"There is no message {index + 1}")
        return self._entries[index]

    def _size(self, index: int) -> int:
        return 0 if index in self._deleted else len(self._entry(index).raw())

    def listMessages(self, index: int | None = None) -> int | list[int]:
        if index is None:
            return [self._size(each) for each in range(len(self._entries))]
        return self._size(index)

    def getMessage(self, index: int) -> io.BytesIO:
        return io.BytesIO(self._entry(index).raw())

    def getUidl(self, index: int) -> bytes:
        key = self._entry(index).key
        return hashlib.sha256(key.encode()).hexdigest()[:32].encode()

    def deleteMessage(self, index: int) -> None:
        self._entry(index)
        self._deleted.add(index)

    def undeleteMessages(self) -> None:
        self._deleted.clear()

    def sync(self) -> None:
        for index in self._deleted:
            self._maildir.remove(self._entries[index])


class PopProtocol(pop3.POP3):
    """`context`: for STLS; None where TLS is implicit."""

    AUTH_CMDS = [*pop3.POP3.AUTH_CMDS, b"STLS"]

    def __init__(self, store: Store, context: ssl.CertificateOptions | None) -> None:
        self._context = context
        self._sign_in = SignIn(lambda login: PopMailbox(store.mailbox(login)))
        self.portal = self._sign_in
        self._encrypted = context is None

    def listCapabilities(self) -> list[bytes]:
        usual = [b"TOP", b"UIDL", b"RESP-CODES", b"AUTH-RESP-CODE"]
        return usual + ([b"USER"] if self._encrypted else [b"STLS"])

    def do_STLS(self) -> None:
        if self._encrypted:
            self.failResponse(b"TLS is already active")
            return
        self.successResponse(b"Begin TLS negotiation now")
        self.transport.startTLS(self._context)
        self._encrypted = True

    def do_USER(self, user: bytes) -> None:
        if self._encrypted:
            super().do_USER(user)
        else:
            self.failResponse(b"[AUTH] Cleartext sign-in is disallowed before STLS")

    def do_APOP(self, user: bytes, digest: bytes) -> None:
        self.failResponse(b"APOP is not offered")

    def _ebMailbox(self, failure: Failure) -> None:
        refused = self._sign_in.refused
        if refused is not None and refused.code == 534:
            self.failResponse(NEED_APP_PASSWORD)
        else:
            self.failResponse(b"[AUTH] Authentication failed.")

    def do_UIDL(self, number: bytes | None = None) -> None:
        """The base class leaves out the number in its answer about one mail."""
        if number is None:
            super().do_UIDL()
            return
        try:
            identifier = self.mbox.getUidl(int(number) - 1)
        except ValueError:
            self.failResponse(b"Bad message number argument")
        else:
            self.successResponse(b"%d %b" % (int(number), identifier))

    def do_TOP(self, number: bytes, lines: bytes) -> None:
        """As in the base class, whose own cutting loses a last line without an end."""
        if lines.isdigit():
            count = int(lines)
            self._sendMessageContent(
                number,
                lambda file: io.BytesIO(_top(file.read(), count)),
                lambda size: "Top of message follows",
            )
        else:
            self.failResponse(b"Bad line count argument")

    def transformChunk(self, chunk: bytes) -> bytes:
        return chunk

    def _sendMessageContent(
        self,
        number: bytes,
        wrap: Callable[[io.BytesIO], io.BytesIO],
        success: Callable[[int], str],
    ) -> Any:
        """Dots are doubled (RFC 1939, 3) in the whole mail: the base class does it
        in each chunk, and misses a line that begins with a new chunk."""
        return super()._sendMessageContent(
            number, lambda file: io.BytesIO(_stuffed(wrap(file).read())), success
        )


def _top(raw: bytes, lines: int) -> bytes:
    head, gap, body = raw.partition(b"\r\n\r\n")
    return head + gap + b"".join(body.splitlines(keepends=True)[:lines])


def _stuffed(raw: bytes) -> bytes:
    return b"".join(
        b"." + line if line.startswith(b".") else line
        for line in raw.splitlines(keepends=True)
    )


class PopFactory(protocol.ServerFactory):
    """Makes a `PopProtocol` for each connection."""

    noisy = False

    def __init__(
        self, store: Store, context: ssl.CertificateOptions | None = None
    ) -> None:
        self._store = store
        self._context = context

    def buildProtocol(self, address: object) -> PopProtocol:
        made = PopProtocol(self._store, self._context)
        made.factory = self
        return made
