"""Header fields as they leave: Python's `email` may write another text than it shows.

What it cannot read is shown as nothing and written as it was (`str` and `fold` of
`email.headerregistry`); and line breaks in encoded words end a field, so that what
follows is a field of its own (CVE-2024-6923, mended in Python 3.12.5).
"""

from __future__ import annotations

import re
from email.message import EmailMessage

# As CPython's mend has it (Lib/email/generator.py).
_BREAK = re.compile(r"\r\n[^ \t]|\r[^ \n\t]|\n[^ \t]")
_DEPTH = 5  # encoded words within encoded words


def written(message: EmailMessage, name: str) -> list[str]:
    """Every value of the fields `name`, unfolded, as it leaves."""
    return [
        _value(message, key, value)
        for key, value in message.raw_items()
        if key.lower() == name.lower()
    ]


def has_breaks(message: EmailMessage) -> bool:
    """Whether a field of `message` would leave as more than one."""
    return any(_breaks(message, key, value) for key, value in message.raw_items())


def join_lines(message: EmailMessage) -> None:
    """Make one field of each again. What is nested too deep keeps `has_breaks`."""
    for _time in range(_DEPTH):
        if not has_breaks(message):
            return
        fields = [
            (
                key,
                _value(message, key, value) if _breaks(message, key, value) else value,
            )
            for key, value in message.raw_items()
        ]
        for key in set(message.keys()):
            del message[key]
        for key, value in fields:
            message[key] = value


def _breaks(message: EmailMessage, key: str, value: str) -> bool:
    folded = message.policy.fold(key, value).rstrip("\r\n")
    return _BREAK.search(folded) is not None


def _value(message: EmailMessage, key: str, value: str) -> str:
    return " ".join(message.policy.fold(key, value).partition(":")[2].split())
