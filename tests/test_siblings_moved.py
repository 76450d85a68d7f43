from odoo.exceptions import UserError
from odoo.fields import Command

from .sibling_case import ALIAS, WINDOW, SiblingCase


class TestMove(SiblingCase):
    def setUp(self):
        super().setUp()
        self.account.incoming_protocol = "imap"
        self.alias = self.saved(self.sibling_window(receive_replies=True))
        self.account._set_up_reading([("INBOX", False)], anew=True)
        self.alias.binding_ids = [Command.create({"project_id": self.project_a.id})]
        self.alias.sender_name = "Sales"
        self.newer = self.connected("anna@brand-b.example")
        self.target = self.newer.account_id
        self.target.incoming_protocol = "imap"

    def move_window(self, address=None, user=None, **values):
        address = (address or self.alias).with_user(user or self.anna)
        windows = self.env[WINDOW].with_user(user or self.anna)
        return windows.with_context(**address.action_move()["context"]).create(values)

    def test_what_is_offered(self):
        window = self.move_window()
        self.assertEqual(window.target_ids, self.target)
        self.assertEqual(window.account_id, self.target, "there is one only")
        self.assertEqual(window.smtp_login, "anna@brand-b.example")
        self.assertTrue(window.is_address_only)
        self.assertFalse(window.needs_password)

    def test_what_stays_and_what_ends(self):
        self.alias.proof = "provider"
        window = self.move_window()
        self.passed(window)
        self.assertFalse(window.proof, "shown at another server only")
        with self.assertRaisesRegex(UserError, "not shown yet"):
            window.action_save()
        self.vouched(window)
        window.action_save()
        alias = self.alias
        self.assertEqual(window.address_id, alias)
        self.assertEqual((alias.account_id, alias.is_main), (self.target, False))
        self.assertEqual((alias.proof, alias.sender_name), ("code", "Sales"))
        self.assertEqual(alias.binding_ids.project_id, self.project_a)
        self.assertEqual(alias.user_id, self.anna)
        self.assertTrue(self.annas.is_main and self.newer.is_main)

    def test_replies_only_where_the_account_is_read(self):
        self.target.incoming_protocol = "none"
        window = self.move_window()
        self.passed(window)
        with self.assertRaisesRegex(UserError, "nothing comes in by the account"):
            window.action_save()
        self.assertFalse(
            self.saved(self.move_window(receive_replies=False)).receive_replies
        )

    def test_other_proofs_stay(self):
        for kind in ("code", "manager"):
            self.alias.proof = kind
            window = self.move_window()
            self.passed(window)
            self.assertEqual(window.proof, kind)

    def test_the_old_account_is_read_until_it_is_removed(self):
        self.saved(self.move_window())
        self.assertEqual(self.account.former_address_ids, self.alias)
        self.assertTrue(self.account.receives and self.account.mailbox_ids)
        self.annas.with_user(self.anna).action_remove()
        self.assertTrue(self.account.active, "answers to sales@ still come there")
        self.assertTrue(self.account.mailbox_ids and self.secrets(self.account))
        self.account.with_user(self.anna).action_remove()
        self.assertFalse(self.account.active or self.account.mailbox_ids)
        self.assertFalse(self.account.former_address_ids)
        self.assertFalse(self.secrets(self.account))
        self.assertTrue(self.alias.active)

    def test_the_main_one_and_then_the_last_one(self):
        main = self.saved(self.move_window(self.annas))
        self.assertFalse(main.is_main)
        self.assertTrue(self.alias.is_main, "the old account has another one")
        self.saved(self.move_window(self.alias))
        self.assertTrue(self.account.active)
        self.assertFalse(self.account.address_ids)
        self.assertEqual(len(self.target.address_ids), 3)
        self.account.with_user(self.anna).action_remove()
        self.assertFalse(self.account.exists().active)
        self.assertFalse(self.secrets(self.account))

    def test_nothing_is_left_of_an_account_that_is_not_read(self):
        last = self.connected("third@brand-a.example")
        account = last.account_id
        self.saved(self.move_window(last, account_id=self.target.id))
        self.assertEqual(last.account_id, self.target)
        self.assertFalse(account.exists())
        self.assertFalse(self.secrets(account))

    def test_there_and_back(self):
        self.saved(self.move_window())
        self.saved(self.move_window(account_id=self.account.id))
        self.assertEqual(self.alias.account_id, self.account)
        self.assertFalse(self.account.former_address_ids)

    def test_to_an_account_of_the_same_owner_only(self):
        theirs = self.connected("bohdan@brand-a.example", self.bohdan)
        shared = self.connected("info@brand-a.example", self.manager, self.company)
        for target in (theirs, shared):
            self.refused(self.move_window, account_id=target.account_id.id)
            # a manager may connect both, and still gives nobody else's sign-in away
            for values in ({}, {"is_move": False}):
                window = self.move_window(
                    user=self.manager, account_id=target.account_id.id, **values
                )
                for call in (
                    window.action_save,
                    window.action_send_code,
                    lambda w=window: w.run_check("smtp_sender"),
                ):
                    with self.assertRaisesRegex(UserError, "same owner only"):
                        call()
        self.manager.company_ids += self.other
        brand = self.connected("info@brand-b.example", self.manager, self.other)
        window = self.move_window(shared, self.manager, account_id=brand.account_id.id)
        with self.assertRaisesRegex(UserError, "same owner only"):
            window.action_save()
        self.assertEqual(self.alias.account_id, self.account)

    def test_not_to_a_draft_or_a_removed_one(self):
        self.target.state = "draft"
        removed = self.connected("removed@brand-a.example")
        removed.with_user(self.anna).action_remove()
        for target in (self.target, removed.account_id):
            window = self.move_window(account_id=target.id)
            self.assertFalse(window.target_ids)
            with self.assertRaisesRegex(UserError, "connect it first"):
                window.action_save()


