"""INBOX, and the account that has it, as Twisted's IMAP server wants them."""

from collections.abc import Callable, Iterable

from twisted.internet import defer
from twisted.mail import imap4
from twisted.mail.interfaces import IMailboxIMAPListener
from zope.interface import implementer

from .imap_message import FLAGS, ImapMessage
from .maildir import Entry, Maildir
from .store import Store


@implementer(imap4.IMailbox, imap4.ICloseableMailbox)
class ImapMailbox:
    """INBOX as one session sees it: what arrives is added at the end."""

    def __init__(self, store: Store, address: str, writable: bool) -> None:
        self._maildir: Maildir = store.mailbox(address)
        self._watchers = store.watchers[address]
        self._writable = writable
        self._entries: list[Entry] = self._maildir.entries()
        self._listeners: list[IMailboxIMAPListener] = []

    # -- what there is --------------------------------------------------------------

    def getFlags(self) -> list[str]:
        return list(FLAGS)

    def getHierarchicalDelimiter(self) -> str:
        return "/"

    def getUIDValidity(self) -> int:
        return self._maildir.uid_validity

    def getUIDNext(self) -> int:
        return self._maildir.next_uid

    def getUID(self, message: int) -> int:
        return self._entries[message - 1].uid

    def getMessageCount(self) -> int:
        return len(self._entries)

    def getRecentCount(self) -> int:
        return 0

    def getUnseenCount(self) -> int:
        return sum("S" not in entry.flags for entry in self._entries)

    def isWriteable(self) -> bool:
        return self._writable

    def requestStatus(self, names: Iterable[str]) -> dict[str, int]:
        return imap4.statusRequestHelper(self, names)

    # -- news -----------------------------------------------------------------------

    def addListener(self, listener: IMailboxIMAPListener) -> None:
        self._listeners.append(listener)
        self._watchers.add(self._arrived)

    def removeListener(self, listener: IMailboxIMAPListener) -> None:
        self._listeners.remove(listener)
        self._watchers.discard(self._arrived)

    def close(self) -> None:
        self._watchers.discard(self._arrived)

    def _arrived(self) -> None:
        last = self._entries[-1].uid if self._entries else 0
        self._entries += [e for e in self._maildir.entries() if e.uid > last]
        for listener in self._listeners:
            listener.newMessages(len(self._entries), None)

    # -- mails ----------------------------------------------------------------------

    def fetch(
        self, messages: imap4.MessageSet, uid: bool
    ) -> list[tuple[int, ImapMessage]]:
        return [
            (number, ImapMessage(entry, self._marker(number)))
            for number, entry in self._chosen(messages, uid)
        ]

    def store(
        self,
        messages: imap4.MessageSet,
        flags: Iterable[str],
        mode: int,
        uid: bool,
    ) -> dict[int, list[str]]:
        self._need_writable()
        wanted = {FLAGS[flag] for flag in flags if flag in FLAGS}
        result = {}
        for number, entry in self._chosen(messages, uid):
            had = set(entry.flags)
            now = {-1: had - wanted, 0: wanted, 1: had | wanted}[mode]
            result[number] = self._set_flags(number, "".join(now))
        return result

    def expunge(self) -> list[int]:
        """Numbers as they are when each is told, so from the last to the first."""
        self._need_writable()
        gone = []
        for number in range(len(self._entries), 0, -1):
            if "T" in self._entries[number - 1].flags:
                self._maildir.remove(self._entries.pop(number - 1))
                gone.append(number)
        return gone

    def addMessage(
        self, message: object, flags: Iterable[str] = (), date: object = None
    ) -> "defer.Deferred[int]":
        return defer.fail(imap4.MailboxException("The sandbox takes mail by SMTP only"))

    def destroy(self) -> None:
        raise imap4.MailboxException("INBOX can't be deleted")

    def _chosen(self, messages: imap4.MessageSet, uid: bool) -> list[tuple[int, Entry]]:
        numbered = list(enumerate(self._entries, 1))
        messages.last = max(
            (entry.uid if uid else number for number, entry in numbered), default=0
        )
        return [
            (number, entry)
            for number, entry in numbered
            if (entry.uid if uid else number) in messages and entry.path.exists()
        ]

    def _marker(self, number: int) -> Callable[[], None]:
        """What marks the mail as read, where this session may."""

        def mark() -> None:
            entry = self._entries[number - 1]
            if self._writable and "S" not in entry.flags:
                self._set_flags(number, entry.flags + "S")

        return mark

    def _set_flags(self, number: int, flags: str) -> list[str]:
        entry = self._maildir.set_flags(self._entries[number - 1], flags)
        self._entries[number - 1] = entry
        return [name for name, letter in FLAGS.items() if letter in entry.flags]

    def _need_writable(self) -> None:
        if not self._writable:
            raise imap4.ReadOnlyMailbox("The mailbox was opened by EXAMINE")


@implementer(imap4.IAccount)
class ImapAccount:
    """One login's folders: INBOX, and no other can be made."""

    def __init__(self, store: Store, login: str) -> None:
        self._store = store
        self._login = login

    def listMailboxes(self, ref: str, wildcard: str) -> list[tuple[str, ImapMailbox]]:
        return [("INBOX", ImapMailbox(self._store, self._login, False))]

    def select(self, name: str, rw: bool = True) -> ImapMailbox | None:
        if name.upper() != "INBOX":
            return None
        return ImapMailbox(self._store, self._login, bool(rw))

    def isSubscribed(self, name: str) -> bool:
        return name.upper() == "INBOX"

    def subscribe(self, name: str) -> None:
        """INBOX is subscribed always."""

    def unsubscribe(self, name: str) -> None:
        self._refuse()

    def create(self, pathspec: str) -> None:
        self._refuse()

    def delete(self, name: str) -> None:
        self._refuse()

    def rename(self, oldname: str, newname: str) -> None:
        self._refuse()

    def addMailbox(self, name: str, mbox: object = None) -> None:
        self._refuse()

    def _refuse(self) -> None:
        raise imap4.MailboxException("The sandbox has INBOX only")
