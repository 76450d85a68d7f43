"""``./dev reset``: empty the state folder, unless something uses it."""

import fcntl
import os
import shutil
from pathlib import Path

from .console import DevError, say
from .state import State


def reset(state: State) -> int:
    """Empty the state folder.

    :raises DevError: while something in it is in use
    """
    locks = [state.demo / "lock", state.postgres / "users.lock"]
    locks += [state.folder / "provision.lock", *state.tests.glob("*/lock")]
    for lock in locks:
        if _is_locked(lock):
            raise DevError(
                "something of it still runs (./dev run, test or shell): end it first."
            )
    for path in state.contents():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    say(f"{state.folder} is empty: the next command makes it anew.")
    return 0


def _is_locked(lock: Path) -> bool:
    try:
        handle = os.open(lock, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
