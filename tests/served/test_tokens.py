"""Access tokens are renewed once, whoever needs them, and survive bad days."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import token_steps

from devtools.served import ServedOdoo
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
