"""Odoo processes on databases cloned from templates that are made once.

Two templates: Odoo's own modules with demo data, and the same with the addon installed.
(``suites.py`` has two more, ``beside_template`` one.) Each is named after what it
depends on, so a change makes a new one.
"""

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from .console import DevError, step
from .odoolog import first_error, loading
from .postgres import Postgres
from .processes import spawn
from .provision import odoo_home
from .state import ADDON, REPOSITORY, State, fingerprint

MODULES = ("project", "mail", "hr")
#: The first one becomes that of new contacts (base/models/res_lang.py, install_lang).
LANGUAGES = "en_US,uk_UA"
KEY_VARIABLE = "MAIL_EXTERNAL_ACCOUNT_KEY"
#: What changes an installed database when it changes.
_INSTALLED_FOLDERS = (
    *("models", "wizards", "views", "data", "security", "demo", "i18n"),
    "tools",
    "mailkit",
)
_TEMPLATES_KEPT = 3
_PROGRAM = REPOSITORY / "devtools" / "inside" / "odoo_program.py"
_RELEASE_FILES = ("odoo/release.py", ".mea-stamp")


class Odoo:
    """Odoo of a state folder on a running PostgreSQL."""

    def __init__(
        self, state: State, postgres: Postgres, more_addons: Sequence[Path] = ()
    ) -> None:
        """Say where it is; ``more_addons``: folders with addons of others."""
        self.state = state
        self.postgres = postgres
        self.more_addons = more_addons

    # -- programs --------------------------------------------------------------

    def command(self, config: Path, *arguments: str) -> list[str]:
        """Return the command line of Odoo's program; ``arguments`` as to ``odoo``.

        The first argument may be a subcommand such as ``shell``.
        """
        subcommand: Sequence[str] = ()
        if arguments and not arguments[0].startswith("-"):
            subcommand, arguments = arguments[:1], arguments[1:]
        odoo = (str(self.state.python), str(_PROGRAM), *subcommand)
        return [*odoo, "--config", str(config), *arguments]

    def write_config(
        self,
        path: Path,
        database: str,
        *,
        http_port: int = 0,
        workers: int = 0,
        cron_threads: int = 2,
        smtp_port: int | None = None,
        log_level: str = "info",
        options: Mapping[str, str] | None = None,
    ) -> Path:
        """Write a configuration file that only its owner may read; return its path.

        :param http_port: 0 starts no web server
        :param smtp_port: port on localhost of Odoo's own outgoing mail server
        :param options: further options of the file
        """
        access = self.postgres.access
        values: dict[str, str | int | bool] = {
            "addons_path": ",".join(str(folder) for folder in self.addons_path()),
            "data_dir": str(self.state.data),
            "db_host": access.host,
            "db_port": access.port,
            "db_user": access.user,
            "db_password": access.password,
            "db_name": database,
            "dbfilter": f"^{database}$",
            "list_db": False,
            "http_interface": "127.0.0.1",
            "http_enable": bool(http_port),
            "http_port": http_port or 8069,
            "gevent_port": http_port + 1 if http_port else 8072,
            "workers": workers,
            "max_cron_threads": cron_threads,
            "smtp_server": "localhost",
            "smtp_port": smtp_port or 9,  # 9 (discard): nothing leaves by accident
            "log_level": log_level,
            **(options or {}),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        lines = [f"{key} = {value}\n" for key, value in values.items()]
        path.write_text("[options]\n" + "".join(lines))
        return path

    def addons_path(self) -> Iterator[Path]:
        """Yield the folders with addons besides the ones inside the package."""
        yield self.state.addons
        yield from self.more_addons
        home = odoo_home(self.state)
        beside = home / "addons"
        # In a source checkout most addons are beside the package, not inside it.
        if beside.is_dir() and not (home / "odoo" / "addons" / "mail").is_dir():
            yield beside

    def environment(self) -> dict[str, str]:
        """Return the variables for Odoo: the key that the stored secrets need."""
        key = self.state.folder / "secret.key"
        if not key.exists():
            key.touch(mode=0o600)
            key.write_text(secrets.token_urlsafe(32))
        return {KEY_VARIABLE: key.read_text(), "PYTHONUNBUFFERED": "1"}

    def install(
        self,
        database: str,
        modules: Sequence[str],
        label: str,
        *,
        update: bool = False,
        language: bool = False,
        demo: bool = True,
    ) -> None:
        """Install modules into ``database``, or update them there.

        :param language: also add ``LANGUAGES``; later modules then come with them
        :param demo: with demo data
        :raises DevError: with Odoo's own last error
        """
        config = self.write_config(self.state.folder / f"{database}.conf", database)
        log = self.state.folder / f"{database}.log"
        log.unlink(missing_ok=True)
        try:
            action = ["-u" if update else "-i", ",".join(modules)]
            action += ["--load-language", LANGUAGES] if language else []
            action += ["--with-demo"] if demo else []
            self._install(config, action, log, label)
            log.unlink()
        finally:
            config.unlink()

    def _install(
        self, config: Path, action: Sequence[str], log: Path, label: str
    ) -> None:
        command = self.command(
            config,
            *(*action, "--stop-after-init", "--max-cron-threads=0", "--log-level=info"),
        )
        with step(label) as progress:
            child = spawn(command, env=self.environment(), log=log)
            try:
                while child.poll() is None:
                    percent, module = loading(log)
                    progress.update(percent, module)
                    time.sleep(0.2)
            finally:
                status = child.stop()
        text = log.read_text(errors="replace")
        if status != 0 or " ERROR " in text or " CRITICAL " in text:
            raise DevError(
                f"Odoo fails at '{' '.join(action)}': {first_error(text)}"
                f" (all of it in {log})."
            )

    def shell(
        self,
        config: Path,
        script: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> str:
        """Run a script in Odoo's shell; return what it printed.

        :raises DevError: when the script raised
        """
        child = spawn(
            self.command(config, "shell", "--no-http", "--log-level=warn"),
            env={**self.environment(), **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            printed, _ = child.communicate(script)
        finally:
            status = child.stop()
        if status != 0:
            raise DevError("the script failed in Odoo's shell; see above.")
        return str(printed)

    # -- databases -------------------------------------------------------------

    def stock_template(self) -> str:
        """Return the database with Odoo's own modules; make it when needed."""
        name = self.name(
            "stock", fingerprint([*self.release_marks(), *MODULES, LANGUAGES])
        )
        self.ensure_template(name, None, MODULES, "Making a database of Odoo's modules")
        return name

    def addon_template(self) -> str:
        """Return the database that has the addon installed; make it when needed."""
        stock = self.stock_template()
        name = self.name("addon", fingerprint([stock, self.addon_fingerprint()]))
        self.ensure_template(name, stock, (ADDON,), "Installing the addon")
        self.forget_templates("addon")
        return name

    def beside_template(self, modules: Sequence[str], locked: str) -> str:
        """Return the database with the addon and ``modules`` of others; make it.

        :param locked: what tells the versions of these modules
        """
        source = self.addon_template()
        name = self.name("beside", fingerprint([source, locked, *modules]))
        label = f"Installing {', '.join(modules)}"
        self.ensure_template(name, source, modules, label, demo=False)
        self.forget_templates("beside")
        return name

    def release_marks(self) -> list[str]:
        """Return what tells one Odoo from another."""
        home = odoo_home(self.state)
        parts = [(home / name) for name in _RELEASE_FILES]
        return [str(home), *(part.read_text() for part in parts if part.exists())]

    def addon_fingerprint(self) -> str:
        """Return what changes when an installed addon has to be updated."""
        return fingerprint(_addon_parts())

    def clone(self, template: str, name: str) -> str:
        """Copy database ``template`` with its files; return the copy's name."""
        name = self.name(name)
        with self.state.locked("templates"):
            self.drop(name)
            self.postgres.create_database(name, template)
            self._copy_files(template, name)
        return name

    def drop(self, name: str) -> None:
        """Drop a database and its files."""
        self.postgres.drop_database(name)
        shutil.rmtree(self._files(name), ignore_errors=True)

    def name(self, *parts: str) -> str:
        """Return a database's name: the parts after ``DATABASE_URL``'s prefix."""
        prefix = self.postgres.access.prefix
        return "-".join(part for part in (prefix, *parts) if part)

    def _files(self, database: str) -> Path:
        return self.state.data / "filestore" / database

    def _copy_files(self, source: str, target: str) -> None:
        """Link the attachments: Odoo never changes such a file, it only deletes."""
        if self._files(source).exists():
            shutil.copytree(
                self._files(source), self._files(target), copy_function=os.link
            )

    def ensure_template(
        self,
        name: str,
        source: str | None,
        modules: Sequence[str],
        label: str,
        demo: bool = True,
    ) -> None:
        """Make template ``name`` when it isn't there: ``source`` and ``modules``."""
        mark = self.state.folder / f"template-{name}"
        with self.state.locked("templates"):
            if name not in self.postgres.databases():
                self._make_template(name, source, modules, label, demo)
            mark.touch()

    def _make_template(
        self,
        name: str,
        source: str | None,
        modules: Sequence[str],
        label: str,
        demo: bool,
    ) -> None:
        """Make it under another name first: half a template is never used."""
        making = f"{name}-new"
        self.drop(making)
        self.postgres.create_database(making, source)
        try:
            if source:
                self._copy_files(source, making)
            language = demo and source is None
            self.install(making, modules, label, language=language, demo=demo)
        except BaseException:
            self.drop(making)
            raise
        self.postgres.rename_database(making, name)
        shutil.rmtree(self._files(name), ignore_errors=True)
        if self._files(making).exists():
            self._files(making).rename(self._files(name))

    def forget_templates(self, kind: str) -> None:
        """Drop the templates that were not used for longest."""
        with self.state.locked("templates"):
            marks = sorted(
                self.state.folder.glob(f"template-{self.name(kind)}-*"),
                key=lambda mark: mark.stat().st_mtime,
            )
            for mark in marks[:-_TEMPLATES_KEPT]:
                self.drop(mark.name.removeprefix("template-"))
                mark.unlink()


def _addon_parts() -> Iterator[bytes]:
    files = [path for path in REPOSITORY.glob("*.py")]
    for folder in _INSTALLED_FOLDERS:
        files += (REPOSITORY / folder).rglob("*")
    for file in sorted(files):
        if file.is_file() and file.suffix != ".pyc":
            yield str(file.relative_to(REPOSITORY)).encode()
            yield file.read_bytes()
