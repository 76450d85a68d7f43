"""A real OAuth2 and OpenID Connect server for tests, on loopback and free ports.

    with AuthorizationServer(folder, node_modules, TestCA(folder / "ca")) as server:
        server.allow_redirect("http://127.0.0.1:8069/callback")
        back = sign_in(server, address, "anna@brand-a.test")

It is npm's oidc-provider, run by ``authorization.mjs``: codes with PKCE (required),
rotated refresh tokens, revocation, introspection for mail servers. Whoever enters a
login name on its page is signed in as that; no password is looked at. What is signed
in lives in memory and ends with it.
"""

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from html.parser import HTMLParser
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from ..running import Running
from .ca import TestCA
from .dovecot import Introspection
from .runtime import free_ports
from .server import Server

CLIENT_ID, CLIENT_SECRET = "odoo", "odoo's secret / with + signs"
#: Another application at the same service: its tokens are not ours.
OTHER_CLIENT_ID, OTHER_CLIENT_SECRET = "another", "another's secret"
#: The mail server, which asks whose a token is.
INTROSPECTOR_ID, INTROSPECTOR_SECRET = "dovecot", "dovecots-secret"
#: What a mail program asks for here; "offline_access" gives a refresh token only
#: together with the parameter prompt=consent (OpenID Connect Core, section 11).
SCOPES = ("openid", "offline_access", "mail")
_SCRIPT = Path(__file__).with_suffix(".mjs")
_PAGES = 10  # a sign-in has two


class AuthorizationServer(Server, Running):
    """One authorization server; several may run at once, each with its own folder.

    It speaks https with a certificate of `ca`, or plain http without one. Where an
    attribute says so it may be changed by `set` while it runs:

    access_seconds: how long an access token lasts that is given from now on
    access_length: its length in characters, at least 43
    rotate: whether a refresh gives a new refresh token (and ends the old one)
    claims: login -> claims about it, in the place of its own (`{"email": ...}`)
    redirects: addresses that a person may be sent back to
    fault: see `fail`
    """

    host = "localhost"

    def __init__(self, folder: Path, modules: Path, ca: TestCA | None = None) -> None:
        super().__init__("Authorization server", folder, folder / "output")
        ports = free_ports(("outer", "inner"))
        self.port, self._inner_port = ports["outer"], ports["inner"]
        self.issuer = f"{'https' if ca else 'http'}://{self.host}:{self.port}"
        self.authorization_endpoint = f"{self.issuer}/auth"
        self.token_endpoint = f"{self.issuer}/token"
        self.revocation_endpoint = f"{self.issuer}/token/revocation"
        #: Plain http, for a mail server on this machine.
        self.introspection = Introspection(
            f"http://127.0.0.1:{self._inner_port}/token/introspection",
            INTROSPECTOR_ID,
            INTROSPECTOR_SECRET,
        )
        self.ca_pem = ca.pem if ca else ""
        self._ca = ca
        self._modules = modules
        self._behaviour: dict[str, Any] = {
            "access_seconds": 3600,
            "access_length": 43,
            "rotate": True,
            "claims": {},
            "redirects": [],
            "fault": None,
        }

    def start(self) -> "AuthorizationServer":
        """Raises RuntimeError, with the server's own words, when it does not start."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "settings.json"
        file.write_text(json.dumps(self._settings()), encoding="utf-8")
        argv = ["node", str(_SCRIPT), str(file)]
        self.run(argv, [self.port, self._inner_port])
        return self

    # -- what it does -----------------------------------------------------------------

    def set(self, **behaviour: Any) -> None:
        """Change how it behaves from now on; the class says what there is."""
        unknown = behaviour.keys() - self._behaviour.keys()
        if unknown:
            raise ValueError(f"no such behaviour: {', '.join(sorted(unknown))}")
        self._behaviour.update(behaviour)
        self._control(**behaviour)

    def allow_redirect(self, address: str) -> None:
        """Register an application's redirect address."""
        self.set(redirects=[*self._behaviour["redirects"], address])

    def fail(
        self,
        status: int,
        body: str | dict[str, Any] = "",
        *,
        path: str = "/token",
        times: int = 1,
        delay: float = 0.0,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Answer the next `times` requests to `path` with this instead.

        A dictionary is sent as JSON. `delay`: seconds before the answer. Status 0:
        the true answer, only late. `times=0` ends it.
        """
        is_text = isinstance(body, str)
        kind = "text/html" if is_text else "application/json"
        self.set(
            fault={
                "path": path,
                "status": status,
                "body": body if is_text else json.dumps(body),
                "headers": {"content-type": kind, **(headers or {})},
                "times": times,
                "delay": delay,
            }
        )

    def expire(self, login: str) -> None:
        """End the access tokens of a person early; they can be refreshed."""
        self._control(expire=login)

    def revoke(self, login: str) -> None:
        """As if the person took their consent back at the service."""
        self._control(revoke=login)

    def answered(self) -> list[tuple[str, str]]:
        """(grant type, "ok" or the error) of all that the token endpoint answered.

        What `fail` answered is not in it.
        """
        return [(kind, result) for kind, result in self._control()["answered"]]

    def given(self) -> list[str]:
        """Every code and token that it gave since it was started."""
        return list(self._control()["given"])

    def forget(self) -> None:
        """Begin the list of `answered` anew."""
        self._control(forget=True)

    def request(
        self, address: str, form: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Ask an endpoint as an application does (`form`: by POST); return its JSON.

        Raises urllib.error.HTTPError for an answer of 400 or more.
        """
        data = urllib.parse.urlencode(form).encode() if form is not None else None
        opener = urllib.request.build_opener(_https(self))
        with opener.open(address, data, timeout=20) as answer:
            text = answer.read()
        return dict(json.loads(text)) if text else {}

    def _control(self, **command: Any) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._inner_port}/control",
            data=json.dumps(command).encode(),
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=20) as answer:
            return dict(json.load(answer))

    def _settings(self) -> dict[str, Any]:
        settings = {
            "issuer": self.issuer,
            "port": self.port,
            "inner_port": self._inner_port,
            "modules": str(self._modules),
            "introspector": INTROSPECTOR_ID,
            "clients": [
                _application(CLIENT_ID, CLIENT_SECRET),
                _application(OTHER_CLIENT_ID, OTHER_CLIENT_SECRET),
                {
                    **_client(INTROSPECTOR_ID, INTROSPECTOR_SECRET),
                    "redirect_uris": [],
                    "response_types": [],
                    "grant_types": ["client_credentials"],
                },
            ],
            "behaviour": self._behaviour,
        }
        if self._ca:
            certificate, key = self._ca.issue((self.host, "127.0.0.1"))
            settings.update(certificate=str(certificate), key=str(key))
        return settings


