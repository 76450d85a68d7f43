"""Many checks and codes at once: one at a time for a user, and nobody else notices."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import steps
from check_steps import (
    CODE,
    counted,
    each_way,
    said,
    session,
    turns,
    under_way,
    waiting_connections,
    window_at,
)
from site_setup import Site
from steps import Window

from devtools.testbed.faults import Delay, Drip, FaultServer, Hang, Reply

MANY = 90
CHECK_SECONDS = 10
MOST = 120
NOT_YOUR_TURN = "under way already"


@pytest.fixture(autouse=True)
def _fresh_limit(clean: Site) -> Iterator[None]:
    steps.forget_tests(clean.odoo)
    yield
    steps.forget_tests(clean.odoo)


@pytest.fixture
def hanging() -> Iterator[FaultServer]:
    with FaultServer("smtp", "ssl", faults={"greeting": Hang()}) as server:
        yield server


@pytest.fixture
def slow() -> Iterator[FaultServer]:
    with FaultServer("smtp", "ssl", faults={"greeting": Delay(2.5)}) as server:
        yield server


@pytest.fixture(scope="module")
def key(site: Site) -> str:
    """Bohdan's key for JSON-2."""
    name = "mail_external_account_test.key"
    site.run_code(
        f'user = env["res.users"].browse({site.bohdan.uid})\n'
        "until = datetime.datetime.now() + datetime.timedelta(hours=1)\n"
        'keys = env["res.users.apikeys"].with_user(user)\n'
        'key = keys._generate("rpc", "test", until)\n'
        f'env["ir.config_parameter"].set_param("{name}", key)'
    )
    return str(site.admin.call("ir.config_parameter", "get_param", name))


def test_ninety_at_once_are_one_and_nobody_else_notices(
    clean: Site, hanging: FaultServer, key: str
) -> None:
    window = window_at(clean.bohdan, hanging)
    second = window_at(clean.odoo.rpc("bohdan"), hanging)
    task = steps.new_task(clean.admin, clean.ids["project_brand_a"], "Colleague")
    ways = each_way(clean, key, window) + each_way(clean, key, second)
    # Signing in with a password, as two of the ways do, costs Odoo a long time.
    more = [*each_way(clean, key, second)[3:5], lambda: window.check("smtp_login")]
    with (
        under_way(clean, lambda: window.check("smtp_port")) as first,
        ThreadPoolExecutor(30) as pool,
    ):
        assert turns(clean) == [12.0], "no longer than the check itself"
        began = time.monotonic()
        refused = pool.map(said, (ways + more * MANY)[: MANY - 1])
        for _ in range(3):
            assert "data" in clean.anna.post(
                "/mail/thread/messages",
                {"thread_model": "project.task", "thread_id": task},
            )
        assert first == [], "all that was while the first one waited"
        answers = list(refused)
    assert first == [""]
    # On a busy machine the last ones may come after the first one is over.
    granted = [answer for answer in answers if NOT_YOUR_TURN not in answer]
    assert set(granted) <= {""}
    assert len(granted) <= (time.monotonic() - began) // CHECK_SECONDS
    assert counted(clean) <= 1 + 10 * len(granted), "who is refused is not counted"
    assert said(lambda: second.check("smtp_host")) == "", "at once afterwards"


@pytest.mark.parametrize("way", range(4), ids=["call_kw", "xmlrpc", "jsonrpc", "json2"])
def test_the_answer_is_the_same_whatever_protocol(
    clean: Site, key: str, way: int
) -> None:
    """A slow server, too: its answer comes after the connection was given back."""
    with FaultServer("smtp", "ssl", faults={"ehlo": Drip(0.02)}) as server:
        window = window_at(clean.bohdan, server)
        answers: list[Any] = []
        call = each_way(clean, key, window)[way]
        with under_way(clean, lambda: answers.append(call())) as outcome:
            time.sleep(1.5)
            assert waiting_connections(clean) == []
        assert outcome == [""]
        [answer] = answers
        assert (answer["step"], answer["ok"]) == ("smtp_port", True)
        assert answer["milliseconds"] > 1500
        server.misbehave({})
        for step in window.steps():
            assert window.check(step)["ok"]
        assert window.read()["tested_ok"]


