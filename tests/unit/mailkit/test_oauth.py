"""Signing in with a mail service: what is sent, what is believed, what is shown."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import logging
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from devtools.testbed import token_faults
from devtools.testbed.token_faults import FAULTS, Fault, changed, microsoft, refused
from devtools.testbed.token_service import TokenService, id_token
from mailkit import oauth
from mailkit.connection.network import Deadline
from mailkit.errors import ErrorCode, MailError

BACK = "https://odoo.test/mail_external_account/oauth2/other"
STATE = "state-of-this-sign-in"
# The codes, shortly.
BUSY = ErrorCode.OAUTH_BUSY
FAILED = ErrorCode.OAUTH_FAILED
CLIENT = ErrorCode.OAUTH_CLIENT
EXPIRED = ErrorCode.OAUTH_SECRET_EXPIRED
TENANT = ErrorCode.OAUTH_TENANT
REDIRECT = ErrorCode.OAUTH_REDIRECT
ENDED = ErrorCode.OAUTH_ENDED
CONSENT = ErrorCode.OAUTH_CONSENT
POLICY = ErrorCode.OAUTH_POLICY
DENIED = ErrorCode.OAUTH_DENIED
WAITS = (BUSY, FAILED, CLIENT, EXPIRED)

# What comes of a refresh: a code and some of the words, or how long the token is good.
OUTCOMES: dict[str, tuple[ErrorCode, str] | float | None] = {
    "429": (BUSY, "HTTP 429"),
    "429 with seconds": (BUSY, "HTTP 429"),
    "429 with a date": (BUSY, "HTTP 429"),
    "429 for a year": (BUSY, "HTTP 429"),
    "429 with nonsense": (BUSY, "HTTP 429"),
    "429 of Google": (BUSY, "RESOURCE_EXHAUSTED"),
    "500 with nothing": (BUSY, "HTTP 500"),
    "500 with a page": (BUSY, "HTTP 500 Service unavailable"),
    "500 with JSON": (BUSY, "server_error"),
    "502 with a page": (BUSY, "HTTP 502 Service unavailable"),
    "503 with seconds": (BUSY, "HTTP 503 Service unavailable"),
    "503 that says invalid_grant": (BUSY, "invalid_grant"),
    "504": (BUSY, "HTTP 504 upstream request timeout"),
    "temporarily unavailable": (BUSY, "temporarily_unavailable"),
    "Microsoft is throttling": (BUSY, "AADSTS90055"),
    "Microsoft is away": (BUSY, "A transient error has occurred."),
    "Google's rate limit": (BUSY, "You have reached the rate limit."),
    "a page with 200": (FAILED, "HTTP 200 Service unavailable"),
    "nothing with 200": (FAILED, "HTTP 200"),
    "404": (FAILED, "HTTP 404 Service unavailable"),
    "not JSON": (FAILED, "HTTP 200"),
    "half of it": (FAILED, "HTTP 200"),
    "an array": (FAILED, "HTTP 200"),
    "a text": (FAILED, "HTTP 200"),
    "deep": (FAILED, "HTTP 200"),
    "NaN": (FAILED, "HTTP 200"),
    "a name twice": (FAILED, "HTTP 200"),
    "not UTF-8": (FAILED, "HTTP 200"),
    "huge": (FAILED, "localhost: protocol_error"),
    "no access token": (FAILED, "no access token"),
    "an empty access token": (FAILED, "no access token"),
    "an access token that is a number": (FAILED, "no text"),
    "an access token of lines": (FAILED, "characters that none may have"),
    "an access token of 9,000 characters": (FAILED, "too long"),
    "a refresh token of control characters": (FAILED, "characters that none may have"),
    "a refresh token that is a list": (FAILED, "no text"),
    "another token type": (FAILED, "another type than bearer"),
    "a token type that is a number": (FAILED, "another type than bearer"),
    "truncated": (FAILED, "localhost: connection_lost"),
    "no HTTP": (FAILED, "localhost: protocol_error"),
    "endless header": (FAILED, "localhost: protocol_error"),
    "slow header": (FAILED, "localhost: timeout"),
    "slow body": (FAILED, "localhost: timeout"),
    "endless chunks": (FAILED, "localhost: timeout"),
    "a chunk of a terabyte": (FAILED, "localhost: connection_lost"),
    "endless go-aheads": (FAILED, "localhost: timeout"),
    "hung": (FAILED, "localhost: timeout"),
    "reset": (FAILED, "localhost: connection_lost"),
    "closed": (FAILED, "localhost: connection_lost"),
    "TLS alert": (FAILED, "localhost: tls_failed"),
    "no TLS": (FAILED, "localhost: tls_expected_plain"),
    "unknown client": (CLIENT, "invalid_client"),
    "401 with a page": (CLIENT, "HTTP 401"),
    "Google: client not found": (CLIENT, "The OAuth client was not found."),
    "Google: client deleted": (CLIENT, "The OAuth client was deleted."),
    "Google: wrong secret": (CLIENT, "Unauthorized"),
    "Google: not for this": (CLIENT, "unauthorized_client"),
    "Microsoft: wrong secret": (CLIENT, "not the client secret ID"),
    "Microsoft: expired secret": (EXPIRED, "are expired. Visit the Azure portal"),
    "an expired secret elsewhere": (EXPIRED, "The client secret has expired."),
    "Microsoft: unknown application": (CLIENT, "not found in the directory"),
    "Microsoft: no tenant": (TENANT, "Tenant 'nowhere' not found."),
    "Microsoft: another tenant": (TENANT, "does not exist in tenant"),
    "Microsoft: not of the directory": (TENANT, "does not exist in the directory"),
    "Microsoft: not for several tenants": (TENANT, "not configured as multi-tenant"),
    "Google: only inside": (TENANT, "within its organization"),
    "Microsoft: redirect": (REDIRECT, "AADSTS50011"),
    "Microsoft: http redirect": (REDIRECT, "AADSTS500112"),
    "Google: redirect": (REDIRECT, "redirect_uri_mismatch"),
    "another's redirect": (REDIRECT, "Incorrect redirect_uri"),
    "invalid_grant": (ENDED, "invalid_grant"),
    "Google: revoked": (ENDED, "Token has been expired or revoked."),
    "Google: account deleted": (ENDED, "Account has been deleted"),
    "Microsoft: expired": (ENDED, "inactive for 90.00:00:00"),
    "Microsoft: password changed": (ENDED, "changed or reset their password"),
    "Microsoft: session over": (ENDED, "AADSTS50078"),
    "Microsoft: sign-in frequency": (ENDED, "AADSTS70043"),
    "Microsoft: malformed": (ENDED, "malformed or invalid"),
    "Microsoft: consent missing": (CONSENT, "has not consented"),
    "Microsoft: an administrator's consent": (CONSENT, "Admin consent is required"),
    "another's scope": (CONSENT, "invalid_scope"),
    "Microsoft: second factor": (POLICY, "you must use multi-factor authentication"),
    "Microsoft: conditional access": (POLICY, "Conditional Access policies"),
    "Microsoft: security defaults": (POLICY, "blocked by security defaults"),
    "Microsoft: not assigned": (POLICY, "not assigned to a role"),
    "Google: administrator's policy": (POLICY, "blocked by your administrator"),
    "Google: session control": (POLICY, "invalid_rapt"),
    "Microsoft: user disabled": (DENIED, "The user account is disabled."),
    "denied": (DENIED, "access_denied"),
    "another content type": 3600,
    "a mark before it": 3600,
    "no token type": 3600,
    "another spelling of the type": 3600,
    "no life": None,
    "a life in quotes": 3600,
    "a life of nothing": None,
    "a negative life": None,
    "an endless life": 366 * 86400,
    "a life of words": None,
    "a life that is a list": None,
    "chunks": 3600,
    "up to the end": 3600,
}
RETRY_AFTER = {
    "429 with seconds": 17,
    "429 with a date": 120,
    "429 for a year": 3600,
    "503 with seconds": 30,
}


@pytest.fixture(scope="module")
def plain() -> Iterator[TokenService]:
    with TokenService() as running:
        yield running


@pytest.fixture(scope="module")
def encrypted() -> Iterator[TokenService]:
    with TokenService(secure=True) as running:
        yield running


@pytest.fixture
def service(plain: TokenService) -> TokenService:
    """The plain one without faults."""
    plain.misbehave(None)
    plain.rotate = False
    plain.scope = "openid email mail"
    plain.requests.clear()
    return plain


def soon() -> Deadline:
    return Deadline(5)


def redeem(service: TokenService, **query: Any) -> oauth.Tokens:
    """Come back from the service with a code, and with what is given besides."""
    verifier = oauth.new_verifier()
    given = {"code": service.code("anna@a.test", verifier, BACK), "state": STATE}
    given = {k: v for k, v in (given | query).items() if v is not None}
    return oauth.redeem(service.client(), BACK, given, STATE, verifier, soon())


def refusal(service: TokenService, **query: Any) -> MailError:
    with pytest.raises(MailError) as caught:
        redeem(service, **query)
    return caught.value


def words(error: MailError) -> str:
    return str(error.reply)


# The way there


def test_the_address_of_the_sign_in(service: TokenService) -> None:
    verifier = oauth.new_verifier()
    client = service.client(
        authorization_endpoint="https://login.test/o/auth?hd=a.test",
        parameters=(("access_type", "offline"), ("prompt", "consent")),
        scopes=("https://mail.google.com/", "openid"),
    )
    url = oauth.authorization_url(client, BACK, STATE, verifier, "anna@a.test")
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.path) == (
        "https",
        "login.test",
        "/o/auth",
    )
    digest = hashlib.sha256(verifier.encode()).digest()
    assert parse_qs(parts.query) == {
        "hd": ["a.test"],
        "response_type": ["code"],
        "client_id": [client.client_id],
        "redirect_uri": [BACK],
        "scope": ["https://mail.google.com/ openid"],
        "state": [STATE],
        "code_challenge": [base64.urlsafe_b64encode(digest).decode().rstrip("=")],
        "code_challenge_method": ["S256"],
        "access_type": ["offline"],
        "prompt": ["consent"],
        "login_hint": ["anna@a.test"],
    }
    assert verifier not in url
    assert client.client_secret not in url


def test_a_verifier_is_new_and_long_enough() -> None:
    some = {oauth.new_verifier() for _ in range(50)}
    assert len(some) == 50
    assert all(43 <= len(each) <= 128 for each in some)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"authorization_endpoint": "http://login.test/"}, "authorization_endpoint"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "authorization_endpoint"),
        ({"authorization_endpoint": "https://a.test/#x"}, "authorization_endpoint"),
        ({"authorization_endpoint": ""}, "authorization_endpoint"),
        ({"client_id": ""}, "client_id"),
        ({"parameters": {"redirect_uri": "https://evil.test/"}}, "parameters"),
        ({"parameters": (("code_challenge_method", "plain"),)}, "parameters"),
        ({"parameters": {"state": "known"}}, "parameters"),
    ],
)
def test_settings_that_lead_nowhere(
    service: TokenService, more: dict[str, Any], field: str
) -> None:
    with pytest.raises(MailError) as caught:
        oauth.authorization_url(service.client(**more), BACK, STATE, "v" * 43)
    assert caught.value.code is ErrorCode.SETTINGS_INVALID
    assert caught.value.field == field
    assert caught.value.transient


@pytest.mark.parametrize(
    ("url", "allow_private"),
    [
        ("http://localhost:{port}/token", False),
        ("http://a.test:{port}/token", True),
        ("http://192.168.0.1/token", True),
        ("http://localhost.a.test/token", True),
    ],
)
def test_secrets_are_not_sent_in_plain_text(
    service: TokenService, url: str, allow_private: bool
) -> None:
    client = service.client(
        token_endpoint=url.format(port=service.port), allow_private=allow_private
    )
    with pytest.raises(MailError) as caught:
        oauth.refresh(client, "rt", soon())
    assert caught.value.field == "token_endpoint"
    assert not service.requests


# The way back


@pytest.mark.parametrize("which", ["plain", "encrypted"])
def test_signing_in(which: str, request: pytest.FixtureRequest) -> None:
    service: TokenService = request.getfixturevalue(which)
    before = time.time()
    tokens = redeem(service)
    assert service.is_good(tokens.access_token)
    assert tokens.expires_at is not None
    assert before + 3600 <= tokens.expires_at <= time.time() + 3600
    assert tokens.scopes == ("openid", "email", "mail")
    assert tokens.hint == "anna@a.test"
    again = oauth.refresh(service.client(), tokens.refresh_token, soon())
    assert again.refresh_token == tokens.refresh_token
    assert service.is_good(again.access_token)


def test_what_is_sent_to_redeem_a_code(service: TokenService) -> None:
    redeem(service)
    form = dict(service.requests[-1].form)
    assert form.pop("code")
    assert len(form.pop("code_verifier")) >= 43
    assert form == {
        "grant_type": "authorization_code",
        "client_id": service.client_id,
        "client_secret": service.client_secret,
        "redirect_uri": BACK,
    }


@pytest.mark.parametrize("token_auth", ["client_secret_basic", "none"])
def test_other_ways_to_say_who_asks(service: TokenService, token_auth: str) -> None:
    client = service.client(token_auth=token_auth)
    _access, refresh = service.sign_in("anna@a.test")
    if token_auth == "none":
        with pytest.raises(MailError) as caught:
            oauth.refresh(client, refresh, soon())
        assert caught.value.code is CLIENT
    else:
        oauth.refresh(client, refresh, soon())
        oauth.check(client, BACK, soon())
        oauth.revoke(client, refresh, soon())
    for asked in service.requests:
        assert "client_secret" not in asked.form


def test_a_basic_secret_is_written_as_a_form_has_it(service: TokenService) -> None:
    client = service.client(
        client_id="a:b", client_secret="ü %&", token_auth="client_secret_basic"
    )
    with pytest.raises(MailError):
        oauth.refresh(client, "rt", soon())
    told = service.requests[-1].headers["authorization"].removeprefix("Basic ")
    assert base64.b64decode(told) == b"a%3Ab:%C3%BC+%25%26"


@pytest.mark.parametrize(
    "query",
    [
        {"state": "another"},
        {"state": ""},
        {"state": None},
        {"state": "Ähnlich"},
        {"state": STATE.upper()},
        {"state": [STATE, STATE]},
        {"code": ["one", "two"]},
        {"iss": "https://elsewhere.test"},
        {"iss": "nothing at all"},
        {"iss": ""},
        {"error": "access_denied", "state": "another"},
    ],
)
def test_what_belongs_to_another_sign_in(
    service: TokenService, query: dict[str, Any]
) -> None:
    error = refusal(service, **query)
    assert error.code is ErrorCode.OAUTH_STATE
    assert not service.requests


def test_a_sign_in_without_a_state_is_none(service: TokenService) -> None:
    with pytest.raises(MailError) as caught:
        query = {"code": "c", "state": ""}
        oauth.redeem(service.client(), BACK, query, "", "v" * 43, soon())
    assert caught.value.code is ErrorCode.OAUTH_STATE


def test_several_values_of_one_parameter(service: TokenService) -> None:
    class Several(dict[str, str]):
        """As werkzeug's MultiDict: whoever looks up a name gets the first."""

        def lists(self) -> list[tuple[str, list[str]]]:
            return [("state", [STATE]), ("code", ["one", "two"])]

    query = Several(state=STATE, code="one")
    with pytest.raises(MailError) as caught:
        oauth.redeem(service.client(), BACK, query, STATE, "v" * 43, soon())
    assert caught.value.code is ErrorCode.OAUTH_STATE
    assert redeem(service, more=["once"]).access_token


