"""A web server on loopback with certificates of the test CA, and its bad days.

    with WebServer({"autoconfig.brand-a.test": {"/x.xml": Page(b"...")}}) as web:
        ... web.port, web.ca_pem, web.asked ...

A page may be a status with headers (a redirect), come slowly, never, or without end.
Hosts that are not named have no certificate: theirs is that of the first.
"""

import ssl
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ..running import Running
from .ca import TestCA

_POLL = 0.05  # seconds until the server notices that it is stopped


@dataclass(frozen=True)
class Page:
    """What is answered. `delay`: seconds before it. `drip`: seconds before each octet
    of the body. `hang`: nothing is, until the server stops. `endless`: the body is sent
    again and again."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drip: float = 0.0
    hang: bool = False
    endless: bool = False


def redirect(location: str, status: int = 302) -> Page:
    """A page that says to go elsewhere."""
    return Page(status=status, headers={"Location": location})


class WebServer(Running):
    """HTTPS, or HTTP with `tls` off; a context manager.

    `pages`: by host, then by path without the query; they may be changed while it runs.
    `asked`: (host, path with query) of each request. `connections`: how many there
    were, also those without a request. `certificate`: "valid", "untrusted", "expired"
    or "wrong_name", for all hosts. `authority`: another CA than one of its own.
    """

    def __init__(
        self,
        pages: Mapping[str, Mapping[str, Page]] | None = None,
        *,
        tls: bool = True,
        certificate: str = "valid",
        address: str = "127.0.0.1",
        port: int = 0,
        authority: TestCA | None = None,
    ) -> None:
        self.pages = {host: dict(each) for host, each in (pages or {}).items()}
        self.asked: list[tuple[str, str]] = []
        self.connections = 0
        self.stopping = threading.Event()
        self._tls = tls
        self._certificate = certificate
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        if authority is None:
            self._folder = tempfile.TemporaryDirectory(prefix="web-")
            authority = TestCA(Path(self._folder.name))
        self._authority = authority
        self.ca_pem = authority.pem
        self._server = _Server((address, port), _Handler)
        self._server.owner = self
        self.port: int = self._server.server_address[1]

    def context(self) -> ssl.SSLContext | None:
        """The certificate of all hosts; None without TLS."""
        if not self._tls:
            return None
        names = [*self.pages] or ["localhost"]
        certificate, key = self._authority.issue(
            ["elsewhere.test"] if self._certificate == "wrong_name" else names,
            expired=self._certificate == "expired",
            untrusted=self._certificate == "untrusted",
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return context

    def start(self) -> None:
        """Answer."""
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(_POLL,), daemon=True).start()

    def stop(self) -> None:
        """Answer no more."""
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        if self._folder:
            self._folder.cleanup()


class _Server(ThreadingHTTPServer):
    owner: WebServer
    daemon_threads = True

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In a thread of its own: a handshake must not hold up the others."""
        self.owner.connections += 1
        context = self.owner.context()
        if context:
            request.settimeout(20)
            request = context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The client went away, or does not like the certificate."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        owner = self.server.owner
        host = self.headers.get("Host", "").partition(":")[0].lower()
        owner.asked.append((host, self.path))
        pages = owner.pages.get(host, {})
        page = pages.get(self.path.partition("?")[0]) or Page(b"not here", 404)
        if owner.stopping.wait(60 if page.hang else page.delay) or page.hang:
            return
        self.send_response(page.status)
        for name, value in page.headers.items():
            self.send_header(name, value)
        if not page.endless:
            self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        self._send(page)

    def _send(self, page: Page) -> None:
        stopping = self.server.owner.stopping
        while page.endless and not stopping.is_set():
            self.wfile.write(page.body)
        if not page.drip:
            self.wfile.write(page.body)
            return
        for octet in page.body:
            if stopping.wait(page.drip):
                return
            self.wfile.write(bytes([octet]))

    def log_message(self, *_told: Any) -> None:
        """Nothing is logged."""
