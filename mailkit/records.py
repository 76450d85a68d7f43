"""DNS records that the system's resolver does not tell a program: MX, SRV.

By dnspython, which is optional: without it `is_available` says no, and nothing else
here may be called. Answers are the name server's word. Whether it validated them
(DNSSEC) is not asked: its "AD" is worth something only over a way that nobody else can
write to, which a program does not know of.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .connection.network import Deadline
from .errors import ErrorCode, MailError
from .message.address import ascii_domain

if TYPE_CHECKING:
    from dns.rdata import Rdata
    from dns.resolver import Resolver

# No domain of honest people has more; the rest of what a server says is left unread.
MOST = 20
# Of the time: what dnspython is told, which rests a little before it gives up; and of
# that, what one name server gets before the next is asked.
_TOLD = 0.8
_SHARE = 1 / 3


def is_available() -> bool:
    """Whether the package that asks name servers is installed."""
    return importlib.util.find_spec("dns") is not None


@dataclass(frozen=True, order=True)
class Exchanger:
    """An MX record (RFC 5321 section 5.1). A lower `preference` comes first."""

    preference: int
    host: str


@dataclass(frozen=True)
class Service:
    """An SRV record (RFC 2782). `host`: "" says that the service is not offered."""

    priority: int
    weight: int
    port: int
    host: str


@dataclass(frozen=True)
class NameServers:
    """Who is asked. `addresses`: none means those that the system is set to."""

    addresses: tuple[str, ...] = ()
    port: int = 53

    def exchangers(self, domain: str, deadline: Deadline) -> tuple[Exchanger, ...]:
        """Who takes mail for `domain`, the preferred first; () where nobody does.

        Raises MailError TIMEOUT, UNREACHABLE.
        """
        found = set()
        for record in self.records(domain, "MX", deadline):
            host = _host(getattr(record, "exchange", ""))
            if host:  # none: the domain takes no mail (RFC 7505)
                found.add(Exchanger(int(getattr(record, "preference", 0)), host))
        return tuple(sorted(found)[:MOST])

    def services(self, name: str, deadline: Deadline) -> tuple[Service, ...]:
        """The servers of "_service._tcp.domain", the preferred first; () for none.

        Of those with the same priority the one with the highest weight stands first:
        what is found is kept, so chance would only make every account another one's.
        Raises MailError TIMEOUT, UNREACHABLE.
        """
        found = []
        for record in self.records(name, "SRV", deadline):
            target = str(getattr(record, "target", ""))
            host = _host(target)
            if not host and target != ".":
                continue
            priority, weight, port = (int(getattr(record, key)) for key in _NUMBERS)
            found.append(Service(priority, weight, port, host))
        found.sort(key=lambda each: (each.priority, -each.weight, each.host))
        return tuple(found[:MOST])

    def records(self, name: str, kind: str, deadline: Deadline) -> list[Rdata]:
        """What there is of one type; CNAMEs are followed, sixteen at most.

        [] for no name, and for no record of this type. Raises MailError TIMEOUT,
        UNREACHABLE.
        """
        import dns.exception
        import dns.name
        import dns.resolver

        seconds = _TOLD * deadline.remaining()
        try:
            resolver = self._resolver()
            resolver.timeout, resolver.lifetime = seconds * _SHARE, seconds
            # with its dot: the system's search list is about other names
            question = dns.name.from_text(f"{name}.")
            answer = resolver.resolve(question, kind, raise_on_no_answer=False)
        except (dns.resolver.NXDOMAIN, dns.name.NameTooLong, dns.name.LabelTooLong):
            return []
        except dns.exception.Timeout:
            raise MailError(ErrorCode.TIMEOUT) from None
        except (dns.exception.DNSException, OSError, ValueError):
            raise MailError(ErrorCode.UNREACHABLE) from None
        return list(answer.rrset or ())

    def _resolver(self) -> Resolver:
        from dns.resolver import Resolver

        resolver = Resolver(configure=not self.addresses)
        if self.addresses:
            resolver.nameservers = list(self.addresses)
            resolver.port = self.port
        return resolver


_NUMBERS = ("priority", "weight", "port")


def _host(target: object) -> str:
    """A name of a record as others write it; "" for the root and for no host's name."""
    try:
        return ascii_domain(str(target).removesuffix("."))
    except ValueError:
        return ""
