"""Where things are: the repository, and the one ignored folder that holds all state."""

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .console import DevError

REPOSITORY = Path(__file__).resolve().parent.parent
ADDON = "mail_external_account"
#: Folders at the repository's root that are not part of the addon.
NOT_ADDON = ("devtools", "node_modules", "__pycache__")
#: Tests by how they are run: without Odoo, inside Odoo, against servers.
UNIT, ODOO, SERVED = "tests/unit", "tests", "tests/served"
#: Bytes that a first set-up writes at most (Odoo 1.2 GB, Python packages 0.6 GB,
#: databases and downloads the rest).
NEEDED_SPACE = 3 * 1024**3


_CONTENTS = (
    *(
        "downloads",
        "odoo",
        "odoo.new",
        "odoo.old",
        "venv",
        "addons",
        "data",
        "postgres",
    ),
    *(
        "run",
        "test",
        "suites",
        "bench",
        "node",
        "lint",
        "beside-*",
        "*.lock",
        "template-*",
        "*-new.log",
        "*-new.conf",
    ),
    *("demo.log", "demo.conf", "secret.key"),
)


class State:
    """The state folder (``.dev``, or what ``MEA_STATE`` names) and what it holds."""

    def __init__(self, folder: Path | None = None) -> None:
        chosen = folder or Path(os.environ.get("MEA_STATE") or REPOSITORY / ".dev")
        self.folder = chosen.absolute()
        self.downloads = self.folder / "downloads"
        self.odoo = self.folder / "odoo"
        self.venv = self.folder / "venv"
        self.addons = self.folder / "addons"
        self.data = self.folder / "data"
        self.postgres = self.folder / "postgres"
        self.demo = self.folder / "run"
        self.tests = self.folder / "test"
        self.node = self.folder / "node"

    def contents(self) -> Iterator[Path]:
        """Yield what the commands put into the folder, and nothing of anybody else."""
        for pattern in _CONTENTS:
            yield from self.folder.glob(pattern)

    @property
    def python(self) -> Path:
        """The Python that has Odoo and the packages of the lock files."""
        return self.venv / "bin" / "python"

    def create(self) -> None:
        """Make the folder. Raises DevError where that is impossible."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DevError(
                f"the state folder {self.folder} can't be made ({error.strerror}):"
                " set MEA_STATE to a folder that you may write to."
            ) from None

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Let one process at a time do what ``name`` stands for."""
        self.create()
        with open(self.folder / f"{name}.lock", "w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def fingerprint(parts: Iterable[str | bytes]) -> str:
    """Return 12 hexadecimal digits that stand for ``parts``."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(b"%d:" % len(data) + data)
    return digest.hexdigest()[:12]
