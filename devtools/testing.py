"""``./dev test``: every kind of test by the runner that it needs, and one sum."""

import fcntl
import os
import re
import shutil
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from .cluster import free_port
from .console import DevError, say, under_ci
from .odoo import Odoo
from .postgres import Postgres
from .processes import run, spawn
from .state import ADDON, ODOO, REPOSITORY, SERVED, UNIT, State
from .suites import WITH_ADDON, Result, Suites, short

_UNIT_TITLE = "== Unit tests (no Odoo)"
RUNNERS = (UNIT, ODOO, SERVED)
#: Not a folder of ours: how many queries Odoo's own tests allow.
QUERIES = "queries"
QUERY_MODULES = ("project", "test_mail")  # more of them make more queries
QUERY_TESTS = "/test_mail/tests/test_performance.py,/mail/tests/test_mail_render.py"
#: As this module and tests/served name them; nobody else's may match.
_TEST_DATABASE = re.compile(r"test[a-z0-9]{8}-(odoo|run\d+|served\d*(-beside)?)$")
#: That run served tests side by side.
SERVED_PROCESSES = 2
_OTHERS = (UNIT, SERVED)  # below the folder of the tests inside Odoo
_NO_TESTS = 5  # pytest's exit status when nothing was collected


@dataclass
class Tally:
    """Results summed over the runners."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    #: What went wrong besides single tests, one line each.
    broken: list[str] = field(default_factory=list)

    def add_report(self, report: Path) -> None:
        """Add the numbers of a JUnit report.

        :raises OSError, ElementTree.ParseError: when there is no whole report
        """
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):  # noqa: S314
            number = {name: int(suite.get(name, 0)) for name in _REPORTED}
            failed = number["failures"] + number["errors"]
            self.failed += failed
            self.skipped += number["skipped"]
            self.passed += number["tests"] - failed - number["skipped"]

    def add_results(self, results: Mapping[str, Result]) -> None:
        """Add what Odoo's own runner found; name what didn't pass."""
        for test, result in results.items():
            if result.outcome == "passed":
                self.passed += 1
            elif result.outcome == "skipped":
                self.skipped += 1
            else:
                self.failed += 1
                say(f"FAILED {short(test)}: {result.said}")

    def closing_line(self) -> str:
        """Return the last line of all; what is broken counts as failed."""
        failed = self.failed + len(self.broken)
        return f"{self.passed} passed, {failed} failed, {self.skipped} skipped"


_REPORTED = ("tests", "failures", "errors", "skipped")


def route(paths: Sequence[str], here: Path) -> dict[str, list[str]]:
    """Sort test paths by runner; without any, every runner gets all that it has.

    The folder ``tests`` itself stands for what is right in it, and runs inside Odoo.

    :param paths: ``FILE``, ``FOLDER`` or ``FILE::CASE``, from ``here`` or the root
    :return: runner -> paths from the repository's root
    :raises DevError: for a path without tests
    """
    if not paths:
        whole = [name for name in RUNNERS if (REPOSITORY / name).is_dir()]
        return {runner: [runner] for runner in [*whole, QUERIES]}
    routed: dict[str, list[str]] = {}
    for path in paths:
        name, separator, case = path.partition("::")
        found = _inside_repository(name, here)
        runner = _runner(found) if found else ""
        if not runner:
            raise DevError(
                f"there are no tests at {name}: tests are in {', '.join(RUNNERS)}."
            )
        routed.setdefault(runner, []).append(f"{found}{separator}{case}")
    return {runner: routed[runner] for runner in RUNNERS if runner in routed}


def _runner(path: Path) -> str:
    """Return the runner of the innermost folder that has one, or nothing."""
    folders = [str(path), *map(str, path.parents)]
    return next((folder for folder in folders if folder in RUNNERS), "")


def _inside_repository(name: str, here: Path) -> Path | None:
    for base in (here, REPOSITORY):
        path = Path(os.path.abspath(base / name))
        if path.exists() and path.is_relative_to(REPOSITORY):
            return path.relative_to(REPOSITORY)
    return None


def run_tests(
    state: State, routed: dict[str, list[str]], options: Sequence[str]
) -> int:
    """Run the tests; return the command's exit status.

    :param options: handed to pytest as they are
    """
    tally = Tally()
    with _run_folder(state) as folder:
        unit = _Pytest(state, folder, UNIT, [*routed.get(UNIT, []), *options])
        if routed.keys() == {UNIT}:
            say(_UNIT_TITLE)
            unit.run(tally)
        else:
            with Postgres(state) as postgres:
                odoo = Odoo(state, postgres)
                _drop_leftovers(odoo, folder)
                with unit.beside(tally) if UNIT in routed else nullcontext():
                    template = _run_in_odoo(odoo, tally, folder, routed, options)
                if template and SERVED in routed:
                    say("== Served tests (a served Odoo, mail servers, a browser)")
                    paths = [*routed[SERVED], *_shared(routed[SERVED]), *options]
                    served = _Pytest(state, folder, SERVED, paths)
                    served.env["MEA_TEST_FOLDER"] = str(folder)
                    served.env["MEA_TEST_TEMPLATE"] = template
                    served.run(tally)
    for line in tally.broken:
        say(f"FAILED: {line}")
    say(tally.closing_line())
    return 1 if tally.failed or tally.broken else 0


def _shared(paths: Sequence[str]) -> list[str]:
    """Return what lets processes share whole files of served tests.

    They wait for servers most of the time. Each process has servers of its own.
    """
    several = len(paths) > 1 or not Path(paths[0].partition("::")[0]).suffix
    return ["-n", str(SERVED_PROCESSES), "--dist", "loadfile"] if several else []


def _run_in_odoo(
    odoo: Odoo,
    tally: Tally,
    folder: Path,
    routed: dict[str, list[str]],
    options: Sequence[str],
) -> str:
    """Run what needs a database, but no server; return the databases' template."""
    try:
        template = odoo.addon_template()
    except DevError as error:
        tally.broken.append(str(error))
        return ""
    if ODOO in routed:
        say("== Odoo tests (inside Odoo, one transaction each)")
        if under_ci() and not shutil.which("chromium"):
            tally.broken.append("tours need Chromium: install Debian's chromium")
        database = odoo.clone(template, f"{folder.name}-odoo")
        config = odoo.write_config(
            folder / "odoo.conf", database, http_port=free_port(), cron_threads=0
        )
        paths = [str(odoo.state.addons / ADDON / path) for path in routed[ODOO]]
        others = [f"--ignore={odoo.state.addons / ADDON / name}" for name in _OTHERS]
        arguments = [f"--odoo-config={config}", "--odoo-http", "-ra", *others]
        arguments += [*paths, *options]
        tests = _Pytest(odoo.state, folder, ODOO, arguments)
        tests.env.update(odoo.environment())
        tests.run(tally)
        odoo.drop(database)
    if QUERIES in routed:
        say("== Query counts (Odoo's own tests, no account configured)")
        _count_queries(odoo, tally, folder)
    return template


