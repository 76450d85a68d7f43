"""Attacks on a sign-in with the mail service, each refused.

Anna is the victim where there is one, Bohdan a colleague who means harm, the manager
one who oversteps. What the service gives and refuses is ``token_service``.
"""

from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user
from odoo.tools import SQL
from werkzeug.datastructures import MultiDict

from ..mailkit.checks import Step
from ..tools import vault
from ..tools.connect import sign_in, test
from ..tools.oauth2 import authorization
from .oauth_case import WINDOW, OauthCase

EVIL = "https://evil.example/"


class TestAnswers(OauthCase):
    """What comes to the address of the callback."""

    def setUp(self):
        super().setUp()
        self.mine = self.oauth_window()
        self.url, self.row = self.begun(self.mine)
        self.answer = self.service.visit(self.url, "anna@brand-a.example")

    def unused(self, row=None):
        """Nothing came of it: no token, and the service was not even asked."""
        row = self.row if row is None else row
        row.invalidate_recordset()
        self.assertFalse(row.tokens_sealed or row.grant)
        self.assertFalse(self.service.asked)
        self.mine.invalidate_recordset()
        self.assertFalse(self.mine.is_signed_in)

    def test_a_state_of_nobody(self):
        for state in ("x", "", "a" * 5000, self.answer["state"][:-1], "%00", "\0"):
            self.assertFalse(self.finish({**self.answer, "state": state}))
        self.assertFalse(self.finish({"code": self.answer["code"]}))
        self.assertFalse(self.finish({}))
        self.unused()
        self.assertFalse(self.row.is_used)

    def test_somebody_elses_state(self):
        """Bohdan sends Anna the answer to a sign-in that he began, and vice versa."""
        self.assertFalse(self.finish(self.answer, self.bohdan))
        self.unused()
        self.assertFalse(self.row.is_used)  # Anna's own answer still counts
        window = self.oauth_window(self.bohdan, email="bohdan@brand-a.example")
        url, row = self.begun(window)
        answer = self.service.visit(url, "bohdan@brand-a.example")
        self.assertFalse(self.finish(answer, self.anna))
        self.unused(row)

    def test_a_replay(self):
        row = self.finish(self.answer)
        self.assertTrue(row.tokens_sealed)
        asked, sealed = len(self.service.asked), row.tokens_sealed
        other = self.service.visit(self.url, "evil@brand-a.example")
        for values in (self.answer, other, {**self.answer, "error": "access_denied"}):
            self.assertEqual(self.finish(values), row)
        self.assertEqual(len(self.service.asked), asked)
        self.assertEqual((row.tokens_sealed, row.failure_text), (sealed, False))

    def test_after_a_failure_the_state_is_used_up(self):
        self.finish({"state": self.answer["state"], "error": "access_denied"})
        self.assertTrue(self.row.is_used)
        self.finish(self.answer)
        self.unused()

    def test_one_that_is_late(self):
        self.row.expires = fields.Datetime.now() - timedelta(seconds=1)
        self.finish(self.answer)
        self.unused()
        self.assertTrue(self.row.failure_text and self.row.is_used)

    def test_mix_up(self):
        """Another service, or another application, answers with its own address."""
        other = self.new_application("Other")
        for key in (
            "google",
            "microsoft",
            other.key,
            "",
            "..",
            self.application.key[1:],
        ):
            url, row = self.begun(self.mine)
            answer = self.service.visit(url, self.mine.email)
            self.finish(answer, key=key or "-")
            self.unused(row)
            self.assertTrue(row.failure_text, key)
            self.finish(answer)  # nor afterwards at the right one
            self.unused(row)

    def test_another_issuer(self):
        for issuer in (EVIL, "https://accounts.google.com", "", "x"):
            url, row = self.begun(self.mine)
            answer = self.service.visit(url, self.mine.email)
            self.finish({**answer, "iss": issuer})
            self.unused(row)

    def test_a_parameter_twice(self):
        for name in ("state", "code", "iss", "error"):
            url, row = self.begun(self.mine)
            answer = self.service.visit(url, self.mine.email)
            pairs = [*answer.items(), (name, answer.get(name, "a")), (name, "b")]
            self.finish(pairs)
            self.unused(row)

    def test_code_injection(self):
        """A code that was given to another browser: PKCE."""
        window = self.oauth_window(self.bohdan, email="bohdan@brand-a.example")
        url, _row = self.begun(window)
        stolen = self.service.visit(url, "bohdan@brand-a.example")["code"]
        self.finish({**self.answer, "code": stolen})
        self.assertFalse(self.row.tokens_sealed)
        self.assertTrue(self.row.failure_text)

    def test_a_code_for_another_application(self):
        """A token for another client."""
        code = self.service.visit(self.url, self.mine.email, client_id="evil")["code"]
        self.finish({**self.answer, "code": code})
        self.assertFalse(self.row.tokens_sealed)

    def test_neither_code_nor_error_or_far_too_much(self):
        for more in ({"code": ""}, {"code": "x" * 20000}, {"x": "y" * 40000}):
            url, row = self.begun(self.mine)
            state = self.question(url)["state"]
            values = {"state": state, "code": "c", **more}
            self.finish(values)
            self.unused(row)
            self.assertTrue(row.is_used)

    def test_an_access_token_in_the_address(self):
        """Of the implicit grant (RFC 9700 section 2.1.2): read by nobody."""
        state = self.answer["state"]
        self.finish({"state": state, "access_token": "at", "token_type": "Bearer"})
        self.unused()

    def test_the_window_is_about_another_address_meanwhile(self):
        for values in (
            {"email": "boss@brand-a.example"},
            {"smtp_login": "boss@brand-a.example"},
            {"incoming_login": "boss@brand-a.example"},
        ):
            window = self.oauth_window()
            url, row = self.begun(window)
            window.write(values)
            answer = self.service.visit(url, "anna@brand-a.example")
            self.finish(answer)
            self.unused(row)
            self.assertIn("was changed while you signed in", row.failure_text)

    def test_the_servers_of_the_preset_are_others_meanwhile(self):
        self.provider.with_user(self.manager).smtp_host = "smtp.evil.example"
        self.finish(self.answer)
        self.unused()

    def test_the_application_is_another_meanwhile(self):
        self.application.write({"client_id": "evil", "is_end_confirmed": True})
        self.finish(self.answer)
        self.unused()

    def test_the_right_is_gone_meanwhile(self):
        self.env["ir.config_parameter"].set_param(
            "mail_external_account.forbid_personal", "True"
        )
        self.finish(self.answer)
        self.unused()
        self.assertIn("administrator", self.row.failure_text)

    def test_what_a_service_says_is_text(self):
        """Nothing of it becomes part of a page, and it is short."""
        words = "<script>alert(1)</script>" * 100
        self.finish(
            {
                "state": self.answer["state"],
                "error": "server_error",
                "error_description": words,
                "error_uri": EVIL,
            }
        )
        self.assertLess(len(self.row.failure_reply or ""), 600)
        self.assertNotIn("evil.example", self.row.failure_text)

    def test_too_many(self):
        """Nobody has Odoo ask a service without end."""
        with self.assertRaisesRegex(UserError, "Too many"):
            for _number in range(200):
                authorization.start(self.mine)


