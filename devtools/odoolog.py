"""What Odoo's log says of an installation: how far it is, and why it failed."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

_LOADING = re.compile(r"Loading module (\w+) \((\d+)/(\d+)\)")
_ENTRY = re.compile(r"\d{4}-\d\d-\d\d ")
_RAISED = re.compile(r"[A-Za-z_.]+(Error|Exception|Violation|Warning)\b")


def loading(log: Path) -> tuple[float, str]:
    """Return how far an installation is, read from Odoo's lines 'Loading module'."""
    found = _LOADING.findall(log.read_text(errors="replace"))
    if not found or found[-1][2] == "1":  # Odoo loads 'base' alone first
        return 0.0, ""
    module, number, total = found[-1]
    return 100 * int(number) / int(total), module


def first_error(text: str) -> str:
    """Return the cause from Odoo's log: what was raised first, and what came of it."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if " ERROR " in line or " CRITICAL " in line:
            raised = [*_raised(lines[number + 1 :])]
            if not raised:
                return line.split(" ", 5)[-1]
            return " -> ".join(dict.fromkeys((raised[0], raised[-1])))
    return lines[-1] if lines else "no reason given"


def _raised(lines: Sequence[str]) -> Iterator[str]:
    """Yield the exceptions of the log entry whose further lines come first."""
    for line in lines:
        if _ENTRY.match(line):
            return
        if _RAISED.match(line):
            yield line.strip()
