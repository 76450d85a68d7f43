"""Which addresses may be contacted, and that nothing waits for ever."""

import socket
import time

import pytest

from mailkit import checks
from mailkit.connection import network
from mailkit.connection.network import Deadline, Endpoint, connect, is_public
from mailkit.connection.settings import Credentials, Protocol, Security, Server
from mailkit.errors import ErrorCode, MailError


def server(host: str, **more: object) -> Server:
    return Server(Protocol.SMTP, host, 465, Security.SSL, **more)  # type: ignore[arg-type]


def resolve(server: Server) -> tuple[Endpoint, ...]:
    return network.resolve(
        server.host,
        server.port,
        Deadline(server.timeout),
        allow_private=server.allow_private,
    )


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
        "192.0.0.8",
        "192.0.0.170",
        "192.88.99.1",
        "3fff::1",
        "5f00::1",
        "2002:a9fe:a9fe::",
        "2001:0:7f00:1::",
        "64:ff9b::7f00:1",
        "::ffff:0:127.0.0.1",
        "::ffff:169.254.169.254",
        "fd00:ec2::254",
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
    "host",
    [
        *("localhost", "localhost.", "LOCALHOST", "ⓛocalhost", "loc\u200balhost"),
        *(
            "127.0.0.1",
            "127.0.0.1.",
            "127.1",
            "2130706433",
            "2130706433.",
            "0x7f000001",
        ),
        *("0x7f.1", "0177.0.0.1", "017700000001", "１２７.0.0.1", "127。0。0。1"),
        *("0", "[::]", "[::1]", "::ffff:7f00:1", "[0:0:0:0:0:ffff:7f00:1]"),
        "0.0.0.0",  # noqa: S104
    ],
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
    assert (caught.value.code, caught.value.field) == (ErrorCode.HOST_PRIVATE, "host")
    with pytest.raises(MailError) as caught:
        resolve(server("slow.brand-a.test", timeout=0.2, allow_private=True))
    assert (caught.value.code, caught.value.field) == (ErrorCode.TIMEOUT, "host")


def test_name_that_does_not_exist() -> None:
    """Who may not reach the internal network is not told whether a name is in it."""
    for allow_private, code in (
        (True, ErrorCode.HOST_NOT_FOUND),
        (False, ErrorCode.HOST_PRIVATE),
    ):
        with pytest.raises(MailError) as caught:
            resolve(server("no-such-host.invalid", allow_private=allow_private))
        assert (caught.value.code, caught.value.field) == (code, "host")


def _fails(error: Exception):  # type: ignore[no-untyped-def]
    def getaddrinfo(*_args: object, **_more: object) -> list[object]:
        raise error

    return getaddrinfo


# What a look-up may give for names that are nobody's business, and for typing errors.
NO_PUBLIC_HOST = {
    "internal": _answers("10.0.0.25"),
    "internal, IPv6": _answers("fd12:3456::25"),
    "mapped": _answers("::ffff:10.0.0.25"),
    "NAT64": _answers("64:ff9b::a00:19"),
    "mixed": _answers("8.8.8.8", "10.0.0.25"),
    "mixed, IPv6": _answers("2a00:1450:4001::1", "::1"),
    "search domain": _answers("192.168.7.7"),
    "loopback": _answers("127.0.0.1", "::1"),
    "no such name": _fails(socket.gaierror(socket.EAI_NONAME, "unknown")),
    "no address": _fails(socket.gaierror(socket.EAI_NODATA, "no address")),
    "name server fails": _fails(socket.gaierror(socket.EAI_AGAIN, "try again")),
    "no such interface": _fails(socket.gaierror(socket.EAI_NONAME, "scope")),
    "too long a label": _fails(UnicodeError("label too long")),
    "system": _fails(OSError("no resolver")),
    "nothing": _answers(),
}
HOSTS = ("intranet", "mail.corp.test", "localhost.", "10.0.0.25", "fe80::1%eth7")


