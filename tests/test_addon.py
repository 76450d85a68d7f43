"""What Odoo expects of an add-on, and would only warn of, or not even that."""

from pathlib import Path

from odoo.tests import TransactionCase, tagged
from odoo.tests.loader import get_module_test_cases, get_test_modules
from odoo.tests.tag_selector import TagsSelector

from ..mailkit.errors import ErrorCode
from ..tools.explanations import TEXTS

ADDON = "mail_external_account"


@tagged("post_install", "-at_install")
class TestAddon(TransactionCase):
    def test_odoo_runs_every_test_file(self):
        """Odoo runs what ``tests/__init__.py`` imports, pytest whatever lies there."""
        files = {path.stem for path in Path(__file__).parent.glob("test_*.py")}
        run = {module.__name__.rpartition(".")[2] for module in get_test_modules(ADDON)}
        self.assertEqual(files, run)

    def test_tests_run_when_all_is_installed(self):
        """Other add-ons change what is posted and sent: the sum of all is tested.

        Classes inherit the tags of ``ExternalAccountCase``; others have to be tagged.
        """
        early, late = TagsSelector("at_install"), TagsSelector("post_install")
        wrong = {
            f"{type(case).__module__}.{type(case).__name__}"
            for module in get_test_modules(ADDON)
            for case in get_module_test_cases(module)
            if early.check(case) or not late.check(case)
        }
        self.assertFalse(wrong)

    def test_every_error_has_a_cause_and_a_remedy(self):
        self.assertFalse({code.value for code in ErrorCode} - TEXTS.keys())

    def test_labels_tell_fields_apart(self):
        """Odoo warns of two fields with one label: exports and filters show labels."""
        addon = self.env["ir.module.module"].search([("name", "=", ADDON)])
        ours = addon | addon.upstream_dependencies(exclude_states=("",))
        names = {*ours.mapped("name"), "base"}
        same = set()
        for model in self.env.registry.values():
            by_label = {}
            for field in model._fields.values():
                other = by_label.setdefault(field.string, field)
                modules = {field._module, other._module}
                if field is not other and ADDON in modules and modules <= names:
                    same.add(f"{model._name}: {other.name}, {field.name}")
        self.assertFalse(same)