class TestRemove(SiblingCase):
    def setUp(self):
        super().setUp()
        self.alias = self.saved(self.sibling_window())

    def test_one_of_them(self):
        self.alias.with_user(self.anna).action_remove()
        self.assertFalse(self.alias.active)
        self.assertTrue(self.annas.active and self.account.active)
        self.assertTrue(self.secrets(self.account))

    def test_the_main_one_before_its_siblings(self):
        self.annas.with_user(self.anna).action_remove()
        self.assertTrue(self.alias.is_main)
        self.assertFalse(self.annas.is_main)
        self.assertTrue(self.account.active and self.secrets(self.account))
        self.assertEqual(self.account.display_name, ALIAS)

    def test_the_last_one_takes_the_password_along(self):
        # whatever a caller says of archived records
        for address in self.alias, self.annas:
            own = address.with_user(self.anna).with_context(active_test=False)
            own.action_remove()
        self.assertFalse(self.account.active)
        self.assertFalse(self.secrets(self.account))
        self.assertTrue(self.account.exists(), "answers come for years")

    def test_what_was_removed_is_taken_up_again_with_the_password(self):
        """Also the one that was no main address any more when the last one went."""
        for address in (self.annas, self.alias):
            address.with_user(self.anna).action_remove()
        self.refused(self.annas.with_user(self.anna).write, {"active": True})
        context = self.annas.with_user(self.anna).action_connect()["context"]
        opened = self.env[WINDOW].with_user(self.anna).with_context(**context)
        window = opened.create({})
        self.assertFalse(window.is_address_only)
        self.assertTrue(window.needs_password)
        window.password = "newer"
        self.saved(window)
        self.assertTrue(self.annas.active and self.annas.is_main)
        self.assertTrue(self.account.active)
        self.assertFalse(self.alias.active or self.alias.is_main)
        self.assertTrue(self.secrets(self.account))

    def test_a_new_address_of_a_removed_account(self):
        for address in (self.alias, self.annas):
            address.with_user(self.anna).action_remove()
        window = self.sibling_window(email="new@brand-a.example")
        self.assertFalse(window.is_address_only)
        window.write({"password": "newer"})
        new = self.saved(window)
        self.assertTrue(new.is_main and self.account.active)
        self.assertFalse(self.annas.is_main)

    def test_deleting(self):
        self.annas.with_user(self.anna).unlink()
        self.assertTrue(self.alias.is_main)
        self.alias.with_user(self.anna).unlink()
        self.assertFalse(self.account.exists())
        self.assertFalse(self.secrets(self.account))

    def test_an_account_is_removed_with_all_its_addresses(self):
        for user in (self.bohdan, self.stranger):
            self.refused(self.account.with_user(user).action_remove)
        self.account.with_user(self.anna).action_remove()
        self.assertFalse((self.annas | self.alias).filtered("active"))
        self.assertFalse(self.account.active or self.secrets(self.account))

    def test_an_account_with_other_addresses_keeps_its_owner(self):
        """Their proof is not the new owner's."""
        opened = self.env[WINDOW].with_user(self.manager)
        opened = opened.with_context(default_address_id=self.annas.id)
        window = opened.create({"user_id": self.bohdan.id, "password": "hunter2"})
        with self.assertRaisesRegex(UserError, f"{ALIAS} would go along"):
            window.action_save()
        self.alias.with_user(self.anna).action_remove()
        self.passed(window)
        window.action_vouch()
        window.action_save()
        self.assertEqual(self.alias.user_id, self.bohdan)
        self.assertFalse(self.alias.proof, "it was shown to Anna")
