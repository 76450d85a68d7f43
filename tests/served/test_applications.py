"""Check of an application, against a token endpoint that answers, fails, or hangs."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import steps
from check_steps import waiting_connections
from site_setup import Site

from devtools.rpc import OdooClient, OdooRpcError
from devtools.testbed.token_faults import elsewhere
from devtools.testbed.token_service import TokenService

MODEL = "mail.external.application"
SHOWN = ["check_date", "check_code", "check_text", "check_reply", "failure_code"]
SECONDS = 20

# Fault -> code, and words of cause or remedy
CASES = {
    "unknown client": ("oauth_client", "its secret is another"),
    "Google: client not found": ("oauth_client", "its secret is another"),
    "401 with a page": ("oauth_client", ""),
    "Microsoft: wrong secret": ("oauth_client", "its ID was entered"),
    "Microsoft: expired secret": ("oauth_secret_expired", "has expired"),
    "an expired secret elsewhere": ("oauth_secret_expired", ""),
    "Microsoft: unknown application": ("oauth_client", "object ID"),
    "Microsoft: no tenant": ("oauth_tenant", "no such tenant"),
    "Microsoft: not for several tenants": ("oauth_tenant", "one tenant only"),
    "Microsoft: redirect": ("oauth_redirect", "letter by letter"),
    "500 with a page": ("oauth_busy", ""),
    "429 with seconds": ("oauth_busy", ""),
    "404": ("oauth_failed", ""),
    "a page with 200": ("oauth_failed", ""),
    "not JSON": ("oauth_failed", ""),
    "huge": ("oauth_failed", ""),
    "no HTTP": ("oauth_failed", ""),
    "reset": ("oauth_failed", ""),
}


@pytest.fixture
def service() -> Iterator[TokenService]:
    with TokenService(secure=True) as running:
        yield running


@pytest.fixture
def application(clean: Site, service: TokenService) -> Iterator[int]:
    number = clean.admin.call(MODEL, "create", values(service))
    yield number
    clean.admin.call(MODEL, "unlink", [number])


def values(service: TokenService, **more: Any) -> dict[str, Any]:
    return {
        "kind": "other",
        "name": "Example",
        "client_id": service.client_id,
        "client_secret": service.client_secret,
        "authorization_endpoint": f"{service.url}/auth",
        "token_endpoint": f"{service.url}/token",
        "ca_certificate": service.ca_pem,
        "allow_private_host": True,
        **more,
    }


def checked(client: OdooClient, number: int) -> dict[str, Any]:
    """Press "Check", and return what the page shows then."""
    before = time.monotonic()
    client.call(MODEL, "action_check", [number])
    assert time.monotonic() - before < SECONDS + 5
    [shown] = client.call(MODEL, "read", [number], SHOWN)
    return dict(shown)


def test_check_says_what_the_service_says(
    clean: Site, service: TokenService, application: int
) -> None:
    shown = checked(clean.admin, application)
    assert shown["check_date"] and not shown["check_code"]
    assert service.requests[-1].form["client_secret"] == service.client_secret
    for fault, (code, words) in CASES.items():
        service.misbehave(fault)
        shown = checked(clean.admin, application)
        assert shown["check_code"] == code, fault
        assert words in shown["check_text"], fault
        assert shown["check_reply"], fault
    service.misbehave(None)
    assert not checked(clean.admin, application)["check_code"]
    # Another secret is wrong; a check of the one before says nothing of it.
    clean.admin.call(MODEL, "write", [application], {"client_secret": "another-one"})
    [shown] = clean.admin.call(MODEL, "read", [application], SHOWN)
    assert not shown["check_date"]
    assert checked(clean.admin, application)["check_code"] == "oauth_client"
    log = clean.odoo.log()
    assert service.client_secret not in log
    assert "another-one" not in log


def test_a_redirect_is_not_followed(
    clean: Site, service: TokenService, application: int
) -> None:
    with TokenService(secure=True) as other:
        service.misbehave(elsewhere(307, f"{other.url}/token"))
        assert checked(clean.admin, application)["check_code"] == "oauth_failed"
        assert not other.connections


def test_certificates_are_verified(clean: Site) -> None:
    for certificate in ("untrusted", "expired", "wrong_name"):
        with TokenService(secure=True, certificate=certificate) as service:
            number = clean.admin.call(MODEL, "create", values(service))
            shown = checked(clean.admin, number)
            assert shown["check_code"] == "oauth_failed", certificate
            assert not service.requests, "nothing was told to it"
            clean.admin.call(MODEL, "unlink", [number])


def test_an_internal_service_needs_its_tick(clean: Site, service: TokenService) -> None:
    """A public name may lead inside: the address that it means is what is judged."""
    with pytest.raises(OdooRpcError, match="Internal Server"):
        clean.admin.call(MODEL, "create", values(service, allow_private_host=False))
    inside = values(
        service,
        allow_private_host=False,
        authorization_endpoint="https://localhost.localdomain.test/auth",
        token_endpoint=f"https://ip6-loopback.test:{service.port}/token",
    )
    number = clean.admin.call(MODEL, "create", inside)
    assert checked(clean.admin, number)["check_code"] == "oauth_failed"
    assert not service.connections
    clean.admin.call(MODEL, "unlink", [number])


def test_a_service_that_hangs_freezes_nobody(
    clean: Site, service: TokenService, application: int
) -> None:
    service.misbehave("hung")
    other = clean.odoo.rpc("admin")
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(checked, clean.admin, application)
        steps.until(lambda: service.requests, "the service is asked")
        time.sleep(1.5)
        assert not waiting_connections(clean)
        with pytest.raises(OdooRpcError, match="being checked already"):
            other.call(MODEL, "action_check", [application])
        # the page can be changed meanwhile: the answer is about what was before
        other.call(MODEL, "write", [application], {"client_secret": "newer"})
        told = hanging.result(timeout=SECONDS + 10)
        assert not told["check_date"]
    service.misbehave(None)
    assert checked(other, application)["check_code"] == "oauth_client"
