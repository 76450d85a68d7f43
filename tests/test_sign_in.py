"""Signing in with the mail service: what the window offers, tests and saves."""

import re
from unittest.mock import patch

from odoo.exceptions import UserError

from ..mailkit import oauth
from ..mailkit.checks import Step
from ..mailkit.connection.network import Deadline
from ..tools import vault
from ..tools.connect import sign_in, test
from .oauth_case import WINDOW, OauthCase


class TestOffered(OauthCase):
    """What the window says before anybody signs in."""

    def window(self, user=None, **values):
        values.setdefault("provider_id", self.provider.id)
        return super().window(user, password=False, **values)

    def test_where_an_administrator_set_it_up(self):
        window = self.window()
        self.assertEqual(window.sign_in_service, "Example")
        self.assertFalse(window.sign_in_problem)
        self.assertTrue(window.takes_password)
        self.assertEqual(window.auth_method, "password")
        self.provider.password_works = False
        self.assertFalse(self.window().takes_password)

    def test_nothing_where_the_service_has_none(self):
        self.provider.oauth_kind = False
        window = self.window()
        self.assertFalse(window.sign_in_service or window.sign_in_problem)
        with self.assertRaisesRegex(UserError, "Mail Service"):
            window.action_sign_in()

    def test_what_is_missing_is_said(self):
        self.provider.write({"oauth_kind": "google", "application_id": False})
        window = self.window()
        self.assertIn("Google is not set up yet", window.sign_in_problem)
        self.assertFalse(window.sign_in_service or window.sign_in_registers)
        with self.assertRaisesRegex(UserError, "an administrator"):
            window.action_sign_in()
        self.manager.group_ids += self.env.ref("base.group_system")
        self.assertTrue(self.window(self.manager).sign_in_registers)

    def test_an_archived_application_is_none(self):
        self.application.active = False
        self.assertIn("not set up yet", self.window().sign_in_problem)

    def test_the_package_may_be_missing(self):
        with patch.dict("sys.modules", {"oauthlib.oauth2": None}):
            window = self.window()
            self.assertIn("oauthlib", window.sign_in_problem)
            with self.assertRaisesRegex(UserError, "oauthlib"):
                window.action_sign_in()

    def test_of_several_companies(self):
        """Each company's own application before the one for all."""
        other = self.env["res.company"].create({"name": "Other"})
        self.provider.write({"oauth_kind": "google", "application_id": False})
        google = {
            "kind": "google",
            "client_id": "123456789012-abcdefghijklmnopqrstuvwxyz012345"
            ".apps.googleusercontent.com",
            "client_secret": "GOCSPX-abc",
        }
        applications = self.env["mail.external.application"]
        for_all, of_other = applications.create(
            [google, {**google, "company_id": other.id}]
        )
        window = self.window()
        self.assertEqual(sign_in.offered(window), for_all)
        self.anna.write({"company_ids": [(4, other.id)], "company_id": other.id})
        self.assertEqual(sign_in.offered(self.window()), of_other)


