"""SPF: what a receiver finds for one sender (RFC 7208), and what a record says.

`check` is the check_host of section 4; `survey` reads all of a record whatever
would match first, for what is wrong with it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from .lookups import Answer, Lookups, Status

# Section 4.6.4.
MOST_LOOKUPS = 10
MOST_VOID = 2
_MOST_NAMES = 10
_MOST_TERMS = 200
_MECHANISM = re.compile(
    r"([-+?~]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?:(?=/)|(:)|$)(.*)", re.IGNORECASE
)
_MODIFIER = re.compile(r"\A([A-Za-z][A-Za-z0-9._-]*)=(.*)", re.DOTALL)
_PREFIXES = re.compile(r"(?:/(\d{1,2}))?(?://(\d{1,3}))?\Z")
# A domain-spec ends with a macro or a top label (section 7.1), which has a letter.
_MACRO = re.compile(
    r"%(?:\{([a-z])(\d{0,3})(r?)([.\-+,/_=]*)\}|([%_-]))", re.IGNORECASE
)
_TOP_LABEL = re.compile(r"[a-z0-9-]+", re.IGNORECASE)
_LENGTH = re.compile(r"0|[1-9]\d{0,2}")
_LITERALS = {"%": "%", "_": " ", "-": "%20"}
_WITH_DOMAIN = ("include", "exists", "redirect")

IP = ipaddress.IPv4Address | ipaddress.IPv6Address


class Result(str, Enum):
    """Section 2.6."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    SOFTFAIL = "softfail"
    NEUTRAL = "neutral"
    NONE = "none"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


class Fault(str, Enum):
    """What is wrong with a record, or why it cannot be told."""

    SYNTAX = "syntax"
    SEVERAL = "several"
    LOOKUPS = "lookups"
    VOID = "void"
    LOOP = "loop"
    TARGET = "target"
    DNS = "dns"
    MACRO = "macro"  # depends on an address that is not known


_QUALIFIERS = {
    "+": Result.PASS,
    "-": Result.FAIL,
    "~": Result.SOFTFAIL,
    "?": Result.NEUTRAL,
}


class SpfError(Exception):
    """`fault`, and in `term` the term or domain that it is about."""

    def __init__(self, fault: Fault, term: str = "") -> None:
        super().__init__(fault, term)
        self.fault, self.term = fault, term[:200]


@dataclass(frozen=True)
class Term:
    """A mechanism, or redirect. `value`: domain-spec or network, "" for the domain
    itself; `prefix4`, `prefix6`: lengths of the networks around addresses.
    """

    name: str
    qualifier: str = "+"
    value: str = ""
    prefix4: int = 32
    prefix6: int = 128
    text: str = ""

    @property
    def asks(self) -> bool:
        """Whether it counts as a look-up."""
        return self.name not in ("all", "ip4", "ip6")


@dataclass(frozen=True)
class Record:
    """A record that is written as it has to be."""

    text: str
    terms: tuple[Term, ...]
    redirect: str = ""


@dataclass(frozen=True)
class Client:
    """Who sends: an address, or one that nobody knows but that is among those of
    `service` (the domains that its customers include).
    """

    address: IP | None = None
    service: frozenset[str] = frozenset()
    helo: str = ""


@dataclass(frozen=True)
class Checked:
    """What `check` found. `record`: the domain's own, "" when there is none. `error`:
    with TEMPERROR and PERMERROR; Fault.MACRO or DNS with NEUTRAL: it cannot be told.
    """

    result: Result
    record: str = ""
    error: SpfError | None = None


@dataclass(frozen=True)
class Surveyed:
    """All that a record leads to. `includes`: every domain, in order, redirects too."""

    record: str = ""
    error: SpfError | None = None
    includes: tuple[str, ...] = ()
    lookups: int = 0
    void: int = 0


def is_record(text: str) -> bool:
    """Whether a TXT record is one of SPF (section 4.5)."""
    return re.match(r"v=spf1(?: |$)", text, re.IGNORECASE) is not None


def parse(text: str) -> Record:
    """Raises SpfError SYNTAX with the term."""
    if not text.isascii():
        raise SpfError(Fault.SYNTAX, text)
    words = [word for word in text[len("v=spf1") :].split(" ") if word]
    if len(words) > _MOST_TERMS:
        raise SpfError(Fault.SYNTAX, f"{len(words)} terms")
    terms: list[Term] = []
    modifiers: dict[str, str] = {}
    for word in words:
        # a mechanism's argument may hold "=", so it goes first
        found = _MECHANISM.fullmatch(word)
        if found:
            terms.append(_term(word, *found.groups()))
            continue
        modifier = _MODIFIER.fullmatch(word)
        if not modifier:
            raise SpfError(Fault.SYNTAX, word)
        name = modifier[1].lower()
        _check_macros(modifier[2], word)
        if name in ("redirect", "exp"):
            if name in modifiers or not modifier[2]:
                raise SpfError(Fault.SYNTAX, word)
            _check_domain(modifier[2], word)
            modifiers[name] = modifier[2]
    return Record(text, tuple(terms), modifiers.get("redirect", ""))


