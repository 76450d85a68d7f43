"""Mailboxes of the fault server, opened and signed in, for the tests of reading."""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from typing import Any

from devtools.testbed.faults import (
    Action,
    Drip,
    Drop,
    FaultServer,
    Flood,
    Garbage,
    Hang,
    InTurn,
)
from mailkit.connection.settings import Credentials, Protocol, Security, Server
from mailkit.errors import MailError
from mailkit.imap.mailbox import ImapMailbox
from mailkit.pop3 import Pop3Mailbox

SECRET = "hunter22"
# A server that says nothing may cost this, and twice more where it has to search.
TIMEOUT = 0.8
MEGABYTE = 1024 * 1024

Faults = Mapping[str, Action | InTurn]
BAD_DAYS: dict[str, tuple[Action, str]] = {
    "hang": (Hang(), "timeout"),
    "drop": (Drop(), "connection_lost"),
    "drip": (Drip(0.9), "timeout"),
    "garbage": (Garbage(), "protocol_error"),
    "echo": (Garbage(b"what is hunter22?\r\n"), "protocol_error"),
}
FLOODS = {
    "line without end": Flood(b"* X" * 20_000),
    "no end": Flood(b"* 3 EXISTS\r\n" * 5000),
}


def server(faulty: FaultServer, timeout: float = 5.0) -> Server:
    return Server(
        Protocol(faulty.protocol),
        "localhost",
        faulty.port,
        Security(faulty.security),
        ca_pem=faulty.ca_pem,
        allow_private=True,
        timeout=timeout,
    )


def with_imap(
    faults: Faults,
    work: Callable[[ImapMailbox], object],
    timeout: float = 5.0,
) -> list[str]:
    """Do `work` signed in; return the commands that the server got after that."""
    with FaultServer("imap", "none", faults=faults) as faulty:
        with ImapMailbox(
            server(faulty, timeout), Credentials("anna", SECRET)
        ) as mailbox:
            mailbox.open()
            mailbox.login()
            before = len(faulty.commands)
            work(mailbox)
        return [line.partition(" ")[2] for line in faulty.commands[before:]]


def with_pop(
    faults: Faults,
    work: Callable[[Pop3Mailbox], object],
    timeout: float = 5.0,
    features: tuple[str, ...] | None = None,
) -> list[str]:
    with FaultServer("pop3", "none", faults=faults, features=features) as faulty:
        with Pop3Mailbox(
            server(faulty, timeout), Credentials("anna", SECRET)
        ) as mailbox:
            mailbox.open()
            mailbox.login()
            before = len(faulty.commands)
            work(mailbox)
        return faulty.commands[before:]


def whole(mailbox: ImapMailbox | Pop3Mailbox, *place: Any, **options: Any) -> bytes:
    """Return the message that `fetch_into` gives."""
    content = BytesIO()
    mailbox.fetch_into(content, *place, **options)
    return content.getvalue()


def failure(run: Callable[[], object]) -> tuple[str, float]:
    """Return the code of the MailError that has to come, and the seconds it took."""
    started = time.monotonic()
    try:
        run()
    except MailError as error:
        assert SECRET not in f"{error} {error.reply!r} {error.args}"
        return error.code.value, time.monotonic() - started
    raise AssertionError("nothing went wrong")


def all_at_once(
    runs: Iterable[tuple[object, Callable[[], object]]],
) -> dict[object, Future[tuple[str, float]]]:
    """Return the failures by their keys: most of their time is waiting."""
    with ThreadPoolExecutor(24) as pool:
        return {key: pool.submit(failure, run) for key, run in runs}
