from datetime import timedelta

from odoo import fields
from odoo.exceptions import UserError

from ..tools.connect.turn import Turn
from .common import ConnectCase


class TestConnectScope(ConnectCase):
    """What a proof, a test and a count are good for, and no longer."""

    def connected(self, window):
        self.passed(window)
        window.action_save()
        return window.address_id.sudo()

    def for_company(self, address, **values):
        """The manager's window that makes a company's address of ``address``."""
        window = self.window(
            self.manager,
            address_id=address.id,
            is_company=True,
            company_id=self.company.id,
            **values,
        )
        self.passed(window)
        return window

    def test_a_proof_of_an_employee_is_none_of_the_company(self):
        """Neither is the proof, nor the secret address that a mailbox forwards to."""
        domain = self.env["mail.alias.domain"].create({"name": "corp.example"})
        self.company.alias_domain_id = domain
        address = self.connected(
            self.window(receive_replies=True, incoming_protocol="forwarded")
        )
        token = address.account_id.forward_token
        self.provider.active = False  # its own service proves it to everybody
        self.assertTrue(address.proof and token)
        # RPC may leave the employee in the field that the form empties
        for user in (self.anna, self.env["res.users"]):
            window = self.for_company(
                address,
                user_id=user.id,
                receive_replies=True,
                incoming_protocol="forwarded",
            )
            self.assertFalse(window.proof)
            with self.assertRaisesRegex(UserError, "not shown yet"):
                window.action_save()
            self.assertNotEqual(window.sudo().forward_token, token)
        window.action_vouch()
        window.action_save()
        self.assertFalse(address.user_id)
        self.assertEqual(address.proof_user_id, self.manager)

    def test_a_proof_of_the_company_is_none_of_an_employee(self):
        window = self.window(
            self.manager, is_company=True, user_id=False, company_id=self.company.id
        )
        address = self.connected(window)
        self.provider.active = False
        window = self.window(self.manager, address_id=address.id)
        self.passed(window)
        self.assertFalse(window.proof)

    def test_inside_hosts_only_where_they_were_tested(self):
        """A public name may mean another host later, whoever tested it."""
        for inside in (False, True):
            window = self.window(self.manager, email=f"m{inside}@brand-a.example")
            self.assertTrue(window.allow_private_host)
            self.passed(window)
            lines = self.env["mail.external.account.connect.check"].search(
                [("wizard_id", "=", window.id)]
            )
            lines[:1].is_private = inside
            window.action_save()
            self.assertEqual(window.account_id.sudo().allow_private_host, inside)

    def test_codes_count_for_the_whole_day(self):
        """Core's cleaning of windows does not give new ones."""
        window = self.window(email="x@elsewhere.example")
        Turn(window, "code").note_attempt()
        self.env.flush_all()
        lines = self.env["mail.external.account.connect.check"]
        earlier = fields.Datetime.now() - timedelta(hours=23)
        self.env.cr.execute(
            "UPDATE mail_external_account_connect_check"
            " SET create_date = %s, write_date = %s",
            [earlier, earlier],
        )
        lines._transient_vacuum()
        self.assertEqual(lines.search_count([("step", "=", "code")]), 10)
        self.env.cr.execute(
            "UPDATE mail_external_account_connect_check"
            " SET write_date = write_date - interval '3 hours'"
        )
        lines._transient_vacuum()
        self.assertFalse(lines.search_count([]))

    def test_the_only_address_of_odoo_itself(self):
        """Whoever is not everybody takes it away from password resets."""
        self.company.alias_domain_id = False
        self.env["ir.config_parameter"].set_param("mail.default.from", False)
        self.company.email = "Corp <anna@brand-a.example>"
        window = self.window()
        self.assertTrue(window.silences_odoo)
        shared = {"is_company": True, "company_id": self.company.id, "user_id": False}
        window = self.window(self.manager, **shared, email="anna@brand-a.example")
        self.assertFalse(window.silences_odoo)
        window.allowed_user_ids = self.anna
        self.assertTrue(window.silences_odoo)
        window.email = "anna2@brand-a.example"
        self.assertFalse(window.silences_odoo)
        self.company.alias_domain_id = self.env["mail.alias.domain"].create(
            {"name": "corp.example", "default_from": "notifications"}
        )
        self.assertFalse(self.window().silences_odoo)
