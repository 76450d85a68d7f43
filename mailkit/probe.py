"""Waiting until one message lies in a mailbox: does mail to an address arrive there?

Nothing is marked, moved or deleted: folders are only examined, and of bodies only that
of the message itself is looked at. The newest messages are told apart by their header
fields, so that no server has to search; it is asked to once, for a message that is no
longer among them. `remove` takes a message of our own away again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from io import BytesIO

from .connection.network import Deadline
from .connection.settings import Credentials, Protocol, Server
from .errors import FATAL, ErrorCode, MailError
from .imap.folders import Folder, FolderState, FolderUse, where_mail_arrives
from .imap.mailbox import ImapMailbox, Place
from .message.headers import Headers, message_ids, parse_headers
from .pop3 import Entry, Pop3Mailbox

# Seconds between two looks. A new sign-in for each is more than some services take
# again and again, so over POP3 they become rarer.
PAUSE = 1.5
_LONGEST_PAUSE = 6.0
_NAP = 0.05
# Messages of a folder that are looked at first; later only what is new.
_NEWEST = 50
# Octets of a header block.
_MAX_HEAD = 64 * 1024
# Octets of a message of our own; it has far fewer.
_MAX_WHOLE = 256 * 1024
# Looks that may fail one after the other: a server may be busy, or be restarted.
_MOST_FAILURES = 3


@dataclass(frozen=True)
class Found:
    """The header block of the message as it lies there.

    `raw`: its octets, 64 KiB at most. `folder`: `Folder.path`, "" over POP3. `is_junk`:
    a filter put it there. `whole`: the whole message, where that was asked for and it
    could be had. `place`, `uidl`: which one it is, over IMAP or POP3.
    """

    headers: Headers
    raw: bytes
    folder: str = ""
    is_junk: bool = False
    whole: bytes = b""
    place: Place | None = None
    uidl: str = ""


class Cancelled(Exception):
    """Nobody waits for the message any more."""


def _never() -> bool:
    return False


def find(
    server: Server,
    credentials: Credentials,
    message_id: str,
    deadline: Deadline,
    *,
    folders: Sequence[str] = (),
    left_here: bool = False,
    pause: float = PAUSE,
    subject: str = "",
    whole: bool = False,
    is_cancelled: Callable[[], bool] = _never,
) -> Found | None:
    """Return the message with this Message-ID as soon as it is in the mailbox.

    Also known by the ids that it had before a server gave it another one (see
    `Headers.own_ids`), and by `subject`, if it has one that no other has (white space
    counts for nothing: Python's email loses some between encoded words). IMAP: looked
    for in INBOX, in `folders` (`Folder.path`, what the account reads besides), in junk
    mail and where all mail lies. `left_here`: the message was sent by the same account,
    so it says nothing that it is among all mail: services file there what is sent.
    (Gmail shows over POP3, too, what was sent: only a delivery field tells that it
    arrived.)
    `pause`: seconds between two looks. `whole`: fetch the body, too. `is_cancelled`:
    asked between two looks.

    None: it wasn't there until the deadline was over. Raises MailError when nobody
    could look: at once when another look would be refused, too, else after some
    looks; Cancelled; ValueError for what is no Message-ID, and for a server of SMTP.
    """
    wanted = message_ids(message_id)
    if len(wanted) != 1:
        raise ValueError("not a Message-ID")
    search = _Search(server, credentials, wanted[0], deadline, subject, whole)
    looks: _ImapLooks | _Pop3Looks
    if server.protocol is Protocol.IMAP:
        looks = _ImapLooks(search, folders, left_here)
    elif server.protocol is Protocol.POP3:
        looks = _Pop3Looks(search)
    else:
        raise ValueError(f"no mailbox is read over {server.protocol.value}")
    try:
        return _wait(looks, deadline, pause, is_cancelled)
    finally:
        looks.close()


def remove(
    server: Server,
    credentials: Credentials,
    found: Found,
    is_ours: Callable[[bytes], bool],
    deadline: Deadline,
) -> bool:
    """Take away what was found, in a session of its own; see `ImapMailbox.remove` and
    `Pop3Mailbox.remove`.

    `is_ours`: asked with the header block as it is then. Returns whether it is gone.
    """
    try:
        if server.protocol is Protocol.IMAP and found.place:
            with ImapMailbox(server, credentials, deadline=deadline) as mailbox:
                mailbox.open()
                mailbox.login()
                return mailbox.remove(found.place, is_ours)
        if server.protocol is not Protocol.POP3:
            return False
        with Pop3Mailbox(server, credentials, deadline=deadline) as maildrop:
            maildrop.open()
            maildrop.login()
            return maildrop.remove(found.uidl, is_ours)
    except MailError:
        return False


def _wait(
    looks: _ImapLooks | _Pop3Looks,
    deadline: Deadline,
    pause: float,
    is_cancelled: Callable[[], bool],
) -> Found | None:
    looked = False
    number = failures = 0
    while True:
        number += 1
        error = None
        try:
            found = looks.look()
            if found:
                return found
            looked = True
            failures = 0
        except MailError as problem:
            error = problem
            failures += 1
            if looked and deadline.over and problem.code is ErrorCode.TIMEOUT:
                return None  # not the server's fault
            if not problem.transient or failures == _MOST_FAILURES:
                raise
        if is_cancelled():
            raise Cancelled
        _rest(deadline.within(looks.pause(number, pause)))
        if deadline.over:
            if error:
                raise error
            return None


def _rest(until: Deadline) -> None:
    while not until.over:
        time.sleep(_NAP)


@dataclass(frozen=True)
class _Search:
    """What is looked for, and where."""

    server: Server
    credentials: Credentials
    message_id: str
    deadline: Deadline
    subject: str = ""
    whole: bool = False

    def is_it(self, headers: Headers) -> bool:
        """Whether this is the message."""
        wanted, subject = "".join(self.subject.split()), headers.subject
        known = bool(wanted) and "".join(subject.split()) == wanted
        return known or self.message_id in headers.own_ids


class _ImapLooks:
    """One session as long as it lasts; what was looked at counts for the next, too."""

    def __init__(
        self, search: _Search, folders: Sequence[str], left_here: bool
    ) -> None:
        self._search = search
        self._read = folders
        self._left_here = left_here
        self._mailbox: ImapMailbox | None = None
        self._folders: list[Folder] = []
        self._states: dict[str, FolderState] = {}
        self._asked = False

    def pause(self, _number: int, seconds: float) -> float:
        """Seconds until the next look."""
        return seconds

    def close(self) -> None:
        """End the session, if there is one."""
        if self._mailbox is not None:
            self._mailbox.close()

    def look(self) -> Found | None:
        """Return the message if it is there now. Raises MailError."""
        mailbox = self._opened()
        for folder in self._folders:
            try:
                found = self._among_the_newest(mailbox, folder)
            except MailError as error:
                # Moved just now; or a folder that can't be read, which hides no other.
                gone = error.code is ErrorCode.MESSAGE_GONE
                inbox = folder.use is FolderUse.INBOX
                if error.code in FATAL or (inbox and not gone):
                    raise
                continue
            if found:
                return found
        return self._among_all(mailbox)

    def _opened(self) -> ImapMailbox:
        if self._mailbox is not None and self._mailbox.alive:
            return self._mailbox
        self.close()
        search = self._search
        mailbox = ImapMailbox(
            search.server, search.credentials, deadline=search.deadline
        )
        try:
            mailbox.open()
            mailbox.login()
            self._folders = self._folders or self._chosen(mailbox)
        except MailError:
            mailbox.close()
            raise
        self._mailbox = mailbox
        return mailbox

    def _chosen(self, mailbox: ImapMailbox) -> list[Folder]:
        """Return INBOX, what the account reads, and where else mail may arrive."""
        inbox = Folder("INBOX", "INBOX", FolderUse.INBOX)
        try:
            there = mailbox.folders()
        except MailError as error:
            if error.code in FATAL:
                raise
            there = ()  # the inbox can be read all the same
        by_path = {folder.path: folder for folder in there}
        read = [by_path.get(path, Folder(path, path)) for path in self._read]
        chosen = {f.path: f for f in (inbox, *read, *where_mail_arrives(there))}
        return [
            folder
            for folder in chosen.values()
            if not (self._left_here and folder.use is FolderUse.ALL)
        ]

    def _among_the_newest(self, mailbox: ImapMailbox, folder: Folder) -> Found | None:
        path = folder.path
        if path not in self._states:
            start = mailbox.start(path)
            newest = max(start.next_uid - _NEWEST, 1)
            self._states[path] = replace(start, next_uid=newest)
        for batch in mailbox.scan(self._states[path], since=_yesterday()):
            for header in reversed(batch.headers):
                if self._search.is_it(parse_headers(header.raw)):
                    place = Place(path, batch.state.uid_validity, header.uid)
                    return self._at(mailbox, place)
            self._states[path] = batch.state
        return None

    def _among_all(self, mailbox: ImapMailbox) -> Found | None:
        """Have the server search, once: what comes later is among the newest."""
        if self._asked:
            return None
        self._asked = True
        message_id = self._search.message_id
        try:
            place = mailbox.find(message_id, self._folders, since=_yesterday())
            return self._at(mailbox, place) if place else None
        except MailError as error:
            if error.code in FATAL:
                raise
            return None

    def _at(self, mailbox: ImapMailbox, place: Place) -> Found | None:
        raw = mailbox.head(place)[:_MAX_HEAD]
        headers = parse_headers(raw)
        if not self._search.is_it(headers):
            return None  # servers find more than what was asked for
        uses = [folder.use for folder in self._folders if folder.path == place.path]
        return Found(
            headers,
            raw,
            place.path,
            is_junk=FolderUse.JUNK in uses,
            whole=self._whole(mailbox, place) if self._search.whole else b"",
            place=place,
        )

    def _whole(self, mailbox: ImapMailbox, place: Place) -> bytes:
        """The message, b"" when the server does not give it."""
        file = BytesIO()
        try:
            mailbox.fetch_into(
                file,
                place.path,
                place.uid,
                uid_validity=place.uid_validity,
                max_octets=_MAX_WHOLE,
            )
        except MailError:
            return b""
        return file.getvalue()


class _Pop3Looks:
    """A session for each look: new mail is shown to a new one only (RFC 1939)."""

    def __init__(self, search: _Search) -> None:
        self._search = search
        self._known: set[str] | None = None

    def pause(self, number: int, seconds: float) -> float:
        """Seconds until the next look, after so many."""
        return min(seconds * number, max(seconds, _LONGEST_PAUSE))

    def close(self) -> None:
        """There is nothing left open."""

    def look(self) -> Found | None:
        """Return the message if it is there now. Raises MailError."""
        search = self._search
        with Pop3Mailbox(
            search.server, search.credentials, deadline=search.deadline
        ) as mailbox:
            mailbox.open()
            mailbox.login()
            entries = mailbox.entries()
            known = self._known or set()
            newest = [entry for entry in entries if entry.uidl not in known]
            for batch in mailbox.headers(newest[-_NEWEST:]):
                for header in reversed(batch.headers):
                    raw = header.raw[:_MAX_HEAD]
                    headers = parse_headers(raw)
                    if search.is_it(headers):
                        whole = self._whole(mailbox, header.entry)
                        uidl = header.entry.uidl
                        return Found(headers, raw, whole=whole, uidl=uidl)
            self._known = {entry.uidl for entry in entries}
        return None

    def _whole(self, mailbox: Pop3Mailbox, entry: Entry) -> bytes:
        """The message, b"" when the server does not give it."""
        if not self._search.whole:
            return b""
        file = BytesIO()
        try:
            mailbox.fetch_into(file, entry, max_octets=_MAX_WHOLE)
        except MailError:
            return b""
        return file.getvalue()


def _yesterday() -> date:
    """A day before anything that may be looked for came, in every time zone."""
    return datetime.now(timezone.utc).date() - timedelta(days=1)
