"""``./dev suites``: Odoo's own tests without and with the addon, compared by name.

Each side runs on a fresh database, a copy of one on which nothing was ever run: the
suites' modules without demo data (the mail that demo data queue gets in the tests'
way), and the same with the addon installed on top and no account configured.
"""

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .cluster import free_port
from .console import DevError, say, step
from .odoo import Odoo
from .odoolog import first_error
from .postgres import Postgres
from .processes import run
from .state import ADDON, REPOSITORY, State, fingerprint

SUITES = ("mail", "test_mail", "test_mail_full", "project")
STOCK, WITH_ADDON = "without the addon", "with the addon"
RUNNER = REPOSITORY / "devtools" / "inside" / "run_suites.py"
_ORDER = ("passed", "skipped", "failed", "error")
#: Browser tests depend on the machine's other work.
RUNS_AGAIN = 2


@dataclass(frozen=True)
class Result:
    """How one test ended: ``outcome`` is passed, skipped, failed or error.

    ``browser``: other programs made some of the queries, never the same number.
    """

    outcome: str
    said: str = ""
    queries: int = 0
    browser: bool = False


@dataclass(frozen=True)
class Difference:
    """A test that ended otherwise with the addon than without it."""

    test: str
    stock: Result
    addon: Result

    def line(self) -> str:
        """Return the difference for the reader."""
        said = self.addon.said or self.stock.said
        outcomes = f"{self.stock.outcome} -> {self.addon.outcome}"
        return f"{short(self.test)}: {outcomes}" + (f": {said}" if said else "")


Results = Mapping[str, Result]
_MISSING = Result("not run")


def read_report(lines: Iterable[str]) -> dict[str, Result]:
    """Read what ``inside/run_suites.py`` wrote: a test's name -> how it ended.

    The worst counts of a test with several results (sub-tests, both positions).

    :raises DevError: when Odoo didn't come to its end, or ran no test
    """
    results: dict[str, Result] = {}
    ended = False
    for line in lines:
        entry = json.loads(line)
        if "ended" in entry:
            ended = True
            continue
        test = entry.pop("test")
        result, before = Result(**entry), results.get(test)
        if not before or _badness(result) > _badness(before):
            results[test] = result
    if not ended:
        raise DevError("Odoo ended before its tests did: see its log.")
    if not results:
        raise DevError("no test was run: check --only and --tags.")
    return results


def _badness(result: Result) -> int:
    return _ORDER.index(result.outcome)


def compare(stock: Results, addon: Results) -> list[Difference]:
    """Return the tests that ended differently, or ran on one side only."""
    pairs = (
        Difference(test, stock.get(test, _MISSING), addon.get(test, _MISSING))
        for test in sorted({*stock, *addon})
    )
    return [pair for pair in pairs if pair.stock.outcome != pair.addon.outcome]


def counts(results: Results) -> str:
    """Return how many tests there were, and how many did not pass."""
    number = Counter(result.outcome for result in results.values())
    parts = [f"{number[outcome]} {outcome}" for outcome in _ORDER if number[outcome]]
    return f"{len(results)} tests: {', '.join(parts)}"


def short(test: str) -> str:
    """Return a test's name without what is the same in all: module/file.Class.test."""
    return test.replace("odoo.addons.", "").replace(".tests.", "/", 1)


def tag(test: str) -> str:
    """Return Odoo's test tag of a test, or of the class whose set-up failed.

    :param test: ``odoo.addons.MODULE.tests.FILE.CLASS.METHOD``, or
        ``setUpClass (odoo.addons.MODULE.tests.FILE.CLASS)``
    """
    name = test.rstrip(")").rpartition("(")[2]
    _odoo, _addons, module, *_file, rest, last = name.split(".")
    if name != test:
        return f"*/{module}:{last}"
    return f"*/{module}:{rest}.{last}"


def suite_tags(modules: Sequence[str], tags: str | None) -> str:
    """Return the value of --test-tags: the modules' standard tests, or ``tags``."""
    return tags or ",".join(f"/{module}" for module in modules)


