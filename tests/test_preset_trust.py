from odoo.exceptions import AccessError, ValidationError
from odoo.tests import Form

from ..mailkit.discovery.search import matches
from .common import ConnectCase

VALUES = {
    "name": "Mine",
    "domains": "corp-mail.example",
    "smtp_host": "smtp.corp-mail.example",
    "smtp_port": 465,
    "smtp_security": "ssl",
}
CHANGES = {
    "domains": "gmail.com, brand-a.example",
    "mx_patterns": "*.evil.example",
    "smtp_host": "smtp.evil.example",
    "smtp_port": 2465,
    "smtp_security": "starttls",
    "imap_host": "imap.evil.example",
    "imap_port": 2993,
    "imap_security": "none",
    "pop3_host": "pop.evil.example",
    "pop3_port": 2995,
    "pop3_security": "starttls",
    "alternates": "smtp smtp.evil.example:587 starttls",
    "login_format": "local",
    "incoming_login_format": "local",
    "oauth_kind": "google",
}


class TestPresetTrust(ConnectCase):
    """Who entered a preset's servers and domains: managers prove nothing by them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls.env.ref("base.user_admin")
        cls.presets = cls.env["mail.external.provider"]
        cls.gmail = cls.env.ref("mail_external_account.provider_gmail")

    def test_a_managers_change_of_any_such_field(self):
        for name, value in CHANGES.items():
            with self.subTest(name):
                preset = self.presets.create(VALUES)
                self.assertTrue(preset.is_trusted)
                preset.with_user(self.manager).write({name: value})
                self.assertFalse(preset.is_trusted)

    def test_an_application_of_another(self):
        application = self.env["mail.external.application"].create(
            {"name": "App", "kind": "other"}
        )
        preset = self.presets.create({**VALUES, "oauth_kind": "other"})
        preset.with_user(self.manager).application_id = application.id
        self.assertFalse(preset.is_trusted)

    def test_what_else_managers_change(self):
        self.gmail.with_user(self.manager).write(
            {
                "note": "Ask Ivan",
                "limit_day": 5,
                "sequence": 3,
                "smtp_host": self.gmail.smtp_host,
                "domains": self.gmail.domains,
            }
        )
        self.assertTrue(self.gmail.is_trusted)

    def test_one_that_an_administrator_had_put_away(self):
        """Whoever brings it back answers for it; what came along is as it came."""
        preset = self.presets.create(VALUES)
        for user in (self.manager, self.admin):
            (preset | self.gmail).active = False
            (preset | self.gmail).with_user(user).action_unarchive()
            self.assertEqual(preset.is_trusted, user == self.admin)
            self.assertTrue(self.gmail.is_trusted)
            preset.action_trust()
        preset.with_user(self.manager).write({"active": True, "note": "Works"})
        self.assertTrue(preset.is_trusted)

    def test_a_managers_own_by_every_route(self):
        theirs = self.presets.with_user(self.manager)
        made = theirs.create(VALUES)
        made |= theirs.with_context(default_is_trusted=True).create(VALUES)
        context = {f"default_{name}": value for name, value in VALUES.items()}
        made |= theirs.with_context(**context).create({"name": "By context"})
        made |= self.presets.create(VALUES).with_user(self.manager).copy()
        result = theirs.load(
            ["name", "domains", "smtp_host"], [["Imported", "x.example", "y.example"]]
        )
        made |= theirs.browse(result["ids"])
        made |= theirs.browse(theirs.name_create("Quick")[0])
        with Form(theirs) as form:
            form.name = "Form"
            form.smtp_host = "smtp.form.example"
        made |= form.record
        self.assertEqual(len(made), 7)
        for preset in made:
            self.assertFalse(preset.is_trusted, preset.name)

    def test_import_over_one_that_came_along(self):
        self.presets.with_user(self.manager).load(
            ["id", "smtp_host"],
            [["mail_external_account.provider_gmail", "smtp.evil.example"]],
        )
        self.assertEqual(self.gmail.smtp_host, "smtp.evil.example")
        self.assertFalse(self.gmail.is_trusted)

    def test_nobody_writes_the_flag(self):
        for user in (self.manager, self.admin, self.env.user):
            preset = self.presets.create(VALUES)
            preset.with_user(self.manager).smtp_host = "smtp.evil.example"
            theirs = preset.with_user(user)
            for values in (
                {"is_trusted": True},
                {"is_trusted": True, "smtp_host": "smtp.evil.example"},
                {"unproven_fields": False},
            ):
                with self.subTest(f"{user.login} {values}"):
                    with self.assertRaises(AccessError):
                        theirs.write(values)
                    with self.assertRaises(AccessError):
                        theirs.create({"name": "x", **values})
            result = theirs.load(["name", "is_trusted"], [["x", "True"]])
            self.assertFalse(result["ids"])
            self.assertFalse(preset.is_trusted)

    def test_defaults_that_a_manager_sets_for_themselves(self):
        defaults = self.env["ir.default"].with_user(self.manager)
        defaults.set("mail.external.provider", "smtp_host", "smtp.evil.example", True)
        preset = self.presets.with_user(self.manager).create({"name": "x"})
        self.assertEqual(preset.smtp_host, "smtp.evil.example")
        self.assertFalse(preset.is_trusted)

    def test_an_administrator_answers_for_what_they_enter_only(self):
        preset = self.presets.create(VALUES)
        preset.with_user(self.manager).write(
            {"smtp_host": "smtp.evil.example", "domains": "gmail.com"}
        )
        theirs = preset.with_user(self.admin)
        theirs.write({"domains": "corp-mail.example", "name": "Ours"})
        self.assertFalse(preset.is_trusted)
        self.assertEqual(preset.unproven_names, "SMTP Host")
        theirs.smtp_host = "smtp.corp-mail.example"
        self.assertTrue(preset.is_trusted)

    def test_an_administrator_confirms(self):
        preset = self.presets.with_user(self.manager).create(VALUES)
        for user in (self.manager, self.anna):
            with self.assertRaises(AccessError):
                preset.with_user(user).action_trust()
        preset.with_user(self.admin).action_trust()
        self.assertTrue(preset.is_trusted)

    def test_a_manager_puts_it_back_as_it_came(self):
        host = self.gmail.smtp_host
        theirs = self.gmail.with_user(self.manager)
        theirs.smtp_host = "smtp.evil.example"
        self.assertFalse(self.gmail.is_trusted)
        theirs.smtp_host = host
        self.assertTrue(self.gmail.is_trusted)

    def test_only_a_trusted_one_proves(self):
        window = self.window()
        self.passed(window)
        self.assertEqual(window.proof, "provider")
        self.provider.with_user(self.manager).imap_port = 994
        window.invalidate_recordset()
        self.assertFalse(window.proof)

    def test_a_managers_preset_takes_no_proof_away(self):
        """Theirs is offered for the domain; the address is proven as before."""
        theirs = self.presets.with_user(self.manager).create(
            {**VALUES, "domains": "brand-a.example", "sequence": 1}
        )
        self.assertEqual(self.presets._find_for_address("a@brand-a.example"), theirs)
        window = self.window()
        self.passed(window)
        self.assertEqual(window.proof, "provider")

    def test_a_program_on_the_servers_machine_proves_nothing(self):
        """Proton Bridge listens on a port of it, and so may any other program."""
        find = self.presets._find_for_address("a@proton.me")
        self.assertEqual(find.smtp_host, "127.0.0.1")
        self.assertFalse(self.presets._find_proving("a@proton.me"))

    def test_domains_below_another(self):
        find = self.presets._find_for_address
        microsoft = self.env.ref("mail_external_account.provider_microsoft365")
        for email in ("a@firm.onmicrosoft.com", "a@FIRM.mail.onmicrosoft.com"):
            self.assertEqual(find(email), microsoft)
        for email in ("a@notonmicrosoft.com", "a@onmicrosoft.com.evil.example"):
            self.assertFalse(find(email))

    def test_a_firms_own_domain_by_its_exchangers(self):
        patterns = self.presets._exchanger_patterns()
        for host, name in (
            ("firm-com.mail.protection.outlook.com", "microsoft365"),
            ("firm-com.o-v1.mx.microsoft", "microsoft365"),
            ("outlook-com.olc.protection.outlook.com", "outlook"),
            ("aspmx.l.google.com", "gmail"),
            ("alt1.aspmx.l.google.com", "gmail"),
            ("in1-smtp.messagingengine.com", "fastmail"),
            ("mx2.zoho.eu", "zoho_pro_eu"),
            ("mail.protection.outlook.com.evil.example", None),
            ("google.com", None),
        ):
            found = [key for key, names in patterns.items() if matches(host, names)]
            expected = name and self.env.ref(f"mail_external_account.provider_{name}")
            self.assertEqual(found[:1], expected.ids if expected else [], host)

    def test_servers_as_other_settings_name_them(self):
        for host, email, name in (
            ("smtp.outlook.com", "a@firm.example", "microsoft365"),
            ("smtp.outlook.com", "a@hotmail.de", "outlook"),
            ("Outlook.Office365.com.", "", "microsoft365"),
            ("smtp.gmail.com", "a@firm.example", "gmail"),
            ("smtp.firm.example", "a@gmail.com", None),
        ):
            found = self.presets._find_for_server(host, email)
            expected = name and self.env.ref(f"mail_external_account.provider_{name}")
            self.assertEqual(found, expected or self.presets, host)

    def test_other_servers_are_lines_of_a_kind(self):
        self.provider.alternates = "smtp smtp.a.example:587 starttls\n\n pop3 p:995 ssl"
        self.assertEqual(len(self.provider._servers()), 4)
        for text in (
            "smtp.a.example",
            "smtp a:b ssl",
            "smtp a:99999 ssl",
            "ftp a:1 ssl",
        ):
            with self.subTest(text), self.assertRaisesRegex(ValidationError, "Other"):
                self.provider.alternates = text
