"""Odoo is killed while it sends: nothing is lost, who was served is not again."""

from collections.abc import Callable
from email import message_from_bytes

import steps
from delivery_steps import CLIENT, SECOND, THIRD, all_sent
from site_setup import Site

from devtools.testbed.faults import (
    Delay,
    FaultServer,
    Hang,
    InTurn,
)


def test_nobody_is_served_twice_after_a_crash_between_two_recipients(
    clean: Site, three: Callable[[str], int]
) -> None:
    # In turn: the connection test and three customers. The last two are served by one
    # and the same mail.mail; the first one, the project's customer, by another.
    hang = InTurn(None, None, None, Hang())
    with FaultServer("smtp", "ssl", faults={"rcpt": hang}) as server:
        address_id = steps.connect_to(clean.admin, server, "info@brand-c.test")
        task = three("Crash")
        message = steps.post(clean.anna, task, "<p>once</p>", address_id)
        steps.until(
            lambda: len(server.messages) == 2 and "RCPT" in server.commands[-1],
            "two are served, the last one is in progress",
        )
        clean.odoo.kill()
        clean.odoo.start()
        steps.wake_crons(clean.odoo)
        all_sent(clean, task, message)
        served = sorted(r for m in server.messages for r in m.recipients)
        assert served == sorted([CLIENT, SECOND, THIRD])


def test_crash_before_the_servers_answer_repeats_with_the_same_message_id(
    clean: Site,
) -> None:
    project, client = clean.ids["project_brand_a"], clean.ids["customer"]
    late = InTurn(Delay(2))
    with FaultServer("smtp", "ssl", faults={"body": late}) as server:
        address_id = steps.connect_to(clean.admin, server, "info@brand-c.test")
        task = steps.new_task(clean.admin, project, "In flight", (client,))
        message = steps.post(clean.anna, task, "<p>in flight</p>", address_id)
        steps.until(lambda: server.commands[-1] == "DATA", "it is handed over")
        clean.odoo.kill()
        clean.odoo.start()
        steps.wake_crons(clean.odoo)
        all_sent(clean, task, message)
        first, second = (message_from_bytes(m.data) for m in server.messages)
        assert first["Message-ID"] == second["Message-ID"]
        assert first["Subject"] == second["Subject"]


def test_sending_goes_on_after_each_of_four_crashes(clean: Site) -> None:
    """Odoo leaves a scheduled action out for a while after three without progress."""
    project, client = clean.ids["project_brand_a"], clean.ids["customer"]
    with FaultServer("smtp", "ssl", faults={"body": Delay(0.7)}) as server:
        address_id = steps.connect_to(clean.admin, server, "info@brand-c.test")
        task = steps.new_task(clean.admin, project, "Crashes", (client,))
        for number in range(20):  # more than leave until the last crash, on any machine
            steps.post(clean.anna, task, f"<p>number {number}</p>", address_id)
        for _crash in range(4):
            before = len(server.messages)
            steps.until(lambda n=before: len(server.messages) > n + 1, "it goes on", 30)
            clean.odoo.kill()
            clean.odoo.start()
            steps.wake_crons(clean.odoo)
        before = len(server.messages)
        steps.until(lambda: len(server.messages) > before, "it goes on", 30)
