import base64
import os
from email import message_from_bytes
from unittest.mock import patch

from odoo import fields
from odoo.tools import mute_logger

from ..mailkit.answers.token import Signer
from ..mailkit.message.headers import parse_headers
from ..tools import vault
from ..tools.incoming import gateway
from ..tools.incoming.claims import next_look
from ..tools.incoming.intake import Intake
from ..tools.outgoing.message import build_messages
from .common import IntakeCase


class TestIntake(IntakeCase):
    """What becomes of one message out of a mailbox."""

    def test_an_answer_is_posted_and_told_to_the_team(self):
        message = self.take_in(self.mail())
        self.assertEqual(message.author_id, self.customer)
        self.assertIn("An answer", message.body)
        self.assertEqual(
            message.notified_partner_ids, self.bohdan.partner_id | self.anna.partner_id
        )
        self.assertFalse(message.external_mark)
        # A second copy of it changes nothing.
        self.assertFalse(self.take_in(self.mail()))

    def test_a_stranger_is_shown_to_the_team_only(self):
        self.task.message_subscribe(self.second.ids)
        message = self.take_in(self.mail("Max <max@stranger.example>"))
        self.assertEqual(message.external_mark, "stranger")
        self.assertEqual(
            message.notified_partner_ids, self.bohdan.partner_id | self.anna.partner_id
        )
        self.assertNotIn(
            "max@stranger.example", self.task.message_partner_ids.mapped("email")
        )

    def test_a_strangers_copies_make_nobody_a_follower(self):
        followers = self.task.message_partner_ids
        self.take_in(self.mail("Max <max@stranger.example>", Cc=self.second.email))
        self.assertEqual(self.task.message_partner_ids, followers)

    def test_an_absence_note_is_shown_and_triggers_nothing(self):
        message = self.take_in(self.mail(Auto_Submitted="auto-replied"))
        self.assertEqual(message.external_mark, "auto_reply")
        self.assertFalse(message.notification_ids)

    def test_the_owners_answer_from_a_mail_program(self):
        raw = self.mail("Anna <anna@own.example>", To="clara@customer.example")
        message = self.take_in(raw, is_sent=True)
        self.assertEqual(message.external_mark, "own_copy")
        self.assertEqual(message.author_id, self.anna.partner_id)
        self.assertFalse(message.notification_ids, "nothing is sent again")
        # In the inbox anybody can have put it: it says that it is not proven.
        other = self.mail("Anna <anna@own.example>", Message_ID="<2@own.example>")
        self.assertEqual(self.take_in(other).external_mark, "unproven")

    def test_the_same_answer_in_two_mailboxes_is_one_message(self):
        bohdans = self.address("bohdan@own.example", self.bohdan, receive_replies=True)
        self.assertTrue(self.take_in(self.mail()))
        self.assertFalse(self.take_in(self.mail(), bohdans))

    def test_no_external_address_is_suggested_as_recipient(self):
        self.address("support@own.example", receive_replies=True)
        to = "Anna <anna@own.example>, Support@own.example, friend@x.example"
        self.take_in(self.mail(To=to, Cc=self.bohdan.email))
        partners = self.env["res.partner"].search_count([])
        for no_create in (True, False):
            suggested = self.task._message_get_suggested_recipients(
                reply_discussion=True, no_create=no_create
            )
            emails = {recipient["email"] for recipient in suggested}
            self.assertEqual(emails, {"friend@x.example"})
        self.assertEqual(self.env["res.partner"].search_count([]), partners + 1)

    def test_a_colleague_is_suggested_also_by_his_external_address(self):
        self.address(self.bohdan.email, self.bohdan)
        self.take_in(self.mail(To=f"anna@own.example, {self.bohdan.email}"))
        self.task.message_unsubscribe(self.bohdan.partner_id.ids)
        [suggested] = self.task._message_get_suggested_recipients(reply_discussion=True)
        self.assertEqual(suggested["partner_id"], self.bohdan.partner_id.id)

    def test_what_could_not_be_fetched_is_taken_in_once_it_can(self):
        headers = parse_headers(self.mail())
        Intake(self.own.account_id).keep_place(
            headers, "answer", "INBOX 7", "unreadable"
        )
        arrival = self.env["mail.external.arrival"].search([])
        self.assertEqual(arrival.state, "quarantine")
        self.assertTrue(self.take_in(self.mail(), place="Filed 1"))
        self.assertRecordValues(
            arrival, [{"state": "done", "reason": False, "place": "Filed 1"}]
        )
        self.assertFalse(self.take_in(self.mail()), "once")

    def test_private_mail_is_left_alone(self):
        raw = self.mail(In_Reply_To="<private@elsewhere.example>", Subject="Dinner")
        self.assertFalse(self.take_in(raw))
        self.assertFalse(self.env["mail.external.arrival"].search([]))

    def test_a_rewritten_id_and_no_references_are_found_by_the_mark(self):
        token = vault.signers(self.env)[0].token(self.question.id, self.own.id)
        quoted = f"An answer\r\n> Hello\r\n> Ref: mea.{token}"
        message = self.take_in(
            self.mail(In_Reply_To="<other@amazonses.example>", body=quoted)
        )
        self.assertEqual(message.author_id, self.customer)

    def test_what_leaves_asks_for_answers_at_the_address_itself(self):
        mail = self.external_mails(self.question)
        [(_partner, _addresses, built)] = build_messages(mail)
        sent = message_from_bytes(built.content)
        self.assertIn("anna@own.example", sent["Reply-To"])
        self.assertRegex(sent["References"], r"<mea\.[a-z2-7]{32}@own\.example>$")
        with patch.dict(os.environ, {vault.KEY_VARIABLE: ""}):
            # Without a key it waits for one; building it must not make it fail.
            [(_partner, _addresses, built)] = build_messages(mail)
        self.assertNotIn(b"mea.", built.content)
        self.own.receive_replies = False
        [(_partner, _addresses, built)] = build_messages(mail)
        self.assertNotIn(b"mea.", built.content)
        sent = message_from_bytes(built.content)
        self.assertNotIn("anna@own.example", sent["Reply-To"])

    def test_a_mark_of_another_database_is_none(self):
        token = Signer(b"0" * 32, "other").token(self.question.id, self.own.id)
        quoted = f"An answer\r\n> Ref: mea.{token}"
        self.assertFalse(
            self.take_in(self.mail(In_Reply_To="<x@y.example>", body=quoted))
        )

    def test_a_finished_task_does_as_the_setting_says(self):
        self.task.state = "1_done"
        self.take_in(self.mail())
        self.assertEqual(self.task.state, "1_done")
        self.company.external_finished_policy = "reopen"
        self.take_in(self.mail(Message_ID="<2@c>", Auto_Submitted="auto-replied"))
        self.assertEqual(self.task.state, "1_done")
        self.take_in(self.mail(Message_ID="<3@c>"))
        self.assertEqual(self.task.state, "01_in_progress")

    def test_what_cannot_be_processed_is_kept_with_its_source(self):
        raw = self.mail()
        failing = patch.object(
            type(self.task), "message_update", side_effect=ValueError("broken")
        )
        with failing, mute_logger("odoo.addons.mail_external_account"):
            with self.assertLogs("odoo.addons.mail_external_account", "ERROR"):
                self.assertFalse(self.take_in(raw))
        arrival = self.env["mail.external.arrival"].search([])
        self.assertEqual(arrival.state, "quarantine")
        self.assertEqual(base64.b64decode(arrival.raw), raw)
        queue = self.env.ref("mail.ir_cron_mail_scheduler_action")
        triggers = [("cron_id", "=", queue.id)]
        before = self.env["ir.cron.trigger"].search_count(triggers)
        arrival.with_user(self.anna).action_retry()
        self.assertEqual(arrival.state, "done")
        # colleagues hear of it now, not at the queue's next turn
        after = self.env["ir.cron.trigger"].search_count(triggers)
        self.assertEqual(after, before + 1)
        self.assertIn("An answer", self.task.message_ids[0].body)
        self.assertFalse(arrival.raw)

    def test_trouble_before_it_is_told_apart_keeps_the_source_too(self):
        raw = self.mail()
        failing = patch.object(Intake, "look_inside", side_effect=ValueError("broken"))
        with failing, self.assertLogs("odoo.addons.mail_external_account", "ERROR"):
            self.assertFalse(self.take_in(raw))
            self.assertFalse(self.take_in(raw))
        [arrival] = self.env["mail.external.arrival"].search([])
        self.assertEqual(arrival.state, "quarantine")
        self.assertEqual(base64.b64decode(arrival.raw), raw)
        arrival.with_user(self.anna).action_retry()
        self.assertIn("An answer", self.task.message_ids[0].body)

    # When to look

    def test_only_mailboxes_that_may_be_read_ask_for_a_run(self):
        past = fields.Datetime.subtract(fields.Datetime.now(), days=1)
        account = self.own.account_id
        account.mailbox_ids.next_look = past
        self.env.flush_all()
        self.assertEqual(next_look(self.env), past)
        for record, values in (
            (account, {"incoming_protocol": "forwarded"}),
            (account, {"state": "refused"}),
            (account, {"active": False}),
        ):
            before = {name: record[name] for name in values}
            record.write(values)
            account.mailbox_ids.next_look = past
            self.env.flush_all()
            self.assertFalse(next_look(self.env), values)
            record.write(before)
        # Where no address receives replies, there is no mailbox to read.
        for values in ({"receive_replies": False}, {"active": False}):
            before = {name: self.own[name] for name in values}
            self.own.write(values)
            self.env.flush_all()
            self.assertFalse(account.mailbox_ids, values)
            self.assertFalse(next_look(self.env), values)
            self.own.write(before)
            self.assertTrue(account.mailbox_ids, values)

    def test_fetch_now_is_heard_while_the_mailbox_is_being_read(self):
        past = fields.Datetime.subtract(fields.Datetime.now(), minutes=1)
        mailbox = self.own.account_id.mailbox_ids
        mailbox.write({"next_look": past, "run": 7})
        self.env.flush_all()
        self.own.action_fetch_now()
        mailbox.invalidate_recordset()
        self.assertGreater(mailbox.next_look, past)

    def test_a_loop_ends_in_the_quarantine(self):
        self.patch(gateway, "LOOP_LIMIT", 3)
        for number in range(5):
            self.take_in(self.mail(Message_ID=f"<{number}@c.example>"))
        arrivals = self.env["mail.external.arrival"].search([], order="id")
        self.assertEqual(arrivals.mapped("state"), ["done"] * 3 + ["quarantine"] * 2)
        arrivals[-1].with_user(self.anna).action_dismiss()
        self.assertEqual(arrivals[-1].state, "dismissed")

    # Reports

    def report(self, kind="delivery-status", original=None, action="failed"):
        original = original or self.question.message_id
        return "\r\n".join(
            [
                "From: MAILER-DAEMON@own.example",
                "To: anna@own.example",
                "Subject: Undelivered Mail Returned to Sender",
                "Message-ID: <report@own.example>",
                f'Content-Type: multipart/report; report-type={kind}; boundary="b"',
                "",
                "--b",
                "Content-Type: text/plain",
                "",
                "It did not work.",
                "--b",
                f"Content-Type: message/{kind}",
                "",
                "Reporting-MTA: dns; mx.own.example",
                "",
                "Final-Recipient: rfc822; clara@customer.example",
                f"Action: {action}",
                "Status: 5.1.1",
                "Diagnostic-Code: smtp; 550 No such user",
                "Disposition: manual-action/MDN-sent-manually; displayed",
                f"Original-Message-ID: {original}",
                "--b",
                "Content-Type: text/rfc822-headers",
                "",
                f"Message-ID: {original}",
                "--b--",
                "",
            ]
        ).encode()

    def notification(self):
        return self.question.sudo().notification_ids.filtered(
            lambda n: n.res_partner_id == self.customer
        )

    def test_a_delivery_report_marks_the_recipient(self):
        self.assertFalse(self.take_in(self.report()))
        self.assertEqual(self.notification().notification_status, "bounce")
        self.assertIn("550 No such user", self.notification().failure_reason)
        self.assertEqual(self.ledger.state, "bounced")
        self.assertFalse(self.task.message_ids.filtered("external_mark"))

    def test_reports_that_mark_nobody(self):
        for raw in (
            self.report("disposition-notification"),  # a read receipt
            self.report(action="delayed"),
            self.report(original="<private@own.example>"),
        ):
            before = self.notification().notification_status
            self.assertFalse(self.take_in(raw.replace(b"<report", b"<%d" % hash(raw))))
            self.assertEqual(self.notification().notification_status, before)
            self.assertEqual(self.ledger.state, "sent")

    def test_a_report_of_another_account_proves_nothing(self):
        bohdans = self.address("bohdan@own.example", self.bohdan, receive_replies=True)
        self.take_in(self.report(), bohdans)
        self.assertEqual(self.ledger.state, "sent")

    # New mail of company addresses

    def test_new_mail_becomes_a_task_where_that_is_wanted(self):
        support = self.address("support@own.example", None, receive_replies=True)
        raw = self.mail(
            "New <new@customer.example>",
            In_Reply_To="",
            To="support@own.example",
            Subject="It is broken",
            Cc="boss@customer.example",
        )
        self.take_in(raw, support)
        tasks = self.env["project.task"]
        self.assertFalse(tasks.search([("name", "=", "It is broken")]))
        support.write({"new_mail": "task", "new_mail_project_id": self.project_b.id})
        automatic = raw.replace(b"Cc:", b"Auto-Submitted: auto-generated\r\nCc:")
        self.take_in(automatic, support)
        self.assertFalse(tasks.search([("name", "=", "It is broken")]))
        self.take_in(raw, support)
        task = tasks.search([("name", "=", "It is broken")])
        self.assertEqual(task.project_id, self.project_b)
        self.assertEqual(task.partner_id.email, "new@customer.example")
        self.assertIn("boss@customer.example", task.email_cc)
        self.assertIn("An answer", task.message_ids.mapped("body")[0])

    # Forwarded

    def forwarded(self, raw, token):
        extra = f"Delivered-To: reply-{token}@corp.example\r\n".encode()
        return self.env["mail.thread"].message_process(None, extra + raw)

    def test_forwarded_mail_is_taken_or_dropped_before_cores_routing(self):
        token = "abcdefghijklmnopqrstuvwx23"
        self.own.account_id.write(
            {"incoming_protocol": "forwarded", "forward_token": token}
        )
        known = self.task.message_ids
        self.assertEqual(self.forwarded(self.mail(), token), self.task.id)
        self.assertEqual(len(self.task.message_ids - known), 1)
        private = self.mail(In_Reply_To="", Subject="Dinner", Message_ID="<3@c>")
        mails = self.env["mail.mail"].search([])
        self.assertFalse(self.forwarded(private, token))
        self.assertEqual(self.env["mail.mail"].search([]), mails, "nothing bounced")
        confirm = self.mail(
            "forwarding-noreply@google.com",
            In_Reply_To="",
            Subject="Gmail Forwarding Confirmation",
            Message_ID="<4@c>",
            body="Confirmation code: 123456",
        )
        self.forwarded(confirm, token)
        self.assertIn("123456", self.own.account_id.forward_confirmation)
