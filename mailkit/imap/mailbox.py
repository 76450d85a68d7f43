"""Reading an IMAP mailbox: new headers, whole messages, and where a message is now.

Folders are only examined and bodies only peeked at, so that no flag changes. What
writes is APPEND into the folder of sent mail, and `remove`, for one message of our own.
Messages are told apart by UIDVALIDITY and UID (RFC 3501 section 2.3.1.1).
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import BinaryIO

from ..connection.network import MAX_READ, OCTETS_PER_SECOND
from ..connection.replies import Stage, mailbox_error
from ..errors import FATAL, ErrorCode, MailError
from ..message.fields import FIELDS
from . import folders as imap_folders
from . import grammar
from .folders import Folder, FolderState, FolderStatus, follow
from .grammar import Literal
from .session import Answer, ImapSession, Spill

# Octets of one FETCH of a message; of a slow server as many as come in a few seconds,
# so that little is lost when the time is over.
CHUNK = 1024 * 1024
SMALL_CHUNK = 16 * 1024
_CHUNK_SECONDS = 2.0
# Octets of a set of UIDs: a line should stay under 8,192 (RFC 7162 section 4).
_SET = 7000
# Octets that are read of a header's fields.
_MAX_HEADER = 64 * 1024
# A slower server counts as hung.
_SECONDS_PER_HEADER = 0.05
# So many messages in a row are not unreadable: the server has another trouble.
_MAX_REFUSED = 20
_HEADER_ITEMS = b"(UID RFC822.SIZE BODY.PEEK[%b]%b)"
_LOOKED_AT = b"HEADER.FIELDS (%b)" % FIELDS
_WHOLE = b"HEADER"
# Folders that are looked into for one message.
_MOST_SEARCHED = 40
# So many STATUS at once: what they and their answers take fits into any buffer.
_AT_ONCE = 40
_LAST_UID = 2**32 - 1
_DELETED = rb"UID STORE %d %bFLAGS.SILENT (\Deleted)"


@dataclass(frozen=True)
class ImapHeader:
    """The fields `fields.FIELDS` of a message as they stand there.

    `size`: octets of the message, 0 if unknown; not always exact. `truncated`: `raw`
    is only the beginning.
    """

    uid: int
    size: int
    raw: bytes
    truncated: bool = False


@dataclass(frozen=True)
class ImapBatch:
    """Some new messages, and the state to keep once they are dealt with.

    `unreadable`: UIDs of messages that the server itself cannot read. `start`: the
    state before these messages; None when there are none.
    """

    state: FolderState
    headers: tuple[ImapHeader, ...] = ()
    unreadable: tuple[int, ...] = ()
    start: FolderState | None = None

    def after(self, uid: int) -> FolderState:
        """Return the state to keep when only what comes up to `uid` is dealt with."""
        return self.start.advanced(uid + 1) if self.start else self.state


@dataclass(frozen=True)
class Place:
    """Where a message is."""

    path: str
    uid_validity: int
    uid: int


class ImapMailbox(ImapSession):
    """A signed-in session that reads. Folders are named by `Folder.path`.

    Every method raises MailError; FOLDER_MISSING when there is no such folder.
    """

    # Until a server shows that it doesn't know parts of header fields.
    _partial = True
    # The message whose header, and no other's, `scan` waits for.
    reading: Place | None = None
    # The folder that is open, and what it was when it was opened.
    _examined: tuple[str, FolderStatus] | None = None

    def count_inbox(self) -> int:
        """Return how many messages there are in INBOX. LISTING_FAILED and the like."""
        with self._operation():
            items = self._open_folder("INBOX", Stage.LISTING)
            if "MESSAGES" not in items:
                raise MailError(ErrorCode.LISTING_FAILED)
            return items["MESSAGES"]

    def folders(self) -> tuple[Folder, ...]:
        """Return the folders that can be opened, INBOX first. Raises MailError."""
        self._learn_capabilities()
        with self._operation(allowance=MAX_READ):
            answer = None
            if {"LIST-EXTENDED", "SPECIAL-USE"} <= self.capabilities:
                wanted = b"RETURN (SPECIAL-USE)"
                answer = self._dialog.ask(b"LIST", b'""', b'"*"', wanted)
            if answer is None or not answer.ok:
                answer = self._dialog.ask(b"LIST", b'""', b'"*"')
            self._demand(answer, Stage.LISTING)
            return imap_folders.parse(answer.untagged)

    def _learn_capabilities(self) -> None:
        """Ask what a signed-in session can do, unless the server told it by itself."""
        if not self._told_signed_in:
            with self._operation(allowance=MAX_READ):
                self.capabilities = self._ask_capabilities()
                self._told_signed_in = True

    def status(self, paths: Sequence[str]) -> dict[str, FolderStatus | MailError]:
        """Look at folders without opening them: one command each, sent together.

        What is wrong with one folder (FOLDER_MISSING, LISTING_FAILED, ...) stands in
        its place. Raises MailError for what is wrong with all.
        """
        found: dict[str, FolderStatus | MailError] = {}
        for start in range(0, len(paths), _AT_ONCE):
            some = paths[start : start + _AT_ONCE]
            items = b"(MESSAGES UIDNEXT UIDVALIDITY)"
            commands = [(b"STATUS", _mailbox_name(path), items) for path in some]
            with self._operation(allowance=MAX_READ):
                answers = self._dialog.ask_all(commands)
            found.update(zip(some, map(self._status_told, answers), strict=True))
        return found

    def start(self, path: str, since: date | None = None) -> FolderState:
        """Return the state of a folder that is read from now on.

        `since`: messages that arrived on that day or later are to come, too.
        """
        with self._operation(allowance=MAX_READ):
            status = self._examine(path)
            end = self._end(status)
        if since is None:
            return FolderState(path, status.uid_validity, end)
        return FolderState(path, status.uid_validity, 1, end, since.isoformat())

    def scan(
        self, state: FolderState, *, since: date, count: int = 1000
    ) -> Iterator[ImapBatch]:
        """Read the headers of what came since `state`, by ascending UID.

        `since`: the day to begin from when the UIDs are no longer those of `state`;
        that of the last look. `count`: messages of a batch. No batch comes when
        nothing changed. Other methods may be called between two batches.
        """
        with self._searching():
            status = self._examine(state.path)
            end = self._end(status)
            after = follow(state, status, end, since)
            end = max(end, after.next_uid)
            uids = self._new_uids(after, end, count) if status.messages else ()
        for part in grammar.sets(uids, count, _SET):
            start = after
            alone = Place(state.path, after.uid_validity, part[0])
            self.reading = alone if len(part) == 1 else None
            headers, unreadable = self._headers(after, part)
            self.reading = None
            after = after.advanced(end if part[-1] == uids[-1] else part[-1] + 1)
            yield ImapBatch(after, headers, unreadable, start)
        if not uids and after.advanced(end) != state:
            yield ImapBatch(after.advanced(end))

    def fetch_into(
        self,
        file: BinaryIO,
        path: str,
        uid: int,
        *,
        uid_validity: int,
        max_octets: int,
        chunk: int = CHUNK,
    ) -> None:
        """Add a message to `file`, from the octet on where the file is now.

        Whatever is raised, what the file then holds is right, and another call goes on
        behind it. `chunk`: octets to ask for first; what follows depends on the speed.
        Raises MailError MESSAGE_GONE when it isn't there (any more), and
        MESSAGE_OVERSIZED when it has more than `max_octets`. The timeout is for each
        megabyte.
        """
        with self._operation(allowance=MAX_READ):
            self._enter(path, uid_validity)
        ended = False
        while not ended:
            started = time.monotonic()
            with (
                Spill() as spill,
                self._operation(
                    extra=chunk / OCTETS_PER_SECOND,
                    allowance=max_octets + MAX_READ,
                    steady=True,
                ),
            ):
                part = self._part(uid, file.tell(), chunk, spill)
                ended = _add(file, part, chunk, spill, max_octets)
            speed = len(part.body or b"") / max(time.monotonic() - started, 0.001)
            chunk = min(max(int(speed * _CHUNK_SECONDS), SMALL_CHUNK), CHUNK)

    def head(self, place: Place) -> bytes:
        """Return a message's header block, of a very long one the beginning.

        Raises MailError MESSAGE_GONE when it isn't there (any more).
        """
        found: dict[int, ImapHeader] = {}
        with self._operation(allowance=MAX_READ):
            self._enter(place.path, place.uid_validity)
            error = self._read_headers([place.uid], found, _WHOLE)
        if place.uid not in found:
            raise error or MailError(ErrorCode.MESSAGE_GONE)
        return found[place.uid].raw[:_MAX_HEADER]

    def find(
        self,
        message_id: str,
        folders: Sequence[Folder] | None = None,
        since: date | None = None,
    ) -> Place | None:
        """Return where the message with this Message-ID is now, or None.

        Looks into the likely folders, of `folders` if given, the likeliest first.
        `since`: the day on which it came, or one before, so that a server needs not
        open older ones.
        """
        everything = self.folders() if folders is None else folders
        for folder in imap_folders.likely_first(everything)[:_MOST_SEARCHED]:
            try:
                with self._searching():
                    status = self._examine(folder.path)
                    uids = self._search_id(message_id, since)
            except MailError as error:
                if error.code in FATAL:
                    raise
                continue  # a folder that can't be searched hides no other
            if uids:
                return Place(folder.path, status.uid_validity, uids[-1])
        return None

    def has_message(self, path: str, message_id: str) -> bool:
        """Whether a message with this Message-ID is in the folder."""
        with self._searching():
            self._examine(path)
            return bool(self._search_id(message_id))

    def append_sent(self, path: str, message: bytes, moment: datetime) -> None:
        """Put a copy of what was sent into a folder, marked as read.

        `moment`: aware. Raises MailError APPEND_REFUSED and the like; with `in_doubt`
        when it may lie there all the same: ask `has_message` before the next try.
        """
        if moment.tzinfo is None:
            raise ValueError("a moment without time zone")
        lines = message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        try:
            with self._operation(
                extra=len(lines) / OCTETS_PER_SECOND, allowance=MAX_READ
            ):
                answer = self._dialog.ask(
                    b"APPEND",
                    _mailbox_name(path),
                    rb"(\Seen)",
                    grammar.date_time(moment),
                    Literal(lines),
                )
                self._demand(answer, Stage.APPEND)
        except MailError as error:
            error.in_doubt = error.code in FATAL
            raise

    def remove(self, place: Place, is_ours: Callable[[bytes], bool]) -> bool:
        """Delete one message, if `is_ours` says so of its header block as it is now.

        Only where the server can do that by the UID of this one (RFC 4315): a plain
        EXPUNGE, and CLOSE, would take along whatever others have marked. Not at Gmail,
        whose own settings say what becomes of a message. Returns whether it is gone;
        one that is not lies there as before.
        """
        self._learn_capabilities()
        if "UIDPLUS" not in self.capabilities or "X-GM-EXT-1" in self.capabilities:
            return False
        with self._operation(allowance=MAX_READ):
            self._select(place)
            found: dict[int, ImapHeader] = {}
            self._read_headers([place.uid], found, _WHOLE)
            header = found.get(place.uid)
            if header is None or not is_ours(header.raw):
                return False
            if not self._dialog.ask(_DELETED % (place.uid, b"+")).ok:
                return False
            expunged = self._dialog.ask(b"UID EXPUNGE %d" % place.uid).ok
            if expunged and place.uid not in self._search(b"UID %d" % place.uid):
                return True
            self._dialog.ask(_DELETED % (place.uid, b"-"))
            return False

    # Within an operation

    def _select(self, place: Place) -> None:
        """Open a folder for writing; MESSAGE_GONE when its UIDs are others."""
        self._examined = None
        answer = self._dialog.ask(b"SELECT", _mailbox_name(place.path))
        self._demand(answer, Stage.FOLDER)
        items = grammar.examined_items(answer.untagged)
        if items.get("UIDVALIDITY") != place.uid_validity:
            raise MailError(ErrorCode.MESSAGE_GONE)

    def _status_told(self, answer: Answer) -> FolderStatus | MailError:
        if not answer.ok:
            return mailbox_error(Stage.FOLDER, answer.text, self._secrets)
        return FolderStatus.of(grammar.status_items(answer.untagged))

    def _examine(self, path: str) -> FolderStatus:
        """Open a folder for reading only. `uid_next` is 0 when no command tells it."""
        items = self._open_folder(path, Stage.FOLDER)
        if "UIDNEXT" not in items:
            # Winmail tells it by this command only, NetEase not at all.
            answer = self._dialog.ask(b"STATUS", _mailbox_name(path), b"(UIDNEXT)")
            items = {**grammar.status_items(answer.untagged), **items}
        status = FolderStatus.of(items)
        self._examined = (path, status)
        return status

    def _open_folder(self, path: str, stage: Stage) -> dict[str, int]:
        """Return what EXAMINE tells, by the names of STATUS; UIDVALIDITY is there."""
        self._examined = None
        answer = self._dialog.ask(b"EXAMINE", _mailbox_name(path))
        self._demand(answer, stage)
        items = grammar.examined_items(answer.untagged)
        if "UIDVALIDITY" not in items:
            raise MailError(ErrorCode.LISTING_FAILED)
        return items

    def _enter(self, path: str, uid_validity: int) -> None:
        """Open a folder unless it is open; MESSAGE_GONE when its UIDs are others."""
        if self._examined is None or self._examined[0] != path:
            self._examine(path)
        if self._examined is None or self._examined[1].uid_validity != uid_validity:
            raise MailError(ErrorCode.MESSAGE_GONE)

    def _searching(self) -> AbstractContextManager[None]:
        """Return an operation that may take three times the timeout.

        A server without an index opens every message of a folder.
        """
        return self._operation(extra=2 * self.server.timeout, allowance=MAX_READ)

    def _search(self, *criteria: bytes | Literal) -> list[int]:
        answer = self._dialog.ask(b"UID SEARCH", *criteria)
        self._demand(answer, Stage.FETCH)
        return grammar.searched(answer.untagged)

    def _search_id(self, message_id: str, since: date | None = None) -> list[int]:
        """Search the open folder. No server finds what isn't printable ASCII."""
        wanted = message_id.strip()
        if not wanted or not (wanted.isascii() and wanted.isprintable()):
            return []
        came = b"SINCE %b " % grammar.day(since) if since else b""
        name = grammar.string(wanted.encode())
        return self._search(came + b"HEADER Message-ID", name)

    def _end(self, status: FolderStatus) -> int:
        """Return one more than the highest UID of the open folder."""
        if status.uid_next or not status.messages:
            return status.uid_next or 1
        return max(self._search(b"UID %d:*" % _LAST_UID), default=0) + 1

    def _new_uids(self, state: FolderState, end: int, count: int) -> Sequence[int]:
        """Return the UIDs to look at, ascending; a short range needs no search."""
        uids: list[int] = []
        first = state.next_uid
        if first < state.backlog_end:
            until = min(state.backlog_end, end)
            since = grammar.day(date.fromisoformat(state.backlog_since))
            found = self._search(b"UID %d:%d SINCE %b" % (first, until - 1, since))
            uids += [uid for uid in found if first <= uid < until]
            first = until
        if first < end and end - first <= count and not uids:
            return range(first, end)
        if first < end:
            # A range whose end is missing may name a message below it.
            found = self._search(b"UID %d:%d" % (first, end - 1))
            uids += [uid for uid in found if first <= uid < end]
        return uids

    def _headers(
        self, state: FolderState, uids: Sequence[int]
    ) -> tuple[tuple[ImapHeader, ...], tuple[int, ...]]:
        """Return the headers, and the UIDs that the server refuses to read.

        One message that is broken there must not stop the others. But where it can
        read none, or may do so later, nothing is passed by: MailError.
        """
        found: dict[int, ImapHeader] = {}
        refused: list[int] = []
        waiting = [uids]
        while waiting:
            part = waiting.pop()
            with self._operation(
                extra=len(part) * _SECONDS_PER_HEADER,
                allowance=MAX_READ + 2 * len(part) * _MAX_HEADER,
                steady=True,
            ):
                self._enter(state.path, state.uid_validity)
                error = self._read_headers(part, found)
            if error is None:
                continue
            if len(part) > 1:
                middle = len(part) // 2
                waiting += [part[middle:], part[:middle]]
                continue
            refused += [uid for uid in part if uid not in found]
            later = error.transient or len(uids) > 1
            if not found and later and (len(refused) > _MAX_REFUSED or not waiting):
                raise error
        return tuple(found[uid] for uid in sorted(found)), tuple(refused)

    def _read_headers(
        self,
        uids: Sequence[int],
        found: dict[int, ImapHeader],
        section: bytes = _LOOKED_AT,
    ) -> MailError | None:
        """Add to `found`; return the server's refusal, if it is one."""
        answer = self._ask_headers(uids, section)
        if not answer.ok and self._partial and not answer.untagged:
            self._partial = False
            answer = self._ask_headers(uids, section)
        wanted = set(uids)
        for part in grammar.fetched(answer.untagged):
            if part.body is not None and part.uid in wanted:
                cut = len(part.body) >= _MAX_HEADER
                found[part.uid] = ImapHeader(part.uid, part.size, part.body, cut)
        if answer.ok or answer.only_expunged:
            return None
        return mailbox_error(Stage.FETCH, answer.text, self._secrets)

    def _ask_headers(self, uids: Sequence[int], section: bytes) -> Answer:
        partial = b"<0.%d>" % _MAX_HEADER if self._partial else b""
        items = _HEADER_ITEMS % (section, partial)
        return self._dialog.ask(
            b"UID FETCH", grammar.uid_set(uids), items, keep=_MAX_HEADER
        )

    def _part(self, uid: int, offset: int, chunk: int, spill: Spill) -> grammar.Fetched:
        """Return a chunk of a message; without body behind its end.

        One octet more than a chunk stands for all that `spill` has.
        """
        answer = self._dialog.ask(
            b"UID FETCH",
            b"%d" % uid,
            b"(UID RFC822.SIZE BODY.PEEK[]<%d.%d>)" % (offset, chunk),
            keep=chunk + 1,
            spill=spill,
        )
        told = [part for part in grammar.fetched(answer.untagged) if part.uid == uid]
        with_body = [part for part in told if part.body is not None]
        if not with_body and (answer.only_expunged or (answer.ok and not told)):
            raise MailError(ErrorCode.MESSAGE_GONE)
        self._demand(answer, Stage.FETCH)
        if not with_body and not offset:
            raise MailError(ErrorCode.FETCH_FAILED)
        part = (with_body or told)[0]
        if offset and part.body and part.origin != offset:
            raise ValueError("another part than the one that was asked for")
        return part


def _add(
    file: BinaryIO, part: grammar.Fetched, chunk: int, spill: Spill, max_octets: int
) -> bool:
    """Add a chunk to `file`; return whether it was the last one."""
    body = part.body or b""
    size = len(body)
    knows_no_parts = size > chunk
    if knows_no_parts:
        if spill.count > 1:
            raise ValueError("several messages where one was asked for")
        if spill.count:  # a quoted string is kept whole
            size = spill.file.seek(0, os.SEEK_END)
            spill.file.seek(0)
    if max(file.tell() + size, part.size) > max_octets:
        raise MailError(ErrorCode.MESSAGE_OVERSIZED)
    if knows_no_parts and spill.count:
        shutil.copyfileobj(spill.file, file)
    else:
        file.write(body)
    # Some tell another size than they send (Exchange): what comes counts.
    whole = size < chunk and file.tell() >= part.size
    return whole or not body or knows_no_parts


def _mailbox_name(path: str) -> bytes | Literal:
    """Return a folder's path as an argument."""
    return grammar.string(path.encode("latin-1"))