def test_who_answers_may_say_so(service: TokenService) -> None:
    assert redeem(service, iss=service.url).access_token
    assert redeem(service, iss=f"{service.url}/tenant/v2.0").access_token
    verifier = oauth.new_verifier()
    code = service.code("anna@a.test", verifier, BACK)
    client = service.client(issuer="https://issuer.test")
    for issuer, good in (
        ("https://issuer.test/", False),
        ("https://issuer.test", True),
    ):
        query = {"code": code, "state": STATE, "iss": issuer}
        if good:
            assert oauth.redeem(client, BACK, query, STATE, verifier, soon())
            continue
        with pytest.raises(MailError) as caught:
            oauth.redeem(client, BACK, query, STATE, verifier, soon())
        assert caught.value.code is ErrorCode.OAUTH_STATE


@pytest.mark.parametrize(
    ("query", "code", "said"),
    [
        ({"error": "access_denied"}, DENIED, "access_denied"),
        (
            {"error": "access_denied", "error_subtype": "cancel"},
            DENIED,
            "access_denied: cancel",
        ),
        (
            {
                "error": "access_denied",
                "error_description": "AADSTS65004: User declined to consent.",
            },
            DENIED,
            "User declined",
        ),
        (
            {
                "error": "access_denied",
                "error_description": "User is not assigned to the client application.",
            },
            POLICY,
            "not assigned",
        ),
        ({"error": "consent_required"}, CONSENT, "consent_required"),
        ({"error": "interaction_required"}, POLICY, "interaction_required"),
        ({"error": "login_required"}, ENDED, "login_required"),
        ({"error": "server_error"}, BUSY, "server_error"),
        ({"error": "temporarily_unavailable"}, BUSY, "temporarily_unavailable"),
        ({"error": "unauthorized_client"}, CLIENT, "unauthorized_client"),
        ({"error": "admin_policy_enforced"}, POLICY, "admin_policy_enforced"),
        ({"error": "org_internal"}, TENANT, "org_internal"),
        ({"error": "something new"}, FAILED, "something new"),
        ({"error": ""}, FAILED, ""),
        (
            {
                "error": "invalid_request",
                "error_description": "The redirect_uri is not registered",
            },
            REDIRECT,
            "not registered",
        ),
        ({}, FAILED, "neither a code nor an error"),
        ({"code": ""}, FAILED, "neither a code nor an error"),
        ({"code": "c" * 9000}, FAILED, "neither a code nor an error"),
    ],
)
def test_no_code(
    service: TokenService, query: dict[str, str], code: ErrorCode, said: str
) -> None:
    error = refusal(service, **({"code": None} | query))
    assert error.code is code
    assert said in words(error)
    assert not service.requests  # least of all for tokens without a code


