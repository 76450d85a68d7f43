from unittest.mock import patch

from odoo.exceptions import AccessError, UserError
from odoo.fields import Command

from ..mailkit import checks
from ..mailkit.errors import ErrorCode, MailError
from ..tools.connect import test
from .sibling_case import ALIAS, WINDOW, SiblingCase


class TestAnotherAddress(SiblingCase):
    def test_it_needs_its_own_test_and_proof_and_no_password(self):
        window = self.sibling_window(sender_name="Sales")
        self.assertTrue(window.is_address_only)
        self.assertFalse(window.needs_password)
        self.assertEqual(window.smtp_host, "smtp.brand-a.example")
        self.assertIn("smtp_sender", [step for step, _label in window.get_steps()])
        with self.assertRaisesRegex(UserError, "not passed the test"):
            window.action_save()
        self.passed(window)
        # signing in as anna@ shows nothing about sales@
        self.assertFalse(window.proof)
        with self.assertRaisesRegex(UserError, "not shown yet"):
            window.action_save()
        self.vouched(window)
        window.action_save()
        alias = window.address_id.sudo()
        self.assertEqual(alias.account_id, self.account)
        self.assertFalse(alias.is_main)
        self.assertTrue(self.annas.is_main)
        self.assertEqual((alias.user_id, alias.state), (self.anna, "working"))
        self.assertEqual((alias.proof, alias.sender_name), ("code", "Sales"))
        self.assertEqual(len(self.secrets(self.account)), 1)
        self.assertEqual(alias.with_user(self.anna).account_label, self.annas.email)
        self.assertEqual(self.annas.with_user(self.anna).sibling_count, 1)

    def test_who_has_one_alias_may_test_it_again(self):
        alias = self.saved(self.sibling_window())
        opened = self.env[WINDOW].with_user(self.anna)
        opened = opened.with_context(
            **alias.with_user(self.anna).action_connect()["context"]
        )
        window = opened.create({"sender_name": "Sales Team"})
        self.assertTrue(window.is_address_only)
        self.assertEqual(self.saved(window), alias)
        self.assertEqual(alias.sender_name, "Sales Team")
        self.assertFalse(alias.is_main)

    def run_sender_check(self, window, error=None):
        """The server's answer to this one check, as the window asks for it."""
        step = checks.Step.SMTP_SENDER
        seen = []

        def run(asked, target, credentials, email):
            seen.append((target.host, credentials.login, credentials.password, email))
            failed = error and MailError(error)
            return checks.CheckResult(asked, not error, 0.0, {}, failed)

        with patch.object(checks, "run", run):
            told = window.run_check(step.value)
        return told, seen[0]

    def test_a_refused_one_says_why_and_is_not_saved(self):
        window = self.sibling_window()
        self.passed(window)
        self.vouched(window)
        told, asked = self.run_sender_check(window, ErrorCode.SENDER_REFUSED)
        self.assertEqual(
            asked, ("smtp.brand-a.example", "anna@brand-a.example", "hunter2", ALIAS)
        )
        self.assertFalse(told["ok"])
        self.assertTrue(told["cause"] and told["remedy"])
        window.invalidate_recordset()
        with self.assertRaisesRegex(UserError, "not passed the test"):
            window.action_save()
        self.assertFalse(window.address_id)
        self.assertEqual(self.account.address_ids, self.annas)

    def test_a_test_of_another_address_is_none_of_this_one(self):
        window = self.sibling_window()
        self.passed(window)
        window.email = "boss@brand-a.example"
        self.vouched(window)
        with self.assertRaisesRegex(UserError, "not passed the test"):
            window.action_save()

    def test_it_is_tested_with_the_password_that_the_account_has(self):
        window = self.sibling_window(password="another", incoming_password="x")
        self.assertEqual(test.passwords(window).smtp, "hunter2")

    def test_a_draft_of_it_is_refused(self):
        with self.assertRaisesRegex(UserError, "connected already"):
            self.sibling_window().action_keep_draft()

    def test_a_window_shows_whether_this_very_address_receives(self):
        """Whatever its account reads for another one."""
        self.account.write({"incoming_protocol": "imap"})
        for receives in (True, False):
            sibling = self.address(
                f"{receives}@brand-a.example".lower(),
                self.anna,
                account_id=self.account.id,
                receive_replies=receives,
            )
            windows = self.env[WINDOW].with_user(self.anna)
            windows = windows.with_context(default_address_id=sibling.id)
            shown = windows.default_get(["receive_replies", "address_id"])
            self.assertEqual(shown["receive_replies"], receives)

    def test_an_account_that_was_never_connected_gets_none(self):
        draft = self.address("draft@brand-a.example", self.anna, state="draft")
        window = self.sibling_window(draft.account_id)
        for call in (window.action_save, lambda: window.run_check("smtp_sender")):
            with self.assertRaisesRegex(UserError, "connect it first"):
                call()

    def test_a_company_may_have_addresses_for_other_companies(self):
        main = self.connected("info@brand-a.example", self.manager, self.company)
        window = self.sibling_window(main.account_id, self.manager)
        window.company_id = self.other
        self.passed(window)
        self.vouched(window)
        with self.assertRaisesRegex(AccessError, "do not belong"):
            window.action_save()
        self.manager.company_ids += self.other
        window = self.sibling_window(main.account_id, self.manager)
        window.company_id = self.other
        brand = self.saved(window)
        self.assertEqual(brand.account_id, main.account_id)
        self.assertEqual(brand.company_id, self.other)
        self.assertEqual(main.account_id.company_id, self.company)


