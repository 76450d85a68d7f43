"""SECURITY.md lists every way in; what is not in it, nobody has thought about."""

import inspect
from pathlib import Path

from odoo import http
from odoo.tests import TransactionCase, tagged

ADDON = "odoo.addons.mail_external_account"
SECURITY = Path(__file__).parents[1] / "SECURITY.md"
RIGHTS = ("read", "write", "create", "unlink")


def table(title):
    """The rows of the table below a heading of SECURITY.md, without its head."""
    section = SECURITY.read_text(encoding="utf-8").partition(f"## {title}\n")[2]
    lines = section.partition("\n## ")[0].splitlines()
    rows = [line.strip("|").split("|") for line in lines if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in row] for row in rows[2:]]


@tagged("post_install", "-at_install")
class TestInventory(TransactionCase):
    maxDiff = None

    def test_every_public_method_is_listed(self):
        """Public: whatever RPC lets a user call, new or overridden by us."""
        found = set()
        for model in self.env.registry.values():
            for cls in model.mro():
                if not cls.__module__.startswith(ADDON):
                    continue
                found |= {
                    f"{model._name}.{name}"
                    for name, member in vars(cls).items()
                    if not name.startswith("_") and inspect.isfunction(member)
                    if model._name == cls._name  # not again where it is inherited
                }
        listed = [row[0] for row in table("Methods")]
        self.assertEqual(sorted(found), sorted(listed))

    def test_every_route_is_listed(self):
        """Ours, and overrides of another's."""
        waiting, found = [http.Controller], set()
        while waiting:
            classes = waiting.pop().__subclasses__()
            waiting += classes
            for cls in classes:
                if not cls.__module__.startswith(ADDON):
                    continue
                for _name, method in inspect.getmembers(cls, inspect.isfunction):
                    routing = getattr(method, "original_routing", None)
                    for route in (routing or {}).get("routes", ()):
                        self.assertEqual(routing["methods"], ["GET"], route)
                        found.add((route, routing["auth"]))
        self.assertEqual(found, {tuple(row[:2]) for row in table("Routes")})

    def test_every_access_right_is_listed(self):
        models = [
            name
            for name, model in self.env.registry.items()
            if name.startswith("mail.external.") and not model._abstract
        ]
        access = self.env["ir.model.access"].search([("model_id.model", "in", models)])
        found = {
            (
                row.model_id.model,
                row.group_id.get_external_id()[row.group_id.id],
                " ".join(r for r in RIGHTS if row[f"perm_{r}"]) or "nothing",
            )
            for row in access
        }
        self.assertEqual(found, {tuple(row[:3]) for row in table("Models")})
        self.assertEqual(set(models), {row[0] for row in table("Models")})
