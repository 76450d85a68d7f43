"""One source after the other: where a caller begins.

Each takes its few seconds at the most, all together about fifteen. For who may not
reach the internal network, what names an internal host is as if it were not there: it
is not told, and the answer comes no sooner or later for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .. import records
from ..connection.network import Deadline, conceal, resolve
from ..errors import ErrorCode, MailError
from ..message.address import Address
from . import autoconfig, guessing, services, web
from .found import Found, Offer, Source, best, is_name, to_confirm

#: Seconds that each source may take.
SECONDS = {
    Source.MX: 2.0,
    Source.SRV: 3.0,
    Source.AUTOCONFIG: 4.0,
    Source.ISPDB: 3.0,
    Source.NAMES: 4.0,
}
#: Those that need DNS records.
BY_RECORDS = (Source.MX, Source.SRV)
# Hosts of one answer that are looked up, to see whether they are there.
_MOST_HOSTS = 6
# Of the time, what one place gets before the next: hung, it is not all of them.
_SHARE = 3 / 4
# Domains above an exchanger's name that are looked for.
_MOST_ABOVE = 3


@dataclass(frozen=True)
class Result:
    """What a source said. `error`: why it said nothing, where that is known:
    TIMEOUT, or UNREACHABLE of name servers. `seconds`: how long it took."""

    source: Source
    found: Found | None
    error: ErrorCode | None
    seconds: float


@dataclass(frozen=True)
class Search:
    """The settings of the mailbox `email`.

    `allow_private`: whether internal hosts may be contacted and told. `ca_pem`:
    trusted besides the system's CAs. `presets`: patterns of exchangers' names, "*" for
    any beginning, by the caller's key, in the caller's order. The rest says where to
    look, and is for tests.

    Raises ValueError when it is no address of a domain that the public DNS can have.
    """

    email: str
    allow_private: bool = False
    ca_pem: str = ""
    presets: Mapping[int, Sequence[str]] = field(default_factory=dict)
    name_servers: records.NameServers = records.NameServers()
    autoconfig: Sequence[str] = web.AUTOCONFIG
    ispdb: str = web.ISPDB
    guesses: Sequence[guessing.Guess] = guessing.GUESSES

    def __post_init__(self) -> None:
        object.__setattr__(self, "email", Address(self.email).envelope)
        if not is_name(self.domain):
            raise ValueError("no address of a public domain")

    @property
    def domain(self) -> str:
        """That of the address, in A-labels."""
        return self.email.rpartition("@")[2]

    def ask(self, source: Source) -> Result:
        """Ask one source. Never raises MailError.

        Sources of `BY_RECORDS` need `records.is_available()`.
        """
        began = time.monotonic()
        asking = _Asking(self, Deadline(SECONDS[source]))
        found, error = None, None
        try:
            found = _ASK[source](asking)
        except MailError as problem:
            asking.note(problem.code)
            error = problem.code if problem.code in _TOLD else None
        if not self.allow_private and (found is None or asking.refused):
            conceal(began)
        return Result(source, found, error, time.monotonic() - began)


_TOLD = (ErrorCode.TIMEOUT, ErrorCode.UNREACHABLE)


class _Asking:
    """One source being asked.

    `refused`: a host was refused, as an internal one or none at all.
    """

    def __init__(self, search: Search, deadline: Deadline) -> None:
        self.search = search
        self.deadline = deadline
        self.refused = False

    def note(self, code: ErrorCode) -> None:
        self.refused = self.refused or code is ErrorCode.HOST_PRIVATE

    # The sources

    def by_exchangers(self) -> Found | None:
        """A preset that one of the preferred exchangers belongs to."""
        found = self._exchangers()
        preferred = [each for each in found if each.preference == found[0].preference]
        for exchanger in preferred:
            for key, patterns in self.search.presets.items():
                if matches(exchanger.host, patterns):
                    return Found(Source.MX, exchanger.host, preset=key)
        return None

    def by_services(self) -> Found | None:
        search = self.search
        offers = services.ask(search.domain, search.name_servers, self.deadline)
        return services.found_by(search.domain, self._there(offers))

    def by_autoconfig(self) -> Found | None:
        search, failed = self.search, None
        for pattern in search.autoconfig:
            share = 1.0 if pattern == search.autoconfig[-1] else _SHARE
            try:
                until = self.deadline.within(share * self.deadline.remaining())
                found = self._configuration(
                    pattern, search.domain, Source.AUTOCONFIG, until
                )
            except MailError as error:
                self.note(error.code)
                failed = failed or error
            else:
                if found:
                    return found
        if failed:
            raise failed
        return None

    def by_ispdb(self) -> Found | None:
        """The domain's own entry, or that of who takes its mail."""
        search = self.search
        found = self._configuration(search.ispdb, search.domain, Source.ISPDB)
        if found or not records.is_available():
            return found
        for domain in self._above_exchangers():
            found = self._configuration(search.ispdb, domain, Source.ISPDB)
            if found:  # which domain is asked for came from DNS
                return to_confirm(found, search.domain)
        return None

    def by_names(self) -> Found | None:
        search = self.search
        offers, failures = guessing.answering(
            search.domain,
            self.deadline,
            allow_private=search.allow_private,
            ca_pem=search.ca_pem,
            guesses=search.guesses,
        )
        for code in failures:
            self.note(code)
        return best(Source.NAMES, search.domain, offers)

    # What they need

    def _exchangers(self) -> tuple[records.Exchanger, ...]:
        search = self.search
        return search.name_servers.exchangers(search.domain, self.deadline)

    def _above_exchangers(self) -> list[str]:
        """Domains above their names that a mail service may be listed under."""
        found: dict[str, None] = {}
        for exchanger in self._exchangers():
            labels = exchanger.host.split(".")
            for first in range(1, len(labels) - 1):
                found[".".join(labels[first:])] = None
        found.pop(self.search.domain, None)
        return list(found)[:_MOST_ABOVE]

    def _configuration(
        self, pattern: str, domain: str, source: Source, until: Deadline | None = None
    ) -> Found | None:
        """What is in the configuration file of `domain` at one place, got `until`."""
        search = self.search
        url = web.address_of(pattern, domain, search.email)
        document = web.fetch(
            url,
            until or self.deadline,
            allow_private=search.allow_private,
            ca_pem=search.ca_pem,
        )
        offers = self._there(autoconfig.parse(document, search.email))
        return best(source, domain, offers)

    def _there(self, offers: Iterable[Offer]) -> list[Offer]:
        """Those whose host exists, and may be told."""
        known: dict[str, bool] = {}
        found = []
        for each in offers:
            if each.host not in known:
                if len(known) >= _MOST_HOSTS:
                    break
                known[each.host] = self._is_there(each)
            if known[each.host]:
                found.append(each)
        return found

    def _is_there(self, offer: Offer) -> bool:
        private = self.search.allow_private
        try:
            # half of what is left, so that a name that hangs hides no other
            until = self.deadline.within(self.deadline.remaining() / 2)
            resolve(offer.host, offer.port, until, allow_private=private)
        except MailError as error:
            self.note(error.code)
            return False
        return True


_ASK: dict[Source, Callable[[_Asking], Found | None]] = {
    Source.MX: _Asking.by_exchangers,
    Source.SRV: _Asking.by_services,
    Source.AUTOCONFIG: _Asking.by_autoconfig,
    Source.ISPDB: _Asking.by_ispdb,
    Source.NAMES: _Asking.by_names,
}


def matches(host: str, patterns: Iterable[str]) -> bool:
    """Whether `host` is one of these names; "*" stands for any beginning.

    A pattern of less than two labels is none: it would be everybody's.
    """
    for pattern in patterns:
        name = pattern.strip().lower().removesuffix(".")
        ending = name.removeprefix("*")
        if "." not in ending.strip(".") or "*" in ending:
            continue
        if host == name or (name != ending and host.endswith(ending)):
            return True
    return False
