"""An Odoo of its own process on a committed database, as customers run it.

Odoo's test mode sends no mail and runs no cron; whatever is about delivery, crashes
or parallel work is tested against this.
"""

import http.client
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from .cluster import free_port
from .console import DevError
from .odoo import Odoo
from .processes import Child, spawn
from .rpc import OdooClient
from .running import Running

START_SECONDS = 90


class ServedOdoo(Running):
    """Odoo's server on ``database``; ``with ServedOdoo(...) as odoo: ...`` runs it.

    ``url``, ``port``, ``database`` and ``log_file`` say where it is. The database is
    the caller's: it is neither made nor dropped here.
    """

    def __init__(
        self,
        odoo: Odoo,
        database: str,
        folder: Path,
        *,
        port: int | None = None,
        smtp_port: int | None = None,
        workers: int = 0,
        cron_threads: int = 2,
        env: Mapping[str, str] | None = None,
        options: Mapping[str, str] | None = None,
        log_level: str = "info",
        through: Sequence[str] = (),
    ) -> None:
        """Say what to run.

        :param folder: takes the configuration and the log
        :param smtp_port: port on localhost of Odoo's own outgoing mail server
        :param workers: 0 for threads, else the number of worker processes
        :param env: variables besides this process's own
        :param options: further options of Odoo's configuration file
        :param through: a program that runs what stands behind it, as ``env`` does
        """
        self.odoo = odoo
        self._through = tuple(through)
        self.database = database
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_file = folder / f"{database}.log"
        self._env = {**odoo.environment(), **(env or {})}
        self._child: Child | None = None
        #: Where web sockets are served, when there are workers; else at ``port``.
        self.gevent_port = free_port()
        self._workers = workers
        self.config = odoo.write_config(
            folder / f"{database}.conf",
            database,
            http_port=self.port,
            workers=workers,
            cron_threads=cron_threads,
            smtp_port=smtp_port,
            log_level=log_level,
            options={"gevent_port": str(self.gevent_port), **(options or {})},
        )

    def start(self) -> None:
        """Start the server and wait until it answers.

        :raises DevError: when it doesn't within ``START_SECONDS``
        """
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start the server's process.

        :raises RuntimeError: when it runs already
        """
        if self.is_running():
            raise RuntimeError("this Odoo runs already")
        self._child = spawn(
            [*self._through, *self.odoo.command(self.config)],
            env=self._env,
            log=self.log_file,
        )

    def wait_ready(self) -> None:
        """Wait until the server answers requests on its database."""
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._child is None or self._child.poll() is not None:
                raise DevError(f"Odoo ended at once: see {self.log_file}")
            if time.monotonic() > end:
                self.stop()
                raise DevError(f"Odoo doesn't answer: see {self.log_file}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        """Tell whether requests are answered, and web sockets too."""
        return _is_healthy(self.port, "/web/health?db_server_status=1") and (
            not self._workers or _is_healthy(self.gevent_port, "/websocket/health")
        )

    @property
    def pids(self) -> list[int]:
        """The ids of the server's processes, its main process first."""
        return self._child.program_pids() if self._child else []

    def is_running(self) -> bool:
        """Tell whether the server's main process is there."""
        return self._child is not None and self._child.poll() is None

    def stop(self) -> None:
        """End the server in order."""
        if self._child:
            self._child.stop()

    def kill(self) -> None:
        """End the server by SIGKILL, as a crash would; ``start()`` starts it again."""
        if self._child:
            self._child.kill_program()

    def rpc(self, login: str = "admin", password: str | None = None) -> OdooClient:
        """Return a session of user ``login`` (demo users' password is their login)."""
        return OdooClient(self.url, self.database, login, password or login)

    def shell(self, script: str, env: Mapping[str, str] | None = None) -> str:
        """Run a script with ``env`` (Odoo's environment) in it; return its output.

        What the script writes is only kept when it calls ``env.cr.commit()``.
        """
        return self.odoo.shell(self.config, script, env={**self._env, **(env or {})})

    def log(self) -> str:
        """Return the server's log so far."""
        return self.log_file.read_text(errors="replace")


def _is_healthy(port: int, route: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", route)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
