"""Where reading an IMAP folder stands, and what it brings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime


@dataclass(frozen=True)
class FolderStatus:
    """A folder at this moment. `uid_next` 0: the server does not tell."""

    uid_validity: int
    uid_next: int
    messages: int

    @classmethod
    def of(cls, items: Mapping[str, int]) -> FolderStatus:
        """Return what stands in `items`, by the names of STATUS."""
        return cls(
            items.get("UIDVALIDITY", 0),
            items.get("UIDNEXT", 0),
            items.get("MESSAGES", 0),
        )


@dataclass(frozen=True)
class FolderState:
    """Up to where a folder was read; `dataclasses.asdict` gives JSON.

    `next_uid`: the first UID that was not looked at. Of those below `backlog_end`
    only what arrived on `backlog_since` (ISO date) or later is looked at; 0 and ""
    when there are none.
    """

    path: str
    uid_validity: int
    next_uid: int
    backlog_end: int = 0
    backlog_since: str = ""

    def is_current(self, status: FolderStatus) -> bool:
        """Whether nothing came since, so that the folder needs no look."""
        same = self.uid_validity == status.uid_validity
        return same and self.next_uid == status.uid_next

    def advanced(self, next_uid: int) -> FolderState:
        """Return the state after everything below `next_uid` was looked at."""
        if next_uid < self.backlog_end:
            return replace(self, next_uid=next_uid)
        return FolderState(self.path, self.uid_validity, next_uid)


@dataclass(frozen=True)
class Header:
    """The fields `reading.FIELDS` of a message as they stand there.

    `size`: octets of the message, 0 if unknown; not always exact. `received`: aware,
    when it came into the mailbox. `truncated`: `raw` is only the beginning.
    """

    uid: int
    size: int
    received: datetime | None
    raw: bytes
    truncated: bool = False


@dataclass(frozen=True)
class Batch:
    """Some new messages, and the state to keep once they are dealt with.

    `unreadable`: UIDs of messages that the server itself cannot read. `start`: the
    state before these messages; None when there are none.
    """

    state: FolderState
    headers: tuple[Header, ...] = ()
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


def follow(
    state: FolderState, status: FolderStatus, end: int, since: date
) -> FolderState:
    """Return `state`, or where to begin again when it speaks of other UIDs.

    That is so when UIDVALIDITY changed, and when UIDNEXT fell, which happens to a
    mailbox restored from a backup. `end`: one more than the highest UID there is.
    """
    fell = 0 < status.uid_next < state.next_uid
    if status.uid_validity == state.uid_validity and not fell:
        return state
    return FolderState(state.path, status.uid_validity, 1, end, since.isoformat())
