"""Every source of settings over local DNS and HTTPS, and everything that fails there.

The system's resolver is given names of our own (`Hosts`); the rest is real: dnspython
asks a name server, mailkit speaks with web and mail servers over verified TLS.
"""

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from autoconfig_samples import EMAIL, GOOD, bomb, server

from devtools.testbed.ca import TestCA
from devtools.testbed.faults import FaultServer, Garbage, Hang, Reply
from devtools.testbed.name_server import NameServer
from devtools.testbed.web_server import Page, WebServer, redirect
from mailkit import records
from mailkit.connection import network
from mailkit.connection.settings import Protocol, Security
from mailkit.discovery import guessing, search, web
from mailkit.discovery.found import Found, Offer, Source, is_name
from mailkit.discovery.guessing import Guess
from mailkit.discovery.search import SECONDS, Result, Search, matches
from mailkit.errors import ErrorCode
from mailkit.records import NameServers

DOMAIN = "brand-a.test"
CONFIG = "/mail/config-v1.1.xml"
WELL_KNOWN = "/.well-known/autoconfig/mail/config-v1.1.xml"
HOSTS = (
    *("autoconfig.brand-a.test", "brand-a.test", "autoconfig.other.test"),
    *("ispdb.test", "elsewhere.test"),
)
# Public for who asks, though nothing listens there: it is told, not contacted.
PUBLIC = "93.184.216.34"


class Hosts:
    """What the system's resolver knows: names and their addresses, each asked name."""

    def __init__(self) -> None:
        self.names: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.slow: dict[str, float] = {}  # seconds until a name is answered
        self._system = socket.getaddrinfo

    def __call__(self, host: str, port: int, **options: Any) -> list[Any]:
        self.asked.append(host)
        time.sleep(self.slow.get(host, 0))
        if host in ("127.0.0.1", "localhost"):
            return self._system(host, port, **options)
        if host not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        kinds = [
            socket.AF_INET6 if ":" in a else socket.AF_INET for a in self.names[host]
        ]
        return [
            (kind, socket.SOCK_STREAM, 6, "", (address, port))
            for kind, address in zip(kinds, self.names[host], strict=True)
        ]


