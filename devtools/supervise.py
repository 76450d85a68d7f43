"""Run one program so that it, and all that it starts, ends together with its owner.

Standalone script (``python supervise.py OPTIONS -- PROGRAM ...``), started by
``processes.spawn`` and ``postgres``. It ends the program when

- it is told to (SIGTERM, SIGINT, SIGHUP),
- its owner is gone, even by SIGKILL: the pipe ``--owner-pipe`` reaches its end, or
  nobody holds the shared lock on the file ``--users-lock`` any more.

Daemons that detach themselves stay its descendants (PR_SET_CHILD_SUBREAPER, prctl(2))
and are ended too. Its exit status is the program's, 128 + N after signal N.
"""

import argparse
import ctypes
import fcntl
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def descendants(root: int) -> list[int]:
    """Return the ids of all processes below ``root``, parents first (proc(5))."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as handle:
                state, parent = handle.read().rpartition(b")")[2].split()[:2]
        except OSError:
            continue
        if state != b"Z":
            children.setdefault(int(parent), []).append(int(name))
    found: list[int] = []
    queue = [root]
    while queue:
        below = children.get(queue.pop(0), [])
        found += below
        queue += below
    return found


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _reap(main: int) -> int | None:
    """Collect ended children; return the wait status of ``main`` when it is one."""
    status = None
    while True:
        try:
            pid, ended = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if pid == 0:
            return status
        if pid == main:
            status = ended


class Supervisor:
    """Starts the program and watches over it until nothing of it is left."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._stopping = False

    def run(self) -> int:
        """Return the exit status for the program, when it and its kin are gone."""
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
        for number in STOP_SIGNALS:
            signal.signal(number, self._stop)
        if self._options.foreground:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        if self._options.users_lock:
            threading.Thread(target=self._wait_for_lock, daemon=True).start()
        program = subprocess.Popen(
            self._options.program,
            pass_fds=(),
            preexec_fn=self._prepare_child,
        )
        status = self._watch(program.pid)
        self._end_rest()
        return os.waitstatus_to_exitcode(status)

    def _prepare_child(self) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _prctl(PR_SET_PDEATHSIG, self._options.signal)

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _wait_for_lock(self) -> None:
        with open(self._options.users_lock) as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            self._stopping = True
            os.write(self._wake_write, b"x")
            threading.Event().wait()  # the lock is held until this process is gone

    def _watch(self, pid: int) -> int:
        sources = [self._wake_read]
        if self._options.owner_pipe is not None:
            sources.append(self._options.owner_pipe)
        deadline: float | None = None
        while True:
            status = _reap(pid)
            if status is not None:
                return status
            if self._stopping and deadline is None:
                deadline = time.monotonic() + self._options.grace
                _signal(pid, self._options.signal)
            if deadline is not None and time.monotonic() >= deadline:
                _signal(pid, signal.SIGKILL)
            ready = select.select(sources, [], [], None if deadline is None else 0.2)[0]
            if self._wake_read in ready:
                os.read(self._wake_read, 4096)
            if self._options.owner_pipe in ready:
                sources.remove(self._options.owner_pipe)
                self._stopping = True

    def _end_rest(self) -> None:
        self._signal_rest(signal.SIGTERM, lambda left: left > 3.0)
        self._signal_rest(signal.SIGKILL, lambda left: left > 0.0)

    def _signal_rest(self, number: int, goes_on: Callable[[float], bool]) -> None:
        """Send ``number`` to what is left, and give it up to two seconds to end."""
        end = time.monotonic() + 5.0
        told: set[int] = set()
        while (rest := descendants(os.getpid())) and goes_on(end - time.monotonic()):
            for pid in rest:
                if pid not in told:
                    told.add(pid)
                    _signal(pid, number)
            time.sleep(0.02)
            _reap(0)


def main() -> int:
    """Read the options and supervise."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--signal", type=int, default=signal.SIGTERM)
    parser.add_argument("--grace", type=float, default=10.0)
    parser.add_argument("--owner-pipe", type=int)
    parser.add_argument("--users-lock")
    parser.add_argument("--foreground", action="store_true")
    parser.add_argument("program", nargs="+")
    code = Supervisor(parser.parse_args()).run()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