def test_a_code_beside_an_error_is_not_used(service: TokenService) -> None:
    assert refusal(service, error="access_denied").code is DENIED
    assert not service.requests


def test_a_code_of_another_sign_in(service: TokenService) -> None:
    code = service.code("mallory@a.test", oauth.new_verifier(), BACK)
    assert refusal(service, code=code).code is ENDED


# What was granted


@pytest.mark.parametrize(
    ("asked", "granted", "missing"),
    [
        ("openid email mail", "openid mail", ""),
        ("openid mail offline_access", "mail", ""),
        ("mail", None, ""),
        ("mail", "", ""),
        ("https://mail.google.com/ openid", "openid", "https://mail.google.com/"),
        ("https://mail.google.com/", "https://mail.google.com", ""),
        (
            "https://outlook.office.com/SMTP.Send"
            " https://outlook.office.com/IMAP.AccessAsUser.All",
            "https://outlook.office365.com/smtp.send IMAP.AccessAsUser.All profile",
            "",
        ),
        (
            "https://outlook.office.com/SMTP.Send"
            " https://outlook.office.com/IMAP.AccessAsUser.All",
            "https://outlook.office.com/IMAP.AccessAsUser.All",
            "https://outlook.office.com/SMTP.Send",
        ),
        ("mail", ["mail"], ""),
        ("mail", 17, ""),
        ("mail", ["openid", 17], "mail"),
    ],
)
def test_permissions_that_are_missing(
    service: TokenService, asked: str, granted: object, missing: str
) -> None:
    service.misbehave(changed(scope=granted))
    service.scope = asked
    if not missing:
        assert redeem(service).access_token
        return
    error = refusal(service)
    assert error.code is CONSENT
    assert words(error).endswith(f"not granted: {missing}")


