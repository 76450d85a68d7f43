"""Reading a POP3 mailbox: TOP only, so that the server marks and deletes nothing.

What deletes is `remove`, for one message of our own.

RFC 1939, 2449, 2595, 5034, 6856.
RETR sets the Seen flag on Dovecot and may make Gmail archive the message; `TOP n` with
as many lines as the message has octets gives the same (RFC 1939 section 7).
Messages are told apart by UIDL; their numbers are those of one session.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from .connection.network import MAX_ANSWER, MAX_READ, OCTETS_PER_SECOND, Wire
from .connection.replies import Stage, mailbox_error
from .connection.session import Mechanism, Session, judged, usable_mechanisms
from .connection.settings import Credentials, Protocol, Security
from .errors import ErrorCode, MailError

_END = b"\r\n.\r\n"
_STUFFED = b"\r\n.."
_PIECE = 1024 * 1024
# Octets that are kept of a header.
_MAX_HEADER = 256 * 1024
# So many TOP on the way at once: they fit into any buffer, so that both sides never
# wait for each other to read (RFC 2449 section 6.6).
_WINDOW = 250
# Octets of a listing, and how many messages Odoo remembers of one mailbox.
_MAX_LISTING = 64 * 1024 * 1024
_MOST_ENTRIES = 500_000
_REFUSAL = re.compile(rb"-ERR\b ?(.*)", re.DOTALL)
_UIDL = re.compile(rb"[\x21-\x7e]{1,70}")


@dataclass(frozen=True)
class MaildropStatus:
    """What STAT tells. While both stay the same there is hardly anything new: only
    a message that replaced another of the same size, so list now and then all the same.
    """

    messages: int
    octets: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A message of this session. `uidl`: what to know it by the next time; at most
    80 characters of ASCII."""

    number: int
    uidl: str


@dataclass(frozen=True)
class Pop3Header:
    """The whole header of a message. `truncated`: `raw` is only the beginning."""

    entry: Entry
    raw: bytes
    truncated: bool = False


@dataclass(frozen=True)
class Pop3Batch:
    """Some headers; `unreadable` are the messages that the server cannot read."""

    headers: tuple[Pop3Header, ...]
    unreadable: tuple[Entry, ...] = ()


