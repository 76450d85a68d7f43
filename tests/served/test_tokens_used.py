"""Sending and reading with access tokens, on days when tokens do not last."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import token_steps

from devtools.served import ServedOdoo
from devtools.testbed.faults import Delay, FaultServer, InTurn, Reply
from devtools.testbed.token_service import TokenService

SMTP = ["AUTH XOAUTH2"]
IMAP = ["IMAP4rev1", "AUTH=XOAUTH2", "SASL-IR"]


class GoodAt:
    """What a mail server compares a token with: whether the service has it as good."""

    def __init__(self, service: TokenService) -> None:
        self.service = service

    def __eq__(self, token: object) -> bool:
        return isinstance(token, str) and self.service.is_good(token)

    def __hash__(self) -> int:
        return id(self)


@pytest.fixture
def smtp(strict: TokenService) -> Iterator[FaultServer]:
    """Takes what the service says is good."""
    server = FaultServer("smtp", "ssl", features=SMTP, token=GoodAt(strict))
    with server:
        yield server


@pytest.fixture
def imap(strict: TokenService) -> Iterator[FaultServer]:
    """Takes what the service says is good."""
    server = FaultServer("imap", "ssl", features=IMAP, token=GoodAt(strict))
    with server:
        yield server


@pytest.fixture
def sending(
    alone: ServedOdoo, strict: TokenService, smtp: FaultServer
) -> Callable[..., int]:
    """Return ``sending(login)``: an account that sends through ``smtp``."""

    def make(login: str, **more: Any) -> int:
        made = token_steps.make(
            alone,
            [(strict, [login])],
            smtp_port=smtp.port,
            ca_pem=smtp.ca_pem,
            **more,
        )
        return made[0]

    return make


def test_renewed_in_the_middle_of_a_batch(
    alone: ServedOdoo,
    strict: TokenService,
    smtp: FaultServer,
    sending: Callable[..., int],
) -> None:
    """Each mail takes a part of what a token lives."""
    strict.life = 8
    account = sending("batch@sandbox.test")
    token_steps.post(alone, [account], 8)
    smtp.misbehave({"body": Delay(2)})
    told = token_steps.run(alone, [account], "_cron_deliver")[account]
    assert told["state"] == "working" and not told["code"] and not told["waiting"]
    assert len(smtp.messages) == 8
    assert strict.refreshes >= 2
    used = [token for _login, token in smtp.tokens]
    assert len(set(used)) == len(used) == strict.refreshes, "each session has its own"


def test_a_server_that_ends_the_session_with_its_token(
    alone: ServedOdoo,
    strict: TokenService,
    smtp: FaultServer,
    sending: Callable[..., int],
) -> None:
    account = sending("ends@sandbox.test")
    token_steps.post(alone, [account], 3)
    ended = Reply("530 5.7.0 Authentication required")
    smtp.misbehave({"mail": InTurn(None, ended)})
    told = token_steps.run(alone, [account], "_cron_deliver")[account]
    assert told["state"] == "working" and not told["code"] and not told["waiting"]
    assert len(smtp.messages) == 3
    assert len(smtp.tokens) == 2 and strict.refreshes == 2


# As far as Odoo knows.
_STILL_GOOD = """
env.cr.execute("UPDATE mail_external_secret SET token_ends = now() + '1 day'::interval,"
               " renew_at = now() + '1 day'::interval WHERE account_id = ID")
env.cr.commit()
"""


def test_a_token_that_should_be_good_is_renewed_once(
    alone: ServedOdoo,
    strict: TokenService,
    smtp: FaultServer,
    sending: Callable[..., int],
) -> None:
    """The service has forgotten it, or the clocks differ."""
    account = sending("forgotten@sandbox.test")
    alone.shell(_STILL_GOOD.replace("ID", str(account)))
    strict._access.clear()
    token_steps.post(alone, [account])
    told = token_steps.run(alone, [account], "_cron_deliver")[account]
    assert told["state"] == "working" and not told["waiting"]
    assert strict.refreshes == 1
    assert len(smtp.tokens) == 2


def test_a_token_for_something_else_stops_the_account(
    alone: ServedOdoo,
    strict: TokenService,
    smtp: FaultServer,
    imap: FaultServer,
    sending: Callable[..., int],
) -> None:
    """The service gives it, and no mail server takes it; told once, asked once."""
    smtp.token = imap.token = "another audience's"
    reading = {
        "incoming_protocol": "imap",
        "incoming_host": "localhost",
        "incoming_port": imap.port,
        "incoming_security": "ssl",
        "ca_certificate": smtp.ca_pem + imap.ca_pem,
    }
    for runs in (("_cron_deliver", "_cron_fetch"), ("_cron_fetch", "_cron_deliver")):
        login = f"{runs[0]}@sandbox.test"
        before = strict.refreshes
        account = sending(login, incoming_login=login, **reading)
        token_steps.post(alone, [account])
        told = token_steps.run(alone, [account], *runs)[account]
        assert (told["state"], told["code"]) == ("refused", "token_refused")
        assert len(told["told"]) == 1 and "/sign_in/" in told["told"][0]
        assert told["status"] == "Stopped, until somebody signs in again."
        # once because it had ended, once because it was refused
        assert strict.refreshes - before == 2


def test_a_service_that_hangs_delays_no_other_mailbox(
    alone: ServedOdoo, strict: TokenService, imap: FaultServer
) -> None:
    logins = [f"good{number}@sandbox.test" for number in range(4)]
    with TokenService() as hanging:
        hanging.misbehave("hung")
        made = token_steps.make(
            alone,
            [(hanging, ["hangs@sandbox.test"]), (strict, logins)],
            ca_pem=imap.ca_pem,
            incoming_protocol="imap",
            incoming_host="localhost",
            incoming_port=imap.port,
            incoming_security="ssl",
            incoming_login="mailbox",
        )
        found = token_steps.run(alone, made, "_cron_fetch")
        waits, *good = (found[account] for account in made)
        assert all(told["looked"] and not told["reading"] for told in good), good
        assert waits["reading"] == "oauth_failed" and waits["state"] == "working"
        # what was read was read long before the one that hangs was given up
        assert max(told["looked"] for told in good) < waits["ended"] - 10
    assert strict.refreshes == len(logins)
