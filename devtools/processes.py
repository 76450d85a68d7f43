"""Child processes that never outlive the process that started them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from .supervise import descendants

_SUPERVISOR = Path(__file__).with_name("supervise.py")
Argument = str | os.PathLike[str]


def supervised(
    program: Sequence[Argument],
    *,
    stop_signal: int = signal.SIGTERM,
    grace: float = 10.0,
    options: Sequence[str] = (),
) -> list[str]:
    """Return the command line that runs ``program`` under ``supervise.py``."""
    return [
        # Neither site-packages nor the environment may change how it starts.
        *(sys.executable, "-I", "-S", str(_SUPERVISOR)),
        *("--signal", str(int(stop_signal)), "--grace", str(grace)),
        *options,
        "--",
        *(os.fspath(argument) for argument in program),
    ]


class Child(subprocess.Popen[str]):
    """A started program; its ``pid`` is the supervisor's, see ``program_pids``."""

    lifeline: int = -1

    def program_pids(self) -> list[int]:
        """Return the ids of the program and of all that it started."""
        return descendants(self.pid)

    def stop(self) -> int:
        """End the program in order (its stop signal first); return its exit status."""
        if self.poll() is None:
            self.terminate()
        return self.wait()

    def kill_program(self) -> int:
        """End the program, and what it started, by SIGKILL: a crash."""
        for pid in self.program_pids():
            os.kill(pid, signal.SIGKILL)
        return self.wait()

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the program; see ``subprocess.Popen.wait``."""
        status = super().wait(timeout)
        if self.lifeline >= 0:
            os.close(self.lifeline)
            self.lifeline = -1
        return status


def spawn(
    program: Sequence[Argument],
    *,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stop_signal: int = signal.SIGTERM,
    grace: float = 10.0,
    stdin: int | IO[str] | None = subprocess.DEVNULL,
    stdout: int | IO[str] | None = None,
    merged: bool = False,
    foreground: bool = False,
) -> Child:
    """Start ``program``; it ends with this process, even when that is killed.

    :param log: file that takes the program's output (appended)
    :param env: variables set besides this process's own
    :param grace: seconds between ``stop_signal`` and SIGKILL
    :param merged: what it complains of goes where its output goes
    :param foreground: stay in the terminal's process group, to read from it
    :raises OSError: when the program can't be started
    """
    owned, lifeline = os.pipe()
    options = ["--owner-pipe", str(owned)] + ["--foreground"] * foreground
    handle = open(log, "a") if log else None
    try:
        child = Child(
            supervised(program, stop_signal=stop_signal, grace=grace, options=options),
            env={**os.environ, **(env or {})},
            cwd=cwd,
            stdin=stdin,
            stdout=handle or stdout,
            stderr=subprocess.STDOUT if handle or merged else None,
            pass_fds=(owned,),
            start_new_session=not foreground,
            text=True,
        )
    except BaseException:
        os.close(lifeline)
        raise
    finally:
        os.close(owned)
        if handle:
            handle.close()
    child.lifeline = lifeline
    return child


@contextmanager
def reading(
    program: Sequence[Argument],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[tuple[Child, IO[str]]]:
    """Run ``program``; give it and its output, and wait for its end at the end."""
    child = spawn(program, env=env, cwd=cwd, stdout=subprocess.PIPE, merged=True)
    try:
        assert child.stdout is not None  # noqa: S101 (it is a pipe)
        with child.stdout as output:
            yield child, output
        child.wait()
    finally:
        child.stop()


def run(
    program: Sequence[Argument],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
    stdin: int | IO[str] | None = subprocess.DEVNULL,
    foreground: bool = False,
) -> int:
    """Run ``program`` to its end and return its status; Ctrl-C ends it in order."""
    child = spawn(
        program, env=env, cwd=cwd, log=log, stdin=stdin, foreground=foreground
    )
    try:
        return child.wait()
    finally:
        child.stop()