class TestWriting(OauthCase):
    """How somebody signs in, and with what, is the server's to say."""

    def test_no_caller_chooses(self):
        window = self.window(provider_id=self.provider.id)
        for values in (
            {"auth_method": "oauth2"},
            {"application_id": self.application.id},
            {"auth_method": "oauth2", "application_id": self.application.id},
            {"auth_method": "password"},
        ):
            with self.assertRaises(AccessError):
                window.write(values)
            made = self.window(provider_id=self.provider.id, **values)
            self.assertEqual(made.auth_method, "password")
            self.assertFalse(made.application_id)

    def test_nor_the_context_nor_a_default(self):
        windows = self.env[WINDOW].with_user(self.anna)
        evil = {"auth_method": "oauth2", "application_id": self.application.id}
        made = windows.with_context(
            **{f"default_{name}": value for name, value in evil.items()}
        )
        self.assertEqual(made.default_get([*evil])["auth_method"], "password")
        defaults = self.env["ir.default"].with_user(self.anna)
        for name, value in evil.items():
            defaults.set(WINDOW, name, value, user_id=self.anna.id)
        for model in (made, windows):
            window = model.create({"email": "anna@brand-a.example"})
            self.assertEqual(window.auth_method, "password")
            self.assertFalse(window.application_id)
            self.assertEqual(model.default_get([*evil])["auth_method"], "password")

    def test_nor_an_import(self):
        windows = self.env[WINDOW].with_user(self.anna)
        result = windows.load(
            ["email", "auth_method", "application_id/.id"],
            [["anna@brand-a.example", "oauth2", str(self.application.id)]],
        )
        for window in windows.browse(result["ids"] or []):
            self.assertEqual(window.auth_method, "password")

    def test_nor_an_onchange(self):
        windows = self.env[WINDOW].with_user(self.anna)
        values = {
            "email": "anna@brand-a.example",
            "auth_method": "oauth2",
            "application_id": self.application.id,
            "provider_id": self.provider.id,
        }
        spec = {"auth_method": {}, "is_signed_in": {}, "sign_in_service": {}}
        told = windows.onchange(values, ["email"], spec)["value"]
        self.assertNotEqual(told.get("auth_method"), "oauth2")
        self.assertFalse(told.get("is_signed_in"))

    def test_nor_for_an_account(self):
        account = self.connected()
        for user in (self.anna, self.manager):
            for values in ({"auth_method": "password"}, {"application_id": False}):
                with self.assertRaises(AccessError):
                    account.with_user(user).write(values)

    def test_what_is_sealed_is_read_by_nobody(self):
        window = self.oauth_window()
        row = self.signed_in(window)
        names = ("state_hash", "verifier_sealed", "bound", "tokens_sealed", "grant")
        for user in (
            self.anna,
            self.bohdan,
            self.manager,
            self.env.ref("base.user_admin"),
        ):
            rows = row.with_user(user)
            for name in names:
                with self.assertRaises(AccessError):
                    rows.read([name])
                with self.assertRaises(AccessError):
                    rows.search([(name, "!=", False)])
            with self.assertRaises(AccessError):
                rows.read(["wizard_id"])
            with self.assertRaises(UserError):
                rows.export_data(["tokens_sealed"])
            for call in (
                lambda rows=rows: rows.write({"tokens_sealed": "x"}),
                lambda rows=rows: rows.create({"wizard_id": window.id}),
                rows.unlink,
            ):
                with self.assertRaises(AccessError):
                    call()
        told = str(window.read())
        opened = sign_in.tokens_of(window, row)
        for secret in (opened.access_token, opened.refresh_token, row.tokens_sealed):
            self.assertNotIn(secret, told)
        self.assertNotIn(opened.access_token, repr(opened))

    def test_the_sealed_tokens_open_for_nothing_else(self):
        """Copied, by who can write the database, to another window or user."""
        window = self.oauth_window()
        row = self.signed_in(window)
        other = self.oauth_window(self.bohdan, email="bohdan@brand-a.example")
        _url, mine = self.begun(other)
        sealed = {name: row[name] for name in ("tokens_sealed", "grant", "hint")}
        mine.write(sealed)
        other.invalidate_recordset()
        self.assertFalse(other.is_signed_in)
        second = self.oauth_window()
        _url, again = self.begun(second)
        again.write(sealed)
        second.invalidate_recordset()
        self.assertFalse(second.is_signed_in)

    def test_colleagues_do_not_get_at_the_window(self):
        window = self.oauth_window()
        for user in (self.bohdan, self.manager):
            for method in ("action_sign_in", "action_use_password", "action_go_on"):
                with self.assertRaises(AccessError):
                    getattr(window.with_user(user), method)()


