"""What mail services make of the messages that they take, for ``FaultServer.habit``.

A habit gets a message (with CRLF), and returns it as it leaves, or None for one that is
dropped without a word, and what the service answers, "" for the usual.
"""

import re
import secrets
from collections.abc import Callable

Habit = Callable[[bytes], tuple[bytes | None, str]]


def drops(message: bytes) -> tuple[bytes | None, str]:
    """Take it, and throw it away."""
    return None, ""


def gives_ids(domain: str, *, answer: str = "", keeps: str = "") -> Habit:
    """Replace the Message-ID.

    `answer`: what is said, with "{local}" and "{id}" for the new id's local part and
    the whole, as Amazon SES and Exchange do. `keeps`: the field that takes the old id.
    """

    def habit(message: bytes) -> tuple[bytes | None, str]:
        local = f"010f{secrets.token_hex(12)}-000000"
        new = f"<{local}@{domain}>"
        old = value(message, "Message-ID")
        message = without(message, "Message-ID")
        message = f"Message-ID: {new}\r\n".encode() + message
        if keeps:
            message = f"{keeps}: {old}\r\n".encode() + message
        return message, answer.format(local=local, id=new)

    return habit


def removes(*names: str) -> Habit:
    """Remove header fields."""
    return lambda message: (without(message, *names), "")


def changes(name: str, text: str) -> Habit:
    """Put another value into a header field."""

    def habit(message: bytes) -> tuple[bytes | None, str]:
        return f"{name}: {text}\r\n".encode() + without(message, name), ""

    return habit


def strips(pattern: bytes) -> Habit:
    """Remove what is like this from the body."""

    def habit(message: bytes) -> tuple[bytes | None, str]:
        head, end, body = message.partition(b"\r\n\r\n")
        return head + end + re.sub(pattern, b"", body), ""

    return habit


def together(*habits: Habit) -> Habit:
    """One after the other; the first answer counts."""

    def habit(message: bytes) -> tuple[bytes | None, str]:
        answers = []
        left: bytes | None = message
        for each in habits:
            if left is not None:
                left, answer = each(left)
                answers.append(answer)
        return left, next(filter(None, answers), "")

    return habit


def without(message: bytes, *names: str) -> bytes:
    """The message without these fields."""
    head, end, body = message.partition(b"\r\n\r\n")
    for name in names:
        field = rb"(?im)^%b:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*(?:\r\n|\Z)" % name.encode()
        head = re.sub(field, b"", head)
    return head.removesuffix(b"\r\n") + end + body


def value(message: bytes, name: str) -> str:
    """A field's value, unfolded."""
    head = message.partition(b"\r\n\r\n")[0]
    field = rb"(?im)^%b:[ \t]*([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)" % name.encode()
    found = re.search(field, head)
    return " ".join(found[1].decode().split()) if found else ""
