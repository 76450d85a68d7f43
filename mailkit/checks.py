"""The checks of the connect window: one step at a time, each within its time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from .connection.network import Deadline, conceal, is_public, resolve
from .connection.settings import Credentials, Protocol, Server
from .errors import ErrorCode, MailError
from .imap.mailbox import ImapMailbox
from .pop3 import Pop3Mailbox
from .smtp import SmtpSession


class Step(str, Enum):
    """One line of the connect window; in this order."""

    SMTP_HOST = "smtp_host"
    SMTP_PORT = "smtp_port"
    SMTP_LOGIN = "smtp_login"
    SMTP_SENDER = "smtp_sender"
    INCOMING_HOST = "incoming_host"
    INCOMING_PORT = "incoming_port"
    INCOMING_LOGIN = "incoming_login"
    INCOMING_LISTING = "incoming_listing"
    # Mail that is sent in order to be found; the caller does these.
    ARRIVAL = "arrival"
    ROUND_TRIP = "round_trip"


#: Those that `run` does: they sign in at most.
CONNECTING = tuple(step for step in Step if step not in (Step.ARRIVAL, Step.ROUND_TRIP))


@dataclass(frozen=True)
class CheckResult:
    """How a step went. `seconds`: how long it took.

    `facts`, as far as the step got: "private" (whether any of the host's addresses
    is), "tls" ("TLSv1.3" or ""), "messages" (in the inbox).
    """

    step: Step
    ok: bool
    seconds: float
    facts: Mapping[str, str | int]
    error: MailError | None


def run(
    step: Step, server: Server, credentials: Credentials, address: str
) -> CheckResult:
    """Do one step, with a connection of its own, in at most `server.timeout` seconds.

    A failure is in the result; MailError is not raised. HOST_PRIVATE takes whole
    seconds, whatever the reason. Raises ValueError when `server` is not for the step's
    protocol, and for a step that sends mail.
    """
    if step not in CONNECTING:
        raise ValueError(f"{step.value} needs a mail")
    if step.value.startswith("smtp_") != (server.protocol is Protocol.SMTP):
        raise ValueError(f"{step.value} with {server.protocol.value} settings")
    started = time.monotonic()
    facts: dict[str, str | int] = {}
    error = None
    try:
        if step in (Step.SMTP_HOST, Step.INCOMING_HOST):
            facts["private"] = _is_private(server)
        else:
            _speak(step, server, credentials, address, facts)
    except MailError as problem:
        error = problem
    if error and error.code is ErrorCode.HOST_PRIVATE:
        conceal(started)
    seconds = time.monotonic() - started
    return CheckResult(step, error is None, seconds, facts, error)


def _is_private(server: Server) -> bool:
    """Whether any address of its host is one of an internal network."""
    endpoints = resolve(
        server.host,
        server.port,
        Deadline(server.timeout),
        allow_private=server.allow_private,
    )
    return not all(is_public(each.address) for each in endpoints)


def _speak(
    step: Step,
    server: Server,
    credentials: Credentials,
    address: str,
    facts: dict[str, str | int],
) -> None:
    """Connect, and go on as far as `step` says."""
    deadline = Deadline(server.timeout)
    with _SESSIONS[server.protocol](server, credentials, deadline=deadline) as session:
        session.open()
        facts["tls"] = session.tls_version
        if step in (Step.SMTP_PORT, Step.INCOMING_PORT):
            return
        session.login()
        if isinstance(session, SmtpSession):
            if step is Step.SMTP_SENDER:
                session.check_sender(address)
        elif step is Step.INCOMING_LISTING:
            facts["messages"] = session.count_inbox()


_SESSIONS: dict[Protocol, type[SmtpSession | ImapMailbox | Pop3Mailbox]] = {
    Protocol.SMTP: SmtpSession,
    Protocol.IMAP: ImapMailbox,
    Protocol.POP3: Pop3Mailbox,
}
