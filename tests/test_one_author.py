"""Who is shown, and acts, as the author of what came out of a mailbox."""

import base64

from odoo.addons.mail.tools.discuss import Store

from ..mailkit.message.headers import parse_headers
from ..tools.incoming.facts import decide_batch
from ..tools.incoming.intake import Intake
from .common import IntakeCase

CLARA = "clara@customer.example"
BOHDAN = "bohdan@corp.example"
# Clara wrote these; the colleague stands only where a name does.
DISPLAYED = [
    f"{BOHDAN} <{CLARA}>",
    f'"{BOHDAN}" <{CLARA}>',
    f'"Bohdan M ({BOHDAN})" <{CLARA}>',
    f'"Bohdan <{BOHDAN}>" <{CLARA}>',
    f"=?utf-8?q?bohdan=40corp.example?= <{CLARA}>",
    f"=?utf-8?b?Ym9oZGFuQGNvcnAuZXhhbXBsZSwg?= <{CLARA}>",
    f"=?utf-8?q?=3D=3Futf-8=3Fq=3Fbohdan=3D40corp=2Eexample=3F=3D?= <{CLARA}>",
    f"{CLARA} ({BOHDAN})",
    f"({BOHDAN}) {CLARA}",
    f"{BOHDAN}: {CLARA};",
    f"<@corp.example,@bohdan.example:{CLARA}>",
    f"bohdan\uff20corp.example <{CLARA}>",
    f"Bohdan\u202e M <{CLARA}>",
    f"{CLARA}\r\nSender: {BOHDAN}\r\nReply-To: {BOHDAN}",
    f"{CLARA}\r\nFrom: Clara <{CLARA.upper()}>",
]
# These name more than one mailbox, or one only where a name stands.
UNCLEAR = [
    f"{BOHDAN}, {CLARA}",
    f"{CLARA}, {BOHDAN}",
    f"Bohdan <{BOHDAN}>, Clara <{CLARA}>",
    f"{CLARA}\r\nFrom: {BOHDAN}",
    f"{BOHDAN}\r\nFrom: {CLARA}",
    f"Team: {CLARA}, {BOHDAN};",
    f"Team: {CLARA};, {BOHDAN}",
    f"<{CLARA}> <{BOHDAN}>",
    f"<{BOHDAN}> <{CLARA}>",
    f"{CLARA} {BOHDAN}",
    f"{CLARA}\0{BOHDAN}",
    f"{CLARA};{BOHDAN}",
    f"<{CLARA},{BOHDAN}>",
    f"(a (b {BOHDAN}) c {BOHDAN}) {CLARA}",
    f'"{BOHDAN}"',
    f'"{BOHDAN}" <>',
    f"{BOHDAN} <clara>",
    "=?utf-8?q?bohdan=40corp.example?=",
    f"{CLARA} <{BOHDAN}",
    f"anna@own.example, {CLARA}",
    f"{CLARA}, anna@own.example",
    '"anna@own.example"',
]


