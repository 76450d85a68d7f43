"""``./dev run`` and the commands that look into what it made: shell, mail, reset."""

import fcntl
import http.client
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .console import DevError, say, step
from .odoo import Odoo
from .postgres import Postgres
from .processes import Child, run, spawn
from .served import ServedOdoo
from .state import ADDON, REPOSITORY, State

DATABASE = "demo"
DEFAULT_PORT = 8069
DEFAULT_MAIL_BASE = 2000
#: Added to the base: the sandbox's ports (``devtools/sandbox/service.py``).
_RELAY_OFFSET = 525
_SETUP = REPOSITORY / "devtools" / "demo_setup.py"
_SANDBOX_SECONDS = 20


@dataclass(frozen=True)
class Ports:
    """What the demo listens on; the mail ports are ``mail_base`` + 587 and so on."""

    http: int
    mail_base: int


def guide(url: str) -> str:
    """Return what is told once the demo runs: where it is, logins, steps to try."""
    return f"""
Odoo is ready: {url}

  login    password  who
  admin    admin     administrator
  anna     anna      employee
  bohdan   bohdan    employee, administrator of projects
  olena    olena     employee without an address, follows the tasks

Steps to try
  1. Sign in as anna, open Project and one of the brands' projects, then a task.
  2. Write "Send message" to the customer; "From:" shows the address that it leaves
     through. Pick another one.
  3. See what the customer got (in another terminal):
         ./dev mail client@customer.test
         ./dev mail client@customer.test 1
     and the copy of a colleague, from Odoo's own server:
         ./dev mail olena@corp.test 1
  4. Answer it as the customer, to the mailbox of anna@brand-a.test; the answer is in
     the task within a minute or two, or at once with "Fetch Now" on her address:
         ./dev mail reply client@customer.test 1 "Thank you, that suits us."
  5. Connect another mailbox: your picture > My Preferences > External Addresses.
     Every mailbox of brand-a.test and brand-b.test has the password "sandbox".
     hello@brand-a.test is another address of Anna's mailbox: it needs none.

Ctrl-C ends Odoo, PostgreSQL and the sandbox mail server. ./dev reset begins anew.
"""


