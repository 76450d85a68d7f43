"""SPF, DKIM and DMARC as a receiver will judge mail of one address through one service.

Where the service sends from is known in one of three ways: by what its customers
include, by the address that handed over the test mail, or, of a firm's own server, by
the server's name. What none of them tells is not guessed: `Verdict.UNKNOWN`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field

from . import dkim, dmarc, spf
from .evidence import Evidence
from .lookups import Lookups
from .services import Service, of_host
from .signatures import Signature
from .verdicts import Finding, Reason, Subject, Verdict

_FAULTS = {
    spf.Fault.SYNTAX: Reason.SPF_SYNTAX,
    spf.Fault.SEVERAL: Reason.SPF_SEVERAL,
    spf.Fault.LOOKUPS: Reason.SPF_LOOKUPS,
    spf.Fault.VOID: Reason.SPF_VOID,
    spf.Fault.LOOP: Reason.SPF_LOOP,
    spf.Fault.TARGET: Reason.SPF_TARGET,
}
_MOST_ADDRESSES = 4


@dataclass(frozen=True)
class Case:
    """What is judged. `email`: in From, and the envelope's sender; its domain in
    A-labels. `smtp_host`: where mail is submitted. `evidence`: of a test mail.
    """

    email: str
    smtp_host: str
    evidence: Evidence | None = None
    service: Service = field(default_factory=Service)

    @property
    def domain(self) -> str:
        """Of From: what DMARC is about."""
        return self.email.rpartition("@")[2].lower()

    @property
    def sender(self) -> str:
        """Of the envelope; a service that bounces come to makes its local part."""
        return self.email if self.bounces == self.domain else f"bounces@{self.bounces}"

    @property
    def bounces(self) -> str:
        """Of the envelope's sender: what SPF is about."""
        return (self.evidence.return_path if self.evidence else "") or self.domain


def judge(
    lookups: Lookups, email: str, smtp_host: str, evidence: Evidence | None = None
) -> tuple[Finding, Finding, Finding]:
    """SPF, DKIM and DMARC, in this order. Never raises for what DNS holds."""
    case = Case(email, smtp_host, evidence, of_host(smtp_host))
    walks = dmarc.Walks(lookups)
    found_spf = _spf(lookups, case, walks)
    found_dkim = _dkim(lookups, case, walks)
    return found_spf, found_dkim, _dmarc(case, walks, found_spf, found_dkim)


def receiving_hosts(lookups: Lookups, email: str) -> tuple[str, ...]:
    """The servers that receive for an address (MX)."""
    return lookups.hosts(email.rpartition("@")[2]).values


# SPF


def _spf(lookups: Lookups, case: Case, walks: dmarc.Walks) -> Finding:
    if not _related(walks, case, case.bounces):
        values = {"domain": case.domain, "other": case.bounces}
        return _finding(Subject.SPF, Verdict.NEUTRAL, Reason.SPF_OTHER_SENDER, values)
    surveyed = spf.survey(lookups, case.bounces)
    values = {"domain": case.bounces, "record": surveyed.record}
    values["service"] = next(iter(case.service.includes), "")
    if not surveyed.record and not surveyed.error:
        return _spf_missing(case, values)
    passed = _is_authorised(lookups, case)
    error = surveyed.error
    if error and error.fault is spf.Fault.DNS and not passed:
        values["term"] = error.term
        return _finding(Subject.SPF, Verdict.UNKNOWN, Reason.DNS_FAILED, values)
    if error and error.fault in _FAULTS:
        return _spf_broken(lookups, case, error, values, passed)
    if passed:
        return _finding(Subject.SPF, Verdict.PASS, Reason.SPF_AUTHORISED, values)
    return _spf_others(lookups, case, values)


def _related(walks: dmarc.Walks, case: Case, other: str) -> bool:
    try:
        return walks.aligns(case.domain, other, strict=False)
    except dmarc.DmarcError:
        return False


def _finding(
    subject: Subject,
    verdict: Verdict,
    reason: Reason,
    values: dict[str, str],
    name: str = "",
    record: str = "",
) -> Finding:
    return Finding(subject, verdict, reason, dict(values), name, record)


def _spf_missing(case: Case, values: dict[str, str]) -> Finding:
    record = ""
    if case.service.includes:
        record = f"v=spf1 include:{case.service.includes[0]} ~all"
    reason = Reason.SPF_MISSING
    return _finding(
        Subject.SPF,
        Verdict.NO_POLICY,
        reason,
        values,
        case.domain if record else "",
        record,
    )