def _term(word: str, sign: str, name: str, colon: str | None, rest: str) -> Term:
    name, sign = name.lower(), sign or "+"
    if name in ("ip4", "ip6"):
        if not colon:
            raise SpfError(Fault.SYNTAX, word)
        _network(name, rest, word)
        return Term(name, sign, rest, text=word)
    value = rest
    prefixes: tuple[int | None, int | None] = (None, None)
    if name in ("a", "mx"):
        value, prefixes = _split_prefixes(rest, word)
    if colon and not value:
        raise SpfError(Fault.SYNTAX, word)
    if (name == "all" and rest) or (name in _WITH_DOMAIN and not value):
        raise SpfError(Fault.SYNTAX, word)
    if value and not colon:
        raise SpfError(Fault.SYNTAX, word)
    if value:
        _check_domain(value, word)
    four = 32 if prefixes[0] is None else prefixes[0]
    six = 128 if prefixes[1] is None else prefixes[1]
    return Term(name, sign, value, four, six, word)


def _split_prefixes(rest: str, word: str) -> tuple[str, tuple[int | None, int | None]]:
    found = _PREFIXES.search(rest)
    if found is None:  # the pattern may be empty, so this cannot be
        raise SpfError(Fault.SYNTAX, word)
    value = rest[: found.start()]
    four, six = (None if each is None else int(each) for each in found.groups())
    if (four or 0) > 32 or (six or 0) > 128:
        raise SpfError(Fault.SYNTAX, word)
    return value, (four, six)


def _network(
    name: str, text: str, word: str
) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    make = ipaddress.IPv4Network if name == "ip4" else ipaddress.IPv6Network
    _address, slash, prefix = text.partition("/")
    if "%" in text or (slash and not _LENGTH.fullmatch(prefix)):
        raise SpfError(Fault.SYNTAX, word)
    try:
        return make(text, strict=False)
    except ValueError:
        raise SpfError(Fault.SYNTAX, word) from None


def _check_macros(value: str, word: str) -> None:
    """Every "%" has to begin a macro."""
    if "%" in _MACRO.sub("", value):
        raise SpfError(Fault.SYNTAX, word)
    for letter, digits, *_rest in _MACRO.findall(value):
        if letter and letter.lower() not in "slodipvhcrt":
            raise SpfError(Fault.SYNTAX, word)
        if digits and int(digits) == 0:
            raise SpfError(Fault.SYNTAX, word)


def _check_domain(value: str, word: str) -> None:
    _check_macros(value, word)
    macros = list(_MACRO.finditer(value))
    if macros and macros[-1].end() == len(value) and macros[-1][1]:
        return
    host = value.rstrip(".") if value.endswith(".") else value
    head, dot, label = host.rpartition(".")
    if not dot or not head or not _is_top_label(label):
        raise SpfError(Fault.SYNTAX, word)


def _is_top_label(label: str) -> bool:
    """As section 7.1 has it: no number, and no hyphen at its ends."""
    is_name = bool(_TOP_LABEL.fullmatch(label)) and not label.isdigit()
    return is_name and label[0] != "-" != label[-1]


