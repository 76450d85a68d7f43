"""An authorization server without a browser: gives and renews tokens, counts, fails.

    with TokenService(rotate=True) as service:
        access, refresh = service.sign_in("anna@sandbox.test")
        oauth.refresh(service.client(), refresh, Deadline(5))
        service.misbehave("429 with seconds", times=1)
        ... service.refreshes, service.requests, service.is_good(access) ...

What it does wrong is in ``token_faults.FAULTS``, by name. For the pages of a sign-in
there is ``authorization.py``, a real server.
"""

import base64
import hashlib
import json
import secrets
import ssl
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl

from .ca import TestCA
from .token_faults import FAULTS, Fault, Headers

NAMES = ("localhost", "127.0.0.1")
_ISSUING = threading.Lock()


@dataclass
class Family:
    """All tokens that come of one sign-in; ended all at once."""

    login: str
    ended: bool = False
    #: The only refresh token that is good, and those that were, while it rotates.
    refresh: str = ""
    used: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Request:
    """What somebody asked: ``form`` has its parameters."""

    path: str
    form: Mapping[str, str]
    headers: Mapping[str, str]


class TokenService:
    """Token and revocation endpoint on a free port of 127.0.0.1; a context manager.

    All of it may be changed while it runs; several threads and processes may ask.

    :param secure: https, with a certificate of the test CA (``ca_pem``)
    :param certificate: "valid" (for localhost), "untrusted", "expired", "wrong_name"
    :param life: seconds that an access token is good for, told as ``expires_in``
    :param rotate: a refresh gives a new refresh token; the old one's next use ends all
    :param skew: seconds that its clock is ahead (the Date field, and expires_at)
    """

    client_id = "odoo"
    client_secret = "s1-of-the-application"  # noqa: S105

    def __init__(
        self,
        *,
        secure: bool = False,
        certificate: str = "valid",
        life: int = 3600,
        rotate: bool = False,
        skew: float = 0.0,
    ) -> None:
        self.secure = secure
        self.life = life
        self.rotate = rotate
        self.skew = skew
        self.scope = "openid email mail"
        self.requests: list[Request] = []
        self.connections = 0
        #: How often each kind of grant was asked for, "revocation" too, and how often
        #: new tokens were given for it.
        self.asked: Counter[str] = Counter()
        self.given: Counter[str] = Counter()
        self.stopping = threading.Event()
        self._families: dict[str, Family] = {}
        self._access: dict[str, tuple[Family, float]] = {}
        self._codes: dict[str, tuple[str, str, str]] = {}
        self._lock = threading.RLock()
        self._fault: Fault | None = None
        self._times: int | None = None
        self._next: Fault | None = None
        with _ISSUING:
            authority = TestCA(Path(_folder().name))
            files = authority.issue(
                ("elsewhere.test",) if certificate == "wrong_name" else NAMES,
                expired=certificate == "expired",
                untrusted=certificate == "untrusted",
            )
        self.ca_pem = authority.pem
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(*map(str, files))

    # Where it is, and who may ask

    @property
    def url(self) -> str:
        """Its address, without a slash behind."""
        return f"{'https' if self.secure else 'http'}://localhost:{self.port}"

    def client(self, **more: Any) -> Any:
        """Return a ``mailkit.oauth.Client`` that is known here."""
        from mailkit.oauth import Client

        values = {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "authorization_endpoint": f"{self.url}/auth",
            "token_endpoint": f"{self.url}/token",
            "revocation_endpoint": f"{self.url}/revoke",
            "scopes": tuple(self.scope.split()),
            "ca_pem": self.ca_pem,
            "allow_private": True,
        }
        return Client(**(values | more))

    # What a test does

    @property
    def refreshes(self) -> int:
        """How often it gave tokens for a refresh token."""
        return self.given["refresh_token"]

    def sign_in(self, login: str) -> tuple[str, str]:
        """Return (access token, refresh token) as if ``login`` had signed in."""
        with self._lock:
            return self._issue(Family(login))

    def code(self, login: str, verifier: str, redirect_uri: str) -> str:
        """Return a code that may be redeemed once."""
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        code = secrets.token_urlsafe(24)
        with self._lock:
            self._codes[code] = (login, challenge, redirect_uri)
        return code

    def end(self, login: str) -> None:
        """End all sign-ins of ``login``: no token of theirs is good any more."""
        with self._lock:
            for family in self._families.values():
                family.ended |= family.login == login

    def is_good(self, access_token: str) -> bool:
        """Whether a mail server would take it now."""
        with self._lock:
            family, until = self._access.get(access_token, (None, 0.0))
            return bool(family and not family.ended and time.time() < until)

    def misbehave(self, fault: str | Fault | None, times: int | None = None) -> None:
        """Answer like this from now on, or so many times; None: be good again."""
        with self._lock:
            self._fault = FAULTS[fault] if isinstance(fault, str) else fault
            self._times = times
            self._next = None

    def misbehave_then(self, fault: str | Fault | None) -> None:
        """Do this wrong when the times of ``misbehave`` are over."""
        with self._lock:
            self._next = FAULTS[fault] if isinstance(fault, str) else fault

    # What it answers

    def fault(self, handshake: bool = False) -> Fault | None:
        """Return what to do wrong: with the handshake, or with a request."""
        with self._lock:
            fault = self._fault
            if fault is None or (fault.handshake is not None) != handshake:
                return None
            if self._times is not None:
                self._times -= 1
                if self._times <= 0:
                    self._fault, self._times = self._next, None
            return fault

    def note(self, request: Request) -> None:
        """Keep what was asked."""
        kind = request.form.get("grant_type", "revocation")
        with self._lock:
            self.requests.append(request)
            self.asked[kind] += 1

    def answer(self, request: Request) -> tuple[int, dict[str, object]]:
        """Return (status, object) as RFC 6749 and RFC 7009 have it."""
        form = request.form
        own = (form.get("client_id"), form.get("client_secret"))
        basic = request.headers.get("authorization", "")
        if basic.startswith("Basic "):
            name, _, secret = base64.b64decode(basic[6:]).decode().partition(":")
            own = (name, secret)
        if own != (self.client_id, self.client_secret):
            return 401, {"error": "invalid_client"}
        with self._lock:
            if request.path == "/revoke":
                if family := self._families.get(form.get("token", "")):
                    family.ended = True
                return 200, {}
            return self._grant(form)

    def _grant(self, form: Mapping[str, str]) -> tuple[int, dict[str, object]]:
        kind = form.get("grant_type", "")
        family = None
        if kind == "authorization_code":
            family = self._redeemed(form)
        elif kind == "refresh_token":
            family = self._renewed(form.get("refresh_token", ""))
        if family is None:
            return 400, {"error": "invalid_grant", "error_description": "not good"}
        old = family.refresh
        access, refresh = self._issue(family)
        self.given[kind] += 1
        told: dict[str, object] = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.life,
            "scope": self.scope,
            "id_token": id_token({"email": family.login}),
        }
        if refresh != old:
            told["refresh_token"] = refresh
        return 200, told

    def _redeemed(self, form: Mapping[str, str]) -> Family | None:
        known = self._codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if not known or known[1:] != (challenge, form.get("redirect_uri")):
            return None
        return Family(known[0])

    def _renewed(self, refresh_token: str) -> Family | None:
        family = self._families.get(refresh_token)
        if family and refresh_token in family.used:
            family.ended = True
        return None if family is None or family.ended else family

    def _issue(self, family: Family) -> tuple[str, str]:
        access = f"at-{secrets.token_urlsafe(24)}"
        self._access[access] = (family, time.time() + self.life)
        if self.rotate or not family.refresh:
            if family.refresh:
                family.used.add(family.refresh)
            family.refresh = f"rt-{secrets.token_urlsafe(24)}"
            self._families[family.refresh] = family
        return access, family.refresh

    # Running

    def __enter__(self) -> "TokenService":
        handler = type("Handler", (_Handler,), {"service": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.port: int = self._server.server_address[1]
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()


def id_token(claims: Mapping[str, object]) -> str:
    """Return an unsigned id_token with these claims (RFC 7519)."""
    parts = [json.dumps(each).encode() for each in ({"alg": "none"}, claims)]
    encoded = [base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "signature"])


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 200

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked went away, or was let down on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: TokenService

    def setup(self) -> None:
        """Take up the connection; the handshake is made here, in its own thread."""
        self.service.connections += 1
        fault = self.service.fault(handshake=True)
        if fault and fault.handshake:
            fault.handshake(self.request)
        if self.service.secure:
            self.request = self.service.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def do_GET(self) -> None:
        """Whoever followed a redirect comes like this, perhaps."""
        self.do_POST()

    def do_POST(self) -> None:
        """Read a form, and answer it, or not."""
        size = int(self.headers.get("Content-Length", 0))
        form = dict(parse_qsl(self.rfile.read(size).decode(), keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.path, form, headers)
        self.service.note(request)
        self.close_connection = True
        fault = self.service.fault()
        if fault and fault.act:
            return fault.act(self.connection, self.service.stopping)
        if fault:
            status, body = fault.status, fault.body
            if fault.after:
                status, told = self.service.answer(request)
                body = json.dumps(fault.after(told)).encode()
            return self._send(status, body, fault.kind, fault.headers)
        status, told = self.service.answer(request)
        self._send(status, json.dumps(told).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str, headers: Headers = ()) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        for name, value in headers:
            self.send_header(name, value if isinstance(value, str) else value())
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the Date field, by the service's clock."""
        return super().date_time_string(int(time.time() + self.service.skew))

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@lru_cache
def _folder() -> "tempfile.TemporaryDirectory[str]":
    """Return a folder that goes away with the process."""
    return tempfile.TemporaryDirectory(prefix="tokens-")
