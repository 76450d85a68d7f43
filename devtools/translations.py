"""Whether the template of translations is fresh, and Ukrainian complete."""

from collections.abc import Iterator
from pathlib import Path

from .console import DevError
from .odoo import Odoo
from .processes import run
from .state import ADDON, REPOSITORY

_FOLDER = REPOSITORY / "i18n"
TEMPLATE = _FOLDER / f"{ADDON}.pot"
UKRAINIAN = _FOLDER / "uk.po"
_SHOWN = 10


def problems(odoo: Odoo, *, fix: bool) -> Iterator[str]:
    """Yield what is wrong, a line each.

    :param fix: write a fresh template instead of complaining of a stale one
    :raises DevError: when Odoo can't export
    """
    fresh = _export(odoo)
    if fix:
        _FOLDER.mkdir(exist_ok=True)
        TEMPLATE.write_text(fresh.read_text())
    wanted = _terms(fresh)
    known = _terms(TEMPLATE) if TEMPLATE.exists() else set()
    if wanted != known:
        yield f"{TEMPLATE.name} is not what Odoo exports: './dev lint --fix' writes it."
        yield from _some("not in it", wanted - known)
        yield from _some("no longer in the code", known - wanted)
    translated = _terms(UKRAINIAN, translated=True) if UKRAINIAN.exists() else set()
    yield from _some(f"not translated in {UKRAINIAN.name}", wanted - translated)


def _export(odoo: Odoo) -> Path:
    """Return a template as Odoo exports it from a database with the addon."""
    folder = odoo.state.folder / "lint"
    output, log = folder / f"{ADDON}.pot", folder / "export.log"
    database = odoo.clone(odoo.addon_template(), "export")
    try:
        config = odoo.write_config(folder / "export.conf", database)
        arguments = ("export", "-c", str(config), "-d", database, "-o", str(output))
        command = [str(odoo.state.python), "-m", "odoo", "i18n", *arguments, ADDON]
        if run(command, log=log, env=odoo.environment()) != 0 or not output.exists():
            raise DevError(f"Odoo can't export the translations: see {log}.")
    finally:
        odoo.drop(database)
    return output


def _terms(file: Path, *, translated: bool = False) -> set[tuple[str, str]]:
    """Return (context, text) of a file's entries, or only of the translated ones."""
    import polib  # in the environment that provision() makes, not before it

    return {
        (entry.msgctxt or "", entry.msgid)
        for entry in polib.pofile(str(file))
        if not entry.obsolete and (entry.translated() or not translated)
    }


def _some(label: str, terms: set[tuple[str, str]]) -> Iterator[str]:
    for _context, text in sorted(terms)[:_SHOWN]:
        yield f"  {label}: {text!r}"
    if len(terms) > _SHOWN:
        yield f"  {label}: {len(terms) - _SHOWN} more"
