"""What a visit and the run say to each other.

A visit is given a ``MailboxJob`` to begin with. Then it puts requests into the queue of
the run, each in an ``Asked``, and gets their answers. None of it is a record: the
thread of a visit has no database.
"""

import queue
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ...mailkit.connection.settings import Credentials, Server
from ...mailkit.errors import MailError
from ..oauth2.tokens import Renewal
from .heavy import MessageSource

# How a visit ends, unless all went well (None) or the server refused (MailError)


class Stopped(Exception):
    """The run is over; what was not looked at is looked at by the next one."""


class Unusable(Stopped):
    """What is stored of the sign-in does not open: other key, database or settings."""


class Failed(Stopped):
    """Odoo could not keep what was read; the next try comes after a while."""


class Cut(Stopped):
    """The visit took all the time there was; ``error`` is what came of that.

    ``early``: that was less than it may take.
    """

    def __init__(self, error, *, early=False):
        super().__init__()
        self.error, self.early = error, early


# What a visit begins with


@dataclass(frozen=True)
class FolderJob:
    """A folder to read. ``state``: as ``mail.external.folder`` keeps it.

    ``transfer``: of the message that earlier visits began to fetch, see ``Held``.
    """

    id: int
    path: str
    is_sent: bool
    state: dict | None
    list_anew: bool = True  # POP3: also when STAT says that nothing changed
    transfer: dict | None = None


@dataclass(frozen=True)
class MailboxJob:
    """All that a visit needs, none of it a record.

    ``credentials`` None: it has to ask for them, see ``SignIn``. ``headers``: how many
    are asked for at once. ``careful``: Odoo ended the last time while something of this
    mailbox may have been judged.
    """

    server: Server
    credentials: Credentials | None = field(repr=False)
    folders: tuple[FolderJob, ...]
    since: date  # the day of the last visit
    look_back: date | None  # where a folder begins that was never read
    copies: bool  # whether sent mail waits to be put into the Sent folder
    headers: int
    careful: bool


# What it asks for, and what it is answered


class Request:
    """``keeps``: it is about what is done already, so it is heard to the very end.

    ``is_alone``: it has a transaction of its own.
    """

    keeps = False
    is_alone = False


@dataclass(frozen=True)
class SignIn(Request):
    """Asks what to sign in with: ``tokens.Access``, or ``Renewal`` that the visit has
    to do, or ``Wait``; or the MailError because of which there is nothing.

    ``lease``: of this visit. ``refused``: the token that the server refused.
    """

    is_alone = True
    lease: str
    refused: str = field(default="", repr=False)


@dataclass(frozen=True)
class Renewed(Request):
    """What the mail service answered to a renewal; it is kept at once. The answer is as
    to ``SignIn``.

    ``outcome``: see ``tokens.ask``.
    """

    keeps = True
    is_alone = True
    renewal: Renewal
    outcome: Any = field(repr=False)


@dataclass(frozen=True)
class Advanced(Request):
    """The folder is done up to here. ``names``: UIDLs that were looked at."""

    folder: FolderJob
    state: dict
    names: tuple[str, ...] = ()
    listed: bool = False


@dataclass(frozen=True)
class Scanned(Request):
    """Headers of one folder, in order; asks which of them to fetch: a ``Choice``.

    ``truncated``: those of which only the beginning is known. ``done``: what to keep
    when all were judged and none is wanted. ``uid_validity``: 0 over POP3.
    """

    folder: FolderJob
    names: tuple[str, ...]  # UID or UIDL
    headers: tuple[bytes, ...]
    truncated: frozenset[int]
    done: Advanced
    uid_validity: int = 0


@dataclass(frozen=True)
class Choice:
    """``wanted``: positions. ``judged``: so many were, from the first one on."""

    wanted: tuple[int, ...]
    judged: int


@dataclass(frozen=True)
class Unreadable(Request):
    """Messages that the server itself cannot read, not even their headers.

    ``uid_validity``: of the folder; 0 over POP3, whose names need none.
    """

    folder: FolderJob
    names: tuple[str, ...]  # UID or UIDL
    uid_validity: int = 0
    reason: str = "unreadable"


@dataclass(frozen=True)
class Fetched(Request):
    """A message that was chosen; ``source`` None: it cannot be had, ``problem`` says
    why.

    ``keeps``: it took so long that it should not be fetched again.
    """

    folder: FolderJob
    position: int  # among the headers that were judged last
    name: str  # UID or UIDL
    source: MessageSource | None = None
    problem: str = ""
    state: dict | None = None  # how far the folder is with this one
    keeps: bool = False


@dataclass(frozen=True)
class Begun(Request):
    """Asks for what was fetched of a message before, from ``position`` on; or b""."""

    folder: FolderJob
    message: str
    position: int


@dataclass(frozen=True)
class Part(Request):
    """Something of a message that could not be fetched whole in this visit."""

    keeps = True
    folder: FolderJob
    message: str
    position: int
    content: bytes


@dataclass(frozen=True)
class Held(Request):
    """The visit ended at a message. ``transfer``: what the folder keeps of that, see
    ``visit.counted``; ``octets``: how far this visit came with it.
    """

    keeps = True
    folder: FolderJob
    transfer: dict
    octets: int = 0


@dataclass(frozen=True)
class Listed(Request):
    """The UIDLs of a POP3 mailbox; asks which are new.

    None of them where the mailbox was never read, unless its account looks back.
    """

    folder: FolderJob
    names: tuple[str, ...]


@dataclass(frozen=True)
class FolderFailed(Request):
    """One folder cannot be read; the others can."""

    folder: FolderJob
    error: MailError


@dataclass(frozen=True)
class NextCopy(Request):
    """Asks for the next sent mail to put away: (id, message_id, moment, content).

    ``done``: id of the one before. ``problem``: why it was not put away.
    """

    done: int = 0
    problem: str = ""


@dataclass(frozen=True)
class CopyFailed(Request):
    """The visit ended at this copy."""

    keeps = True
    copy_id: int


@dataclass(frozen=True)
class Asked:
    """What is put into the run's queue: a request, or how the visit ended.

    :param MailboxWork work: who answers it
    :param asked: a Request; None, MailError or Stopped when the visit is over
    :param replies: where the visit waits for the answer; None: it is over
    """

    work: Any
    asked: Any
    replies: queue.SimpleQueue | None

    @property
    def is_end(self):
        return self.replies is None

    @property
    def messages(self):
        return int(isinstance(self.asked, Fetched))

    @property
    def keeps(self):
        """Whether it is heard to the very end of the run."""
        return self.is_end or self.asked.keeps

    @property
    def is_alone(self):
        """Whether it needs a transaction of its own: what is large, what is marked."""
        source = self.asked.source if self.messages else None
        large = source is not None and source.is_large
        return large or (
            not self.is_end
            and (self.asked.is_alone or self.work.marks.wanted(self.asked))
        )
