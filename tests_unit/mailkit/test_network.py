"""Which addresses may be contacted, and that nothing waits for ever."""

import socket
import time

import pytest

from mailkit import network
from mailkit.errors import ErrorCode, MailError
from mailkit.network import Deadline, Endpoint, connect, is_public, resolve
from mailkit.settings import Protocol, Security, Server


def server(host: str, **more: object) -> Server:
    return Server(Protocol.SMTP, host, 465, Security.SSL, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",  # noqa: S104
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "198.18.0.1",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%lo",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "2001:db8::1",
    ],
)
def test_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "142.250.1.1",
        "2a00:1450:4001::1",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ],
)
def test_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "[::1]"]
)
def test_ways_to_write_loopback(host: str) -> None:
    with pytest.raises(MailError) as caught:
        resolve(server(host))
    assert (caught.value.code, caught.value.field) == (ErrorCode.HOST_PRIVATE, "host")
    assert resolve(server(host, allow_private=True))


def _answers(*addresses: str):  # type: ignore[no-untyped-def]
    def getaddrinfo(host: str, port: int, **_more: object) -> list[tuple[object, ...]]:
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (address, port),
            )
            for address in addresses
        ]

    return getaddrinfo


def test_one_private_address_among_public_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = _answers("8.8.8.8", "10.0.0.1")
    monkeypatch.setattr(network.socket, "getaddrinfo", answers)
    with pytest.raises(MailError) as caught:
        resolve(server("rebind.brand-a.test"))
    assert caught.value.code is ErrorCode.HOST_PRIVATE


def test_ipv6_first_and_no_address_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = _answers("8.8.8.8", "2a00:1450:4001::1", "8.8.8.8")
    monkeypatch.setattr(network.socket, "getaddrinfo", answers)
    found = [endpoint.address for endpoint in resolve(server("brand-a.test"))]
    assert found == ["2a00:1450:4001::1", "8.8.8.8"]


def test_resolver_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_args: object, **_more: object) -> list[object]:
        time.sleep(3)
        return []

    monkeypatch.setattr(network.socket, "getaddrinfo", getaddrinfo)
    started = time.monotonic()
    with pytest.raises(MailError) as caught:
        resolve(server("slow.brand-a.test", timeout=0.2))
    assert time.monotonic() - started < 1
    assert (caught.value.code, caught.value.field) == (ErrorCode.TIMEOUT, "host")


def test_name_that_does_not_exist() -> None:
    with pytest.raises(MailError) as caught:
        resolve(server("no-such-host.invalid"))
    assert caught.value.code is ErrorCode.HOST_NOT_FOUND


def test_second_address_is_tried() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        dead = Endpoint(socket.AF_INET, "127.0.0.2", port)
        living = Endpoint(socket.AF_INET, "127.0.0.1", port)
        sock, used = connect([dead, living], Deadline(2))
        sock.close()
    assert used == living


def test_port_that_does_not_answer() -> None:
    with socket.socket() as listener:
        # A full backlog leaves further connections without an answer.
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        started = time.monotonic()
        with pytest.raises(MailError) as caught:
            connect([Endpoint(socket.AF_INET, "127.0.0.1", port)], Deadline(0.3))
        assert time.monotonic() - started < 1
        for filler in fillers:
            filler.close()
    assert caught.value.code is ErrorCode.TIMEOUT
