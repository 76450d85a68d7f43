"""Access tokens are renewed once, whoever needs them, and survive bad days."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
import token_steps

from devtools.served import ServedOdoo
from devtools.testbed.faults import FaultServer
from devtools.testbed.token_faults import FAULTS
from devtools.testbed.token_service import TokenService

COUNT = 1000


@pytest.fixture(scope="module")
def alone(new_odoo: Callable[..., ServedOdoo]) -> ServedOdoo:
    """An Odoo whose scheduled actions do not run by themselves."""
    return new_odoo(cron_threads=0)


@pytest.fixture
def strict() -> Iterator[TokenService]:
    """A service that takes each refresh token once: the next use ends all."""
    with TokenService(rotate=True) as service:
        yield service


# Several threads, each asks for all accounts in an order of its own.
_USE = """
import json, random, threading, time
from odoo.addons.mail_external_account.tools.oauth2 import tokens

accounts = env["mail.external.account"].browse(IDS)
seen, failed = [], []
env.cr.rollback()
time.sleep(max(START - time.time(), 0))

def use(seed):
    some = list(accounts)
    random.Random(seed).shuffle(some)
    for account in some:
        try:
            credentials = tokens.usable(env, account, "smtp")
            seen.append((account.id, credentials.access_token))
        except Exception as error:
            failed.append((account.id, repr(error)))