@pytest.mark.parametrize("protocol", list(Protocol))
def test_which_internal_names_exist_is_not_told(
    monkeypatch: pytest.MonkeyPatch, protocol: Protocol
) -> None:
    """Code, field, words, facts and time are the same for each step and each answer."""
    monkeypatch.setattr(network, "_WHOLE_SECOND", 0.02)
    prefix = "smtp" if protocol is Protocol.SMTP else "incoming"
    login = Credentials("anna", "secret")
    seen, times = set(), []
    for number, answer in enumerate(NO_PUBLIC_HOST.values()):
        monkeypatch.setattr(network.socket, "getaddrinfo", answer)
        for step in checks.Step:
            if not step.value.startswith(prefix):
                continue
            host = HOSTS[number % len(HOSTS)]
            target = Server(protocol, host, 25, Security.NONE)
            result = checks.run(step, target, login, "anna@brand-a.test")
            assert result.error
            error = result.error
            seen.add((error.code, error.field, error.reply, str(error)))
            seen.add((error.transient, str(result.facts), str(result.ok)))
            times.append(result.seconds)
    assert len(seen) == 2, seen
    assert error.transient, "a name server that is down for a while loses no mail"
    assert min(times) >= 0.02


def test_a_refused_name_takes_the_time_of_one_that_is_looked_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The own network's name server answers at once, the world's does not."""
    login = Credentials("anna", "secret")
    times = []
    for delay in (0.0, 0.5):

        def getaddrinfo(*_args: object, wait: float = delay, **_more: object) -> object:
            time.sleep(wait)
            return _answers("10.0.0.25")("", 25)

        monkeypatch.setattr(network.socket, "getaddrinfo", getaddrinfo)
        started = time.monotonic()
        checks.run(checks.Step.SMTP_HOST, server("intranet"), login, "a@b.test")
        times.append(time.monotonic() - started)
    assert abs(times[0] - times[1]) < 0.3, times


def test_who_may_reach_the_internal_network_is_told_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    login = Credentials("anna", "secret")
    told = {}
    for name, answer in NO_PUBLIC_HOST.items():
        monkeypatch.setattr(network.socket, "getaddrinfo", answer)
        target = server("intranet", allow_private=True)
        result = checks.run(checks.Step.SMTP_HOST, target, login, "a@b.test")
        told[name] = result.error.code if result.error else result.facts["private"]
        assert result.seconds < 0.5
    assert told["internal"] is True
    assert told["mixed"] is True
    assert told["no such name"] is ErrorCode.HOST_NOT_FOUND


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


def test_second_look_up_with_another_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: what was judged is contacted, and every look-up is judged."""
    addresses = ["8.8.8.8", "127.0.0.1"]
    contacted = []

    def getaddrinfo(host: str, port: int, **more: object) -> list[tuple[object, ...]]:
        return _answers(addresses.pop(0))(host, port, **more)

    def connect_one(endpoint: Endpoint, seconds: float) -> socket.socket:
        contacted.append(endpoint.address)
        raise MailError(ErrorCode.TIMEOUT)

    monkeypatch.setattr(network.socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(network, "_connect_one", connect_one)
    login = Credentials("anna", "secret")
    target = server("rebind.brand-a.test")
    codes = []
    for _ in range(2):
        result = checks.run(checks.Step.SMTP_LOGIN, target, login, "anna@brand-a.test")
        assert result.error
        codes.append(result.error.code)
    assert codes == [ErrorCode.TIMEOUT, ErrorCode.HOST_PRIVATE]
    assert contacted == ["8.8.8.8"]


@pytest.mark.parametrize("step", list(checks.CONNECTING))
def test_internal_port_looks_the_same_open_or_closed(step: checks.Step) -> None:
    protocol = Protocol.SMTP if step.value.startswith("smtp") else Protocol.IMAP
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        port = listener.getsockname()[1]
        results = []
        for open_or_not in (port, 9):
            target = Server(protocol, "localhost", open_or_not, Security.NONE)
            login = Credentials("anna", "secret")
            result = checks.run(step, target, login, "anna@brand-a.test")
            assert result.error
            results.append((result.error.code, result.error.field, result.facts))
        with pytest.raises(TimeoutError):
            listener.accept()
    assert results[0] == results[1]
    assert results[0][0] is ErrorCode.HOST_PRIVATE
