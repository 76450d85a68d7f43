from ..mailkit.checks import CheckResult, Step
from ..mailkit.errors import ErrorCode, MailError, ServerReply
from ..tools.connect import test
from .common import ConnectCase


class TestGuidance(ConnectCase):
    """What to do at the mail service: before the test, and after its answer."""

    def preset(self, name):
        return self.env.ref(f"mail_external_account.provider_{name}")

    def window_at(self, name, **values):
        preset = self.preset(name)
        return self.window(
            provider_id=preset.id,
            smtp_host=preset.smtp_host,
            receive_replies=True,
            incoming_protocol="imap",
            incoming_host=preset.imap_host,
            **values,
        )

    def told(self, window, step, code, said=""):
        reply = said and ServerReply(535, "5.7.3", said)
        error = MailError(code, reply=reply or None)
        return test.told(window, CheckResult(step, False, 0.1, {}, error))

    def test_before_the_first_test(self):
        for name, words in (
            ("gmail", ("2-Step Verification", "App passwords", "Enable POP")),
            ("yahoo", ("Account info", "app password")),
            ("icloud", ("App-Specific Passwords",)),
            ("ukrnet", ("mail.ukr.net",)),
            ("zoho_eu", ("two-factor", "IMAP Access")),
            ("microsoft365", ("no mailbox be read", "Authenticated SMTP")),
        ):
            guidance = self.window_at(name).guidance
            for word in words:
                with self.subTest(f"{name}: {word}"):
                    self.assertIn(word, guidance)
            self.assertIn("<ol", guidance)
            self.assertNotIn("<details", guidance)
        self.assertFalse(self.window_at("onet").guidance)

    def test_what_is_said_once_is_enough(self):
        """Where no password works, the place of its field says so."""
        window = self.window_at("outlook")
        self.assertFalse(window.takes_password or window.guidance)

    def test_a_password_that_cannot_read(self):
        window = self.window_at("microsoft365")
        self.assertIn("switch off “Receive replies”", window.guidance)
        window.incoming_protocol = "none"
        self.assertIn("no mailbox be read", window.guidance)
        self.assertNotIn("switch off", window.guidance)

    def test_steps_are_folded_where_people_can_sign_in(self):
        self.env["mail.external.application"].create(
            {
                "kind": "google",
                "client_id": "1-a.apps.googleusercontent.com",
                "client_secret": "GOCSPX-abc",
            }
        )
        guidance = self.window_at("gmail").guidance
        self.assertEqual(guidance.count("<details"), 2)
        self.assertIn("<summary>To get an app password:</summary>", guidance)
        self.assertIn("2-Step Verification", guidance)

    def test_nothing_was_entered(self):
        window = self.window(smtp_host="smtp.example.com")
        data = self.told(window, Step.SMTP_LOGIN, ErrorCode.LOGIN_REQUIRED)
        self.assertIn("No password was entered", data["cause"])
        self.assertNotIn("stored", data["remedy"])

    def test_who_signs_in_needs_no_app_password(self):
        for name, words in (("gmail", "IMAP"), ("outlook", "Forwarding and IMAP")):
            window = self.env["mail.external.account.connect"].new(
                {
                    "provider_id": self.preset(name).id,
                    "auth_method": "oauth2",
                    "incoming_protocol": "imap",
                }
            )
            self.assertNotIn("2-Step", window.guidance)
            self.assertNotIn("no passwords", window.guidance)
            self.assertIn(words, window.guidance)

    def test_words_of_a_preset_are_no_markup(self):
        self.provider.write(
            {"app_password": "required", "app_password_steps": "<img src=x>\n\n b "}
        )
        window = self.window(provider_id=self.provider.id)
        self.assertIn("<li>&lt;img src=x&gt;</li><li>b</li>", window.guidance)

    def test_the_servers_answer_asks_for_an_app_password(self):
        for name in ("gmail", "yahoo", "fastmail", "gmx"):
            window = self.window_at(name)
            for code in (ErrorCode.APP_PASSWORD_REQUIRED, ErrorCode.LOGIN_REFUSED):
                data = self.told(window, Step.SMTP_LOGIN, code)
                with self.subTest(f"{name} {code}"):
                    self.assertEqual(
                        data["steps"], self.preset(name)._steps("app_password_steps")
                    )
                    self.assertEqual(
                        data.get("help_url", False), self.preset(name).help_url
                    )

    def test_a_service_without_steps_of_its_own(self):
        window = self.window()
        data = self.told(window, Step.SMTP_LOGIN, ErrorCode.APP_PASSWORD_REQUIRED)
        self.assertIn("app password", " ".join(data["steps"]))
        data = self.told(window, Step.INCOMING_LOGIN, ErrorCode.LOGIN_DISABLED)
        self.assertIn("IMAP", " ".join(data["steps"]))
        data = self.told(window, Step.SMTP_LOGIN, ErrorCode.LOGIN_REFUSED)
        self.assertFalse(data["steps"], "a wrong password is just that")

    def test_no_service_is_chosen(self):
        window = self.window(smtp_host="smtp.unknown.example")
        self.assertFalse(window.provider_id)
        self.assertFalse(window.guidance)
        for code in ErrorCode:
            steps = self.told(window, Step.SMTP_LOGIN, code)["steps"]
            self.assertNotIn("False", " ".join(steps))
        data = self.told(window, Step.SMTP_LOGIN, ErrorCode.LOGIN_REFUSED)
        self.assertFalse(data["steps"])

    def test_access_is_switched_off(self):
        data = self.told(
            self.window_at("zoho_us"), Step.INCOMING_LOGIN, ErrorCode.LOGIN_DISABLED
        )
        self.assertEqual(data["steps"], self.preset("zoho_us")._steps("access_steps"))

    def test_smtp_is_switched_off_for_the_firm(self):
        steps = self.preset("microsoft365")._steps("admin_steps")
        self.assertGreater(len(steps), 2)
        for window in (
            self.window_at("microsoft365"),
            # known by the server, whatever was chosen as mail service
            self.window(smtp_host="smtp.office365.com"),
            self.window(
                provider_id=self.preset("other").id, smtp_host="Smtp.Office365.com"
            ),
        ):
            data = self.told(window, Step.SMTP_LOGIN, ErrorCode.SMTP_AUTH_DISABLED)
            self.assertEqual(data["steps"], steps)

    def test_passwords_are_not_taken(self):
        for name, step, code in (
            ("outlook", Step.SMTP_LOGIN, ErrorCode.OAUTH_REQUIRED),
            ("outlook", Step.SMTP_LOGIN, ErrorCode.LOGIN_REFUSED),
            ("microsoft365", Step.INCOMING_LOGIN, ErrorCode.LOGIN_REFUSED),
        ):
            steps = self.told(self.window_at(name), step, code)["steps"]
            with self.subTest(f"{name} {code}"):
                self.assertIn("administrator", steps[0])
                self.assertIn("“Sign in with Microsoft”", steps[1])
        self.assertIn("Receive replies", steps[-1])
        steps = self.told(
            self.window_at("microsoft365"), Step.SMTP_LOGIN, ErrorCode.LOGIN_REFUSED
        )["steps"]
        self.assertFalse(steps, "for sending a password works")

    def test_another_port_of_the_service(self):
        for code in (ErrorCode.TIMEOUT, ErrorCode.PORT_REFUSED, ErrorCode.UNREACHABLE):
            window = self.window_at("gmail", smtp_port=465)
            [step] = self.told(window, Step.SMTP_PORT, code)["steps"]
            self.assertIn("smtp.gmail.com, port 587, STARTTLS", step)
        window = self.window_at("gmail", smtp_port=587)
        [step] = self.told(window, Step.SMTP_PORT, ErrorCode.TIMEOUT)["steps"]
        self.assertIn("port 465, SSL/TLS", step)

    def test_every_service_with_an_app_password_says_how(self):
        presets = self.env["mail.external.provider"].search([])
        for preset in presets.filtered(lambda p: p.app_password == "required"):
            with self.subTest(preset.name):
                self.assertTrue(preset.note)
                self.assertTrue(
                    preset.app_password_steps or preset.name == "Aliyun Mail"
                )
