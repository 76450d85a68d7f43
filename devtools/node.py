"""The locked npm packages: checkers, and the authorization server of the tests."""

import shutil
import subprocess
from pathlib import Path

from .console import DevError
from .state import REPOSITORY, State, fingerprint

WEB = REPOSITORY / "devtools" / "web"
_FILES = ("package.json", "package-lock.json", ".npmrc")


def modules(state: State) -> Path:
    """Return the folder with the packages, which are installed when they are not there.

    :raises DevError: without Node.js, and when npm can't install them
    """
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        raise DevError("no Node.js: install Debian's packages nodejs and npm")
    folder = state.node
    contents = [(WEB / name).read_bytes() for name in _FILES]
    stamp = folder / f".installed-{fingerprint(contents)}"
    with state.locked("node"):
        if not stamp.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for name in _FILES:
                shutil.copy(WEB / name, folder)
            _install(npm, folder)
            stamp.touch()
    return folder / "node_modules"


def _install(npm: str, folder: Path) -> None:
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--silent")
    done = subprocess.run(
        [npm, "ci", *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stdout.strip().splitlines() or [f"status {done.returncode}"]
        raise DevError(f"npm can't install its packages: {said[-1]}")
