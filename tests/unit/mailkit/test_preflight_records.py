"""What a domain's records say: as checkdmarc reads them, and by RFC 7208 and 7489."""

import importlib.util
import ipaddress
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from preflight_zone import DMARC, ED_KEY, LONG_KEY, SPF, zone

from devtools.testbed.name_server import NameServer
from mailkit.connection.network import Deadline
from mailkit.preflight import dkim, dmarc, spf, tags
from mailkit.preflight.lookups import MOST_QUESTIONS, Lookups, Status
from mailkit.preflight.signatures import Signature, signatures
from mailkit.records import NameServers

# checkdmarc wants Python 3.11; from there on a machine without it is incomplete.
_ORACLE = importlib.util.find_spec("checkdmarc") is not None
needs_oracle = pytest.mark.skipif(
    not _ORACLE and (sys.version_info < (3, 11) or not os.environ.get("CI")),
    reason="checkdmarc is not installed",
)

#: Where checkdmarc takes another view, and why ours is this one.
OTHER_VIEWS = {
    # "v=spf1" is a string of ABNF, which has no case (RFC 7208 sections 4.5 and 12)
    "capital.test": True,
    # receivers by RFC 7489 apply nothing without p and rua (section 6.6.3)
    "no-p-at-all.test": False,
}


@pytest.fixture(scope="module")
def names() -> Iterator[NameServer]:
    faults = {"hung.test": "hang", "sick.test": "servfail", "odd.test": "garbage"}
    with NameServer(zone(), faults=faults) as running:
        yield running


@pytest.fixture
def lookups(names: NameServer) -> Lookups:
    servers = NameServers((names.address,), names.port)
    return Lookups(Deadline(20), servers, allow_private=True)


def oracle(names: NameServer) -> dict[str, Any]:
    from dns.nameserver import Do53Nameserver

    return {"nameservers": [Do53Nameserver(names.address, names.port)]}


@needs_oracle
@pytest.mark.parametrize("domain", SPF)
def test_spf_record_as_checkdmarc_reads_it(
    names: NameServer, lookups: Lookups, domain: str
) -> None:
    import checkdmarc.spf

    ours = spf.survey(lookups, domain)
    theirs = checkdmarc.spf.check_spf(domain, **oracle(names))
    is_sound = bool(ours.record) and ours.error is None
    assert is_sound == OTHER_VIEWS.get(domain, theirs["valid"]), theirs
    if is_sound and theirs["valid"]:
        assert ours.record == theirs["record"]
        assert ours.lookups == theirs["dns_lookups"]


@needs_oracle
@pytest.mark.parametrize("domain", DMARC)
def test_dmarc_record_as_checkdmarc_reads_it(
    names: NameServer, lookups: Lookups, domain: str
) -> None:
    import checkdmarc.dmarc

    theirs = checkdmarc.dmarc.check_dmarc(domain, **oracle(names))
    try:
        ours = dmarc.Walks(lookups).policy(domain)
    except dmarc.DmarcError:
        ours = None
    assert (ours is not None) == OTHER_VIEWS.get(domain, theirs["valid"]), theirs
    if ours and theirs["valid"]:
        said = {name: tag["value"] for name, tag in theirs["tags"].items()}
        assert ours.policy == said["p"]
        assert ours.record.subdomains == said["sp"]
        assert ours.record.domain == theirs["location"]
        strict = (ours.record.strict_spf, ours.record.strict_dkim)
        assert strict == (said["aspf"] == "s", said["adkim"] == "s")


# SPF for one sender