class TestWhoMayNot(SiblingCase):
    def setUp(self):
        super().setUp()
        self.info = self.connected("info@brand-a.example", self.manager, self.company)

    def test_nobody_opens_the_window_of_somebody_elses_account(self):
        cases = (
            (self.bohdan, self.annas),  # another employee
            (self.anna, self.info),  # may send from it
            (self.stranger, self.annas),  # manager of another company
            (self.stranger, self.info),
        )
        for user, address in cases:
            windows = self.env[WINDOW].with_user(user)
            account = address.account_id
            for name, record in (("account_id", account), ("address_id", address)):
                values = {name: record.id, "email": ALIAS}
                opened = windows.with_context(**{f"default_{name}": record.id})
                with self.subTest(user=user.login, address=address.email, by=name):
                    self.refused(windows.create, values)
                    self.refused(opened.create, {"email": ALIAS})
                    self.refused(opened.default_get, [name, "smtp_host"])
                    self.refused(opened.onchange, values, [], {"smtp_host": {}})
                    self.refused(windows.onchange, {name: {"id": record.id}}, [], {})
                    window = self.window(user, email="own@brand-a.example")
                    self.refused(window.write, {name: record.id})
                    self.refused(window.onchange, {name: record.id}, [name], {})
                    self.refused(window.copy, {name: record.id})
                    found = windows.load(["email", f"{name}/.id"], [[ALIAS, record.id]])
                    self.assertFalse(found["ids"])
            with self.subTest(user=user.login, address=address.email):
                self.refused(account.with_user(user).action_add_address)
                self.refused(address.with_user(user).action_add_sibling)
                self.refused(address.with_user(user).action_move)

    def test_who_may_use_an_address_learns_nothing_of_its_account(self):
        seen = self.info.with_user(self.anna)
        self.assertEqual(seen.email, "info@brand-a.example")
        for name in ("connection", "account_label", "sibling_count", "last_check"):
            self.assertFalse(seen[name], name)
        self.refused(seen.account_id.read, ["smtp_host"])

    def test_access_to_one_address_is_none_to_its_siblings(self):
        boss = self.saved(
            self.sibling_window(
                self.info.account_id, self.manager, "boss@brand-a.example"
            )
        )
        boss.allowed_user_ids = self.manager
        task = self.task.with_user(self.anna)
        usable = self.env["mail.external.sender"].with_user(self.anna)._usable_ids(task)
        self.assertIn(self.info.id, usable)
        self.assertNotIn(boss.id, usable)
        with self.assertRaisesRegex(UserError, "cannot send from this"):
            self.post(self.anna, external_address_id=boss.id)
        self.refused(boss.with_user(self.anna).read, ["email"])

    def test_the_connection_stays_the_accounts(self):
        evil = {
            "smtp_host": "smtp.evil.example",
            "smtp_port": 2525,
            "smtp_security": "none",
            "smtp_login": "evil",
            "incoming_protocol": "imap",
            "incoming_host": "imap.evil.example",
            "incoming_port": 143,
            "incoming_security": "none",
            "incoming_login": "evil",
            "ca_certificate": "an authority of my own",
            "provider_id": self.provider.id,
        }
        owner = {"user_id": self.bohdan.id, "is_company": True}
        before = self.account.read([*evil, "user_id", "company_id"])
        written = self.sibling_window()
        written.write({**evil, **owner})
        for window in (self.sibling_window(**evil, **owner), written):
            for name in evil:
                self.assertEqual(window[name], self.account[name], name)
            self.assertEqual(window.user_id, self.anna)
            self.assertFalse(window.is_company)
            self.assertTrue(test.passwords(window).smtp)
        self.assertEqual(self.saved(written).user_id, self.anna)
        self.assertEqual(self.account.read([*evil, "user_id", "company_id"]), before)

    def test_an_onchange_does_not_show_where_a_password_would_go(self):
        new = (
            self.env[WINDOW]
            .with_user(self.anna)
            .new({"account_id": self.account.id, "smtp_host": "smtp.evil.example"})
        )
        self.assertTrue(new.is_address_only)
        self.assertIsNone(test.passwords(new).smtp)

    def test_a_window_from_before_takes_no_newer_password_along(self):
        """An account is connected to another server; who kept a window of before has
        the new password sent to the old one otherwise."""
        stale = self.sibling_window(self.info.account_id, self.second_manager)
        self.passed(stale)
        again = (
            self.env[WINDOW]
            .with_user(self.manager)
            .with_context(default_address_id=self.info.id)
            .create({"smtp_host": "new.brand-a.example", "password": "newer"})
        )
        self.saved(again)
        stale.invalidate_recordset()
        self.assertEqual(stale.smtp_host, "smtp.brand-a.example")
        self.assertIsNone(test.passwords(stale).smtp)
        self.vouched(stale)
        with self.assertRaisesRegex(UserError, "not passed the test"):
            stale.action_save()


