from odoo.exceptions import AccessError, UserError

from ..tools import vault
from ..tools.connect import test
from .sibling_case import WINDOW, SiblingCase


class TestOwnSignIn(SiblingCase):
    """A company's shared mailbox that a manager opened with their own sign-in."""

    def setUp(self):
        super().setUp()
        self.shared = self.connected(
            "info@brand-a.example",
            self.manager,
            self.company,
            smtp_login="manager@corp.example",
            is_own_sign_in=True,
            incoming_protocol="imap",
            incoming_host="imap.brand-a.example",
            incoming_port=993,
            incoming_login="manager@corp.example/info",
            receive_replies=True,
        )
        self.of_company = self.shared.account_id

    def window_of(self, user, address=None, **values):
        windows = self.env[WINDOW].with_user(user)
        address = address or self.shared
        return windows.with_context(default_address_id=address.id).create(values)

    def test_it_is_noted_and_shown_to_whom_it_is(self):
        self.assertEqual(self.of_company.sign_in_user_id, self.manager)
        mine = self.manager.with_user(self.manager).external_sign_in_ids
        self.assertEqual(mine, self.of_company)
        window = self.window_of(self.manager)
        self.assertTrue(window.is_own_sign_in)
        self.assertEqual(test.passwords(window).smtp, "hunter2")

    def test_it_is_not_opened_unawares(self):
        for user, words in (
            (self.manager, "your own sign-in"),
            (self.second_manager, "sign-in of a colleague"),
        ):
            window = self.window(
                user,
                email="desk@brand-a.example",
                smtp_login="manager@corp.example",
                is_company=True,
                user_id=False,
                company_id=self.company.id,
            )
            self.passed(window)
            for call in (
                window.action_save,
                lambda w=window: w.run_check("smtp_login"),
            ):
                with self.assertRaisesRegex((UserError, AccessError), words):
                    call()

    def test_another_manager_adds_no_address(self):
        window = self.sibling_window(self.of_company, self.second_manager)
        self.passed(window)
        self.vouched(window)
        for call in (window.action_save, lambda: window.run_check("smtp_sender")):
            with self.assertRaisesRegex(AccessError, "only they can add addresses"):
                call()
        other = self.connected(
            "desk@brand-a.example", self.second_manager, self.company
        )
        windows = self.env[WINDOW].with_user(self.second_manager)
        window = windows.with_context(
            default_address_id=other.id, default_is_move=True
        ).create({"account_id": self.of_company.id})
        self.passed(window)
        with self.assertRaisesRegex(AccessError, "only they can add addresses"):
            window.action_save()
        self.assertEqual(self.of_company.address_ids, self.shared)
        added = self.saved(self.sibling_window(self.of_company, self.manager))
        self.assertEqual(added.account_id, self.of_company)

    def test_another_manager_gets_the_password_used_by_no_change(self):
        for values in (
            {},
            {"is_own_sign_in": True},
            {"smtp_host": "smtp.evil.example"},
            {"incoming_login": "manager@corp.example"},
            {"is_company": False, "user_id": self.manager.id},
            {"user_id": self.manager.id},
            {"company_id": self.other.id},
        ):
            with self.subTest(values=values):
                window = self.window_of(self.second_manager, **values)
                found = test.passwords(window)
                self.assertEqual((found.smtp, found.incoming), (None, None))
                self.assertTrue(window.needs_password)

    def test_by_no_change_of_its_own_even_the_person_reads_their_mailbox(self):
        """The secret is for the mailbox's name; their own mailbox is refused."""
        own = self.address("me@brand-a.example", self.manager, proof="code")
        for login in ("manager@corp.example", "Manager", own.email, "ext_manager"):
            window = self.window_of(self.manager, incoming_login=login)
            self.assertIsNone(test.passwords(window).incoming, login)
            window.password = "hunter2"
            self.passed(window)
            if login == "ext_manager":
                continue  # a user name of Odoo's that is no mailbox
            for call in (
                window.action_save,
                lambda w=window: w.run_check("incoming_login"),
            ):
                with self.assertRaisesRegex(UserError, "opens your own mailbox"):
                    call()

    def test_their_own_address_is_none_of_the_company(self):
        own = self.address("me@brand-a.example", self.manager, proof="code")
        for email in ("manager@corp.example", "Manager+x@corp.example", own.email):
            window = self.sibling_window(self.of_company, self.manager, email)
            self.passed(window)
            self.vouched(window)
            for call in (
                window.action_save,
                lambda w=window: w.run_check("smtp_sender"),
            ):
                with self.assertRaisesRegex(UserError, "is your own"):
                    call()

    def stopped(self):
        self.assertFalse(self.secrets(self.of_company))
        self.assertEqual(self.of_company.state, "refused")
        self.assertEqual(self.of_company.failure_code, "sign_in_withdrawn")
        self.assertEqual(self.shared.state, "refused")
        self.assertFalse(self.of_company.sign_in_user_id)
        self.assertFalse(self.of_company._reads_mailbox())
        notice = self.env["mail.message"].search(
            [
                ("message_type", "=", "user_notification"),
                ("subject", "ilike", "info@brand-a.example"),
                ("partner_ids", "in", self.second_manager.partner_id.ids),
            ]
        )
        self.assertEqual(len(notice), 1)
        self.assertIn("withdrawn", notice.body)

    def test_who_it_is_withdraws_it(self):
        for user in (self.second_manager, self.anna):
            self.refused(self.of_company.with_user(user).action_withdraw_sign_in)
        # also who is no manager any more
        group = self.env.ref("mail_external_account.group_manager")
        self.manager.group_ids -= group
        self.of_company.with_user(self.manager).action_withdraw_sign_in()
        self.stopped()
        again = self.window_of(self.second_manager, smtp_login="info@brand-a.example")
        again.write({"incoming_login": "info@brand-a.example", "password": "own"})
        self.saved(again)
        self.assertEqual(self.of_company.state, "working")

    def test_it_stops_when_they_leave(self):
        self.manager.active = False
        self.stopped()

    def test_it_stops_when_they_leave_the_company(self):
        """In whatever way: looked at before anything is sent or read."""
        other = self.env["res.company"].create({"name": "Other"})
        self.manager.write({"company_id": other.id, "company_ids": [(6, 0, other.ids)]})
        self.env["mail.external.account"]._withdraw_lost_sign_ins()
        self.assertEqual(self.of_company.state, "refused")
        self.assertFalse(self.of_company.sign_in_user_id)
        secrets = self.env["mail.external.secret"]
        self.assertFalse(secrets.search([("account_id", "=", self.of_company.id)]))

    def test_it_stays_while_they_are_there(self):
        self.env["mail.external.account"]._withdraw_lost_sign_ins()
        self.assertEqual(self.of_company.state, "working")

    def test_it_stops_when_they_are_deleted(self):
        self.manager.unlink()
        self.assertEqual(self.of_company.state, "refused")
        self.assertFalse(self.secrets(self.of_company))

    def test_what_others_save_is_no_more_theirs(self):
        """Another manager enters the mailbox's own password: nothing is left of it."""
        window = self.window_of(
            self.second_manager,
            smtp_login="info@brand-a.example",
            incoming_login="info@brand-a.example",
            password="of the mailbox",
        )
        self.saved(window)
        self.assertFalse(self.of_company.sign_in_user_id)
        for secret in self.secrets(self.of_company):
            opened = vault.stored_credentials(self.env, self.of_company, secret.purpose)
            self.assertEqual(opened.password, "of the mailbox")
