"""How receivers will judge mail of an address through a service, and the remedy."""

import time
from collections.abc import Iterator

import pytest
from preflight_zone import LONG_KEY, zone

from devtools.testbed.name_server import NameServer
from mailkit.connection.network import Deadline
from mailkit.preflight import evidence
from mailkit.preflight.judge import judge, receiving_hosts
from mailkit.preflight.lookups import Lookups
from mailkit.preflight.services import of_host
from mailkit.preflight.signatures import signatures
from mailkit.preflight.verdicts import Finding
from mailkit.records import NameServers

GMAIL, UNKNOWN, OUTLOOK = "smtp.gmail.com", "smtp.host.test", "smtp.office365.com"
_KEY = f'"v=DKIM1; p={LONG_KEY[:200]}" "{LONG_KEY[200:]}"'
FIRMS = f"""
good.test. 60 IN TXT "v=spf1 include:_spf.google.com ~all"
_dmarc.good.test. 60 IN TXT "v=DMARC1; p=reject"
good.test. 60 IN MX 10 mx.google.com.
google._domainkey.good.test. 60 IN TXT {_KEY}
unsigned.test. 60 IN TXT "v=spf1 include:spf.other.test -all"
spf.other.test. 60 IN TXT "v=spf1 ip4:192.0.2.0/24 -all"
_dmarc.unsigned.test. 60 IN TXT "v=DMARC1; p=quarantine"
self.test. 60 IN TXT "v=spf1 a:mail.self.test -all"
mail.self.test. 60 IN A 8.8.4.4
_dmarc.self.test. 60 IN TXT "v=DMARC1; p=reject"
s1._domainkey.self.test. 60 IN TXT {_KEY}
gone._domainkey.self.test. 60 IN TXT "v=DKIM1; p="
bounce.self.test. 60 IN TXT "v=spf1 ip4:9.9.9.9 -all"
strict.test. 60 IN TXT "v=spf1 ip4:9.9.9.9 -all"
_dmarc.strict.test. 60 IN TXT "v=DMARC1; p=reject; aspf=s; adkim=s"
bounce.strict.test. 60 IN TXT "v=spf1 ip4:9.9.9.9 -all"
s1._domainkey.mail.strict.test. 60 IN TXT {_KEY}
"""


@pytest.fixture(scope="module")
def names() -> Iterator[NameServer]:
    faults = {"sick.test": "servfail", "hung.test": "hang"}
    with NameServer(zone() + FIRMS, faults=faults) as running:
        yield running


def judged(
    names: NameServer,
    email: str,
    host: str = UNKNOWN,
    found: evidence.Evidence | None = None,
) -> tuple[Finding, Finding, Finding]:
    servers = NameServers((names.address,), names.port)
    return judge(Lookups(Deadline(20), servers, allow_private=True), email, host, found)


def told(finding: Finding) -> tuple[str, str]:
    return finding.verdict.value, finding.reason.value


@pytest.mark.parametrize(
    ("domain", "host", "verdict", "reason", "record"),
    [
        ("good.test", GMAIL, "pass", "spf_authorised", ""),
        ("deep.test", GMAIL, "pass", "spf_authorised", ""),
        ("own.test", "mail.own.test", "pass", "spf_authorised", ""),
        ("own.test", "192.0.2.77", "pass", "spf_authorised", ""),
        ("early.test", GMAIL, "pass", "spf_authorised_late", ""),
        (
            "good.test",
            OUTLOOK,
            "fail",
            "spf_not_authorised",
            "v=spf1 include:_spf.google.com include:spf.protection.outlook.com ~all",
        ),
        (
            "behind.test",
            GMAIL,
            "fail",
            "spf_not_authorised",
            "v=spf1 include:_spf.google.com ~all include:_spf.google.com",
        ),
        (
            "redirected.test",
            OUTLOOK,
            "fail",
            "spf_not_authorised",
            "v=spf1 include:spf.protection.outlook.com redirect=google.test",
        ),
        (
            "neutral.test",
            GMAIL,
            "neutral",
            "spf_neutral",
            "v=spf1 ip4:192.0.2.1 include:_spf.google.com ?all",
        ),
        (
            "nothing.test",
            GMAIL,
            "no_policy",
            "spf_missing",
            "v=spf1 include:_spf.google.com ~all",
        ),
        ("nothing.test", UNKNOWN, "no_policy", "spf_missing", ""),
        ("plain.test", UNKNOWN, "unknown", "spf_service_unknown", ""),
        ("macro.test", GMAIL, "unknown", "spf_service_unknown", ""),
        (
            "several.test",
            GMAIL,
            "fail",
            "spf_several",
            "v=spf1 ip4:192.0.2.1 mx include:_spf.google.com -all",
        ),
        ("typo.test", GMAIL, "fail", "spf_syntax", ""),
        ("broken-inside.test", GMAIL, "fail", "spf_syntax", ""),
        ("many.test", GMAIL, "fail", "spf_lookups", ""),
        ("void.test", GMAIL, "fail", "spf_void", ""),
        ("loop.test", GMAIL, "fail", "spf_loop", ""),
        ("dangling.test", GMAIL, "fail", "spf_target", ""),
        ("sick.test", GMAIL, "unknown", "dns_failed", ""),
    ],
)
def test_spf(
    names: NameServer, domain: str, host: str, verdict: str, reason: str, record: str
) -> None:
    found = judged(names, f"anna@{domain}", host)[0]
    assert told(found) == (verdict, reason)
    assert found.record == record
    assert found.name == (domain if record else "")


