"""Servers of common names. Nobody names them, so each has to answer as what it is.

Nothing is said but a greeting, and never a password: a server counts when it speaks
the protocol, with a valid certificate for its name. One that sends has to offer a
sign-in besides, or it is no server for one's own mail.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..connection.network import Deadline
from ..connection.settings import Protocol, Security, Server
from ..errors import ErrorCode, MailError
from ..imap.session import ImapSession
from ..pop3 import Pop3Mailbox
from ..smtp import SmtpSession
from .found import Offer


class Guess(NamedTuple):
    """A place to try: `label` stands before the domain."""

    protocol: Protocol
    label: str
    port: int
    security: Security


#: In the order in which they are preferred.
GUESSES = tuple(
    Guess(protocol, label, port, security)
    for protocol, labels, ports in (
        (
            Protocol.SMTP,
            ("smtp", "mail"),
            ((465, Security.SSL), (587, Security.STARTTLS)),
        ),
        (Protocol.IMAP, ("imap", "mail"), ((993, Security.SSL),)),
        (Protocol.POP3, ("pop", "mail"), ((995, Security.SSL),)),
    )
    for label in labels
    for port, security in ports
)


def answering(
    domain: str,
    deadline: Deadline,
    *,
    allow_private: bool,
    ca_pem: str,
    guesses: Sequence[Guess] = GUESSES,
) -> tuple[list[Offer], list[ErrorCode]]:
    """Those that answer, the preferred first; and how others failed.

    All are asked at once. What comes after `deadline`, or after a better one of its
    kind is there, is not waited for.
    """
    servers = [_server(guess, domain, allow_private, ca_pem) for guess in guesses]
    told: queue.SimpleQueue[tuple[int, ErrorCode | None]] = queue.SimpleQueue()
    for number, server in enumerate(servers):
        name = "mailkit-discovery"
        arguments = (number, server, deadline, told)
        threading.Thread(target=_try, args=arguments, name=name, daemon=True).start()
    results: dict[int, ErrorCode | None] = {}
    while not _is_settled(servers, results):
        try:
            number, error = told.get(timeout=deadline.remaining())
        except (queue.Empty, MailError):
            break
        results[number] = error
    good = [number for number in sorted(results) if results[number] is None]
    offers = [
        Offer(each.protocol, each.host, each.port, each.security)
        for each in map(servers.__getitem__, good)
    ]
    return offers, [error for error in results.values() if error]


def _server(guess: Guess, domain: str, allow_private: bool, ca_pem: str) -> Server:
    return Server(
        guess.protocol,
        f"{guess.label}.{domain}",
        guess.port,
        guess.security,
        ca_pem=ca_pem,
        allow_private=allow_private,
    )


def _is_settled(servers: list[Server], results: dict[int, ErrorCode | None]) -> bool:
    """Whether no better server of any kind can still answer."""
    settled = set()
    for number, server in enumerate(servers):
        if server.protocol in settled:
            continue
        if number not in results:
            return False
        if results[number] is None:
            settled.add(server.protocol)
    return True


def _try(
    number: int,
    server: Server,
    deadline: Deadline,
    told: queue.SimpleQueue[tuple[int, ErrorCode | None]],
) -> None:
    error: ErrorCode | None = None
    try:
        _SPEAKING[server.protocol](server, deadline)
    except MailError as problem:
        error = problem.code
    told.put((number, error))


def _speak_smtp(server: Server, deadline: Deadline) -> None:
    with SmtpSession(server, None, deadline=deadline) as session:
        session.open()
        if not session.facts.auth:
            raise MailError(ErrorCode.AUTH_UNAVAILABLE)


def _speak_imap(server: Server, deadline: Deadline) -> None:
    with ImapSession(server, None, deadline=deadline) as session:
        session.open()


def _speak_pop3(server: Server, deadline: Deadline) -> None:
    with Pop3Mailbox(server, None, deadline=deadline) as session:
        session.open()


_SPEAKING: dict[Protocol, Callable[[Server, Deadline], None]] = {
    Protocol.SMTP: _speak_smtp,
    Protocol.IMAP: _speak_imap,
    Protocol.POP3: _speak_pop3,
}
