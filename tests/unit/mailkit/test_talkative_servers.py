"""Servers that say a lot: it is read in little time, and little of it is kept."""

from __future__ import annotations

import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from mailkit.connection.settings import Credentials, Protocol, Security, Server
from mailkit.errors import ErrorCode, MailError
from mailkit.imap.mailbox import ImapMailbox
from mailkit.pop3 import Pop3Mailbox
from mailkit.smtp import SmtpSession

KINDS = {
    Protocol.IMAP: ImapMailbox,
    Protocol.POP3: Pop3Mailbox,
    Protocol.SMTP: SmtpSession,
}
SECONDS, OCTETS = 2.0, 64 << 20
# An answer of 12 MB: what is asked for is repeated so often.
MUCH = 12 << 20
IMAP_SIGNED_IN = ((b"", b"* OK\r\n"), (b"CAPABILITY", b"* CAPABILITY IMAP4rev1\r\n"))
POP3_SIGNED_IN = (
    (b"", b"+OK\r\n"),
    (b"CAPA", b"+OK\r\nTOP\r\nUIDL\r\n.\r\n"),
    (b"STAT", b"+OK 5 5\r\n"),
)


def many(line: bytes) -> bytes:
    return line * (MUCH // len(line))


@contextmanager
def speaking(protocol: Protocol, *said: tuple[bytes, bytes]) -> Iterator[Server]:
    """A server that answers a command by the first of `said` that stands in it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def speak() -> None:
        with listener, listener.accept()[0] as connection:
            connection.sendall(said[0][1])
            for line in connection.makefile("rb"):
                tag = line.split()[0]
                answer = next((a for word, a in said[1:] if word in line), b"")
                if protocol is Protocol.IMAP:
                    answer += tag + b" OK done\r\n"
                connection.sendall(answer or b"+OK\r\n")

    def quietly() -> None:
        try:
            speak()
        except OSError:
            pass  # nobody listens any more

    thread = threading.Thread(target=quietly, daemon=True)
    thread.start()
    port = listener.getsockname()[1]
    yield Server(protocol, "127.0.0.1", port, Security.NONE, allow_private=True)
    thread.join(10)


def sign_in(session: ImapMailbox | Pop3Mailbox | SmtpSession) -> None:
    session.open()
    session.login()


def folders(session: ImapMailbox) -> None:
    sign_in(session)
    session.folders()


def entries(session: Pop3Mailbox) -> None:
    sign_in(session)
    session.entries()


CASES: dict[str, tuple[Protocol, tuple[tuple[bytes, bytes], ...], Callable[..., None]]]
CASES = {
    "mechanisms of EHLO": (
        Protocol.SMTP,
        ((b"", b"220 a\r\n"), (b"ehlo", many(b"250-AUTH=PLAIN\r\n") + b"250 a\r\n")),
        sign_in,
    ),
    "a refusal of many lines": (
        Protocol.SMTP,
        ((b"", b"220 a\r\n"), (b"ehlo", many(b"550-5.7.1 <a@b> spam\r\n"))),
        sign_in,
    ),
    "a greeting of many lines": (
        Protocol.SMTP,
        ((b"", many(b"220-a\r\n") + b"220 a\r\n"),),
        sign_in,
    ),
    "capabilities of POP3": (
        Protocol.POP3,
        ((b"", b"+OK\r\n"), (b"CAPA", b"+OK\r\n" + many(b"ab\r\n") + b".\r\n")),
        sign_in,
    ),
    "UIDL": (
        Protocol.POP3,
        (*POP3_SIGNED_IN, (b"UIDL", b"+OK\r\n" + many(b"1 a\r\n") + b".\r\n")),
        entries,
    ),
    "capabilities of IMAP": (
        Protocol.IMAP,
        (
            (b"", b"* OK\r\n"),
            (b"CAPABILITY", b"* CAPABILITY " + many(b"ab ") + b"\r\n"),
        ),
        sign_in,
    ),
    "untagged responses": (
        Protocol.IMAP,
        ((b"", b"* OK\r\n"), (b"CAPABILITY", many(b"* A\r\n"))),
        sign_in,
    ),
    "literals": (
        Protocol.IMAP,
        (*IMAP_SIGNED_IN, (b"LIST", b"* LIST " + many(b"{0}\r\n") + b"\r\n")),
        folders,
    ),
}


@pytest.mark.parametrize("case", list(CASES))
def test_it_is_refused_in_little_time(case: str) -> None:
    protocol, said, work = CASES[case]
    with speaking(protocol, *said) as server:
        session = KINDS[protocol](server, Credentials("anna", "secret"))
        tracemalloc.start()
        began = time.thread_time()  # not that of the server
        try:
            with session, pytest.raises(MailError) as caught:
                work(session)
            spent = time.thread_time() - began
            _now, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert caught.value.code is ErrorCode.PROTOCOL_ERROR
    assert spent < SECONDS
    assert most < OCTETS