class Pop3Mailbox(Session):
    """One connection to one mailbox. Every method raises MailError."""

    protocol = Protocol.POP3
    # What CAPA told: names in upper case, and their arguments.
    _capabilities: dict[str, list[str]]
    _top_works = False
    # The message whose header, and no other's, `headers` waits for.
    reading: Entry | None = None

    def open(self) -> None:
        """Connect and encrypt as the settings say; never goes on without STLS."""
        with self._operation(opening=True):
            wire = self._connect()
            greeting = wire.readline()
            if greeting.startswith(b"-ERR"):
                raise self._refusal(Stage.GREETING)
            if not greeting.startswith(b"+OK"):
                raise self._not_this_protocol()
            self._capabilities = self._ask_capabilities()
            if self.server.security is Security.STARTTLS:
                self._start_tls(wire)

    def login(self) -> None:
        """Sign in. Raises MailError LOGIN_REFUSED and the like, AUTH_UNAVAILABLE."""
        with self._operation():
            credentials = self._signed()
            offered = [name.upper() for name in self._capabilities.get("SASL", [])]
            mechanisms = usable_mechanisms(self.server, credentials, offered)
            if credentials.access_token:
                self._tell_token(mechanisms)
            elif mechanisms and "USER" not in self._capabilities:
                self._authenticate(mechanisms[0])
            else:
                self._user_pass(credentials)

    def count_inbox(self) -> int:
        """Return how many messages there are, if the server can name them (UIDL).

        Raises MailError UIDL_MISSING, LISTING_FAILED and the like.
        """
        messages = self.status().messages
        with self._operation():
            # One line, not a mailbox full of them.
            self._ask_uidl("UIDL 1" if messages else "UIDL")
            if not messages:
                self._lines(MAX_ANSWER)
        return messages

    def status(self) -> MaildropStatus:
        """Ask how much there is: one command (STAT)."""
        with self._operation():
            words = self._short("STAT", Stage.LISTING).split()
            return MaildropStatus(int(words[1]), int(words[2]))

    def entries(self) -> tuple[Entry, ...]:
        """Return all messages by number: one command (UIDL).

        Where a server gives several messages the same UIDL, as it may for copies of
        one (RFC 1939 section 7), the later ones are told apart by how many came
        before. Raises MailError UIDL_MISSING when it has none.
        """
        with self._operation(allowance=_MAX_LISTING):
            self._ask_uidl("UIDL")
            listing, _cut = self._lines(_MAX_LISTING)
            if listing.count(b"\n") + listing.count(b"\r") > 2 * _MOST_ENTRIES:
                raise ValueError("more messages than there can be")
        return tuple(_entries(listing))

    def headers(
        self, entries: Sequence[Entry], *, count: int = 200
    ) -> Iterator[Pop3Batch]:
        """Read headers, `count` in a batch; pipelined where the server offers it.

        Raises MailError TOP_MISSING when the server cannot give headers only, and
        FETCH_FAILED when of several messages it gives none: that is another trouble
        than a broken message. Other methods may be called between two batches.
        """
        for start in range(0, len(entries), count):
            some = entries[start : start + count]
            self.reading = some[0] if len(some) == 1 else None
            headers: list[Pop3Header] = []
            unreadable: list[Entry] = []
            for entry, header in self._pipelined(some):
                if header is None:
                    unreadable.append(entry)
                else:
                    headers.append(header)
            if len(unreadable) > 1 and not headers:
                raise MailError(ErrorCode.FETCH_FAILED)
            self.reading = None
            yield Pop3Batch(tuple(headers), tuple(unreadable))

    def size(self, entry: Entry) -> int:
        """Return the octets of a message (LIST). Raises MailError MESSAGE_GONE."""
        with self._operation():
            try:
                words = self._short(f"LIST {entry.number}", Stage.FETCH).split()
            except MailError as error:
                if error.code is not ErrorCode.FETCH_FAILED:
                    raise
                raise MailError(ErrorCode.MESSAGE_GONE, reply=error.reply) from None
            return int(words[2])

    def fetch_into(self, file: BinaryIO, entry: Entry, *, max_octets: int) -> None:
        """Write a whole message into the empty `file`; TOP has no way to go on.

        Raises MailError MESSAGE_OVERSIZED when it has more than `max_octets`,
        MESSAGE_GONE when it isn't there any more, TOP_MISSING. The timeout is for
        each megabyte.
        """
        octets = self.size(entry)
        if octets > max_octets:
            raise MailError(ErrorCode.MESSAGE_OVERSIZED)
        # Some count a little less than they send.
        allowance = 2 * max_octets + MAX_READ
        with self._operation(
            extra=_PIECE / OCTETS_PER_SECOND, allowance=allowance, steady=True
        ):
            refusal = self._top(entry, octets + 1)
            if refusal:
                raise refusal
            cut = self._copy_lines(file, max_octets)
        if cut:
            raise MailError(ErrorCode.MESSAGE_OVERSIZED)

    def remove(self, uidl: str, is_ours: Callable[[bytes], bool]) -> bool:
        """Delete one message, if `is_ours` says so of its header block, and end the
        session: only then does the server do it (RFC 1939 section 6).

        For a session in which nothing else was done. Not at Gmail, whose own settings
        say what becomes of a message, nor where several messages have this UIDL.
        Returns whether the server said that it is gone.
        """
        alike = [e for e in self.entries() if e.uidl.partition(" ")[0] == uidl]
        at_google = any(name.startswith("X-GOOGLE") for name in self._capabilities)
        if len(alike) != 1 or at_google:
            return False
        for batch in self.headers(alike):
            if not all(is_ours(header.raw) for header in batch.headers):
                return False
            if not batch.headers:
                return False
        with self._operation():
            self._say(f"DELE {alike[0].number}")
            if self._answer(Stage.FETCH):
                return False
            self._say("QUIT")
            gone = self._answer(Stage.FETCH) is None
        self._abandon()
        return gone

    # Within an operation

    def _start_tls(self, wire: Wire) -> None:
        # Without CAPA nobody knows: then the command itself tells.
        if self._capabilities and "STLS" not in self._capabilities:
            raise MailError(ErrorCode.STARTTLS_MISSING)
        self._say("STLS")
        refusal = self._answer(Stage.HELLO)
        if refusal:
            raise MailError(ErrorCode.STARTTLS_MISSING, reply=refusal.reply)
        wire.encrypt(self.server)
        # What was said in plain text counts for nothing (RFC 2595 section 4).
        self._capabilities = self._ask_capabilities()

    def _ask_capabilities(self) -> dict[str, list[str]]:
        self._say("CAPA")
        if self._answer(Stage.HELLO):
            return {}
        told, _cut = self._lines(MAX_ANSWER)
        lines = [line.split() for line in told.decode("latin-1").splitlines()]
        return {words[0].upper(): words[1:] for words in lines if words}

    def _user_pass(self, credentials: Credentials) -> None:
        login, password = credentials.login, credentials.password
        if "UTF8" in self._capabilities and not (login + password).isascii():
            self._short("UTF8", Stage.LOGIN)
        self._short(f"USER {login}", Stage.LOGIN)
        self._short(f"PASS {password}", Stage.LOGIN)

    def _tell_token(self, mechanisms: Sequence[Mechanism]) -> None:
        error = MailError(ErrorCode.AUTH_UNAVAILABLE)
        for mechanism in mechanisms:
            try:
                return self._authenticate(mechanism)
            except MailError as refused:
                error = judged(mechanism, refused)
            if error.code is not ErrorCode.AUTH_UNAVAILABLE:
                break
        raise error

    def _authenticate(self, mechanism: Mechanism) -> None:
        self._say(f"AUTH {mechanism.name}")
        for answer in mechanism.all_answers:
            challenge = self._connection.readline()
            if challenge.startswith(b"+OK") or not challenge.startswith(b"+"):
                break
            self._say(answer(challenge[1:].strip()).decode())
        else:
            self._connection.readline()
        if not self._connection.last_line.startswith(b"+OK"):
            raise self._refusal(Stage.LOGIN)

    def _pipelined(
        self, entries: Sequence[Entry]
    ) -> Iterator[tuple[Entry, Pop3Header | None]]:
        """Keep up to a window of TOP on the way; to be used up to the end."""
        window = 1
        if {"PIPELINING", "TOP"} <= self._capabilities.keys():
            window = _WINDOW
        sent = 0
        for position, entry in enumerate(entries):
            if sent <= position + window // 2:
                more = entries[sent : position + window]
                sent += len(more)
            else:
                more = ()
            with self._operation(allowance=4 * MAX_READ):
                header = self._next_header(entry, more)
            yield entry, header

    def _next_header(self, entry: Entry, more: Sequence[Entry]) -> Pop3Header | None:
        """Ask for the headers of `more`, and read that of `entry`."""
        try:
            if more:
                lines = "".join(f"TOP {each.number} 0\r\n" for each in more)
                self._connection.sendall(lines.encode())
            if self._answer_to_top():
                return None
            return Pop3Header(entry, *self._lines(_MAX_HEADER))
        except MailError:
            self._abandon()  # answers are on the way that nobody reads
            raise

    def _top(self, entry: Entry, lines: int) -> MailError | None:
        self._say(f"TOP {entry.number} {lines}")
        return self._answer_to_top()

    def _answer_to_top(self) -> MailError | None:
        """Return the refusal of one message; raise that of the command."""
        error = self._answer(Stage.FETCH)
        if error is None:
            self._top_works = True
            return None
        if error.code is not ErrorCode.FETCH_FAILED:
            raise error
        if "TOP" not in self._capabilities and not self._top_works:
            raise MailError(ErrorCode.TOP_MISSING, reply=error.reply)
        return error

    def _say(self, line: str) -> None:
        self._connection.sendall(f"{line}\r\n".encode())

    def _answer(self, stage: Stage) -> MailError | None:
        """Read one line; return None for +OK, else the refusal."""
        if self._connection.readline().startswith(b"+OK"):
            return None
        return self._refusal(stage)

    def _refusal(self, stage: Stage) -> MailError:
        """Return the error for the -ERR read last."""
        found = _REFUSAL.match(self._connection.last_line)
        if not found:
            raise ValueError("neither +OK nor -ERR")
        return mailbox_error(stage, found.group(1), self._secrets)

    def _short(self, command: str, stage: Stage) -> str:
        """Ask for one line; raise the refusal."""
        self._say(command)
        refusal = self._answer(stage)
        if refusal:
            raise refusal
        return self._connection.last_line.decode("latin-1")

    def _ask_uidl(self, command: str) -> None:
        try:
            self._short(command, Stage.LISTING)
        except MailError as error:
            if error.code is not ErrorCode.LISTING_FAILED:
                raise
            raise MailError(ErrorCode.UIDL_MISSING, reply=error.reply) from None

    def _lines(self, keep: int) -> tuple[bytes, bool]:
        kept = BytesIO()
        cut = self._copy_lines(kept, keep)
        return kept.getvalue(), cut

    def _copy_lines(self, kept: BinaryIO, keep: int) -> bool:
        """Read what follows the first line, up to the single dot.

        Its first `keep` octets are written, as they were before dots were doubled.
        Returns whether there were more. Lines end as they are, whatever is in them.
        """
        wire = self._connection
        wire.unread(b"\r\n")  # of the first line: now every dot follows a line's end
        size = 0
        rest = b""
        ended = False
        while not ended:
            piece = wire.read_until(_END, _PIECE)
            ended = piece.endswith(_END)
            if not ended:
                extra = _PIECE / OCTETS_PER_SECOND
                wire.prolong(self._until(extra))
            data = rest + (piece[: -len(_END) + 2] if ended else piece)
            rest = b"" if ended else _begun(data)
            data = data[: len(data) - len(rest)].replace(_STUFFED, _STUFFED[:-1])
            data = data if size else data[2:]
            size += len(data)
            kept.write(data[: max(keep - kept.tell(), 0)])
        return size > keep

    def _goodbye(self) -> None:
        self._short("QUIT", Stage.HELLO)


def _begun(data: bytes) -> bytes:
    """Return what at the end of `data` may be the beginning of a doubled dot."""
    for length in range(len(_STUFFED) - 1, 0, -1):
        if data.endswith(_STUFFED[:length]):
            return _STUFFED[:length]
    return b""


def _entries(listing: bytes) -> Iterator[Entry]:
    seen: dict[str, int] = {}
    for line in listing.splitlines():
        number, _, raw = line.strip().partition(b" ")
        raw = raw.strip()
        if not number.isdigit() or not raw:
            continue
        # What breaks the rules still identifies, in a form that can be kept.
        uidl = (
            raw.decode("ascii")
            if _UIDL.fullmatch(raw)
            else f"sha256:{hashlib.sha256(raw).hexdigest()}"
        )
        seen[uidl] = seen.get(uidl, 0) + 1
        suffix = f" {seen[uidl]}" if seen[uidl] > 1 else ""
        yield Entry(int(number), uidl + suffix)
