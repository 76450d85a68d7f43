"""What runs while a ``with`` block lasts."""

from types import TracebackType
from typing import TypeVar

_Self = TypeVar("_Self", bound="Running")


class Running:
    """``with Server(...) as server: ...``: started before, stopped after it."""

    def start(self) -> object:
        """Begin."""
        raise RuntimeError(f"{type(self).__name__} does not say how it starts")

    def stop(self) -> None:
        """End; harmless when it does not run."""
        raise RuntimeError(f"{type(self).__name__} does not say how it ends")

    def __enter__(self: _Self) -> _Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