def test_the_limit_is_not_raced(clean: Site) -> None:
    with FaultServer("smtp", "ssl") as server:
        window = window_at(clean.bohdan, server)
        steps.sql(
            clean.odoo,
            "INSERT INTO mail_external_account_connect_check"
            " (create_uid, create_date, step, fingerprint)"
            " SELECT %s, now() AT TIME ZONE 'UTC', 'x', '-'"
            " FROM generate_series(1, %s)",
            clean.bohdan.uid,
            MOST - 10,
        )
        clients = [clean.bohdan, *(clean.odoo.rpc("bohdan") for _ in range(3))]
        windows = [session(client, window) for client in clients * 10]
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(until_it_is_their_turn, windows))
    assert answers.count("") == 10
    assert all("Too many tests" in answer for answer in answers if answer)
    assert counted(clean) == MOST
    assert "Too many tests" in said(lambda: window.press(CODE))


def until_it_is_their_turn(window: Window) -> str:
    while NOT_YOUR_TURN in (answer := said(lambda: window.check("smtp_host"))):
        time.sleep(0.05)
    return answer


def test_what_fails_is_counted_and_the_next_one_may_come_at_once(clean: Site) -> None:
    with FaultServer("smtp", "ssl", faults={"greeting": Reply("554 No")}) as server:
        window = window_at(clean.bohdan, server)
        for number in range(1, 4):
            assert not window.check("smtp_port")["ok"]
            assert counted(clean) == number
    with odoos_own_server(clean, Reply("550 5.7.1 Not today")):
        assert "The code was not sent" in said(lambda: window.press(CODE))
    assert counted(clean) == 3 + 10, "it was tried, so it counts"
    assert "no longer valid" in said(lambda: window.press("action_verify_code"))
    assert said(lambda: window.check("smtp_host")) == ""


def test_a_code_takes_its_turn_too(clean: Site) -> None:
    """Odoo's own mail server is slow: neither a second code nor a check beside it."""
    with FaultServer("smtp", "ssl") as server, odoos_own_server(clean, Hang()) as own:
        window = window_at(clean.bohdan, server)
        with under_way(clean, lambda: window.press(CODE)) as outcome:
            other = session(clean.odoo.rpc("bohdan"), window)
            assert NOT_YOUR_TURN in said(lambda: other.press(CODE))
            assert NOT_YOUR_TURN in said(lambda: other.check("smtp_host"))
            foreign = window_at(clean.anna, server)
            assert foreign.check("smtp_port")["ok"]
            own.stop()  # the connection ends, so does the attempt
        assert outcome[0], "it failed"
        assert said(lambda: window.check("smtp_host")) == ""


@contextmanager
def odoos_own_server(site: Site, fault: Any) -> Iterator[FaultServer]:
    """Odoo's own mail goes to a server with this fault at MAIL FROM."""
    with FaultServer("smtp", "none", faults={"mail": fault}) as server:
        values = {
            "name": "Own",
            "smtp_host": "127.0.0.1",
            "smtp_port": server.port,
            "smtp_encryption": "none",
            "sequence": 1,
        }
        ids = site.admin.call("ir.mail_server", "create", [values])
        try:
            yield server
        finally:
            site.admin.call("ir.mail_server", "unlink", ids)


def test_a_crash_locks_nobody_out_for_longer_than_the_check(
    clean: Site, hanging: FaultServer
) -> None:
    """As if the process had been killed: its line stays as it is."""
    window = window_at(clean.bohdan, hanging)
    set_turn = (
        "UPDATE mail_external_account_connect_check"
        " SET running_until = now() AT TIME ZONE 'UTC' + interval %s"
    )
    assert window.check("smtp_host")["ok"]
    steps.sql(clean.odoo, set_turn, "12 seconds")
    assert NOT_YOUR_TURN in said(lambda: window.check("smtp_host"))
    assert window_at(clean.anna, hanging).check("smtp_host")["ok"]
    steps.sql(clean.odoo, set_turn, "-1 second")
    assert said(lambda: window.check("smtp_host")) == ""


def test_a_window_that_is_closed_during_its_check_locks_nobody_out(
    clean: Site, slow: FaultServer
) -> None:
    window = window_at(clean.bohdan, slow)
    with under_way(clean, lambda: window.check("smtp_port")):
        clean.odoo.rpc("bohdan").call(steps.WINDOW, "unlink", [window.id])
    assert counted(clean) == 1
    assert said(lambda: window_at(clean.bohdan, slow).check("smtp_host")) == ""


def test_rights_come_before_the_turn(clean: Site, slow: FaultServer) -> None:
    """Nobody learns from the refusal, or is counted, who may not test there."""
    window = window_at(clean.bohdan, slow)
    foreign = session(clean.anna, window)
    with under_way(clean, lambda: window.check("smtp_port")):
        for method, args in (("check", ("smtp_host",)), ("press", (CODE,))):
            error = steps.refusal(getattr(foreign, method), *args)
            assert "AccessError" in error.name, error
        assert counted(clean) == 1
