import psycopg2
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form
from odoo.tools import mute_logger

from .common import ExternalAccountCase


class TestAccounts(ExternalAccountCase):
    def test_one_address_once_for_one_owner(self):
        self.address("anna@brand-a.example", self.anna)
        self.address("anna@brand-a.example", self.bohdan)  # another owner may
        self.address("anna@brand-a.example")  # and the company
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(psycopg2.errors.UniqueViolation),
            self.env.cr.savepoint(),
        ):
            self.address("Anna@Brand-A.example", self.anna)
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(psycopg2.errors.UniqueViolation),
            self.env.cr.savepoint(),
        ):
            self.address("anna@brand-a.example")

    def test_an_archived_address_can_be_added_again(self):
        self.address("anna@brand-a.example", self.anna).active = False
        self.env.flush_all()
        self.assertTrue(self.address("anna@brand-a.example", self.anna))

    def test_project_default_moves_within_one_owner(self):
        first = self.address("a@x.example", self.anna, [(self.project_a, True)])
        other = self.address("b@x.example", self.bohdan, [(self.project_a, True)])
        company = self.address("c@x.example", None, [(self.project_a, True)])
        second = self.address("d@x.example", self.anna, [(self.project_a, True)])
        self.assertFalse(first.binding_ids.is_default)
        self.assertTrue(second.binding_ids.is_default)
        self.assertTrue(other.binding_ids.is_default)
        self.assertTrue(company.binding_ids.is_default)

    def test_general_default_moves_within_one_owner(self):
        first = self.address("a@x.example", self.anna, is_default=True)
        other = self.address("b@x.example", self.bohdan, is_default=True)
        second = self.address("c@x.example", self.anna)
        second.with_user(self.anna).is_default = True
        self.assertFalse(first.is_default)
        self.assertTrue(other.is_default)

    def test_access_lists_are_for_company_addresses(self):
        with self.assertRaisesRegex(ValidationError, "personal"):
            self.address(
                "a@x.example", self.anna, allowed_user_ids=[(4, self.bohdan.id)]
            )

    def test_names_with_line_breaks_are_refused(self):
        with self.assertRaises(ValidationError):
            self.address("a@x.example", self.anna, sender_name="A\r\nBcc: b@x.example")

    def test_a_copy_is_refused(self):
        with self.assertRaises(UserError):
            self.address("a@x.example", self.anna).copy()

    def test_nothing_is_created_but_by_the_connect_window(self):
        """Not even a draft, nor by managers."""
        account = self.address("b@x.example", self.anna).account_id
        for user in (self.anna, self.manager):
            addresses = self.env["mail.external.address"].with_user(user)
            for values in (
                {"user_id": self.anna.id},
                {"user_id": self.anna.id, "state": "draft"},
                {"account_id": account.id},
            ):
                with self.assertRaises(AccessError, msg=values):
                    addresses.create({"email": "a@x.example", **values})
            with self.assertRaises(AccessError):
                account.with_user(user).create({"user_id": user.id})

    def test_projects_are_edited_on_the_account(self):
        address = self.address("a@x.example", self.anna)
        with Form(address.with_user(self.anna)) as form:
            with form.binding_ids.new() as line:
                line.project_id = self.project_b
                line.is_default = True
        self.assertEqual(address.project_names, "* Brand B")

    def test_deleting_fails_waiting_mail_visibly(self):
        address = self.address("a@x.example", self.anna)
        message = self.post(self.anna)
        mail = self.external_mails(message)
        address.with_user(self.anna).unlink()
        notification = message.sudo().notification_ids.filtered(
            lambda n: n.res_partner_id == self.customer
        )
        self.assertEqual(notification.notification_status, "exception")
        self.assertIn("deleted", notification.failure_reason)
        self.assertNotEqual(mail.exists().state, "outgoing")

    def test_deleting_a_user_deletes_his_addresses(self):
        address = self.address("a@x.example", self.anna)
        self.anna.unlink()
        self.assertFalse(address.exists())

    def test_an_address_of_a_deleted_project_is_not_offered_elsewhere(self):
        only = self.address("a@x.example", self.anna, [(self.project_b, True)])
        both = self.address(
            "b@x.example", self.anna, [(self.project_a, True), (self.project_b, False)]
        )
        self.project_b.unlink()
        self.assertFalse(only.active)
        self.assertTrue(both.active)
        self.assertEqual(self.post(self.anna).external_address_id, both)
