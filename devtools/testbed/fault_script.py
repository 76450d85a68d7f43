"""What a fault server is told to do, and what it notes of those who came."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from .fault_actions import Accepted, Action, InTurn
from .fault_habits import Habit


class FaultScript:
    """All that a conversation asks and notes; see ``faults.FaultServer``."""

    #: Of the certificate and its key.
    certificate_files: tuple[Path, Path]

    def __init__(
        self,
        protocol: str,
        security: str,
        *,
        certificate: str = "valid",
        faults: Mapping[str, Action | InTurn] | None = None,
        features: Sequence[str] | None = None,
        password: str | None = None,
        token: str | None = None,
        denied: Collection[str] = (),
        replaced: Collection[str] = (),
        deliver: Callable[[str, str, bytes], None] | None = None,
        habit: Habit | None = None,
    ) -> None:
        self.protocol = protocol
        self.security = security
        self.certificate = certificate
        self.features = features
        self.password = password
        self.token = token
        self.denied = denied
        self.replaced = replaced
        self.deliver = deliver
        self.habit = habit
        self.commands: list[str] = []
        self.logins: list[tuple[str, str]] = []
        self.tokens: list[tuple[str, str]] = []
        self.messages: list[Accepted] = []
        self.connections = 0
        self.stopping = threading.Event()
        self._faults = dict(faults or {})
        self._reached: dict[str, int] = {}
        self._lock = threading.Lock()

    def misbehave(self, faults: Mapping[str, Action | InTurn]) -> None:
        """Have these faults from now on, instead of those before."""
        with self._lock:
            self._faults = dict(faults)
            self._reached.clear()

    def action(self, step: str) -> Action | None:
        """Return what to do at `step` this time."""
        with self._lock:
            fault = self._faults.get(step)
            if not isinstance(fault, InTurn):
                return fault
            turn = self._reached.get(step, 0)
            self._reached[step] = turn + 1
            return fault.actions[turn] if turn < len(fault.actions) else None

    def faulty(self, step: str) -> bool:
        """Whether something is to be done at `step`."""
        with self._lock:
            return step in self._faults
