"""Names to vetted addresses to connections, all within one deadline."""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import ErrorCode, MailError

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
# Special, though some versions of Python call them global: IETF's own (RFC 6890), the
# relays of 6to4 (RFC 7526), and documentation (RFC 9637).
_SPECIAL = tuple(
    map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20"))
)
# When several addresses fail in several ways, the first of these is told.
_TELLING = (ErrorCode.TIMEOUT, ErrorCode.PORT_REFUSED, ErrorCode.UNREACHABLE)


class Deadline:
    """A moment after which an operation has to be over."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds left, more than 0; raises MailError TIMEOUT."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise MailError(ErrorCode.TIMEOUT)
        return left

    @property
    def over(self) -> bool:
        """Whether the moment has passed."""
        return time.monotonic() >= self._end

    def within(self, seconds: float) -> Deadline:
        """Return a deadline `seconds` from now, or this one if that is earlier."""
        nearer = Deadline(seconds)
        nearer._end = min(nearer._end, self._end)
        return nearer


@dataclass(frozen=True)
class Endpoint:
    """A numeric address and a port that a connection may be made to."""

    family: socket.AddressFamily
    address: str
    port: int


def resolve(
    host: str, port: int, deadline: Deadline, *, allow_private: bool
) -> tuple[Endpoint, ...]:
    """Return the addresses of `host`, IPv6 first; at least one.

    Raises MailError HOST_NOT_FOUND or TIMEOUT. With `allow_private` off both are
    HOST_PRIVATE, and so is any address that is not a public unicast one: who may not
    reach the internal network is not told which names there are in it.
    """
    try:
        endpoints = tuple(_look_up(host, port, deadline))
    except MailError:
        if allow_private:
            raise
        raise MailError(ErrorCode.HOST_PRIVATE) from None
    if not allow_private and not all(is_public(e.address) for e in endpoints):
        raise MailError(ErrorCode.HOST_PRIVATE)
    return tuple(sorted(endpoints, key=lambda e: e.family != socket.AF_INET6))


def connect(
    endpoints: Iterable[Endpoint], deadline: Deadline
) -> tuple[socket.socket, Endpoint]:
    """Return a connection to the first endpoint that answers.

    Each gets its share of the time left. The name is not looked up again: what was
    vetted is what is contacted. Raises MailError TIMEOUT, PORT_REFUSED, UNREACHABLE.
    """
    waiting = list(endpoints)
    failures = []
    while waiting:
        endpoint = waiting.pop(0)
        share = deadline.remaining() / (len(waiting) + 1)
        try:
            return _connect_one(endpoint, share), endpoint
        except MailError as error:
            failures.append(error)
    raise min(failures, key=lambda error: _TELLING.index(error.code))


def is_public(address: str) -> bool:
    """Whether `address` is a public unicast one; looks into IPv4-in-IPv6 forms."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        embedded = _embedded(ip)
        if embedded:
            return all(is_public(str(inner)) for inner in embedded)
        if ip.is_site_local:  # deprecated (RFC 3879), but still routed inside some
            return False
    if any(ip in network for network in _SPECIAL):
        return False
    # Python counts all of ::/8 as reserved; NAT64, the one in use, is judged above.
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


def _embedded(ip: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """IPv4 addresses a packet to `ip` may end up at (RFC 4291, 3056, 4380, 6052)."""
    found = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
    if ip in _NAT64:
        found.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    return [inner for inner in found if inner is not None]


def _connect_one(endpoint: Endpoint, seconds: float) -> socket.socket:
    sock = socket.socket(endpoint.family, socket.SOCK_STREAM)
    try:
        sock.settimeout(seconds)
        sock.connect((endpoint.address, endpoint.port))
    except OSError as error:
        sock.close()
        raise MailError(_connect_code(error)) from None
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _connect_code(error: OSError) -> ErrorCode:
    if isinstance(error, TimeoutError):
        return ErrorCode.TIMEOUT
    if isinstance(error, ConnectionRefusedError):
        return ErrorCode.PORT_REFUSED
    return ErrorCode.UNREACHABLE


def _look_up(host: str, port: int, deadline: Deadline) -> dict[Endpoint, None]:
    """Ask the system's resolver, in a thread: it can't be given a timeout.

    At least one endpoint. Raises MailError HOST_NOT_FOUND, TIMEOUT.
    """
    answers: queue.SimpleQueue[dict[Endpoint, None]] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):  # gaierror is an OSError
            answers.put({})
        else:
            answers.put(
                {Endpoint(family, str(to[0]), port): None for family, *_, to in found}
            )

    threading.Thread(target=ask, name="mailkit-resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=deadline.remaining())
    except queue.Empty:
        raise MailError(ErrorCode.TIMEOUT, field="host") from None
    if not answer:
        raise MailError(ErrorCode.HOST_NOT_FOUND)
    return answer
