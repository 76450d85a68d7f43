"""A visit to one mailbox: the network's part of reading, run in a thread.

No database here. What has to be decided or kept is asked of the run (``fetching``),
which owns the transaction: the thread waits for each answer, so that at most one
message of a mailbox is in memory.
"""

import threading
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import date

from ..mailkit.errors import FATAL, ErrorCode, MailError
from ..mailkit.headers import parse_headers
from ..mailkit.imap_folders import sent_folder
from ..mailkit.imap_mailbox import ImapMailbox
from ..mailkit.imap_state import FolderState
from ..mailkit.pop3_mailbox import MaildropStatus, Pop3Mailbox
from ..mailkit.settings import Credentials, Protocol, Server
from .message_source import LARGE, MessageSource

# Larger ones are told of, not fetched: Odoo holds a message in memory several times.
MAX_OCTETS = 64 * 1024 * 1024
# Of large messages one at a time is handled, whatever mailbox it is in.
_one_large = threading.Semaphore()

_HEADERS_AT_ONCE = 1000


class Stopped(Exception):
    """The run is over; what was not looked at is looked at by the next one."""


class Failed(Stopped):
    """Odoo could not keep what was read; the next try comes after a while."""


@dataclass(frozen=True)
class FolderJob:
    """A folder to look into. ``state``: as ``mail.external.folder`` keeps it."""

    id: int
    path: str
    is_sent: bool
    state: dict | None
    list_anew: bool = True  # POP3: also when STAT says that nothing changed


@dataclass(frozen=True)
class MailboxJob:
    """All that a visit needs, none of it a record."""

    account_id: int
    server: Server
    credentials: Credentials = field(repr=False)
    folders: tuple[FolderJob, ...]
    since: date  # the day of the last look
    look_back: date | None = None  # where a folder begins that was never read
    copies: bool = False  # whether sent mail waits to be put into the Sent folder


@dataclass(frozen=True)
class Seen:
    """Headers of one folder, in order; asks which of them to fetch (positions).

    ``cut``: those of which only the beginning is known.
    """

    folder: FolderJob
    names: tuple[str, ...]  # UID or UIDL
    headers: tuple[bytes, ...]
    cut: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Unreadable:
    """Messages that the server itself cannot read, not even their headers.

    ``uid_validity``: of the folder; 0 over POP3, whose names need none.
    """

    folder: FolderJob
    names: tuple[str, ...]  # UID or UIDL
    uid_validity: int = 0


@dataclass(frozen=True)
class Whole:
    """A fetched message; ``raw`` None: it cannot be had, ``problem`` says why."""

    folder: FolderJob
    position: int
    name: str
    raw: MessageSource | None
    problem: str = ""
    state: dict | None = None  # how far the folder is with this one


@dataclass(frozen=True)
class Advanced:
    """The folder is done up to here. ``names``: UIDLs that were looked at."""

    folder: FolderJob
    state: dict
    names: tuple[str, ...] = ()
    listed: bool = False


@dataclass(frozen=True)
class Listed:
    """The UIDLs of a POP3 mailbox; asks which are new (None: it was never read)."""

    folder: FolderJob
    names: tuple[str, ...]


@dataclass(frozen=True)
class FolderFailed:
    """One folder cannot be read; the others can."""

    folder: FolderJob
    error: MailError


@dataclass(frozen=True)
class NextCopy:
    """Asks for the next sent mail to put away: (id, message_id, moment, content).

    ``done``: id of the one before. ``problem``: why it was not put away.
    """

    done: int = 0
    problem: str = ""


def visit(job, ask):
    """Read what is new.

    :param MailboxJob job:
    :param ask: hands one of the classes above to the run and returns its answer;
        ``ask.later`` returns a function that waits for it
    :raise MailError: the mailbox cannot be read
    :raise Stopped: by ``ask``
    """
    kind = ImapMailbox if job.server.protocol is Protocol.IMAP else Pop3Mailbox
    with kind(job.server, job.credentials) as mailbox:
        mailbox.open()
        mailbox.login()
        if kind is Pop3Mailbox:
            for folder in job.folders[:1]:
                _visit_maildrop(mailbox, folder, ask)
            return
        for folder in _changed(mailbox, job.folders, ask):
            _visit_folder(mailbox, folder, job, ask)
        if job.copies:
            _put_copies_away(mailbox, ask)


# IMAP


def _changed(mailbox, folders, ask):
    """The folders to open. Of several, one command each tells which; a single one is
    opened at once, which costs as much."""
    if len(folders) == 1:
        return list(folders)
    told = mailbox.status([folder.path for folder in folders])
    changed = []
    for folder in folders:
        status = told[folder.path]
        if isinstance(status, MailError):
            ask(FolderFailed(folder, status))
        elif not (folder.state and FolderState(**folder.state).is_current(status)):
            changed.append(folder)
    return changed


