"""What a fault server can be told to do, and what it tells afterwards."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Reply:
    """Send this instead of the regular answer. "{tag}" stands for IMAP's tag."""

    text: str


@dataclass(frozen=True)
class Delay:
    """Wait so many seconds, then answer as usual."""

    seconds: float


@dataclass(frozen=True)
class Hang:
    """Say nothing any more, and keep the connection open."""


@dataclass(frozen=True)
class Drop:
    """Close the connection instead of answering."""


@dataclass(frozen=True)
class Garbage:
    """Send these bytes instead of the answer, as they are."""

    data: bytes = b"\x00\xff\xfe\x01GET\x80 / 42\r\n"


@dataclass(frozen=True)
class Raw:
    """Send these bytes instead of the answer; "{tag}" in them stands for the tag."""

    data: bytes


@dataclass(frozen=True)
class Flood:
    """Send these bytes again and again, as long as the client listens."""

    data: bytes


@dataclass(frozen=True)
class Drip:
    """Send the regular answer with so many seconds after each byte."""

    seconds: float


class InTurn:
    """Another action each time the step is reached; None for the regular answer.

    After the last one everything is regular.
    """

    def __init__(self, *actions: "Action | None") -> None:
        self.actions = actions


Action = Reply | Delay | Hang | Drop | Garbage | Drip | Raw | Flood


@dataclass(frozen=True)
class Accepted:
    """A message that was accepted. Options are those of MAIL FROM."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes
    options: tuple[str, ...] = field(default=())