class TestWrittenOnto(SiblingCase):
    """One's own address on somebody's account would leave by their sign-in."""

    def setUp(self):
        super().setUp()
        self.bohdans = self.connected("bohdan@brand-a.example", self.bohdan)

    def unchanged(self):
        self.env.invalidate_all()
        self.assertEqual(self.account.address_ids, self.annas)
        self.assertEqual(self.bohdans.account_id.address_ids, self.bohdans)
        self.assertFalse(self.account.former_address_ids)

    def test_by_no_commands(self):
        mine = {"email": ALIAS, "account_id": self.account.id}
        commands = (
            Command.create({"email": ALIAS}),
            Command.link(self.bohdans.id),
            Command.set(self.bohdans.ids),
            Command.update(self.annas.id, {"email": ALIAS}),
        )
        for user in (self.bohdan, self.anna, self.manager):
            self.env.transaction.default_env = self.env(user=user)
            account = self.account.with_user(user)
            for command in commands:
                for name in ("address_ids", "former_address_ids"):
                    with self.subTest(user=user.login, name=name, command=command):
                        self.refused(account.write, {name: [command]})
            created = {"external_address_ids": [Command.create(mine)]}
            linked = {"external_address_ids": [Command.link(self.annas.id)]}
            for values in (created, linked):
                with self.subTest(user=user.login, values=values):
                    self.refused(user.with_user(user).write, values)
                    self.refused(self.company.with_user(user).write, values)
        self.unchanged()

    def test_by_no_values(self):
        for user in (self.bohdan, self.anna, self.manager):
            addresses = self.env["mail.external.address"].with_user(user)
            accounts = self.env["mail.external.account"].with_user(user)
            values = {"email": ALIAS, "account_id": self.account.id}
            context = {f"default_{name}": value for name, value in values.items()}
            with self.subTest(user=user.login):
                self.refused(addresses.create, values)
                self.refused(addresses.with_context(**context).create, {})
                self.refused(addresses.with_context(**context).name_create, ALIAS)
                self.refused(accounts.create, {"user_id": user.id})
                self.refused(
                    accounts.create,
                    {"user_id": user.id, "address_ids": [Command.create(values)]},
                )
        for user in (self.bohdan, self.manager):
            own = self.bohdans.with_user(user)
            with self.subTest(user=user.login):
                for name, value in (
                    ("account_id", self.account.id),
                    ("email", self.annas.email),
                    ("user_id", self.anna.id),
                    ("is_main", False),
                    ("former_account_ids", [Command.link(self.account.id)]),
                    ("proof", "manager"),
                ):
                    self.refused(own.write, {name: value})
                with self.assertRaises(UserError):
                    own.copy({"account_id": self.account.id})
                self.env.invalidate_all()
        self.unchanged()

    def test_by_no_import(self):
        for user in (self.bohdan, self.manager):
            addresses = self.env["mail.external.address"].with_user(user)
            accounts = self.env["mail.external.account"].with_user(user)
            names = ["email", "account_id/.id"]
            for model, fields, row in (
                (addresses, names, [ALIAS, str(self.account.id)]),
                (
                    addresses,
                    [".id", "account_id/.id"],
                    [str(self.bohdans.id), str(self.account.id)],
                ),
                (
                    accounts,
                    [".id", "address_ids/email"],
                    [str(self.account.id), ALIAS],
                ),
                (
                    accounts,
                    [".id", "address_ids/.id"],
                    [str(self.account.id), str(self.bohdans.id)],
                ),
            ):
                with self.subTest(user=user.login, fields=fields):
                    found = model.load(fields, [row])
                    self.assertFalse(found["ids"], found)
        self.unchanged()

    def test_by_no_window(self):
        """One's own address cannot be tested onto somebody's account either."""
        windows = self.env[WINDOW].with_user(self.bohdan)
        own = {"address_id": self.bohdans.id, "email": self.bohdans.email}
        for values in (
            {**own, "account_id": self.account.id},
            {**own, "account_id": self.account.id, "is_move": True},
        ):
            self.refused(windows.create, values)
        window = windows.create({**own, "is_move": True})
        self.refused(window.write, {"account_id": self.account.id})
        self.unchanged()


