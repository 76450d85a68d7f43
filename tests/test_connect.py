from odoo.exceptions import AccessError, UserError
from odoo.tests import Form

from ..tools import vault
from ..tools.connect import test
from .common import ConnectCase


class TestConnect(ConnectCase):
    """The connect window on the server; its network side is tested on real servers."""

    def test_address_fills_in_the_service(self):
        form = Form(self.env["mail.external.account.connect"].with_user(self.anna))
        form.email = "anna@brand-b.example"
        self.assertEqual(form.provider_id, self.provider)
        self.assertEqual(form.smtp_host, "smtp.brand-a.example")
        self.assertEqual(form.smtp_login, "anna@brand-b.example")
        self.assertTrue(form.receive_replies)
        self.assertEqual(form.incoming_protocol, "imap")
        self.assertEqual(form.incoming_host, "imap.brand-a.example")
        self.assertEqual(form.incoming_port, 993)
        self.assertEqual(form.incoming_login, "anna@brand-b.example")

    def test_presets_of_known_services(self):
        for email, host in (
            ("x@gmail.com", "smtp.gmail.com"),
            ("x@ukr.net", "smtp.ukr.net"),
            ("x@outlook.com", "smtp-mail.outlook.com"),
            ("x@HOTMAIL.de", "smtp-mail.outlook.com"),
            ("x@notgmail.com", False),
            ("x@mail.com.ua", False),
        ):
            found = self.env["mail.external.provider"]._find_for_address(email)
            self.assertEqual(found.smtp_host, host, email)

    def test_a_password_goes_in_and_never_out(self):
        window = self.window()
        self.assertFalse(window.password)
        self.assertTrue(window.has_password)
        self.assertNotIn("hunter2", str(window.read()))
        self.env.cr.execute(
            "SELECT to_jsonb(w)::text FROM mail_external_account_connect w"
            " WHERE id = %s",
            [window.id],
        )
        self.assertNotIn("hunter2", self.env.cr.fetchone()[0])
        with self.assertRaises(AccessError):
            window.read(["password_sealed"])

    def test_saved_account_seals_the_password_for_its_destination(self):
        window = self.window(project_ids=[(0, 0, {"project_id": self.project_a.id})])
        self.passed(window)
        self.assertEqual(window.proof, "provider")
        window.action_save()
        address = window.address_id.sudo()
        self.assertEqual(address.account_id, window.account_id.sudo())
        self.assertTrue(address.is_main)
        self.assertEqual(address.state, "working")
        self.assertEqual(address.user_id, self.anna)
        self.assertEqual(address.binding_ids.project_id, self.project_a)
        secret = self.env["mail.external.secret"].search(
            [("account_id", "=", address.account_id.id)]
        )
        self.assertEqual(secret.purpose, "smtp")
        account = address.account_id
        opened = vault.stored_credentials(self.env, account, "smtp")
        self.assertEqual(opened.password, "hunter2")
        account.smtp_host = "evil.example.com"
        with self.assertRaises(vault.UnsealError):
            vault.stored_credentials(self.env, account, "smtp")

    def test_untested_settings_are_not_saved(self):
        window = self.window()
        with self.assertRaisesRegex(UserError, "Nothing was saved"):
            window.action_save()
        self.passed(window)
        for change in (
            {"smtp_host": "other.example.com"},
            {"smtp_port": 587},
            {"smtp_security": "starttls"},
            {"smtp_login": "other"},
            {"ca_certificate": "x"},
            {"password": "another"},
            {"email": "bohdan@brand-a.example"},
            {"incoming_protocol": "imap", "incoming_host": "imap.brand-a.example"},
            {"incoming_protocol": "pop3", "receive_replies": True},
        ):
            with self.cr.savepoint() as savepoint:
                window.write(change)
                with self.assertRaisesRegex(UserError, "Nothing was saved", msg=change):
                    window.action_save()
                savepoint.rollback()
            window.invalidate_recordset()
        window.action_save()

    def test_the_last_result_counts(self):
        """What passed once and fails now is not saved."""
        window = self.window()
        self.passed(window)
        self.env["mail.external.account.connect.check"].create(
            {
                "wizard_id": window.id,
                "step": "smtp_login",
                "ok": False,
                "fingerprint": test.settings_fingerprint(window),
            }
        )
        window.invalidate_recordset()
        self.assertFalse(window.tested_ok)
        with self.assertRaisesRegex(UserError, "Sign-in as"):
            window.action_save()

    def test_results_cannot_be_made_up(self):
        window = self.window()
        check = self.env["mail.external.account.connect.check"].with_user(self.anna)
        values = {
            "wizard_id": window.id,
            "step": "smtp_host",
            "ok": True,
            "fingerprint": "x",
        }
        with self.assertRaises(AccessError):
            check.create(values)
        line = check.sudo().create({**values, "ok": False})
        with self.assertRaises(AccessError):
            line.with_user(self.anna).ok = True
        for name in ("proof_token", "code_hash", "password_sealed"):
            with self.assertRaises(AccessError):
                window.write({name: "x"})

    def test_own_address_needs_proof(self):
        """An accept-all server of one's own proves nothing."""
        window = self.window(
            email="ceo@brand-a.example",
            smtp_host="smtp.attacker.example",
            smtp_login="ceo@brand-a.example",
        )
        self.passed(window)
        self.assertFalse(window.proof)
        with self.assertRaisesRegex(UserError, "not shown yet"):
            window.action_save()

    def test_signing_in_as_somebody_else_proves_nothing(self):
        window = self.window(
            email="ceo@brand-a.example", smtp_login="anna@brand-a.example"
        )
        self.passed(window)
        self.assertFalse(window.proof)

    def test_code_proves_and_tries_are_limited(self):
        window = self.window(smtp_host="smtp.corp.example")
        self.passed(window)
        code = "123456"
        window.sudo().write(
            {
                "code_hash": window._code_fingerprint(code),
                "code_expires": "2100-01-01 00:00:00",
                "code_tries": 0,
            }
        )
        window.code_entry = "000000"
        for _attempt in range(5):
            window.action_verify_code()
        self.assertFalse(window.proof)
        window.code_entry = code
        with self.assertRaisesRegex(UserError, "Too many wrong codes"):
            window.action_verify_code()
        window.sudo().code_tries = 0
        window.action_verify_code()
        self.assertEqual(window.proof, "code")
        window.email = "somebody.else@brand-a.example"
        self.assertFalse(window.proof)

    def test_only_managers_vouch(self):
        window = self.window(smtp_host="smtp.corp.example")
        with self.assertRaises(AccessError):
            window.action_vouch()
        window = self.window(
            self.manager, smtp_host="smtp.corp.example", user_id=self.anna.id
        )
        self.passed(window)
        window.action_vouch()
        window.action_save()
        self.assertEqual(window.address_id.proof_user_id, self.manager)

    def test_owners(self):
        for values in (
            {"user_id": self.bohdan.id},
            {"is_company": True, "user_id": False, "company_id": self.company.id},
        ):
            window = self.window(**values)
            self.passed(window)
            for method in ("action_save", "action_keep_draft", "action_send_code"):
                with self.assertRaises(AccessError, msg=f"{method} {values}"):
                    getattr(window, method)()
            with self.assertRaises(AccessError):
                window.run_check("smtp_host")

    def test_administrator_may_forbid_personal_addresses(self):
        self.env["ir.config_parameter"].set_param(
            "mail_external_account.forbid_personal", "True"
        )
        with self.assertRaisesRegex(AccessError, "does not allow"):
            self.window().action_keep_draft()

    def test_odoos_own_addresses_are_refused(self):
        domain = self.env["mail.alias.domain"].create({"name": "alias.example"})
        self.env["mail.alias"].create(
            {
                "alias_name": "jobs",
                "alias_domain_id": domain.id,
                "alias_model_id": self.env["ir.model"]._get_id("res.partner"),
            }
        )
        for email in (
            "jobs@alias.example",
            "Jobs@Alias.Example",
            "catchall@alias.example",
            "bounce@alias.example",
            "notifications@alias.example",
        ):
            window = self.window(email=email)
            with self.assertRaisesRegex(UserError, "used by Odoo itself", msg=email):
                window.action_keep_draft()

    def test_bad_addresses_name_the_field(self):
        for email in (
            "",
            "anna",
            "a@b@c.example",
            "a@x.example, b@x.example",
            "a@x.example\nBcc: b@x.example",
        ):
            with self.assertRaisesRegex(UserError, "E-mail Address"):
                self.window(email=email, smtp_login="a").action_keep_draft()

    def test_draft_holds_no_secret(self):
        window = self.window()
        window.action_keep_draft()
        address = window.address_id.sudo()
        self.assertEqual(address.state, "draft")
        self.assertFalse(
            self.env["mail.external.secret"].search(
                [("account_id", "=", address.account_id.id)]
            )
        )
        again = self.env["mail.external.account.connect"].with_user(self.anna)
        again = again.with_context(default_address_id=address.id).create({})
        self.assertEqual(again.email, "anna@brand-a.example")

    def test_old_settings_go_on_until_new_ones_passed(self):
        window = self.window()
        self.passed(window)
        window.action_save()
        address = window.address_id
        second = (
            self.env["mail.external.account.connect"]
            .with_user(self.anna)
            .with_context(default_address_id=address.id)
            .create({})
        )
        self.assertEqual(second.smtp_host, address.account_id.smtp_host)
        self.assertEqual(test.passwords(second).smtp, "hunter2")
        for change in (
            {"smtp_host": "evil.example.com"},
            {"smtp_port": 587},
            {"smtp_security": "none"},
            {"ca_certificate": "x"},
            {"smtp_login": "other"},
            {"user_id": self.bohdan.id},
        ):
            with self.cr.savepoint() as savepoint:
                second.write(change)
                self.assertIsNone(test.passwords(second).smtp, change)
                savepoint.rollback()
            second.invalidate_recordset()
        second.smtp_host = "new.brand-a.example"
        with self.assertRaises(UserError):
            second.action_save()
        with self.assertRaises(UserError):
            second.action_keep_draft()
        self.assertEqual(address.account_id.smtp_host, "smtp.brand-a.example")
        self.assertEqual(address.state, "working")

    def test_changed_preset_leaves_saved_accounts_alone(self):
        window = self.window(provider_id=self.provider.id)
        self.passed(window)
        window.action_save()
        self.provider.smtp_host = "smtp.elsewhere.example"
        self.assertEqual(window.account_id.smtp_host, "smtp.brand-a.example")

    def test_windows_are_private(self):
        window = self.window()
        with self.assertRaises(AccessError):
            window.with_user(self.bohdan).read(["email"])
        with self.assertRaises(AccessError):
            window.with_user(self.bohdan).action_save()
        with self.assertRaises(AccessError):
            window.with_user(self.manager).run_check("smtp_host")

    def test_tests_are_rate_limited(self):
        window = self.window()
        self.env["mail.external.account.connect.check"].with_user(
            self.anna
        ).sudo().create(
            [{"wizard_id": window.id, "step": "x", "fingerprint": "-"}] * 120
        )
        with self.assertRaisesRegex(UserError, "Too many tests"):
            window.run_check("smtp_host")

    def test_capitals_in_the_domain_do_not_matter(self):
        window = self.window(
            email=" Anna@Brand-A.example ", smtp_login="Anna@Brand-A.example"
        )
        self.assertEqual(window.email, "Anna@brand-a.example")
        self.passed(window)
        self.assertEqual(window.proof, "provider")
        window.action_save()
        self.assertEqual(window.address_id.email, "Anna@brand-a.example")

    def test_only_the_listed_checks_can_be_run(self):
        for step in ("incoming_host", "nonsense", ""):
            with self.assertRaisesRegex(UserError, "no check named"):
                self.window().run_check(step)

    def test_the_code_leaves_in_odoos_name(self):
        """The user must not get it by their own server, or read it while it waits."""
        window = self.window(smtp_host="smtp.corp.example")
        window.action_send_code()
        mail = self.env["mail.mail"].search([("email_to", "=", window.email)], limit=1)
        self.assertTrue(mail)
        self.assertEqual(mail.create_uid, self.env.ref("base.user_root"))
        self.assertNotIn("anna@corp.example", mail.email_from)
        self.assertFalse(
            self.env["mail.message"]
            .with_user(self.anna)
            .search([("subject", "ilike", "Your code")])
        )
        self.assertNotRegex(mail.subject, r"\d")

    def test_a_project_that_became_private_does_not_block_saving(self):
        window = self.window(project_ids=[(0, 0, {"project_id": self.project_a.id})])
        self.passed(window)
        window.action_save()
        self.project_a.privacy_visibility = "followers"
        second = (
            self.env["mail.external.account.connect"]
            .with_user(self.anna)
            .with_context(default_address_id=window.address_id.id)
            .create({"password": "new one"})
        )
        self.passed(second)
        second.action_save()
        self.assertEqual(
            window.address_id.sudo().binding_ids.project_id, self.project_a
        )

    def test_proof_is_for_one_address_and_owner(self):
        window = self.window(self.manager, smtp_host="s.example", user_id=self.anna.id)
        self.passed(window)
        window.action_vouch()
        window.action_save()
        other = (
            self.env["mail.external.account.connect"]
            .with_user(self.manager)
            .with_context(default_address_id=window.address_id.id)
            .create({"password": "hunter2"})
        )
        self.assertEqual(other.proof, "manager")
        other.email = "ceo@brand-a.example"
        self.assertFalse(other.proof)
        other.email = "anna@brand-a.example"
        other.user_id = self.bohdan
        self.assertFalse(other.proof)