def _count_queries(odoo: Odoo, tally: Tally, folder: Path) -> None:
    suites = Suites(odoo, folder)
    try:
        template = suites.templates(QUERY_MODULES, QUERIES)[WITH_ADDON]
        results = suites.run(template, WITH_ADDON, QUERY_TESTS)
    except DevError as error:
        tally.broken.append(str(error))
    else:
        tally.add_results(results)


class _Pytest:
    """One runner's tests, in a process of their own with the variables ``env``."""

    def __init__(
        self, state: State, folder: Path, runner: str, arguments: Sequence[str]
    ) -> None:
        self._runner = runner
        name = runner.replace("/", "-")
        self._report = folder / f"{name}.xml"
        self._log = folder / f"{name}.log"
        self._command = [
            *(str(state.python), "-m", "pytest", "-p", "no:cacheprovider", "-q"),
            *(f"--junitxml={self._report}", f"--basetemp={folder / f'{name}.tmp'}"),
            *arguments,
        ]
        self.env = {"PYTHONDONTWRITEBYTECODE": "1", "MEA_STATE": str(state.folder)}

    def run(self, tally: Tally) -> None:
        """Run them to their end."""
        self._add(tally, run(self._command, cwd=REPOSITORY, env=self.env))

    @contextmanager
    def beside(self, tally: Tally) -> Iterator[None]:
        """Run them beside what is done inside, and then show what they say."""
        child = spawn(self._command, cwd=REPOSITORY, env=self.env, log=self._log)
        try:
            yield
            status = child.wait()
        finally:
            child.stop()
        say(_UNIT_TITLE)
        say(self._log.read_text(errors="replace").rstrip())
        self._add(tally, status)

    def _add(self, tally: Tally, status: int) -> None:
        try:
            tally.add_report(self._report)
        except (OSError, ElementTree.ParseError):
            tally.broken.append(
                f"{self._runner}: pytest made no report (status {status})"
            )
            return
        if status not in (0, 1, _NO_TESTS):
            tally.broken.append(f"{self._runner}: pytest ended with status {status}")


@contextmanager
def _run_folder(state: State) -> Iterator[Path]:
    """Make a folder for this run; its name begins the names of its databases.

    Folders of ended runs go; the last one's stays until the next run, for its logs.
    """
    state.tests.mkdir(parents=True, exist_ok=True)
    for old in state.tests.iterdir():
        if not _is_used(old):
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix="test", dir=state.tests))
    folder = folder.rename(state.tests / folder.name.lower().replace("_", "0"))
    # Servers that give up root's rights have to reach their own folders in it.
    folder.chmod(0o755)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _is_used(folder: Path) -> bool:
    try:
        with open(folder / "lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True


def _drop_leftovers(odoo: Odoo, folder: Path) -> None:
    """Drop the databases of runs that ended without doing so."""
    prefix = odoo.postgres.access.prefix
    alive = [path.name for path in folder.parent.iterdir() if _is_used(path)]
    for database in odoo.postgres.databases():
        name = database.removeprefix(prefix).lstrip("-")
        if _TEST_DATABASE.match(name) and not name.startswith((*alive, folder.name)):
            odoo.drop(database)