@pytest.mark.parametrize(
    ("claims", "hint"),
    [
        ({"email": "Anna@A.test"}, "Anna@a.test"),
        ({"preferred_username": "anna@a.test", "upn": "x@a.test"}, "anna@a.test"),
        ({"email": "no address", "upn": "anna@a.test"}, "anna@a.test"),
        ({"email": ["anna@a.test"]}, ""),
        ({"email": "a@a.test, b@b.test"}, ""),
        ({"email": "Anna <anna@a.test>"}, ""),
        ({"email": "anna@a.test\r\nBcc: b@b.test"}, ""),
        ({"email": "a" * 300 + "@a.test"}, ""),
        ({"email": True}, ""),
        ({"email": "anna@a.test", "email_verified": True}, "anna@a.test"),
        ({"email": "anna@a.test", "email_verified": "true"}, "anna@a.test"),
        ({"email": "boss@a.test", "email_verified": False}, ""),
        ({"email": "boss@a.test", "email_verified": "false", "upn": "boss@a.test"}, ""),
        ({}, ""),
    ],
)
def test_the_address_of_the_id_token(
    service: TokenService, claims: dict[str, object], hint: str
) -> None:
    service.misbehave(changed(id_token=id_token(claims)))
    assert redeem(service).hint == hint


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "a.b.c",
        "..",
        "a.!!!.c",
        17,
        None,
        ["a.b.c"],
        "a." + base64.urlsafe_b64encode(b'["email"]').decode() + ".c",
        "a." + base64.urlsafe_b64encode(b"[" * 20_000).decode() + ".c",
        "a." + "x" * 100_000 + ".c",
        "a.\u00e9.c",
        base64.urlsafe_b64encode(b'{"email": "a@a.test"}').decode(),
    ],
)
def test_an_id_token_that_is_none(service: TokenService, broken: object) -> None:
    service.misbehave(changed(id_token=broken))
    assert redeem(service).hint == ""


