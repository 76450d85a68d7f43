from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form

from ..mailkit.imap.folders import Folder, FolderUse
from .common import ExternalAccountCase

FOLDERS = (
    Folder("INBOX", "INBOX", FolderUse.INBOX),
    Folder("Archive", "Archive", FolderUse.ARCHIVE),
    Folder("Sent", "Sent", FolderUse.SENT),
    Folder("Trash", "Trash", FolderUse.TRASH),
)


class TestConnectReading(ExternalAccountCase):
    """Receiving replies: what may be saved, and what the saved address then reads."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.provider = cls.env["mail.external.provider"].create(
            {
                "name": "Example Mail",
                "domains": "brand-a.example",
                "smtp_host": "smtp.brand-a.example",
                "smtp_port": 465,
                "imap_host": "imap.brand-a.example",
                "imap_port": 993,
                "saves_sent": True,
            }
        )
        cls.domain = cls.env["mail.alias.domain"].create({"name": "corp.example"})
        cls.company.alias_domain_id = cls.domain

    def window(self, user=None, address=None, **values):
        user = user or self.anna
        model = self.env["mail.external.account.connect"].with_user(user)
        if address:
            return model.with_context(default_address_id=address.id).create(values)
        email = values.get("email", "anna@brand-a.example")
        return model.create(
            {
                "email": email,
                "user_id": user.id,
                "smtp_host": "smtp.brand-a.example",
                "smtp_login": email,
                "password": "hunter2",
                **values,
            }
        )

    def imap(self, **values):
        return self.window(
            **{
                "receive_replies": True,
                "incoming_protocol": "imap",
                "incoming_host": "imap.brand-a.example",
                "incoming_port": 993,
                "incoming_login": "anna@brand-a.example",
                **values,
            }
        )

    def company_window(self, **values):
        return self.imap(
            user=self.manager,
            is_company=True,
            user_id=False,
            company_id=self.company.id,
            **values,
        )

    def passed(self, window, folders=FOLDERS):
        result = super().passed(window)
        if window.incoming_protocol == "imap":
            window.env["mail.external.account.connect.folder"]._offer(window, folders)
        window.invalidate_recordset()
        return result

    def saved(self, window, **values):
        if values:
            window.write(values)
        self.passed(window)
        window.action_save()
        return window.address_id.sudo()

    def paths(self, address):
        return {folder.path: folder.is_sent for folder in address.account_id.folder_ids}

    # Filling in

    def test_a_known_service_is_read_by_imap(self):
        form = Form(self.env["mail.external.account.connect"].with_user(self.anna))
        self.assertFalse(form.receive_replies)
        form.email = "anna@brand-a.example"
        self.assertTrue(form.receive_replies)
        self.assertEqual(form.incoming_protocol, "imap")
        self.assertFalse(form.keep_sent_copy)
        form.receive_replies = False
        self.assertEqual(form.incoming_protocol, "none")
        form.receive_replies = True
        self.assertEqual(form.incoming_protocol, "imap")
        self.assertEqual(form.incoming_host, "imap.brand-a.example")

    def test_a_service_without_imap_is_read_by_pop3(self):
        self.provider.write(
            {"imap_host": False, "pop3_host": "p.brand-a.example", "pop3_port": 995}
        )
        form = Form(self.env["mail.external.account.connect"].with_user(self.anna))
        form.email = "anna@brand-a.example"
        self.assertEqual(form.incoming_protocol, "pop3")
        self.assertEqual(form.incoming_host, "p.brand-a.example")
        self.assertEqual(form.incoming_port, 995)

    def test_a_service_without_mailbox_leaves_it_off(self):
        self.provider.imap_host = False
        form = Form(self.env["mail.external.account.connect"].with_user(self.anna))
        form.email = "anna@brand-a.example"
        self.assertFalse(form.receive_replies)
        self.assertEqual(form.incoming_protocol, "none")

    # What is refused

    def test_switch_needs_a_way_in(self):
        window = self.window(receive_replies=True)
        self.passed(window)
        with self.assertRaisesRegex(UserError, "choose how they come in"):
            window.action_save()

    def test_switch_is_part_of_what_was_tested(self):
        window = self.imap(receive_replies=False)
        self.passed(window)
        window.receive_replies = True
        with self.assertRaisesRegex(UserError, "Nothing was saved"):
            window.action_save()
        window = self.window()
        self.passed(window)
        window.write({"receive_replies": True, "incoming_protocol": "pop3"})
        with self.assertRaisesRegex(UserError, "POP3: sign-in"):
            window.action_save()

    def test_switch_of_an_account_cannot_be_written(self):
        address = self.saved(self.window())
        own = address.with_user(self.anna)
        with self.assertRaises(AccessError):
            own.write({"receive_replies": True})
        for values in (
            {"receives": True},
            {"incoming_protocol": "imap"},
            {"forward_token": "a" * 26},
            {"forward_confirmation": "x"},
            {"forward_notice": "x"},
        ):
            with self.assertRaises(AccessError, msg=values):
                own.account_id.write(values)

    def test_values_out_of_range(self):
        for values, words in (
            ({"look_back_days": -1}, "Look Back"),
            ({"look_back_days": 91}, "Look Back"),
        ):
            window = self.imap(**values)
            self.passed(window)
            with self.assertRaisesRegex(UserError, words):
                window.action_save()

    def test_at_least_one_folder(self):
        window = self.imap()
        self.passed(window)
        window.folder_ids.is_read = False
        with self.assertRaisesRegex(UserError, "choose at least one"):
            window.action_save()

    # What is read

    def test_off_reads_nothing(self):
        address = self.saved(self.window())
        self.assertEqual(address.state, "working")
        self.assertFalse(address.receive_replies)
        self.assertFalse(address.account_id.mailbox_ids)
        self.assertFalse(address.account_id.folder_ids)
        self.assertEqual(address.reply_mode, "odoo")

    def test_inbox_and_sent_are_read_from_now_on(self):
        triggers = self.env["ir.cron.trigger"].search_count([])
        address = self.saved(self.imap())
        self.assertEqual(self.paths(address), {"INBOX": False, "Sent": True})
        self.assertEqual(address.reply_mode, "here")
        [mailbox] = address.account_id.mailbox_ids
        now = fields.Datetime.now()
        self.assertLessEqual(mailbox.next_look, now)
        self.assertLess(now - mailbox.reading_since, timedelta(minutes=1))
        self.assertGreater(self.env["ir.cron.trigger"].search_count([]), triggers)

    def test_looking_back(self):
        address = self.saved(self.imap(look_back_days=7))
        self.assertEqual(address.account_id.look_back_days, 7)
        age = fields.Datetime.now() - address.account_id.mailbox_ids.reading_since
        self.assertEqual(age.days, 7)

    def test_pop3_has_one_folder(self):
        address = self.saved(self.imap(incoming_protocol="pop3"))
        self.assertEqual(self.paths(address), {"INBOX": False})
        self.assertFalse(address.account_id.keep_sent_copy)

    def test_folders_are_chosen_from_the_list_only(self):
        window = self.imap()
        self.passed(window)
        archive = window.folder_ids.filtered(lambda f: f.path == "Archive")
        with self.assertRaises(AccessError):
            archive.path = "Elsewhere"
        with self.assertRaises(AccessError):
            archive.create({"wizard_id": window.id, "path": "Elsewhere"})
        with self.assertRaises(AccessError):
            archive.with_user(self.bohdan).is_read = True
        archive.is_read = True
        self.passed(window, (*FOLDERS, Folder("New", "New")))
        self.assertEqual(
            window.folder_ids.filtered("is_read").mapped("path"),
            ["INBOX", "Archive", "Sent"],
        )
        address = self.saved(window)
        self.assertEqual(
            self.paths(address), {"INBOX": False, "Archive": False, "Sent": True}
        )

    def test_tested_again_reading_goes_on(self):
        address = self.saved(self.imap())
        inbox = address.account_id.folder_ids[0]
        inbox.state = {"path": "INBOX", "uid_validity": 1, "next_uid": 5}
        since = fields.Datetime.now() - timedelta(days=30)
        address.account_id.mailbox_ids.write(
            {"failure_code": "login_refused", "next_look": False, "attempts": 3}
        )
        address.account_id.mailbox_ids.reading_since = since
        window = self.window(address=address, password="newer")
        self.passed(window)
        sent = window.folder_ids.filtered("is_sent")
        self.assertTrue(sent.is_read)
        sent.is_read = False
        window.action_save()
        self.assertEqual(address.account_id.folder_ids, inbox)
        self.assertEqual(inbox.state["next_uid"], 5)
        mailbox = address.account_id.mailbox_ids
        self.assertEqual(mailbox.reading_since, since)
        self.assertTrue(mailbox.next_look)
        self.assertFalse(mailbox.failure_code)
        self.assertFalse(mailbox.attempts)

    def test_another_mailbox_is_read_from_now_on(self):
        address = self.saved(self.imap())
        for values in (
            {"incoming_protocol": "pop3"},
            {"incoming_host": "mail.brand-a.example"},
            {"incoming_login": "anna"},
        ):
            address.account_id.folder_ids.state = {"next_uid": 5}
            inbox = address.account_id.folder_ids[0]
            self.env["mail.external.seen"].create(
                {"folder_id": inbox.id, "uidl": "one"}
            )
            address.account_id.mailbox_ids.reading_since = "2020-01-01 00:00:00"
            window = self.window(address=address, password="hunter2", **values)
            self.saved(window)
            self.assertFalse(any(address.account_id.folder_ids.mapped("state")), values)
            self.assertFalse(self.env["mail.external.seen"].search([]))
            self.assertGreater(
                address.account_id.mailbox_ids.reading_since,
                fields.Datetime.now() - timedelta(minutes=1),
            )

    def test_switched_off_again(self):
        address = self.saved(self.imap())
        address.account_id.keep_sent_copy = True
        self.env["mail.external.sent.copy"].create(
            {
                "account_id": address.account_id.id,
                "message_id_header": "<1@x>",
                "sent": fields.Datetime.now(),
            }
        )
        window = self.window(
            address=address, receive_replies=False, incoming_protocol="none"
        )
        self.saved(window)
        self.assertFalse(address.account_id.mailbox_ids)
        self.assertFalse(address.account_id.folder_ids)
        self.assertFalse(self.env["mail.external.sent.copy"].search([]))

    def test_archived_is_not_read_and_restored_goes_on(self):
        address = self.saved(self.imap())
        address.account_id.folder_ids.state = {"next_uid": 5}
        address.with_user(self.anna).active = False
        self.assertFalse(address.account_id.mailbox_ids)
        with self.assertRaises(AccessError):
            address.with_user(self.anna).active = True
        self.saved(self.window(address=address, password="hunter2"))
        self.assertTrue(address.active and address.account_id.active)
        self.assertEqual(len(address.account_id.mailbox_ids), 1)
        self.assertEqual(address.account_id.folder_ids[0].state, {"next_uid": 5})
        address.with_user(self.anna).unlink()
        self.assertFalse(self.env["mail.external.mailbox"].search([]))

    def test_choosing_folders_later(self):
        address = self.saved(self.imap())
        address.account_id.folder_ids.state = {"next_uid": 5}
        account = address.account_id.with_user(self.anna)
        folders = self.env["mail.external.folder"].with_user(self.anna)
        folders._choose(account, {"INBOX": None, "Work": None})
        self.assertEqual(
            [(f.path, bool(f.state)) for f in address.account_id.folder_ids],
            [("INBOX", True), ("Work", False)],
        )
        for paths in ([], ["INBOX\r\nA1 DELETE INBOX"], ["Надіслані"], [""]):
            with self.assertRaises(UserError, msg=paths):
                folders._choose(account, dict.fromkeys(paths))
        with self.assertRaises(AccessError):
            folders.with_user(self.bohdan)._choose(
                account.with_user(self.bohdan), {"INBOX": None}
            )

    # New mail of company addresses

    def test_new_mail_of_a_company_becomes_a_task(self):
        window = self.company_window(new_mail="task")
        self.passed(window)
        window.action_vouch()
        with self.assertRaisesRegex(UserError, "Tasks In"):
            window.action_save()
        window.new_mail_project_id = self.project_a
        window.action_save()
        address = window.address_id.sudo()
        self.assertEqual(address.new_mail, "task")
        self.assertEqual(address.new_mail_project_id, self.project_a)

    def test_new_mail_of_a_person_is_left_alone(self):
        address = self.saved(
            self.imap(new_mail="task", new_mail_project_id=self.project_a.id)
        )
        self.assertEqual(address.new_mail, "ignore")
        self.assertFalse(address.new_mail_project_id)

    # Forwarded

    def forwarded(self, **values):
        return self.window(
            receive_replies=True, incoming_protocol="forwarded", **values
        )

    def test_forwarded_to_a_secret_address(self):
        window = self.forwarded()
        self.assertRegex(window.forward_address, r"^reply-[a-z2-7]{26}@corp\.example$")
        self.assertNotEqual(window.forward_address, self.forwarded().forward_address)
        address = self.saved(window)
        self.assertEqual(address.account_id.forward_address, window.forward_address)
        self.assertFalse(address.account_id.mailbox_ids)
        again = self.window(address=address)
        self.assertEqual(again.forward_address, address.account_id.forward_address)
        self.saved(again)
        self.assertEqual(address.account_id.forward_address, window.forward_address)

    def test_what_is_still_redirected_never_falls_through(self):
        """Core's gateway would make a task of it, or bounce it to a stranger."""
        address = self.saved(self.forwarded())
        raw = (
            f"X-Original-To: {address.account_id.forward_address}\r\n"
            "From: Clara <clara@customer.example>\r\nSubject: Hello\r\n"
            "Message-ID: <new@customer.example>\r\n\r\nHello\r\n"
        ).encode()
        self.saved(self.window(address=address, receive_replies=False))
        tasks = self.env["project.task"].search_count([])
        thread = self.env["mail.thread"]
        for step in ("switched off", "refused", "removed"):
            if step == "refused":
                address.account_id.state = "refused"
            elif step == "removed":
                address.with_user(self.anna).action_remove()
            self.assertFalse(thread.message_process("project.task", raw), step)
        self.assertEqual(self.env["project.task"].search_count([]), tasks)

    def test_forwarded_needs_an_alias_domain(self):
        domains = self.env["mail.alias.domain"].search([])
        self.env["mail.alias"].search([]).alias_domain_id = False
        self.env["res.company"].search([]).alias_domain_id = False
        domains.unlink()
        window = self.forwarded()
        self.passed(window)
        self.assertFalse(window.forward_address)
        self.assertIn("Alias Domain", window.forward_problem)
        with self.assertRaisesRegex(UserError, "Alias Domain"):
            window.action_save()

    def test_secret_address_is_for_owner_and_managers(self):
        window = self.company_window(
            incoming_protocol="forwarded", smtp_host="smtp.corp.example"
        )
        self.passed(window)
        window.action_vouch()
        window.action_save()
        address = window.address_id
        account = address.sudo().account_id
        account.forward_notice = "Code 4711"
        self.assertTrue(account.with_user(self.manager).forward_address)
        self.assertEqual(
            account.with_user(self.manager).forward_confirmation, "Code 4711"
        )
        reopened = self.window(self.manager, address)
        self.assertEqual(reopened.forward_confirmation, "Code 4711")
        seen = address.with_user(self.anna)  # may send from it
        self.assertEqual(seen.email, "anna@brand-a.example")
        account = account.with_user(self.anna)
        for name in ("forward_address", "forward_confirmation", "smtp_host"):
            account.invalidate_recordset()
            with self.assertRaises(AccessError):
                account.read([name])
        for user in (self.anna, self.manager):
            for name in ("forward_token", "forward_notice"):
                with self.assertRaises(AccessError):
                    account.with_user(user).read([name])
                with self.assertRaises(AccessError):
                    account.with_user(user).search([(name, "ilike", "a")])
        with self.assertRaises(AccessError):
            window.with_user(self.manager).read(["forward_token"])

    def test_window_tells_nobody_the_address_of_others(self):
        address = self.saved(self.forwarded())
        address.account_id.forward_notice = "Code 4711"
        for user_id in (self.bohdan, self.anna):
            window = self.window(self.bohdan, user_id=user_id.id)
            with self.assertRaises(AccessError):
                window.write(
                    {
                        "account_id": address.account_id.id,
                        "receive_replies": True,
                        "incoming_protocol": "forwarded",
                    }
                )
            window.invalidate_recordset()
            self.assertFalse(window.forward_confirmation)
            self.assertNotEqual(
                window.forward_address, address.account_id.forward_address
            )

    def test_another_owner_gets_another_address(self):
        address = self.saved(self.forwarded())
        before = address.account_id.forward_address
        address.account_id.forward_notice = "Code 4711"
        window = self.window(self.manager, address, password="hunter2")
        window.user_id = self.bohdan
        self.passed(window)
        window.action_vouch()
        window.action_save()
        self.assertEqual(address.user_id, self.bohdan)
        self.assertTrue(address.account_id.forward_address)
        self.assertNotEqual(address.account_id.forward_address, before)
        self.assertFalse(address.account_id.forward_confirmation)
