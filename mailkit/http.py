"""One web request: a URL in, the whole answer out, before one deadline.

For what a mail program asks of the web: access tokens, and which servers a domain has.
The name is resolved and judged once, and what was judged is contacted; TLS is verified;
redirects are told, not followed; proxies of the environment don't count.
"""

from __future__ import annotations

import http.client
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import SplitResult, urlsplit

from .connection.network import Deadline, Wire, connect, resolve
from .connection.settings import Security, host_name
from .errors import ErrorCode, MailError

MOST = 256 * 1024
_MOST_URL = 8 * 1024
_PORTS = {"https": 443, "http": 80}
# What http.client makes of an answer that is none; its own errors hold raw lines of the
# server, perhaps with an echo of what was sent: none of them is chained.
_NOT_UNDERSTOOD = (http.client.HTTPException, OSError, ValueError, LookupError)


@dataclass(frozen=True)
class Answer:
    """What the server said. `headers`: by lower-case name, several of one joined."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Target:
    """Where a URL leads. `path`: with the query, as it is asked for."""

    host: str
    port: int
    security: Security
    path: str = field(repr=False)
    ca_pem: str = field(default="", repr=False)

    @property
    def origin(self) -> str:
        """Scheme, host and port (RFC 6454), the latter only where it is not usual."""
        scheme = "https" if self.security is Security.SSL else "http"
        return f"{scheme}://{self.name}"

    @property
    def name(self) -> str:
        """Host and port for the Host field (RFC 9110 section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = _PORTS["https" if self.security is Security.SSL else "http"]
        return host if self.port == usual else f"{host}:{self.port}"


def parse(url: str, *, plain: bool = False, ca_pem: str = "") -> Target:
    """Return where `url` leads: https, or http as well if it may be `plain`.

    International names become A-labels. Raises MailError SETTINGS_INVALID with the
    field "url" for everything else: user names, fragments, other characters than
    visible ASCII behind the name.
    """
    try:
        parts = _split(url)
        if parts.scheme != "https" and not (plain and parts.scheme == "http"):
            raise ValueError("scheme")
        port = _PORTS[parts.scheme] if parts.port is None else parts.port
        if not port:
            raise ValueError("port")
        host = host_name(parts.hostname or "")
    except (ValueError, MailError):
        raise MailError(ErrorCode.SETTINGS_INVALID, field="url") from None
    security = Security.SSL if parts.scheme == "https" else Security.NONE
    path = parts.path or "/"
    return Target(
        host, port, security, f"{path}?{parts.query}" if parts.query else path, ca_pem
    )


def request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    deadline: Deadline,
    allow_private: bool,
    ca_pem: str = "",
    most: int = MOST,
    plain: bool = False,
) -> Answer:
    """Ask once, and return the answer whatever its status is (3xx too).

    `most`: octets of the whole answer, its header included. `plain`: http:// is
    allowed, too. Raises MailError: SETTINGS_INVALID or CA_INVALID for what was given,
    those of `network.resolve` and `connect`, TLS_* and CERT_*, TIMEOUT,
    CONNECTION_LOST, and PROTOCOL_ERROR for an answer that is none or too long.
    """
    target = parse(url, plain=plain, ca_pem=ca_pem)
    wire = _open(target, deadline, allow_private)
    try:
        wire.begin(deadline, most)
        if target.security is Security.SSL:
            wire.encrypt(target)
        return _ask(wire, target, method, dict(headers or {}), body)
    except MailError:
        raise
    except _NOT_UNDERSTOOD as error:
        # Both are said when the connection ends before the answer does.
        lost = isinstance(error, (ConnectionError, http.client.IncompleteRead))
        code = ErrorCode.CONNECTION_LOST if lost else ErrorCode.PROTOCOL_ERROR
        raise MailError(code) from None
    finally:
        wire.close()


def _split(url: str) -> SplitResult:
    """Take `url` apart; urlsplit itself drops line ends, and takes anything else."""
    if len(url) > _MOST_URL or re.search(r"[\x00-\x20\x7f\\]", url):
        raise ValueError("characters")
    parts = urlsplit(url)
    if re.search(r"[@%]|\](?!\Z|:)", parts.netloc) or "#" in url:
        raise ValueError("user name, zone, something behind the host, or fragment")
    if not (parts.path + parts.query).isascii():
        raise ValueError("characters")
    return parts


def _open(target: Target, deadline: Deadline, allow_private: bool) -> Wire:
    endpoints = resolve(target.host, target.port, deadline, allow_private=allow_private)
    sock, endpoint = connect(endpoints, deadline)
    return Wire(sock, endpoint, deadline)


def _ask(
    wire: Wire, target: Target, method: str, headers: dict[str, str], body: bytes
) -> Answer:
    client = http.client.HTTPConnection(target.host, target.port)
    client.set_debuglevel(0)  # that of the class prints what is sent: secrets
    # http.client has no way to be given a connection.
    client.sock = cast(socket.socket, _Channel(wire))
    client.putrequest(method, target.path, skip_host=True, skip_accept_encoding=True)
    own = {"Host": target.name, "Connection": "close", "Accept-Encoding": "identity"}
    if body or method in ("POST", "PUT"):
        own["Content-Length"] = str(len(body))
    for name, value in (own | headers).items():
        client.putheader(name, value)
    client.endheaders(body or None)
    response = client.getresponse()
    told: dict[str, str] = {}
    for name, value in response.getheaders():
        key, words = name.lower(), " ".join(value.split())
        told[key] = f"{told[key]}, {words}" if key in told else words
    return Answer(response.status, told, response.read())


class _Channel:
    """A `Wire` as http.client uses its socket, and the file that it reads."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def sendall(self, data: bytes) -> None:
        self._wire.sendall(data)

    def makefile(self, *_args: object, **_kwargs: object) -> _Channel:
        return self

    def readline(self, limit: int = -1) -> bytes:
        return self._wire.readline(limit)

    def read(self, size: int = -1) -> bytes:
        """Read `size` bytes, or as many as come before the end.

        As they come: a server may announce more than there is memory.
        """
        pieces: list[bytes] = []
        while size:
            piece = self._wire.read_some(size if size > 0 else MOST)
            if not piece:
                break
            pieces.append(piece)
            size -= len(piece) if size > 0 else 0
        return b"".join(pieces)

    def flush(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        """The one who opened the wire closes it."""
