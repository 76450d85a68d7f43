"""Who is told of what came out of a mailbox, and who follows by it."""

from datetime import timedelta

from odoo import SUPERUSER_ID, api, fields
from odoo.tests import new_test_user

from .common import IntakeCase

STRANGER = "Max <max@stranger.example>"


class HearersCase(IntakeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.third = cls.env["res.partner"].create(
            {"name": "Theo", "email": "theo@customer.example"}
        )
        cls.eve = new_test_user(
            cls.env,
            "ext_eve",
            "base.group_user,project.group_project_user",
            name="Eve",
            email="eve@corp.example",
        )

    def followers(self):
        self.task.invalidate_recordset(["message_follower_ids", "message_partner_ids"])
        return self.task.message_partner_ids

    def told(self, message):
        message.invalidate_recordset(["notified_partner_ids"])
        return message.notified_partner_ids

    def suggested(self):
        self.task.invalidate_recordset()
        return {
            recipient["email"]
            for recipient in self.task._message_get_suggested_recipients(
                reply_discussion=True
            )
        }


class TestToldLater(HearersCase):
    """Another addon puts notifying off, and a job of its own does it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.support = cls.account(
            "support@own.example", None, bindings=[(cls.project_a, True)]
        )
        cls.task.message_subscribe((cls.second | cls.third).ids)
        cls.team = cls.bohdan.partner_id | cls.anna.partner_id

    def later(self, raw, account=None, **kw):
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
            message = self.take_in(raw, account, **kw)
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
        self.assertFalse(message.external_account_id)

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
        self.assertEqual(mail.sending_account_id, self.support)

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
                accounts = [
                    self.external_mails(message).sending_account_id
                    for message in (now, late)
                ]
                self.assertEqual(*accounts)

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
        self.assertFalse(self.told(message).filtered("partner_share"))

    def test_it_is_so_after_the_address_was_deleted(self):
        message = self.later(self.mail(STRANGER))
        self.env["mail.external.account"].search([]).unlink()
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


class TestFollowers(HearersCase):
    """Nobody follows because a mail names them."""

    def test_who_is_named_is_suggested_and_does_not_follow(self):
        before, named = self.followers(), self.third | self.eve.partner_id
        forms = [
            {"Cc": f"Theo <{self.third.email}>, {self.eve.email}"},
            {"To": f"anna@own.example, {self.third.email}, {self.eve.email}"},
            {"Delivered_To": f"{self.third.email}, {self.eve.email}"},
            {"Cc": f"Group: {self.third.email}, {self.eve.email};"},
        ]
        for number, headers in enumerate(forms):
            raw = self.mail(Message_ID=f"<{number}@x.example>", **headers)
            message = self.take_in(raw)
            with self.subTest(headers):
                self.assertEqual(self.followers(), before)
                self.assertFalse(self.told(message) & named)
                self.assertFalse(message.partner_ids & self.third)
                self.assertGreaterEqual(
                    self.suggested(), {self.third.email, self.eve.email}
                )
        # and the next answer of the team does not reach them
        later = self.post(self.anna)
        self.assertFalse(self.told(later) & self.third)

    def test_resent_fields_name_nobody_either(self):
        before = self.followers()
        headers = {"Resent_To": self.third.email, "Resent_Cc": self.eve.email}
        message = self.take_in(self.mail(**headers))
        self.assertEqual(self.followers(), before)
        self.assertFalse(message.partner_ids)

    def test_who_took_part_follows_again(self):
        """Asked once, wrote once, or got one of its mails."""
        before = self.followers()
        fourth, fifth = self.env["res.partner"].create(
            [
                {"name": "Vera", "email": "vera@customer.example"},
                {"name": "Wim", "email": "wim@customer.example"},
            ]
        )
        self.post(self.anna, partner_ids=self.third.ids)
        self.task.message_post(
            body="Me too", author_id=fourth.id, message_type="comment"
        )
        self.ledger.copy({"recipient": fifth.email, "state": "sent"})
        named = self.third | fourth | fifth | self.second
        raw = self.mail(Cc=", ".join(named.mapped("email")))
        self.take_in(raw)
        self.assertEqual(self.followers(), before | self.third | fourth | fifth)

    def test_a_colleague_who_took_part_follows_while_they_may_read(self):
        self.post(self.anna, partner_ids=self.eve.partner_id.ids)
        self.project_a.privacy_visibility = "followers"
        self.project_a.message_subscribe(self.bohdan.partner_id.ids)
        raw = self.mail(Cc=self.eve.email)
        message = self.take_in(raw)
        self.assertNotIn(self.eve.partner_id, self.followers())
        self.assertFalse(message.with_user(self.eve).has_access("read"))
        self.project_a.privacy_visibility = "employees"
        self.take_in(self.mail(Message_ID="<2@x.example>", Cc=self.eve.email))
        self.assertIn(self.eve.partner_id, self.followers())

    def test_whom_a_forger_named_before_is_no_part_of_it(self):
        for number, sender in enumerate([STRANGER, "Clara <clara@customer.example>"]):
            self.take_in(
                self.mail(
                    sender, Message_ID=f"<{number}@x.example>", Cc=self.third.email
                )
            )
        before = self.followers()
        self.take_in(self.mail(Message_ID="<3@x.example>", Cc=self.third.email))
        self.assertEqual(self.followers(), before)

    def test_a_stranger_stays_one_however_often_they_write(self):
        """Also when they answer what they wrote themselves."""
        sender = f"Theo <{self.third.email}>"
        first = self.take_in(self.mail(sender, Message_ID="<1@x.example>"))
        self.assertEqual(first.external_mark, "stranger")
        for number, headers in enumerate(
            [
                {"In_Reply_To": "<1@x.example>"},
                {"References": f"{self.question.message_id} <1@x.example>"},
                {"In_Reply_To": "<1@x.example>", "Auto_Submitted": "auto-replied"},
            ]
        ):
            raw = self.mail(sender, Message_ID=f"<n{number}@x.example>", **headers)
            message = self.take_in(raw)
            self.assertTrue(message.external_mark)
            self.assertNotIn(self.customer, self.told(message))
        self.assertNotIn(self.third, self.followers())
        # an answer to the stranger's mail is not told to them, either
        self.take_in(self.mail(Message_ID="<c@x.example>", In_Reply_To="<1@x.example>"))
        self.assertFalse(
            self.task.message_ids.sudo().notification_ids.filtered(
                lambda n: n.res_partner_id == self.third
            )
        )

    def test_a_colleague_who_was_not_asked_does_not_follow_by_writing(self):
        self.project_a.privacy_visibility = "followers"
        before = self.followers()
        message = self.take_in(self.mail(f"Eve <{self.eve.email}>"))
        self.assertEqual(message.external_mark, "stranger")
        self.assertEqual(self.followers(), before)

    def test_a_colleague_who_was_asked_follows_by_answering(self):
        self.task.message_unsubscribe(self.bohdan.partner_id.ids)
        message = self.take_in(self.mail(f"Bohdan <{self.bohdan.email}>"))
        self.assertEqual(message.author_id, self.bohdan.partner_id)
        self.assertIn(self.bohdan.partner_id, self.followers())

    def test_new_mail_makes_nobody_a_follower_or_responsible(self):
        support = self.account(
            "support@own.example",
            receive_replies=True,
            new_mail="task",
            new_mail_project_id=self.project_b.id,
        )
        raw = self.mail(
            "New <new@customer.example>",
            In_Reply_To="",
            Subject="It is broken",
            To=f"support@own.example, {self.eve.email}, someone@else.example",
            Cc=f"{self.third.email}, {self.bohdan.email}",
        )
        self.take_in(raw, support)
        task = self.env["project.task"].search([("name", "=", "It is broken")])
        self.assertEqual(task.partner_id.email, "new@customer.example")
        named = self.third | self.eve.partner_id | self.bohdan.partner_id
        self.assertFalse(task.message_partner_ids & named)
        self.assertFalse(task.user_ids)
        self.assertNotIn("support@own.example", task.email_cc)
        suggested = {
            recipient["email"]
            for recipient in task._message_get_suggested_recipients(
                reply_discussion=True
            )
        }
        self.assertGreaterEqual(
            suggested, {*named.mapped("email"), "someone@else.example"}
        )


class TestForeignMailbox(HearersCase):
    """Eve runs the server of her mailbox: whatever lies there, she wrote."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.project_a.privacy_visibility = "followers"
        cls.task.message_subscribe((cls.anna.partner_id | cls.second).ids)
        cls.eves = cls.account(
            "eve@own.example", cls.eve, receive_replies=True, incoming_protocol="imap"
        )

    def assert_closed_to_eve(self, message):
        self.assertNotIn(self.eve.partner_id, self.followers())
        self.assertNotIn(self.eve.partner_id, self.told(message))
        self.assertNotIn(self.eve.partner_id, message.partner_ids)
        self.env.flush_all()
        self.env.invalidate_all()
        self.assertFalse(self.task.with_user(self.eve).has_access("read"))
        for one in message:
            self.assertFalse(one.with_user(self.eve).has_access("read"))

    def test_an_invented_answer_is_a_strangers_and_opens_nothing(self):
        forms = [
            {},
            {"To": "eve@own.example, eve@corp.example"},
            {"Cc": "Eve <eve@corp.example>", "Delivered_To": "eve@corp.example"},
            {"References": f"<x@y.example> {self.question.message_id}"},
            {"Auto_Submitted": "auto-replied"},
        ]
        for number, headers in enumerate(forms):
            raw = self.mail(Message_ID=f"<{number}@x.example>", **headers)
            message = self.take_in(raw, self.eves)
            with self.subTest(headers):
                self.assertEqual(message.external_mark, "stranger")
                self.assertNotIn(self.second, self.told(message))
                self.assertIn(self.anna.partner_id, self.told(message))
                self.assert_closed_to_eve(message)

    def test_an_invented_copy_is_left_alone(self):
        for number, is_sent in enumerate((True, False)):
            raw = self.mail(
                "Eve <eve@own.example>", Message_ID=f"<{number}@own.example>"
            )
            message = self.take_in(raw, self.eves, is_sent=is_sent)
            self.assertFalse(message)
            self.assert_closed_to_eve(message)

    def test_by_pop3_and_forwarded_it_is_the_same(self):
        self.eves.incoming_protocol = "pop3"
        message = self.take_in(self.mail(Message_ID="<1@x.example>"), self.eves)
        self.assertEqual(message.external_mark, "stranger")
        token = "abcdefghijklmnopqrstuvwx23"
        self.eves.write({"incoming_protocol": "forwarded", "forward_token": token})
        extra = f"Delivered-To: reply-{token}@corp.example\r\n".encode()
        raw = self.mail(Message_ID="<2@x.example>")
        self.env["mail.thread"].with_user(self.eve).sudo().message_process(
            None, extra + raw
        )
        self.task.invalidate_recordset(["message_ids"])
        last = self.task.message_ids[0]
        self.assertEqual(last.external_mark, "stranger")
        self.assertNotIn(token, last.incoming_email_to)
        self.assert_closed_to_eve(message | last)

    def test_what_left_through_the_account_is_answered_there(self):
        """Eve wrote it when she could read the task: she is told no more, but it is
        the customer's answer."""
        for number, values in enumerate(
            ({"account_id": self.eves.id}, {"account_id": self.own.id})
        ):
            self.ledger.write(values)
            raw = self.mail(Message_ID=f"<{number}@x.example>")
            message = self.take_in(raw, self.eves)
            self.assertEqual(bool(message.external_mark), bool(number))
            self.assertEqual(self.second in self.told(message), not number)
            self.assert_closed_to_eve(message)
        self.ledger.account_id = self.eves
        copy = self.mail("Eve <eve@own.example>", Message_ID="<3@own.example>")
        message = self.take_in(copy, self.eves, is_sent=True)
        self.assertEqual(message.external_mark, "own_copy")
        self.assertNotIn(self.eve.partner_id, self.followers())

    def test_who_may_read_the_task_brings_answers_in(self):
        self.task.message_subscribe(self.eve.partner_id.ids)
        self.env.invalidate_all()
        message = self.take_in(self.mail(), self.eves)
        self.assertFalse(message.external_mark)
        self.assertIn(self.eve.partner_id, self.told(message))
        self.task.message_unsubscribe(self.eve.partner_id.ids)
        self.project_a.privacy_visibility = "employees"
        copy = self.mail("Eve <eve@own.example>", Message_ID="<2@own.example>")
        self.assertEqual(self.take_in(copy, self.eves).external_mark, "unproven")
        self.assertNotIn(self.eve.partner_id, self.followers())

    def test_an_owner_who_lost_access_is_not_told_later(self):
        self.task.message_unsubscribe(self.anna.partner_id.ids)
        self.env.invalidate_all()
        message = self.take_in(self.mail())
        self.assertFalse(message.external_mark, "it left through Anna's account")
        self.assertNotIn(self.anna.partner_id, self.told(message))
        self.assertFalse(message.with_user(self.anna).has_access("read"))

    def test_a_company_account_speaks_in_records_of_its_company(self):
        other = self.env["res.company"].create({"name": "Other"})
        own = self.account("support@own.example", receive_replies=True)
        foreign = self.env["mail.external.account"].create(
            {
                "email": "info@other.example",
                "company_id": other.id,
                "smtp_host": "smtp.example.com",
                "state": "working",
                "receive_replies": True,
            }
        )
        self.project_a.company_id = self.company
        message = self.take_in(self.mail(Message_ID="<1@x.example>"), foreign)
        self.assertEqual(message.external_mark, "stranger")
        message = self.take_in(self.mail(Message_ID="<2@x.example>"), own)
        self.assertFalse(message.external_mark)

    def test_delivery_reports_count_for_mail_of_this_account(self):
        self.assertEqual(self.ledger.account_id, self.own)
        report = self.mail(
            "MAILER-DAEMON@own.example",
            Content_Type="multipart/report; report-type=delivery-status; boundary=b",
            body="\r\n".join(
                [
                    "--b",
                    "Content-Type: message/delivery-status",
                    "",
                    "Reporting-MTA: dns; mx.own.example",
                    "",
                    "Final-Recipient: rfc822; clara@customer.example",
                    "Action: failed",
                    "Status: 5.1.1",
                    f"Original-Message-ID: {self.question.message_id}",
                    "--b--",
                ]
            ),
        )
        message = self.take_in(report, self.eves)
        self.assertEqual(self.ledger.state, "sent")
        self.assert_closed_to_eve(message)
