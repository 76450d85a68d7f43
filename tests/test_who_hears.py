"""Who is told of what came out of a mailbox, also when that is put off."""

from datetime import timedelta

from odoo import SUPERUSER_ID, api, fields
from odoo.tests import new_test_user

from .hearers_case import STRANGER, HearersCase


class TestToldLater(HearersCase):
    """Another addon puts notifying off, and a job of its own does it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.support = cls.address(
            "support@own.example", None, bindings=[(cls.project_a, True)]
        )
        cls.task.message_subscribe((cls.second | cls.third).ids)
        cls.team = cls.bohdan.partner_id | cls.anna.partner_id

    def later(self, raw, address=None, **kw):
        """Take a mail in while notifying is put off, then let core's job notify.

        As OCA's mail_post_defer does it, which is off in tests.
        """

        def put_off(thread, message, msg_vals=False, **kwargs):
            soon = fields.Datetime.now() + timedelta(seconds=30)
            kwargs.setdefault("scheduled_date", soon)
            return notify(thread, message, msg_vals=msg_vals, **kwargs)

        task_class = type(self.task)
        notify = task_class._notify_thread
        task_class._notify_thread = put_off
        try:
            message = self.take_in(raw, address, **kw)
        finally:
            del task_class._notify_thread
        self.assertFalse(self.told(message), "not yet")
        return message

    def run_job(self, user_id=SUPERUSER_ID):
        self.env.flush_all()
        self.env.invalidate_all()
        env = api.Environment(self.env.cr, user_id, {})
        schedules = env["mail.message.schedule"].search([])
        schedules.write({"scheduled_datetime": "2020-01-01"})
        env["mail.message.schedule"]._send_notifications_cron()

    def test_a_stranger_is_told_to_the_team_only(self):
        message = self.later(self.mail(STRANGER, Cc=self.second.email))
        self.run_job()
        self.assertEqual(self.told(message), self.team)
        self.assertFalse(self.external_mails(message))
        self.assertFalse(message.external_address_id)

    def test_it_is_so_for_known_contacts_who_were_not_asked(self):
        self.task.message_unsubscribe(self.third.ids)
        message = self.later(self.mail(f"Theo <{self.third.email}>"))
        self.run_job()
        self.assertEqual(self.told(message), self.team)

    def test_an_answer_goes_to_all_but_who_has_it(self):
        message = self.later(
            self.mail(To=f"anna@own.example, {self.bohdan.email}", Cc=self.third.email)
        )
        self.run_job()
        self.assertEqual(self.told(message), self.team | self.second)
        [mail] = self.external_mails(message)
        self.assertEqual(mail.recipient_ids, self.second)
        self.assertEqual(mail.sending_address_id, self.support)

    def test_it_is_the_same_at_once_and_later(self):
        forms = [
            {"To": f"anna@own.example, {self.bohdan.email}", "Cc": self.third.email},
            {"Resent_To": self.third.email, "Resent_Cc": self.eve.email},
            {"Delivered_To": self.third.email, "Cc": self.eve.email},
            {"sender": STRANGER, "Cc": self.bohdan.email},
            {"Auto_Submitted": "auto-replied", "Cc": self.second.email},
            {"sender": "Anna <anna@own.example>", "To": self.second.email},
            {"sender": f"{self.bohdan.email}, clara@customer.example"},
        ]
        for number, headers in enumerate(forms):
            raw = self.mail(Message_ID=f"<{number}@now.example>", **headers)
            now = self.take_in(raw)
            raw = self.mail(Message_ID=f"<{number}@late.example>", **headers)
            late = self.later(raw)
            self.run_job()
            with self.subTest(headers):
                self.assertEqual(self.told(now), self.told(late))
                addresses = [
                    self.external_mails(message).sending_address_id
                    for message in (now, late)
                ]
                self.assertEqual(*addresses)

    def test_automatic_replies_and_own_copies_are_told_to_nobody(self):
        for number, (sender, headers) in enumerate(
            [
                ("Clara <clara@customer.example>", {"Auto_Submitted": "auto-replied"}),
                ("Anna <anna@own.example>", {}),
                ("Anna <anna@own.example>", {"is_sent": True}),
            ]
        ):
            is_sent = headers.pop("is_sent", False)
            raw = self.mail(sender, Message_ID=f"<{number}@x.example>", **headers)
            message = self.later(raw, is_sent=is_sent)
            # Whoever tells of it, however often.
            for _time in range(2):
                env = api.Environment(self.env.cr, SUPERUSER_ID, {})
                task = env["project.task"].browse(self.task.id)
                task._notify_thread(env["mail.message"].browse(message.id))
            self.run_job()
            self.assertFalse(self.told(message))
            self.assertFalse(message.sudo().mail_ids)

    def test_another_user_tells_of_it(self):
        """An administrator lets go what is scheduled."""
        self.bohdan.group_ids += self.env.ref("base.group_system")
        message = self.later(self.mail(STRANGER))
        self.env.flush_all()
        env = api.Environment(self.env.cr, self.bohdan.id, {})
        env["mail.message.schedule"].sudo().search([]).force_send()
        self.assertEqual(self.told(message), self.team)
        self.support.unlink()
        answer = self.later(self.mail(Message_ID="<2@x.example>"))
        env["mail.message.schedule"].sudo().search([]).force_send()
        self.assertEqual(self.told(answer), self.team | self.second | self.third)

    def test_it_is_so_after_the_address_was_deleted(self):
        message = self.later(self.mail(STRANGER))
        self.env["mail.external.address"].search([]).unlink()
        self.run_job()
        self.assertFalse(self.told(message).filtered("partner_share"))

    def test_a_stranger_gets_no_absence_note(self):
        self.anna.write(
            {
                "out_of_office_from": fields.Datetime.now() - timedelta(days=1),
                "out_of_office_message": "<p>Back on Monday</p>",
            }
        )
        self.env.flush_all()
        self.take_in(self.mail(STRANGER))
        self.later(self.mail(STRANGER, Message_ID="<2@x.example>"))
        self.run_job()
        notes = self.task.message_ids.filtered(
            lambda message: message.message_type == "out_of_office"
        )
        self.assertFalse(notes)

    def test_customers_do_not_read_a_stranger_in_the_portal(self):
        portal = new_test_user(
            self.env, "ext_theo", "base.group_portal", email="portal@customer.example"
        )
        self.project_a.privacy_visibility = "portal"
        self.project_a.message_subscribe(portal.partner_id.ids)
        self.task.message_subscribe(portal.partner_id.ids)
        answer = self.take_in(self.mail())
        stranger = self.take_in(self.mail(STRANGER, Message_ID="<2@x.example>"))
        self.assertTrue(answer.with_user(portal).has_access("read"))
        self.assertFalse(stranger.with_user(portal).has_access("read"))
        self.assertTrue(stranger.with_user(self.bohdan).has_access("read"))
        domain = [("id", "in", (answer | stranger).ids)]
        found = self.env["mail.message"].with_user(portal).search(domain)
        self.assertEqual(found, answer)

    def test_core_gateway_is_as_before(self):
        """A mail to Odoo's own alias: to all followers, its Cc follow."""
        self.task.message_unsubscribe(self.third.ids)
        raw = self.mail(STRANGER, To="catchall@corp.example", Cc=self.third.email)
        known = self.task.message_ids
        self.env["mail.thread"].message_process("project.task", raw)
        self.task.invalidate_recordset(["message_ids"])
        [message] = self.task.message_ids - known
        self.assertIn(self.second, self.told(message))
        self.assertIn(self.third, self.followers())
        self.assertFalse(message.external_mark)
