"""Fixtures of the tests that need real servers: mail, Odoo, a browser.

What is not installed here skips the test with the reason; under CI it fails.
``./dev test`` says by ``MEA_TEST_FOLDER`` where the servers' files go, and by
``MEA_TEST_TEMPLATE`` which database has the addon installed.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attack_scene import prepared, scene  # noqa: F401 (fixtures)
from delivery_steps import three  # noqa: F401 (a fixture)
from discovery_scene import own_world  # noqa: F401 (a fixture)
from hidden_scene import hidden  # noqa: F401 (a fixture)
from mailbox_scene import address, imap, owner, tell  # noqa: F401 (fixtures)
from oauth_scene import oauth  # noqa: F401 (a fixture)
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from portal_scene import shared_task  # noqa: F401 (a fixture)
from site_setup import Site, prepare

from devtools import node
from devtools.console import DevError, under_ci
from devtools.odoo import Odoo
from devtools.postgres import Postgres
from devtools.served import ServedOdoo
from devtools.state import State
from devtools.testbed.authorization import AuthorizationServer
from devtools.testbed.bed import TestBed
from devtools.testbed.ca import TestCA
from devtools.testbed.dovecot import Dovecot

# A busy machine builds assets and renders slowly; what never comes still fails.
expect.set_options(timeout=20_000)

BROWSER_ARGUMENTS = [
    *("--headless=new", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-dev-shm-usage"),
]


def missing(reason: str) -> None:
    """Skip the test for ``reason``; fail it under CI, which has to have it all."""
    if under_ci():
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def run_name(tmp_path_factory: pytest.TempPathFactory) -> str:
    """How the databases of this process begin; others of the same run have others."""
    given = os.environ.get("MEA_TEST_FOLDER")
    run = Path(given) if given else tmp_path_factory.getbasetemp()
    return f"{run.name}-served{_process()}"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of this process, kept until the next run."""
    given = os.environ.get("MEA_TEST_FOLDER")
    if not given:
        return tmp_path_factory.mktemp("served")
    own = Path(given) / f"served{_process()}"
    own.mkdir(mode=0o755, exist_ok=True)
    return own


def _process() -> str:
    """The number of this process among those that share the tests, or nothing."""
    return os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")


@pytest.fixture(scope="session")
def open_folder(folder: Path) -> Iterator[Path]:
    """A folder that servers without root's rights reach: not below a closed home."""
    if all(parent.stat().st_mode & 0o001 for parent in folder.parents):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="mea-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def bed(open_folder: Path) -> Iterator[TestBed]:
    """Postfix and Dovecot with their mailboxes (``devtools/testbed/bed.py``)."""
    reason = TestBed.missing()
    if reason:
        missing(reason)
    with TestBed(open_folder / "bed") as running:
        yield running


@pytest.fixture(scope="session")
def new_service(open_folder: Path) -> Iterator[Callable[..., AuthorizationServer]]:
    """Return ``new_service(name, secure=True)``: a service that people sign in at.

    It speaks https with a certificate of the bed's authority, or plain http. All are
    ended with the session.
    """
    started: list[AuthorizationServer] = []

    def start(name: str, secure: bool = True) -> AuthorizationServer:
        try:
            packages = node.modules(State())
        except DevError as error:
            missing(str(error))
        authority = TestCA(open_folder / "bed" / "ca") if secure else None
        service = AuthorizationServer(open_folder / name, packages, authority)
        started.append(service)
        return service.start()

    yield start
    for service in started:
        service.stop()


@pytest.fixture(scope="session")
def sign_in_service(
    new_service: Callable[..., AuthorizationServer],
) -> AuthorizationServer:
    """The authorization server of the session; ``oauth_bed`` asks it about tokens."""
    return new_service("authorization")


@pytest.fixture(scope="module")
def oauth_bed(bed: TestBed, sign_in_service: AuthorizationServer) -> Iterator[TestBed]:
    """The bed, which takes access tokens beside passwords while this module runs."""
    reason = Dovecot.missing_for_tokens()
    if reason:
        missing(reason)
    bed.take_tokens(sign_in_service)
    yield bed
    bed.take_tokens(None)


@pytest.fixture(scope="session")
def bench() -> Iterator[Odoo]:
    """What makes databases and configuration files for Odoo."""
    state = State()
    with Postgres(state) as postgres:
        yield Odoo(state, postgres)


@pytest.fixture(scope="session")
def new_odoo(
    bench: Odoo, folder: Path, run_name: str
) -> Iterator[Callable[..., ServedOdoo]]:
    """Return ``new_odoo(**options)``: another Odoo, started on a fresh database.

    The options are those of ``ServedOdoo``; all are ended with the session.
    """
    started: list[ServedOdoo] = []

    def start(**options: object) -> ServedOdoo:
        template = os.environ.get("MEA_TEST_TEMPLATE") or bench.addon_template()
        database = bench.clone(template, f"{run_name}{len(started) + 100}")
        odoo = ServedOdoo(bench, database, folder, **options)  # type: ignore[arg-type]
        started.append(odoo)
        odoo.start()
        return odoo

    yield start
    for odoo in started:
        odoo.stop()
        bench.drop(odoo.database)


@pytest.fixture(scope="session")
def odoo(bed: TestBed, new_odoo: Callable[..., ServedOdoo]) -> ServedOdoo:
    """The session's Odoo; its own outgoing mail server is the bed's relay."""
    return new_odoo(smtp_port=bed.relay)


@pytest.fixture(scope="session")
def site(odoo: ServedOdoo, bed: TestBed) -> Site:
    """The session's Odoo, set up by its administrator (``site_setup.py``)."""
    return prepare(odoo, bed)


@pytest.fixture
def clean(site: Site) -> Iterator[Site]:
    """The site with empty mailboxes and without accounts, before and after."""
    site.bed.clear()
    site.remove_accounts()
    yield site
    site.remove_accounts()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium of the machine, without a window."""
    executable = shutil.which("chromium")
    if not executable:
        missing("no browser: install Debian's package chromium")
    unsandboxed = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=executable, args=[*BROWSER_ARGUMENTS, *unsandboxed]
        )
        yield running
        running.close()


@pytest.fixture
def new_context(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Return ``new_context(**options)``: a browser session of its own."""
    opened: list[BrowserContext] = []

    def create(**options: object) -> BrowserContext:
        wanted = {"viewport": {"width": 1400, "height": 900}, **options}
        opened.append(browser.new_context(**wanted))  # type: ignore[arg-type]
        return opened[-1]

    yield create
    for context in opened:
        context.close()


@pytest.fixture
def page(
    request: pytest.FixtureRequest,
    folder: Path,
    new_context: Callable[..., BrowserContext],
) -> Iterator[Page]:
    """An empty page, 1400 x 900; a failed test's picture is in the run's folder."""
    opened = new_context().new_page()
    yield opened
    report = getattr(request.node, "call_report", None)
    if report is not None and report.failed:
        opened.screenshot(path=folder / f"{request.node.name}.png")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[None]:
    """Keep the result of a test's body for the fixture ``page``."""
    outcome = yield
    if call.when == "call":
        item.call_report = outcome.get_result()  # type: ignore[attr-defined]
