"""Servers that are never too slow for one step: all of a session ends in time."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import date
from functools import partial
from io import BytesIO

import pytest
from bad_days import FLOODS, SECRET, all_at_once, server, whole

from devtools.testbed.faults import Action, Delay, Drip, FaultServer, Hang, InTurn, Raw
from mailkit.connection.network import Deadline
from mailkit.connection.settings import Credentials
from mailkit.errors import ErrorCode, MailError
from mailkit.imap.folders import FolderState
from mailkit.imap.mailbox import SMALL_CHUNK, ImapMailbox
from mailkit.pop3 import Entry, Pop3Mailbox
from mailkit.smtp import SmtpSession

# All of a session may take this; a single step as long as anybody waits.
SECONDS, STEP = 1.2, 30.0
TODAY = date(2024, 5, 6)
STATE = FolderState("INBOX", 1234, 3)
MESSAGE = b"From: anna@brand-a.test\r\n\r\nHello\r\n"
Slow = dict[str, Action | InTurn]


def imap(session: ImapMailbox) -> None:
    session.open()
    session.login()
    session.status(["INBOX"])
    session.folders()
    list(session.scan(STATE, since=TODAY))
    session.has_message("INBOX", "<a@b>")
    whole(session, "INBOX", 3, uid_validity=1234, max_octets=10**6)
    while True:  # a visit with much to do
        session.status(["INBOX"])


def pop3(session: Pop3Mailbox) -> None:
    session.open()
    session.login()
    session.status()
    entries = session.entries()
    list(session.headers(entries))
    whole(session, Entry(1, "id1"), max_octets=10**6)
    while True:
        session.status()


def smtp(session: SmtpSession) -> None:
    session.open()
    session.login()
    while True:
        session.send("anna@brand-a.test", "client@customer.test", MESSAGE)


WORK: dict[str, tuple[type, Callable[..., None]]] = {
    "imap": (ImapMailbox, imap),
    "pop3": (Pop3Mailbox, pop3),
    "smtp": (SmtpSession, smtp),
}
STEPS = {
    "imap": "greeting capability authenticate login status list examine search fetch",
    "pop3": "greeting capa user pass stat uidl list top",
    "smtp": "greeting ehlo auth mail rcpt data body",
}
SLOW: dict[str, Action] = {
    "says nothing": Hang(),
    "drips": Drip(0.05),
    "one byte a second": Drip(1.0),
    "takes its time": Delay(0.4),
    **FLOODS,
}


def part(data: bytes, offset: int, size: int) -> Raw:
    line = b"* 1 FETCH (UID 3 RFC822.SIZE %d BODY[]<%d> {%d}\r\n%b)\r\n"
    return Raw(line % (size, offset, len(data), data) + b"{tag} OK done\r\n")


REGULAR: Slow = {"fetch": part(b"Hello", 0, 5)}


def session_with(protocol: str, faults: Slow) -> None:
    """Raises the MailError that ends it."""
    kind, work = WORK[protocol]
    with FaultServer(protocol, "none", faults={**REGULAR, **faults}) as faulty:
        deadline = Deadline(SECONDS)
        settings = server(faulty, STEP)
        with kind(settings, Credentials("anna", SECRET), deadline=deadline) as session:
            try:
                work(session)
            finally:
                assert not session.alive


CASES = [
    (protocol, step, how)
    for protocol, steps in STEPS.items()
    for step in steps.split()
    for how in SLOW
]


@pytest.fixture(scope="module")
def ends() -> dict[object, Future[tuple[str, float]]]:
    return all_at_once(
        (case, partial(session_with, case[0], {case[1]: SLOW[case[2]]}))
        for case in CASES
    )


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_every_slow_step_ends_with_the_session(
    ends: dict[object, Future[tuple[str, float]]], case: tuple[str, str, str]
) -> None:
    code, seconds = ends[case].result()
    usual = {"timeout"} if case[2] not in FLOODS else {"timeout", "protocol_error"}
    # A flood at the greeting or the sign-in may be taken for anything but mail.
    assert code in usual or case[2] in FLOODS, code
    assert seconds < SECONDS + 2.5


def test_an_operation_still_ends_before_the_session() -> None:
    with FaultServer("imap", "none", faults={"status": Hang()}) as faulty:
        settings = server(faulty, 0.5)
        session = ImapMailbox(
            settings, Credentials("anna", SECRET), deadline=Deadline(60)
        )
        with session:
            session.open()
            session.login()
            began = time.monotonic()
            with pytest.raises(MailError):
                session.status(["INBOX"])
            assert time.monotonic() - began < 2


# Large messages


def fetching(faults: Slow, file: BytesIO, chunk: int, seconds: float) -> list[str]:
    """Return the commands; what came is in `file`."""
    with FaultServer("imap", "none", faults=faults) as faulty:
        session = ImapMailbox(
            server(faulty, STEP),
            Credentials("anna", SECRET),
            deadline=Deadline(seconds),
        )
        with session:
            session.open()
            session.login()
            session.fetch_into(
                file, "INBOX", 3, uid_validity=1234, max_octets=10**6, chunk=chunk
            )
    return [line for line in faulty.commands if "FETCH" in line]


def test_a_message_is_gone_on_with_where_it_stopped() -> None:
    content = bytes(range(256)) * 200
    first, rest = content[:20_000], content[20_000:]
    file = BytesIO()
    with pytest.raises(MailError) as caught:
        faults: Slow = {"fetch": InTurn(part(first, 0, len(content)), Hang())}
        fetching(faults, file, 20_000, 1.0)
    assert caught.value.code is ErrorCode.TIMEOUT
    assert file.getvalue() == first
    again: Slow = {"fetch": part(rest, 20_000, len(content))}
    [command] = fetching(again, file, 50_000, 5.0)
    assert "<20000.50000>" in command
    assert file.getvalue() == content


def test_nothing_of_a_broken_part_is_kept() -> None:
    for wrong in (
        part(b"x" * 100, 7, 900),
        Raw(b"* 1 FETCH (UID 3 BODY[]<0> {9}\r\nab"),
    ):
        file = BytesIO(b"y" * 100)
        file.seek(100)
        with pytest.raises(MailError):
            fetching({"fetch": InTurn(wrong, Hang())}, file, 100, 1.0)
        assert file.getvalue() == b"y" * 100


def test_a_slow_server_is_asked_for_less() -> None:
    size = 8 * SMALL_CHUNK

    class Slowly(FaultServer):
        def action(self, step: str) -> Action | None:
            if step != "fetch":
                return None
            asked = self.commands[-1].rpartition("<")[2].partition(">")[0]
            offset, count = map(int, asked.split("."))
            time.sleep(min(count, size - offset) / SMALL_CHUNK * 0.5)
            return part(b"z" * min(count, size - offset), offset, size)

    file = BytesIO()
    with Slowly("imap", "none") as faulty:
        session = ImapMailbox(server(faulty, STEP), Credentials("anna", SECRET))
        with session:
            session.open()
            session.login()
            session.fetch_into(
                file, "INBOX", 3, uid_validity=1234, max_octets=10**6, chunk=SMALL_CHUNK
            )
    counts = [
        int(line.rpartition(".")[2].rstrip(">)"))
        for line in faulty.commands
        if "FETCH" in line
    ]
    assert counts[0] == SMALL_CHUNK
    assert all(count < 5 * SMALL_CHUNK for count in counts), counts
    assert file.getvalue() == b"z" * size


def test_a_server_that_knows_no_parts_costs_no_memory() -> None:
    size = 300_000
    whole = b"* 1 FETCH (UID 3 RFC822.SIZE %d BODY[] {%d}\r\n%b)\r\n{tag} OK\r\n"
    file = BytesIO()
    fetching({"fetch": Raw(whole % (size, size, b"w" * size))}, file, 1000, 5.0)
    assert file.getvalue() == b"w" * size
    two = b"* 1 FETCH (UID 9 BODY[] {5000}\r\n%b)\r\n" % (b"n" * 5000)
    file = BytesIO()
    with pytest.raises(MailError):
        fetching({"fetch": Raw(two + whole % (size, size, b"w" * size))}, file, 1000, 5)
    assert file.getvalue() == b""