@pytest.mark.parametrize(
    ("domain", "address", "result"),
    [
        ("plain.test", "192.0.2.200", "pass"),
        ("plain.test", "2001:db8::9", "pass"),
        ("plain.test", "198.51.100.1", "fail"),
        ("google.test", "198.51.100.1", "pass"),
        ("google.test", "192.0.2.1", "softfail"),
        ("redirected.test", "198.51.100.1", "pass"),
        ("redirected.test", "192.0.2.1", "softfail"),
        ("behind.test", "198.51.100.1", "softfail"),
        ("denied.test", "198.51.100.1", "fail"),
        ("denied.test", "192.0.2.1", "pass"),
        ("neutral.test", "192.0.2.2", "neutral"),
        ("only.test", "192.0.2.2", "neutral"),
        ("own.test", "192.0.2.77", "pass"),
        ("own.test", "2001:db8::1", "fail"),
        ("six.test", "2001:db8:6::ffff", "pass"),
        ("six.test", "2001:db8:7::1", "fail"),
        ("macro.test", "192.0.2.7", "pass"),
        ("macro.test", "192.0.2.8", "fail"),
        ("sender.test", "192.0.2.8", "pass"),
        ("named.test", "192.0.2.5", "pass"),
        ("named.test", "192.0.2.6", "fail"),
        ("capital.test", "192.0.2.1", "pass"),
        ("none.test", "192.0.2.1", "none"),
        ("no-version.test", "192.0.2.1", "none"),
        ("nothing.test", "192.0.2.1", "none"),
        ("several.test", "192.0.2.1", "permerror"),
        ("typo.test", "192.0.2.1", "permerror"),
        ("loop.test", "192.0.2.1", "permerror"),
        ("dangling.test", "192.0.2.1", "permerror"),
        ("void.test", "192.0.2.1", "permerror"),
        ("many.test", "192.0.2.1", "permerror"),
        ("many.test", "192.0.2.99", "pass"),  # matched before the limit
        ("early.test", "198.51.100.7", "pass"),
        ("sick.test", "192.0.2.1", "temperror"),
        ("odd.test", "192.0.2.1", "temperror"),
    ],
)
def test_what_a_receiver_finds(
    lookups: Lookups, domain: str, address: str, result: str
) -> None:
    client = spf.Client(ipaddress.ip_address(address))
    found = spf.check(lookups, domain, f"anna@{domain}", client)
    assert found.result.value == result


@pytest.mark.parametrize(
    ("domain", "result"),
    [
        ("google.test", "pass"),
        ("deep.test", "pass"),
        ("redirected.test", "pass"),
        ("behind.test", "softfail"),
        ("denied.test", "fail"),
        ("softly.test", "softfail"),
        ("plain.test", "fail"),
        ("early.test", "pass"),
    ],
)
def test_a_service_that_is_known_by_its_include(
    lookups: Lookups, domain: str, result: str
) -> None:
    client = spf.Client(service=frozenset({"_spf.google.com"}))
    found = spf.check(lookups, domain, f"anna@{domain}", client)
    assert found.result.value == result


@pytest.mark.parametrize(
    ("value", "expanded"),
    [  # RFC 7208 section 7.4
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr}", "strong-bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
        (
            "%{d2}.trusted-domains.example.net",
            "example.com.trusted-domains.example.net",
        ),
        ("a%%b%_c%-d.example.net", "a%b c%20d.example.net"),
    ],
)
def test_macros(lookups: Lookups, value: str, expanded: str) -> None:
    client = spf.Client(ipaddress.ip_address("192.0.2.3"))
    walk = spf._Walk(lookups, "strong-bad@email.example.com", client)
    assert walk.expand(value, "email.example.com") == expanded


def test_macros_of_an_ipv6_address(lookups: Lookups) -> None:
    client = spf.Client(ipaddress.ip_address("2001:db8::cb01"))
    walk = spf._Walk(lookups, "a@example.com", client)
    expanded = walk.expand("%{ir}.%{v}._spf.%{d2}", "email.example.com")
    assert expanded.startswith("1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d")
    assert expanded.endswith(".1.0.0.2.ip6._spf.example.com")


def test_a_macro_that_nobody_can_fill_in_is_no_verdict(lookups: Lookups) -> None:
    client = spf.Client(service=frozenset({"_spf.google.com"}))
    found = spf.check(lookups, "macro.test", "anna@macro.test", client)
    assert found.error is not None and found.error.fault is spf.Fault.MACRO


# Hostile records


@given(st.text(max_size=200))
def test_no_text_is_an_error_of_ours(text: str) -> None:
    for parse, errors in (
        (lambda: spf.parse(f"v=spf1 {text}"), spf.SpfError),
        (lambda: dmarc.parse("x.test", f"v=DMARC1; {text}"), dmarc.DmarcError),
        (lambda: tags.parse(text), tags.BadTags),
    ):
        try:
            parse()
        except errors:
            pass
    assert dkim.key_state(text) in dkim.KeyState
    signatures([text])


