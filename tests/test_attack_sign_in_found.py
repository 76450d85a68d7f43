"""Holes that were found in the sign-in with the mail service, each closed now."""

from odoo.exceptions import AccessError, UserError

from ..mailkit.checks import Step
from ..tools.connect import sign_in, test
from ..tools.oauth2 import authorization
from .oauth_case import WINDOW, OauthCase

_GOOGLE = "123456789012-abcdefghijklmnopqrstuvwxyz01234%d.apps.googleusercontent.com"


class TestMixUp(OauthCase):
    """A window that signs in as one application, and has the servers of another."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other_application = cls.new_application("Second")
        cls.other_service = cls.env["mail.external.provider"].create(
            {
                "name": "Second",
                "smtp_host": "smtp.second.example",
                "smtp_port": 465,
                "smtp_security": "ssl",
                "oauth_kind": "other",
                "application_id": cls.other_application.id,
            }
        )
        cls.other_company = cls.env["res.company"].create({"name": "Second"})

    def gets_no_token(self, window):
        self.assertFalse(window.is_signed_in)
        with self.assertRaises(UserError):
            authorization.start(window)
        if window.auth_method == "oauth2":
            for call in (
                window.action_save,
                lambda: test.check_step(window, Step.SMTP_LOGIN.value),
            ):
                with self.assertRaises(UserError):
                    call()

    def test_the_mail_service_is_another_afterwards(self):
        """Both are trusted; but neither gets the tokens of the other."""
        window = self.oauth_window()
        window.provider_id = self.other_service
        self.assertEqual(window.auth_method, "password")
        self.gets_no_token(window)
        window.action_sign_in()  # the button says with whom
        self.assertEqual(window.application_id.sudo(), self.other_application)
        authorization.start(window)

    def test_also_while_somebody_signs_in(self):
        window = self.oauth_window()
        url, row = self.begun(window)
        window.provider_id = self.other_service
        self.finish(self.service.visit(url, window.email))
        self.assertFalse(row.tokens_sealed or self.service.asked)

    def test_a_window_begins_with_the_servers_of_another(self):
        account = self.connected()
        address = account.address_ids
        windows = self.env[WINDOW].with_user(self.anna)
        windows = windows.with_context(default_address_id=address.id)
        names = [n for n, f in windows._fields.items() if not f.compute]
        window = windows.create(
            {
                **windows.default_get(names),
                "provider_id": self.other_service.id,
                "smtp_host": "smtp.second.example",
                "incoming_protocol": "none",
            }
        )
        self.gets_no_token(window)

    def test_the_service_has_another_application_by_now(self):
        """Who connects anew signs in as that one."""
        account = self.connected()
        self.provider.application_id = self.other_application
        windows = self.env[WINDOW].with_user(self.anna)
        window = windows._open_for_sign_in(account.id)
        self.assertEqual(window.application_id.sudo(), self.other_application)
        windows = windows.with_context(default_address_id=account.address_ids.id)
        names = [n for n, f in windows._fields.items() if not f.compute]
        window = windows.create(windows.default_get(names))
        with self.assertRaisesRegex(UserError, "Choose “Sign in” again"):
            test.check_step(window, Step.SMTP_LOGIN.value)

    def test_a_window_of_another_address_asks_for_no_tokens(self):
        """It would keep some that nothing needs; the account's are used."""
        account = self.connected()
        windows = self.env[WINDOW].with_user(self.anna)
        windows = windows.with_context(default_account_id=account.id)
        window = windows.create({"email": "sales@brand-a.example"})
        self.assertTrue(window.is_signed_in)
        with self.assertRaises(UserError):
            authorization.start(window)

    def test_the_application_of_another_company(self):
        self.manager.company_ids += self.other_company
        applications = self.env["mail.external.application"].create(
            [
                {
                    "kind": "google",
                    "client_id": _GOOGLE % number,
                    "client_secret": "x" * 40,
                    "company_id": company.id,
                }
                for number, company in enumerate((self.company, self.other_company))
            ]
        )
        self.provider.write({"oauth_kind": "google", "application_id": False})
        window = self.oauth_window(
            self.manager,
            email="info@brand-a.example",
            is_company=True,
            user_id=False,
            company_id=self.company.id,
        )
        self.assertEqual(window.application_id.sudo(), applications[0])
        window.company_id = self.other_company
        self.gets_no_token(window)
        window.action_sign_in()
        self.assertEqual(window.application_id.sudo(), applications[1])
        # one for all goes on where the company gets its own later
        applications[1].company_id = False
        applications[0].company_id = self.other_company
        authorization.start(window)