class TestPlaces(OauthCase):
    """Where an access token goes."""

    def goes_to(self, window):
        window.invalidate_recordset()
        return {window.smtp_host, window.incoming_host} - {False}

    def written_past(self, window, name, value):
        self.env.flush_all()
        column, table = SQL.identifier(name), SQL.identifier(window._table)
        self.env.cr.execute(
            SQL("UPDATE %s SET %s = %s WHERE id = %s", table, column, value, window.id)
        )
        window.invalidate_recordset()

    def test_typed_servers_get_no_token(self):
        for values in (
            {"smtp_host": "smtp.evil.example"},
            {"smtp_port": 2525},
            {"smtp_security": "none"},
            {"ca_certificate": "-----BEGIN CERTIFICATE-----"},
            {
                "receive_replies": True,
                "incoming_protocol": "imap",
                "incoming_host": "imap.evil.example",
                "incoming_port": 993,
                "incoming_security": "ssl",
            },
        ):
            window = self.oauth_window(self.manager, email="m@brand-a.example")
            self.signed_in(window)
            window.write(values)
            self.assertLessEqual(
                self.goes_to(window), {"smtp.brand-a.example", "imap.brand-a.example"}
            )
            self.assertEqual((window.smtp_port, window.smtp_security), (465, "ssl"))
            self.assertFalse(window.ca_certificate)
            # and written past the window
            for name, value in values.items():
                if name in ("receive_replies", "incoming_protocol") or (
                    window[name] == value
                ):
                    continue
                known = window[name]
                self.written_past(window, name, value)
                with self.assertRaisesRegex(UserError, "Server Settings"):
                    test.check_step(window, Step.SMTP_LOGIN.value)
                with self.assertRaisesRegex(UserError, "Server Settings"):
                    window.action_save()
                self.written_past(window, name, known or None)

    def test_a_managers_own_service_gets_no_token(self):
        """They enter a preset for everybody's domain, with servers of their own."""
        preset = (
            self.env["mail.external.provider"]
            .with_user(self.manager)
            .create(
                {
                    "name": "Evil",
                    "domains": "brand-a.example",
                    "sequence": 0,
                    "smtp_host": "smtp.evil.example",
                    "smtp_port": 465,
                    "oauth_kind": "google",
                }
            )
        )
        self.assertFalse(preset.is_trusted)
        window = self.window(provider_id=preset.id)
        self.assertFalse(window.sign_in_service)
        with self.assertRaisesRegex(UserError, "no administrator"):
            window.action_sign_in()

    def test_nor_one_that_a_manager_changed(self):
        window = self.oauth_window()
        self.signed_in(window)
        for values in (
            {"smtp_host": "smtp.evil.example"},
            {"imap_host": "imap.evil.example"},
            {"domains": "brand-a.example, boss.example"},
            {"smtp_security": "starttls"},
        ):
            with self.env.cr.savepoint() as point:
                self.provider.with_user(self.manager).write(values)
                window.invalidate_recordset()
                for call in (
                    window.action_sign_in,
                    window.action_save,
                    lambda: test.check_step(window, Step.SMTP_LOGIN.value),
                    lambda: authorization.start(window),
                ):
                    with self.assertRaises(UserError):
                        call()
                point.rollback()
            self.env.invalidate_all()

    def test_nor_does_a_saved_sign_in_go_there(self):
        account = self.connected()
        self.provider.with_user(self.manager).smtp_host = "smtp.evil.example"
        windows = self.env[WINDOW].with_user(self.anna)
        window = windows.with_context(default_account_id=account.id).create(
            {"email": "sales@brand-a.example"}
        )
        with self.assertRaises(UserError):
            test.check_step(window, Step.SMTP_SENDER.value)

    def test_another_service_of_the_same_application(self):
        """Trusted, but other servers than those it was signed in for."""
        window = self.oauth_window()
        self.signed_in(window)
        window.provider_id = self.env["mail.external.provider"].create(
            {
                "name": "Second",
                "smtp_host": "smtp.second.example",
                "smtp_port": 465,
                "oauth_kind": "other",
                "application_id": self.application.id,
            }
        )
        window.invalidate_recordset()
        self.assertFalse(window.is_signed_in)

    def test_a_service_without_sign_in(self):
        window = self.oauth_window()
        self.signed_in(window)
        window.provider_id = self.env["mail.external.provider"].create(
            {"name": "Plain", "smtp_host": "smtp.plain.example", "smtp_port": 465}
        )
        window.invalidate_recordset()
        self.assertEqual(window.auth_method, "password")
        self.assertFalse(window.is_signed_in)

    def test_without_encryption(self):
        self.provider.smtp_security = "none"
        window = self.oauth_window()
        with self.assertRaisesRegex(UserError, "Server Settings"):
            authorization.start(window)

    def test_internal_hosts_stay_closed(self):
        """The window asks for nobody what ordinary users may not reach."""
        self.provider.smtp_host = "127.0.0.1"
        window = self.oauth_window()
        self.signed_in(window)
        result, _folders = test.prepared(window, Step.SMTP_LOGIN, bool)()
        self.assertEqual(result.error.code.value, "host_private")


