"""``./dev bench NAME``: one measurement, told as one JSON line.

A bench is a function that takes a ``Bench`` and returns what the line holds. To add
one, name it in ``BENCHES``. What it compares is measured in one run, in turns: the
machine's other work then slows both sides down alike.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import TypeVar

from .odoo import Odoo
from .postgres import Postgres
from .state import State

Value = int | float | None
#: Name -> (module whose function ``measure`` is the bench, what it measures).
BENCHES = {
    "post": ("bench_post", "what posting and a chatter cost with the addon"),
    "fetch": ("bench_fetch", "reading mailboxes, against imaplib and stock Odoo"),
    "send": ("bench_send", "sending for many addresses at a time, against one by one"),
    "hostile": ("bench_hostile", "what hostile mails, servers and users cost others"),
    "sender": ("bench_sender", "what choosing the sender costs among 5,000 accounts"),
}
Key = TypeVar("Key")


class Bench:
    """What a bench has at hand: ``odoo``, ``folder`` for files, and ``database()``."""

    def __init__(self, odoo: Odoo, folder: Path) -> None:
        self.odoo = odoo
        self.folder = folder
        self._databases: list[str] = []

    def database(self, template: str, name: str) -> str:
        """Return a fresh copy of a database, dropped at the end."""
        self._databases.append(self.odoo.clone(template, f"bench-{name}"))
        return self._databases[-1]

    def drop_databases(self) -> None:
        """Drop the copies."""
        for database in self._databases:
            self.odoo.drop(database)


@contextmanager
def prepared(state: State) -> Iterator[Bench]:
    """Start PostgreSQL and empty the benches' folder; one bench at a time."""
    folder = state.folder / "bench"
    with state.locked("bench"), Postgres(state) as postgres:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        bench = Bench(Odoo(state, postgres), folder)
        try:
            yield bench
        finally:
            bench.drop_databases()


def measure(state: State, name: str) -> dict[str, Value]:
    """Run the bench ``name`` of ``BENCHES``; return the line's content."""
    module = import_module(f".{BENCHES[name][0]}", __package__)
    with prepared(state) as bench:
        result: dict[str, Value] = module.measure(bench)
        return result


def in_turns(
    tasks: Mapping[Key, Callable[[], float]], rounds: int
) -> dict[Key, list[float]]:
    """Call every task once a round, another one first each time, and every other time
    the other way round: what one leaves behind meets not always the same next one.

    :param tasks: each returns the seconds that it took
    :return: name -> seconds of each round
    """
    keys = list(tasks)
    seconds: dict[Key, list[float]] = {key: [] for key in keys}
    for number in range(rounds):
        turn, shift = divmod(number, len(keys))
        order = keys[shift:] + keys[:shift]
        for key in reversed(order) if turn % 2 else order:
            seconds[key].append(tasks[key]())
    return seconds


def ratio(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the ratio of two medians, to three digits after the point."""
    return round(median(one) / median(other), 3)
