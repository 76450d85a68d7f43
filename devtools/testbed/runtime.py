"""A temporary folder for servers that an interrupted run may have left behind."""

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

PID_FILES = ("postfix/queue/pid/master.pid", "dovecot/run/master.pid")


class Runtime:
    """One temporary folder per `folder`, found again through the link "runtime".

    It is not inside `folder`, because the servers' own users must be able to enter
    it, and because the path of a Unix socket has at most 107 bytes, unix(7).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._link = folder / "runtime"
        self._lock: int | None = None

    def open(self) -> Path:
        """Lock `folder`, clear away what is left of an earlier run, make the new one.

        Raises RuntimeError when another process holds the lock.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise RuntimeError(f"Another test bed runs in {self._folder}") from error
        self._lock = lock
        self._clear()
        made = Path(tempfile.mkdtemp(prefix="mailbed-"))
        made.chmod(0o755)
        self._link.symlink_to(made)
        return made

    def close(self) -> None:
        """Remove the temporary folder; harmless when there is none."""
        if self._lock is not None:
            self._clear()
            os.close(self._lock)
            self._lock = None

    def _clear(self) -> None:
        if not self._link.is_symlink():
            return
        target = Path(os.readlink(self._link))
        for name in PID_FILES:
            _end_server(target / name, str(target))
        shutil.rmtree(target, ignore_errors=True)
        self._link.unlink()


def _end_server(pid_file: Path, folder: str, seconds: float = 5.0) -> None:
    """End the server of `pid_file`, if that pid still is one started for `folder`."""
    if not pid_file.exists():
        return
    content = pid_file.read_text(encoding="ascii").strip()
    if not content.isdigit():
        return
    pid = int(content)
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + seconds
        if _runs(pid, folder):
            os.kill(pid, number)
        while _runs(pid, folder) and time.monotonic() < deadline:
            time.sleep(0.02)


def _runs(pid: int, folder: str) -> bool:
    """Whether `pid` has `folder` in its command line, as our servers' masters do."""
    try:
        return folder.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def free_ports(names: Sequence[str]) -> dict[str, int]:
    """A port for each name, all different, free on 127.0.0.1 a moment ago."""
    with contextlib.ExitStack() as stack:
        ports = {}
        for name in names:
            probe = stack.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            ports[name] = probe.getsockname()[1]
        return ports
