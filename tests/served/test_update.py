"""The addon is updated (``-u``) in a database in which people changed mail services."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devtools.odoo import Odoo
from devtools.processes import run
from devtools.state import ADDON, REPOSITORY

CHANGES = """
service = lambda name: env.ref("mail_external_account.provider_" + name)
service("fastmail").smtp_port = 2465
service("gmx").unlink()
service("webde").active = False
service("seznam").with_context(lang="uk_UA").note = "Наше пояснення"
env.cr.commit()
"""
READ = """
import json
env.cr.execute(
    "SELECT d.name, to_jsonb(p) FROM mail_external_provider p"
    " JOIN ir_model_data d ON d.res_id = p.id AND d.module = 'mail_external_account'"
    " AND d.model = 'mail.external.provider'"
)
print(json.dumps(dict(env.cr.fetchall())))
"""
NEXT = {
    "fastmail": {"smtp_port": 587, "limit_day": 9},
    "gmx": {"smtp_port": 587},
    "webde": {"smtp_host": "smtp2.web.de"},
    "seznam": {"note": "New words"},
    "other": {"name": "Any other server"},
    "brandnew": {"name": "Brand New", "domains": "new.example", "smtp_host": "s.new"},
}


@pytest.fixture
def database(bench: Odoo, folder: Path) -> Iterator[str]:
    """A database with the addon, in which an administrator changed some services."""
    name = bench.clone(bench.addon_template(), f"{folder.name}-update")
    bench.shell(bench.write_config(folder / "update.conf", name), CHANGES)
    yield name
    bench.drop(name)


def version(folder: Path, number: int) -> Path:
    """A folder with a later version of the addon: other data, nothing else."""
    addons = folder / f"version-{number}"
    tracked = ("models", "wizards", "tools", "mailkit", "views", "security", "data")
    for name in (*tracked, "i18n", "static", "demo", "controllers"):
        if (REPOSITORY / name).exists():
            shutil.copytree(REPOSITORY / name, addons / ADDON / name)
    for name in ("__init__.py", "__manifest__.py", "hooks.py"):
        shutil.copy(REPOSITORY / name, addons / ADDON / name)
    path = addons / ADDON / "data" / "mail_services.json"
    data = json.loads(path.read_text())
    for name, values in NEXT.items():
        later = {
            field: value + number if isinstance(value, int) else value
            for field, value in values.items()
        }
        data.setdefault(f"provider_{name}", {}).update(later)
    path.write_text(json.dumps(data))
    return addons


def update(bench: Odoo, folder: Path, database: str, addons: Path) -> None:
    """Run ``-u`` with the addon that is in ``addons``."""
    others = [str(each) for each in bench.addons_path() if each != bench.state.addons]
    paths = ",".join([str(addons), *others])
    options = {"addons_path": paths}
    config = bench.write_config(folder / "update.conf", database, options=options)
    log = folder / f"{addons.name}.log"
    command = bench.command(config, "-u", ADDON, "--stop-after-init")
    assert run(command, log=log, env=bench.environment()) == 0, log
    assert " ERROR " not in log.read_text(), log


def services(bench: Odoo, folder: Path, database: str) -> dict[str, dict[str, Any]]:
    """What stands in the presets that came along, by their names."""
    config = bench.write_config(folder / "update.conf", database)
    printed = bench.shell(config, READ)
    found: dict[str, dict[str, Any]] = json.loads(printed.splitlines()[-1])
    return {name.removeprefix("provider_"): values for name, values in found.items()}


def test_two_updates(bench: Odoo, folder: Path, database: str) -> None:
    before = services(bench, folder, database)
    for number in (1, 2):
        update(bench, folder, database, version(folder, number))
        found = services(bench, folder, database)
        assert found["fastmail"]["smtp_port"] == 2465
        assert found["fastmail"]["limit_day"] == 9 + number
        assert "gmx" not in found
        assert found["webde"]["active"] is False
        assert found["webde"]["smtp_host"] == "smtp2.web.de"
        assert found["seznam"]["note"]["en_US"] == "New words"
        assert found["seznam"]["note"]["uk_UA"] == "Наше пояснення"
        assert found["other"]["name"]["en_US"] == "Any other server"
        assert found["brandnew"]["smtp_host"] == "s.new"
        assert set(found) == {*before, "brandnew"}
        assert all(values["is_trusted"] for values in found.values())