class TestTheSameTwice(SiblingCase):
    def twice(self, **values):
        return self.window(
            email=ALIAS, **{"smtp_login": "Anna@brand-a.example", **values}
        )

    def test_the_same_sign_in_is_offered_and_refused(self):
        window = self.twice()
        self.assertEqual(window.same_account_id, self.account)
        self.passed(window)
        self.vouched(window)
        with self.assertRaisesRegex(UserError, "is connected already"):
            window.action_save()
        action = window.action_use_same_account()
        opened = self.env[WINDOW].with_user(self.anna).with_context(**action["context"])
        added = self.saved(opened.create({}))
        self.assertEqual((added.email, added.account_id), (ALIAS, self.account))

    def test_not_of_another_owner(self):
        window = self.window(
            self.bohdan, email=ALIAS, smtp_login="anna@brand-a.example"
        )
        self.assertFalse(window.same_account_id)
        action = window.action_use_same_account()
        self.assertNotIn("default_account_id", action["context"])
        self.saved(window)

    def test_not_of_one_that_was_removed_or_is_a_draft(self):
        self.account.state = "draft"
        self.assertFalse(self.twice().same_account_id)
        self.account.state = "working"
        self.annas.with_user(self.anna).action_remove()
        self.assertFalse(self.twice().same_account_id)

    def test_mailboxes_behind_one_relay_are_several(self):
        imap = {
            "incoming_protocol": "imap",
            "incoming_host": "imap.brand-a.example",
            "incoming_port": 993,
            "receive_replies": True,
        }
        self.account.write(
            {
                "incoming_protocol": "imap",
                "incoming_host": "IMAP.brand-a.example",
                "incoming_login": "anna@brand-a.example",
            }
        )
        same = self.twice(**imap, incoming_login="anna@brand-a.example")
        self.assertEqual(same.same_account_id, self.account)
        apart = self.twice(**imap, incoming_login=ALIAS)
        self.assertFalse(apart.same_account_id)
        self.assertNotEqual(self.saved(apart).account_id, self.account)

    def test_one_that_becomes_the_same(self):
        third = self.connected("third@brand-a.example")
        opened = self.env[WINDOW].with_user(self.anna)
        opened = opened.with_context(default_address_id=third.id)
        window = opened.create({"smtp_login": "anna@brand-a.example", "password": "x"})
        self.passed(window)
        self.vouched(window)
        with self.assertRaisesRegex(UserError, "is connected already"):
            window.action_save()
