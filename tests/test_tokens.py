import os
from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.tools import SQL

from ..mailkit.errors import ErrorCode, MailError, ServerReply
from ..tools import vault
from ..tools.oauth2 import tokens
from .token_case import TokenCase

COLUMNS = (
    *("id", "user_id", "company_id", "sign_in_user_id", "auth_method"),
    *("application_id", "ca_certificate", "incoming_protocol"),
    *(f"{p}_{n}" for p in ("smtp", "incoming") for n in ("host", "port", "login")),
    *("smtp_security", "incoming_security"),
)


class TestStoredTokens(TokenCase):
    """What they are bound to."""

    def as_row(self):
        """The account as the run that reads mailboxes has it: no record."""
        values = self.account.read(COLUMNS, load=None)[0]
        return {**values, "sealed": self.row().sealed}

    def test_each_purpose_has_its_login_and_the_same_token(self):
        self.account.incoming_login = "anna"
        vault.store_tokens(self.account, self.gave("at-2", "rt-2"), "grant")
        for settings in (self.account, self.as_row()):
            for purpose, login in (("smtp", "anna@own.example"), ("incoming", "anna")):
                found = vault.stored_credentials(self.env, settings, purpose)
                self.assertEqual((found.login, found.access_token), (login, "at-2"))
                self.assertFalse(found.password)
        self.assertEqual(self.token().grant, "grant")
        self.assertEqual(len(self.row()), 1)

    def test_a_change_of_anything_they_are_for_does_not_open_them(self):
        ca = "-----BEGIN CERTIFICATE-----"
        own, other = self.account, self.application.copy({"client_id": "odoo"})
        changes = [
            (own, {"smtp_host": "smtp.evil.example"}),
            (own, {"smtp_port": 587}),
            (own, {"smtp_security": "starttls"}),
            (own, {"smtp_login": "bohdan@own.example"}),
            (own, {"incoming_protocol": "pop3"}),
            (own, {"incoming_protocol": "none"}),
            (own, {"incoming_host": "imap.evil.example"}),
            (own, {"incoming_port": 143}),
            (own, {"incoming_security": "none"}),
            (own, {"incoming_login": "bohdan@own.example"}),
            (own, {"ca_certificate": ca}),
            (own, {"user_id": self.bohdan.id}),
            (own, {"company_id": self.company.id}),
            (own, {"sign_in_user_id": self.bohdan.id}),
            (own, {"application_id": other.id}),
            (own, {"auth_method": "password"}),
        ]
        for record, values in changes:
            before = {name: record[name] for name in values}
            record.write(values)
            with self.subTest(values=values):
                for settings in (self.account, self.as_row()):
                    with self.assertRaises(vault.UnsealError):
                        vault.stored_credentials(self.env, settings, "smtp")
                with self.assertRaises(vault.UnsealError):
                    self.look()
            record.write(before)
            self.assertEqual(self.token().access_token, "at-1")
        for name in ("client_id", "token_endpoint"):
            # behind the model, which ends the sign-ins before
            change = "UPDATE mail_external_application SET %s = %s"
            before = self.application[name]
            self.env.cr.execute(SQL(change, SQL.identifier(name), f"{before}x"))
            with self.assertRaises(vault.UnsealError):
                self.token()
            self.env.cr.execute(SQL(change, SQL.identifier(name), before))
        self.env["ir.config_parameter"].set_param("database.uuid", "a copy's")
        with self.assertRaises(vault.UnsealError):
            self.token()

    def test_a_password_is_no_token_nor_the_other_way_round(self):
        sealed = self.row().sealed
        self.account.auth_method = "password"
        row = self.row()
        for purpose in ("smtp", "incoming"):
            row.purpose = purpose
            with self.assertRaises(vault.UnsealError):
                vault.stored_credentials(self.env, self.account, purpose)
        row.unlink()
        vault.store_password(self.account, "smtp", "hunter2")
        password = self.row()
        self.account.auth_method = "oauth2"
        password.purpose = "oauth2"
        with self.assertRaises(vault.UnsealError):
            vault.stored_credentials(self.env, self.account, "smtp")
        password.sealed = sealed
        self.assertEqual(self.token().access_token, "at-1")

    def test_old_keys_open_until_they_are_taken_away(self):
        old, new = os.environ[vault.KEY_VARIABLE], "n" * 40
        with patch.dict(os.environ, {vault.KEY_VARIABLE: f"{new},{old}"}):
            self.assertEqual(self.token().refresh_token, "rt-1")
            self.pass_time(3600)
            self.settle(self.look(), self.gave("at-2", "rt-2"))
            vault.seal_application_secret(self.application, "s1")
        with patch.dict(os.environ, {vault.KEY_VARIABLE: new}):
            self.assertEqual(self.token().refresh_token, "rt-2")
            self.assertTrue(vault.ended_tokens(self.row()))
        with self.assertRaises(vault.UnsealError):
            self.token()

    def test_the_secret_of_an_application_is_for_its_token_endpoint(self):
        client = vault.application_client(self.application)
        self.assertEqual(client.client_secret, "s1")
        self.assertNotIn("s1", repr(client))
        self.env.cr.execute(
            "UPDATE mail_external_application SET token_endpoint = 'https://evil'"
        )
        self.application.invalidate_recordset()
        with self.assertRaises(vault.UnsealError):
            vault.application_client(self.application)


