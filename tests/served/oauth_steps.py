"""Signing in at the test's authorization server, without Odoo and with it."""

import base64
import hashlib
import secrets
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from playwright.sync_api import Page

from devtools.testbed import authorization
from devtools.testbed.authorization import AuthorizationServer, sign_in

#: Where the tokens of `tokens` are sent to: nobody is there.
NOWHERE = "http://127.0.0.1:9/callback"


def query(address: str) -> dict[str, str]:
    """The parameters of an address, each once."""
    return {k: v[0] for k, v in parse_qs(urlsplit(address).query).items()}


def authorization_address(
    service: AuthorizationServer, verifier: str, **more: str
) -> str:
    """Where a mail program of its own sends a person."""
    digest = hashlib.sha256(verifier.encode()).digest()
    asked = {
        "client_id": authorization.CLIENT_ID,
        "response_type": "code",
        "redirect_uri": NOWHERE,
        "scope": " ".join(authorization.SCOPES),
        "state": "a state",
        "prompt": "consent",
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
        **more,
    }
    return f"{service.authorization_endpoint}?{urlencode(asked)}"


def tokens(service: AuthorizationServer, login: str) -> dict[str, Any]:
    """What the service gives a mail program that `login` signed in with."""
    service.allow_redirect(NOWHERE)
    verifier = secrets.token_urlsafe(40)
    back = sign_in(service, authorization_address(service, verifier), login)
    return ask(
        service,
        grant_type="authorization_code",
        code=query(back)["code"],
        redirect_uri=NOWHERE,
        code_verifier=verifier,
    )


def ask(service: AuthorizationServer, **form: str) -> dict[str, Any]:
    """Ask the token endpoint as the registered application."""
    application = {
        "client_id": authorization.CLIENT_ID,
        "client_secret": authorization.CLIENT_SECRET,
    }
    return service.request(service.token_endpoint, {**application, **form})


def sign_in_on_page(page: Page, login: str, *, agrees: bool = True) -> None:
    """Do on the service's pages, open in `page`, what `login` would do there."""
    page.get_by_label("Address").fill(login)
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Allow" if agrees else "Cancel").click()