def _client(name: str, secret: str) -> dict[str, Any]:
    return {
        "client_id": name,
        "client_secret": secret,
        "token_endpoint_auth_method": "client_secret_post",
    }


def _application(name: str, secret: str) -> dict[str, Any]:
    return {
        **_client(name, secret),
        # It has to have one; `redirects` says which are good.
        "redirect_uris": ["https://nowhere.test/"],
        "grant_types": ["authorization_code", "refresh_token"],
    }


# -- a person without a browser -------------------------------------------------------


def sign_in(
    server: AuthorizationServer, address: str, login: str, *, agrees: bool = True
) -> str:
    """Open `address` (its authorization endpoint), and do what `login` would do there.

    Returns the address that the service sends the person back to, unopened.
    `agrees=False` presses Cancel where consent is asked for.
    Raises AssertionError, with the page, when it leads nowhere.
    """
    policy = DefaultCookiePolicy(strict_ns_domain=DefaultCookiePolicy.DomainLiberal)
    opener = urllib.request.build_opener(
        urllib.request.HTTPCookieProcessor(CookieJar(policy)), _Stay, _https(server)
    )
    data = None
    for _page in range(_PAGES):
        if not address.startswith(f"{server.issuer}/"):
            return address
        with opener.open(address, data, timeout=20) as answer:
            data, status, page = None, answer.status, answer.read().decode()
            location = answer.headers.get("Location")
        if location:
            address = urljoin(address, location)
            continue
        asks = _Form(page).names
        assert status == 200 and "answer" in asks, f"{status}: {page}"  # noqa: S101
        wanted = "yes" if agrees or "login" in asks else "no"
        form = {"login": login, "password": "x", "answer": wanted}
        data = urllib.parse.urlencode(form).encode()
    raise AssertionError(f"still at {address} after {_PAGES} pages")


def _https(server: AuthorizationServer) -> urllib.request.HTTPSHandler:
    trust = ssl.create_default_context(cadata=server.ca_pem or None)
    return urllib.request.HTTPSHandler(context=trust)


class _Stay(urllib.request.HTTPRedirectHandler):
    """Gives a redirection and a refusal back as they are."""

    def http_error_302(
        self, req: Any, fp: Any, code: Any, msg: Any, headers: Any
    ) -> Any:
        return fp

    http_error_301 = http_error_303 = http_error_307 = http_error_302
    http_error_308 = http_error_400 = http_error_302


class _Form(HTMLParser):
    """The names of a page's fields."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(dict(attrs).get("name") or "")
