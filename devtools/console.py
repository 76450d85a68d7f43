"""What the developer's commands say, and the one kind of error that they report."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class DevError(Exception):
    """A failure told to the developer in one line: the cause, then the remedy."""


class Progress:
    """One line that grows old: rewritten on a terminal, else told at every tenth."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._terminal = sys.stdout.isatty()
        self._told = 0
        if not self._terminal:
            say(f"{label} ...")

    def update(self, percent: float, note: str = "") -> None:
        """Show ``percent`` (0 to 100) and, on a terminal, a short note."""
        step = int(percent) if self._terminal else int(percent) // 10
        if self._terminal:
            width = 40
            note = note if len(note) <= width else note[: width - 1] + "…"
            print(f"\r{self._label} ... {int(percent):3d} % {note:<{width}}", end="")
            sys.stdout.flush()
        elif step > self._told and percent < 100:
            say(f"{self._label} ... {int(percent)} %")
        self._told = max(step, self._told)

    def done(self) -> None:
        """End the line."""
        if self._terminal:
            print(f"\r{self._label} ... done {'':<45}", flush=True)


def say(text: str = "") -> None:
    """Print a line for the developer, at once also into a pipe."""
    print(text, flush=True)


@contextmanager
def step(label: str) -> Iterator[Progress]:
    """Show that something slow is being done."""
    progress = Progress(label)
    yield progress
    progress.done()


def under_ci() -> bool:
    """Tell whether a missing requirement has to fail instead of being skipped."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")
