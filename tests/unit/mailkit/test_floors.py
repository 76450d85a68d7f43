"""Whoever reads a module of mailkit finds what it builds on in a few steps.

A module that imports none of mailkit stands on floor 1, another one a floor above the
highest that it imports. Imports for the type checker and inside of functions count too.
"""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import mailkit

ROOT = Path(mailkit.__path__[0])
HIGHEST = 7


def sources() -> dict[str, Path]:
    """Every module of mailkit, by its dotted name; a package has no code."""
    return {
        ".".join(path.relative_to(ROOT.parent).with_suffix("").parts): path
        for path in ROOT.rglob("*.py")
        if path.name != "__init__.py"
    }


def imported(name: str, tree: ast.AST, known: set[str]) -> set[str]:
    """Return the modules of mailkit that a module imports."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = name.split(".")[: -node.level] if node.level else []
            base = ".".join([*package, *([node.module] if node.module else [])])
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return found & known


def graph() -> dict[str, set[str]]:
    """Return what each module imports."""
    modules = sources()
    return {
        name: imported(name, ast.parse(path.read_bytes()), set(modules))
        for name, path in modules.items()
    }


def floors(imports: dict[str, set[str]]) -> dict[str, int]:
    """Return the floor of each module; a CycleError names the modules of a circle."""
    found: dict[str, int] = {}
    for name in TopologicalSorter(imports).static_order():
        found[name] = 1 + max((found[each] for each in imports[name]), default=0)
    return found


def test_few_floors_and_no_circle() -> None:
    found = floors(graph())
    assert len(found) > 20
    too_high = {name: floor for name, floor in found.items() if floor > HIGHEST}
    assert not too_high


def test_every_way_to_import_is_seen() -> None:
    known = {"mailkit.a.b", "mailkit.a.c", "mailkit.d"}
    text = """
from __future__ import annotations
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from . import c
def function():
    from ..d import name
"""
    assert imported("mailkit.a.b", ast.parse(text), known) == known - {"mailkit.a.b"}
    for line in (
        "import mailkit.d",
        "from mailkit import d",
        "from mailkit.d import x",
    ):
        assert imported("mailkit.a.b", ast.parse(line), known) == {"mailkit.d"}


def test_a_circle_and_a_tower_are_seen() -> None:
    tower = {str(number): {str(number - 1)} for number in range(1, 9)} | {"0": set()}
    assert floors(tower)["8"] == 9
    try:
        floors({"a": {"b"}, "b": {"a"}})
    except CycleError:
        return
    raise AssertionError("a circle was not seen")
