"""IMAP4rev1 over Twisted's server: one folder, INBOX, per mailbox."""

from collections.abc import Callable
from typing import Any

from twisted.internet import protocol, ssl
from twisted.mail import imap4

from .imap_mailbox import ImapAccount, ImapMailbox
from .imap_message import ImapMessage
from .store import SignIn, Store

APP_PASSWORD = (
    b"[ALERT] Application-specific password required: "
    b"https://support.google.com/accounts/answer/185833 (Failure)"
)


def _with_text(search: Callable[..., bool]) -> Callable[..., bool]:
    """`search` with its argument decoded: the base class compares it with text."""

    def run(self: "ImapProtocol", query: list[Any], id: int, msg: ImapMessage) -> bool:
        query[0] = query[0].decode("utf-8", "replace")
        return search(self, query, id, msg)

    return run


class ImapProtocol(imap4.IMAP4Server):
    """`context`: for STARTTLS, before which nobody can sign in; None: TLS already."""

    def __init__(self, store: Store, context: ssl.CertificateOptions | None) -> None:
        mechanisms = {
            b"PLAIN": imap4.PLAINCredentials,
            b"LOGIN": imap4.LOGINCredentials,
        }
        super().__init__(chal={} if context else mechanisms, contextFactory=context)
        self._sign_in = SignIn(lambda login: ImapAccount(store, login))
        self.portal = self._sign_in

    def sendNegativeResponse(
        self, tag: bytes | None = None, message: bytes = b""
    ) -> None:
        """Twisted has one answer to a refused sign-in; this one knows the reason
        and gives it with the code of RFC 5530."""
        refused = self._sign_in.refused
        if self.state == "unauth" and refused:
            message = (
                APP_PASSWORD
                if refused.code == 534
                else b"[AUTHENTICATIONFAILED] Authentication failed."
            )
            self._sign_in.refused = None
        super().sendNegativeResponse(tag, message)

    def _cbSelectWork(
        self, mbox: ImapMailbox | None, command: bytes, tag: bytes
    ) -> None:
        if mbox is not None:
            self.sendPositiveResponse(None, b"[UIDNEXT %d]" % mbox.getUIDNext())
        super()._cbSelectWork(mbox, command, tag)

    search_BCC = _with_text(imap4.IMAP4Server.search_BCC)
    search_BEFORE = _with_text(imap4.IMAP4Server.search_BEFORE)
    search_CC = _with_text(imap4.IMAP4Server.search_CC)
    search_FROM = _with_text(imap4.IMAP4Server.search_FROM)
    search_ON = _with_text(imap4.IMAP4Server.search_ON)
    search_SENTBEFORE = _with_text(imap4.IMAP4Server.search_SENTBEFORE)
    search_SENTON = _with_text(imap4.IMAP4Server.search_SENTON)
    search_SENTSINCE = _with_text(imap4.IMAP4Server.search_SENTSINCE)
    search_SINCE = _with_text(imap4.IMAP4Server.search_SINCE)
    search_SUBJECT = _with_text(imap4.IMAP4Server.search_SUBJECT)
    search_TO = _with_text(imap4.IMAP4Server.search_TO)

    def search_HEADER(self, query: list[bytes], id: int, msg: ImapMessage) -> bool:
        """The base class looks for bytes in text."""
        name = query.pop(0).decode()
        wanted = query.pop(0).decode("utf-8", "replace").lower()
        found = msg.getHeaders(False, name).get(name.lower())
        return found is not None and wanted in found.lower()

    def spew_body(
        self,
        part: Any,
        id: int,
        msg: ImapMessage,
        _w: Any = None,
        _f: Any = None,
    ) -> Any:
        """The sections of the whole mail exactly as they lie on the disk.

        The base class writes headers anew, without their order, repeats and end, and
        neither cuts a partial fetch nor marks a mail as read (RFC 3501, 6.4.5).
        """
        if not part.peek:
            msg.mark_seen()
        content = msg.section(part)
        if content is None:
            return super().spew_body(part, id, msg, _w, _f)
        name = bytes(part).partition(b"<")[0]
        if part.partialBegin is not None:
            name += b"<%d>" % part.partialBegin
            end = part.partialBegin + part.partialLength
            content = content[part.partialBegin : end]
        _w(name + b" {%d}\r\n" % len(content) + content)
        return None


class ImapFactory(protocol.ServerFactory):
    """Makes an `ImapProtocol` for each connection."""

    noisy = False

    def __init__(
        self, store: Store, context: ssl.CertificateOptions | None = None
    ) -> None:
        self._store = store
        self._context = context

    def buildProtocol(self, address: object) -> ImapProtocol:
        made = ImapProtocol(self._store, self._context)
        made.factory = self
        return made
