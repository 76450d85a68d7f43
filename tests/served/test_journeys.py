"""The journeys that CONTRIBUTING tells, against what a served Odoo calls.

A file counts for a journey by a function that runs because of it: not by those that the
same steps call without it, as a run with nothing to do or a window without a password.
"""

import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import mailbox_steps as box
import pytest
import steps
from site_setup import Site, prepare

from devtools.served import ServedOdoo
from devtools.state import REPOSITORY
from devtools.testbed import clients
from devtools.testbed.bed import PASSWORD, TestBed
from devtools.tracing import TRACE_VARIABLE, called

ANNA = "anna@brand-a.test"
CLIENT = "client@customer.test"
DELIVER = "mail_external_account.ir_cron_deliver"
READ = "mail_external_account.ir_cron_fetch"
SECTION = "## Three journeys"
#: By the title in CONTRIBUTING: how many files a journey may pass through.
MOST_FILES = {
    "A message from the chatter to the customer's server": 31,
    "An answer from the mailbox into the task": 34,
    "A password from the window to the sign-in": 12,
}
MESSAGE, ANSWER, SIGN_IN = MOST_FILES
MOST_STATIONS = 15

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="the trace needs Python 3.11"
)


@dataclass
class Journey:
    """``file:function`` in the order of the first calls in each step."""

    functions: list[str] = field(default_factory=list)
    #: What the same steps call without what is on the journey.
    without: list[str] = field(default_factory=list)

    def files(self) -> dict[str, list[str]]:
        """The functions that run because of it, by their file."""
        files: dict[str, list[str]] = {}
        for function in dict.fromkeys(self.functions):
            if function not in self.without:
                file, _, name = function.partition(":")
                files.setdefault(file, []).append(name)
        return files


class Traced:
    """A site whose Odoo is traced; nothing of it runs by itself."""

    def __init__(self, site: Site, socket: Path) -> None:
        self.site = site
        self._socket = socket
        self.task = steps.new_task(
            site.admin, site.ids["project_brand_a"], "Journey", (site.ids["customer"],)
        )

    @contextmanager
    def noting(self, functions: list[str]) -> Iterator[None]:
        """Add what is called inside to ``functions``."""
        with called(self._socket) as found:
            yield
        functions += found

    def fill_in(self, **values: str) -> steps.Window:
        """Anna's window for her mailbox, saved as by pressing "Test account"."""
        window = steps.Window(self.site.anna)
        window.type_address(ANNA)
        window.enter(**box.incoming(self.site, ANNA), **values)
        return window

    def connect(self) -> tuple[int, Journey]:
        """Connect Anna's mailbox; return the address, and how its password went."""
        journey = Journey()
        with self.noting(journey.without):
            self.fill_in(sender_name="Anna")
        with self.noting(journey.functions):
            window = self.fill_in(sender_name="Anna", password=PASSWORD)
        for step in window.steps():
            signs_in = step == "smtp_login"
            with self.noting(journey.functions if signs_in else []):
                assert window.check(step)["ok"], step
        address = window.save()
        self.read(address, [])  # from now on
        return address, journey

    def read(self, address: int, functions: list[str]) -> None:
        """Read the mailbox once."""
        self.site.admin.call(steps.ADDRESS, "action_fetch_now", [address])
        with self.noting(functions):
            steps.run_cron(self.site.admin, READ)

    def write_and_answer(self, address: int) -> tuple[Journey, Journey]:
        """A message to the customer, and the customer's answer."""
        site, message, answer = self.site, Journey(), Journey()
        known = len(site.bed.messages(CLIENT))
        with self.noting(message.functions):
            steps.post(site.anna, self.task, "<p>What do you think?</p>", address)
        with self.noting(message.functions):
            steps.run_cron(site.admin, DELIVER)
        mail = site.bed.wait_for(CLIENT, known + 1)[known]
        assert mail.envelope_from == ANNA
        with self.noting(message.without):
            steps.run_cron(site.admin, DELIVER)

        self.read(address, answer.without)
        before = len(box.mails(site, self.task))
        site.bed.deliver(CLIENT, ANNA, clients.answer("gmail", mail.raw, text="Yes"))
        site.bed.wait_for(ANNA, before + 1)
        self.read(address, answer.functions)
        assert len(box.mails(site, self.task)) == before + 1
        return message, answer


@pytest.fixture(scope="module")
def journeys(
    bed: TestBed, new_odoo: Callable[..., ServedOdoo]
) -> Iterator[dict[str, Journey]]:
    """What each journey calls once Odoo has its caches."""
    bed.clear()
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "trace"
        env = {TRACE_VARIABLE: str(socket)}
        odoo = new_odoo(smtp_port=bed.relay, cron_threads=0, env=env)
        traced = Traced(prepare(odoo, bed), socket)
        address, sign_in = traced.connect()
        traced.write_and_answer(address)
        message, answer = traced.write_and_answer(address)
        yield {MESSAGE: message, ANSWER: answer, SIGN_IN: sign_in}


def stations(text: str) -> dict[str, list[str]]:
    """What CONTRIBUTING tells: ``file:function`` of each journey, by its title."""
    _, _, section = text.partition(f"\n{SECTION}\n")
    section, _, _ = section.partition("\n## ")
    told = (part.partition("\n") for part in section.split("\n### ")[1:])
    return {
        title: re.findall(r"^\d+\. `([\w/]+\.py:[\w.]+)`", steps_of_it, re.MULTILINE)
        for title, _, steps_of_it in told
    }


@pytest.mark.parametrize("title", MOST_FILES)
def test_a_journey_has_the_stations_that_contributing_tells(
    title: str, journeys: dict[str, Journey]
) -> None:
    told = stations((REPOSITORY / "CONTRIBUTING.md").read_text())[title]
    assert 0 < len(told) <= MOST_STATIONS
    calls = iter(journeys[title].functions)
    missed = next((station for station in told if station not in calls), None)
    assert missed is None, "not called, or not after those before it"


@pytest.mark.parametrize(("title", "most"), MOST_FILES.items())
def test_a_journey_passes_through_few_files(
    title: str, most: int, journeys: dict[str, Journey]
) -> None:
    files = journeys[title].files()
    listed = [f"{file}: {', '.join(names)}" for file, names in files.items()]
    assert len(files) <= most, "\n".join([f"{len(files)} files:", *listed])