class _Walk:
    """One evaluation: what was asked so far."""

    def __init__(self, lookups: Lookups, sender: str, client: Client) -> None:
        self.dns = lookups
        self.client = client
        self.local, _at, self.domain = sender.rpartition("@")
        self.local = self.local or "postmaster"
        self.asked = 0
        self.void = 0
        self.record = ""

    # Records

    def record_of(self, domain: str) -> Record | None:
        """Raises SpfError."""
        found = self.dns.texts(domain)
        if found.status is Status.FAILED:
            raise SpfError(Fault.DNS, domain)
        texts = [text for text in found.values if is_record(text)]
        if len(texts) > 1:
            raise SpfError(Fault.SEVERAL, domain)
        return parse(texts[0]) if texts else None

    # Section 4.6

    def evaluate(self, domain: str, path: tuple[str, ...]) -> Result:
        """Raises SpfError for PERMERROR and TEMPERROR."""
        if domain.lower() in path:
            raise SpfError(Fault.LOOP, domain)
        path = (*path, domain.lower())
        record = self.record_of(domain)
        if record is None:
            return Result.NONE
        self.record = self.record or record.text
        for term in record.terms:
            if self.matches(term, domain, path):
                return _QUALIFIERS[term.qualifier]
        if not record.redirect or any(term.name == "all" for term in record.terms):
            return Result.NEUTRAL
        self.count(f"redirect={record.redirect}")
        target = self.expand(record.redirect, domain)
        if target in self.client.service:
            return Result.PASS
        result = self.evaluate(target, path)
        if result is Result.NONE:
            raise SpfError(Fault.TARGET, target)
        return result

    def matches(self, term: Term, domain: str, path: tuple[str, ...]) -> bool:
        """Section 5."""
        if term.asks:
            self.count(term.text)
        if term.name == "all":
            return True
        if term.name in ("ip4", "ip6"):
            network = _network(term.name, term.value, term.text)
            return self.client.address is not None and self.client.address in network
        target = self.expand(term.value, domain) if term.value else domain
        if term.name == "include":
            return self.includes(target, path)
        return {
            "a": self.is_host,
            "mx": self.is_exchange,
            "ptr": self.is_named,
            "exists": self.exists,
        }[term.name](target, term)

    def includes(self, target: str, path: tuple[str, ...]) -> bool:
        """Section 5.2."""
        if target.lower() in self.client.service:
            return True
        result = self.evaluate(target, path)
        if result is Result.NONE:
            raise SpfError(Fault.TARGET, target)
        return result is Result.PASS

    def is_host(self, target: str, term: Term) -> bool:
        """Section 5.3."""
        found = self.addresses(target)
        self.note(found, term.text)
        return self.among(found.values, term)

    def is_exchange(self, target: str, term: Term) -> bool:
        """Section 5.4."""
        hosts = self.dns.hosts(target)
        self.note(hosts, term.text)
        if len(hosts.values) > _MOST_NAMES:
            raise SpfError(Fault.LOOKUPS, term.text)
        return any(
            self.among(self.addresses(host).values, term) for host in hosts.values
        )

    def is_named(self, target: str, term: Term) -> bool:
        """Section 5.5."""
        address = self.client.address
        if address is None:
            return False
        names = self.dns.names(str(address))
        self.note(names, term.text, failing=False)
        for name in names.values[:_MOST_NAMES]:
            is_below = name == target.lower() or name.endswith("." + target.lower())
            if is_below and str(address) in self.addresses(name).values:
                return True
        return False

    def exists(self, target: str, term: Term) -> bool:
        """Section 5.7."""
        found = self.dns.addresses(target, 4)
        self.note(found, term.text)
        return found.status is Status.FOUND

    def skip(self, target: str, term: Term) -> bool:
        """What depends on who sends."""
        return False

    def addresses(self, host: str) -> Answer:
        """Of the family of who sends; where that is not known, of one that there is."""
        address = self.client.address
        if address is not None:
            return self.dns.addresses(host, address.version)
        found = self.dns.addresses(host, 4)
        return self.dns.addresses(host, 6) if found.status is Status.NOTHING else found

    def among(self, addresses: Iterable[str], term: Term) -> bool:
        """Whether who sends is in the networks around these."""
        address = self.client.address
        if address is None:
            return False
        prefix = term.prefix4 if address.version == 4 else term.prefix6
        return any(
            address in ipaddress.ip_network(f"{each}/{prefix}", strict=False)
            for each in addresses
        )

    # Limits

    def count(self, term: str) -> None:
        """Note a look-up."""
        self.asked += 1
        if self.asked > MOST_LOOKUPS:
            raise SpfError(Fault.LOOKUPS, term)

    def note(self, answer: Answer, term: str, *, failing: bool = True) -> None:
        """Note an answer: nothing, or that there was none."""
        if answer.status is Status.FAILED and failing:
            raise SpfError(Fault.DNS, term)
        if answer.status is Status.NOTHING:
            self.void += 1
            if self.void > MOST_VOID:
                raise SpfError(Fault.VOID, term)

    # Section 7

    def expand(self, value: str, domain: str) -> str:
        """A domain-spec with its macros filled in. Raises SpfError MACRO."""

        def filled(found: re.Match[str]) -> str:
            letter, digits, backwards, delimiters, literal = found.groups()
            if literal:
                return _LITERALS[literal]
            parts = re.split(
                f"[{re.escape(delimiters or '.')}]", self.macro(letter, domain)
            )
            if backwards:
                parts.reverse()
            return ".".join(parts[-int(digits) :] if digits else parts)

        expanded = _MACRO.sub(filled, value).rstrip(".")
        # whole labels are left out on the left until it is short enough
        return expanded[-254:].partition(".")[2] if len(expanded) > 253 else expanded

    def macro(self, letter: str, domain: str) -> str:
        """What one letter stands for."""
        known = {
            "s": f"{self.local}@{self.domain}",
            "l": self.local,
            "o": self.domain,
            "d": domain,
            "h": self.client.helo,
            "p": "unknown",  # section 7.3: what a receiver may say as well
        }
        letter = letter.lower()
        if letter in known and not (letter == "h" and not self.client.helo):
            return known[letter]
        address = self.client.address
        if address is None or letter not in ("i", "v"):
            raise SpfError(Fault.MACRO, f"%{{{letter}}}")
        if letter == "v":
            return "in-addr" if address.version == 4 else "ip6"
        if address.version == 4:
            return str(address)
        return ".".join(address.exploded.replace(":", ""))