class TestSigningIn(OauthCase):
    """From the button to the saved account."""

    def test_the_whole_way(self):
        window = self.oauth_window(receive_replies=True, incoming_protocol="imap")
        self.assertEqual(window.auth_method, "oauth2")
        self.assertEqual(window.application_id.sudo(), self.application)
        self.assertEqual(window.incoming_host, "imap.brand-a.example")
        url, row = self.begun(window)
        asked = self.question(url)
        self.assertEqual(asked["code_challenge_method"], "S256")
        self.assertEqual(asked["login_hint"], "anna@brand-a.example")
        self.assertTrue(
            asked["redirect_uri"].endswith(
                f"/mail_external_account/oauth2/{self.application.key}"
            )
        )
        self.assertNotIn(asked["state"], str(row.read()))
        row = self.finish(self.service.visit(url, "anna@brand-a.example"))
        self.assertTrue(row.is_used and row.tokens_sealed)
        self.assertFalse(row.verifier_sealed or row.failure_text)
        window.invalidate_recordset()
        self.assertTrue(window.is_signed_in)
        self.assertEqual(window.signed_in_as, "anna@brand-a.example")
        self.assertFalse(window.needs_password)
        with self.assertRaisesRegex(UserError, "have not passed the test"):
            window.action_save()
        self.passed(window)
        self.assertTrue(window.tested_ok)
        window.action_save()
        account = window.address_id.account_id
        self.assertEqual(account.auth_method, "oauth2")
        self.assertEqual(account.state, "working")
        self.assertFalse(row.exists())
        for purpose in ("smtp", "incoming"):
            credentials = vault.stored_credentials(self.env, account.sudo(), purpose)
            self.assertTrue(self.service.is_good(credentials.access_token))
            self.assertEqual(credentials.password, "")

    def test_each_check_that_signs_in_does_so_with_the_token(self):
        window = self.oauth_window(receive_replies=True, incoming_protocol="imap")
        for step in (Step.SMTP_LOGIN, Step.SMTP_SENDER, Step.INCOMING_LOGIN):
            result, _folders = test.prepared(window, step, bool)()
            self.assertEqual(result.error.code.value, "login_required")
            self.assertIn("Sign in", test.told(window, result)["remedy"])
        self.signed_in(window)
        for step in (Step.SMTP_LOGIN, Step.INCOMING_LOGIN):
            used = test._credentials(window, step)
            self.assertTrue(self.service.is_good(used.access_token))
            self.assertEqual((used.login, used.password), (window.email, ""))
        # none where nothing is signed in to
        self.assertFalse(test._credentials(window, Step.SMTP_PORT).access_token)

    def test_a_token_that_ends_is_renewed_before_a_check(self):
        self.service.life = 30
        window = self.oauth_window()
        self.signed_in(window)
        first = test._credentials(window, Step.SMTP_LOGIN).access_token
        fingerprint = test.settings_fingerprint(window)
        self.assertIsNone(sign_in.renew(window))
        second = test._credentials(window, Step.SMTP_LOGIN).access_token
        self.assertNotEqual(first, second)
        # what was tested before is still tested
        self.assertEqual(test.settings_fingerprint(window), fingerprint)

    def test_an_open_window_keeps_neither_service_nor_application(self):
        window = self.oauth_window()
        row = self.signed_in(window)
        self.provider.unlink()
        self.application.unlink()
        self.assertFalse(row.exists())

    def test_where_it_cannot_be_renewed_the_check_says_so(self):
        self.service.life = 30
        window = self.oauth_window()
        self.signed_in(window)
        self.service.end(window.email)
        problem = sign_in.renew(window)
        result, _folders = test.prepared(window, Step.SMTP_LOGIN, bool, problem)()
        self.assertEqual(result.error.code.value, "oauth_ended")
        # a host is found all the same
        prepared = test.prepared(window, Step.SMTP_HOST, bool, problem)
        self.assertTrue(callable(prepared))

    def test_signing_in_anew_makes_the_test_void(self):
        window = self.oauth_window()
        self.signed_in(window)
        self.passed(window)
        self.assertTrue(window.tested_ok)
        self.signed_in(window)
        self.assertFalse(window.tested_ok)

    def test_what_the_service_refuses_is_told_and_noted(self):
        window = self.oauth_window()
        for answer, words in (
            ({"error": "access_denied"}, "."),
            ({"error": "server_error", "error_description": "Bad day"}, "Bad day"),
        ):
            url, row = self.begun(window)
            state = self.question(url)["state"]
            self.assertEqual(self.finish({**answer, "state": state}), row)
            self.assertTrue(row.failure_text)
            self.assertTrue(re.search(words, f"{row.failure_text} {row.failure_reply}"))
            window.invalidate_recordset()
            self.assertEqual(window.sign_in_failure, row.failure_text)
            self.assertFalse(window.is_signed_in)
            self.assertTrue(self.application.callback_code)
        self.assertFalse(self.service.asked)

    def test_a_service_that_gives_no_lasting_access(self):
        window = self.oauth_window()
        url, _row = self.begun(window)
        answer = self.service.visit(url, window.email)
        short = self.service.tokens(window.email)
        del short["refresh_token"]
        self.service.answers.append(short)
        row = self.finish(answer)
        self.assertTrue(row.failure_text)
        self.assertFalse(row.tokens_sealed)

    def test_a_later_attempt_that_fails_is_told(self):
        window = self.oauth_window()
        self.signed_in(window)
        url, _row = self.begun(window)
        state = self.question(url)["state"]
        self.finish({"error": "access_denied", "state": state})
        window.invalidate_recordset()
        self.assertTrue(window.sign_in_failure)
        self.assertTrue(window.is_signed_in)


