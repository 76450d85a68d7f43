"""One connection: from a name to vetted addresses, verified TLS, bytes in and out.

All of it before a deadline. smtplib sets a timeout for each single read, so that a
server which sends one byte now and then holds it for ever, and it knows no limit for a
reply. It gets a `Wire` in place of its socket and its file; IMAP and POP3 are spoken
over one directly.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from ..errors import ErrorCode, MailError, ServerReply
from .settings import Security

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
# Special, though some versions of Python call them global: IETF's own (RFC 6890), the
# relays of 6to4 (RFC 7526), and documentation (RFC 9637).
_SPECIAL = tuple(
    map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20"))
)
# When several addresses fail in several ways, the first of these is told.
_TELLING = (ErrorCode.TIMEOUT, ErrorCode.PORT_REFUSED, ErrorCode.UNREACHABLE)
_CHUNK = 65536
# No answer that there is no public server of a name comes sooner than this.
_WHOLE_SECOND = 1.0
# What one operation may read: far more than any answer that is only a few lines.
# smtplib looks through what comes in a time that grows with its square.
MAX_ANSWER = 128 * 1024
# And where many folders, messages or headers are told.
MAX_READ = 16 * 1024 * 1024
# A slower server or network counts as hung.
OCTETS_PER_SECOND = 65536
# OpenSSL's words for "this is no TLS": they vary with its version and the bytes.
_NOT_TLS = (
    "WRONG_VERSION_NUMBER",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
    "UNKNOWN_PROTOCOL",
    "HTTP_REQUEST",
    "BAD_RECORD_TYPE",
)
# X509_V_ERR_*, from OpenSSL's x509_vfy.h.
_EXPIRED = (9, 10)  # not yet valid, has expired
_OTHER_NAME = (62, 63, 64)  # host name, e-mail, IP address


# From a name to a connection, all within one deadline


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


def conceal(began: float) -> None:
    """Wait until whole seconds, at least one, have passed since `began` (monotonic).

    A look-up in the own network is answered sooner than one in the world, so an answer
    that there is no public server of a name would tell the two apart by its time.
    """
    passed = time.monotonic() - began
    time.sleep(_WHOLE_SECOND - passed % _WHOLE_SECOND)


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


# TLS, and bytes


class _Peer(Protocol):
    """Whom a TLS handshake is for: a `Server`, or the target of a web address."""

    @property
    def host(self) -> str:
        """Name that its certificate has to have."""

    @property
    def security(self) -> Security:
        """How the encryption begins."""

    @property
    def ca_pem(self) -> str:
        """CA certificates that are trusted besides the system's."""


