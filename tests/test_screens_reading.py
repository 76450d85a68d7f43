from odoo import fields
from odoo.addons.mail.tools.discuss import Store
from odoo.tests import Form

from .common import ExternalAccountCase


class TestReadingScreens(ExternalAccountCase):
    """What the screens say about a mailbox, and what they change."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.own = cls.address(
            "anna@x.example",
            cls.anna,
            receive_replies=True,
            incoming_protocol="imap",
        )
        cls.mailbox = cls.own.account_id.mailbox_ids or cls.env[
            "mail.external.mailbox"
        ].create(
            {"account_id": cls.own.account_id.id, "next_look": fields.Datetime.now()}
        )

    def words(self):
        self.own.invalidate_recordset()
        return self.own.with_user(self.anna).mailbox_status

    def test_the_state_of_reading_in_words(self):
        self.assertIn("Waits for its first turn", self.words())
        self.mailbox.last_look = fields.Datetime.now()
        self.assertIn("Works", self.words())
        folder = self.env["mail.external.folder"].create(
            {
                "account_id": self.own.account_id.id,
                "path": "Old",
                "failure_code": "folder_missing",
            }
        )
        self.assertIn("“Old”", self.words())
        self.assertIn("not in the mailbox", self.words())
        folder.unlink()
        self.mailbox.failure_code = "cert_expired"
        self.assertIn("certificate has expired", self.words())
        self.own.account_id.state = "refused"
        self.assertIn("sending is refused", self.words())
        self.own.account_id.incoming_protocol = "forwarded"
        self.assertIn("forwards", self.words())
        self.own.receive_replies = False
        self.assertFalse(self.words())

    def test_fetch_now_is_offered_where_a_mailbox_is_read(self):
        address = self.own.with_user(self.anna)
        self.assertTrue(address.can_fetch)
        self.own.account_id.incoming_protocol = "forwarded"
        self.assertFalse(address.can_fetch)

    def test_the_owner_edits_folders_in_the_form(self):
        with Form(self.own.account_id.with_user(self.anna)) as form:
            form.keep_sent_copy = True
            with form.folder_ids.new() as folder:
                folder.name = "INBOX/Клієнти"
        self.assertTrue(self.own.account_id.keep_sent_copy)
        self.assertEqual(self.own.account_id.folder_ids[-1].name, "INBOX/Клієнти")
        with Form(self.own.account_id.with_user(self.anna)) as form:
            form.folder_ids.remove(len(self.own.account_id.folder_ids) - 1)
        self.assertNotIn("INBOX/Клієнти", self.own.account_id.folder_ids.mapped("name"))

    def test_a_manager_chooses_what_becomes_of_new_mail(self):
        shared = self.address(
            "support@x.example", receive_replies=True, incoming_protocol="pop3"
        )
        with Form(shared.with_user(self.manager)) as form:
            form.new_mail = "task"
            form.new_mail_project_id = self.project_b
        self.assertEqual(shared.new_mail_project_id, self.project_b)

    def test_a_message_without_subject_is_called_by_its_place(self):
        arrival = self.env["mail.external.arrival"].create(
            {"key": "2", "account_id": self.own.account_id.id, "place": "INBOX 17"}
        )
        self.assertEqual(arrival.display_name, "Message (INBOX 17)")
        arrival.subject = "Re: Offer"
        self.assertEqual(arrival.display_name, "Re: Offer")

    def test_a_retry_tells_what_stays(self):
        arrival = self.env["mail.external.arrival"].create(
            {
                "key": "1",
                "account_id": self.own.account_id.id,
                "address_id": self.own.id,
                "user_id": self.anna.id,
                "state": "quarantine",
                "reason": "message_oversized",
            }
        )
        own = arrival.with_user(self.anna)
        self.assertIn("larger than Odoo takes", own.reason_text)
        told = own.action_retry()["params"]
        self.assertEqual(told["type"], "warning")
        self.assertIn("1 of 1", told["message"])
        self.assertEqual(arrival.state, "quarantine")
        action = self.own.with_user(self.anna).action_view_quarantine()
        found = own.search(action["domain"])
        self.assertEqual(found, own)

    def test_the_company_decides_about_finished_tasks(self):
        settings = self.env["res.config.settings"].create({})
        settings.external_finished_policy = "reopen"
        settings.execute()
        self.assertEqual(self.company.external_finished_policy, "reopen")

    def test_colleagues_see_the_mark_of_a_message(self):
        message = self.post(self.anna)
        message.sudo()._set_external_mark("stranger")

        def shown(user):
            store = Store().add(message.with_user(user))
            [data] = [
                data
                for data in store.get_result()["mail.message"]
                if data["id"] == message.id
            ]
            return data.get("external_mark")

        self.assertEqual(shown(self.bohdan), "stranger")