def check(lookups: Lookups, domain: str, sender: str, client: Client) -> Checked:
    """What a receiver finds for mail of `sender` (the envelope's) from `client`.

    Never raises.
    """
    walk = _Walk(lookups, sender, client)
    try:
        return Checked(walk.evaluate(domain, ()), walk.record)
    except SpfError as error:
        passing = error.fault is Fault.DNS
        result = Result.TEMPERROR if passing else Result.PERMERROR
        if error.fault is Fault.MACRO:
            result = Result.NEUTRAL
        return Checked(result, walk.record, error)


@dataclass
class _Survey:
    includes: list[str] = field(default_factory=list)
    error: SpfError | None = None
    asked: int = 0
    void: int = 0


def survey(lookups: Lookups, domain: str) -> Surveyed:
    """Read all that a domain's record leads to; the first error is kept.

    Counted is as section 4.6.4 does for a sender who matches nothing.
    """
    walk = _Walk(lookups, f"postmaster@{domain}", Client())
    found = _Survey()
    try:
        record = walk.record_of(domain)
    except SpfError as error:
        return Surveyed(_first_record(lookups, domain), error)
    if record is None:
        return Surveyed()
    _survey(walk, domain, record, (domain.lower(),), found)
    return Surveyed(
        record.text, found.error, tuple(found.includes), found.asked, found.void
    )


def _first_record(lookups: Lookups, domain: str) -> str:
    return next(filter(is_record, lookups.texts(domain).values), "")


def _survey(
    walk: _Walk, domain: str, record: Record, path: tuple[str, ...], found: _Survey
) -> None:
    terms = list(record.terms)
    if record.redirect and not any(term.name == "all" for term in terms):
        terms.append(
            Term("redirect", "+", record.redirect, text=f"redirect={record.redirect}")
        )
    for term in terms:
        if term.name == "all":
            return  # nobody reads on
        if not term.asks:
            continue
        if found.asked > 3 * MOST_LOOKUPS:
            return
        found.asked += 1
        try:
            if found.asked > MOST_LOOKUPS:
                raise SpfError(Fault.LOOKUPS, domain)
            _survey_term(walk, term, domain, path, found)
        except SpfError as error:
            if error.fault is not Fault.MACRO:
                found.error = found.error or error
        found.void = walk.void


def _survey_term(
    walk: _Walk, term: Term, domain: str, path: tuple[str, ...], found: _Survey
) -> None:
    target = walk.expand(term.value, domain) if term.value else domain
    if term.name not in ("include", "redirect"):
        _SURVEYED.get(term.name, _Walk.skip)(walk, target, term)
        return
    if target.lower() in path:
        raise SpfError(Fault.LOOP, target)
    found.includes.append(target.lower())
    record = walk.record_of(target)
    if record is None:
        raise SpfError(Fault.TARGET, target)
    _survey(walk, target, record, (*path, target.lower()), found)


# What of a record may be asked without knowing who sends.
_SURVEYED = {"a": _Walk.is_host, "mx": _Walk.is_exchange, "exists": _Walk.exists}


def with_include(text: str, target: str) -> str:
    """The record with one include more."""
    return with_term(text, f"include:{target}")


def with_term(text: str, term: str) -> str:
    """The record with one term more, before what decides about all others."""
    words = text.split()
    places = [
        number
        for number, word in enumerate(words)
        if re.fullmatch(r"[-+?~]?all|redirect=.*", word, re.IGNORECASE)
    ]
    place = places[0] if places else len(words)
    return " ".join([*words[:place], term, *words[place:]])


def merged(texts: Iterable[str]) -> str:
    """One record in place of several: all terms, what decides about the rest last."""
    words = [word for text in texts for word in text.split()[1:]]
    ends = [w for w in words if re.fullmatch(r"[-+?~]?all", w, re.IGNORECASE)]
    terms = [w for w in dict.fromkeys(words) if w not in ends]
    return " ".join(["v=spf1", *terms, *(ends[-1:])])
