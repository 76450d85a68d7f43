"""What the three protocols share: the mailboxes, the sign-in, news of arrived mail."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from twisted.cred.error import UnauthorizedLogin
from twisted.internet import defer
from zope.interface import Interface

from .accounts import Reply, mailbox_of, refused_sign_in
from .maildir import Maildir, open_mailbox


class Store:
    """Takes mail, opens mailboxes, tells who watches one of each mail that arrives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: dict[str, Maildir] = {}
        self.watchers: defaultdict[str, set[Callable[[], None]]] = defaultdict(set)

    def mailbox(self, address: str) -> Maildir:
        address = address.lower()
        if address not in self._open:
            self._open[address] = open_mailbox(self.folder, address)
        return self._open[address]

    def deliver(self, recipient: str, envelope_from: str, content: bytes) -> None:
        """Store a mail; the envelope goes on top, as a final delivery does it
        (RFC 5321, 4.4: Return-Path)."""
        head = f"Return-Path: <{envelope_from}>\nDelivered-To: {recipient}\n"
        mailbox = mailbox_of(recipient)
        self.mailbox(mailbox).add(head.encode() + content)
        for watcher in tuple(self.watchers[mailbox]):
            watcher()


class Credentials:
    """The part of Twisted's username-and-password objects that is used here."""

    username: bytes
    password: bytes


class SignIn:
    """Twisted's portal for one connection; it remembers why it refused.

    `avatar(login)` makes what the protocol works with once somebody signed in.
    """

    def __init__(self, avatar: Callable[[str], object]) -> None:
        self._avatar = avatar
        self.refused: Reply | None = None
        self.user = ""

    def login(
        self, credentials: Credentials, _mind: object, *interfaces: type[Interface]
    ) -> "defer.Deferred[tuple[type[Interface], object, Callable[[], None]]]":
        """Fails with UnauthorizedLogin."""
        user = credentials.username.decode("utf-8", "replace")
        password = credentials.password.decode("utf-8", "replace")
        self.refused = refused_sign_in(user, password)
        if self.refused:
            return defer.fail(UnauthorizedLogin())
        self.user = user.lower()
        return defer.succeed((interfaces[0], self._avatar(self.user), lambda: None))
