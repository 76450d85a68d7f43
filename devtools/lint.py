"""``./dev lint``: all static checks, a line each; ``--fix`` mends what it can."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import model_classes, node, translations
from .console import DevError, say, under_ci
from .odoo import Odoo
from .postgres import Postgres
from .state import ADDON, NOT_ADDON, REPOSITORY, SERVED, UNIT, State

#: Our README is Markdown; the others are not followed by Odoo's own files either.
_NOT_OUR_STYLE = (
    "prefer-readme-rst",
    "xml-header-wrong",
    "xml-field-numeric-without-eval",
)
#: We are not part of the OCA, and have a README.md.
_NOT_OUR_RULES = ("manifest-required-author", "missing-readme")
# Written so that this file itself doesn't hold what is looked for.
_REGISTRIES = (
    r"debi[a]n[.]org|py[p]i[.](python[.])?org|pythonh[o]sted|npm[j]s[.](org|com)"
)
_MACHINE_PATHS = r"(?<![\w./:~-])/(?:wo[r]k/|ro[o]t/|ho[m]e/\w)"
_FORBIDDEN = {
    "host of a package registry": re.compile(_REGISTRIES),
    "path of one machine": re.compile(_MACHINE_PATHS),
}
#: Keeps the context of a remote caller, see ``tools/trusted_context.py``.
_BARE_SUPERUSER = re.compile(
    r"with_user\(\s*(SUPERUSER_ID|1\b|[^()]*(\([^()]*)?(user|partner)_root)"
    r"|\buser\s*=\s*SUPERUSER_ID"
)
_AS_ODOO = "tools/trusted_context.py"
_SHIPPED = ("models", "tools", "wizards")


class Skipped(Exception):
    """A check that can't run here, with the reason."""


@dataclass(frozen=True)
class Check:
    """A named check; its function returns what is wrong, nothing when all is well."""

    name: str
    function: Callable[[], str]


