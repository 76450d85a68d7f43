"""The checks of the connect window: one step at a time, each within its time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from .connection import network
from .connection.network import Deadline
from .connection.settings import Credentials, Protocol, Server
from .errors import ErrorCode, MailError
from .imap.session import ImapSession
from .pop3.session import Pop3Session
from .smtp import SmtpSession

Facts = dict[str, "str | int"]

# A look-up in the own network is answered sooner than one in the world. So no answer
# that there is no public server of a name comes sooner than this, in seconds.
_NO_PUBLIC_HOST = 1.0


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

    `facts`, as far as the step got: "address" (numeric), "private" (whether any of the
    host's addresses is), "tls" ("TLSv1.3" or ""), "cipher", "max_size" (octets, 0 if
    unknown), "messages" (in the inbox).
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
    facts: Facts = {}
    error = None
    try:
        _CHECKS[step](step, server, credentials, address, facts)
    except MailError as problem:
        error = problem
    if error and error.code is ErrorCode.HOST_PRIVATE:
        passed = time.monotonic() - started
        time.sleep(_NO_PUBLIC_HOST - passed % _NO_PUBLIC_HOST)
    seconds = time.monotonic() - started
    return CheckResult(step, error is None, seconds, facts, error)


def _host(
    step: Step, server: Server, credentials: Credentials, address: str, facts: Facts
) -> None:
    endpoints = network.resolve(server)
    facts["address"] = endpoints[0].address
    facts["private"] = not all(network.is_public(each.address) for each in endpoints)


def _smtp(
    step: Step, server: Server, credentials: Credentials, address: str, facts: Facts
) -> None:
    deadline = Deadline(server.timeout)
    with SmtpSession(server, credentials, deadline=deadline) as session:
        told = session.open()
        facts.update(address=told.address, tls=told.tls.version)
        facts.update(cipher=told.tls.cipher, max_size=told.max_size)
        if step is Step.SMTP_PORT:
            return
        session.login()
        if step is Step.SMTP_SENDER:
            session.check_sender(address)


def _incoming(
    step: Step, server: Server, credentials: Credentials, address: str, facts: Facts
) -> None:
    reader = ImapSession if server.protocol is Protocol.IMAP else Pop3Session
    with reader(server, credentials, deadline=Deadline(server.timeout)) as session:
        told = session.open()
        facts.update(address=told.address, tls=told.tls.version)
        facts.update(cipher=told.tls.cipher)
        if step is Step.INCOMING_PORT:
            return
        session.login()
        if step is Step.INCOMING_LISTING:
            facts["messages"] = session.listing().messages


_Check = Callable[[Step, Server, Credentials, str, Facts], None]
_CHECKS: dict[Step, _Check] = {
    Step.SMTP_HOST: _host,
    Step.SMTP_PORT: _smtp,
    Step.SMTP_LOGIN: _smtp,
    Step.SMTP_SENDER: _smtp,
    Step.INCOMING_HOST: _host,
    Step.INCOMING_PORT: _incoming,
    Step.INCOMING_LOGIN: _incoming,
    Step.INCOMING_LISTING: _incoming,
}
