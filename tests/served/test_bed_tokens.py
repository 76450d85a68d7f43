"""The test bed is real with access tokens, too: who gets in, and who does not."""

import base64
import imaplib
import json
import poplib
import smtplib
import ssl
import time
import urllib.error
from collections.abc import Callable, Iterator
from typing import Any

import oauth_steps
import pytest

from devtools.testbed.authorization import AuthorizationServer, sign_in
from devtools.testbed.bed import TestBed

ANNA = "anna@brand-a.test"
SUPPORT = "support@brand-a.test"
BOHDAN = "bohdan@brand-b.test"
SALES = "sales@brand-a.test"
CLIENT = "client@customer.test"


@pytest.fixture(autouse=True)
def service(
    oauth_bed: TestBed, sign_in_service: AuthorizationServer
) -> Iterator[AuthorizationServer]:
    oauth_bed.clear()
    yield sign_in_service
    sign_in_service.set(
        access_seconds=3600, access_length=43, rotate=True, claims={}, fault=None
    )


@pytest.fixture
def trust(bed: TestBed) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=bed.ca_pem)


def message(user: str, token: str, mechanism: str, port: int) -> bytes:
    if mechanism == "XOAUTH2":
        return f"user={user}\1auth=Bearer {token}\1\1".encode()
    host = f"host=localhost\1port={port}"
    return f"n,a={user},\1{host}\1auth=Bearer {token}\1\1".encode()


def smtp(
    bed: TestBed, trust: ssl.SSLContext, user: str, token: str, mechanism: str
) -> smtplib.SMTP:
    session = smtplib.SMTP_SSL(bed.host, bed.smtp_ssl, timeout=10, context=trust)
    session.ehlo()
    assert {"XOAUTH2", "OAUTHBEARER", "PLAIN"} <= set(
        session.esmtp_features["auth"].split()
    )
    said = message(user, token, mechanism, bed.smtp_ssl).decode()
    # After the challenge, which tells the error, an empty answer brings the refusal.
    session.auth(
        mechanism,
        lambda challenge=None: "" if challenge else said,
        initial_response_ok=False,
    )
    return session


def by_smtp(
    bed: TestBed, trust: ssl.SSLContext, user: str, token: str, mechanism: str
) -> None:
    smtp(bed, trust, user, token, mechanism).quit()


def by_imap(
    bed: TestBed, trust: ssl.SSLContext, user: str, token: str, mechanism: str
) -> None:
    said = message(user, token, mechanism, bed.imap_ssl)
    session = imaplib.IMAP4_SSL(bed.host, bed.imap_ssl, ssl_context=trust, timeout=10)
    session.authenticate(mechanism, lambda challenge: b"" if challenge else said)
    assert session.select("INBOX", readonly=True)[0] == "OK"
    session.logout()


def by_pop3(
    bed: TestBed, trust: ssl.SSLContext, user: str, token: str, mechanism: str
) -> None:
    said = base64.b64encode(message(user, token, mechanism, bed.pop3_ssl)).decode()
    session = poplib.POP3_SSL(bed.host, bed.pop3_ssl, context=trust, timeout=10)
    answer = session._shortcmd(f"AUTH {mechanism} {said}")
    if answer.startswith(b"+ "):
        session._shortcmd("" if mechanism == "XOAUTH2" else "AQ==")
    session.stat()
    session.quit()


SignIn = Callable[[TestBed, ssl.SSLContext, str, str, str], None]
WAYS: tuple[SignIn, ...] = (by_smtp, by_imap, by_pop3)
REFUSALS = (
    smtplib.SMTPAuthenticationError,
    imaplib.IMAP4.error,
    poplib.error_proto,
)
each_way = pytest.mark.parametrize("way", WAYS)
each_mechanism = pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])


def refused(way: SignIn, *arguments: Any) -> str:
    with pytest.raises(REFUSALS) as caught:
        way(*arguments)
    return str(caught.value)


@each_mechanism
@each_way
def test_token_opens_its_own_mailbox_and_no_other(
    bed: TestBed,
    trust: ssl.SSLContext,
    service: AuthorizationServer,
    way: SignIn,
    mechanism: str,
) -> None:
    token = oauth_steps.tokens(service, ANNA)["access_token"]
    way(bed, trust, ANNA, token, mechanism)
    for other in (SUPPORT, BOHDAN):
        assert "UNAVAIL" not in refused(way, bed, trust, other, token, mechanism)
    refused(way, bed, trust, ANNA, token[:-1], mechanism)


def test_expired_or_revoked_token_is_refused_and_a_fresh_one_taken(
    bed: TestBed, trust: ssl.SSLContext, service: AuthorizationServer
) -> None:
    service.set(access_seconds=1)
    given = oauth_steps.tokens(service, ANNA)
    end = time.monotonic() + 10
    while time.monotonic() < end:  # it lasts to the end of a second
        try:
            by_imap(bed, trust, ANNA, given["access_token"], "XOAUTH2")
        except REFUSALS:
            break
        time.sleep(0.1)
    for way in WAYS:
        refused(way, bed, trust, ANNA, given["access_token"], "XOAUTH2")
    service.set(access_seconds=3600)
    fresh = oauth_steps.ask(
        service, grant_type="refresh_token", refresh_token=given["refresh_token"]
    )
    for way in WAYS:
        way(bed, trust, ANNA, fresh["access_token"], "XOAUTH2")
    service.revoke(ANNA)
    for way in WAYS:
        refused(way, bed, trust, ANNA, fresh["access_token"], "XOAUTH2")
    with pytest.raises(urllib.error.HTTPError) as caught:
        oauth_steps.ask(
            service, grant_type="refresh_token", refresh_token=fresh["refresh_token"]
        )
    assert json.load(caught.value)["error"] == "invalid_grant"


