"""Three customers of a task, and how the chatter shows what they got."""

from collections.abc import Callable

import pytest
import steps
from site_setup import Site

ANNA = "anna@brand-a.test"
SUPPORT = "support@brand-b.test"
CLIENT = "client@customer.test"
SECOND = "second@customer.test"
THIRD = "third@customer.test"


@pytest.fixture
def three(clean: Site) -> Callable[[str], int]:
    """Return ``three(name)``: a task that three customers follow."""
    people = [
        clean.ids["customer"],
        clean.ids["customer_second"],
        clean.customer("Theo Third", THIRD),
    ]

    def make(name: str) -> int:
        return steps.new_task(
            clean.admin, clean.ids["project_brand_a"], name, tuple(people)
        )

    return make


def status(site: Site, task: int, message: int) -> dict[str, str]:
    by_name = steps.shown(site.anna, task, message)["by_name"]
    return {name: row["notification_status"] for name, row in by_name.items()}


def settled(site: Site, task: int, message: int) -> dict[str, str]:
    """The state of each recipient, as soon as none is about to be served."""

    def look() -> dict[str, str]:
        states = status(site, task, message)
        return {} if {"ready", "process", "pending"} & {*states.values()} else states

    return steps.until(look, "every recipient has a result")


def all_sent(site: Site, task: int, message: int) -> None:
    """Wait until the chatter shows every recipient as served."""
    steps.until(
        lambda: {*status(site, task, message).values()} == {"sent"},
        "every recipient is served",
    )
