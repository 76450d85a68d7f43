"""The firm's applications: what an administrator enters, and who is told what."""

from contextlib import ExitStack
from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, HttpCase, new_test_user
from odoo.tools import config

from ..mailkit.errors import ErrorCode, ServerReply
from ..tools import vault
from .common import ExternalAccountCase

GUID = "11111111-2222-4333-8444-555555555555"
TENANT = "99999999-2222-4333-8444-555555555555"
GOOGLE_ID = "123456789012-abcdefghijklmnopqrstuvwxyz012345.apps.googleusercontent.com"
VALUE = "abc8Q~dE-fGhIjKlMnOpQrStUvWxYz0123456789"


class ApplicationCase(ExternalAccountCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        groups = "base.group_user,base.group_system"
        cls.admin = new_test_user(
            cls.env, "ext_admin", groups, name="Admin", email="admin@corp.example"
        )
        cls.applications = cls.env["mail.external.application"].with_user(cls.admin)

    def application(self, kind="microsoft", **values):
        known = {
            "google": {"client_id": GOOGLE_ID, "client_secret": "GOCSPX-abc"},
            "microsoft": {
                "client_id": GUID,
                "client_secret": VALUE,
                "tenant": "contoso.example",
            },
            "other": {
                "name": "Example",
                "client_id": "odoo",
                "client_secret": "s1",
                "authorization_endpoint": "https://login.example.com/auth",
                "token_endpoint": "https://login.example.com/token",
                "scopes": "openid mail",
            },
        }[kind]
        return self.applications.create({"kind": kind, **known, **values})

    def account(self, application, user=None, **values):
        """A working account that signs in with the application."""
        user = user or self.anna
        address = self.address(
            f"{user.login}@contoso.example",
            user,
            auth_method="oauth2",
            application_id=application.id,
        )
        address.account_id.write(values)
        return address.account_id

    def assertRefused(self, error, words):
        """As assertRaisesRegex, which takes nothing back in Odoo."""
        stack = ExitStack()
        stack.enter_context(self.assertRaisesRegex(error, words))
        stack.enter_context(self.env.cr.savepoint())
        return stack

    def notices(self, user=None):
        """Subjects of what was told to an administrator."""
        partner = (user or self.admin).partner_id
        self.env.flush_all()
        return (
            self.env["mail.message"]
            .search(
                [
                    ("notified_partner_ids", "in", partner.ids),
                    ("message_type", "=", "user_notification"),
                ]
            )
            .mapped("subject")
        )


class TestEntering(ApplicationCase):
    def test_google_and_microsoft_are_known(self):
        google = self.application("google")._client()
        self.assertEqual(google.token_endpoint, "https://oauth2.googleapis.com/token")
        self.assertEqual(google.client_secret, "GOCSPX-abc")
        self.assertIn(("access_type", "offline"), google.parameters)
        self.assertIn(("prompt", "consent"), google.parameters)
        self.assertEqual(google.scopes[0], "https://mail.google.com/")
        microsoft = self.application("microsoft")._client()
        self.assertEqual(
            microsoft.token_endpoint,
            "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token",
        )
        self.assertIn("https://outlook.office.com/SMTP.Send", microsoft.scopes)
        self.assertIn("offline_access", microsoft.scopes)

    def test_the_addresses_of_a_known_service_are_not_typed(self):
        google = self.application("google")
        for name in ("token_endpoint", "authorization_endpoint", "revocation_endpoint"):
            with self.assertRefused(ValidationError, "Another service"):
                google[name] = "https://evil.example.com/token"
        with self.assertRaises(ValidationError):
            self.application("microsoft", token_endpoint="https://evil.example.com/")

    def test_what_was_pasted_along_is_left_away(self):
        for around in (" {} ", "\n{}\r\n", "\t{}\u200b", "\ufeff{}\xa0", "{}\n\n"):
            application = self.application(
                client_id=around.format(GUID.upper()),
                client_secret=around.format(VALUE),
                tenant=around.format("Contoso.Example"),
            )
            self.assertEqual(application.client_id, GUID, repr(around))
            self.assertEqual(application.tenant, "contoso.example")
            self.assertEqual(application._client().client_secret, VALUE)

    def test_a_secret_of_another_service_keeps_its_blanks(self):
        application = self.application("other", client_secret=" two words\n")
        self.assertEqual(application._client().client_secret, "two words")

    def test_mistakes_are_told_with_the_field_and_the_remedy(self):
        cases = (
            ("microsoft", {"client_id": VALUE}, "Client ID.*Client Secret"),
            ("microsoft", {"client_id": "My Application"}, "Client ID.*Application"),
            (
                "microsoft",
                {"client_id": f"api://{GUID}"},
                "Client ID.*ID URI",
            ),
            ("microsoft", {"client_id": TENANT, "tenant": TENANT}, "Client ID.*tenant"),
            ("microsoft", {"client_secret": TENANT}, "Client Secret.*Value"),
            ("microsoft", {"client_secret": TENANT.upper()}, "Client Secret.*Value"),
            ("microsoft", {"client_secret": "abc*****"}, "Client Secret.*hidden"),
            ("microsoft", {"client_secret": "abc\u2022\u2022\u2022\u2022"}, "hidden"),
            ("microsoft", {"client_secret": GUID}, "Client Secret.*client ID"),
            ("google", {"client_id": "GOCSPX-abc"}, "Client ID.*Client Secret"),
            ("google", {"client_id": "AIzaSyA-abc"}, "Client ID.*API key"),
            ("google", {"client_id": "123456789012"}, "Client ID.*service account"),
            (
                "google",
                {"client_id": "a@b.iam.gserviceaccount.com"},
                "Client ID.*service account",
            ),
            ("google", {"client_id": GUID}, "Client ID.*googleusercontent"),
            ("google", {"client_id": '{"web":{"client_id":""}}'}, "Client ID.*file"),
            ("google", {"client_secret": GOOGLE_ID}, "Client Secret.*client ID"),
            ("google", {"client_secret": '{"web":{}}'}, "Client Secret.*file"),
            ("other", {"client_id": "пароль"}, "Client ID.*signs"),
            ("other", {"client_secret": "p\u0430ssword"}, "Client Secret.*signs"),
            ("other", {"client_secret": "x" * 5000}, "Client Secret"),
        )
        for kind, values, words in cases:
            with self.subTest(kind=kind, values=values):
                with self.assertRefused(ValidationError, words):
                    self.application(kind, **values)
                good = self.application(kind)
                with self.assertRefused(ValidationError, words):
                    good.write(values)

    def test_a_tenant_leads_nowhere_else(self):
        wrong = (
            "",
            "evil.example/../..",
            "evil.example/oauth2/v2.0/token?",
            "common#",
            "a@evil.example",
            "common%2f..",
            "evil.example:8443",
            "..",
            ".",
            "localhost",
            "тенант.укр",
            "common\\evil",
            "-a.example",
            "a" * 64 + ".example",
            "a." * 130 + "example",
        )
        for tenant in wrong:
            with self.subTest(tenant=tenant):
                with self.assertRefused(ValidationError, "Tenant: "):
                    self.application(tenant=tenant)
        for tenant in ("common", "organizations", "consumers", TENANT, "a-b.co.uk"):
            client = self.application(tenant=tenant)._client()
            for url in (client.token_endpoint, client.authorization_endpoint):
                start = f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/"
                self.assertTrue(url.startswith(start), url)

    def test_addresses_of_another_service(self):
        wrong = (
            ("http://login.example.com/token", "https"),
            ("http://127.0.0.1/token", "https"),
            ("javascript:alert(1)//login.example.com", "web page"),
            ("ftp://login.example.com/token", "web page"),
            ("https:///token", "web page"),
            ("https://a:b@login.example.com/token", "web page"),
            ("https://login.example.com/to ken", "web page"),
            ("https://login.example.com/token#x", "web page"),
            ("https://login.example.com:99999/token", "web page"),
            ("https://127.0.0.1/token", "Internal Server"),
            ("https://[::1]/token", "Internal Server"),
            ("https://169.254.169.254/latest", "Internal Server"),
            ("https://10.0.0.5/token", "Internal Server"),
            ("https://localhost/token", "Internal Server"),
            ("https://intranet/token", "Internal Server"),
            ("//login.example.com/token", "web page"),
        )
        names = {
            "authorization_endpoint": "Authorization Address",
            "token_endpoint": "Token Address",
            "revocation_endpoint": "Revocation Address",
        }
        for url, words in wrong:
            for name, label in names.items():
                with self.subTest(url=url, name=name):
                    with self.assertRefused(ValidationError, f"{label}: .*{words}"):
                        self.application("other", **{name: url})
        inside = self.application(
            "other",
            token_endpoint="https://login.corp.internal/token",
            authorization_endpoint="https://10.0.0.5/auth",
            allow_private_host=True,
        )
        self.assertTrue(inside._client().allow_private)
        with self.assertRefused(ValidationError, "Token Address: .*https"):
            inside.token_endpoint = "http://10.0.0.5/token"
        with self.assertRefused(ValidationError, "Internal Server"):
            inside.allow_private_host = False

    def test_parameters_of_the_protocol_are_not_typed(self):
        for text in ("state=x", "redirect_uri=https://evil.example", "a=1&scope=x"):
            with self.assertRefused(ValidationError, "More Parameters: .*itself"):
                self.application("other", authorization_parameters=text)
        for text in ("prompt", "=x", "a=1&&b", "&"):
            with self.assertRefused(ValidationError, "More Parameters: .*name=val"):
                self.application("other", authorization_parameters=text)
        application = self.application(
            "other", authorization_parameters="prompt=consent&audience=a%20b"
        )
        self.assertEqual(
            application._client().parameters,
            (("prompt", "consent"), ("audience", "a b")),
        )

    def test_a_half_entered_one_is_kept_and_not_used(self):
        application = self.applications.create({"kind": "microsoft"})
        self.assertFalse(application.is_ready)
        provider = self.env["mail.external.provider"].create(
            {"name": "Contoso", "oauth_kind": "microsoft"}
        )
        self.assertFalse(provider._application(self.company) & application)
        with self.assertRefused(UserError, "client ID and the client secret"):
            application.action_check()
        application.write({"client_id": GUID, "client_secret": VALUE})
        self.assertEqual(provider._application(self.company), application)

    def test_the_form(self):
        with Form(self.applications) as form:
            form.kind = "microsoft"
            self.assertEqual(form.name, "Microsoft")
            form.client_id = f" {GUID}\n"
            self.assertEqual(form.client_id, GUID)
            form.client_secret = VALUE
            form.tenant = TENANT
            form.secret_expires = "2030-01-01"
        application = form.record
        self.assertTrue(application.has_secret)
        self.assertFalse(application.client_secret)
        with Form(application) as form:
            form.client_secret = f"{VALUE}x"
            self.assertFalse(form.secret_expires)
        self.assertFalse(application.secret_expires)

    def test_another_service_has_nothing_of_google(self):
        with Form(self.applications) as form:
            self.assertIn("google", form.token_endpoint)
            form.kind = "other"
            for name in ("authorization_endpoint", "token_endpoint", "scopes"):
                self.assertFalse(form[name], name)
            self.assertFalse(form.issuer or form.authorization_parameters)
            self.assertEqual(form.token_auth, "client_secret_post")
            form.name = "Example"
            form.token_endpoint = "https://login.example.com/token"
        self.assertEqual(form.record.token_endpoint, "https://login.example.com/token")
        self.assertFalse(form.record.scopes)

    def test_leaving_the_page_makes_no_empty_application(self):
        """The web client saves what is left, as soon as nothing is missing."""
        for kind in ("google", "microsoft"):
            form = Form(self.applications.with_context(default_kind=kind))
            with (
                self.subTest(kind),
                self.assertRaisesRegex(AssertionError, "client_id"),
            ):
                form.save()


class TestChecked(ApplicationCase):
    def told(self, code, said="", what="check"):
        application = self.application("google")
        reply = ServerReply(None, "", said) if said else None
        application._note(what, code.value, reply)
        return application[f"{what}_text"]

    def test_who_stands_before_it_tries_again_themselves(self):
        for code in (ErrorCode.OAUTH_BUSY, ErrorCode.OAUTH_FAILED):
            for what in ("check", "callback"):
                text = self.told(code, what=what)
                self.assertNotIn("by itself", text)
                self.assertIn("Try again in some minutes", text)
            self.assertIn("by itself", self.told(code, what="failure"))

    def test_why_the_service_was_not_reached(self):
        for code, words in (
            ("timeout", "did not answer in time"),
            ("cert_untrusted", "not signed by a trusted authority"),
            ("host_private", "no server of this name"),
        ):
            text = self.told(ErrorCode.OAUTH_FAILED, f"oauth2.googleapis.com: {code}")
            with self.subTest(code):
                self.assertIn("oauth2.googleapis.com: ", text)
                self.assertIn(words, text)
                self.assertIn("way from Odoo's server", text)
                self.assertNotIn(code, text)
        for said in ("502: Bad Gateway", "timeout", "a: timeouts", "x: y: timeout"):
            text = self.told(ErrorCode.OAUTH_FAILED, said)
            self.assertIn("cannot be reached, or answers nonsense", text)


class TestSecrecy(ApplicationCase):
    def test_nobody_reads_a_secret(self):
        application = self.application()
        sealed = application.sudo().secret_sealed
        closed = ("secret_sealed", "checking_until", "retry_at")
        names = [name for name in application._fields if name not in closed]
        shown = str(application.read(names)) + str(
            application.export_data([n for n in names if n != "id"])
        )
        shown += str(application.copy_data()) + repr(application._client())
        shown += str(application.web_read({"client_secret": {}, "has_secret": {}}))
        self.assertNotIn(VALUE, shown)
        self.assertNotIn(sealed, shown)
        with self.assertRaises(AccessError):
            application.read(["secret_sealed"])
        with self.assertRaises(AccessError):
            application.search([("secret_sealed", "!=", False)])
        self.assertNotIn(VALUE, sealed)

    def test_only_administrators(self):
        application = self.application()
        for user in (self.anna, self.manager):
            theirs = application.with_user(user)
            for call in (
                lambda each: each.read(["name"]),
                lambda each: each.write({"name": "x"}),
                lambda each: each.action_check(),
                lambda each: each.action_take_odoos_own(),
                lambda each: each.unlink(),
                lambda each: each.search([]),
                lambda each: each.create({"kind": "google"}),
            ):
                with self.assertRaises(AccessError):
                    call(theirs)

    def test_secrets_do_not_come_by_a_side_way(self):
        aside = {"default_client_secret": VALUE, "default_secret_sealed": "x"}
        model = self.applications.with_context(**aside)
        self.assertFalse(model.default_get(["client_secret"]).get("client_secret"))
        application = model.create({"kind": "microsoft", "client_id": GUID})
        self.assertFalse(application.has_secret)
        with self.assertRaises(UserError):
            self.applications.load(["kind", "client_secret"], [["Microsoft", VALUE]])
        own = self.application()
        copy = own.copy()
        self.assertFalse(copy.has_secret)
        self.assertNotEqual(copy.key, own.key)

    def test_a_secret_goes_nowhere_else(self):
        """Another client id or token address: it has to be entered again."""
        for kind, values in (
            ("microsoft", {"client_id": TENANT}),
            ("other", {"token_endpoint": "https://other.example.com/token"}),
            ("other", {"client_id": "another"}),
        ):
            application = self.application(kind)
            application.write(values)
            self.assertFalse(application.has_secret)
            self.assertFalse(application.is_ready)
        application = self.application()
        application.write({"client_id": TENANT, "client_secret": f"{VALUE}x"})
        self.assertEqual(application._client().client_secret, f"{VALUE}x")

    def test_another_tenant_is_the_same_application(self):
        application = self.application()
        application.tenant = TENANT
        client = application._client()
        self.assertEqual(client.client_secret, VALUE)
        self.assertIn(TENANT, client.token_endpoint)

    def test_it_opens_in_its_place_only(self):
        application = self.application("other")
        self.env.cr.execute(
            "UPDATE mail_external_application SET token_endpoint = %s WHERE id = %s",
            ["https://evil.example.com/token", application.id],
        )
        application.invalidate_recordset()
        with self.assertRaises(vault.UnsealError):
            application._client()
        with self.assertRefused(UserError, "Client Secret: .*again"):
            application.action_check()


class TestRedirectAddress(ApplicationCase):
    def test_one_address_for_each_service(self):
        parameters = self.env["ir.config_parameter"]
        parameters.set_param("web.base.url", "https://odoo.corp.example/")
        start = "https://odoo.corp.example/mail_external_account/oauth2/"
        self.assertEqual(self.application("google").redirect_uri, f"{start}google")
        self.assertEqual(self.application().redirect_uri, f"{start}microsoft")
        first, second = self.application("other"), self.application("other")
        self.assertEqual(first.redirect_uri, start + first.key)
        self.assertNotEqual(first.redirect_uri, second.redirect_uri)

    def test_nobody_chooses_the_key(self):
        first = self.application("other")
        second = self.application("other", key="chosen")
        self.assertNotEqual(second.key, "chosen")
        for values in ({"key": first.key}, {"kind": "google"}):
            with self.assertRefused(UserError, "stays"):
                second.write(values)

    def test_problems_of_the_own_address_are_told(self):
        application, google = self.application(), self.application("google")
        parameters = self.env["ir.config_parameter"]
        for url, of_microsoft, of_google in (
            ("https://odoo.corp.example", False, False),
            ("http://localhost:8069", False, False),
            ("http://127.0.0.1:8069", False, False),
            ("http://odoo.corp.example", "https", "https"),
            ("http://localhost.corp.example", "https", "https"),
            ("https://odoo.lan", False, "public"),
            ("https://192.168.1.5", False, "public"),
            ("odoo.corp.example", "web.base.url", "web.base.url"),
            ("", "web.base.url", "web.base.url"),
        ):
            parameters.set_param("web.base.url", url)
            for each, words in ((application, of_microsoft), (google, of_google)):
                each.invalidate_recordset()
                if words:
                    self.assertIn(words, each.address_problem or "", url)
                else:
                    self.assertFalse(each.address_problem, url)


class TestAccounts(ApplicationCase):
    def test_another_client_ends_the_sign_ins(self):
        for values in ({"client_id": TENANT}, {"tenant": TENANT}):
            application = self.application()
            account = self.account(application)
            self.assertEqual(application.account_count, 1)
            with self.assertRefused(UserError, "1 accounts.*sign in again"):
                application.write(values)
            self.assertEqual(account.state, "working")
            with Form(application) as form:
                form[next(iter(values))] = next(iter(values.values()))
                self.assertEqual(form.ending_count, 1)
                form.is_end_confirmed = True
            self.assertEqual(account.state, "refused")
            self.assertEqual(account.failure_code, "oauth_ended")
            account.address_ids.unlink()

    def test_the_same_written_again_ends_nothing(self):
        application = self.application()
        account = self.account(application)
        application.write({"client_id": f" {GUID}\n", "tenant": "CONTOSO.example"})
        self.assertEqual(account.state, "working")

    def test_a_new_secret_resumes_who_waited(self):
        application = self.application()
        later = fields.Datetime.now() + timedelta(hours=5)
        waiting = self.account(
            application,
            failure_code="oauth_secret_expired",
            delivery_next_try=later,
        )
        busy = self.account(
            application,
            self.bohdan,
            failure_code="quota_exceeded",
            delivery_next_try=later,
        )
        application.client_secret = f"{VALUE}x"
        self.assertEqual(waiting.state, "working")
        self.assertFalse(waiting.delivery_next_try)
        self.assertEqual(busy.delivery_next_try, later)

    def test_it_is_not_deleted_under_accounts(self):
        application = self.application()
        account = self.account(application)
        with self.assertRefused(UserError, "1 mail accounts"):
            application.unlink()
        told = application.action_archive()
        self.assertIn("1 accounts", told["params"]["message"])
        account.address_ids.unlink()
        window = self.env["mail.external.account.connect"].create(
            {"email": "a@b.example", "user_id": self.anna.id}
        )
        window.application_id = application.id
        application.unlink()
        self.assertFalse(application.exists())

    def test_who_fails_is_told_once(self):
        application = self.application()
        self.account(application)
        code = ErrorCode.OAUTH_CLIENT.value
        for _time in range(3):
            application._note_failure(code, "invalid_client: AADSTS7000215: wrong")
        [subject] = self.notices()
        self.assertIn("Microsoft", subject)
        self.assertIn("its ID was entered", application.failure_text)
        application._note_success()
        self.assertFalse(application.failure_text)
        application._note_failure(code, "")
        self.assertEqual(len(self.notices()), 2)

    def test_what_a_sign_in_came_back_with_is_shown(self):
        application = self.application("google")
        application.with_user(self.anna)._note_callback_error(
            ErrorCode.OAUTH_POLICY.value, "admin_policy_enforced" + "x" * 5000
        )
        self.assertLessEqual(len(application.callback_reply), 500)
        application.with_user(self.anna)._note_callback_error(
            ErrorCode.OAUTH_POLICY.value, "admin_policy_enforced: <b>no</b>"
        )
        self.assertIn("API controls", application.callback_text)
        self.assertIn("redirect_uri_mismatch", application.page_words)


class TestExpiry(ApplicationCase):
    def announce(self):
        self.env["mail.external.application"]._cron_announce()

    def test_each_step_once(self):
        application = self.application()
        day = fields.Date.today()
        told = []
        for left in (45, 31, 30, 29, 8, 7, 7, 6, 2, 1, 1, 0, -1, -2, -9):
            # as if so many days were left now
            self.env.cr.execute(
                "UPDATE mail_external_application SET secret_expires = %s"
                " WHERE id = %s",
                [day + timedelta(days=left), application.id],
            )
            application.invalidate_recordset()
            before = len(self.notices())
            self.announce()
            told += [left] * (len(self.notices()) - before)
        self.assertEqual(told, [30, 7, 1, -1])

    def test_days_that_were_missed(self):
        application = self.application()
        application.secret_expires = fields.Date.today() + timedelta(days=5)
        self.announce()
        self.announce()
        [subject] = self.notices()
        self.assertIn("ends on", subject)
        application.secret_expires = fields.Date.today() - timedelta(days=3)
        self.announce()
        self.announce()
        self.assertEqual(len(self.notices()), 2)

    def test_who_is_told_and_what(self):
        self.account(self.application())
        application = self.application(name="Contoso")
        self.account(application, self.bohdan)
        application.secret_expires = fields.Date.today() + timedelta(days=7)
        self.announce()
        self.assertEqual(len(self.notices()), 1)
        self.assertFalse(self.notices(self.manager))
        message = self.env["mail.message"].search([("subject", "like", "Contoso")])[:1]
        self.assertIn("1 now", message.body)
        self.assertIn("Certificates", message.body)

    def test_archived_ones_and_those_without_a_secret_are_quiet(self):
        day = fields.Date.today()
        self.application(secret_expires=day, active=False)
        self.applications.create({"kind": "google", "secret_expires": day})
        self.announce()
        self.assertFalse(self.notices())


class TestOdoosOwn(ApplicationCase):
    def test_the_gmail_module_has_one(self):
        application = self.applications.create({"kind": "google"})
        self.assertFalse(application.has_odoos_own)
        parameters = self.env["ir.config_parameter"]
        parameters.set_param("google_gmail_client_id", GOOGLE_ID)
        application.invalidate_recordset()
        self.assertFalse(application.has_odoos_own)
        parameters.set_param("google_gmail_client_secret", "GOCSPX-own")
        application.invalidate_recordset()
        self.assertTrue(application.has_odoos_own)
        told = application.action_take_odoos_own()
        self.assertIn("redirect address", told["params"]["message"])
        self.assertEqual(application._client().client_secret, "GOCSPX-own")
        self.assertEqual(application.client_id, GOOGLE_ID)
        self.assertFalse(application.has_odoos_own)
        with self.assertRefused(UserError, "Client ID"):
            application.action_take_odoos_own()

    def test_the_outlook_module_has_a_tenant(self):
        parameters = self.env["ir.config_parameter"]
        parameters.set_param("microsoft_outlook_client_id", GUID)
        parameters.set_param("microsoft_outlook_client_secret", VALUE)
        first, second = self.applications.create([{"kind": "microsoft"}] * 2)
        first.action_take_odoos_own()
        self.assertEqual(first.tenant, "common")
        name = "microsoft_outlook.endpoint"
        parameters.set_param(
            name, f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/"
        )
        second.action_take_odoos_own()
        self.assertEqual(second.tenant, TENANT)
        self.assertTrue(second.is_ready)
        third = self.applications.create({"kind": "microsoft"})
        for url in (
            "https://login.microsoftonline.us/common/oauth2/v2.0/",
            "https://login.microsoftonline.com/../evil/oauth2/v2.0/",
        ):
            parameters.set_param(name, url)
            with self.assertRefused(UserError, "Tenant: "):
                third.action_take_odoos_own()


class TestOwnAddress(ApplicationCase, HttpCase):
    """What the browser has in its address bar is compared with web.base.url."""

    def problem(self, url, **headers):
        """What the page of an application says when it is read like this."""
        self.env["ir.config_parameter"].set_param("web.base.url", url)
        params = {
            "model": "mail.external.application",
            "method": "web_read",
            "args": [self.own.ids, {"address_problem": {}}],
            "kwargs": {},
        }
        answer = self.url_open(
            "/web/dataset/call_kw",
            json={"jsonrpc": "2.0", "method": "call", "params": params},
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        return answer.json()["result"][0]["address_problem"] or ""

    def test_the_browser_uses_another_address(self):
        self.own = self.application()
        self.authenticate("ext_admin", "ext_admin")
        here = self.base_url()
        public = "https://odoo.corp.example"
        self.assertFalse(self.problem(here, Origin=here))
        self.assertFalse(self.problem(here))
        self.assertIn(public, self.problem(here, Origin=public))
        self.assertIn("proxy_mode", self.problem(public, Origin=public))
        self.assertIn("opened Odoo", self.problem(public, Origin=f"{public}:8443"))
        with patch.dict(config.options, {"proxy_mode": True}):
            self.assertFalse(self.problem(public, Origin=public))
            # the port that goes without saying, and letters of either case
            self.assertFalse(self.problem(f"{public}:443/", Origin=public))
            self.assertFalse(self.problem("https://ODOO.corp.example", Origin=public))
            self.assertFalse(
                self.problem(
                    "https://пошта.укр", Origin="https://xn--80a1acn3a.xn--j1amh"
                )
            )
            told = self.problem("http://odoo.corp.example", Origin=public)
            self.assertIn("https", told)
            self.assertIn("opened Odoo", told)
        self.assertFalse(self.problem(here, Origin="null"))