@dataclass
class World:
    """What a search meets; `search()` makes one that is told where all this is."""

    names: NameServer
    web: WebServer
    hosts: Hosts
    authority: TestCA
    options: dict[str, Any] = field(default_factory=dict)

    def public(self, *names: str) -> None:
        self.hosts.names.update(dict.fromkeys(names, [PUBLIC]))

    def here(self, *names: str) -> None:
        self.hosts.names.update(dict.fromkeys(names, ["127.0.0.1"]))

    def serve(self, host: str, path: str, page: Page | str) -> None:
        if isinstance(page, str):
            page = Page(page.encode())
        self.web.pages.setdefault(host, {})[path] = page

    def search(self, **changes: Any) -> Search:
        port = self.web.port
        values: dict[str, Any] = {
            "email": EMAIL,
            "allow_private": True,
            "ca_pem": self.web.ca_pem,
            "name_servers": NameServers((self.names.address,), self.names.port),
            "autoconfig": [
                pattern.replace("{domain}/", f"{{domain}}:{port}/")
                for pattern in web.AUTOCONFIG
            ],
            "ispdb": f"https://ispdb.test:{port}/v1.1/{{domain}}",
            **self.options,
            **changes,
        }
        return Search(**values)

    def ask(self, source: Source, **changes: Any) -> Result:
        return self.search(**changes).ask(source)

    def found(self, source: Source, **changes: Any) -> Found:
        found = self.ask(source, **changes).found
        assert found is not None
        return found


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestCA:
    return TestCA(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def world(authority: TestCA, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    hosts = Hosts()
    monkeypatch.setattr(network.socket, "getaddrinfo", hosts)
    monkeypatch.setattr(network, "_WHOLE_SECOND", 0.02)
    pages: Mapping[str, Mapping[str, Page]] = {host: {} for host in HOSTS}
    with NameServer() as names, WebServer(pages, authority=authority) as server:
        made = World(names, server, hosts, authority)
        made.here(*HOSTS)
        yield made


# MX

GOOGLE = ("*.aspmx.l.google.com", "aspmx.l.google.com")
PRESETS = {7: ("*.mail.protection.outlook.com",), 3: GOOGLE, 9: ("*",)}


@pytest.mark.parametrize(
    ("zone", "preset"),
    [
        ("MX 1 aspmx.l.google.com.", 3),
        ("MX 5 alt1.ASPMX.l.google.com.\nMX 5 zz.test.", 3),
        ("MX 0 brand-a-test.mail.protection.outlook.com.", 7),
        ("MX 1 filter.test.\nMX 9 aspmx.l.google.com.", 0),
        ("MX 1 aspmx.l.google.com.evil.test.", 0),
        ("MX 1 notaspmx.l.google.com.", 0),
        ("MX 1 mail.brand-a.test.", 0),
        ("MX 0 .", 0),
        ("TXT nothing", 0),
    ],
)
def test_preset_by_exchanger(world: World, zone: str, preset: int) -> None:
    world.names.add("\n".join(f"{DOMAIN}. 60 IN {line}" for line in zone.split("\n")))
    found = world.ask(Source.MX, presets=PRESETS).found
    assert (found.preset if found else 0) == preset


@pytest.mark.parametrize(
    ("host", "pattern", "expected"),
    [
        ("mx.a.test", "mx.a.test", True),
        ("mx.a.test", " MX.A.TEST. ", True),
        ("mx.a.test", "*.a.test", True),
        ("xmx.a.test", "*mx.a.test", True),
        ("a.test", "*.a.test", False),
        ("mx.a.test", "a.test", False),
        ("mx.a.test", "*", False),
        ("mx.a.test", "*.test", False),
        ("mx.a.test", "*.", False),
        ("mx.a.test", "", False),
        ("mx.a.test", "mx.*.test", False),
        ("mx.a.test", "*.*.test", False),
    ],
)
def test_patterns(host: str, pattern: str, expected: bool) -> None:
    assert matches(host, [pattern]) is expected


# SRV


def srv(
    service: str, target: str, port: int, priority: int = 0, weight: int = 0
) -> str:
    return (
        f"{service}._tcp.{DOMAIN}. 60 IN SRV {priority} {weight} {port} {target}.\n"
    ).replace(" ..", " .")


def test_services_of_the_domain(world: World) -> None:
    world.names.add(
        srv("_submission", "smtp.brand-a.test", 587)
        + srv("_imaps", "slow.brand-a.test", 993, 20)
        + srv("_imaps", "imap.brand-a.test", 993, 10)
        + srv("_pop3", "pop.brand-a.test", 110)
    )
    world.here(*(f"{name}.brand-a.test" for name in ("smtp", "imap", "slow", "pop")))
    assert world.found(Source.SRV) == Found(
        Source.SRV,
        DOMAIN,
        Offer(Protocol.SMTP, "smtp.brand-a.test", 587, Security.STARTTLS),
        Offer(Protocol.IMAP, "imap.brand-a.test", 993, Security.SSL),
        Offer(Protocol.POP3, "pop.brand-a.test", 110, Security.STARTTLS),
    )


def test_tls_from_the_start_goes_first(world: World) -> None:
    world.names.add(
        srv("_submission", "smtp.brand-a.test", 587)
        + srv("_submissions", "smtp.brand-a.test", 465, 50)
    )
    world.here("smtp.brand-a.test")
    found = world.found(Source.SRV)
    assert found.smtp and found.smtp.port == 465
    assert found.imap is None


def test_a_service_that_is_not_offered(world: World) -> None:
    world.names.add(
        srv("_submissions", "", 0)
        + srv("_submission", "smtp.brand-a.test", 587)
        + srv("_imaps", "imap.brand-a.test", 993)
        + srv("_imaps", "", 0)
    )
    world.here("smtp.brand-a.test", "imap.brand-a.test")
    found = world.found(Source.SRV)
    assert found.smtp and found.smtp.security is Security.STARTTLS
    assert found.imap is None


def test_without_a_server_that_sends_nothing_is_found(world: World) -> None:
    world.names.add(srv("_imaps", "imap.brand-a.test", 993))
    world.here("imap.brand-a.test")
    assert world.ask(Source.SRV).found is None


def test_servers_of_others_are_to_be_confirmed(world: World) -> None:
    world.names.add(
        srv("_submissions", "smtp.hoster.test", 465)
        + srv("_imaps", "imap.brand-a.test", 993)
        + srv("_pop3s", "pop.notbrand-a.test", 995)
    )
    world.here("smtp.hoster.test", "imap.brand-a.test", "pop.notbrand-a.test")
    assert world.found(Source.SRV).foreign == (
        "smtp.hoster.test",
        "pop.notbrand-a.test",
    )


def test_a_target_that_is_not_there_is_passed_by(world: World) -> None:
    world.names.add(
        srv("_submissions", "gone.brand-a.test", 465, 1)
        + srv("_submissions", "smtp.brand-a.test", 465, 2)
    )
    world.here("smtp.brand-a.test")
    found = world.found(Source.SRV)
    assert found.smtp and found.smtp.host == "smtp.brand-a.test"


def test_hundreds_of_targets(world: World) -> None:
    world.names.add(
        "".join(srv("_imaps", f"i{n}.brand-a.test", 993, n) for n in range(300))
    )
    world.names.add(srv("_submissions", "smtp.brand-a.test", 465))
    world.here("smtp.brand-a.test")
    assert world.ask(Source.SRV).seconds < SECONDS[Source.SRV]
    assert len(world.hosts.asked) <= 10


# The domain's autoconfig


def test_autoconfig_of_the_domain(world: World) -> None:
    world.here("imap.brand-a.test", "pop.brand-a.test", "smtp.brand-a.test")
    world.serve("autoconfig.brand-a.test", CONFIG, GOOD)
    found = world.found(Source.AUTOCONFIG)
    assert (found.where, found.foreign) == (DOMAIN, ())
    assert [each.host for each in found.offers] == [
        f"{name}.brand-a.test" for name in ("smtp", "imap", "pop")
    ]
    asked = f"{CONFIG}?emailaddress=anna.k%40brand-a.test"
    assert world.web.asked == [("autoconfig.brand-a.test", asked)]


def test_the_second_place_is_not_told_the_address(world: World) -> None:
    world.here("mail.brand-a.test")
    world.serve("brand-a.test", WELL_KNOWN, server())
    assert world.found(Source.AUTOCONFIG).smtp
    assert world.web.asked[-1] == ("brand-a.test", WELL_KNOWN)


def test_an_international_domain(world: World) -> None:
    host = "autoconfig.xn--80a1acn3a.xn--j1amh"
    world.here(host, "mail.xn--80a1acn3a.xn--j1amh")
    world.serve(host, CONFIG, server(hostname="mail.%EMAILDOMAIN%"))
    found = world.found(Source.AUTOCONFIG, email="анна@пошта.укр")
    assert found.smtp
    assert found.smtp.host == "mail.xn--80a1acn3a.xn--j1amh"
    assert found.smtp.login == "анна@xn--80a1acn3a.xn--j1amh"
    assert "%D0%B0%D0%BD%D0%BD%D0%B0%40xn--80a1acn3a" in world.web.asked[0][1]


def test_a_server_for_a_sign_in_only_comes_after_one_for_a_password(
    world: World,
) -> None:
    world.here("new.test", "old.test")
    both = server(hostname="new.test", authentication="OAuth2").replace(
        "</emailProvider>",
        server(hostname="old.test").partition('id="x">')[2].partition("</client")[0],
    )
    world.serve("autoconfig.brand-a.test", CONFIG, both)
    found = world.found(Source.AUTOCONFIG)
    assert found.smtp and found.smtp.host == "old.test"
    alone = server(hostname="new.test", authentication="OAuth2")
    world.serve("autoconfig.brand-a.test", CONFIG, alone)
    found = world.found(Source.AUTOCONFIG)
    assert found.smtp and found.smtp.oauth2 and not found.smtp.password


def test_a_redirect_is_followed(world: World) -> None:
    there = f"https://elsewhere.test:{world.web.port}/a.xml#part"
    world.here("mail.brand-a.test")
    world.serve("autoconfig.brand-a.test", CONFIG, redirect("/b.xml", 301))
    world.serve("autoconfig.brand-a.test", "/b.xml", redirect(there, 308))
    world.serve("elsewhere.test", "/a.xml", server())
    assert world.found(Source.AUTOCONFIG).where == DOMAIN
    assert "anna" not in world.web.asked[-1][1]


@pytest.mark.parametrize(
    "location",
    [
        "http://elsewhere.test:{port}/a.xml",
        "ftp://elsewhere.test/a.xml",
        "file:///etc/passwd",
        "//elsewhere.test:25/a.xml",
        "https://elsewhere.test:99999/a.xml",
        "https://user@elsewhere.test:{port}/a.xml",
        "https://[::1/a.xml",
        "https:///a.xml",
        "",
        CONFIG,
    ],
)
def test_redirects_that_are_not_followed(world: World, location: str) -> None:
    world.here("mail.brand-a.test")
    location = location.format(port=world.web.port)
    world.serve("autoconfig.brand-a.test", CONFIG, redirect(location))
    world.serve("elsewhere.test", "/a.xml", server())
    result = world.ask(Source.AUTOCONFIG)
    assert result.found is None
    assert not [host for host, _path in world.web.asked if host == "elsewhere.test"]
    assert len(world.web.asked) <= 5


BAD_PAGES = {
    "not found": Page(b"no", 404),
    "forbidden": Page(b"no", 403),
    "a mistake of the server": Page(b"no", 500),
    "a web page": Page(b"<!DOCTYPE html><html>Welcome</html>"),
    "nothing": Page(),
    "entities": Page(bomb("laughs").encode()),
    "too long": Page(b"<!-- " + b"x" * 5_000_000),
    "without end": Page(b"x" * 10_000, endless=True),
    "slow": Page(server().encode(), drip=0.5),
    "never": Page(hang=True),
    "broken header": Page(server().encode(), headers={"X-Long": "y" * 200_000}),
    "plain servers only": Page(server(socketType="plain").encode()),
}


@pytest.mark.parametrize("name", BAD_PAGES)
def test_bad_web_servers(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SECONDS, Source.AUTOCONFIG, 1.0)
    world.here("mail.brand-a.test")
    world.serve("autoconfig.brand-a.test", CONFIG, BAD_PAGES[name])
    result = world.ask(Source.AUTOCONFIG)
    assert result.found is None
    assert result.seconds < 2.0
    timed_out = name in ("slow", "never")
    assert (result.error is ErrorCode.TIMEOUT) is timed_out


@pytest.mark.parametrize("name", ["never", "slow", "without end", "its name"])
def test_the_second_place_has_its_time_too(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SECONDS, Source.AUTOCONFIG, 2.0)
    world.here("mail.brand-a.test")
    if name == "its name":
        world.hosts.slow["autoconfig.brand-a.test"] = 4.0
    else:
        world.serve("autoconfig.brand-a.test", CONFIG, BAD_PAGES[name])
    world.serve("brand-a.test", WELL_KNOWN, server())
    assert world.found(Source.AUTOCONFIG).smtp


def test_a_host_whose_name_hangs_hides_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SECONDS, Source.SRV, 2.0)
    world.names.add(
        srv("_submissions", "hung.brand-a.test", 465, 1)
        + srv("_submissions", "smtp.brand-a.test", 465, 2)
    )
    world.here("hung.brand-a.test", "smtp.brand-a.test")
    world.hosts.slow["hung.brand-a.test"] = 4.0
    result = world.ask(Source.SRV)
    assert result.found and result.found.smtp
    assert result.found.smtp.host == "smtp.brand-a.test"
    assert result.seconds < 2.2


@pytest.mark.parametrize("fault", ["servfail", "refused", "hang"])
def test_a_service_that_cannot_be_asked_for_hides_no_other(
    world: World, fault: str
) -> None:
    world.names.faults["_submissions._tcp.brand-a.test"] = fault
    world.names.faults["_pop3._tcp.brand-a.test"] = fault
    world.names.add(
        srv("_submission", "smtp.brand-a.test", 587)
        + srv("_imaps", "imap.brand-a.test", 993)
    )
    world.here("smtp.brand-a.test", "imap.brand-a.test")
    found = world.found(Source.SRV)
    assert found.smtp and found.imap


@pytest.mark.parametrize("certificate", ["untrusted", "expired", "wrong_name"])
def test_bad_certificates(world: World, certificate: str) -> None:
    world.here("mail.brand-a.test")
    pages = {host: {CONFIG: Page(server().encode())} for host in HOSTS}
    with WebServer(pages, certificate=certificate, authority=world.authority) as bad:
        world.web.port, good = bad.port, world.web.port
        assert world.ask(Source.AUTOCONFIG).found is None
        world.web.port = good
        assert bad.asked == []


def test_a_web_server_without_tls(world: World) -> None:
    pages = {host: {CONFIG: Page(server().encode())} for host in HOSTS}
    with WebServer(pages, tls=False) as bad:
        world.web.port, good = bad.port, world.web.port
        assert world.ask(Source.AUTOCONFIG).found is None
        world.web.port = good


def test_no_place_is_asked_without_tls() -> None:
    assert all(url.startswith("https://") for url in (*web.AUTOCONFIG, web.ISPDB))


# The public directory


def test_the_directory_is_told_the_domain_only(world: World) -> None:
    world.here("mail.brand-a.test")
    world.serve("ispdb.test", f"/v1.1/{DOMAIN}", server())
    found = world.found(Source.ISPDB)
    assert (found.where, found.foreign) == (DOMAIN, ())
    assert found.smtp and found.smtp.login == EMAIL
    assert world.web.asked == [("ispdb.test", f"/v1.1/{DOMAIN}")]


def test_the_directory_by_exchanger(world: World) -> None:
    """Servers that DNS led to are to be confirmed, but for those of the domain."""
    world.names.add(f"{DOMAIN}. 60 IN MX 1 mx1.in.hoster.test.")
    world.here("mail.hoster.test")
    entry = server(hostname="mail.hoster.test")
    world.serve("ispdb.test", "/v1.1/hoster.test", entry)
    found = world.found(Source.ISPDB)
    assert (found.where, found.foreign) == ("hoster.test", ("mail.hoster.test",))
    asked = [path.rpartition("/")[2] for _host, path in world.web.asked]
    assert asked == [DOMAIN, "in.hoster.test", "hoster.test"]


def test_the_directory_is_not_asked_twice_for_ones_own_exchanger(world: World) -> None:
    world.names.add(f"{DOMAIN}. 60 IN MX 1 mx.{DOMAIN}.")
    assert world.ask(Source.ISPDB).found is None
    assert len(world.web.asked) == 1


def test_the_directory_without_dnspython(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search.records, "is_available", lambda: False)
    assert world.ask(Source.ISPDB).found is None
    assert world.names.asked == []


def test_the_directory_cannot_be_reached(world: World) -> None:
    del world.hosts.names["ispdb.test"]
    assert world.ask(Source.ISPDB).found is None


# Common names


@pytest.fixture
def mail(world: World, authority: TestCA) -> Iterator[Callable[..., FaultServer]]:
    """Return ``mail("smtp", "ssl", label="mail")``: a server that is guessed."""
    with ExitStack() as stack:
        guesses: list[Guess] = []

        def start(
            protocol: str, security: str, *, label: str, **options: Any
        ) -> FaultServer:
            running = stack.enter_context(FaultServer(protocol, security, **options))
            guesses.append(
                Guess(Protocol(protocol), label, running.port, Security(security))
            )
            world.options.update(guesses=guesses, ca_pem=running.ca_pem)
            return running

        yield start


@pytest.fixture(autouse=True)
def names_of_fault_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault servers' certificates are for what the guesses ask for, too."""
    from devtools.testbed import faults

    labels = ("smtp", "mail", "imap", "pop")
    own = tuple(f"{label}.{DOMAIN}" for label in labels)
    monkeypatch.setattr(faults, "NAMES", (*faults.NAMES, *own))


def start_all(world: World, mail: Callable[..., FaultServer]) -> list[FaultServer]:
    world.here(*(f"{label}.{DOMAIN}" for label in ("smtp", "mail", "imap", "pop")))
    return [
        mail("smtp", "ssl", label="smtp"),
        mail("smtp", "starttls", label="mail"),
        mail("imap", "ssl", label="imap"),
        mail("pop3", "ssl", label="pop"),
    ]


def test_servers_of_common_names(
    world: World, mail: Callable[..., FaultServer]
) -> None:
    running = start_all(world, mail)
    found = world.found(Source.NAMES)
    assert [each.host for each in found.offers] == [
        f"{label}.{DOMAIN}" for label in ("smtp", "imap", "pop")
    ]
    assert found.foreign == ()
    # no server is told a login or a password
    assert not any(server.logins for server in running)
    said = " ".join(line for server in running for line in server.commands).upper()
    assert not any(
        word in said for word in ("AUTH ", "LOGIN ", "USER ", "PASS ", "ANNA")
    )


@pytest.mark.parametrize(
    "bad",
    [
        {"faults": {"greeting": Garbage(b"SSH-2.0-OpenSSH_9\r\n")}},
        {"faults": {"greeting": Reply("554 no service here")}},
        {"faults": {"greeting": Hang()}},
        {"certificate": "untrusted"},
        {"certificate": "expired"},
        {"certificate": "wrong_name"},
        {"features": ("SIZE 1000",)},  # no sign-in: not for one's own mail
    ],
    ids=str,
)
def test_a_server_that_is_none_is_passed_by(
    world: World,
    mail: Callable[..., FaultServer],
    bad: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(SECONDS, Source.NAMES, 2.0)
    world.here(f"smtp.{DOMAIN}", f"mail.{DOMAIN}")
    mail("smtp", "ssl", label="smtp", **bad)
    mail("smtp", "starttls", label="mail")
    result = world.ask(Source.NAMES)
    assert result.found and result.found.smtp
    assert result.found.smtp.host == f"mail.{DOMAIN}"
    assert result.seconds < 3.0


def test_no_server_has_a_common_name(world: World) -> None:
    result = world.ask(Source.NAMES)
    assert (result.found, result.error) == (None, None)
    assert result.seconds < 1.0


def test_the_usual_guesses() -> None:
    places = {(g.protocol.value, g.label, g.port) for g in guessing.GUESSES}
    assert places == {
        *(("smtp", label, port) for label in ("smtp", "mail") for port in (465, 587)),
        *(("imap", label, 993) for label in ("imap", "mail")),
        *(("pop3", label, 995) for label in ("pop", "mail")),
    }
    assert not any(g.security is Security.NONE for g in guessing.GUESSES)


# Name servers on bad days


@pytest.mark.parametrize("source", [Source.MX, Source.SRV, Source.ISPDB])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("hang", ErrorCode.TIMEOUT),
        ("liar", ErrorCode.TIMEOUT),
        ("garbage", ErrorCode.TIMEOUT),
        ("servfail", ErrorCode.UNREACHABLE),
        ("refused", ErrorCode.UNREACHABLE),
    ],
)
def test_bad_name_servers(
    world: World,
    source: Source,
    fault: str,
    error: ErrorCode,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(SECONDS, source, 1.0)
    world.names.faults[DOMAIN] = fault
    result = world.ask(source, presets=PRESETS)
    assert (result.found, result.error) == (None, error)
    assert result.seconds < 1.5


# Internal hosts, for who may not reach them


def ask_as_employee(world: World, source: Source, **changes: Any) -> Result:
    return world.ask(source, allow_private=False, **changes)


def test_internal_targets_are_not_told(world: World) -> None:
    world.names.add(
        srv("_submissions", "intranet.brand-a.test", 465, 1)
        + srv("_submissions", "smtp.brand-a.test", 465, 2)
        + srv("_imaps", "intranet.brand-a.test", 993)
    )
    world.here("intranet.brand-a.test")
    world.public("smtp.brand-a.test")
    found = ask_as_employee(world, Source.SRV).found
    assert found and found.smtp and found.smtp.host == "smtp.brand-a.test"
    assert found.imap is None


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["fd00::1"],
        ["::ffff:10.0.0.1"],
        [PUBLIC, "10.0.0.1"],
        [],
    ],
)
def test_one_cannot_tell_an_internal_name_from_none(
    world: World, addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by what is said nor by the time it takes."""
    monkeypatch.setattr(network, "_WHOLE_SECOND", 0.3)
    world.names.add(srv("_submissions", "guess.brand-a.test", 465))
    if addresses:
        world.hosts.names["guess.brand-a.test"] = addresses
    began = time.monotonic()
    result = ask_as_employee(world, Source.SRV)
    passed = time.monotonic() - began
    assert (result.found, result.error) == (None, None)
    assert 0.29 < passed < 0.6


def test_the_time_tells_nothing_beside_a_public_host_either(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "_WHOLE_SECOND", 0.3)
    world.names.add(
        srv("_submissions", "guess.brand-a.test", 465, 1)
        + srv("_submissions", "smtp.brand-a.test", 465, 2)
    )
    world.public("smtp.brand-a.test")
    times = []
    for addresses in (["10.0.0.1"], None):
        world.hosts.names.pop("guess.brand-a.test", None)
        if addresses:
            world.hosts.names["guess.brand-a.test"] = addresses
        result = ask_as_employee(world, Source.SRV)
        assert result.found
        times.append(result.seconds)
    assert all(0.29 < seconds < 0.6 for seconds in times)


@pytest.mark.parametrize("source", [Source.AUTOCONFIG, Source.ISPDB])
def test_internal_web_servers_are_not_contacted(world: World, source: Source) -> None:
    for host in HOSTS:
        world.serve(host, CONFIG, server())
    result = ask_as_employee(world, source)
    assert (result.found, world.web.connections) == (None, 0)


@pytest.mark.parametrize(
    "target", ["intranet.test", "127.0.0.1", "[::1]", "2130706433"]
)
def test_no_redirect_into_the_internal_network(
    world: World, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first server is public: only its own address is let through here."""
    monkeypatch.setattr(network, "is_public", lambda address: address == "127.0.0.2")
    with WebServer(
        {"autoconfig.brand-a.test": {}},
        authority=world.authority,
        address="127.0.0.2",
        port=world.web.port,
    ) as public:
        world.hosts.names["autoconfig.brand-a.test"] = ["127.0.0.2"]
        location = f"https://{target}:{world.web.port}{CONFIG}"
        public.pages["autoconfig.brand-a.test"][CONFIG] = redirect(location)
        world.here("intranet.test")
        world.hosts.names.pop(DOMAIN)
        result = ask_as_employee(world, Source.AUTOCONFIG)
        assert len(public.asked) == 1
    assert (result.found, world.web.connections) == (None, 0)


def test_a_name_that_turns_internal_after_it_was_vetted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the address that was judged is the one that is contacted."""
    monkeypatch.setattr(network, "is_public", lambda address: address == "127.0.0.2")
    answers = iter([["127.0.0.2"], ["127.0.0.1"], ["127.0.0.1"]])
    original = Hosts.__call__

    def turning(self: Hosts, host: str, port: int, **options: Any) -> list[Any]:
        if host == "autoconfig.brand-a.test":
            self.names[host] = next(answers)
        return original(self, host, port, **options)

    monkeypatch.setattr(Hosts, "__call__", turning)
    with WebServer(
        {"autoconfig.brand-a.test": {CONFIG: Page(server().encode())}},
        authority=world.authority,
        address="127.0.0.2",
        port=world.web.port,
    ) as public:
        world.hosts.names.pop(DOMAIN)
        ask_as_employee(world, Source.AUTOCONFIG)
        assert len(public.asked) == 1
    assert world.web.connections == 0


def test_common_names_inside_are_not_contacted(
    world: World, mail: Callable[..., FaultServer]
) -> None:
    running = start_all(world, mail)
    result = ask_as_employee(world, Source.NAMES)
    assert result.found is None
    assert not any(server.connections for server in running)


# The whole


@pytest.mark.parametrize(
    "email",
    [
        "",
        "anna",
        "anna@localhost",
        "anna@127.0.0.1",
        "anna@[127.0.0.1]",
        "@brand-a.test",
        "a@b@c.test d",
        "anna@brand-a.test\r\nX: y",
        "anna@" + "x" * 300 + ".test",
    ],
)
def test_no_address_of_a_public_domain(email: str) -> None:
    with pytest.raises(ValueError, match="public domain"):
        Search(email)


def test_names() -> None:
    assert is_name("brand-a.test") and is_name("xn--80a1acn3a.xn--j1amh")
    assert not any(map(is_name, ("test", "10.0.0.1", "1.2", "::1", "")))


def test_all_together_are_bounded() -> None:
    assert set(SECONDS) == set(Source)
    assert sum(SECONDS.values()) <= 16


def test_no_package_no_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records.importlib.util, "find_spec", lambda _name: None)
    assert not records.is_available()
