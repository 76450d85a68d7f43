"""A PostgreSQL server of our own, shared by all commands that run at the same time.

The first command starts it, the last one ends it: each holds a shared lock on a file,
and the server's supervisor stops it once nobody does, so also after SIGKILL. Data
outlives a crash of the programs, but not one of the machine (no fsync).
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
import time
from pathlib import Path
from typing import IO

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


class Cluster:
    """The server in a state folder, as one of its users starts and stops it."""

    def __init__(self, state: State, programs: Path) -> None:
        """``programs`` is the folder of PostgreSQL's programs."""
        self._state = state
        self._folder = state.postgres
        self._programs = programs
        self._users: IO[str] | None = None

    def start(self) -> tuple[int, str]:
        """Use the server that runs, or start it; return its port and the password.

        :raises DevError: when it doesn't start
        """
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
            except BaseException:
                self._users.close()
                raise
        port = int((self._folder / "port").read_text())
        return port, (self._folder / "password").read_text()

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

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _is_running(self) -> bool:
        try:
            pid = int((self._folder / "supervisor.pid").read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            return os.fsencode(self._folder / "users.lock") in command
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
                *(str(self._programs / "initdb"), "-D", str(fresh), "-U", ROLE),
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
            *(str(self._programs / "postgres"), "-D", str(self._data), "-p", str(port)),
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
    (setpriv(1)): the state folder may be below root's home. access(2) heeds that right
    only with the secure bit no_setuid_fixup (capabilities(7)).
    """
    account = _unprivileged()
    if account is None:
        return list(command)
    rights = "+dac_override,+dac_read_search"
    return [
        *("setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}"),
        *("--clear-groups", "--securebits=+no_setuid_fixup"),
        *(f"--inh-caps=-all,{rights}", f"--ambient-caps={rights}", "--"),
        *command,
    ]
