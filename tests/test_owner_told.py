from unittest.mock import patch

from odoo.fields import Command

from .common import ConnectCase


class TestOwnerTold(ConnectCase):
    """Whoever's connection somebody else changes learns of it, in Odoo."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        (cls.anna | cls.bohdan).notification_type = "inbox"
        cls.annas = cls.address("anna@brand-a.example", cls.anna, proof="code")
        cls.second = cls.address("anna@brand-b.example", cls.anna, proof="code")

    def told(self, user):
        """Subjects of what a user was notified of since last asked."""
        messages = self.env["mail.message"].search(
            [
                ("message_type", "=", "user_notification"),
                ("notified_partner_ids", "in", user.partner_id.ids),
                ("id", "not in", getattr(self, "_known", [])),
            ],
            order="id",
        )
        self._known = [*getattr(self, "_known", []), *messages.ids]
        return messages.mapped("subject")

    def connect(self, user, address=None, **values):
        """Save the window, as if its tests had passed; a manager vouches."""
        if address:
            values["address_id"] = address.id
            values.setdefault("email", address.email)
        window = self.window(user, smtp_host="smtp.corp.example", **values)
        self.passed(window)
        if not window.proof:
            window.action_vouch()
        window.action_save()
        return window.address_id.sudo()

    def test_connected_anew(self):
        self.connect(self.manager, self.annas, user_id=self.anna.id)
        self.assertEqual(self.told(self.anna), ["Connected anew: anna@brand-a.example"])
        message = self.env["mail.message"].browse(self._known)
        self.assertIn("Manager saved other settings", message.body)
        self.assertEqual(
            (message.model, message.res_id), (self.annas._name, self.annas.id)
        )
        self.assertTrue(message.with_user(self.anna).has_access("read"))
        self.assertIn(
            message,
            self.env["mail.message"]
            .with_user(self.anna)
            .search([("needaction", "=", True)])
            .sudo(),
        )

    def test_new_one_in_somebodys_name(self):
        self.connect(self.manager, email="new@brand-a.example", user_id=self.anna.id)
        self.assertEqual(
            self.told(self.anna), ["Connected in your name: new@brand-a.example"]
        )
        self.assertFalse(self.told(self.manager))

    def test_moved_to_a_colleague_to_the_company_and_back(self):
        self.connect(self.manager, self.annas, user_id=self.bohdan.id)
        self.assertEqual(
            self.told(self.anna),
            ["No longer your external address: anna@brand-a.example"],
        )
        self.assertEqual(
            self.told(self.bohdan), ["Connected in your name: anna@brand-a.example"]
        )
        of_company = {
            "is_company": True,
            "user_id": False,
            "company_id": self.company.id,
        }
        self.connect(self.manager, self.annas, **of_company)
        self.assertEqual(
            self.told(self.bohdan),
            ["No longer your external address: anna@brand-a.example"],
        )
        self.connect(self.manager, self.annas, user_id=self.manager.id)
        self.assertFalse(self.told(self.manager), "took it himself")
        self.connect(self.manager, self.annas, user_id=self.anna.id)
        self.assertEqual(
            self.told(self.anna), ["Connected in your name: anna@brand-a.example"]
        )

    def test_moved_and_made_another_address(self):
        values = {"user_id": self.bohdan.id, "email": "bohdan@brand-a.example"}
        self.connect(self.manager, self.annas, **values)
        self.assertEqual(
            self.told(self.anna),
            ["No longer your external address: anna@brand-a.example"],
        )
        self.assertEqual(
            self.told(self.bohdan), ["Connected in your name: bohdan@brand-a.example"]
        )

    def test_a_draft_that_is_moved(self):
        """As all of them are in a copy of the database."""
        self.annas.account_id.state = "draft"
        window = self.window(
            self.manager, address_id=self.annas.id, user_id=self.bohdan.id
        )
        window.action_keep_draft()
        self.assertEqual(
            self.told(self.anna),
            ["No longer your external address: anna@brand-a.example"],
        )
        self.assertFalse(self.told(self.bohdan), "a draft sends nothing in his name")

    def test_archived_taken_up_and_deleted(self):
        both = (self.annas | self.second).with_user(self.manager)
        names = "anna@brand-a.example, anna@brand-b.example"
        both.action_archive()
        self.assertEqual(self.told(self.anna), [f"Archived: {names}"])
        both.write({"active": False})
        self.assertFalse(self.told(self.anna), "nothing changed")
        for address in (self.annas, self.second):
            # in the connect window only, which tests it first
            self.connect(self.manager, address, user_id=self.anna.id)
            email = address.email
            self.assertEqual(
                self.told(self.anna),
                [f"Taken up again: {email}", f"Connected anew: {email}"],
            )
        both.unlink()
        self.assertEqual(self.told(self.anna), [f"Deleted: {names}"])
        self.assertFalse(self.env["mail.message"].browse(self._known[-1:]).res_id)

    def test_other_ways_to_archive_and_delete(self):
        self.manager.group_ids += self.env.ref("project.group_project_manager")
        self.second.binding_ids = [Command.create({"project_id": self.project_b.id})]
        self.project_b.with_user(self.manager).unlink()
        self.assertEqual(self.told(self.anna), ["Archived: anna@brand-b.example"])
        admin = self.env.ref("base.user_admin")
        commands = [Command.delete(self.annas.id)]
        self.env.transaction.default_env = self.env(user=admin)
        self.anna.with_user(admin).write({"external_address_ids": commands})
        self.assertFalse(self.annas.exists())
        self.assertEqual(self.told(self.anna), ["Deleted: anna@brand-a.example"])

    def test_folders(self):
        self.annas.receive_replies = True
        account = self.annas.account_id
        account.incoming_protocol = "imap"
        folders = self.env["mail.external.folder"].with_user(self.manager)
        more = folders.create(
            [{"account_id": account.id, "name": name} for name in ("A", "B")]
        )
        self.assertEqual(
            self.told(self.anna), ["Other folders are read: anna@brand-a.example"]
        )
        more.unlink()
        self.assertEqual(
            self.told(self.anna), ["Other folders are read: anna@brand-a.example"]
        )
        folders.with_user(self.anna).create(
            {"account_id": account.id, "name": "C"}
        ).unlink()
        self.assertFalse(self.told(self.anna))

    def test_not_of_what_the_owner_does(self):
        """Nor of the company's addresses, nor of what Odoo does by itself."""
        self.connect(self.anna, self.annas)
        mine = self.annas.with_user(self.anna)
        mine.action_archive()
        self.connect(self.anna, self.annas, password="newer")
        mine.unlink()
        shared = self.address("info@brand-a.example")
        shared.with_user(self.manager).action_archive()
        shared.with_user(self.manager).unlink()
        self.second.active = False  # as a scheduled action does it
        for user in (self.anna, self.manager):
            self.assertFalse(self.told(user))

    def test_who_left_is_not_told(self):
        self.anna.active = False
        self.annas.with_user(self.manager).unlink()
        self.assertFalse(self.told(self.anna))

    def test_whatever_the_callers_context_says(self):
        """A caller's context neither hides the notice nor sends it elsewhere."""
        contexts = (
            {"default_model": "res.partner", "default_res_id": self.customer.id},
            {
                "default_email_cc": "evil@x.example",
                "default_partner_ids": self.customer.ids,
            },
            {
                "mail_notify_force_send": False,
                "tracking_disable": True,
                "default_message_type": "comment",
            },
            {
                "default_notification_ids": [],
                "active_test": False,
                "default_author_id": self.customer.id,
            },
            {"lang": "xx_XX"},
        )
        for context in contexts:
            self.annas.active = True
            address = self.annas.with_user(self.manager).with_context(**context)
            address.write({"active": False})
            with self.subTest(context=context):
                self.assertEqual(
                    self.told(self.anna), ["Archived: anna@brand-a.example"]
                )
                message = self.env["mail.message"].browse(self._known[-1:])
                self.assertEqual(message.partner_ids, self.anna.partner_id)
                self.assertEqual(message.author_id, self.env.ref("base.partner_root"))
                self.assertEqual(message.res_id, self.annas.id)

    def test_a_notice_that_fails_stops_nothing(self):
        thread = type(self.env["mail.thread"])
        with (
            patch.object(thread, "message_notify", side_effect=ZeroDivisionError),
            self.assertLogs(
                "odoo.addons.mail_external_account.tools.notices",
                "ERROR",
            ),
        ):
            self.annas.with_user(self.manager).action_archive()
        self.assertFalse(self.annas.active)

    def test_by_mail_to_who_reads_his_notifications_there(self):
        self.anna.notification_type = "email"
        self.annas.with_user(self.manager).action_archive()
        [mail] = self.env["mail.mail"].search(
            [("subject", "=", "Archived: anna@brand-a.example")]
        )
        self.assertEqual(mail.recipient_ids, self.anna.partner_id)
        self.assertFalse(mail.sending_address_id)
