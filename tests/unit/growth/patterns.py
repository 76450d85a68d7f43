"""Every regular expression of the addon, found in its sources, with texts made for it.

Modules that need Odoo cannot be imported here, so their patterns are worked out from
the constants of their sources; those of ``mailkit`` are found in its modules, too.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from .functions import modules
from .hostile import Seed

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import sre_compile
    import sre_constants as kinds
    import sre_parse

ROOT = Path(__file__).parents[3]
FOLDERS = ("mailkit", "tools", "models", "wizards")
_MAKERS = {"compile", "match", "search", "fullmatch", "sub", "subn", "split"} | {
    "findall",
    "finditer",
}
_FLAGS = re.UNICODE | re.DEBUG


def sources() -> list[Path]:
    """The addon's Python files."""
    inside = (path for name in FOLDERS for path in (ROOT / name).rglob("*.py"))
    return sorted([*inside, *ROOT.glob("*.py")])


def patterns() -> tuple[dict[str, re.Pattern[Any]], set[str]]:
    """By where they stand.

    :return: (patterns, expressions that are only known when they are used)
    """
    found = {_name(path, call): _made(path, call) for path, call in _calls()}
    known = {name: pattern for name, pattern in found.items() if pattern}
    told = {(p.pattern, p.flags) for p in known.values()}
    for name, pattern in _imported():
        if (pattern.pattern, pattern.flags) not in told:
            known[name] = pattern
    return known, found.keys() - known.keys()


def _calls() -> Iterator[tuple[Path, ast.Call]]:
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "re"
                and node.func.attr in _MAKERS
            ):
                yield path, node


def _name(path: Path, call: ast.Call) -> str:
    return f"{path.relative_to(ROOT)}: {ast.unparse(call)[:100]}"


def _made(path: Path, call: ast.Call) -> re.Pattern[Any] | None:
    if call.func.attr != "compile":  # type: ignore[attr-defined]
        call = ast.Call(ast.parse("re.compile", mode="eval").body, call.args[:1], [])
    expression = ast.fix_missing_locations(ast.Expression(call))
    try:
        value = eval(compile(expression, str(path), "eval"), _constants(path))  # noqa: S307
    except NameError:
        return None
    assert isinstance(value, re.Pattern)
    return value


@lru_cache
def _constants(path: Path) -> dict[str, Any]:
    """What a module has of constants, with those that it imports from others."""
    values: dict[str, Any] = {"re": re}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            parts = (node.module or "").split(".")
            other = path.parents[node.level - 1].joinpath(*parts).with_suffix(".py")
            if other.exists():
                theirs = _constants(other)
                names = [alias.name for alias in node.names if alias.name in theirs]
                values.update((name, theirs[name]) for name in names)
        elif isinstance(node, ast.Assign):
            try:
                exec(compile(ast.Module([node], []), str(path), "exec"), values)  # noqa: S102
            except Exception:  # noqa: BLE001, S112 - no constant
                continue
    return values


def _imported() -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Those in the modules of mailkit, also deep inside of tables."""
    for module in modules():
        path = module.__name__.replace(".", "/")
        for name, value in vars(module).items():
            if not name.startswith("__"):
                for number, pattern in enumerate(_inside(value)):
                    yield f"{path}.py: {name} {number}", pattern


def _inside(value: Any) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, (tuple, list, set, frozenset)):
        for each in value:
            yield from _inside(each)
    elif isinstance(value, dict):
        yield from _inside(list(value.values()))
    elif is_dataclass(value) and not isinstance(value, type):
        yield from _inside([getattr(value, field.name) for field in fields(value)])


def own_seeds(pattern: re.Pattern[Any]) -> list[Seed]:
    """For each repetition in it: what comes before, and what it repeats."""
    source = pattern.pattern
    text = source if isinstance(source, str) else source.decode("latin-1")
    tree = sre_parse.parse(text, pattern.flags & ~_FLAGS & ~re.LOCALE)
    found: dict[Seed, None] = {}
    _walk(tree, "", found)
    return list(found)


def _walk(tree: Any, before: str, found: dict[Seed, None]) -> str:
    """Note the repetitions in `tree`; return what it matches, at its shortest."""
    matched = ""
    for kind, value in tree:
        matched += _part(kind, value, before + matched, found)
    return matched


def _part(kind: Any, value: Any, before: str, found: dict[Seed, None]) -> str:
    if kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT):
        least, _most, inner = value
        unit = _walk(inner, before, found)
        for each in {unit, *_alternatives(inner)} - {""}:
            found[Seed(before, each, "\0")] = None
            found[Seed("", before + each, "\0")] = None
            found[Seed(before, each, before or "a")] = None
        return unit * max(least, 1)
    if kind is kinds.SUBPATTERN:
        return _walk(value[3], before, found)
    if kind is kinds.BRANCH:
        return [_walk(branch, before, found) for branch in value[1]][0]
    if kind is kinds.LITERAL:
        return chr(value)
    if kind in (kinds.IN, kinds.CATEGORY, kinds.NOT_LITERAL, kinds.ANY):
        return _alternatives([(kind, value)])[0]
    return ""


_SAMPLES = ("a", "A", "1", " ", "\t", "\n", "\r", '"', "\\", "<", ">", "(", ".", "=")
_SETS = (kinds.IN, kinds.ANY, kinds.NOT_LITERAL, kinds.CATEGORY)


def _alternatives(inner: Any) -> list[str]:
    """Characters that a repetition takes, when it is one of a set of them."""
    if len(inner) != 1 or inner[0][0] not in _SETS:
        return []
    kind, value = inner[0]
    if kind is kinds.IN and all(each is kinds.LITERAL for each, _code in value):
        return [chr(code) for _each, code in value]
    one = sre_compile.compile(sre_parse.SubPattern(sre_parse.State(), [inner[0]]))
    return [sample for sample in _SAMPLES if one.fullmatch(sample)] or ["\xe9"]
