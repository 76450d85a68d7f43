"""What the two servers of the test bed have in common: one process and one log."""

import socket
import time
from collections.abc import Sequence
from pathlib import Path

from ..processes import Child, spawn

START_SECONDS = 20.0


class Server:
    """A server program in the foreground, which ends together with its owner."""

    def __init__(self, name: str, folder: Path, log_file: Path) -> None:
        self.name = name
        self.folder = folder
        self.log_file = log_file
        self._child: Child | None = None

    def run(self, argv: Sequence[str], ports: Sequence[int]) -> None:
        """Start the program and wait until it listens on `ports` of 127.0.0.1.

        Raises RuntimeError, with what the server said, when it does not.
        """
        self._child = spawn(argv, log=self.folder / "output")
        deadline = time.monotonic() + START_SECONDS
        for port in ports:
            while not _listens(port):
                if self._child.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(
                        f"{self.name} does not listen on port {port}: "
                        + _tail(self.folder / "output")
                        + _tail(self.log_file)
                    )
                time.sleep(0.02)

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def stop(self) -> None:
        """End the program and all its processes; harmless when it does not run."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def log(self) -> str:
        """All that the server wrote to its log."""
        if not self.log_file.exists():
            return ""
        return self.log_file.read_text(encoding="utf-8", errors="replace")


def _tail(file: Path) -> str:
    if not file.exists():
        return ""
    return file.read_text(encoding="utf-8", errors="replace")[-2000:]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