class TestElsewhere(OauthCase):
    """What is told to another address than it was given for."""

    def test_the_tokens_of_a_window(self):
        """The application has another token address by now, with a secret for it."""
        window = self.oauth_window()
        self.signed_in(window)
        url, row = self.begun(window)
        self.application.write(
            {"token_endpoint": f"{self.service.url}/2", "client_secret": "s2"}
        )
        window.invalidate_recordset()
        self.assertFalse(window.is_signed_in)
        self.service.asked.clear()
        self.finish(self.service.visit(url, window.email))
        self.assertFalse(row.tokens_sealed or self.service.asked)

    def test_a_secret_is_not_told_to_another_revocation_address(self):
        """Which is told it whenever a sign-in ends."""
        evil = "https://evil.example/revoke"
        with self.assertRaisesRegex(UserError, "Revocation Address: .*once more"):
            self.application.revocation_endpoint = evil
        self.application.write({"revocation_endpoint": evil, "client_secret": "s2"})
        self.assertEqual(self.application._client().client_secret, "s2")
        self.application.write({"revocation_endpoint": evil, "scopes": "mail"})
        # nowhere, and back
        self.application.revocation_endpoint = False
        self.assertEqual(self.application._client().client_secret, "s2")
        with self.assertRaises(UserError):
            self.application.revocation_endpoint = evil
        # written past the application: it does not open
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE mail_external_application SET revocation_endpoint = %s", [evil]
        )
        self.env.invalidate_all()
        window = self.oauth_window()
        with self.assertRaises(UserError):
            authorization.start(window)


class TestNames(OauthCase):
    """Whose mailbox is opened, by whatever name."""

    KELVIN = "\u212aate@brand-a.example"

    def test_a_letter_that_becomes_another_in_lower_case(self):
        self.assertFalse(sign_in.is_same_name("kate@brand-a.example", self.KELVIN))
        window = self.oauth_window(email="kate@brand-a.example")
        self.signed_in(window, self.KELVIN)
        self.passed(window)
        self.assertFalse(window.proof)
        window = self.window(email="kate@brand-a.example", smtp_login=self.KELVIN)
        self.passed(window)
        self.assertFalse(window.proof)
        window = self.window(
            email="kate@brand-a.example", smtp_login="KATE@brand-a.example"
        )
        self.passed(window)
        self.assertEqual(window.proof, "provider")

    def test_ones_own_mailbox_by_the_name_that_the_service_has_for_it(self):
        """Odoo knows the manager by another address; the shared one sends only."""
        self.manager.email = "manager@private.example"
        for window in (
            self.shared("info@brand-a.example", reading="manager@brand-a.example"),
            self.shared("manager@brand-a.example", reading="info@brand-a.example"),
            self.shared("info@brand-a.example", reading="Manager"),
        ):
            for call in (
                window.action_save,
                lambda window=window: test.check_step(window, Step.SMTP_LOGIN.value),
            ):
                with self.assertRaisesRegex(UserError, "is your own mailbox"):
                    call()
        window = self.shared("info@brand-a.example", reading="info@brand-a.example")
        test.check_step(window, Step.SMTP_LOGIN.value)

    def test_a_mailbox_with_a_user_name_without_domain(self):
        """It signed in itself: it is nobody's, and a colleague's only by name."""
        self.bohdan.email = "info@brand-b.example"
        window = self.shared("info", reading="INFO")
        with self.assertRaises(AccessError):
            test.check_step(window, Step.SMTP_LOGIN.value)
        for hint, person in (
            ("info@brand-b.example", self.manager),
            ("info@brand-a.example", self.env["res.users"]),
        ):
            self.signed_in(window, hint)
            self.assertEqual(window._sign_in_user(), person)
        test.check_step(window, Step.SMTP_LOGIN.value)

    def test_a_mailbox_with_a_user_name_of_its_own(self):
        """Whose sign-in it is cannot be told: it counts as the manager's."""
        window = self.shared("info@brand-a.onmicrosoft.example")
        self.signed_in(window, "info@brand-a.example")
        test.check_step(window, Step.SMTP_LOGIN.value)
        self.assertEqual(window._sign_in_user(), self.manager)

    def shared(self, login, reading=None):
        """A company's window, in which a manager signed in as themselves."""
        window = self.oauth_window(
            self.manager,
            email="info@brand-a.example",
            is_company=True,
            user_id=False,
            company_id=self.company.id,
            smtp_login=login,
        )
        if reading:
            window.write(
                {
                    "receive_replies": True,
                    "incoming_protocol": "imap",
                    "incoming_login": reading,
                }
            )
        self.signed_in(window, "manager@brand-a.example")
        self.passed(window)
        return window

    def test_a_colleagues_mailbox_by_each_of_its_names(self):
        """Which is shared with the manager at the service."""
        self.bohdan.email = "bohdan@brand-a.example"
        own = self.address("priv@brand-a.example", self.bohdan, proof="code")
        for name in (
            "bohdan@brand-a.example",
            "Bohdan+x@brand-a.example",
            "bohdan",
            " BOHDAN",
            own.email,
            "priv",
        ):
            for window in (
                self.shared(name),
                self.shared("info@brand-a.example", reading=name),
            ):
                for call in (
                    window.action_save,
                    lambda window=window: test.check_step(
                        window, Step.SMTP_LOGIN.value
                    ),
                ):
                    with self.assertRaisesRegex(AccessError, "of a colleague"):
                        call()

    def test_what_is_nobodys(self):
        """Drafts claim nothing, nor does who left or whose address was removed."""
        self.address("draft@brand-a.example", self.bohdan, state="draft")
        removed = self.address("removed@brand-a.example", self.bohdan, proof="code")
        removed.active = False
        self.address("mine@brand-a.example", self.anna, proof="code")
        self.anna.active = False
        for name in ("draft", "removed@brand-a.example", "mine", "support", ""):
            window = self.shared(name or "info@brand-a.example")
            test.check_step(window, Step.SMTP_LOGIN.value)
