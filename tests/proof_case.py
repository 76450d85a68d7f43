from email import message_from_string, policy

from odoo.addons.base.tests.common import MockSmtplibCase

from .common import ConnectCase

OWN = "notifications@corp.example"
CEO = "ceo@brand-a.example"
ATTACKER = "attacker@evil.example"


class ProofCase(MockSmtplibCase, ConnectCase):
    """Bohdan, an ordinary employee, has a server of his own that lets him do all."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.domain = cls.env["mail.alias.domain"].create(
            {"name": "corp.example", "default_from": "notifications"}
        )
        cls.company.alias_domain_id = cls.domain

    def attempt(self, email=CEO, user=None, **values):
        """A window whose tests have passed, and that proves nothing by itself."""
        window = self.window(
            user or self.bohdan,
            email=email,
            smtp_host="smtp.evil.example",
            **values,
        )
        self.passed(window)
        return window

    def code_mail(self, window, **context):
        """Let a code be sent; the one mail that leaves, as its recipient gets it."""
        with self.mock_smtplib_connection():
            window.with_context(**context).action_send_code()
        [mail] = self.emails
        self.assertEqual(mail["smtp_to_list"], [window.email])
        message = message_from_string(mail["message"], policy=policy.default)
        self.assertEqual(message["To"], window.email)
        self.assertFalse(message["Cc"] or message["Bcc"])
        return message
