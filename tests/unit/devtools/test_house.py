"""How the files of the repository may import each other."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
ROOMS = ("models", "wizards", "tools", "mailkit", "devtools", "tests")


def modules(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (REPOSITORY / room).rglob("*.py"))


def imported(path: Path) -> Iterator[Path]:
    """Files of the repository that a module imports, for its types only too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = path.parents[node.level - 1] if node.level else None
            parts = node.module.split(".") if node.module else []
            names = [[*parts, alias.name] for alias in node.names] + [parts]
        elif isinstance(node, ast.Import):
            base = None
            names = [alias.name.split(".") for alias in node.names]
        else:
            continue
        # Modules of tests without a package are found in their own folder.
        for start in [base] if base else [path.parent, REPOSITORY]:
            for name in names:
                file = start.joinpath(*name).with_suffix(".py")
                if name and file.exists():
                    yield file


def test_no_modules_need_each_other() -> None:
    graph = {path: set(imported(path)) - {path} for path in modules(*ROOMS)}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(str(p.relative_to(REPOSITORY)) for p in error.args[1]))


def test_no_test_module_is_imported_by_another() -> None:
    found = [
        f"{path.relative_to(REPOSITORY)} imports {other.name}"
        for path in modules("tests")
        for other in imported(path)
        if other.name.startswith("test_") and path.name != "__init__.py"
    ]
    assert not found


def test_the_map_of_reading_stands_twice_alike() -> None:
    """At the top of the run, and in CONTRIBUTING."""
    run = ast.parse((REPOSITORY / "tools" / "incoming" / "run.py").read_text())
    _, _, rest = (ast.get_docstring(run) or "").partition("The map::\n\n")
    shown, _, _ = rest.partition("\n\n- ")
    assert "MailboxWork" in shown
    assert shown in (REPOSITORY / "CONTRIBUTING.md").read_text()