class TestRenewal(TokenCase):
    """Who renews, when, and what becomes of the answer."""

    def test_a_token_that_is_good_is_used(self):
        self.assertEqual(self.look().credentials.access_token, "at-1")
        self.pass_time(3200)
        self.assertEqual(self.look().credentials.access_token, "at-1")
        self.assertFalse(self.row().lease)

    def test_one_renews_early_and_the_others_use_what_is_good(self):
        self.pass_time(3400)  # 200 seconds are left
        renewal = self.look("first")
        self.assertIsInstance(renewal, tokens.Renewal)
        self.assertEqual(self.look("second").credentials.access_token, "at-1")
        again = self.look("first")
        self.assertIsInstance(again, tokens.Renewal, "its own lease is no other's")
        new = self.settle(renewal, self.gave("at-2", "rt-2"))
        self.assertEqual(new.credentials.access_token, "at-2")
        self.assertEqual(self.look("second").credentials.access_token, "at-2")
        self.assertEqual(self.token().refresh_token, "rt-2")

    def test_after_its_end_the_others_wait(self):
        self.pass_time(3700)
        renewal = self.look("first")
        self.assertIsInstance(self.look("second"), tokens.Wait)
        self.settle(renewal, self.gave("at-2", ""))
        self.assertEqual(self.look("second").credentials.access_token, "at-2")
        self.assertEqual(self.token().refresh_token, "rt-1", "none was given")

    def test_a_crash_leaves_a_lease_that_runs_out(self):
        self.pass_time(3700)
        lost = self.look("crashed")
        self.pass_time(tokens.LEASE_SECONDS - 5)
        self.assertIsInstance(self.look("second"), tokens.Wait)
        self.pass_time(6)
        renewal = self.look("second")
        self.assertIsInstance(renewal, tokens.Renewal)
        self.settle(renewal, self.gave("at-2", "rt-2"))
        # it was only slow: what it was refused with is not news
        late = self.settle(lost, MailError(ErrorCode.OAUTH_ENDED))
        self.assertIsInstance(late, tokens.Wait)
        self.assertEqual(self.account.state, "working")
        self.assertEqual(self.token().access_token, "at-2")

    def test_who_signed_in_meanwhile_keeps_that(self):
        self.pass_time(3700)
        renewal = self.look()
        vault.store_tokens(self.account, self.gave("at-9", "rt-9"), "new grant")
        late = self.settle(renewal, self.gave("at-2", "rt-2"))
        self.assertIsInstance(late, tokens.Wait)
        self.assertEqual(self.token().access_token, "at-9")

    def test_what_changes_while_the_service_is_asked_gets_no_token(self):
        self.pass_time(3700)
        renewal = self.look()
        self.account.smtp_host = "smtp.evil.example"
        self.env.flush_all()
        self.settle(renewal, self.gave("at-2", "rt-2"))
        with self.assertRaises(vault.UnsealError):
            self.token()
        self.account.smtp_host = "smtp.example.com"
        self.assertEqual(self.token().access_token, "at-2")

    def test_a_refused_token_is_renewed_once(self):
        renewal = self.look(refused="at-1")
        self.assertIsInstance(renewal, tokens.Renewal)
        self.assertIsInstance(self.look("other", refused="at-1"), tokens.Wait)
        self.settle(renewal, self.gave("at-2", "rt-2"))
        again = self.look(refused="at-1")
        self.assertEqual(again.credentials.access_token, "at-2")

    def test_lives_that_cannot_be(self):
        for life, at_least, at_most in (
            (-5, 50, 60),
            (0, 50, 60),
            (4, 3, 4),
            (1e15, 86400, 31 * 86400),
        ):
            vault.store_tokens(self.account, self.gave("at-3", "rt-3", life), "grant")
            found = self.look()
            self.assertTrue(at_least <= found.seconds <= at_most, (life, found))
        unknown = self.gave("at-3", "rt-3")
        object.__setattr__(unknown, "expires_at", None)
        vault.store_tokens(self.account, unknown, "grant")
        self.pass_time(10**7)
        self.assertIsNone(self.look().seconds, "until the mail server refuses it")

    def test_a_service_that_fails_is_not_asked_again_and_again(self):
        busy = MailError(ErrorCode.OAUTH_BUSY, reply=ServerReply(429, "", "slow down"))
        self.pass_time(3400)
        good = self.settle(self.look(), busy)
        self.assertEqual(good.credentials.access_token, "at-1", "nobody notices")
        for lease in "abc":
            self.assertEqual(self.look(lease).credentials.access_token, "at-1")
        self.assertFalse(self.row().lease)
        self.pass_time(300)
        delays = []
        for _attempt in range(9):
            delays.append(self.failure(self.settle, self.look(), busy).retry_after)
            told = self.failure(self.look, "other")
            self.assertEqual(told.code, ErrorCode.OAUTH_BUSY)
            self.assertEqual(str(told.reply), "slow down")
            self.assertAlmostEqual(told.retry_after, delays[-1], delta=5)
            self.pass_time(delays[-1] + 1)
        self.assertTrue(delays[0] < 150 < 1500 < delays[-1] < 2400, delays)
        self.settle(self.look(), self.gave("at-2", "rt-2"))
        self.assertFalse(self.row().failure_code or self.row().failures)
        self.assertEqual(self.account.state, "working")

    def test_a_service_that_says_how_long_it_wants_to_be_left_alone(self):
        self.pass_time(3700)
        error = MailError(ErrorCode.OAUTH_BUSY, retry_after=900)
        told = self.failure(self.settle, self.look(), error)
        self.assertEqual(told.retry_after, 900)
        self.pass_time(890)
        with self.assertRaises(MailError):
            self.look()
        self.pass_time(11)
        self.assertIsInstance(self.look(), tokens.Renewal)

    def test_without_refresh_token_it_lasts_as_long_as_it_lasts(self):
        vault.store_tokens(self.account, self.gave("at-3", ""), "grant")
        self.pass_time(3500)
        self.assertEqual(self.look().credentials.access_token, "at-3")
        self.pass_time(200)
        with self.assertRaises(MailError) as caught:
            self.look()
        self.assertEqual(caught.exception.code, ErrorCode.OAUTH_ENDED)


