"""What a domain's DNS says of its mail servers: SRV (RFC 6186, 8314)."""

from __future__ import annotations

from collections.abc import Iterator

from ..connection.network import Deadline
from ..connection.settings import Protocol, Security
from ..records import NameServers
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
    """The servers of `domain`, the preferred first. Raises MailError TIMEOUT,
    UNREACHABLE."""
    return list(_offers(domain, servers, deadline))


def _offers(domain: str, servers: NameServers, deadline: Deadline) -> Iterator[Offer]:
    for service, protocol, security in _SERVICES:
        records = servers.services(f"{service}._tcp.{domain}", deadline)
        if any(not record.host for record in records):
            continue  # "decidedly not available" (RFC 2782), whatever else stands there
        for record in records:
            made = offer(protocol, record.host, record.port, security)
            if made:
                yield made


def found_by(domain: str, offers: list[Offer]) -> Found | None:
    """The best of them, on the word of DNS."""
    found = best(Source.SRV, domain, offers)
    return found and to_confirm(found, domain)