def lint(state: State, *, fix: bool) -> int:
    """Run every check; return 1 when one found something."""
    folder = state.folder / "lint"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    checks = Linter(state, _copy_addon(folder), fix=fix).checks()
    failed = skipped = 0
    for check in checks:
        try:
            problems = check.function().strip()
        except Skipped as reason:
            failed += under_ci()
            skipped += not under_ci()
            say(f"{'FAILED ' if under_ci() else 'skipped'} {check.name}: {reason}")
            continue
        say(f"{'FAILED ' if problems else 'ok     '} {check.name}")
        if problems:
            failed += 1
            say(problems)
    passed = len(checks) - failed - skipped
    say(f"{passed} checks passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


class Linter:
    """The checks, on the repository or on a copy of the addon under its own name."""

    def __init__(self, state: State, addon: Path, *, fix: bool) -> None:
        self._state = state
        self._addon = addon
        self._fix = fix

    def checks(self) -> list[Check]:
        """Return all checks in the order of their speed."""
        return [
            Check("hosts and paths", _forbidden_text),
            Check("Odoo's own name", _bare_superuser),
            Check("one class a model", _several_classes),
            Check("ruff check", self._ruff_check),
            Check("ruff format", self._ruff_format),
            Check("mypy --strict mailkit", self._mypy),
            Check("prettier", self._prettier),
            Check("eslint", self._eslint),
            Check("oca-checks-odoo-module", self._oca_module),
            Check("oca-checks-po", self._oca_po),
            Check("pylint-odoo", self._pylint),
            Check("translations", self._translations),
        ]

    def _module(self, *arguments: str, cwd: Path = REPOSITORY) -> str:
        return _run([str(self._state.python), "-m", *arguments], cwd)

    def _cache(self, name: str) -> str:
        return str(self._state.folder / "lint" / name)

    def _ruff_check(self) -> str:
        fix = ["--fix"] * self._fix
        cache = self._cache("ruff")
        return self._module(
            "ruff", "check", "-q", *fix, "--cache-dir", cache, ".", "dev"
        )

    def _ruff_format(self) -> str:
        check = [] if self._fix else ["--check"]
        cache = self._cache("ruff")
        return self._module("ruff", "format", *check, "--cache-dir", cache, ".", "dev")

    def _mypy(self) -> str:
        # The root is the addon's package: without this, mailkit would be part of it.
        bases = "--explicit-package-bases"
        cache = self._cache("mypy")
        return self._module("mypy", "--strict", bases, "--cache-dir", cache, "mailkit")

    def _pylint(self) -> str:
        return self._module(
            *("pylint", "--load-plugins=pylint_odoo", "--disable=all"),
            *("--enable=odoolint", "--valid-odoo-versions=19.0", "--score=no"),
            f"--disable={','.join(_NOT_OUR_RULES)}",
            # Knows nothing of Odoo; its classes have methods named as a model's.
            "--ignore=mailkit",
            ADDON,
            cwd=self._addon.parent,
        )

    def _oca_module(self) -> str:
        disabled = f"--disable={','.join(_NOT_OUR_STYLE)}"
        return self._module("oca_pre_commit_hooks.cli", disabled, str(self._addon))

    def _oca_po(self) -> str:
        files = [str(file) for file in (REPOSITORY / "i18n").glob("*.po*")]
        if not files:
            return "There are no translations in i18n."
        # It empties texts that are the same in both languages; ours are all filled.
        disabled = "--disable=po-pretty-format"
        return self._module("oca_pre_commit_hooks.cli_po", disabled, *files)

    def _translations(self) -> str:
        with Postgres(self._state) as postgres:
            odoo = Odoo(self._state, postgres)
            try:
                return "\n".join(translations.problems(odoo, fix=self._fix))
            except DevError as error:
                return str(error)

    def _prettier(self) -> str:
        modules = self._node_modules()
        plugin = modules / "@prettier" / "plugin-xml" / "src" / "plugin.js"
        files = [
            name
            for name in _files()
            if name.endswith((".js", ".mjs", ".xml", ".scss", ".css"))
        ]
        return _run(
            [
                *(str(modules / ".bin" / "prettier"), "--log-level=warn"),
                "--write" if self._fix else "--check",
                f"--config={node.WEB / '.prettierrc.json'}",
                f"--plugin={plugin}",
                *files,
            ],
            REPOSITORY,
        )

    def _eslint(self) -> str:
        modules = self._node_modules()
        if not any(name.endswith(".js") for name in _files()):
            return ""
        fix = ["--fix"] * self._fix
        config = f"--config={node.WEB / 'eslint.config.mjs'}"
        options = [config, "--max-warnings=0", "--no-warn-ignored"]
        return _run(
            [str(modules / ".bin" / "eslint"), *options, *fix, "static"], REPOSITORY
        )

    def _node_modules(self) -> Path:
        try:
            return node.modules(self._state)
        except DevError as error:
            raise Skipped(str(error)) from None


def _run(command: Sequence[str], cwd: Path) -> str:
    """Return what a failing command printed, and nothing of one that succeeded."""
    done = subprocess.run(
        command,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return ""
    return done.stdout.strip() or f"ended with status {done.returncode}"


def _copy_addon(folder: Path) -> Path:
    """Copy the addon into a folder of its own name, as the OCA checks need it."""
    target = folder / ADDON
    for name in _files():
        path = Path(name)
        if path.parts[0] not in NOT_ADDON and not name.startswith((UNIT, SERVED)):
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / path, target / path)
    return target


def _files() -> Iterator[str]:
    """Yield the files that belong to the repository, those not yet added too."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(
            command, cwd=REPOSITORY, capture_output=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        raise DevError("the checks need git and a git clone: install git.") from None
    for name in sorted(set(listed.stdout.decode().split("\0"))):
        if name and (REPOSITORY / name).is_file():
            yield name


def _forbidden_text() -> str:
    found = []
    for name in _files():
        try:
            lines = (REPOSITORY / name).read_text().splitlines()
        except UnicodeDecodeError:
            continue  # a picture
        for number, line in enumerate(lines, 1):
            for what, pattern in _FORBIDDEN.items():
                if pattern.search(line):
                    found.append(f"{name}:{number}: {what}")
    return "\n".join(found)


def _shipped_sources() -> Iterator[tuple[str, str]]:
    """Yield name and text of the Python files that Odoo imports."""
    for name in _files():
        if Path(name).parts[0] in _SHIPPED and name.endswith(".py"):
            yield name, (REPOSITORY / name).read_text()


def _bare_superuser() -> str:
    found = []
    for name, text in _shipped_sources():
        if name == _AS_ODOO:
            continue
        for match in _BARE_SUPERUSER.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"{name}:{line}: call as_odoo() of {_AS_ODOO} instead")
    return "\n".join(found)


def _several_classes() -> str:
    return "\n".join(model_classes.faults(_shipped_sources()))