def _visit_folder(mailbox, folder, job, ask):
    try:
        if folder.state is None:
            state = mailbox.start(folder.path, job.look_back)
            ask(Advanced(folder, vars(state)))
        else:
            state = FolderState(**folder.state)
        batches = mailbox.scan(state, since=job.since, count=_HEADERS_AT_ONCE)
        _take_batches(mailbox, folder, state, batches, ask)
    except MailError as error:
        if error.code in FATAL:
            raise
        ask(FolderFailed(folder, error))


def _take_batches(mailbox, folder, state, batches, ask):
    """Have the run choose, and hand over what it wants, in order.

    While it chooses from one batch, the next one is on its way.
    """
    before, batch, choice = state, None, None
    broken = None
    while broken is None:
        try:
            following = next(batches, None)
        except MailError as error:  # what came before it counts all the same
            following, broken = None, error
        if batch is not None:
            _hand_over_batch(mailbox, folder, before, batch, choice(), ask)
            before = batch.state
        if following is None:
            break
        batch, choice = following, _choice(folder, following, ask)
    if broken:
        raise broken


def _choice(folder, batch, ask):
    """:return: a function that waits for the positions of what the run wants"""
    if batch.unreadable:  # first: what is wanted may lie behind them
        names = tuple(map(str, batch.unreadable))
        ask(Unreadable(folder, names, batch.state.uid_validity))
    if not batch.headers:
        return tuple
    uids = tuple(str(header.uid) for header in batch.headers)
    raw = tuple(header.raw for header in batch.headers)
    return ask.later(Seen(folder, uids, raw, _cut(batch.headers)))


def _hand_over_batch(mailbox, folder, before, batch, wanted, ask):
    for position in wanted:
        header = batch.headers[position]
        state = _state_after(before, batch.state, header.uid)
        _hand_over(
            lambda h=header: _fetch_imap(mailbox, folder, batch.state, h),
            Whole(folder, position, str(header.uid), None, state=state),
            lambda h=header: h.size,
            ask,
        )
    ask(Advanced(folder, vars(batch.state)))


def _cut(headers):
    return frozenset(n for n, header in enumerate(headers) if header.truncated)


def _state_after(before, after, uid):
    """The folder's state with one message of the batch; None where none can be told:
    of a backlog only some messages are looked at."""
    if before.backlog_end or before.uid_validity != after.uid_validity:
        return None
    return vars(FolderState(after.path, after.uid_validity, uid + 1))


def _fetch_imap(mailbox, folder, state, header):
    try:
        return mailbox.fetch(
            folder.path,
            header.uid,
            uid_validity=state.uid_validity,
            max_octets=MAX_OCTETS,
        )
    except MailError as error:
        message_id = parse_headers(header.raw).message_id
        if error.code is not ErrorCode.MESSAGE_GONE or not message_id:
            raise
        place = mailbox.find(message_id)  # its owner, or a filter, has moved it
        if place is None:
            raise
        return mailbox.fetch(
            place.path,
            place.uid,
            uid_validity=place.uid_validity,
            max_octets=MAX_OCTETS,
        )


def _put_copies_away(mailbox, ask):
    """Mail that was sent, into the Sent folder; never a second time."""
    found = sent_folder(mailbox.folders())
    copy = ask(NextCopy()) if found else None
    while copy:
        copy_id, message_id, moment, content = copy
        problem = ""
        try:
            if not mailbox.has_message(found.path, message_id):
                mailbox.append_sent(found.path, content, moment)
        except MailError as error:
            if error.code in FATAL:
                raise
            problem = error.code.value
        copy = ask(NextCopy(copy_id, problem))


# POP3


def _visit_maildrop(mailbox, folder, ask):
    status = mailbox.status()
    if folder.state and not folder.list_anew:
        if MaildropStatus(**folder.state) == status:
            return
    entries = mailbox.entries() if status.messages else ()
    names = tuple(entry.uidl for entry in entries)
    new = ask(Listed(folder, names))
    fresh = [entry for entry in entries if entry.uidl in new]
    for batch in mailbox.headers(fresh):
        uidls = tuple(header.entry.uidl for header in batch.headers)
        raw = tuple(header.raw for header in batch.headers)
        cut = _cut(batch.headers)
        skipped = tuple(entry.uidl for entry in batch.unreadable)
        if skipped:
            ask(Unreadable(folder, skipped))
        wanted = ask(Seen(folder, uidls, raw, cut)) if raw else ()
        for position in wanted:
            entry = batch.headers[position].entry
            _hand_over(
                lambda e=entry: mailbox.fetch(e, max_octets=MAX_OCTETS),
                Whole(folder, position, entry.uidl, None),
                lambda e=entry: mailbox.size(e),
                ask,
            )
        ask(Advanced(folder, folder.state or {}, (*uidls, *skipped)))
    ask(Advanced(folder, vars(status), listed=True))


def _hand_over(fetch, empty, size, ask):
    """Fetch one message and wait until the run is done with it."""
    try:
        with _one_large if size() >= LARGE else nullcontext():
            ask(replace(empty, raw=MessageSource(fetch())))
    except MailError as error:
        if error.code in FATAL:
            raise
        ask(replace(empty, problem=error.code.value))