def test_the_records_that_are_advised_are_good_ones(names: NameServer) -> None:
    """Whoever publishes what is advised passes then."""
    for number, (domain, host) in enumerate(
        [("good.test", OUTLOOK), ("behind.test", GMAIL), ("several.test", GMAIL)]
    ):
        advised = judged(names, f"anna@{domain}", host)[0].record
        names.add(f'mended{number}.test. 60 IN TXT "{advised}"\n')
        mended = judged(names, f"anna@mended{number}.test", host)[0]
        assert told(mended)[0] == "pass", advised


def test_what_nobody_published_fails_nowhere(names: NameServer) -> None:
    spf, dkim, dmarc = judged(names, "anna@nothing.test")
    assert told(dkim) == ("unknown", "dkim_selector_unknown")
    assert told(dmarc) == ("no_policy", "dmarc_missing")
    assert dmarc.name == "_dmarc.nothing.test"
    assert dmarc.record == "v=DMARC1; p=none; rua=mailto:postmaster@nothing.test"


@pytest.mark.parametrize(
    ("domain", "host", "reason", "verdict"),
    [
        ("good.test", GMAIL, "dkim_key_found", "pass"),
        ("signed.test", GMAIL, "dkim_key_found", "pass"),
        ("unsigned.test", GMAIL, "dkim_selector_unknown", "unknown"),
        ("good.test", UNKNOWN, "dkim_selector_unknown", "unknown"),
    ],
)
def test_dkim_by_the_service(
    names: NameServer, domain: str, host: str, reason: str, verdict: str
) -> None:
    assert told(judged(names, f"a@{domain}", host)[1]) == (verdict, reason)


@pytest.mark.parametrize(
    ("domain", "host", "verdict", "reason"),
    [
        ("good.test", GMAIL, "pass", "dmarc_passed"),
        ("desk.good.test", GMAIL, "unknown", "dmarc_open"),
        ("unsigned.test", GMAIL, "unknown", "dmarc_open"),
        ("several-dmarc.test", GMAIL, "no_policy", "dmarc_several"),
        ("bad-p.test", GMAIL, "no_policy", "dmarc_syntax"),
        ("sick.test", GMAIL, "unknown", "dns_failed"),
    ],
)
def test_dmarc(
    names: NameServer, domain: str, host: str, verdict: str, reason: str
) -> None:
    assert told(judged(names, f"anna@{domain}", host)[2]) == (verdict, reason)


# With a test mail that came back

HEAD = """\
Return-Path: <anna@{path}>
Authentication-Results: mx.self.test; dkim={dkim} header.d={signer};
 spf=pass smtp.mailfrom=anna@self.test
Received: from out.host.test (out.host.test [{address}]) by mx.self.test
 with ESMTPS id 1; Mon, 1 Jan 2026 00:00:00 +0000
Received: from [203.0.113.5] (odoo [203.0.113.5]) by smtp.host.test
 with ESMTPSA id 2; Mon, 1 Jan 2026 00:00:00 +0000
DKIM-Signature: v=1; a=rsa-sha256; d={signer}; s={selector}; bh=x; b=y
From: anna@self.test
"""


def came_back(
    *,
    path: str = "self.test",
    dkim: str = "none",
    signer: str = "self.test",
    address: str = "9.9.9.9",
    selector: str = "s1",
    hosts: tuple[str, ...] = ("imap.self.test",),
) -> evidence.Evidence:
    head = HEAD.format(
        path=path, dkim=dkim, signer=signer, address=address, selector=selector
    )
    return evidence.read(head.encode(), hosts)


def test_what_a_test_mail_tells() -> None:
    found = came_back(dkim="pass")
    assert found.address == "9.9.9.9"  # not Odoo's own, which signed in
    assert found.return_path == "self.test"
    assert [each.name for each in found.signatures] == ["s1._domainkey.self.test"]
    assert found.result("dkim", ["self.test"]) == "pass"
    assert found.result("dkim", ["other.test"]) == ""


@pytest.mark.parametrize("host", ["imap.evil.test", "self.test.evil.test", "test"])
def test_results_of_others_count_for_nothing(host: str) -> None:
    assert came_back(dkim="pass", hosts=(host,)).results == ()