# Renewing


@pytest.mark.parametrize("fault", list(FAULTS))
def test_what_comes_of_a_refresh(
    fault: str, plain: TokenService, encrypted: TokenService
) -> None:
    service = encrypted if FAULTS[fault].handshake else plain
    service.rotate = False
    service.scope = "openid email mail"
    _access, refresh = service.sign_in("anna@a.test")
    service.misbehave(fault, times=1)
    outcome = OUTCOMES[fault]
    waiting = isinstance(outcome, tuple) and "timeout" in outcome[1]
    deadline = Deadline(0.2 if waiting and outcome != OUTCOMES["504"] else 5)
    before = time.time()
    if not isinstance(outcome, tuple):
        tokens = oauth.refresh(service.client(), refresh, deadline)
        assert tokens.refresh_token == refresh
        if outcome is None:
            assert tokens.expires_at is None
        else:
            assert tokens.expires_at is not None
            assert 0 <= tokens.expires_at - before - outcome < 5
        return
    with pytest.raises(MailError) as caught:
        oauth.refresh(service.client(), refresh, deadline)
    error = caught.value
    assert error.code is outcome[0]
    assert error.transient is (error.code in WAITS)
    assert outcome[1] in words(error)
    assert error.retry_after == pytest.approx(RETRY_AFTER.get(fault), abs=2)
    for secret in (refresh, service.client_secret):
        assert secret not in f"{error} {error!r} {error.__cause__} {error.__context__}"


