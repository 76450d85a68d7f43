"""DMARC: which policy holds for a domain, and what aligns with it (RFC 7489, 9989).

The organizational domain is found by walking up the tree of names (RFC 9989 section
4.10): no list of public suffixes is needed, and none grows old.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from . import tags
from .lookups import Lookups, Status

# Questions for one domain: of longer names the labels in the middle are left out.
_MOST_STEPS = 8
_POLICIES = ("none", "quarantine", "reject")


class Fault(str, Enum):
    """What is wrong with a record."""

    SYNTAX = "syntax"
    SEVERAL = "several"
    DNS = "dns"


class DmarcError(Exception):
    """`fault`, at which `domain`, and in `text` what stands there."""

    def __init__(self, fault: Fault, domain: str, text: str = "") -> None:
        super().__init__(fault, domain, text)
        self.fault, self.domain, self.text = fault, domain, text[:500]


@dataclass(frozen=True)
class Record:
    """`policy`, `subdomains`: "none", "quarantine" or "reject". `percent`: of what
    fails, how much that is done to. `strict_spf`, `strict_dkim`: whether a subdomain is
    another domain. `suffix`: "y", "n" or "u" (psd, RFC 9989).
    """

    domain: str
    text: str
    policy: str
    subdomains: str
    percent: int = 100
    strict_spf: bool = False
    strict_dkim: bool = False
    suffix: str = "u"


@dataclass(frozen=True)
class Policy:
    """What holds for mail from `domain`. `policy`: what is done to what fails."""

    domain: str
    record: Record
    policy: str


def is_record(text: str) -> bool:
    """Whether a TXT record counts at all (RFC 7489 section 6.6.3)."""
    name, equals, value = text.partition(";")[0].partition("=")
    return bool(equals) and name.strip() == "v" and value.strip() == "DMARC1"


def parse(domain: str, text: str) -> Record:
    """Raises DmarcError SYNTAX.

    Tags that nobody knows count for nothing; of all but the policies a value that
    cannot be is as if it were not there (RFC 7489 section 6.3, RFC 9989 section 4.8).
    """
    try:
        found = tags.parse(text)
    except tags.BadTags as error:
        raise DmarcError(Fault.SYNTAX, domain, str(error.args[0])) from None
    policy, subdomains = _policies(found, domain)
    percent = found.get("pct", "100")
    if not re.fullmatch(r"\d{1,3}", percent) or int(percent) > 100:
        percent = "100"
    if found.get("t", "n").lower() == "y":
        percent = "0"  # RFC 9989: a policy that is only tried
    return Record(
        domain,
        text,
        policy,
        subdomains,
        int(percent),
        found.get("aspf", "r").lower() == "s",
        found.get("adkim", "r").lower() == "s",
        found.get("psd", "u").lower()[:1],
    )


def _policies(found: dict[str, str], domain: str) -> tuple[str, str]:
    """p and sp; "none" when one cannot be, but somebody wants reports (RFC 7489 section
    6.6.3 step 6, RFC 9989 section 4.7)."""
    policy = found.get("p", "").lower()
    subdomains = found.get("sp", policy).lower()
    for name, value in (("p", policy), ("sp", subdomains)):
        if value not in _POLICIES:
            if "mailto:" in found.get("rua", "").lower():
                return "none", "none"
            raise DmarcError(Fault.SYNTAX, domain, f"{name}={value}")
    return policy, subdomains


class Walks:
    """The records above some domains, each asked for once."""

    def __init__(self, lookups: Lookups) -> None:
        self._dns = lookups

    def record(self, domain: str) -> Record | None:
        """The one record of a domain itself. Raises DmarcError."""
        found = self._dns.texts(f"_dmarc.{domain}")
        if found.status is Status.FAILED:
            raise DmarcError(Fault.DNS, domain)
        texts = [text for text in found.values if is_record(text)]
        if len(texts) > 1:
            raise DmarcError(Fault.SEVERAL, domain, " | ".join(texts))
        return parse(domain, texts[0]) if texts else None

    def policy(self, domain: str) -> Policy | None:
        """What holds for mail from `domain`: its own record, else that of the
        organizational domain, else that of the suffix that this is registered below
        (RFC 9989 section 4.10.1). Raises DmarcError for what makes a record void.
        """
        own = self.record(domain)
        if own:
            return Policy(domain, own, own.policy)
        above = self.organizational(domain)
        record = self.record(above) if above != domain else None
        record = record or self._of_suffix(above.partition(".")[2])
        return Policy(domain, record, record.subdomains) if record else None

    def _of_suffix(self, name: str) -> Record | None:
        """The record of a public suffix, if that says that it is one."""
        try:
            record = self.record(name) if name else None
        except DmarcError as error:
            if error.fault is Fault.DNS:
                raise
            return None
        return record if record and record.suffix == "y" else None

    def organizational(self, domain: str) -> str:
        """Where a firm's names begin. A domain without any record is its own."""
        found: list[Record] = []
        for name in steps(domain):
            try:
                record = self.record(name)
            except DmarcError as error:
                if error.fault is Fault.DNS:
                    raise
                record = None
            if record is None:
                continue
            if record.suffix == "n":
                return name
            if record.suffix == "y" and name != domain:
                # a suffix that firms register below: theirs is one label longer
                return ".".join(domain.split(".")[-(name.count(".") + 2) :])
            found.append(record)
        return found[-1].domain if found else domain

    def aligns(self, domain: str, other: str, strict: bool) -> bool:
        """Whether what is shown for `other` counts for `domain` (section 3.1)."""
        domain, other = domain.lower().rstrip("."), other.lower().rstrip(".")
        if domain == other or strict or not other:
            return bool(other) and domain == other
        first, second = self.organizational(domain), self.organizational(other)
        return first == second


def steps(domain: str) -> tuple[str, ...]:
    """The names to ask, from the domain itself up to its last label."""
    above = domain.split(".")[1:][-(_MOST_STEPS - 1) :]
    return (domain, *(".".join(above[number:]) for number in range(len(above))))
