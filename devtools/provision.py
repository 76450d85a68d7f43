"""Make ready what the commands need: Python packages at locked versions, and Odoo."""

import errno
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .console import DevError, step
from .debian import ensure_odoo, no_space
from .processes import reading
from .state import ADDON, NEEDED_SPACE, NOT_ADDON, REPOSITORY, State, fingerprint

RUNTIME = REPOSITORY / "devtools" / "requirements.txt"
TESTING = REPOSITORY / "devtools" / "requirements-test.txt"
BESIDE = REPOSITORY / "devtools" / "requirements-beside.txt"
_NETWORK_WORDS = (
    "NewConnectionError",
    "Name or service not known",
    "Temporary failure in name resolution",
    "Network is unreachable",
    "Connection refused",
    "ProxyError",
    "ReadTimeoutError",
    "ConnectTimeoutError",
    "from versions: none",
)


def provision(state: State, *, testing: bool, odoo: bool = True) -> None:
    """Fetch and install what is missing in ``state``; quick when nothing is.

    :param testing: also the packages that only tests and checks need
    :param odoo: also Odoo itself
    :raises DevError: with the remedy
    """
    state.create()
    with state.locked("provision"):
        locks = [RUNTIME, TESTING] if testing else [RUNTIME]
        if not _stamp(state, locks[-1]).exists() and not state.odoo.exists():
            _check_space(state)
        try:
            _ensure_venv(state)
            for lock in locks:
                _install(state, lock)
            home = odoo_home(state)
            if odoo:
                home = _ensure_home(state)
            _link(state, home)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise no_space() from None
            raise


def odoo_home(state: State) -> Path:
    """Return the folder that holds the ``odoo`` package (it may not exist yet)."""
    chosen = os.environ.get("ODOO_HOME")
    if chosen:
        return Path(chosen).absolute()
    return state.odoo / "usr" / "lib" / "python3" / "dist-packages"


def _ensure_home(state: State) -> Path:
    home = odoo_home(state)
    if not os.environ.get("ODOO_HOME"):
        ensure_odoo(state)
    release = home / "odoo" / "release.py"
    if not release.exists():
        raise DevError(
            f"ODOO_HOME={home} holds no package 'odoo': set it to a checkout of Odoo 19"
            " or to the folder above the package, or unset it."
        )
    if not re.search(r"version_info = \(19, 0\b", release.read_text()):
        raise DevError(f"{home} isn't Odoo 19.0: set ODOO_HOME to one that is.")
    return home


def _check_space(state: State) -> None:
    if shutil.disk_usage(state.folder).free < NEEDED_SPACE:
        raise no_space()


def _stamp(state: State, lock: Path) -> Path:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return state.venv / f".{lock.stem}-{fingerprint([version, lock.read_text()])}"


def _ensure_venv(state: State) -> None:
    """Make the virtual environment, anew when another Python made the one there."""
    wanted = "python{}.{}".format(*sys.version_info[:2])
    pip = state.venv / "lib" / wanted / "site-packages" / "pip" / "__main__.py"
    if pip.exists() and state.python.exists():
        return
    shutil.rmtree(state.venv, ignore_errors=True)
    with step("Making the Python environment"):
        done = subprocess.run(
            [sys.executable, "-m", "venv", str(state.venv)],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode == 0:
        return
    said = done.stdout + done.stderr
    if os.strerror(errno.ENOSPC) in said:
        raise no_space()
    if "ensurepip" in said or "No module named venv" in said:
        raise DevError(
            "Python's venv is not installed: install Debian's package python3-venv"
            " (apt-get install python3-venv), then run the command again."
        )
    raise DevError(f"no Python environment can be made: {_last_line(said)}")


def beside_addons(state: State) -> Path:
    """Return the folder with the addons of others that tests install beside this one.

    They are fetched when they are not there. Their wheels hold parts of the package
    ``odoo``, which must not get into the environment.

    :raises DevError: with the remedy
    """
    mark = fingerprint([BESIDE.read_text()])
    folder = state.folder / f"beside-{mark}"
    with state.locked("beside"):
        if not folder.exists():
            for old in state.folder.glob("beside-*"):
                shutil.rmtree(old)
            making = state.folder / "beside-new"
            # Odoo itself, which they require, is on no package index.
            _run_pip(state, BESIDE, "--no-deps", "--target", str(making))
            making.rename(folder)
    return folder / "odoo" / "addons"


def _install(state: State, lock: Path) -> None:
    """Bring the environment to the versions of ``lock``; a broken run is gone on."""
    stamp = _stamp(state, lock)
    if stamp.exists():
        return
    _run_pip(state, lock)
    for old in state.venv.glob(f".{lock.stem}-????????????"):
        old.unlink()
    stamp.touch()


def _run_pip(state: State, lock: Path, *options: str) -> None:
    total = sum(1 for line in lock.read_text().splitlines() if "==" in line)
    command: Sequence[str] = [
        *(str(state.python), "-m", "pip", "install", "--no-input"),
        *("--disable-pip-version-check", "--progress-bar", "off"),
        *(*options, "-r", str(lock)),
    ]
    lines: list[str] = []
    with (
        step(f"Installing Python packages of {lock.name}") as progress,
        reading(command, env={"LC_ALL": "C.UTF-8"}) as (process, output),
    ):
        seen = 0
        for line in output:
            lines.append(line.strip())
            if line.startswith(("Collecting", "Requirement already satisfied")):
                seen += 1
                progress.update(min(90.0, 90 * seen / total), line.split()[1])
            elif line.startswith("Installing"):
                progress.update(90)
    if process.returncode != 0:
        raise _pip_failure("\n".join(lines))


def _pip_failure(said: str) -> DevError:
    if os.strerror(errno.ENOSPC) in said:
        return no_space()
    if any(word in said for word in _NETWORK_WORDS):
        return DevError(
            "Python packages can't be fetched: check the network (pip's own settings"
            " for proxy and index are used), then run the command again."
        )
    return DevError(f"Python packages can't be installed: {_last_error(said)}")


def _last_error(said: str) -> str:
    errors = [line for line in said.splitlines() if line.startswith("ERROR")]
    return errors[-1] if errors else _last_line(said)


def _last_line(said: str) -> str:
    lines = said.strip().splitlines()
    return lines[-1] if lines else "no reason given"


def _link(state: State, home: Path) -> None:
    """Let the environment import Odoo, and Odoo find the addon by its name."""
    version = "python{}.{}".format(*sys.version_info[:2])
    path_file = state.venv / "lib" / version / "site-packages" / "mea_odoo.pth"
    if not path_file.exists() or path_file.read_text() != f"{home}\n":
        path_file.write_text(f"{home}\n")
    _link_addon(state.addons / ADDON)


def _link_addon(folder: Path) -> None:
    """Fill ``folder`` with links to the parts of the addon.

    Not one link to the whole repository: Odoo's export of translations follows links,
    and would walk through the state folder, which holds this link, for ever.
    """
    if folder.is_symlink():
        folder.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {
        path.name: path
        for path in REPOSITORY.iterdir()
        if path.name not in NOT_ADDON and not path.name.startswith(".")
    }
    for link in folder.iterdir():
        if link.is_symlink() and wanted.get(link.name) != link.readlink():
            link.unlink()
    for name, path in wanted.items():
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(path)
