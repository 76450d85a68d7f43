"""One class a model, and each method once.

An addon that extends a model in two classes overrides itself: which of two ``write()``
acts first only the order of imports says. Odoo doesn't mind, and pylint-odoo's
``consider-merging-classes-inherited`` sees only classes whose ``_inherit`` is a string.
Mixins, which several models inherit, are no fault: each has a class of its own.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
#: Decorators that belong to a method of the same name.
_PARTS = ("setter", "deleter", "overload")


@dataclass
class _Model:
    """Where the first class of a model is, and the first of each of its methods."""

    place: str
    methods: dict[str, str] = field(default_factory=dict)


def faults(sources: Iterable[tuple[str, str]]) -> list[str]:
    """Return what is there twice, a line each, with both places.

    :param sources: name and text of the Python files
    """
    found: list[str] = []
    models: dict[str, _Model] = {}
    for file, text in sources:
        try:
            classes = _model_classes(ast.parse(text))
        except SyntaxError as error:
            found.append(f"{file}:{error.lineno}: {error.msg}")
            continue
        for node, name in classes:
            place = f"{file}:{node.lineno}"
            if name is None:
                found.append(f"{place}: _name and _inherit have to be plain strings")
            elif name in models:
                found.append(
                    f"{place}: a second class of {name}, the first is at "
                    f"{models[name].place}"
                )
                found += _repeated(models[name], node, file, name)
            else:
                models[name] = _Model(place)
                found += _repeated(models[name], node, file, name)
    return found


def _repeated(model: _Model, node: ast.ClassDef, file: str, name: str) -> Iterator[str]:
    """Yield the methods that the model has already; remember the others."""
    for method in _methods(node):
        place = f"{file}:{method.lineno}"
        first = model.methods.setdefault(method.name, place)
        if first != place:
            yield f"{place}: a second {name}.{method.name}(), the first is at {first}"


def _methods(node: ast.ClassDef) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for statement in node.body:
        if isinstance(statement, _FUNCTIONS) and not any(
            ast.unparse(decorator).rpartition(".")[2] in _PARTS
            for decorator in statement.decorator_list
        ):
            yield statement


def _model_classes(tree: ast.Module) -> list[tuple[ast.ClassDef, str | None]]:
    """Return the classes with ``_name`` or ``_inherit``, each with its model's name."""
    classes = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            values = dict(_attributes(node))
            if "_name" in values or "_inherit" in values:
                classes.append((node, _model_name(values)))
    return classes


def _attributes(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    for statement in node.body:
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and statement.value:
                yield target.id, statement.value


def _model_name(values: dict[str, ast.expr]) -> str | None:
    """Return the model that a class is of: what it inherits besides is a mixin."""
    value = values.get("_name") or values["_inherit"]
    if isinstance(value, (ast.List, ast.Tuple)) and value.elts:
        # Odoo wants a _name, too, and warns; whoever forgets it means the first.
        value = value.elts[0]
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return value.value
    return None
