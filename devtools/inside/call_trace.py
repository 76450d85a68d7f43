"""Notes which functions of the addon run in a served Odoo, see ``tracing.py``."""

import sys
import threading
from contextlib import suppress
from functools import cache
from inspect import CO_OPTIMIZED
from multiprocessing.connection import Listener
from pathlib import Path
from types import FrameType

_ADDON = Path(__file__).resolve().parents[2]
_SHIPPED = [_ADDON / name for name in ("mailkit", "models", "tools", "wizards")]
#: ``file:function`` in the order of the first calls, as a set that keeps it.
_called: dict[str, None] = {}


def start(socket: str) -> None:
    """Note the calls of this thread, and of all that are started from now on.

    :param socket: path of the Unix socket at which what was noted is asked for
    """
    threading.Thread(target=_answer, args=(socket,), daemon=True).start()
    threading.settrace(_note)
    sys.settrace(_note)


def _answer(socket: str) -> None:
    """Forget what was noted when somebody connects, and send it when they ask."""
    with Listener(socket) as listener:
        while True:
            with listener.accept() as connection, suppress(EOFError):
                _called.clear()
                connection.send("begun")
                connection.recv()
                connection.send(list(_called))


def _note(frame: FrameType, _event: str, _arg: object) -> None:
    """Python calls this for each frame that begins, but not for its lines."""
    code = frame.f_code
    file = _shipped(code.co_filename)
    # The body of a module or of a class is run by an import, and is not optimized.
    if file and code.co_flags & CO_OPTIMIZED:
        _called.setdefault(f"{file}:{code.co_qualname}")


@cache
def _shipped(filename: str) -> str | None:
    """Path inside the addon; None of what is not shipped with it."""
    path = Path(filename).resolve()
    if any(path.is_relative_to(folder) for folder in _SHIPPED):
        return str(path.relative_to(_ADDON))
    return None
