"""What a mailbox may say in conversations that its owner has no part in."""

from .hearers_case import HearersCase


class TestForeignMailbox(HearersCase):
    """Eve runs the server of her mailbox: whatever lies there, she wrote."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.project_a.privacy_visibility = "followers"
        cls.task.message_subscribe((cls.anna.partner_id | cls.second).ids)
        cls.eves = cls.address(
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

    def test_new_mail_of_a_colleague_opens_no_private_project(self):
        self.project_b.privacy_visibility = "followers"
        support = self.address(
            "support@own.example",
            receive_replies=True,
            new_mail="task",
            new_mail_project_id=self.project_b.id,
        )
        raw = self.mail(
            f"Eve <{self.eve.email}>",
            In_Reply_To="",
            Subject="Let me in",
            To=f"support@own.example, {self.eve.email}",
        )
        self.take_in(raw, support)
        task = self.env["project.task"].search([("name", "=", "Let me in")])
        self.assertEqual(task.partner_id, self.eve.partner_id)
        self.assertNotIn(self.eve.partner_id, task.message_partner_ids)
        self.env.flush_all()
        self.env.invalidate_all()
        self.assertFalse(task.with_user(self.eve).has_access("read"))

    def test_by_pop3_and_forwarded_it_is_the_same(self):
        self.eves.account_id.incoming_protocol = "pop3"
        message = self.take_in(self.mail(Message_ID="<1@x.example>"), self.eves)
        self.assertEqual(message.external_mark, "stranger")
        token = "abcdefghijklmnopqrstuvwx23"
        self.eves.account_id.write(
            {"incoming_protocol": "forwarded", "forward_token": token}
        )
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

    def left_through(self, address):
        return {"address_id": address.id, "account_id": address.account_id.id}

    def test_what_left_through_the_account_is_answered_there(self):
        """Eve wrote it when she could read the task: she is told no more, but it is
        the customer's answer."""
        for number, values in enumerate(
            (self.left_through(self.eves), self.left_through(self.own))
        ):
            self.ledger.write(values)
            raw = self.mail(Message_ID=f"<{number}@x.example>")
            message = self.take_in(raw, self.eves)
            self.assertEqual(bool(message.external_mark), bool(number))
            self.assertEqual(self.second in self.told(message), not number)
            self.assert_closed_to_eve(message)
        self.ledger.write(self.left_through(self.eves))
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
        self.assertFalse(message.external_mark, "it left through Anna's address")
        self.assertNotIn(self.anna.partner_id, self.told(message))
        self.assertFalse(message.with_user(self.anna).has_access("read"))

    def test_a_company_account_speaks_in_records_of_its_company(self):
        other = self.env["res.company"].create({"name": "Other"})
        own = self.address("support@own.example", receive_replies=True)
        foreign = self.address(
            "info@other.example", company_id=other.id, receive_replies=True
        )
        self.project_a.company_id = self.company
        message = self.take_in(self.mail(Message_ID="<1@x.example>"), foreign)
        self.assertEqual(message.external_mark, "stranger")
        message = self.take_in(self.mail(Message_ID="<2@x.example>"), own)
        self.assertFalse(message.external_mark)

    def test_delivery_reports_count_for_mail_of_this_account(self):
        self.assertEqual(self.ledger.account_id, self.own.account_id)
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