class TestOneAuthor(IntakeCase):
    def answers(self, forms, **headers):
        for number, form in enumerate(forms):
            raw = self.mail(form, Message_ID=f"<{number}@customer.example>", **headers)
            with self.subTest(form):
                [message] = self.take_in(raw)
                yield message

    def shown(self, message):
        """All texts of a message that the chatter gets."""
        self.env.flush_all()
        data = Store().add(message.with_user(self.bohdan)).get_result()
        [told] = [m for m in data["mail.message"] if m["id"] == message.id]
        return f"{told['email_from']} {told.get('subject')}"

    def test_a_name_that_looks_like_a_colleague_is_the_customers(self):
        for message in self.answers(DISPLAYED):
            self.assertEqual(message.author_id, self.customer)
            self.assertFalse(message.external_mark)
            self.assertEqual(message.email_from, f'"Clara" <{CLARA}>')
            # The colleague whom it looked like is told of it, as of every answer.
            self.assertIn(self.bohdan.partner_id, message.notified_partner_ids)

    def test_a_stranger_does_not_look_like_a_colleague_either(self):
        for form in [f.replace(CLARA, "max@stranger.example") for f in DISPLAYED[:12]]:
            raw = self.mail(form, Message_ID=f"<{hash(form)}@x.example>")
            with self.subTest(form):
                [message] = self.take_in(raw)
                self.assertEqual(message.external_mark, "stranger")
                self.assertFalse(message.author_id)
                self.assertIn("max@stranger.example", message.email_from)
                self.assertNotIn("bohdan", self.shown(message).lower())

    def test_who_named_several_is_nobody(self):
        for message in self.answers(UNCLEAR):
            self.assertEqual(message.external_mark, "stranger")
            self.assertFalse(message.author_id)
            for name in ("bohdan", "clara", "anna"):
                self.assertNotIn(name, self.shown(message).lower())
            told = self.bohdan.partner_id | self.anna.partner_id
            self.assertEqual(message.notified_partner_ids, told)

    def test_automatic_replies_have_one_author_too(self):
        for message in self.answers(DISPLAYED, Auto_Submitted="auto-replied"):
            self.assertEqual(message.author_id, self.customer)
        headers = {"Auto_Submitted": "auto-replied", "X_No": "1"}
        for number, form in enumerate(UNCLEAR):
            raw = self.mail(form, Message_ID=f"<auto{number}@c.example>", **headers)
            with self.subTest(form):
                self.assertFalse(self.take_in(raw).author_id)

    def test_what_it_sets_off_is_not_done_as_the_colleague(self):
        def noting(thread, *args, **kwargs):
            seen.append(thread.env.uid)
            return original(thread, *args, **kwargs)

        seen, original = [], type(self.task).message_update
        self.patch(type(self.task), "message_update", noting)
        for _message in self.answers(DISPLAYED + UNCLEAR):
            pass
        self.assertNotIn(self.bohdan.id, seen)

    def test_new_mail_has_the_partner_who_wrote_it(self):
        support = self.address(
            "support@own.example",
            receive_replies=True,
            new_mail="task",
            new_mail_project_id=self.project_b.id,
        )
        tasks = self.env["project.task"]
        for number, form in enumerate(DISPLAYED + UNCLEAR):
            headers = {
                "Message_ID": f"<new{number}@c.example>",
                "In_Reply_To": "",
                "Subject": f"New {number}",
                "To": "support@own.example",
            }
            self.take_in(self.mail(form, **headers), support)
            task = tasks.search([("name", "=", f"New {number}")])
            with self.subTest(form):
                self.assertEqual(len(task), 1)
                expected = self.customer if form in DISPLAYED else tasks.partner_id
                self.assertEqual(task.partner_id, expected)
                mail = task.message_ids.filtered(lambda m: m.message_type == "email")
                self.assertEqual(mail.author_id, expected)
                self.assertNotIn("bohdan", self.shown(mail).lower())
                self.assertNotIn(self.bohdan.partner_id, task.message_partner_ids)

    def test_the_ledger_and_the_loop_guard_know_the_author(self):
        list(self.answers(DISPLAYED))
        arrivals = self.env["mail.external.arrival"].search([])
        self.assertEqual(set(arrivals.mapped("sender")), {CLARA})

    def test_a_retry_out_of_the_quarantine_has_the_same_author(self):
        arrivals = self.env["mail.external.arrival"]
        for number, form in enumerate([*DISPLAYED[:6], *UNCLEAR[:6]]):
            raw = self.mail(form, Message_ID=f"<q{number}@customer.example>")
            headers = parse_headers(raw)
            arrival = Intake(self.own.account_id)._enter(
                headers, raw, "answer", "INBOX 1", self.own
            )
            source = base64.b64encode(raw)
            arrival.write({"state": "quarantine", "raw": source})
            arrivals |= arrival
        arrivals.with_user(self.anna).action_retry()
        self.assertEqual(set(arrivals.mapped("state")), {"done"})
        authors = [arrival.mail_message_id.author_id for arrival in arrivals]
        nobody = self.env["res.partner"]
        self.assertEqual(authors, [self.customer] * 6 + [nobody] * 6)

    def test_a_forwarded_mail_has_the_same_author(self):
        token = "abcdefghijklmnopqrstuvwx23"
        self.own.account_id.write(
            {"incoming_protocol": "forwarded", "forward_token": token}
        )
        extra = f"Delivered-To: reply-{token}@corp.example\r\n".encode()
        for form in (DISPLAYED[0], DISPLAYED[4], UNCLEAR[0], UNCLEAR[3]):
            raw = self.mail(form, Message_ID=f"<{hash(form)}@c.example>")
            known = self.task.message_ids
            self.env["mail.thread"].message_process(None, extra + raw)
            self.task.invalidate_recordset(["message_ids"])
            [message] = self.task.message_ids - known
            with self.subTest(form):
                clara = form in DISPLAYED
                self.assertEqual(message.author_id == self.customer, clara)
                self.assertNotEqual(message.author_id, self.bohdan.partner_id)

    def test_a_server_that_shows_two_headers_gains_nothing(self):
        """What was decided for the header alone holds for that author only."""
        headers = parse_headers(self.mail())
        account = self.own.account_id
        [decision], facts = decide_batch(account, [headers])
        self.assertTrue(decision.from_addressee)
        stranger = self.mail("Max <max@stranger.example>")
        Intake(account).take_in(stranger, decision, facts)
        message = self.task.message_ids.filtered(lambda m: m.message_type == "email")
        self.assertEqual(message.external_mark, "stranger")

    def test_a_mailbox_server_proves_no_colleagues_authorship(self):
        """Its owner writes the results of every check."""
        server = "mx.corp.example"
        self.env["ir.config_parameter"].set_param(
            "mail_external_account.trusted_authserv", server
        )
        self.address("bohdan@own.example", self.bohdan)
        self.task.message_subscribe(self.second.ids)
        results = f"{server}; dmarc=pass header.from=corp.example"
        raw = self.mail(f"Bohdan <{BOHDAN}>", Authentication_Results=results)
        message = self.take_in(raw)
        self.assertFalse(message.external_address_id)
        self.assertFalse(self.external_mails(message))

    def test_an_own_copy_shows_the_owners_name(self):
        raw = self.mail('"The Boss" <anna@own.example>', To=CLARA)
        message = self.take_in(raw, is_sent=True)
        self.assertEqual(message.author_id, self.anna.partner_id)
        self.assertNotIn("Boss", message.email_from)

    def test_who_has_no_address_is_told_to_the_team_all_the_same(self):
        message = self.take_in(self.mail("The Printer"))
        self.assertEqual(message.external_mark, "stranger")
        self.assertIn("The Printer", message.email_from)
        self.assertIn(self.bohdan.partner_id, message.notified_partner_ids)