class Wire:
    """Socket and binary file in one. All its failures are MailErrors:
    TIMEOUT, CONNECTION_LOST, PROTOCOL_ERROR, and those of TLS (TLS_*, CERT_*).

    `last_line`: the line read last, as the server sent it.
    """

    def __init__(
        self, sock: socket.socket, endpoint: Endpoint, deadline: Deadline
    ) -> None:
        self._sock = sock
        self._deadline = deadline
        self._buffer = bytearray()
        self._allowance = MAX_ANSWER
        self._silence: float | None = None
        self.endpoint = endpoint
        self.last_line = b""

    @property
    def tls_version(self) -> str:
        """How the connection is encrypted now: "TLSv1.3", or "" if it is not."""
        sock = self._sock
        return (sock.version() or "") if isinstance(sock, ssl.SSLSocket) else ""

    @property
    def local_address(self) -> str:
        """Numeric address of this end."""
        return str(self._sock.getsockname()[0])

    @property
    def deadline(self) -> Deadline:
        """Until when the current operation may take."""
        return self._deadline

    def begin(
        self,
        deadline: Deadline,
        allowance: int = MAX_ANSWER,
        silence: float | None = None,
    ) -> None:
        """Start an operation that has to be over by `deadline`.

        `allowance`: how many octets it may read at the most. `silence`: seconds that
        may pass without any; None: that is not limited besides.
        """
        self._deadline = deadline
        self._allowance = allowance
        self._silence = silence

    def prolong(self, deadline: Deadline) -> None:
        """Give the operation more time, as it gets on; not more to read."""
        self._deadline = deadline

    def encrypt(self, server: _Peer) -> None:
        """Turn on TLS.

        What arrived before the handshake was not protected by it: bytes that wait
        already were put there to be taken for answers of the encrypted session.
        """
        if self._buffer:
            raise MailError(ErrorCode.PROTOCOL_ERROR, field="security")
        self._sock = _handshake(self._sock, server, self._deadline)

    def wait_readable(self, seconds: float) -> bool:
        """Whether something arrives (or the connection ends) within `seconds`."""
        regular, self._deadline = self._deadline, self._deadline.within(seconds)
        try:
            if not self._buffer:
                self._fill()
        except MailError as error:
            if error.code is ErrorCode.TIMEOUT:
                return False
            raise
        finally:
            self._deadline = regular
        return True

    def makefile(self, *_args: object, **_kwargs: object) -> Wire:
        """Return itself: it has the methods of a file opened for reading bytes."""
        return self

    def readline(self, limit: int = -1) -> bytes:
        """Read a line with its ending, or its first `limit` bytes."""
        searched = 0
        while True:
            end = self._buffer.find(b"\n", searched) + 1
            if not end and 0 <= limit <= len(self._buffer):
                end = limit
            if end:
                break
            searched = len(self._buffer)
            self._fill()
        self.last_line = self._take(end if limit < 0 else min(end, limit))
        return self.last_line

    def read(self, size: int) -> bytes:
        """Read exactly `size` bytes."""
        while len(self._buffer) < size:
            self._fill()
        return self._take(size)

    def read_some(self, most: int) -> bytes:
        """Read what comes next, at most `most` bytes; nothing at the end.

        The end is where the other side closed the connection, in order or not.
        """
        if not self._buffer:
            try:
                self._fill()
            except MailError as error:
                if error.code is not ErrorCode.CONNECTION_LOST:
                    raise
                return b""
        return self._take(most)

    def read_until(self, mark: bytes, most: int) -> bytes:
        """Read up to and including `mark`, or some of what comes before it.

        The latter, which never ends with `mark`, when that is `most` octets or more.
        """
        searched = 0
        while (at := self._buffer.find(mark, searched)) < 0:
            searched = max(len(self._buffer) - len(mark) + 1, 0)
            if searched >= most:
                return self._take(searched)
            self._fill()
        return self._take(at + len(mark))

    def unread(self, data: bytes) -> None:
        """Put `data` back: it is read next."""
        self._buffer[:0] = data

    def sendall(self, data: bytes) -> None:
        """Send all of `data`."""
        view = memoryview(data)
        while view:
            self._sock.settimeout(self._deadline.remaining())
            try:
                sent = self._sock.send(view[:_CHUNK])
            except OSError as error:
                raise _lost(error) from None
            view = view[sent:]

    def close(self) -> None:
        """End the connection at once. May be called twice."""
        try:
            self._sock.close()
        except OSError:
            return  # it is closed all the same

    def _take(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _fill(self) -> None:
        left = self._deadline.remaining()
        self._sock.settimeout(min(left, self._silence or left))
        try:
            data = self._sock.recv(_CHUNK)
        except OSError as error:
            raise _lost(error) from None
        if not data:
            raise MailError(ErrorCode.CONNECTION_LOST)
        self._allowance -= len(data)
        if self._allowance < 0:
            raise MailError(ErrorCode.PROTOCOL_ERROR)
        self._buffer += data


def _lost(error: OSError) -> MailError:
    if isinstance(error, TimeoutError):
        return MailError(ErrorCode.TIMEOUT)
    return MailError(ErrorCode.CONNECTION_LOST)


@lru_cache(maxsize=64)
def _verifying(ca_pem: str) -> ssl.SSLContext:
    """Return a context that verifies names and chains, with TLS 1.2 or newer.

    `ca_pem`: trusted besides the system's CAs. Kept, since reading all of these takes
    about 30 ms; one context serves many connections. Raises MailError CA_INVALID.
    """
    made = ssl.create_default_context()
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_pem:
        # A company may hand out an intermediate CA only, or the server's own
        # certificate: these are trusted as given.
        made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            made.load_verify_locations(cadata=ca_pem)
        except (ssl.SSLError, ValueError):
            raise MailError(ErrorCode.CA_INVALID) from None
    return made


def _handshake(sock: socket.socket, server: _Peer, deadline: Deadline) -> ssl.SSLSocket:
    """Do the handshake on `sock`, for the name `server.host`.

    Raises MailError TIMEOUT, CONNECTION_LOST, TLS_FAILED, TLS_EXPECTED_PLAIN, CERT_*.
    """
    context = _verifying(server.ca_pem)
    sock.settimeout(deadline.remaining())
    try:
        return context.wrap_socket(sock, server_hostname=server.host)
    except OSError as error:  # ssl.SSLError is one
        raise _explain(error, server.security) from None


def speaks_tls(sock: socket.socket, server: _Peer, deadline: Deadline) -> bool:
    """Whether the other side of a fresh connection answers a TLS handshake.

    Nothing but the handshake is sent; `sock` is closed.
    """
    try:
        _handshake(sock, server, deadline).close()
    except MailError as error:
        return error.code.name.startswith("CERT_") or (
            # An alert is an answer in TLS, too.
            error.code is ErrorCode.TLS_FAILED
            and error.reply is not None
            and "ALERT" in error.reply.text
        )
    finally:
        sock.close()
    return True


def _explain(error: OSError, security: Security) -> MailError:
    if isinstance(error, TimeoutError):
        return MailError(ErrorCode.TIMEOUT)
    if isinstance(error, ssl.SSLCertVerificationError):
        return MailError(
            _certificate_code(error.verify_code),
            reply=ServerReply(None, "", error.verify_message),
        )
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return MailError(ErrorCode.CONNECTION_LOST)
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        if security is not Security.STARTTLS and any(w in reason for w in _NOT_TLS):
            return MailError(ErrorCode.TLS_EXPECTED_PLAIN)
        return MailError(ErrorCode.TLS_FAILED, reply=ServerReply(None, "", reason))
    return MailError(ErrorCode.CONNECTION_LOST)


def _certificate_code(verify_code: int) -> ErrorCode:
    if verify_code in _EXPIRED:
        return ErrorCode.CERT_EXPIRED
    if verify_code in _OTHER_NAME:
        return ErrorCode.CERT_NAME_MISMATCH
    return ErrorCode.CERT_UNTRUSTED