def test_every_fault_has_an_outcome() -> None:
    assert OUTCOMES.keys() == FAULTS.keys()
    assert len(FAULTS) > 40


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_secrets_go_nowhere_else(service: TokenService, status: int) -> None:
    """requests and Authlib send them along with 307 and 308."""
    with TokenService() as other:
        service.misbehave(token_faults.elsewhere(status, f"{other.url}/token"))
        for call in (
            lambda: oauth.refresh(service.client(), "rt", soon()),
            lambda: oauth.revoke(service.client(), "rt", soon()),
            lambda: oauth.check(service.client(), BACK, soon()),
            lambda: redeem(service),
        ):
            with pytest.raises(MailError) as caught:
                call()
            assert caught.value.code is FAILED
            assert words(caught.value) == f"HTTP {status}: a redirect is not followed"
        assert not other.connections


@pytest.mark.parametrize(
    ("certificate", "said"),
    [
        ("untrusted", "cert_untrusted"),
        ("expired", "cert_expired"),
        ("wrong_name", "cert_name_mismatch"),
    ],
)
def test_a_service_that_cannot_be_trusted(certificate: str, said: str) -> None:
    with TokenService(secure=True, certificate=certificate) as service:
        with pytest.raises(MailError) as caught:
            oauth.refresh(service.client(), "rt", soon())
        assert caught.value.code is FAILED
        assert words(caught.value).startswith(f"localhost: {said}")
        assert not service.requests


def test_a_service_that_is_not_there(service: TokenService) -> None:
    for url, said in (
        ("https://nowhere.invalid/token", "nowhere.invalid: host_not_found"),
        ("https://localhost:1/token", "localhost: port_refused"),
    ):
        with pytest.raises(MailError) as caught:
            oauth.refresh(service.client(token_endpoint=url), "rt", soon())
        assert (caught.value.code, words(caught.value)) == (FAILED, said)
        assert caught.value.transient


def test_rotation_and_reuse(service: TokenService) -> None:
    service.rotate = True
    client = service.client()
    _access, first = service.sign_in("anna@a.test")
    second = oauth.refresh(client, first, soon())
    assert second.refresh_token not in ("", first)
    third = oauth.refresh(client, second.refresh_token, soon())
    with pytest.raises(MailError) as caught:
        oauth.refresh(client, first, soon())
    assert caught.value.code is ENDED
    with pytest.raises(MailError):
        oauth.refresh(client, third.refresh_token, soon())
    assert not service.is_good(third.access_token)


def test_no_refresh_token_at_all(service: TokenService) -> None:
    for nothing in (None, ""):
        service.misbehave(changed(refresh_token=nothing))
        assert redeem(service).refresh_token == ""
        _access, refresh = service.sign_in("anna@a.test")
        again = oauth.refresh(service.client(), refresh, soon())
        assert again.refresh_token == refresh


def test_the_services_clock_does_not_matter() -> None:
    for skew in (-86400, 86400 * 400):
        with TokenService(skew=skew) as service:
            service.misbehave(changed(expires_at=1, not_before=10**10))
            _access, refresh = service.sign_in("anna@a.test")
            tokens = oauth.refresh(service.client(), refresh, soon())
            assert tokens.expires_at == pytest.approx(time.time() + 3600, abs=5)
            # Nor for how long to wait: its own clock tells the date.
            later = token_faults.later_by(service.skew, 60)
            service.misbehave(Fault(429, headers=(("Retry-After", later),)))
            with pytest.raises(MailError) as caught:
                oauth.refresh(service.client(), refresh, soon())
            assert caught.value.retry_after == pytest.approx(60, abs=2)


def test_several_at_once(service: TokenService) -> None:
    done: list[str] = []
    logins = [service.sign_in(f"{number}@a.test") for number in range(20)]

    def one(refresh: str) -> None:
        done.append(oauth.refresh(service.client(), refresh, soon()).access_token)

    threads = [threading.Thread(target=one, args=(rt,)) for _at, rt in logins]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(done)) == 20


# Microsoft's numbers, wherever they stand