@pytest.mark.parametrize(
    "head",
    [
        "Received: from" + "\r\n " * 5000 + "x by y with ESMTP",
        "Received: from a by" + " " * 20000 + "b",
        "Received: from a" + " by" * 5000,
        "Received: from a by b" + " with" * 4000,
        "Received: from a by b with " + "SMTP" * 5000,
        "Authentication-Results: mx.brand-a.test; dkim=" + "a" * 20000,
        "Authentication-Results: mx.brand-a.test; dkim=pass " + "a" * 20000,
        "Authentication-Results: mx.brand-a.test; " + " " * 20000 + "x",
        "Authentication-Results: " + "(" * 20000,
    ],
    ids=lambda head: head[:40],
)
def test_a_head_that_is_made_to_take_long(head: str) -> None:
    began = time.process_time()
    evidence.read(f"{head}\r\n\r\n".encode(), ["mx.brand-a.test"])
    assert time.process_time() - began < 0.5


def test_only_the_topmost_results_count() -> None:
    head = (
        b"Authentication-Results: mx.elsewhere.example; spf=none\r\n"
        b"Authentication-Results: mx.self.test; dkim=pass header.d=self.test\r\n\r\n"
    )
    assert evidence.read(head, ["imap.self.test"]).results == ()


@pytest.mark.parametrize(
    ("name", "host", "is_one"),
    [
        ("mx.google.com", "aspmx.l.google.com", True),
        ("google.com", "aspmx.l.google.com", True),
        ("mx.firm.co.uk", "imap.firm.co.uk", True),
        ("mx.firm.co.uk", "imap.other.co.uk", False),
        ("mx.firm.test", "mx.other.test", False),
        ("com", "google.com", False),
        ("", "google.com", False),
    ],
)
def test_servers_of_one_operator(name: str, host: str, is_one: bool) -> None:
    assert evidence.is_related(name, host) is is_one


@pytest.mark.parametrize(
    ("options", "spf", "dkim", "dmarc"),
    [
        # the server's own address and name, signed with the domain's key
        (
            {"address": "8.8.4.4", "dkim": "pass"},
            ("pass", "spf_authorised"),
            ("pass", "dkim_passed"),
            ("pass", "dmarc_passed"),
        ),
        # another server than SPF names, but signed
        (
            {"dkim": "pass"},
            ("fail", "spf_not_authorised"),
            ("pass", "dkim_passed"),
            ("pass", "dmarc_passed"),
        ),
        (
            {"dkim": "fail"},
            ("fail", "spf_not_authorised"),
            ("fail", "dkim_failed"),
            ("fail", "dmarc_failed"),
        ),
        # nobody says whether the signature is right, but its key is there
        (
            {"hosts": ()},
            ("fail", "spf_not_authorised"),
            ("pass", "dkim_signed"),
            ("pass", "dmarc_passed"),
        ),
        (
            {"hosts": (), "selector": "gone"},
            ("fail", "spf_not_authorised"),
            ("fail", "dkim_key_revoked"),
            ("fail", "dmarc_failed"),
        ),
        (
            {"hosts": (), "selector": "nowhere"},
            ("fail", "spf_not_authorised"),
            ("fail", "dkim_key_missing"),
            ("fail", "dmarc_failed"),
        ),
        # a service that signs and takes bounces in its own name
        (
            {"signer": "host.test", "path": "bounces.host.test", "dkim": "pass"},
            ("neutral", "spf_other_sender"),
            ("neutral", "dkim_other_domain"),
            ("fail", "dmarc_failed"),
        ),
        # bounces go to a name below the firm's: judged by that name's record
        (
            {"path": "bounce.self.test", "hosts": (), "selector": "gone"},
            ("pass", "spf_authorised"),
            ("fail", "dkim_key_revoked"),
            ("pass", "dmarc_passed"),
        ),
    ],
)
def test_with_a_test_mail(
    names: NameServer,
    options: "dict[str, object]",
    spf: tuple[str, str],
    dkim: tuple[str, str],
    dmarc: tuple[str, str],
) -> None:
    found = judged(names, "anna@self.test", found=came_back(**options))  # type: ignore[arg-type]
    assert [told(each) for each in found] == [spf, dkim, dmarc]


def test_strict_alignment_counts_a_name_below_as_another(names: NameServer) -> None:
    found = evidence.Evidence(
        "9.9.9.9",
        "bounce.strict.test",
        signatures(["d=mail.strict.test; s=s1"]),
    )
    spf, dkim, dmarc = judged(names, "anna@strict.test", found=found)
    assert told(spf)[0] == told(dkim)[0] == "pass"
    assert told(dmarc) == ("fail", "dmarc_failed")


def test_an_address_is_advised_where_no_include_is_known(names: NameServer) -> None:
    found = judged(names, "anna@self.test", found=came_back(hosts=()))[0]
    assert found.record == "v=spf1 a:mail.self.test ip4:9.9.9.9 -all"


def test_who_receives(names: NameServer) -> None:
    servers = NameServers((names.address,), names.port)
    lookups = Lookups(Deadline(5), servers)
    assert receiving_hosts(lookups, "anna@good.test") == ("mx.google.com",)


def test_services_are_told_by_the_end_of_a_host() -> None:
    assert of_host("smtp.gmail.com").includes == ("_spf.google.com",)
    assert of_host("email-smtp.eu-west-1.amazonaws.com").includes == ("amazonses.com",)
    for host in ("notgmail.com", "gmail.com.evil.test", "com", ""):
        assert of_host(host).includes == ()
