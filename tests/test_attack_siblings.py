"""Attacks on accounts with many addresses that succeeded once."""

import time
from contextlib import contextmanager
from unittest.mock import patch

from odoo.addons.base.models.ir_mail_server import MailDeliveryException
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tools import mute_logger

from ..mailkit import checks
from ..mailkit.errors import ErrorCode, MailError
from ..tools.connect import probe, test
from .sibling_case import WINDOW, SiblingCase


class AttackCase(SiblingCase):
    def window_of(self, user, address, **values):
        windows = self.env[WINDOW].with_user(user)
        return windows.with_context(default_address_id=address.id).create(values)

    def check(self, window, step):
        """Run one check of the test, whose servers say yes."""
        seen = []

        def run(asked, target, credentials, email):
            seen.append((credentials.login, credentials.password, email))
            return checks.CheckResult(asked, True, 0.0, {}, None)

        with patch.object(checks, "run", run):
            window.run_check(step)
        return seen


class TestTakenAlong(AttackCase):
    """An address that goes to another owner, while the account of the former one is
    read on with their password."""

    def setUp(self):
        super().setUp()
        self.account.incoming_protocol = "imap"
        self.annas.receive_replies = True
        self.account._set_up_reading([("INBOX", False)], anew=True)
        self.removed = self.connected("team@brand-b.example", self.manager)
        self.removed.with_user(self.manager).action_remove()

    def unchanged(self):
        self.env.invalidate_all()
        self.assertEqual(self.annas.account_id, self.account)
        self.assertEqual(self.annas.user_id, self.anna)
        self.assertTrue(self.annas.proof)
        self.assertFalse(self.account.former_address_ids)

    def of_a_company(self, **values):
        company = self.env.company.id
        return {"is_company": True, "user_id": False, "company_id": company, **values}

    def attempts(self):
        """Windows that a manager has of Anna's address, without her account."""
        for values in (self.of_a_company(), {"user_id": self.manager.id}):
            written = self.window_of(self.manager, self.annas, password="x")
            written.write({"account_id": False, **values})
            yield written
            windows = self.env[WINDOW].with_user(self.manager)
            address = {"address_id": self.annas.id, "email": self.annas.email}
            created = windows.create({**address, "account_id": False, **values})
            yield created
            moved = windows.create({**address, "is_move": True, **values})
            moved.write({"is_move": False, "account_id": False, **values})
            yield moved
            yield windows.create(
                {**address, "account_id": self.removed.account_id.id, **values}
            )

    def refused_all(self, name):
        for number, window in enumerate(self.attempts()):
            with (
                self.subTest(number),
                self.assertRaises(UserError),
                self.cr.savepoint(),
            ):
                getattr(window, name)()
            self.unchanged()

    def test_not_by_a_draft(self):
        self.refused_all("action_keep_draft")

    def test_not_without_a_test(self):
        self.refused_all("action_save")

    def test_not_by_a_managers_word(self):
        """The whole account may go to another owner, with a password that they enter;
        nothing is read with Anna's then."""
        evil = {
            "smtp_host": "smtp.evil.example",
            "smtp_port": 465,
            "smtp_security": "ssl",
            "smtp_login": "evil",
            "incoming_protocol": "none",
            "receive_replies": False,
            "password": "evil",
        }
        before = self.secrets(self.account)
        for number, window in enumerate(self.attempts()):
            with self.subTest(number), self.cr.savepoint() as point:
                window.write(evil)
                self.passed(window)
                try:
                    window.action_vouch()
                    window.action_save()
                except UserError:
                    self.unchanged()
                else:
                    self.assertEqual(self.annas.account_id, self.account)
                    self.assertFalse(self.secrets(self.account) & before)
                    self.assertFalse(self.account.mailbox_ids)
                self.assertFalse(self.account.former_address_ids)
                point.rollback()
            self.env.invalidate_all()