def test_records_that_are_long_or_lead_everywhere(names: NameServer) -> None:
    """A tree of includes, each with ten more: few questions all the same."""
    wide = "".join(
        f'w{level}{number}.tree.test. 60 IN TXT "v=spf1 '
        + " ".join(f"include:w{level + 1}{n}.tree.test" for n in range(10))
        + ' -all"\n'
        for level in range(12)
        for number in range(10)
    )
    names.add(wide)
    servers = NameServers((names.address,), names.port)
    lookups = Lookups(Deadline(20), servers, allow_private=True)
    found = spf.survey(lookups, "w00.tree.test")
    assert found.error is not None and found.error.fault is spf.Fault.LOOKUPS
    assert lookups.questions <= 12
    checked = spf.check(
        lookups, "w00.tree.test", "a@w00.tree.test", spf.Client(ipaddress.ip_address(1))
    )
    assert checked.result is spf.Result.PERMERROR


@pytest.mark.parametrize(
    "text",
    [
        "ip4:192.0.2.1/" + "9" * 5000,
        "ip6:2001:db8::1/" + "1" * 5000,
        "ip6:fe80::1%eth0",
        "a:mail." + "a" * 8000 + "_",
        "a:mail." + "a-" * 4000,
        "a:mail.-x",
        "a:mail.12",
        "x" * 8000,
        "include:" + "%{" * 4000,
    ],
    ids=lambda text: text[:12],
)
def test_terms_that_are_none_are_refused_at_once(text: str) -> None:
    began = time.process_time()
    with pytest.raises(spf.SpfError) as caught:
        spf.parse(f"v=spf1 {text} -all")
    assert caught.value.fault is spf.Fault.SYNTAX
    assert time.process_time() - began < 0.3


def test_macros_are_cut_to_a_name(names: NameServer) -> None:
    """Section 7.3: labels on the left are left out; a long record costs no time."""
    records = f'long-macro.test. 60 IN TXT "v=spf1 exists:{"%{l}" * 50}.x.test"\n'
    names.add(records)
    dns = Lookups(Deadline(5), NameServers((names.address,), names.port))
    client = spf.Client(ipaddress.ip_address("192.0.2.1"))
    names.asked.clear()
    spf.check(dns, "long-macro.test", "a.b.c.d.e.f.g.h@long-macro.test", client)
    [asked] = [name for name, kind in names.asked if kind == "A"]
    assert 240 < len(asked) <= 253 and asked.endswith("a.b.c.d.e.f.g.h.x.test")


@pytest.mark.parametrize(
    ("text", "policies"),
    [
        ("p=reject; sp=odd; rua=mailto:a@b.test", ("none", "none")),
        ("p=odd; rua=mailto:a@b.test", ("none", "none")),
        ("sp=reject; rua=mailto:a@b.test", ("none", "none")),
        ("p=quarantine", ("quarantine", "quarantine")),
        ("p=reject; sp=None", ("reject", "none")),
    ],
)
def test_policies_that_cannot_be(text: str, policies: tuple[str, str]) -> None:
    found = dmarc.parse("a.test", f"v=DMARC1; {text}")
    assert (found.policy, found.subdomains) == policies


@pytest.mark.parametrize(
    ("domain", "policy"),
    [
        ("firm.suffix-a.test", "reject"),
        ("mail.firm.suffix-a.test", "reject"),
        ("firm.suffix-b.test", None),
        ("firm.suffix-c.test", None),
        ("suffix-a.test", "none"),
    ],
)
def test_the_policy_of_a_public_suffix(
    names: NameServer, lookups: Lookups, domain: str, policy: str | None
) -> None:
    names.add(
        '_dmarc.suffix-a.test. 60 IN TXT "v=DMARC1; p=none; sp=reject; psd=y"\n'
        '_dmarc.suffix-b.test. 60 IN TXT "v=DMARC1; p=odd; psd=y"\n'
    )
    found = dmarc.Walks(lookups).policy(domain)
    assert (found and found.policy) == policy


def test_questions_are_counted_and_end(names: NameServer) -> None:
    servers = NameServers((names.address,), names.port)
    lookups = Lookups(Deadline(20), servers)
    for number in range(MOST_QUESTIONS):
        lookups.texts(f"n{number}.nothing.test")
    assert lookups.texts("plain.test").status is Status.FAILED
    assert lookups.questions == MOST_QUESTIONS
    # what was asked already is known
    assert lookups.texts("n1.nothing.test").status is Status.NOTHING


