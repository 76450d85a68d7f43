"""Odoo with workers, as most installations run it: the same, and nobody is blocked."""

import http.client
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import mailbox_steps as box
import pytest
import steps
from check_steps import said, session, under_way, window_at
from site_setup import Site, prepare
from steps import Window

from devtools.served import ServedOdoo
from devtools.testbed import clients
from devtools.testbed.bed import TestBed
from devtools.testbed.faults import FaultServer, Hang

ANNA = "anna@brand-a.test"
CLIENT = "client@customer.test"
#: What Odoo writes when it gives up a process of its own (odoo/service/server.py).
GIVEN_UP = ("timeout after", "limit", "reload", "Gevent Parent changed", "CRITICAL")


@pytest.fixture(scope="module")
def forked(bed: TestBed, new_odoo: Callable[..., ServedOdoo]) -> Site:
    """An Odoo with two workers for requests and one for scheduled actions."""
    bed.clear()
    return prepare(new_odoo(smtp_port=bed.relay, workers=2, cron_threads=1), bed)


def command_lines(odoo: ServedOdoo) -> list[str]:
    """Of the server's processes."""
    files = [Path(f"/proc/{pid}/cmdline") for pid in odoo.pids]
    return [file.read_bytes().replace(b"\0", b" ").decode() for file in files]


def evented(odoo: ServedOdoo) -> int:
    """Which process serves web sockets; it has to answer."""
    connection = http.client.HTTPConnection("127.0.0.1", odoo.gevent_port, timeout=10)
    connection.request("GET", "/websocket/health")
    assert connection.getresponse().status == 200
    connection.close()
    found = zip(odoo.pids, command_lines(odoo), strict=True)
    [pid] = [pid for pid, line in found if " gevent " in line]
    return pid


def no_process_was_given_up(odoo: ServedOdoo) -> None:
    lines = odoo.log().splitlines()
    assert not [line for line in lines if any(mark in line for mark in GIVEN_UP)]
    assert len(odoo.pids) == 5, "main, two workers, scheduled actions, web sockets"


def test_an_account_sends_and_answers_come_back(forked: Site) -> None:
    before = evented(forked.odoo)
    address_id = box.connect(forked, ANNA)
    task = steps.new_task(
        forked.admin,
        forked.ids["project_brand_a"],
        "With workers",
        (forked.ids["customer"],),
    )
    sent = box.ask(forked, address_id, task, CLIENT)
    forked.bed.deliver(CLIENT, ANNA, clients.answer("gmail", sent, text="Yes, please"))
    forked.bed.wait_for(ANNA, 1)
    box.fetch(forked, address_id)
    [answer] = box.mails(forked, task)
    assert "Yes, please" in answer["body"]
    assert evented(forked.odoo) == before
    no_process_was_given_up(forked.odoo)


def test_checks_leave_workers_for_the_others(forked: Site) -> None:
    """One of the two waits for a server: a second one must not."""
    with FaultServer("smtp", "ssl", faults={"greeting": Hang()}) as server:
        window = window_at(forked.bohdan, server)
        other = window_at(forked.anna, server)
        with under_way(forked, lambda: window.check("smtp_port")):
            again = session(forked.odoo.rpc("bohdan"), window)
            assert "under way already" in said(lambda: again.check("smtp_port"))
            assert "only some can at a time" in said(lambda: other.check("smtp_host"))
            began = time.monotonic()
            for _ in range(5):
                assert b"Odoo" in forked.admin.get("/odoo")
            assert time.monotonic() - began < 5
        assert said(lambda: other.check("smtp_host")) == ""
    no_process_was_given_up(forked.odoo)


def test_it_ends_with_all_its_processes(forked: Site) -> None:
    """By a crash and in order; the last test with this server."""
    odoo = forked.odoo
    for end in (odoo.kill, odoo.stop):
        pids = odoo.pids
        assert len(pids) == 5
        end()
        steps.until(partial(all_ended, pids), "all have ended")
        odoo.start()
        steps.until(lambda: len(odoo.pids) == 5, "all run again")
    assert Window(odoo.rpc("anna")).values
    assert evented(odoo)


def all_ended(pids: list[int]) -> bool:
    return not any(map(is_alive, pids))


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
