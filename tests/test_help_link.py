from odoo.exceptions import ValidationError
from odoo.tests import Form

from ..mailkit import checks
from ..mailkit.errors import ErrorCode, MailError
from ..tools.connect import test
from .common import ConnectCase

NO_WEB_PAGES = (
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    " javascript:alert(1)",
    "java\tscript:alert(1)",
    "java\nscript:alert(1)",
    "\x01javascript:alert(1)",
    "javascript://help.example/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "ftp://help.example",
    "mailto:a@help.example",
    "blob:https://help.example/1",
    "//help.example",
    "/\\help.example",
    "\\\\help.example",
    "/odoo/action-1",
    "?debug=1",
    "#x",
    "help.example",
    "www.help.example/page",
    "https:",
    "https://",
    "https:///page",
    "https:help.example",
    "https:/help.example",
    "https:\\\\help.example",
    "https://[help.example",
    "https://help.example/a b",
    " https://help.example",
    "https://help.example\n",
    "https://help.example/\u200b",
    "https://help.example/\u202e",
    "\uff48ttps://help.example",
    "https://help.example/\"onclick='x'",
    "https://help.example/<b>",
)
WEB_PAGES = (
    "https://help.example",
    "http://help.example/a/b?c=d&e=f#g",
    "HTTPS://Help.Example:8443/",
    "https://пошта.укр/довідка",
    "https://192.0.2.1/help",
    "https://[2001:db8::1]/help",
    False,
)


class TestHelpLink(ConnectCase):
    """A preset's help page is opened with a click: a web page and nothing else."""

    def test_refused_with_the_name_of_the_field(self):
        presets = self.env["mail.external.provider"].with_user(self.manager)
        for url in NO_WEB_PAGES:
            with self.subTest(url=url):
                for call in (
                    lambda u=url: self.provider.with_user(self.manager).write(
                        {"help_url": u}
                    ),
                    lambda u=url: presets.create({"name": "x", "help_url": u}),
                ):
                    with self.assertRaisesRegex(
                        ValidationError, "^(?s:Help Page: .*https)"
                    ):
                        call()

    def test_by_import(self):
        result = self.provider.with_user(self.manager).load(
            ["name", "help_url"], [["x", "javascript:alert(1)"]]
        )
        self.assertFalse(result["ids"])
        self.assertIn("Help Page", result["messages"][0]["message"])

    def test_web_pages_are_shown(self):
        for url in WEB_PAGES:
            self.provider.help_url = url
            window = self.window(provider_id=self.provider.id)
            self.assertEqual(window.provider_help_url, url)

    def test_the_presets_that_come_along(self):
        presets = self.env["mail.external.provider"].search([("help_url", "!=", False)])
        self.assertGreater(len(presets), 5)
        presets._check_help_url()
        for preset in presets:
            self.assertEqual(preset._help_link(), preset.help_url)

    def test_nothing_else_is_shown_as_a_link(self):
        """Also what is in the database from before, or by another way."""
        error = MailError(ErrorCode.LOGIN_REFUSED)
        failed = checks.CheckResult(checks.Step.SMTP_LOGIN, False, 0.1, {}, error)
        for url in ("https://help.example/", *NO_WEB_PAGES):
            self.env.cr.execute(
                "UPDATE mail_external_provider SET help_url = %s WHERE id = %s",
                [url, self.provider.id],
            )
            self.env.invalidate_all()
            window = self.window(provider_id=self.provider.id)
            data = test.told(window, failed)
            link = url if url == "https://help.example/" else False
            with self.subTest(url=url):
                self.assertEqual(window.provider_help_url, link)
                self.assertEqual(data.get("help_url", False), link)

    def test_the_window_shows_the_link_of_the_chosen_service(self):
        self.provider.help_url = "https://help.example/"
        model = self.env["mail.external.account.connect"].with_user(self.anna)
        with Form(model) as window:
            window.email = "anna@brand-a.example"
            self.assertEqual(window.provider_help_url, "https://help.example/")
