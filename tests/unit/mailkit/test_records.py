"""MX and SRV from a name server, good and bad."""

import time
from collections.abc import Iterator

import pytest

from devtools.testbed.name_server import NameServer
from mailkit.connection.network import Deadline
from mailkit.errors import ErrorCode, MailError
from mailkit.records import MOST, Exchanger, NameServers, Service

ZONE = """
firm.test. 60 IN MX 20 backup.firm.test.
firm.test. 60 IN MX 10 MX1.Firm.test.
firm.test. 60 IN MX 10 mx0.firm.test.
null.test. 60 IN MX 0 .
textonly.test. 60 IN TXT "nothing else"
alias.test. 60 IN CNAME firm.test.
loop-a.test. 60 IN CNAME loop-b.test.
loop-b.test. 60 IN CNAME loop-a.test.
odd.test. 60 IN MX 5 under_score.odd.test.
odd.test. 60 IN MX 6 -bad-.odd.test.
_imaps._tcp.firm.test. 60 IN SRV 20 0 993 later.firm.test.
_imaps._tcp.firm.test. 60 IN SRV 10 10 993 light.firm.test.
_imaps._tcp.firm.test. 60 IN SRV 10 60 1993 heavy.firm.test.
_pop3._tcp.firm.test. 60 IN SRV 0 0 0 .
""" + "\n".join(
    f"many.test. 60 IN MX {n} m{n:03}.a-long-name.many.test." for n in range(400)
)
FAULTS = {
    "hang.test": "hang",
    "servfail.test": "servfail",
    "refused.test": "refused",
    "garbage.test": "garbage",
    "liar.test": "liar",
}


@pytest.fixture(scope="module")
def server() -> Iterator[NameServer]:
    with NameServer(ZONE, faults=FAULTS) as running:
        yield running


@pytest.fixture
def names(server: NameServer) -> NameServers:
    return NameServers((server.address,), server.port)


def test_exchangers_in_order(names: NameServers) -> None:
    assert names.exchangers("firm.test", Deadline(5)) == (
        Exchanger(10, "mx0.firm.test"),
        Exchanger(10, "mx1.firm.test"),
        Exchanger(20, "backup.firm.test"),
    )


@pytest.mark.parametrize(
    ("domain", "hosts"),
    [
        ("null.test", []),
        ("textonly.test", []),
        ("absent.test", []),
        ("alias.test", ["mx0.firm.test", "mx1.firm.test", "backup.firm.test"]),
        ("odd.test", ["under_score.odd.test"]),
        ("a." * 126 + "test", []),
    ],
)
def test_who_takes_mail(names: NameServers, domain: str, hosts: list[str]) -> None:
    found = names.exchangers(domain, Deadline(5))
    assert [each.host for each in found] == hosts


def test_hundreds_of_exchangers_are_cut(names: NameServers) -> None:
    found = names.exchangers("many.test", Deadline(5))
    assert len(found) == MOST
    assert found[0] == Exchanger(0, "m000.a-long-name.many.test")


def test_services_by_priority_then_weight(names: NameServers) -> None:
    assert names.services("_imaps._tcp.firm.test", Deadline(5)) == (
        Service(10, 60, 1993, "heavy.firm.test"),
        Service(10, 10, 993, "light.firm.test"),
        Service(20, 0, 993, "later.firm.test"),
    )
    assert names.services("_pop3._tcp.firm.test", Deadline(5)) == (
        Service(0, 0, 0, ""),
    )
    assert names.services("_imap._tcp.firm.test", Deadline(5)) == ()


@pytest.mark.parametrize(
    ("domain", "code"),
    [
        ("hang.test", ErrorCode.TIMEOUT),
        ("liar.test", ErrorCode.TIMEOUT),
        ("garbage.test", ErrorCode.TIMEOUT),
        ("servfail.test", ErrorCode.UNREACHABLE),
        ("refused.test", ErrorCode.UNREACHABLE),
        ("loop-a.test", ErrorCode.UNREACHABLE),
    ],
)
def test_bad_name_servers(names: NameServers, domain: str, code: ErrorCode) -> None:
    began = time.monotonic()
    with pytest.raises(MailError) as caught:
        names.exchangers(domain, Deadline(1.0))
    assert caught.value.code is code
    assert time.monotonic() - began < 2.0


def test_nobody_listens() -> None:
    with pytest.raises(MailError) as caught:
        NameServers(("127.0.0.1",), 9).exchangers("firm.test", Deadline(1.0))
    assert caught.value.code in (ErrorCode.TIMEOUT, ErrorCode.UNREACHABLE)


def test_names_are_asked_as_they_are(names: NameServers, server: NameServer) -> None:
    """Without the endings that the system's resolver tries for short names."""
    server.asked.clear()
    names.exchangers("absent.test", Deadline(5))
    assert server.asked == [("absent.test", "MX")]