class Suites:
    """Runs of Odoo's suites; ``folder`` takes their logs and reports."""

    def __init__(self, odoo: Odoo, folder: Path) -> None:
        self._odoo = odoo
        self._folder = folder
        self._runs = 0

    def templates(
        self, modules: Sequence[str] = SUITES, kind: str = "suites"
    ) -> dict[str, str]:
        """Return the databases of both sides; make them when needed.

        :param kind: begins their names
        """
        odoo = self._odoo
        stock = odoo.name(kind, fingerprint([*odoo.release_marks(), *modules]))
        label = f"Making a database of {', '.join(modules)}"
        odoo.ensure_template(stock, None, modules, label, demo=False)
        kind += "addon"
        addon = odoo.name(kind, fingerprint([stock, odoo.addon_fingerprint()]))
        label = "Installing the addon in a copy of it"
        odoo.ensure_template(addon, stock, (ADDON,), label, demo=False)
        odoo.forget_templates(kind)
        return {STOCK: stock, WITH_ADDON: addon}

    def run(self, template: str, label: str, tags: str) -> dict[str, Result]:
        """Run tests on a copy of a database; return how each ended.

        :raises DevError: when Odoo breaks, or runs no test
        """
        self._runs += 1
        name = f"{self._folder.name}-run{self._runs}"
        report = self._folder / f"{name}.jsonl"
        log = self._folder / f"{name}.log"
        report.touch()
        database = self._odoo.clone(template, name)
        config = self._odoo.write_config(
            self._folder / f"{name}.conf",
            database,
            http_port=free_port(),
            cron_threads=0,
        )
        command = self._odoo.command(config, f"--test-tags={tags}", "--stop-after-init")
        command[1] = str(RUNNER)  # instead of Odoo's own program
        began = time.monotonic()
        try:
            with step(f"Odoo's tests {label}"):
                run(
                    command,
                    env={
                        **self._odoo.environment(),
                        "MEA_SUITES_REPORT": str(report),
                        "PYTHONDONTWRITEBYTECODE": "1",
                    },
                    log=log,
                )
        finally:
            self._odoo.drop(database)
        results = self._read(report, log)
        say(f"  {counts(results)} in {time.monotonic() - began:.0f} s")
        return results

    def _read(self, report: Path, log: Path) -> dict[str, Result]:
        try:
            return read_report(report.read_text().splitlines())
        except DevError as error:
            cause = first_error(log.read_text(errors="replace"))
            raise DevError(f"{error} {cause} (all of it in {log}).") from None


def run_suites(suites: Suites, tags: str) -> int:
    """Run both sides one after the other and compare; return the exit status."""
    templates = suites.templates()
    stock, addon = (suites.run(templates[s], s, tags) for s in (STOCK, WITH_ADDON))
    tell_failures(stock)
    lasting = _lasting(suites, templates, compare(stock, addon))
    tell_queries(stock, addon)
    if lasting:
        say(f"FAILED: {len(lasting)} of the tests end otherwise with the addon:")
        for difference in lasting:
            say(f"  {difference.line()}")
        return 1
    say(f"The same results without and with the addon ({len(stock)} tests).")
    return 0


def _lasting(
    suites: Suites, templates: Mapping[str, str], differences: Sequence[Difference]
) -> list[Difference]:
    """Run what differs again on both sides; return what always differs.

    A test that once ended with the addon as it once did without isn't the addon's.
    """
    ends = {d.test: ({d.stock.outcome}, {d.addon.outcome}) for d in differences}
    lasting = list(differences)
    for _ in range(RUNS_AGAIN if lasting else 0):
        say(f"{len(lasting)} tests differ; they are run again on both sides:")
        for difference in lasting:
            say(f"  {difference.line()}")
        tags = ",".join(sorted({tag(difference.test) for difference in lasting}))
        for number, side in enumerate((STOCK, WITH_ADDON)):
            results = suites.run(templates[side], side, tags)
            for test in {difference.test for difference in lasting}:
                ends[test][number].add(results.get(test, _MISSING).outcome)
        for test in sorted(difference.test for difference in lasting):
            told = " / ".join(" or ".join(sorted(outcomes)) for outcomes in ends[test])
            say(f"  {short(test)}: without / with the addon {told}")
        lasting = [d for d in lasting if ends[d.test][0].isdisjoint(ends[d.test][1])]
        if not lasting:
            break
    if chance := len(differences) - len(lasting):
        say(f"  {chance} differed by chance and don't count.")
    return lasting


def tell_failures(stock: Results) -> None:
    """Say which tests don't pass without the addon either."""
    for test, result in sorted(stock.items()):
        if result.outcome in ("failed", "error"):
            say(f"  {result.outcome} on stock: {short(test)}: {result.said}")


def tell_queries(stock: Results, addon: Results) -> None:
    """Say how many queries the tests without a browser made that passed twice."""
    both = [
        (stock[test].queries, addon[test].queries)
        for test in stock.keys() & addon.keys()
        if stock[test].outcome == addon[test].outcome == "passed"
        and not stock[test].browser
    ]
    without, with_addon = sum(one for one, _ in both), sum(other for _, other in both)
    more = sum(1 for one, other in both if other > one)
    fewer = sum(1 for one, other in both if other < one)
    say(
        f"Queries of {len(both)} passed tests without a browser: {without} without,"
        f" {with_addon} with the addon ({more} tests made more, {fewer} fewer)."
    )


def main(state: State, modules: Sequence[str], tags: str | None) -> int:
    """Run ``./dev suites``.

    :param modules: of ``SUITES``; all when empty
    :param tags: value of Odoo's --test-tags instead
    """
    folder = state.folder / "suites"
    with state.locked("suites"), Postgres(state) as postgres:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        odoo = Odoo(state, postgres)
        status = run_suites(Suites(odoo, folder), suite_tags(modules or SUITES, tags))
    say(f"The logs are in {folder}.")
    return status