def _spf_broken(
    lookups: Lookups,
    case: Case,
    error: spf.SpfError,
    values: dict[str, str],
    passed: bool,
) -> Finding:
    values["term"] = error.term
    reason = _FAULTS[error.fault]
    if passed:
        # what matches first ends the check: receivers never see what is behind it
        return _finding(Subject.SPF, Verdict.PASS, Reason.SPF_AUTHORISED_LATE, values)
    record = ""
    if error.fault is spf.Fault.SEVERAL and error.term.lower() == case.bounces:
        texts = filter(spf.is_record, lookups.texts(case.bounces).values)
        record = spf.merged(texts)
        include = next(iter(case.service.includes), "")
        if include and not any(
            f"include:{each}" in record for each in case.service.includes
        ):
            record = spf.with_include(record, include)
    name = case.bounces if record else ""
    return _finding(Subject.SPF, Verdict.FAIL, reason, values, name, record)


def _is_authorised(lookups: Lookups, case: Case) -> bool:
    return any(
        spf.check(lookups, case.bounces, case.sender, client).result is spf.Result.PASS
        for client in _clients(lookups, case)
    )


def _clients(lookups: Lookups, case: Case) -> Sequence[spf.Client]:
    """Who may hand mail of this service over."""
    found = []
    if case.service.includes:
        found.append(spf.Client(service=frozenset(case.service.includes)))
    if case.evidence and case.evidence.address:
        found.append(spf.Client(ipaddress.ip_address(case.evidence.address)))
    if not case.service.includes:
        found += [spf.Client(address) for address in _own_addresses(lookups, case)]
    return found


def _own_addresses(lookups: Lookups, case: Case) -> list[spf.IP]:
    """Of the server that mail is submitted to: a firm's own one often sends, too."""
    try:
        return [ipaddress.ip_address(case.smtp_host)]
    except ValueError:
        pass
    texts = [
        *lookups.addresses(case.smtp_host, 4).values,
        *lookups.addresses(case.smtp_host, 6).values,
    ]
    return [ipaddress.ip_address(text) for text in texts[:_MOST_ADDRESSES]]


def _spf_others(lookups: Lookups, case: Case, values: dict[str, str]) -> Finding:
    """A sound record that names others: what happens to mail through this service."""
    include = values["service"]
    seen = case.evidence.address if case.evidence else ""
    if include:
        client = spf.Client(service=frozenset(case.service.includes))
    elif seen:
        client = spf.Client(ipaddress.ip_address(seen))
    else:
        return _finding(
            Subject.SPF, Verdict.UNKNOWN, Reason.SPF_SERVICE_UNKNOWN, values
        )
    result = spf.check(lookups, case.bounces, case.sender, client)
    if result.error:  # a macro, say, that nobody can fill in from here
        values["term"] = result.error.term
        return _finding(
            Subject.SPF, Verdict.UNKNOWN, Reason.SPF_SERVICE_UNKNOWN, values
        )
    record = values["record"]
    values["address"] = seen
    if include:
        record = spf.with_include(record, include)
    else:
        version = "ip6" if ":" in seen else "ip4"
        record = spf.with_term(record, f"{version}:{seen}")
    soft = result.result in (spf.Result.NEUTRAL, spf.Result.NONE)
    return _finding(
        Subject.SPF,
        Verdict.NEUTRAL if soft else Verdict.FAIL,
        Reason.SPF_NEUTRAL if soft else Reason.SPF_NOT_AUTHORISED,
        values,
        case.bounces,
        record,
    )


# DKIM


def _dkim(lookups: Lookups, case: Case, walks: dmarc.Walks) -> Finding:
    values = {"domain": case.domain}
    if case.evidence is None:
        return _dkim_by_service(lookups, case, values)
    signed = case.evidence.signatures
    own = [each for each in signed if _related(walks, case, each.domain)]
    if not own:
        values["other"] = ", ".join(dict.fromkeys(each.domain for each in signed))
        if signed:
            return _finding(
                Subject.DKIM, Verdict.NEUTRAL, Reason.DKIM_OTHER_DOMAIN, values
            )
        # within one service mail is often not signed: that says nothing of other mail
        found = _dkim_by_service(lookups, case, values)
        if found.verdict is Verdict.PASS:
            return found
        return _finding(Subject.DKIM, Verdict.UNKNOWN, Reason.DKIM_NOT_SIGNED, values)
    return _dkim_signed(lookups, case, own, values)


def _dkim_signed(
    lookups: Lookups,
    case: Case,
    own: Sequence[Signature],
    values: dict[str, str],
) -> Finding:
    evidence = case.evidence or Evidence()
    said = evidence.result("dkim", [each.domain for each in own])
    states = {dkim.published(lookups, each): each for each in reversed(own)}
    best = next(state for state in dkim.KeyState if state in states)
    values.update(name=states[best].name, selector=states[best].selector)
    if said == "pass":
        return _finding(Subject.DKIM, Verdict.PASS, Reason.DKIM_PASSED, values)
    if said in ("fail", "permerror"):
        return _finding(Subject.DKIM, Verdict.FAIL, Reason.DKIM_FAILED, values)
    verdict, reason = _BY_KEY[best]
    return _finding(Subject.DKIM, verdict, reason, values)