class TestIdentity(OauthCase):
    """Whose address it is: what its mail servers accept, and nothing that is said."""

    def test_signing_in_as_oneself_proves(self):
        window = self.oauth_window()
        self.signed_in(window)
        self.passed(window)
        self.assertEqual(window.proof, "provider")

    def test_forged_claims(self):
        """The service names the boss; the mailbox that is opened is the attacker's."""
        window = self.oauth_window(
            self.bohdan,
            email="boss@brand-a.example",
            smtp_login="bohdan@brand-a.example",
        )
        self.signed_in(window, "boss@brand-a.example")
        self.passed(window)
        self.assertFalse(window.proof)

    def test_a_mailbox_that_was_shared(self):
        """The token opens it, but who signed in is somebody else."""
        window = self.oauth_window(self.bohdan, email="boss@brand-a.example")
        for hint in ("bohdan@brand-a.example", "boss@brand-b.example", ""):
            self.service.answers.append(
                self.service.tokens("x", claims={"email": hint} if hint else {})
            )
            url, row = self.begun(window)
            self.finish(self.service.visit(url, "x"), self.bohdan)
            self.assertTrue(row.tokens_sealed)
            window.invalidate_recordset()
            self.passed(window)
            self.assertFalse(window.proof, hint)
            with self.assertRaisesRegex(UserError, "not shown yet"):
                window.action_save()

    def test_no_claim_counts_at_google_only(self):
        """There a token opens the mailbox of who signed in, and no other."""
        ids = {
            "google": "123456789012-abcdefghijklmnopqrstuvwxyz012345"
            ".apps.googleusercontent.com",
            "microsoft": "11111111-2222-4333-8444-555555555555",
        }
        for kind, proof in (("google", "provider"), ("microsoft", False)):
            self.env["mail.external.application"].create(
                {"kind": kind, "client_id": ids[kind], "client_secret": "x" * 40}
            )
            self.provider.write({"oauth_kind": kind, "application_id": False})
            window = self.oauth_window()
            self.given(window, "")
            self.passed(window)
            self.assertEqual(window.proof, proof, kind)
            self.given(window, "somebody@brand-a.example")
            self.passed(window)
            self.assertFalse(window.proof, kind)
            self.given(window, "Anna@brand-a.example")
            self.passed(window)
            self.assertEqual(window.proof, "provider", kind)

    def test_at_a_service_that_nobody_answers_for(self):
        """Passwords as well: a manager's preset proves nothing."""
        preset = (
            self.env["mail.external.provider"]
            .with_user(self.manager)
            .create(
                {
                    "name": "Mine",
                    "domains": "mine.example",
                    "smtp_host": "smtp.mine.example",
                    "smtp_port": 465,
                    "smtp_security": "ssl",
                }
            )
        )
        window = self.window(
            email="anna@mine.example",
            smtp_host="smtp.mine.example",
            provider_id=preset.id,
        )
        self.passed(window)
        self.assertFalse(window.proof)
        preset.sudo().action_trust()
        window.invalidate_recordset()
        self.assertEqual(window.proof, "provider")

    def test_a_test_of_one_sign_in_does_not_count_for_another(self):
        window = self.oauth_window(self.bohdan, email="bohdan@brand-a.example")
        self.signed_in(window)
        self.passed(window)
        self.assertEqual(window.proof, "provider")
        self.signed_in(window, "evil@brand-a.example")
        self.assertFalse(window.tested_ok)
        self.assertFalse(window.proof)

    def test_an_own_token_counts_for_no_other_address(self):
        window = self.oauth_window(self.bohdan, email="bohdan@brand-a.example")
        self.signed_in(window)
        self.passed(window)
        for values in (
            {"email": "boss@brand-a.example"},
            {"email": "boss@brand-a.example", "smtp_login": "boss@brand-a.example"},
            {"smtp_login": "boss@brand-a.example"},
        ):
            with self.env.cr.savepoint() as point:
                window.write(values)
                window.invalidate_recordset()
                self.assertFalse(window.tested_ok)
                self.assertFalse(window.proof)
                point.rollback()
            window.invalidate_recordset()