class TestEndedSignIn(TokenCase):
    """The account stops, and who can mend it is told once."""

    def setUp(self):
        super().setUp()
        self.pass_time(3400)

    def refuse(self, code, account=None):
        error = MailError(code, reply=ServerReply(400, "", "in the service's words"))
        told = self.failure(self.settle, self.look(account=account), error)
        self.assertEqual(told.code, code)

    def test_all_that_only_its_owner_can_mend(self):
        codes = ("ended", "denied", "consent", "policy", "tenant")
        for code in codes:
            self.account.state = "working"
            vault.store_tokens(self.account, self.gave("at-1", "rt-1"), "grant")
            self.pass_time(3400)
            with self.subTest(code=code):
                self.refuse(ErrorCode(f"oauth_{code}"))
                self.assertEqual(self.account.state, "refused")
                self.assertEqual(self.account.failure_code, f"oauth_{code}")
                [message] = self.told(self.anna)
                self.assertIn("anna@own.example: sign in again", message.subject)
                path = f"/mail_external_account/sign_in/{self.account.id}"
                self.assertIn(path, message.body)
                self.assertEqual(
                    (message.model, message.res_id), (self.own._name, self.own.id)
                )

    def test_once_whoever_noticed_it_first(self):
        self.refuse(ErrorCode.OAUTH_ENDED)
        self.assertEqual(len(self.told(self.anna)), 1)
        for _again in range(2):
            with self.assertRaises(MailError) as caught:  # nobody asks any more
                self.look("delivery")
            code = caught.exception.code.value
            self.account._stop(code, "")
            self.account._stop_reading(code, "")
        self.assertFalse(self.told(self.anna))
        self.assertEqual(self.account.failure_reply, "400 in the service's words")
        self.assertTrue(self.account.mailbox_failed)
        words = "Stopped, until somebody signs in again."
        self.assertEqual(self.account.mailbox_status, words)

    def test_reading_that_is_refused_stops_the_sending_too(self):
        """A token that was renewed is refused: it is one and the same sign-in."""
        self.account._stop_reading("token_refused", "[AUTHENTICATIONFAILED] no")
        self.assertEqual(self.account.state, "refused")
        [message] = self.told(self.anna)
        self.assertIn("sign in again", message.subject)
        self.account._stop("token_refused", "")
        self.assertFalse(self.told(self.anna))

    def test_reading_that_is_switched_off_does_not_stop_the_sending(self):
        self.account._stop_reading("login_disabled", "IMAP is switched off")
        self.assertEqual(self.account.state, "working")
        self.assertEqual(len(self.told(self.anna)), 1)

    def test_of_a_company_its_managers_and_who_signed_in(self):
        shared = self.signed_in("info@own.example", sign_in_user_id=self.bohdan.id)
        account = shared.account_id
        self.pass_time(3400, account)
        self.refuse(ErrorCode.OAUTH_POLICY, account)
        for user in (self.manager, self.bohdan):
            [message] = self.told(user)
            self.assertIn(f"sign_in/{account.id}", message.body)
        self.assertFalse(self.told(self.anna))

    def test_in_the_language_of_who_is_told(self):
        self.env["res.lang"]._activate_lang("uk_UA")
        self.anna.lang = "uk_UA"
        self.refuse(ErrorCode.OAUTH_ENDED)
        [message] = self.told(self.anna)
        english = "anna@own.example: sign in again"
        wanted = self.env["mail.external.account"].with_context(lang="uk_UA")
        expected = wanted.env._("%s: sign in again", "anna@own.example")
        self.assertIn(message.subject, (english, expected))

    def test_signing_in_again_mends_it(self):
        self.refuse(ErrorCode.OAUTH_ENDED)
        vault.store_tokens(self.account, self.gave("at-5", "rt-5"), "new grant")
        self.assertEqual(self.look().credentials.access_token, "at-5")