NUMBERS = {
    CLIENT: [7000215, 7000218, 700016, 70001, 7000112],
    EXPIRED: [7000222],
    TENANT: [90002, 50020, 50034, 50059, 50194, 900023, 9002332, 50128],
    REDIRECT: [50011, 500112, 500113, 500117],
    CONSENT: [65001, 90094, 90093, 90095, 650052, 70011, 500011],
    POLICY: [50076, 50079, 50072, 50158, 50074, 53000, 53001, 53002, 53003, 53004]
    + [530002, 530003, 530032, 530034, 50105, 50097, 50131, 500121],
    DENIED: [65004, 50057],
    ENDED: [50173, 70008, 700082, 700084, 70043, 50078, 50133, 50055, 70000, 9002313]
    + [50132, 54005],
    BUSY: [90033, 90024, 90055, 90006, 50196, 500999],
}


@pytest.mark.parametrize(
    ("number", "code"), [(n, code) for code, some in NUMBERS.items() for n in some]
)
@pytest.mark.parametrize("name", ["invalid_grant", "invalid_client", "invalid_request"])
def test_microsofts_numbers(
    service: TokenService, number: int, code: ErrorCode, name: str
) -> None:
    if number in (70000, 9002313) and name == "invalid_client":
        code = CLIENT  # these say less than the name does
    fault = microsoft(number, name, "Words.")
    told = json.loads(fault.body)
    told.pop("error_codes")
    only_codes = json.dumps({"error": name, "error_codes": [number]}).encode()
    for body in (fault.body, json.dumps(told).encode(), only_codes):
        service.misbehave(Fault(400, body), times=1)
        with pytest.raises(MailError) as caught:
            oauth.refresh(service.client(), "rt", soon())
        assert caught.value.code is code


@pytest.mark.parametrize(
    "codes", ["50076", 50076, None, ["x"], [[50076]], [True], [10**30], {"a": 1}]
)
def test_codes_of_other_types(service: TokenService, codes: object) -> None:
    service.misbehave(refused(400, error="invalid_grant", error_codes=codes))
    with pytest.raises(MailError) as caught:
        oauth.refresh(service.client(), "rt", soon())
    assert caught.value.code is ENDED


# The end, and the check


def test_revoking(service: TokenService) -> None:
    access, refresh = service.sign_in("anna@a.test")
    oauth.revoke(service.client(), refresh, soon())
    assert not service.is_good(access)
    asked = service.requests[-1]
    assert asked.path == "/revoke"
    assert asked.form["token"] == refresh
    assert asked.form["token_type_hint"] == "refresh_token"
    assert asked.form["client_secret"] == service.client_secret


def test_revoking_what_is_gone_or_cannot_be(service: TokenService) -> None:
    client = service.client()
    oauth.revoke(service.client(revocation_endpoint=""), "rt", soon())
    oauth.revoke(client, "", soon())
    assert not service.requests
    service.misbehave(
        refused(
            400, error="invalid_token", error_description="Token expired or revoked"
        )
    )
    oauth.revoke(client, "rt", soon())
    for fault, code in (("503 with seconds", BUSY), ("unknown client", CLIENT)):
        service.misbehave(fault)
        with pytest.raises(MailError) as caught:
            oauth.revoke(client, "rt", soon())
        assert caught.value.code is code


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (None, None),
        ("invalid_grant", None),
        ("Microsoft: malformed", None),
        ("Google: wrong secret", CLIENT),
        ("Microsoft: wrong secret", CLIENT),
        ("Microsoft: expired secret", EXPIRED),
        ("Microsoft: unknown application", CLIENT),
        ("Microsoft: no tenant", TENANT),
        ("Microsoft: redirect", REDIRECT),
        ("another's redirect", REDIRECT),
        ("a page with 200", FAILED),
        ("no access token", None),
        ("429", BUSY),
    ],
)
def test_checking_an_application(
    service: TokenService, fault: str | None, code: ErrorCode | None
) -> None:
    if fault == "no access token":
        fault = "invalid_grant"
    service.misbehave(fault)
    if code is None:
        oauth.check(service.client(), BACK, soon())
        return
    with pytest.raises(MailError) as caught:
        oauth.check(service.client(), BACK, soon())
    assert caught.value.code is code


def test_microsoft_is_asked_in_another_way(service: TokenService) -> None:
    """It looks at the form of a code before it looks at the secret."""
    outlook = "https://outlook.office.com/"
    client = service.client(scopes=("offline_access", f"{outlook}SMTP.Send"))
    for second, code in (
        ("Microsoft: wrong secret", CLIENT),
        ("Microsoft: expired secret", EXPIRED),
        ("Microsoft: not for several tenants", None),
        ("Microsoft: consent missing", None),
        ("429", None),
        (None, None),
    ):
        service.misbehave("Microsoft: malformed", times=1)
        service.misbehave_then(second)
        if code is None:
            oauth.check(client, BACK, soon())
        else:
            with pytest.raises(MailError) as caught:
                oauth.check(client, BACK, soon())
            assert caught.value.code is code
        form = dict(service.requests[-1].form)
        assert form == {
            "grant_type": "client_credentials",
            "client_id": service.client_id,
            "client_secret": service.client_secret,
            "scope": f"{outlook}.default",
        }
        service.misbehave(None)


