"""What may be found about a domain, and on whose word."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from ..connection.settings import Protocol, Security, Server
from ..errors import MailError

_PLACEHOLDER = re.compile(r"%[A-Z]{1,40}%")
_MOST_LOGIN = 254


class Source(str, Enum):
    """Where is looked, in this order."""

    MX = "mx"
    SRV = "srv"
    AUTOCONFIG = "autoconfig"
    ISPDB = "ispdb"
    NAMES = "names"


@dataclass(frozen=True)
class Offer:
    """A server, as somebody says. TLS always; `host` in lower-case A-labels.

    `login`: the sign-in's name, "" when nothing is said of it. `password`, `oauth2`:
    how people may sign in.
    """

    protocol: Protocol
    host: str
    port: int
    security: Security
    login: str = ""
    password: bool = True
    oauth2: bool = False


@dataclass(frozen=True)
class Found:
    """What one source knows: the best server of each kind.

    `where`: the name of who says so. `preset`: the key of one of the caller's presets,
    instead of servers. `foreign`: hosts outside of the domain that only DNS names,
    which anybody on the way may have written: the user has to confirm them (RFC 6186
    section 6).
    """

    source: Source
    where: str
    smtp: Offer | None = None
    imap: Offer | None = None
    pop3: Offer | None = None
    preset: int = 0
    foreign: tuple[str, ...] = ()

    @property
    def offers(self) -> tuple[Offer, ...]:
        """The servers, the sending one first."""
        return tuple(each for each in (self.smtp, self.imap, self.pop3) if each)


def offer(protocol: Protocol, host: str, port: int, security: Security) -> Offer | None:
    """One that can be right, else None."""
    try:
        server = Server(protocol, host, port, security)
    except MailError:
        return None
    # A certificate names hosts, and so do people: nobody offers mail at a number.
    if security is Security.NONE or not is_name(server.host):
        return None
    return Offer(protocol, server.host, port, security)


def is_name(host: str) -> bool:
    """Whether `host` is a name of the public DNS, of two labels or more."""
    last = host.rpartition(".")[2]
    return "." in host and not last.isdecimal() and ":" not in host


def filled(text: str, email: str) -> str | None:
    """`text` with its placeholders replaced; None when one is not known."""
    local, _at, domain = email.rpartition("@")
    values = {
        "%EMAILADDRESS%": email,
        "%EMAILLOCALPART%": local,
        "%EMAILDOMAIN%": domain,
    }
    unknown = set(_PLACEHOLDER.findall(text)) - set(values)
    if unknown:
        return None
    return _PLACEHOLDER.sub(lambda match: values[match.group()], text)


def filled_login(text: str, email: str) -> str | None:
    """A sign-in's name for `email`; None for what cannot be one."""
    login = filled(text, email)
    if login is None or len(login) > _MOST_LOGIN or not login.isprintable():
        return None
    return login


def best(source: Source, where: str, offers: Iterable[Offer]) -> Found | None:
    """The first of each kind; one for a password goes before one without.

    None without a server that sends: there is no account then.
    """
    chosen: dict[Protocol, Offer] = {}
    for each in offers:
        known = chosen.get(each.protocol)
        if known is None or (each.password and not known.password):
            chosen[each.protocol] = each
    if Protocol.SMTP not in chosen:
        return None
    return Found(
        source,
        where,
        chosen[Protocol.SMTP],
        chosen.get(Protocol.IMAP),
        chosen.get(Protocol.POP3),
    )


def to_confirm(found: Found, domain: str) -> Found:
    """The same, on the word of DNS alone."""
    outside = {
        each.host: None for each in found.offers if not is_within(each.host, domain)
    }
    return replace(found, foreign=tuple(outside))


def is_within(host: str, domain: str) -> bool:
    """Whether `host` is `domain` itself or below it."""
    return host == domain or host.endswith(f".{domain}")
