"""What a domain's DNS says of its mail servers: SRV (RFC 6186, 8314)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..connection.network import Deadline
from ..connection.settings import Protocol, Security
from ..errors import MailError
from ..records import NameServers, Service
from .found import Found, Offer, Source, best, offer, to_confirm

# TLS from the start goes before STARTTLS (RFC 8314 section 3).
_SERVICES = (
    ("_submissions", Protocol.SMTP, Security.SSL),
    ("_submission", Protocol.SMTP, Security.STARTTLS),
    ("_imaps", Protocol.IMAP, Security.SSL),
    ("_imap", Protocol.IMAP, Security.STARTTLS),
    ("_pop3s", Protocol.POP3, Security.SSL),
    ("_pop3", Protocol.POP3, Security.STARTTLS),
)


def ask(domain: str, servers: NameServers, deadline: Deadline) -> list[Offer]:
    """The servers of `domain`, the preferred first.

    A service that name servers say nothing of is passed by. Raises MailError TIMEOUT,
    UNREACHABLE when nothing else is offered.
    """
    found: list[Offer] = []
    failed: MailError | None = None
    for service, protocol, security in _SERVICES:
        name = f"{service}._tcp.{domain}"
        try:
            records = servers.services(name, deadline.within(deadline.remaining() / 2))
        except MailError as error:
            failed = failed or error
            continue
        found += _offers(protocol, security, records)
    if failed and not found:
        raise failed
    return found


def _offers(
    protocol: Protocol, security: Security, records: Sequence[Service]
) -> Iterator[Offer]:
    if any(not record.host for record in records):
        return  # "decidedly not available" (RFC 2782), whatever else stands there
    for record in records:
        made = offer(protocol, record.host, record.port, security)
        if made:
            yield made


def found_by(domain: str, offers: list[Offer]) -> Found | None:
    """The best of them, on the word of DNS."""
    found = best(Source.SRV, domain, offers)
    return found and to_confirm(found, domain)
