"""Signing in at the test's authorization server, without Odoo and with it."""

import base64
import hashlib
import re
import secrets
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import steps
from playwright.sync_api import Page
from site_setup import Site
from steps import Window

from devtools.rpc import OdooClient
from devtools.testbed import authorization
from devtools.testbed.authorization import AuthorizationServer, sign_in

_AGAIN = re.compile(r'href="([^"]*/mail_external_account/sign_in/\d+)"')
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
    consent = page.get_by_role("button", name="Allow" if agrees else "Cancel")
    login_page = page.get_by_role("button", name="Next")
    page.get_by_role("button", name="Allow").or_(login_page).wait_for()
    if login_page.is_visible():  # who was there before is only asked for consent
        page.get_by_label("Address").fill(login)
        login_page.click()
        page.get_by_role("button", name="Allow").wait_for()
    consent.click()


# -- with Odoo, but without a browser -------------------------------------------------


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirection."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


def opened(client: OdooClient, address: str) -> tuple[int, str, str]:
    """What Odoo answers to the user's browser: status, where it sends it, page."""
    cookies = [
        handler
        for handler in client._opener.handlers
        if isinstance(handler, urllib.request.HTTPCookieProcessor)
    ]
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), _Stay, *cookies
    )
    try:
        answer = opener.open(urljoin(client.url, address), timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        location = answer.headers.get("Location") or ""
        return answer.status, location, answer.read().decode()


def sign_in_window(
    client: OdooClient,
    service: AuthorizationServer,
    window: Window,
    login: str,
    *,
    agrees: bool = True,
) -> str:
    """Press "Sign in with ..." and do at the service what `login` would do there.

    Returns the page that Odoo shows at the end.
    """
    action = window.press("action_sign_in")
    return walk(client, service, action["url"], login, agrees=agrees)


def walk(
    client: OdooClient,
    service: AuthorizationServer,
    address: str,
    login: str,
    *,
    agrees: bool = True,
) -> str:
    """From an address of Odoo's to the service and back; returns the last page."""
    status, location, page = opened(client, address)
    assert status == 303 and location.startswith(service.issuer), (status, page)
    back = sign_in(service, location, login, agrees=agrees)
    assert back.startswith(client.url), back
    status, location, page = opened(client, back)
    assert status == 303 and not query(location), (status, location, page)
    status, _location, page = opened(client, location)
    assert status == 200, (status, page)
    return page


def window_of(client: OdooClient, page: str) -> Window:
    """The connect window that a page at the end of a sign-in leads back to."""
    found = re.search(r"window_id=(\d+)", page)
    assert found, page
    return Window.of(client, int(found[1]))


def links_told(site: Site, owner: str) -> list[str]:
    """The links for signing in again of the notices that somebody got, at least one."""

    def found() -> list[str]:
        texts = [steps.html_text(mail) for mail in site.bed.messages(owner)]
        return [link for text in texts for link in _AGAIN.findall(text)]

    return steps.until(found, f"{owner} is told with a link")
