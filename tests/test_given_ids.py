"""Answers that name the Message-ID which the mail service gave, not Odoo's."""

from ..mailkit.answers.token import reference
from ..mailkit.message.headers import parse_headers
from ..tools import service_habits, vault
from ..tools.incoming.facts import decide_batch, sent_messages
from ..tools.incoming.intake import Intake
from .common import IntakeCase

GIVEN = "<0102018f5d3c1a2b-7f1e2d3c-000000@eu.ses.example>"


class TestGivenIds(IntakeCase):
    def answer(self, **headers):
        """Clara's answer; her program names what it saw, and builds References anew."""
        found = {"In-Reply-To": GIVEN, "References": GIVEN, **headers}
        return self.mail(**{n.replace("-", "_"): v for n, v in found.items()})

    def test_by_what_the_server_told(self):
        self.ledger._note_given_id(GIVEN)
        [message] = self.take_in(self.answer(Subject="Something else"))
        self.assertEqual(message.res_id, self.question.res_id)

    def test_unknown_ids_are_left_alone(self):
        self.assertFalse(self.take_in(self.answer(Subject="Something else")))

    def test_a_delivery_report_names_it_too(self):
        self.ledger._note_given_id(GIVEN)
        lines = [
            "--b",
            "Content-Type: message/delivery-status",
            "",
            "Reporting-MTA: dns; mx.customer.example",
            "",
            "Final-Recipient: rfc822; clara@customer.example",
            "Action: failed",
            "Status: 5.1.1",
            "--b",
            "Content-Type: text/rfc822-headers",
            "",
            f"Message-ID: {GIVEN}",
            "--b--",
            "",
        ]
        self.take_in(
            self.mail(
                "MAILER-DAEMON@customer.example",
                Content_Type="multipart/report; report-type=delivery-status; "
                "boundary=b",
                In_Reply_To="",
                body="\r\n".join(lines),
            )
        )
        self.assertEqual(self.ledger.state, "bounced")

    def test_rules_of_an_account(self):
        account = self.own.account_id
        facts = {name: "kept" for name in service_habits.PARTS}
        facts.update(seen=1, message_id="changed", rule=1, word=2, domain="x.example")
        account.service_habits = service_habits.kept(facts)
        given = service_habits.given_id(account.service_habits, "250 Ok 01a2b3c4d5-1")
        self.assertEqual(given, "<01a2b3c4d5-1@x.example>")
        self.assertFalse(service_habits.hides_ids(account.service_habits))

    def test_only_for_the_account_that_it_was_given_to(self):
        """Who runs a mail server says what they like of their own mail."""
        other = self.address(
            "bohdan@own.example",
            self.bohdan,
            receive_replies=True,
            incoming_protocol="imap",
        )
        self.ledger._note_given_id(GIVEN)
        names, ids = [GIVEN], ()
        account = other.account_id
        self.assertFalse(sent_messages(self.env, names, ids, account)[0])
        self.assertFalse(sent_messages(self.env, names, ids)[0])
        account = self.own.account_id
        found = sent_messages(self.env, names, ids, account)[0]
        self.assertEqual(found, {GIVEN: self.question.id})

    def test_nobody_takes_an_id_that_is_another_mails(self):
        stolen = self.post(self.bohdan).message_id
        self.ledger._note_given_id(stolen)
        account = self.own.account_id
        found = sent_messages(self.env, [stolen], (), account)[0]
        self.assertNotEqual(found.get(stolen), self.question.id)

    # The copy in the folder of sent mail

    def sent_copy(self, **headers):
        fields = {
            "From": "Anna <anna@own.example>",
            "To": "clara@customer.example",
            "Subject": "Market analysis",
            "Message-ID": GIVEN,
            **headers,
        }
        return "\r\n".join(f"{n}: {v}" for n, v in fields.items() if v).encode()

    def see_copy(self, **headers):
        header = parse_headers(self.sent_copy(**headers))
        account = self.own.account_id
        [decision], facts = decide_batch(account, [header])
        Intake(account).note_given_id(decision, header, facts)
        return decision

    def test_by_the_copy_that_the_service_made(self):
        for name in ("X-Odoo-Message-Id", "X-Microsoft-Original-Message-ID"):
            with self.subTest(name):
                self.ledger.given_message_id = False
                self.see_copy(**{name: self.question.message_id})
                self.assertEqual(self.ledger.given_message_id, GIVEN)
        [message] = self.take_in(self.answer(Subject="Something else"))
        self.assertEqual(message.res_id, self.question.res_id)

    def test_a_copy_without_any_of_our_ids_is_known_by_its_mark(self):
        mark = self.mark()
        decision = self.see_copy(References=f"<other@x> {mark}")
        self.assertEqual(decision.reason.value, "sent_by_odoo")
        self.assertEqual(self.ledger.given_message_id, GIVEN)

    def test_what_the_owner_answers_is_no_copy(self):
        decision = self.see_copy(
            References=f"{self.mark()} <a@customer.example>",
            **{"In-Reply-To": "<a@customer.example>"},
        )
        self.assertEqual(decision.reason.value, "own_answer")
        decision = self.see_copy(References=self.mark(), **{"In-Reply-To": self.mark()})
        self.assertEqual(decision.reason.value, "own_answer")
        self.assertFalse(self.ledger.given_message_id)

    def mark(self):
        token = vault.signers(self.env)[0].token(self.question.id, self.own.id)
        return reference(token, "own.example")

    # Where nothing else is left

    def test_by_sender_and_subject_where_the_service_hides_its_ids(self):
        answer = self.answer()
        self.assertFalse(self.take_in(answer))
        self.hide_ids()
        [message] = self.take_in(answer)
        self.assertEqual(message.res_id, self.question.res_id)

    def hide_ids(self):
        facts = dict.fromkeys(service_habits.PARTS, "dropped")
        facts.update(seen=1, message_id="changed", rule=0)
        self.own.account_id.service_habits = service_habits.kept(facts)

    def test_not_by_a_subject_of_two_conversations(self):
        self.hide_ids()
        other = self.post(self.anna, task=self.other_task())
        self.ledger.copy(
            {
                "mail_message_id": other.id,
                "message_id_header": other.message_id,
                "state": "sent",
                "date": self.ledger.date,
            }
        )
        self.assertFalse(self.take_in(self.answer()))

    def test_not_what_answers_nothing_or_comes_from_others(self):
        self.hide_ids()
        nothing = {"In-Reply-To": "", "References": ""}
        self.assertFalse(self.take_in(self.answer(**nothing)))
        stranger = {"sender": "Eve <eve@customer.example>"}
        self.assertFalse(self.take_in(self.mail(**stranger, In_Reply_To=GIVEN)))

    def other_task(self):
        return self.env["project.task"].create(
            {"name": "Another", "project_id": self.project_a.id}
        )
