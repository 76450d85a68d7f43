"""A mail service where people sign in, as an administrator set it up in Odoo."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import oauth_steps
import pytest
import steps
from mailbox_steps import incoming
from site_setup import Site, preset

from devtools.rpc import OdooClient
from devtools.testbed import authorization
from devtools.testbed.authorization import AuthorizationServer
from devtools.testbed.bed import TestBed

APPLICATION = "mail.external.application"
PROVIDER = "mail.external.provider"
ANNA = "anna@brand-a.test"
SERVICE_NAME = "Brand A"


@dataclass
class SignInSite:
    """The site, the service, and what leads from one to the other."""

    site: Site
    service: AuthorizationServer
    application: int
    preset: int

    def window(self, client: OdooClient, email: str, **context: Any) -> steps.Window:
        """A connect window with the address typed, which is read by IMAP."""
        window = steps.Window(client, **context)
        window.type_address(email)
        window.enter(**self.reading(email))
        return window

    def reading(self, email: str, protocol: str = "imap") -> dict[str, Any]:
        return {**incoming(self.site, email, protocol), "ca_certificate": False}

    def connect(
        self,
        client: OdooClient,
        email: str = ANNA,
        person: str = "",
        **values: Any,
    ) -> int:
        """Connect an address with the sign-in of `person`; return its id.

        `values`: of the window, also `default_...` of its context.
        """
        context = {n: values.pop(n) for n in [*values] if n.startswith("default_")}
        window = self.window(client, email, **context)
        if values:
            window.enter(**values)
        page = oauth_steps.sign_in_window(client, self.service, window, person or email)
        assert "You are signed in" in page or "Signed in as" in page, page
        lines = window.test()
        assert lines[-1]["ok"], lines[-1]
        if person not in ("", email):
            window.press("action_vouch")
        return window.save()

    def account(self, address: int) -> tuple[str, str]:
        """State of an address's account, and the code of why it does not work."""
        rows = steps.sql(
            self.site.odoo,
            "SELECT state, COALESCE(failure_code, '') FROM mail_external_account"
            " WHERE id = %s",
            steps.account_of(self.site.odoo, address),
        )
        [(state, code)] = rows
        return state, code

    def refreshes(self) -> list[str]:
        """What came of each renewal since `service.forget`."""
        answered = self.service.answered()
        return [result for kind, result in answered if kind == "refresh_token"]


def values_of_application(site: Site, service: AuthorizationServer) -> dict[str, Any]:
    """What an administrator enters of the bed's service."""
    return {
        "name": SERVICE_NAME,
        "kind": "other",
        "client_id": authorization.CLIENT_ID,
        "client_secret": authorization.CLIENT_SECRET,
        "authorization_endpoint": service.authorization_endpoint,
        "token_endpoint": service.token_endpoint,
        "revocation_endpoint": service.revocation_endpoint,
        "issuer": service.issuer,
        "scopes": " ".join(authorization.SCOPES),
        "authorization_parameters": "prompt=consent",
        "ca_certificate": site.bed.ca_pem,
        "allow_private_host": True,
    }


@pytest.fixture
def oauth(
    clean: Site, oauth_bed: TestBed, sign_in_service: AuthorizationServer
) -> Iterator[SignInSite]:
    """Addresses of brand-a.test sign in at the bed's service."""
    site, service = clean, sign_in_service
    steps.forget_tests(site.odoo)
    values = values_of_application(site, service)
    [application] = site.admin.call(APPLICATION, "create", [values])
    names = ["redirect_uri"]
    [row] = site.admin.call(APPLICATION, "read", [application], names)
    service.allow_redirect(row["redirect_uri"])
    # Before the session's own preset of this domain.
    values = {
        **preset(oauth_bed, "brand-a"),
        "sequence": 0,
        "oauth_kind": "other",
        "application_id": application,
    }
    [provider] = site.admin.call(PROVIDER, "create", [values])
    service.forget()
    yield SignInSite(site, service, application, provider)
    service.set(
        access_seconds=3600, access_length=43, rotate=True, claims={}, fault=None
    )
    site.remove_accounts()
    site.admin.call(PROVIDER, "unlink", [provider])
    site.admin.call(APPLICATION, "unlink", [application])