class TestMailThatIsFound(AttackCase):
    def evil_window(self):
        return self.window(
            self.bohdan,
            email="boss@customer.example",
            smtp_host="smtp.evil.example",
            smtp_login="evil",
            incoming_protocol="imap",
            incoming_host="imap.evil.example",
            incoming_port=993,
            incoming_login="evil",
            receive_replies=True,
        )

    def test_its_secret_is_chosen_by_nobody(self):
        """An own IMAP server shows what its owner wrote, if they know what."""
        known = {
            "email": "boss@customer.example",
            "message_id": "<chosen@evil.example>",
            "secret": "chosen",
            "until": int(time.time()) + 10000,
        }
        windows = self.env[WINDOW].with_user(self.bohdan)
        opened = windows.with_context(default_arrival_probe=known)
        self.refused(opened.create, {"email": known["email"]})
        self.refused(windows.create, {"arrival_probe": known})
        window = windows.create({"email": known["email"]})
        self.refused(window.write, {"arrival_probe": known})
        # everybody sets defaults of their own, for any field
        self.env["ir.default"].with_user(self.bohdan).set(
            WINDOW, "arrival_probe", known, user_id=True
        )
        window = windows.create({"email": known["email"]})
        message_id, secret = probe.send_from_odoo(window)
        self.assertNotEqual(message_id, known["message_id"])
        self.assertNotEqual(secret, "chosen")

    def test_nobodys_own_defaults_come_in(self):
        """Else an address of one's own counts for somebody else's mailbox."""
        defaults = self.env["ir.default"].with_user(self.bohdan)
        for model, name, value in (
            ("mail.external.address", "former_account_ids", self.account.ids),
            ("mail.external.account", "former_address_ids", self.annas.ids),
            ("mail.external.account", "forward_token", "a" * 26),
            ("mail.external.account", "allow_private_host", True),
        ):
            defaults.set(model, name, value, user_id=True)
        self.account.incoming_protocol = "imap"
        window = self.window(self.bohdan, email="bohdan@brand-b.example")
        window.action_keep_draft()
        address = window.address_id.sudo()
        self.assertFalse(address.former_account_ids)
        self.assertFalse(address.account_id.former_address_ids)
        self.assertFalse(address.account_id.forward_token)
        self.assertFalse(address.account_id.allow_private_host)
        self.assertFalse(self.account.receives)

    @contextmanager
    def odoos_own_server(self, **behaviour):
        """Core's, which sends nothing in tests by itself."""
        servers = type(self.env["ir.mail_server"])
        with (
            mute_logger("odoo.addons.mail.models.mail_mail"),
            patch.object(servers, "_disable_send", lambda _server: False),
            patch.object(servers, "_connect__", lambda *_args, **_options: None),
            patch.object(servers, "send_email", **behaviour) as sent,
        ):
            yield sent

    def test_one_that_did_not_leave_is_not_kept(self):
        """Its secret stands in it, and somebody may send it again."""
        mails = self.env["mail.mail"].sudo()
        before, window = mails.search([]), self.evil_window()
        failure = MailDeliveryException("no server")
        with self.odoos_own_server(side_effect=failure):
            try:
                probe.send_from_odoo(window)
            except MailError as error:  # which is told, and committed
                self.assertEqual(error.code, ErrorCode.NO_OWN_SERVER)
            else:
                self.fail("it left")
        self.assertEqual(mails.search([]), before)

    def test_nor_one_whose_recipient_core_takes_for_none(self):
        """That raises nothing, and the window would wait for a mail that never left."""
        mails = self.env["mail.mail"].sudo()
        before, window = mails.search([]), self.evil_window()
        failure = AssertionError(self.env["ir.mail_server"].NO_VALID_RECIPIENT)
        with self.odoos_own_server(side_effect=failure):
            self.assertRaises(MailError, probe.send_from_odoo, window)
            self.assertRaisesRegex(UserError, "was not sent", window._mail_code, "1")
        self.assertEqual(mails.search([]), before)

    def test_none_is_sent_to_addresses_that_odoo_itself_uses(self):
        """These are refused on saving, so nobody has to look for mail there."""
        info = self.connected("info@brand-a.example", self.manager, self.company)
        window = self.evil_window()
        window.email = info.email
        self.passed(window)
        with (
            self.odoos_own_server() as sent,
            self.assertRaisesRegex(UserError, "address of the company"),
        ):
            window.run_check("arrival")
        sent.assert_not_called()


class TestOwnSignInOfAnother(AttackCase):
    """A company's mailbox that the manager opened with their own sign-in; another
    manager wants to send from, or read, that person's own mailbox."""

    def setUp(self):
        super().setUp()
        self.shared = self.connected(
            "info@brand-a.example",
            self.manager,
            self.company,
            smtp_login="manager@corp.example",
            is_own_sign_in=True,
        )
        self.of_company = self.shared.account_id
        self.desk = self.saved(
            self.sibling_window(
                self.of_company, self.manager, email="desk@brand-a.example"
            )
        )

    def test_not_by_a_window_that_was_about_the_main_address(self):
        """It says still that it is about a personal address, which has no sign-in
        of somebody else."""
        window = self.window_of(self.second_manager, self.shared)
        window.email = "manager@corp.example"
        window.action_vouch()
        window.write({"is_company": False, "user_id": self.second_manager.id})
        self.shared.with_user(self.second_manager).action_remove()
        self.assertTrue(self.desk.is_main)
        window.invalidate_recordset()
        self.assertTrue(window.is_address_only)
        with self.assertRaisesRegex(AccessError, "only they can add addresses"):
            self.check(window, "smtp_sender")
        self.passed(window)
        with self.assertRaisesRegex(AccessError, "only they can add addresses"):
            window.action_save()
        self.assertEqual(self.shared.email, "info@brand-a.example")
        self.assertFalse(self.shared.active)

    def test_whose_sign_in_it_is_cannot_be_claimed(self):
        for values in (
            {"smtp_login": "anna@corp.example"},
            {
                "smtp_login": "ext2@corp.example",
                "incoming_protocol": "imap",
                "incoming_host": "imap.brand-a.example",
                "incoming_port": 993,
                "incoming_login": "Anna@Corp.example",
            },
        ):
            window = self.window(
                self.second_manager,
                email="team@brand-a.example",
                is_company=True,
                user_id=False,
                company_id=self.company.id,
                is_own_sign_in=True,
                **values,
            )
            self.passed(window)
            for call in (
                window.action_save,
                lambda w=window: w.run_check("smtp_login"),
            ):
                with self.assertRaisesRegex(AccessError, "sign-in of a colleague"):
                    call()

    def test_they_leave_however_it_is_written(self):
        for values in (
            {"active": 0},
            {"group_ids": [Command.set(self.env.ref("base.group_portal").ids)]},
        ):
            with self.subTest(values=values), self.cr.savepoint() as point:
                self.manager.write(values)
                self.assertFalse(self.secrets(self.of_company))
                self.assertEqual(self.of_company.state, "refused")
                self.assertFalse(self.of_company.sign_in_user_id)
                point.rollback()
            self.env.invalidate_all()


class TestConnectionStays(AttackCase):
    def test_no_stale_window_uses_a_password_elsewhere(self):
        """The main address becomes another one: the window is about an address only."""
        self.saved(self.sibling_window())
        window = self.window_of(self.anna, self.annas)
        window.write({"smtp_host": "smtp.evil.example", "incoming_protocol": "imap"})
        self.annas.with_user(self.anna).action_remove()
        window.invalidate_recordset()
        self.assertTrue(window.is_address_only)
        self.assertIsNone(test.passwords(window).smtp)