class Demo:
    """The demo database with its servers."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.folder = state.demo
        self.mail_folder = state.demo / "mail"

    def run(self, ports: Ports) -> None:
        """Run all servers until Ctrl-C.

        :raises DevError: when something doesn't start, or ends by itself
        """
        with self._only_one():
            self._check_ports(ports)
            with Postgres(self.state) as postgres, self._sandbox(ports) as sandbox:
                odoo = Odoo(self.state, postgres)
                database = self._ensure_database(odoo, ports)
                server = self._server(odoo, database, ports)
                try:
                    with step("Starting Odoo"):
                        server.start()
                        self._warm_up(server)
                    say(guide(f"http://localhost:{ports.http}"))
                    _wait(server, sandbox)
                finally:
                    server.stop()

    def shell(self) -> int:
        """Run Odoo's shell on the demo database: interactive, or a script on stdin."""
        with Postgres(self.state) as postgres:
            odoo = Odoo(self.state, postgres)
            database = odoo.name(DATABASE)
            if not self._made.exists() or database not in postgres.databases():
                raise DevError("there is no demo database yet: './dev run' makes it.")
            base = int(self._base_file.read_text())
            config = odoo.write_config(
                self.folder / "shell.conf",
                database,
                smtp_port=base + _RELAY_OFFSET,
                cron_threads=0,
                log_level="warn",
            )
            command = odoo.command(config, "shell")
            return run(
                command,
                env={**odoo.environment(), **self._setup_environment(base)},
                stdin=None,
                foreground=sys.stdin.isatty(),
            )

    def mail_base(self, wanted: int | None) -> int:
        """Return the mail ports' base: the demo's presets hold the one they began with.

        :raises DevError: when another one is wanted now
        """
        if not self._made.exists():
            return wanted or DEFAULT_MAIL_BASE
        known = int(self._base_file.read_text())
        if wanted not in (None, known):
            raise DevError(
                f"the demo's accounts use mail ports from {known} on: './dev reset'"
                f" first, then './dev run --mail-base {wanted}'."
            )
        return known

    @property
    def _made(self) -> Path:
        return self.folder / "made"

    @property
    def _base_file(self) -> Path:
        return self.folder / "mail-base"

    @contextmanager
    def _only_one(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DevError(
                    "the demo runs already: end it with Ctrl-C in its terminal first."
                ) from None
            yield

    def _check_ports(self, ports: Ports) -> None:
        if not _is_free(ports.http):
            raise DevError(
                f"port {ports.http} is taken: end the program that uses it, or choose"
                " another with './dev run --port NUMBER'."
            )
        self._base_file.write_text(str(ports.mail_base))

    @contextmanager
    def _sandbox(self, ports: Ports) -> Iterator[Child]:
        log = self.folder / "sandbox.log"
        log.unlink(missing_ok=True)
        self.mail_folder.mkdir(exist_ok=True)
        child = spawn(
            [
                *(self.state.python, "-m", "devtools.sandbox"),
                *("--folder", self.mail_folder),
                *("--base-port", str(ports.mail_base)),
            ],
            cwd=REPOSITORY,
            log=log,
            env={"PYTHONDONTWRITEBYTECODE": "1"},
        )
        try:
            _wait_for_sandbox(child, log)
            yield child
        finally:
            child.stop()

    def _ensure_database(self, odoo: Odoo, ports: Ports) -> str:
        """Make the demo database, or bring it to the addon's present state."""
        database = odoo.name(DATABASE)
        known = self._made.read_text() if self._made.exists() else ""
        present = odoo.addon_fingerprint()
        if not known or database not in odoo.postgres.databases():
            self._made.unlink(missing_ok=True)
            odoo.clone(odoo.addon_template(), DATABASE)
            self._set_up(odoo, database, ports)
        elif known != present:
            odoo.install(
                database, (ADDON,), "Updating the addon in the demo", update=True
            )
        self._made.write_text(present)
        return database

    def _set_up(self, odoo: Odoo, database: str, ports: Ports) -> None:
        if not _SETUP.exists():
            return
        config = odoo.write_config(
            self.folder / "setup.conf",
            database,
            smtp_port=ports.mail_base + _RELAY_OFFSET,
            cron_threads=0,
        )
        with step("Connecting the demo's mailboxes"):
            env = self._setup_environment(ports.mail_base)
            say(odoo.shell(config, _SETUP.read_text(), env=env).rstrip())

    def _setup_environment(self, base: int) -> dict[str, str]:
        return {"MEA_MAIL_FOLDER": str(self.mail_folder), "MEA_MAIL_BASE": str(base)}

    def _server(self, odoo: Odoo, database: str, ports: Ports) -> ServedOdoo:
        (self.folder / f"{database}.log").unlink(missing_ok=True)
        return ServedOdoo(
            odoo,
            database,
            self.folder,
            port=ports.http,
            smtp_port=ports.mail_base + _RELAY_OFFSET,
            env=self._setup_environment(ports.mail_base),
        )

    def _warm_up(self, server: ServedOdoo) -> None:
        """Load the registry before the developer's first click does."""
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        connection.request("GET", "/web/login")
        connection.getresponse().read()
        connection.close()


def _wait(server: ServedOdoo, sandbox: Child) -> None:
    """Wait until one of the two ends by itself, which it should not."""
    while server.is_running() and sandbox.poll() is None:
        time.sleep(0.5)
    raise DevError(
        f"Odoo ended by itself: see {server.log_file}"
        if sandbox.poll() is None
        else "the sandbox mail server ended by itself: see its log in the state folder."
    )


def _wait_for_sandbox(child: Child, log: Path) -> None:
    """Wait for the sandbox's line "ready"."""
    end = time.monotonic() + _SANDBOX_SECONDS
    while True:
        said = log.read_text(errors="replace")
        if any(line.startswith("ready ") for line in said.splitlines()):
            return
        if child.poll() is not None or time.monotonic() > end:
            break
        time.sleep(0.05)
    taken = [line for line in said.splitlines() if line.startswith("Port ")]
    if taken:
        number = taken[-1].split()[1]
        raise DevError(
            f"port {number} is taken: end the program that uses it, or choose other"
            " mail ports with './dev run --mail-base NUMBER' (default 2000)."
        )
    raise DevError(f"the sandbox mail server doesn't start: see {log}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def mail(state: State, arguments: Sequence[str]) -> int:
    """List or show the sandbox's mailboxes, or answer one of their mails."""
    from .sandbox import reply, show

    demo = Demo(state)
    if arguments[:1] != ["reply"]:
        return show.main(demo.mail_folder, arguments)
    port = demo.mail_base(None) + _RELAY_OFFSET
    return reply.main(demo.mail_folder, port, arguments[1:])
