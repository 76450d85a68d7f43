"""Whose voice is heard in a task: what an attack on the merged addon found."""

import base64
from datetime import timedelta

from odoo import fields
from odoo.tests import new_test_user

from ..hooks import uninstall_hook
from ..mailkit.message.headers import parse_headers
from ..tools.incoming import gateway
from ..tools.incoming.intake import Intake
from .hearers_case import STRANGER, HearersCase


class TestColleaguesVoice(HearersCase):
    """Whoever was written to can put any colleague into their From."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.support = cls.address(
            "support@own.example", None, bindings=[(cls.project_a, True)]
        )
        cls.bohdans = cls.address("bohdan@own.example", cls.bohdan)
        cls.task.message_subscribe(cls.second.ids)

    def forms(self):
        return [
            "Bohdan M <bohdan@corp.example>",
            "BOHDAN@Corp.example",
            "Bohdan M <bohdan+x@corp.example>",
            "Bohdan M <bohdan@own.example>",
            "Support <support@own.example>",
        ]

    def assert_for_the_team(self, message):
        self.assertEqual(message.external_mark, "colleague")
        self.assertTrue(message.is_internal)
        self.assertFalse(self.told(message).filtered("partner_share"))
        self.assertFalse(message.external_address_id)
        self.assertFalse(message.sudo().mail_ids.recipient_ids & self.second)

    def test_a_customer_does_not_speak_to_customers_as_a_colleague(self):
        for number, form in enumerate(self.forms()):
            with self.subTest(form):
                raw = self.mail(form, Message_ID=f"<{number}@x.example>")
                message = self.take_in(raw)
                self.assert_for_the_team(message)
                self.assertIn(self.anna.partner_id, self.told(message))

    def test_nor_out_of_the_quarantine(self):
        raw = self.mail("Bohdan M <bohdan@corp.example>")
        headers = parse_headers(raw)
        arrival = Intake(self.own.account_id)._enter(
            headers, raw, "answer", "INBOX 1", self.own
        )
        arrival.write({"state": "quarantine", "raw": base64.b64encode(raw)})
        arrival.action_retry()
        self.assert_for_the_team(arrival.mail_message_id)

    def test_nor_forwarded(self):
        token = "abcdefghijklmnopqrstuvwx23"
        self.own.account_id.write(
            {"incoming_protocol": "forwarded", "forward_token": token}
        )
        extra = f"Delivered-To: reply-{token}@corp.example\r\n".encode()
        raw = extra + self.mail("Bohdan M <bohdan@corp.example>")
        known = self.task.message_ids
        self.env["mail.thread"].message_process(None, raw)
        self.task.invalidate_recordset(["message_ids"])
        self.assert_for_the_team(self.task.message_ids - known)

    def test_nor_in_the_portal(self):
        portal = new_test_user(
            self.env, "ext_portal", "base.group_portal", email="p@customer.example"
        )
        self.project_a.privacy_visibility = "portal"
        self.task.message_subscribe(portal.partner_id.ids)
        message = self.take_in(self.mail("Bohdan M <bohdan@corp.example>"))
        self.assertFalse(message.with_user(portal).has_access("read"))

    def test_nothing_that_is_not_proven_is_read_in_the_portal(self):
        portal = new_test_user(
            self.env, "ext_portal", "base.group_portal", email="p@customer.example"
        )
        self.project_a.privacy_visibility = "portal"
        self.task.message_subscribe(portal.partner_id.ids)
        automatic = {"Auto_Submitted": "auto-replied"}
        for number, (form, headers, is_read) in enumerate(
            [
                ("Anna <anna@own.example>", {}, False),
                ("Anna <anna@corp.example>", {}, False),
                ("Bohdan <bohdan@corp.example>", automatic, False),
                (STRANGER, automatic, False),
                ("Clara <clara@customer.example>", automatic, True),
                ("Clara <clara@customer.example>", {}, True),
            ]
        ):
            with self.subTest(form, **headers):
                raw = self.mail(form, Message_ID=f"<{number}@x.example>", **headers)
                message = self.take_in(raw)
                self.assertEqual(message.with_user(portal).has_access("read"), is_read)
                found = message.with_user(portal).search([("id", "=", message.id)])
                self.assertEqual(bool(found), is_read)
                self.assertTrue(message.with_user(self.bohdan).has_access("read"))

    def test_new_mail_says_so_too(self):
        support = self.address(
            "new@own.example",
            receive_replies=True,
            new_mail="task",
            new_mail_project_id=self.project_b.id,
        )
        for number, form in enumerate(self.forms()[:3]):
            raw = self.mail(
                form,
                In_Reply_To="",
                Message_ID=f"<{number}@new.example>",
                Subject=f"New {number}",
            )
            self.take_in(raw, support)
            task = self.env["project.task"].search([("name", "=", f"New {number}")])
            mail = task.message_ids.filtered(lambda m: m.message_type == "email")
            self.assertEqual(mail.external_mark, "colleague")


class TestAnswersOfRealPeople(HearersCase):
    """An answer is no stranger's because another mail lies between."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.task.message_subscribe(cls.second.ids)
        cls.question = cls.post(cls, cls.anna)

    def chain(self, sender, parent, number, **headers):
        return self.mail(
            sender,
            In_Reply_To=parent,
            References=f"{self.question.message_id} {parent}",
            Message_ID=f"<{number}@x.example>",
            **headers,
        )

    def assert_heard(self, message, author):
        self.assertEqual(message.author_id, author)
        self.assertFalse(message.external_mark)

    def test_a_customer_answers_another_ones_answer_to_all(self):
        self.take_in(self.mail(Cc=self.second.email, Message_ID="<1@x.example>"))
        sender = f"Samuel <{self.second.email}>"
        message = self.take_in(self.chain(sender, "<1@x.example>", 2))
        self.assert_heard(message, self.second)

    def test_a_customer_answers_what_the_owner_sent_from_a_mail_program(self):
        new = self.env["res.partner"].create({"name": "N", "email": "n@x.example"})
        raw = self.chain(
            "Anna <anna@own.example>",
            self.question.message_id,
            1,
            To="clara@customer.example",
            Cc="N <n@x.example>",
        )
        self.take_in(raw, is_sent=True)
        for number, partner in enumerate((self.customer, new)):
            raw = self.chain(partner.email, "<1@x.example>", 2 + number)
            self.assert_heard(self.take_in(raw), partner)
        other = self.take_in(self.chain(STRANGER, "<1@x.example>", 9))
        self.assertEqual(other.external_mark, "stranger")

    def test_a_copy_that_is_not_proven_names_nobody(self):
        raw = self.chain(
            "Anna <anna@own.example>",
            self.question.message_id,
            1,
            To="max@stranger.example",
        )
        self.assertEqual(self.take_in(raw).external_mark, "unproven")
        other = self.take_in(self.chain(STRANGER, "<1@x.example>", 2))
        self.assertEqual(other.external_mark, "stranger")

    def test_a_customer_writes_after_their_absence_note(self):
        raw = self.mail(Auto_Submitted="auto-replied", Message_ID="<1@x.example>")
        self.take_in(raw)
        sender = "Clara <clara@customer.example>"
        message = self.take_in(self.chain(sender, "<1@x.example>", 2))
        self.assert_heard(message, self.customer)

    def test_who_was_only_copied_by_a_customer_is_a_stranger_still(self):
        self.take_in(self.mail(Cc=STRANGER, Message_ID="<1@x.example>"))
        message = self.take_in(self.chain(STRANGER, "<1@x.example>", 2))
        self.assertEqual(message.external_mark, "stranger")


