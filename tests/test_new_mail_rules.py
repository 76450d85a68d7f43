from odoo.exceptions import AccessError, ValidationError

from .common import ExternalAccountCase


class TestNewMailRules(ExternalAccountCase):
    """Where new mail of an address may become tasks."""

    def test_personal_addresses_leave_other_mail_alone(self):
        own = self.address("anna@own.example", self.anna)
        with self.assertRaisesRegex(ValidationError, "personal address"):
            own.with_user(self.anna).new_mail = "task"

    def test_only_in_a_project_of_the_company_that_the_manager_sees(self):
        support = self.address("support@own.example").with_user(self.manager)
        self.manager.group_ids += self.env.ref("project.group_project_user")
        support.write({"new_mail": "task", "new_mail_project_id": self.project_a.id})
        other = self.env["res.company"].create({"name": "Other"})
        self.manager.company_ids += other
        support = support.with_context(allowed_company_ids=(self.company | other).ids)
        self.project_b.company_id = other
        with self.assertRaisesRegex(ValidationError, "another company"):
            support.new_mail_project_id = self.project_b.sudo()
        private = self.env["project.project"].create(
            {"name": "Board", "privacy_visibility": "followers"}
        )
        with self.assertRaises(AccessError):
            support.new_mail_project_id = private.sudo()