threads = [threading.Thread(target=use, args=(SEED + n,)) for n in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print("SEEN", json.dumps([seen, failed]))
"""


def use(
    odoo: ServedOdoo, accounts: list[int], processes: int, start: float = 0.0
) -> tuple[list[Any], list[Any]]:
    """Four threads of each process ask for what every account signs in with."""

    def one(number: int) -> list[list[Any]]:
        script = _USE.replace("IDS", repr(accounts)).replace("START", repr(start))
        said = odoo.shell(script.replace("SEED", str(10 * number)))
        answer: list[list[Any]] = token_steps.answer(said, "SEEN")
        return answer

    with ThreadPoolExecutor(processes) as pool:
        answers = list(pool.map(one, range(processes)))
    seen = [pair for answer in answers for pair in answer[0]]
    return seen, [pair for answer in answers for pair in answer[1]]


def test_a_thousand_expiries_are_a_thousand_refreshes(
    alone: ServedOdoo, strict: TokenService
) -> None:
    logins = [f"box{number}@sandbox.test" for number in range(COUNT)]
    accounts = token_steps.make(alone, [(strict, logins)])
    seen, failed = use(alone, accounts, processes=2)
    assert not failed
    assert len(seen) == 8 * len(accounts)
    assert strict.asked == {"refresh_token": COUNT}
    assert strict.refreshes == COUNT
    by_account = dict(seen)
    assert len(by_account) == len(accounts)
    assert all(by_account[account] == token for account, token in seen), "one for all"
    assert all(strict.is_good(token) for token in by_account.values())


# What a fault means for the account: it waits, or it waits for an administrator, or the
# sign-in has ended. Words are those of the screens.
WORDS = {
    "oauth_busy": "is busy or in trouble",
    "oauth_failed": "cannot be reached, or answers nonsense",
    "oauth_client": "does not know Odoo's application or its secret",
    "oauth_secret_expired": "has expired",
    "oauth_redirect": "the address that it is to lead back to",
    "oauth_ended": "Sign in again",
    "oauth_consent": "permission to read or send mail is missing",
    "oauth_policy": "rule of your organization",
    "oauth_denied": "did not allow the sign-in",
    "oauth_tenant": "another organization",
}
WAIT = {"oauth_busy", "oauth_failed"}
OF_APPLICATION = {"oauth_client", "oauth_secret_expired", "oauth_redirect"}
MEANT = {
    "oauth_busy": (
        *("429", "429 with seconds", "429 with a date", "429 for a year"),
        *("429 with nonsense", "429 of Google", "500 with nothing", "500 with a page"),
        *("500 with JSON", "502 with a page", "503 with seconds", "504"),
        *("503 that says invalid_grant", "temporarily unavailable"),
        *("Microsoft is throttling", "Microsoft is away", "Google's rate limit"),
    ),
    "oauth_failed": (
        *("a page with 200", "nothing with 200", "404", "not JSON", "half of it"),
        *("an array", "a text", "deep", "NaN", "a name twice", "not UTF-8", "huge"),
        *("no access token", "an empty access token", "truncated", "no HTTP"),
        *("an access token that is a number", "an access token of lines"),
        *("an access token of 9,000 characters", "another token type"),
        *("a refresh token of control characters", "a refresh token that is a list"),
        *("a token type that is a number", "endless header", "slow header"),
        *("slow body", "endless chunks", "a chunk of a terabyte", "endless go-aheads"),
        *("hung", "reset", "closed", "TLS alert", "no TLS"),
    ),
    "oauth_client": (
        *("unknown client", "401 with a page", "Google: client not found"),
        *("Google: client deleted", "Google: wrong secret", "Google: not for this"),
        *("Microsoft: wrong secret", "Microsoft: unknown application"),
    ),
    "oauth_secret_expired": (
        *("Microsoft: expired secret", "an expired secret elsewhere"),
    ),
    "oauth_redirect": (
        *("Microsoft: redirect", "Microsoft: http redirect", "Google: redirect"),
        "another's redirect",
    ),
    "oauth_tenant": (
        *("Microsoft: no tenant", "Microsoft: another tenant", "Google: only inside"),
        *("Microsoft: not of the directory", "Microsoft: not for several tenants"),
    ),
    "oauth_ended": (
        *("invalid_grant", "Google: revoked", "Google: account deleted"),
        *("Microsoft: expired", "Microsoft: password changed"),
        *("Microsoft: session over", "Microsoft: sign-in frequency"),
        "Microsoft: malformed",
    ),
    "oauth_consent": (
        *("Microsoft: consent missing", "Microsoft: an administrator's consent"),
        "another's scope",
    ),
    "oauth_policy": (
        *("Microsoft: second factor", "Microsoft: conditional access"),
        *("Microsoft: security defaults", "Microsoft: not assigned"),
        *("Google: administrator's policy", "Google: session control"),
    ),
    "oauth_denied": ("Microsoft: user disabled", "denied"),
}


def test_every_fault_leaves_the_account_right_and_says_why(alone: ServedOdoo) -> None:
    """Twice there is mail to send, and once the mailbox is due; the service is asked
    once. Unusual answers that are good send the mail."""
    code_of = {name: code for code, names in MEANT.items() for name in names}
    assert len(code_of) > 40 and code_of.keys() <= FAULTS.keys()
    mail_server = FaultServer("smtp", "ssl", features=["AUTH XOAUTH2"])
    with ExitStack() as stack:
        stack.enter_context(mail_server)
        services = {}
        for name, fault in FAULTS.items():
            secure = fault.handshake is not None
            service = stack.enter_context(TokenService(secure=secure))
            service.misbehave(name)
            services[name] = service
        logins = [f"box{number}@sandbox.test" for number in range(len(services))]
        pairs = [(s, (one,)) for s, one in zip(services.values(), logins, strict=True)]
        accounts = token_steps.make(
            alone,
            pairs,
            smtp_port=mail_server.port,
            ca_pem=mail_server.ca_pem,
            incoming_protocol="imap",
            incoming_host="localhost",
            incoming_port=1,
            incoming_security="ssl",
            incoming_login="mailbox",
        )
        token_steps.post(alone, accounts)
        runs = ("_cron_deliver", "_cron_deliver", "_cron_fetch")
        found = token_steps.run(alone, accounts, *runs)
        for (name, service), account in zip(services.items(), accounts, strict=True):
            told = found[account]
            if name not in code_of:
                assert not told["waiting"], (name, told)
                assert told["state"] == "working" and not told["code"], (name, told)
                continue
            check_fault(name, code_of[name], told)
            if not service.secure:  # a broken handshake asks nothing
                assert service.asked["refresh_token"] == 1, (name, service.asked)
        sent = {message.recipients for message in mail_server.messages}
        assert len(mail_server.messages) == len(services) - len(code_of), sent
        assert {login for login, _token in mail_server.tokens} <= set(logins)


def check_fault(name: str, code: str, told: dict[str, Any]) -> None:
    """How an account stands whose service answers like this."""
    about = (name, told)
    assert told["waiting"] == 1, about
    assert told["code"] == code, about
    assert WORDS[code] in told["text"], about
    stops = code not in WAIT | OF_APPLICATION
    assert told["state"] == ("refused" if stops else "working"), about
    assert len(told["told"]) == stops, about
    if stops:
        assert "/mail_external_account/sign_in/" in told["told"][0], about
        assert told["status"] == "Stopped, until somebody signs in again.", about
    else:
        assert told["next"], about
        assert told["reading"] == code, about
    assert bool(told["application"]) == (code in OF_APPLICATION), about
    assert told["administrators"] == (code in OF_APPLICATION), about