def test_a_server_that_says_nothing_costs_the_time_that_there_is(
    names: NameServer,
) -> None:
    servers = NameServers((names.address,), names.port)
    began = time.monotonic()
    found = spf.survey(Lookups(Deadline(1.0), servers), "hung.test")
    assert found.error is not None and found.error.fault is spf.Fault.DNS
    assert time.monotonic() - began < 3.0


@pytest.mark.parametrize("name", ["", ".", "a..b", "x" * 70 + ".test", "\x00.test"])
def test_what_is_no_name_is_not_asked(names: NameServer, name: str) -> None:
    before = len(names.asked)
    servers = NameServers((names.address,), names.port)
    assert Lookups(Deadline(5), servers).texts(name).status is Status.NOTHING
    assert len(names.asked) == before


def test_names_of_the_internal_network_are_not_told(names: NameServer) -> None:
    """exists: of a sender's own domain must not tell others what is inside."""
    names.add("inside.test. 60 IN A 10.0.0.7\noutside.test. 60 IN A 8.8.8.8\n")
    servers = NameServers((names.address,), names.port)
    asks = Lookups(Deadline(5), servers)
    assert asks.addresses("inside.test", 4).status is Status.NOTHING
    assert asks.addresses("outside.test", 4).status is Status.FOUND
    may = Lookups(Deadline(5), servers, allow_private=True)
    assert may.addresses("inside.test", 4).values == ("10.0.0.7",)


# DMARC's tree, DKIM's keys


def test_organizational_domains(names: NameServer) -> None:
    names.add(
        '_dmarc.gov.tree. 60 IN TXT "v=DMARC1; p=reject; psd=y"\n'
        '_dmarc.firm.tree. 60 IN TXT "v=DMARC1; p=none"\n'
        '_dmarc.unit.firm.tree. 60 IN TXT "v=DMARC1; p=none; psd=n"\n'
    )
    servers = NameServers((names.address,), names.port)
    walks = dmarc.Walks(Lookups(Deadline(20), servers))
    assert walks.organizational("a.b.agency.gov.tree") == "agency.gov.tree"
    assert walks.organizational("a.b.firm.tree") == "firm.tree"
    assert walks.organizational("x.unit.firm.tree") == "unit.firm.tree"
    assert walks.organizational("nobody.tree") == "nobody.tree"
    assert walks.aligns("mail.firm.tree", "firm.tree", strict=False)
    assert not walks.aligns("mail.firm.tree", "firm.tree", strict=True)
    assert not walks.aligns("x.unit.firm.tree", "firm.tree", strict=False)
    assert not walks.aligns("agency.gov.tree", "other.gov.tree", strict=False)
    policy = walks.policy("desk.agency.gov.tree")
    assert policy and policy.record.domain == "gov.tree"  # RFC 9989 section 4.10.1


def test_long_names_are_few_questions() -> None:
    found = dmarc.steps(".".join("abcdefghijklmnop") + ".example.com")
    assert len(found) == 8
    assert found[0].startswith("a.b.c") and found[-1] == "com"


@pytest.mark.parametrize(
    ("text", "state"),
    [
        (f"v=DKIM1; k=rsa; p={LONG_KEY}", "good"),
        (f"p={LONG_KEY}", "good"),
        (f"k=ed25519; p={ED_KEY}", "good"),
        ("v=DKIM1; p=", "revoked"),
        ("v=DKIM1", "broken"),
        ("v=DKIM2; p=" + LONG_KEY, "broken"),
        ("v=DKIM1; p=MAo=", "broken"),
        (f"k=ed25519; p={LONG_KEY}", "broken"),
        ("p=ä", "broken"),
        ("p=a; p=b", "broken"),
    ],
)
def test_keys(text: str, state: str) -> None:
    assert dkim.key_state(text).value == state


def test_signatures() -> None:
    folded = "v=1; a=rsa-sha256; d=Signed.test; s=google;\r\n\tbh=x; b=y"
    assert signatures([folded, "d=../x; s=y", "nonsense", folded]) == (
        Signature("signed.test", "google"),
    )