class TestBackAndForth(OauthCase):
    """From a password to signing in, and back, in place."""

    def saved(self, window):
        self.passed(window)
        if not window.proof:
            window.sudo().proof_token = window._proof_fingerprint("code")
            window.invalidate_recordset()
        window.action_save()
        return window.address_id

    def again(self, address, user=None, **values):
        windows = self.env[WINDOW].with_user(user or self.anna)
        windows = windows.with_context(default_address_id=address.id)
        names = [n for n, f in windows._fields.items() if not f.compute]
        return windows.create({**windows.default_get(names), **values})

    def test_an_account_stays_itself(self):
        address = self.saved(
            self.window(
                provider_id=self.provider.id,
                receive_replies=True,
                incoming_protocol="imap",
                incoming_host="imap.brand-a.example",
                incoming_port=993,
                incoming_security="ssl",
                incoming_login="anna@brand-a.example",
                project_ids=[(0, 0, {"project_id": self.project_a.id})],
            )
        )
        account = address.account_id
        account.sudo().folder_ids.state = {"uid": 7}
        mailbox, folder = account.mailbox_ids, account.sudo().folder_ids
        window = self.again(address)
        window.action_sign_in()
        self.assertFalse(window.tested_ok)
        self.signed_in(window)
        self.saved(window)
        self.assertEqual(address.account_id, account)
        self.assertEqual(account.auth_method, "oauth2")
        self.assertEqual(account.mailbox_ids, mailbox)
        self.assertEqual(account.sudo().folder_ids, folder)
        self.assertEqual(folder.state, {"uid": 7})
        self.assertEqual(address.binding_ids.project_id, self.project_a)
        secrets = self.env["mail.external.secret"].search(
            [("account_id", "=", account.id)]
        )
        self.assertEqual(secrets.mapped("purpose"), ["oauth2"])
        # and back
        window = self.again(address)
        self.assertEqual(window.auth_method, "oauth2")
        self.assertTrue(window.is_signed_in)
        window.action_use_password()
        self.assertEqual(window.auth_method, "password")
        self.assertFalse(window.application_id)
        self.assertTrue(window.needs_password)
        window.password = "hunter3"
        self.saved(window)
        self.assertEqual(account.auth_method, "password")
        self.assertFalse(account.application_id)
        opened = vault.stored_credentials(self.env, account.sudo(), "smtp")
        self.assertEqual((opened.password, opened.access_token), ("hunter3", ""))
        self.assertEqual(folder.state, {"uid": 7})

    def test_a_saved_sign_in_is_tested_again_without_a_new_one(self):
        account = self.connected()
        secret = self.env["mail.external.secret"].search(
            [("account_id", "=", account.id)]
        )
        window = self.again(account.address_ids)
        self.assertTrue(window.is_signed_in)
        window.sender_name = "Anna K"
        self.saved(window)
        self.assertEqual(account.address_ids.sender_name, "Anna K")
        self.assertTrue(secret.exists())

    def test_it_is_used_for_the_same_place_only(self):
        account = self.connected()
        for values in (
            {"smtp_login": "info@brand-a.example"},
            {
                "provider_id": self.env["mail.external.provider"]
                .create(
                    {
                        "name": "Other",
                        "smtp_host": "smtp.other.example",
                        "smtp_port": 465,
                        "oauth_kind": "other",
                        "application_id": self.application.id,
                    }
                )
                .id
            },
            {"incoming_protocol": "imap", "receive_replies": True},
        ):
            window = self.again(account.address_ids)
            self.assertTrue(window.is_signed_in)
            window.write(values)
            window.invalidate_recordset()
            self.assertFalse(window.is_signed_in, values)

    def test_another_address_needs_no_new_sign_in(self):
        account = self.connected()
        windows = self.env[WINDOW].with_user(self.anna)
        window = windows.with_context(default_account_id=account.id).create(
            {"email": "sales@brand-a.example"}
        )
        self.assertTrue(window.is_address_only)
        self.assertEqual(test.steps(window), (Step.SMTP_SENDER,))
        self.assertTrue(window.is_signed_in)
        used = test._credentials(window, Step.SMTP_SENDER)
        self.assertTrue(self.service.is_good(used.access_token))
        self.assertEqual(used.login, "anna@brand-a.example")
        address = self.saved(window)
        self.assertEqual(address.account_id, account)

    def test_the_stored_tokens_can_be_renewed(self):
        """They are what the service knows, not a copy that was used up."""
        account = self.connected().sudo()
        kept = vault.stored_tokens(self.env, account)
        client = vault.application_client(self.application)
        renewed = oauth.refresh(client, kept.refresh_token, Deadline(5))
        self.assertTrue(self.service.is_good(renewed.access_token))