class TestForeignCopies(HearersCase):
    """Eve has a mail server of her own, and was copied in Clara's answer."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.project_a.privacy_visibility = "followers"
        cls.task.message_subscribe((cls.anna.partner_id | cls.second).ids)
        cls.eves = cls.address(
            "eve@own.example", cls.eve, receive_replies=True, incoming_protocol="imap"
        )
        cls.copied = {"Cc": "eve@own.example"}

    def assert_heard(self, body="An answer"):
        message = self.take_in(self.mail(**self.copied))
        self.assertEqual(message.author_id, self.customer)
        self.assertFalse(message.external_mark)
        self.assertIn(body, message.body)
        self.assertIn(self.second, self.told(message))
        self.assertFalse(self.take_in(self.mail(**self.copied)), "once")
        self.assertFalse(self.take_in(self.mail(**self.copied), self.eves), "once")

    def test_her_mailbox_is_read_first(self):
        shown = self.take_in(self.mail(**self.copied), self.eves)
        self.assertEqual(shown.external_mark, "stranger")
        self.assert_heard()

    def test_she_changes_it(self):
        self.take_in(self.mail(body="Forged", **self.copied), self.eves)
        self.assert_heard()

    def test_she_makes_something_else_of_it(self):
        for headers in (
            {"sender": "Eve <eve@own.example>"},
            {"Auto_Submitted": "auto-replied"},
            {
                "Content_Type": "multipart/report; boundary=b;"
                " report-type=disposition-notification"
            },
        ):
            with self.subTest(headers):
                self.take_in(self.mail(**headers), self.eves)
        self.assert_heard()

    def test_she_serves_a_header_only_and_gives_it_up(self):
        headers = parse_headers(self.mail())
        Intake(self.eves.account_id).keep_place(headers, "answer", "1", "unreadable")
        arrivals = self.env["mail.external.arrival"]
        arrivals.search([("account_id", "=", self.eves.account_id.id)]).action_dismiss()
        self.assert_heard()

    def test_she_makes_a_loop_of_it(self):
        self.patch(gateway, "LOOP_LIMIT", 2)
        for number in range(3):
            raw = self.mail(Message_ID=f"<{number}@x.example>")
            self.take_in(raw, self.eves)
        self.assert_heard()


class TestStrangersAndUninstalling(HearersCase):
    def test_what_is_told_later_is_not_told_to_customers(self):
        self.task.message_subscribe(self.second.ids)
        task_class = type(self.task)
        notify = task_class._notify_thread

        def put_off(thread, message, msg_vals=False, **kwargs):
            soon = fields.Datetime.now() + timedelta(seconds=30)
            kwargs.setdefault("scheduled_date", soon)
            return notify(thread, message, msg_vals=msg_vals, **kwargs)

        messages = self.env["mail.message"]
        self.patch(task_class, "_notify_thread", put_off)
        for number, (sender, headers) in enumerate(
            [
                (STRANGER, {}),
                ("Clara <clara@customer.example>", {"Auto_Submitted": "auto-replied"}),
                ("Anna <anna@own.example>", {}),
                ("Bohdan <bohdan@corp.example>", {}),
            ]
        ):
            raw = self.mail(sender, Message_ID=f"<{number}@x.example>", **headers)
            messages |= self.take_in(raw)
        self.assertEqual(len(messages), 4)
        self.patch(task_class, "_notify_thread", notify)
        uninstall_hook(self.env(su=True))
        waiting = self.env["mail.message.schedule"].search(
            [("mail_message_id", "in", messages.ids)]
        )
        self.assertFalse(waiting)
        self.assertIn(self.bohdan.partner_id, self.told(messages[0]))
        self.assertFalse(self.told(messages).filtered("partner_share"))