class TestApplicationAtFault(TokenCase):
    """Nobody but administrators is bothered."""

    def setUp(self):
        super().setUp()
        self.second = self.signed_in("bohdan@own.example", self.bohdan)
        for account in self.accounts:
            self.pass_time(3700, account)
        self.admin = self.env.ref("base.user_admin")
        self.told(self.admin)

    @property
    def accounts(self):
        return self.account | self.second.account_id

    def refuse(self, code, account=None):
        error = MailError(code, reply=ServerReply(401, "", "invalid_client"))
        return self.failure(self.settle, self.look(account=account), error)

    def test_accounts_wait_and_administrators_are_told_once(self):
        for code in (ErrorCode.OAUTH_CLIENT, ErrorCode.OAUTH_SECRET_EXPIRED):
            self.application._forget_told("failure")
            tokens.forget_failures(self.accounts)
            with self.subTest(code=code):
                told = self.refuse(code)
                self.assertEqual(self.application.failure_code, code.value)
                self.assertEqual(self.account.state, "working")
                self.assertGreater(told.retry_after, 10)
                self.assertEqual(len(self.told(self.admin)), 1)
                # another account of the application does not ask the same
                with self.assertRaises(MailError) as caught:
                    self.look(account=self.second.account_id)
                self.assertEqual(caught.exception.code, code)
        self.assertFalse(self.told(self.anna) + self.told(self.bohdan))

    def test_a_new_secret_lets_all_go_on(self):
        self.refuse(ErrorCode.OAUTH_SECRET_EXPIRED)
        later = fields.Datetime.now() + timedelta(minutes=30)
        for account in self.accounts:
            account._delay_delivery(later, "oauth_secret_expired", "")
            account.mailbox_ids.write(
                {"failure_code": "oauth_secret_expired", "next_look": later}
            )
        vault.seal_application_secret(self.application, "s2")
        self.env.flush_all()
        self.application._note_success()
        self.env.invalidate_all()
        self.assertFalse(self.application.failure_code)
        for account in self.accounts:
            self.assertFalse(account.delivery_next_try)
            self.assertLess(account.mailbox_ids.next_look, later)
            self.assertIsInstance(self.look(account=account), tokens.Renewal)

    def test_that_it_works_again_is_noticed_by_itself(self):
        self.refuse(ErrorCode.OAUTH_CLIENT)
        self.application.retry_at = False
        self.pass_time(120)
        self.settle(self.look(), self.gave("at-2", "rt-2"))
        self.assertFalse(self.application.failure_code)
        other = self.look(account=self.second.account_id)
        self.assertIsInstance(other, tokens.Renewal)

    def test_an_archived_application_stops_them_at_once(self):
        """Not only when their tokens end, some of which are good for a day."""
        account = self.signed_in("a2@own.example", self.anna).account_id
        self.assertIsInstance(self.look(account=account), tokens.Access)
        self.application.action_archive()
        renewal = self.look(account=account)
        self.assertIsInstance(renewal, tokens.Renewal)
        outcome = tokens.ask(renewal, None)
        error = self.failure(self.settle, renewal, outcome)
        self.assertEqual(error.code, ErrorCode.OAUTH_CLIENT)
        self.assertEqual(account.state, "working")
        self.assertFalse(self.told(self.admin))  # they did it themselves
        self.application.action_unarchive()
        self.assertIsInstance(self.look(account=account), tokens.Access)

    def test_a_secret_that_does_not_open_is_its_fault_too(self):
        self.env.cr.execute(
            "UPDATE mail_external_application SET secret_sealed = 'gAAAAA'"
        )
        self.application.invalidate_recordset()
        renewal = self.look()
        self.assertIsNone(renewal.client)
        outcome = tokens.ask(renewal, None)
        self.assertEqual(outcome.code, ErrorCode.OAUTH_CLIENT)
        self.failure(self.settle, renewal, outcome)
        self.assertEqual(self.account.state, "working")
        self.assertEqual(len(self.told(self.admin)), 1)