def test_shared_mailbox_opens_for_whom_it_is_shared_with(
    bed: TestBed, trust: ssl.SSLContext, service: AuthorizationServer
) -> None:
    annas = oauth_steps.tokens(service, ANNA)["access_token"]
    bed.share(SUPPORT, ANNA)
    try:
        for way in WAYS:
            way(bed, trust, SUPPORT, annas, "XOAUTH2")
            refused(way, bed, trust, BOHDAN, annas, "XOAUTH2")
    finally:
        bed.share(SUPPORT, ANNA, shared=False)
    for way in WAYS:
        refused(way, bed, trust, SUPPORT, annas, "XOAUTH2")


def test_signed_in_person_sends_as_themselves_and_their_aliases_only(
    bed: TestBed, trust: ssl.SSLContext, service: AuthorizationServer
) -> None:
    token = oauth_steps.tokens(service, ANNA)["access_token"]
    letter = "From: {0}\r\nTo: {1}\r\nSubject: From {0}\r\n\r\nHello\r\n"
    bed.add_alias(SALES, ANNA)
    try:
        with smtp(bed, trust, ANNA, token, "XOAUTH2") as session:
            for sender in (ANNA, SALES):
                session.sendmail(sender, CLIENT, letter.format(sender, CLIENT))
            with pytest.raises(smtplib.SMTPRecipientsRefused, match="553"):
                session.sendmail(SUPPORT, CLIENT, letter.format(SUPPORT, CLIENT))
    finally:
        bed.remove_alias(SALES)
    came = {mail.envelope_from for mail in bed.wait_for(CLIENT, 2)}
    assert came == {ANNA, SALES}


@each_way
def test_long_token_is_taken(
    bed: TestBed, trust: ssl.SSLContext, service: AuthorizationServer, way: SignIn
) -> None:
    service.set(access_length=3000)
    token = oauth_steps.tokens(service, ANNA)["access_token"]
    assert len(token) == 3000
    way(bed, trust, ANNA, token, "XOAUTH2")


@each_way
def test_mail_server_that_cannot_ask_refuses_for_now(
    bed: TestBed, trust: ssl.SSLContext, service: AuthorizationServer, way: SignIn
) -> None:
    token = oauth_steps.tokens(service, ANNA)["access_token"]
    service.fail(503, path="/token/introspection", times=100)
    assert "401" not in refused(way, bed, trust, ANNA, token, "XOAUTH2")
    service.set(fault=None)
    way(bed, trust, ANNA, token, "XOAUTH2")


def test_passwords_work_beside_tokens(bed: TestBed, trust: ssl.SSLContext) -> None:
    session = imaplib.IMAP4_SSL(bed.host, bed.imap_ssl, ssl_context=trust, timeout=10)
    session.login(ANNA, bed.password(ANNA))
    session.logout()
    with smtplib.SMTP_SSL(bed.host, bed.smtp_ssl, timeout=10, context=trust) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(ANNA, "wrong")
        client.login(ANNA, bed.password(ANNA))


def test_person_who_presses_cancel_gives_no_code(service: AuthorizationServer) -> None:
    service.allow_redirect(oauth_steps.NOWHERE)
    address = oauth_steps.authorization_address(service, "v" * 43)
    told = oauth_steps.query(sign_in(service, address, ANNA, agrees=False))
    assert told["error"] == "access_denied" and "code" not in told
    assert (told["state"], told["iss"]) == ("a state", service.issuer)


def test_code_is_worth_nothing_without_its_verifier(
    service: AuthorizationServer,
) -> None:
    service.allow_redirect(oauth_steps.NOWHERE)
    address = oauth_steps.authorization_address(service, "v" * 43)
    code = oauth_steps.query(sign_in(service, address, ANNA))["code"]
    with pytest.raises(urllib.error.HTTPError) as caught:
        oauth_steps.ask(
            service,
            grant_type="authorization_code",
            code=code,
            redirect_uri=oauth_steps.NOWHERE,
            code_verifier="w" * 43,
        )
    assert json.load(caught.value)["error"] == "invalid_grant"


def test_two_services_do_not_know_each_others_people(
    service: AuthorizationServer, new_service: Callable[..., AuthorizationServer]
) -> None:
    """Both over https and over plain http: what mix-up tests need."""
    other = new_service("authorization-2", secure=False)
    assert other.issuer.startswith("http://") and other.issuer != service.issuer
    given = oauth_steps.tokens(other, ANNA)
    with pytest.raises(urllib.error.HTTPError):
        oauth_steps.ask(
            service, grant_type="refresh_token", refresh_token=given["refresh_token"]
        )
    assert other.answered() == [("authorization_code", "ok")]