_BY_KEY = {
    dkim.KeyState.GOOD: (Verdict.PASS, Reason.DKIM_SIGNED),
    dkim.KeyState.MISSING: (Verdict.FAIL, Reason.DKIM_KEY_MISSING),
    dkim.KeyState.REVOKED: (Verdict.FAIL, Reason.DKIM_KEY_REVOKED),
    dkim.KeyState.BROKEN: (Verdict.FAIL, Reason.DKIM_KEY_BROKEN),
    dkim.KeyState.UNKNOWN: (Verdict.UNKNOWN, Reason.DNS_FAILED),
}


def _dkim_by_service(lookups: Lookups, case: Case, values: dict[str, str]) -> Finding:
    """Without a message: whether a key stands where this service has it published."""
    if not case.service.selectors:
        return _finding(
            Subject.DKIM, Verdict.UNKNOWN, Reason.DKIM_SELECTOR_UNKNOWN, values
        )
    names = [Signature(case.domain, each) for each in case.service.selectors]
    states = {dkim.published(lookups, each): each for each in reversed(names)}
    best = next(state for state in dkim.KeyState if state in states)
    values.update(name=states[best].name, selector=states[best].selector)
    if best is dkim.KeyState.GOOD:
        return _finding(Subject.DKIM, Verdict.PASS, Reason.DKIM_KEY_FOUND, values)
    if best is dkim.KeyState.MISSING:
        # the service may use a selector that was chosen by hand
        values["name"] = ", ".join(each.name for each in names)
        return _finding(
            Subject.DKIM, Verdict.UNKNOWN, Reason.DKIM_SELECTOR_UNKNOWN, values
        )
    verdict, reason = _BY_KEY[best]
    return _finding(Subject.DKIM, verdict, reason, values)


# DMARC


def _dmarc(
    case: Case, walks: dmarc.Walks, found_spf: Finding, found_dkim: Finding
) -> Finding:
    values = {"domain": case.domain}
    try:
        policy = walks.policy(case.domain)
    except dmarc.DmarcError as error:
        return _dmarc_broken(error, values)
    if policy is None:
        record = f"v=DMARC1; p=none; rua=mailto:postmaster@{case.domain}"
        name = f"_dmarc.{case.domain}"
        verdict, reason = Verdict.NO_POLICY, Reason.DMARC_MISSING
        return _finding(Subject.DMARC, verdict, reason, values, name, record)
    values.update(
        policy=policy.policy,
        percent=str(policy.record.percent),
        record=policy.record.text,
        where=policy.record.domain,
    )
    verdict, reason = _outcome(case, walks, policy, found_spf, found_dkim)
    return _finding(Subject.DMARC, verdict, reason, values)


def _outcome(
    case: Case,
    walks: dmarc.Walks,
    policy: dmarc.Policy,
    found_spf: Finding,
    found_dkim: Finding,
) -> tuple[Verdict, Reason]:
    evidence = case.evidence or Evidence()
    if evidence.result("dmarc", [case.domain]) == "pass":
        return Verdict.PASS, Reason.DMARC_PASSED
    signers = [each.domain for each in evidence.signatures] or [case.domain]
    strict = policy.record.strict_spf, policy.record.strict_dkim
    try:
        by_spf = walks.aligns(case.domain, case.bounces, strict[0])
        by_dkim = any(walks.aligns(case.domain, each, strict[1]) for each in signers)
    except dmarc.DmarcError:
        return Verdict.UNKNOWN, Reason.DNS_FAILED
    ways = [(found_spf.verdict, by_spf), (found_dkim.verdict, by_dkim)]
    if (Verdict.PASS, True) in ways:
        return Verdict.PASS, Reason.DMARC_PASSED
    if (Verdict.UNKNOWN, True) in ways:
        return Verdict.UNKNOWN, Reason.DMARC_OPEN
    if policy.policy == "none":
        return Verdict.NEUTRAL, Reason.DMARC_FAILED
    return Verdict.FAIL, Reason.DMARC_FAILED


def _dmarc_broken(error: dmarc.DmarcError, values: dict[str, str]) -> Finding:
    values.update(record=error.text, where=error.domain)
    reason = {
        dmarc.Fault.SEVERAL: Reason.DMARC_SEVERAL,
        dmarc.Fault.SYNTAX: Reason.DMARC_SYNTAX,
        dmarc.Fault.DNS: Reason.DNS_FAILED,
    }[error.fault]
    is_open = error.fault is dmarc.Fault.DNS
    verdict = Verdict.UNKNOWN if is_open else Verdict.NO_POLICY
    return _finding(Subject.DMARC, verdict, reason, values)