class TestPersons(OauthCase):
    """A person's sign-in at a mailbox of the company, and nobody else's mailbox."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.second_manager = new_test_user(
            cls.env,
            "ext_second",
            "base.group_user,mail_external_account.group_manager",
            name="Second",
            email="second@brand-a.example",
        )
        cls.manager.email = "manager@brand-a.example"
        cls.bohdan.email = "bohdan@brand-a.example"

    def company_window(self, email="info@brand-a.example", user=None, **values):
        return self.oauth_window(
            user or self.manager,
            email=email,
            is_company=True,
            user_id=False,
            company_id=self.company.id,
            **values,
        )

    def refused(self, window, words, error=UserError):
        self.passed(window)
        for call in (
            window.action_save,
            lambda: test.check_step(window, Step.SMTP_LOGIN.value),
        ):
            with self.assertRaisesRegex(error, words):
                call()

    def test_whose_it_is_follows_from_who_signed_in(self):
        for hint, person in (
            ("info@brand-a.example", False),
            ("manager@brand-a.example", self.manager),
            ("stranger@brand-a.example", self.manager),
        ):
            window = self.company_window()
            self.signed_in(window, hint)
            self.assertEqual(window._sign_in_user().id, person and person.id, hint)
            # the box that people can tick says nothing here
            window.is_own_sign_in = not person
            self.assertEqual(window._sign_in_user().id, person and person.id, hint)

    def test_no_word_of_it_counts_as_the_persons(self):
        window = self.company_window()
        self.service.answers.append(self.service.tokens("x", claims={}))
        url, _row = self.begun(window)
        self.finish(self.service.visit(url, "x"), self.manager)
        window.invalidate_recordset()
        self.assertEqual(window._sign_in_user(), self.manager)

    def test_they_see_it_and_take_it_back(self):
        account = self.saved_by_manager()
        self.assertEqual(account.sign_in_user_id, self.manager)
        account.with_user(self.manager).action_withdraw_sign_in()
        self.assertEqual(account.state, "refused")
        self.assertFalse(
            self.env["mail.external.secret"].search([("account_id", "=", account.id)])
        )

    def saved_by_manager(self):
        window = self.company_window()
        self.signed_in(window, "manager@brand-a.example")
        self.passed(window)
        window.action_vouch()
        window.action_save()
        return window.address_id.sudo().account_id

    def test_it_stops_when_they_leave(self):
        account = self.saved_by_manager()
        self.manager.active = False
        self.assertEqual(account.state, "refused")
        self.assertFalse(account.sign_in_user_id)

    def test_their_own_mailbox_is_not_opened_for_the_company(self):
        window = self.company_window("manager@brand-a.example")
        self.signed_in(window, "manager@brand-a.example")
        self.refused(window, "is your own mailbox")
        for name in ("smtp_login", "incoming_login"):
            window = self.company_window(receive_replies=True, incoming_protocol="imap")
            self.signed_in(window, "manager@brand-a.example")
            window[name] = "manager@brand-a.example"
            self.refused(window, "is your own mailbox")

    def test_nor_a_colleagues(self):
        """The manager has full access to it at the service."""
        window = self.company_window("bohdan@brand-a.example")
        self.signed_in(window, "manager@brand-a.example")
        self.refused(window, "mailbox of a colleague", AccessError)
        window = self.company_window()
        self.signed_in(window, "manager@brand-a.example")
        window.smtp_login = "bohdan@brand-a.example"
        self.refused(window, "mailbox of a colleague", AccessError)

    def test_nobody_signs_in_for_a_colleague(self):
        window = self.oauth_window(
            self.manager, email="bohdan@brand-a.example", user_id=self.bohdan.id
        )
        self.signed_in(window, "manager@brand-a.example")
        self.refused(window, "Only Bohdan", AccessError)
        # who signed in here as themselves
        self.signed_in(window, "bohdan@brand-a.example")
        self.passed(window)
        window.action_save()
        self.assertEqual(window.address_id.user_id, self.bohdan)

    def test_another_manager_uses_it_for_nothing(self):
        account = self.saved_by_manager()
        address = account.address_ids
        windows = self.env[WINDOW].with_user(self.second_manager)
        windows = windows.with_context(default_address_id=address.id)
        names = [n for n, f in windows._fields.items() if not f.compute]
        for values in (
            {},
            {"smtp_login": "bohdan@brand-a.example"},
            {"is_own_sign_in": True},
            {"is_company": False, "user_id": self.second_manager.id},
        ):
            window = windows.create({**windows.default_get(names), **values})
            self.assertFalse(window.is_signed_in, values)
            with self.assertRaises(UserError):
                window.action_save()
            self.assertEqual(account.smtp_login, "info@brand-a.example")
        added = self.env[WINDOW].with_user(self.second_manager)
        window = added.with_context(default_account_id=account.id).create(
            {"email": "sales@brand-a.example"}
        )
        with self.assertRaisesRegex(AccessError, "only they can add"):
            test.check_step(window, Step.SMTP_SENDER.value)

    def test_the_mailboxs_name_is_not_changed_by_others(self):
        """Nor by the person without signing in again."""
        account = self.saved_by_manager()
        windows = self.env[WINDOW].with_user(self.manager)
        windows = windows.with_context(default_address_id=account.address_ids.id)
        names = [n for n, f in windows._fields.items() if not f.compute]
        window = windows.create(windows.default_get(names))
        self.assertTrue(window.is_signed_in)
        self.assertEqual(window._sign_in_user(), self.manager)
        window.smtp_login = "ceo@brand-a.example"
        window.invalidate_recordset()
        self.assertFalse(window.is_signed_in)

    def test_a_changed_row_opens_nothing(self):
        """What is written past the window: the tokens are sealed for the mailbox."""
        account = self.saved_by_manager()
        for values in (
            {"smtp_login": "bohdan@brand-a.example"},
            {"smtp_host": "smtp.evil.example"},
            {"sign_in_user_id": self.second_manager.id},
            {"application_id": self.new_application("Second").id},
        ):
            with self.env.cr.savepoint() as point:
                account.write(values)
                with self.assertRaises(vault.UnsealError):
                    vault.stored_credentials(self.env, account, "smtp")
                point.rollback()
            account.invalidate_recordset()
        vault.stored_credentials(self.env, account, "smtp")

    def test_rights_are_asked_before_anything_else(self):
        window = self.company_window()
        self.manager.group_ids -= self.env.ref("mail_external_account.group_manager")
        for call in (
            window.action_sign_in,
            lambda: authorization.start(window),
            window.action_use_password,
        ):
            with self.assertRaises(AccessError):
                call()

    def test_what_is_no_address_is_no_answer(self):
        for values in (MultiDict(), MultiDict([("state", "x")] * 3)):
            self.assertFalse(authorization.begun_by_anybody(self.env, values))
