"""One web request: where it may go, how long it may take, how much may come."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from devtools.testbed import token_faults
from devtools.testbed.token_faults import FAULTS, Fault
from devtools.testbed.token_service import TokenService
from mailkit import http
from mailkit.connection.network import Deadline
from mailkit.errors import ErrorCode, MailError


@pytest.fixture
def service() -> Iterator[TokenService]:
    with TokenService() as running:
        yield running


@pytest.fixture(scope="module")
def secure() -> Iterator[TokenService]:
    with TokenService(secure=True) as running:
        yield running


def ask(service: TokenService, path: str = "/token", **more: object) -> http.Answer:
    given: dict[str, object] = {
        "deadline": Deadline(5),
        "allow_private": True,
        "ca_pem": service.ca_pem,
        "plain": True,
        "body": b"a=b",
    }
    return http.request("POST", service.url + path, **(given | more))  # type: ignore[arg-type]


def refused(service: TokenService, **more: object) -> MailError:
    with pytest.raises(MailError) as caught:
        ask(service, **more)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "origin"),
    [
        ("https://a.test", "a.test", 443, "/", "https://a.test"),
        ("HTTPS://A.Test:/x?y=%20", "a.test", 443, "/x?y=%20", "https://a.test"),
        ("https://a.test:8443/", "a.test", 8443, "/", "https://a.test:8443"),
        ("https://[2001:DB8::1]:1/", "2001:db8::1", 1, "/", "https://[2001:db8::1]:1"),
        ("https://пошта.укр/?a", "xn--80a1acn3a.xn--j1amh", 443, "/?a", None),
        ("http://a.test/", "a.test", 80, "/", "http://a.test"),
        ("https://a.test/?", "a.test", 443, "/", "https://a.test"),
    ],
)
def test_where_an_address_leads(
    url: str, host: str, port: int, path: str, origin: str | None
) -> None:
    target = http.parse(url, plain=True)
    assert (target.host, target.port, target.path) == (host, port, path)
    assert target.origin == (origin or f"https://{host}")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.test",
        "//a.test/",
        "ftp://a.test/",
        "file:///etc/passwd",
        "https://",
        "https:///token",
        "https://user@a.test/",
        "https://user:password@a.test/",
        "https://a.test@b.test/",
        "https://a.test\\@b.test/",
        "https://a.test/#code",
        "https://a.test#",
        "https://a.test:0/",
        "https://a.test:65536/",
        "https://a.test:-1/",
        "https://a.test:https/",
        "https://a.test/\r\nX-More: yes",
        "https://a.te\tst/",
        "https://a.test/a b",
        "https://a.test/é",
        "https://a..test/",
        "https://-a.test/",
        "https://[::1/",
        "https://[::1]x/",
        "https://[fe80::1%25lo]/",
        "https://a%2etest/",
        "https://\ud800.test/",
        "https://a.test/" + "x" * 9000,
        "https://" + "a" * 300 + ".test/",
    ],
)
def test_no_address_of_the_web(url: str) -> None:
    with pytest.raises(MailError) as caught:
        http.parse(url, plain=True)
    assert (caught.value.code, caught.value.field) == (
        ErrorCode.SETTINGS_INVALID,
        "url",
    )


def test_plain_only_where_it_is_allowed(service: TokenService) -> None:
    assert refused(service, plain=False).field == "url"
    assert not service.connections


def test_an_answer_is_told_as_it_is(service: TokenService) -> None:
    service.misbehave(
        Fault(418, b"{tea}", "text/x", (("X-A", "1"), ("x-a", " 2 "), ("Y", "")))
    )
    answer = ask(service, headers={"X-Own": "yes"})
    assert (answer.status, answer.body) == (418, b"{tea}")
    assert answer.headers["x-a"] == "1, 2"
    assert answer.headers["y"] == ""
    asked = service.requests[0]
    assert asked.form == {"a": "b"}
    assert asked.headers["host"] == f"localhost:{service.port}"
    assert asked.headers["x-own"] == "yes"
    assert asked.headers["accept-encoding"] == "identity"
    assert "tea" not in repr(answer)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(service: TokenService, status: int) -> None:
    with TokenService() as other:
        service.misbehave(token_faults.elsewhere(status, f"{other.url}/token"))
        answer = ask(service)
        assert answer.status == status
        assert answer.headers["location"] == f"{other.url}/token"
        assert not other.connections


def test_proxies_of_the_environment_do_not_count(
    service: TokenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TokenService() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert ask(service, "/revoke").status == 401
        assert not proxy.connections


@pytest.mark.parametrize(
    "fault",
    ["slow header", "slow body", "endless chunks", "endless go-aheads", "hung"],
)
def test_nothing_takes_longer_than_the_deadline(
    service: TokenService, fault: str
) -> None:
    service.misbehave(fault)
    started = time.monotonic()
    assert refused(service, deadline=Deadline(0.3)).code is ErrorCode.TIMEOUT
    assert time.monotonic() - started < 2


def test_a_handshake_has_the_same_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(MailError) as caught:
            http.request("GET", url, deadline=Deadline(0.3), allow_private=True)
    assert caught.value.code is ErrorCode.TIMEOUT


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("huge", ErrorCode.PROTOCOL_ERROR),
        ("endless header", ErrorCode.PROTOCOL_ERROR),
        ("no HTTP", ErrorCode.PROTOCOL_ERROR),
        ("truncated", ErrorCode.CONNECTION_LOST),
        ("a chunk of a terabyte", ErrorCode.CONNECTION_LOST),
        ("reset", ErrorCode.CONNECTION_LOST),
        ("closed", ErrorCode.CONNECTION_LOST),
    ],
)
def test_no_answer(service: TokenService, fault: str, code: ErrorCode) -> None:
    service.misbehave(fault)
    assert refused(service).code is code


@pytest.mark.parametrize("fault", ["chunks", "up to the end"])
def test_an_answer_without_a_length(service: TokenService, fault: str) -> None:
    service.misbehave(fault)
    assert b"access_token" in ask(service).body


def test_a_length_that_is_too_short_or_none_is_no_trouble(
    service: TokenService,
) -> None:
    for length, body in ((b"3", b"{}1"), (b"-5", b"{}123"), (b"x", b"{}123")):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\n" % length
        service.misbehave(Fault(act=token_faults.raw(head + b"{}123")))
        assert ask(service).body == body


def test_how_much_may_come_counts_the_header(service: TokenService) -> None:
    service.misbehave(Fault(200, b"x" * 900, headers=(("X", "y" * 200),)))
    assert ask(service, most=2000).status == 200
    assert refused(service, most=1000).code is ErrorCode.PROTOCOL_ERROR


@pytest.mark.parametrize(
    ("certificate", "code"),
    [
        ("untrusted", ErrorCode.CERT_UNTRUSTED),
        ("expired", ErrorCode.CERT_EXPIRED),
        ("wrong_name", ErrorCode.CERT_NAME_MISMATCH),
    ],
)
def test_a_certificate_that_is_not_good(certificate: str, code: ErrorCode) -> None:
    with TokenService(secure=True, certificate=certificate) as service:
        assert refused(service).code is code
        assert not service.requests


def test_the_systems_authorities_alone_do_not_know_ours(secure: TokenService) -> None:
    assert refused(secure, ca_pem="").code is ErrorCode.CERT_UNTRUSTED
    assert refused(secure, ca_pem="no certificate").code is ErrorCode.CA_INVALID
    assert ask(secure, "/revoke").status == 401


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("TLS alert", ErrorCode.TLS_FAILED),
        ("no TLS", ErrorCode.TLS_EXPECTED_PLAIN),
    ],
)
def test_no_encryption(secure: TokenService, fault: str, code: ErrorCode) -> None:
    assert FAULTS[fault].handshake
    secure.misbehave(fault, times=1)
    assert refused(secure).code is code


def test_internal_hosts_are_refused(service: TokenService) -> None:
    for url in (
        service.url,
        f"http://127.0.0.1:{service.port}",
        f"http://[::ffff:127.0.0.1]:{service.port}",
        f"http://2130706433:{service.port}",
        "http://169.254.169.254/latest/meta-data",
        "http://nowhere.invalid/",
    ):
        with pytest.raises(MailError) as caught:
            http.request(
                "GET", url, deadline=Deadline(5), allow_private=False, plain=True
            )
        assert caught.value.code is ErrorCode.HOST_PRIVATE
    assert not service.connections


def test_a_name_that_leads_elsewhere_the_second_time(
    service: TokenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was judged is what is contacted, however short a name lives."""
    asked = []
    real = socket.getaddrinfo

    def rebinding(host: object, port: object, *rest: object, **more: object) -> object:
        asked.append(host)
        address = "203.0.113.9" if len(asked) > 1 else "127.0.0.1"
        return real(address, port, *rest, **more)  # type: ignore[arg-type, call-overload]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    service.misbehave(Fault(204))
    url = f"http://rebinding.test:{service.port}/"
    answer = http.request(
        "GET", url, deadline=Deadline(5), allow_private=True, plain=True
    )
    assert (answer.status, asked) == (204, ["rebinding.test"])


def test_over_ipv6() -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 here")
    heard: list[bytes] = []

    def answer() -> None:
        sock, _peer = listener.accept()
        with sock:
            heard.append(sock.recv(4096))
            sock.sendall(b"HTTP/1.0 200 OK\r\n\r\nhello")

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    with listener:
        port = listener.getsockname()[1]
        told = http.request(
            "GET",
            f"http://[::1]:{port}/",
            deadline=Deadline(5),
            allow_private=True,
            plain=True,
        )
        thread.join()
    assert told.body == b"hello"
    assert f"Host: [::1]:{port}\r\n".encode() in heard[0]


def test_nothing_is_printed(
    service: TokenService,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whoever looks for a fault elsewhere may have http.client print all it sends."""
    monkeypatch.setattr(HTTPConnection, "debuglevel", 1)
    form = b"grant_type=refresh_token&refresh_token=s3cret"
    assert ask(service, body=form).status == 401
    assert not capsys.readouterr().out