def test_a_wrong_secret_is_found_by_the_check(service: TokenService) -> None:
    with pytest.raises(MailError) as caught:
        oauth.check(service.client(client_secret="wrong"), BACK, soon())
    assert caught.value.code is CLIENT


# Nothing leaks


def test_secrets_in_a_services_words_are_hidden(service: TokenService) -> None:
    verifier = oauth.new_verifier()
    code = "code/of+this=sign-in"
    told = (
        f"{code} {verifier} {service.client_secret} {STATE} "
        f"{base64.b64encode(service.client_secret.encode()).decode()} at-1 "
        "eyJhbGciOiJub25lIn0.eyJlbWFpbCI6ImFubmFAYS50ZXN0In0.c2lnbmF0dXJl"
    )
    service.misbehave(
        refused(400, error="invalid_grant", error_description=told, access_token="at-1")
    )
    with pytest.raises(MailError) as caught:
        query = {"code": code, "state": STATE}
        oauth.redeem(service.client(), BACK, query, STATE, verifier, soon())
    shown = words(caught.value)
    assert shown == "invalid_grant: *** *** *** *** *** *** ***"


def test_what_a_browser_brings_back_is_no_oracle(service: TokenService) -> None:
    """Whoever sits there writes it, and sees what is hidden of it: of the secret, which
    they do not have, it must not tell whether a piece was guessed."""
    for guess in (service.client_secret, service.client_secret[:12]):
        error = refusal(service, code=None, error="odd", error_description=guess)
        assert words(error) == f"odd: {guess}"
    error = refusal(service, code="c0de-of-this", error=f"odd {STATE} c0de-of-this")
    assert words(error) == "odd *** ***"


def test_a_services_words_are_one_short_line(service: TokenService) -> None:
    service.misbehave(
        refused(
            400,
            error="odd\r\n\x1b[31m\u202eerror",
            error_description="many words " * 1000,
        )
    )
    with pytest.raises(MailError) as caught:
        oauth.refresh(service.client(), "rt", soon())
    shown = words(caught.value)
    assert shown.startswith("odd [31m error: many words")
    assert len(shown) <= 500
    assert shown.isprintable()


def test_nothing_is_shown_of_objects(service: TokenService) -> None:
    client, tokens = service.client(), redeem(service)
    shown = f"{client!r} {tokens!r}"
    for secret in (client.client_secret, tokens.access_token, tokens.refresh_token):
        assert secret not in shown


def test_nothing_is_logged(
    service: TokenService, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even where somebody listens to the library itself, at any level."""
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    assert oauth.is_available()
    names = [
        "oauthlib",
        *(n for n in logging.root.manager.loggerDict if "oauthlib" in n),
    ]
    with caplog.at_level(logging.DEBUG):
        for name in names:
            logging.getLogger(name).setLevel(logging.DEBUG)
            logging.getLogger(name).addHandler(handler)
        try:
            tokens = redeem(service)
            oauth.refresh(service.client(), tokens.refresh_token, soon())
            for name in names:
                logging.getLogger(name).debug("token=%s", tokens.access_token)
                logging.getLogger(name).error("token=%s", tokens.access_token)
        finally:
            for name in names:
                logging.getLogger(name).removeHandler(handler)
    assert len(names) > 2
    for secret in (tokens.access_token, tokens.refresh_token, service.client_secret):
        assert secret not in heard.getvalue() + caplog.text


def test_without_the_package(
    service: TokenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "oauthlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "oauthlib", None)
    assert not oauth.is_available()
    client = service.client()
    for call in (
        lambda: oauth.authorization_url(client, BACK, STATE, "v" * 43),
        lambda: oauth.refresh(client, "rt", soon()),
        lambda: oauth.revoke(client, "rt", soon()),
        lambda: oauth.check(client, BACK, soon()),
        lambda: redeem(service),
    ):
        with pytest.raises(MailError) as caught:
            call()
        assert caught.value.code is ErrorCode.OAUTH_LIBRARY
        assert caught.value.transient
    assert not service.requests


def test_a_form_is_written_as_one(service: TokenService) -> None:
    """Whatever characters a secret has."""
    secret = "a&b=c+d %\u00fc\r\n"
    client = service.client(client_secret=secret)
    with pytest.raises(MailError):
        oauth.refresh(client, "r&t=1", soon())
    form = service.requests[-1].form
    assert form["client_secret"] == secret
    assert form["refresh_token"] == "r&t=1"
