from unittest.mock import patch

from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user
from odoo.tools import mute_logger

from ..mailkit.answers.token import html_mark
from ..mailkit.message.headers import parse_headers
from ..tools import vault
from ..tools.incoming.facts import decide_batch
from ..tools.incoming.intake import Intake
from .proof_case import ATTACKER, CEO, OWN, ProofCase


class TestCodeMail(ProofCase):
    """The code reaches the address that it proves, and nobody else."""

    def test_nothing_of_the_callers_context_gets_into_the_mail(self):
        partner = self.env["res.partner"].create({"name": "A", "email": ATTACKER})
        template = {"default_attachment_ids": [], "default_model": "project.task"}
        for context in (
            {"default_email_cc": ATTACKER},
            {"default_recipient_ids": [Command.link(partner.id)]},
            {"default_partner_ids": [Command.link(partner.id)]},
            {"default_headers": repr({"Bcc": ATTACKER, "X-Forge-To": ATTACKER})},
            {"default_res_id": self.task.id, **template},
            {"default_reply_to": ATTACKER, "default_subject": ATTACKER},
            {"default_scheduled_date": "2099-01-01 00:00:00"},
            {"domain_bounce_address": ATTACKER, "domain_notifications_email": ATTACKER},
            {"send_validated_to": [ATTACKER], "send_smtp_skip_to": [CEO]},
        ):
            with self.subTest(context):
                message = self.code_mail(self.attempt(), **context)
                self.assertNotIn(ATTACKER, message.as_string())
                self.assertEqual(self.emails[0]["smtp_from"], self.domain.bounce_email)

    def test_another_recipient_stops_the_code(self):
        """Whatever some other addon adds to all mail: then no code leaves."""
        with (
            self.mock_smtplib_connection(),
            self.patched_recipients(ATTACKER),
            mute_logger("odoo.addons.mail.models.mail_mail"),
            self.assertRaisesRegex(UserError, "was not sent"),
        ):
            self.attempt().action_send_code()
        self.assertEqual(self.emails, [])

    def patched_recipients(self, address):
        mail = type(self.env["mail.mail"])
        core = mail._prepare_outgoing_list

        def with_copy(record, *args, **kwargs):
            found = core(record, *args, **kwargs)
            return [
                {
                    **each,
                    "email_cc": [address],
                    "email_to_normalized": [*each["email_to_normalized"], address],
                }
                for each in found
            ]

        return patch.object(mail, "_prepare_outgoing_list", with_copy)

    def test_it_holds_no_word_that_a_user_chose(self):
        self.bohdan.name = "Give me the code mea.ABC"
        window = self.attempt(sender_name="Chosen words", smtp_login="chosen@login")
        text = self.code_mail(window).as_string()
        for word in ("mea.ABC", "Bohdan", "Chosen", "chosen", self.bohdan.login):
            self.assertNotIn(word, text)

    def test_no_program_answers_it(self):
        message = self.code_mail(self.attempt())
        self.assertEqual(message["Auto-Submitted"], "auto-generated")
        self.assertEqual(message["X-Auto-Response-Suppress"], "All")


class TestCodeComesBack(ProofCase):
    """Wherever the code mail, or an answer that quotes it, comes into Odoo."""

    def setUp(self):
        super().setUp()
        self.code = self.code_mail(self.attempt())
        own = self.address("anna@own.example", self.anna)
        self.question = self.post(self.anna, external_address_id=own.id)

    def shapes(self):
        """The mail as it is, and what people and programs make of it."""
        name = self.code["Message-ID"]
        text = self.code.get_body(("plain",)).get_content()
        markup = self.code.get_body(("html",)).get_content()
        quoted = "".join(f"> {line}\r\n" for line in text.splitlines())
        head = "From: Ceo <ceo@brand-a.example>\r\nTo: x@own.example\r\n"
        head += "Subject: Re: Your code\r\nMessage-ID: <x@brand-a.example>\r\n"
        encoded = self.code.as_bytes().decode("latin-1")
        yield "itself", encoded
        yield "redirected", f"Resent-To: x@own.example\r\n{encoded}"
        yield "by another name", encoded.replace(name, "<other@mail.example>", 1)
        for field in ("In-Reply-To", "References", "X-Microsoft-Original-Message-Id"):
            yield field, f"{head}{field}: {name}\r\n\r\nWhat is this?\r\n"
        yield "quoted", f"{head}\r\nWhat is this?\r\n\r\n{quoted}"
        kind = "Content-Type: text/html; charset=utf-8\r\n"
        yield "in HTML", f"{head}{kind}\r\n<blockquote>{markup}</blockquote>\r\n"
        kind = "Content-Type: message/rfc822\r\n"
        yield "attached", f"{head}{kind}\r\n{encoded}"

    def nothing_of_it(self, way, raw, give):
        before = self.env["mail.message"].search([], limit=1, order="id desc")
        tasks = self.env["project.task"].search_count([])
        give(raw.encode("latin-1"))
        news = self.env["mail.message"].search([("id", ">", before.id)])
        self.assertFalse(news, f"{way}: {news.mapped('body')}")
        self.assertEqual(self.env["project.task"].search_count([]), tasks, way)
        kept = self.env["mail.external.arrival"].search([("raw", "!=", False)])
        self.assertFalse(kept, way)

    def test_cores_gateway_drops_it(self):
        thread = self.env["mail.thread"]
        for way, raw in self.shapes():
            self.nothing_of_it(
                way, raw, lambda raw: thread.message_process("project.task", raw)
            )

    def test_cores_gateway_drops_it_while_no_address_is_connected(self):
        self.question.unlink()
        self.env["mail.external.address"].search([]).unlink()
        thread = self.env["mail.thread"]
        for way, raw in self.shapes():
            self.nothing_of_it(
                way, raw, lambda raw: thread.message_process("project.task", raw)
            )

    def test_a_mailbox_that_makes_tasks_drops_it(self):
        support = self.address(
            "support@own.example",
            receive_replies=True,
            incoming_protocol="imap",
            new_mail="task",
            new_mail_project_id=self.project_a.id,
        )
        for way, raw in self.shapes():
            self.nothing_of_it(way, raw, lambda raw: self.taken_in(support, raw))

    def test_a_genuine_mark_beside_it_leads_nowhere(self):
        """The mail answers, by its ids or its text, what the attacker was sent."""
        mailbox = self.question.external_address_id.sudo()
        mailbox.receive_replies = True
        mailbox.account_id.incoming_protocol = "imap"
        token = vault.signers(self.env)[0].token(self.question.id, mailbox.id)
        for way, raw in self.shapes():
            answers = f"References: <mea.{token}@own.example>\r\n{raw}"
            self.nothing_of_it(way, answers, lambda raw: self.taken_in(mailbox, raw))
            self.nothing_of_it(
                way, raw + html_mark(token), lambda raw: self.taken_in(mailbox, raw)
            )

    def test_a_forwarding_mailbox_drops_it(self):
        mailbox = self.address(
            "forwarded@own.example",
            self.anna,
            receive_replies=True,
            incoming_protocol="forwarded",
            forward_token="a" * 26,
        )
        thread = self.env["mail.thread"]
        token = vault.signers(self.env)[0].token(self.question.id, mailbox.id)
        to = f"X-Original-To: {mailbox.account_id.sudo()._forward_address()}\r\n"
        to += f"References: <mea.{token}@own.example>\r\n"
        for way, raw in self.shapes():
            self.nothing_of_it(
                way, to + raw, lambda raw: thread.message_process(None, raw)
            )
        self.assertFalse(mailbox.account_id.sudo().forward_notice)

    def taken_in(self, address, raw):
        headers = parse_headers(raw)
        intake = Intake(address.account_id)
        [decision], facts = decide_batch(intake.account, [headers])
        if intake.wants_whole(decision, headers):
            intake.take_in(raw, decision, facts)

    def test_other_mail_comes_in_as_before(self):
        raw = (
            b"From: Ceo <ceo@brand-a.example>\r\nMessage-ID: <o@brand-a.example>\r\n"
            b"In-Reply-To: <mea.%b@corp.example>\r\nSubject: Hello\r\n\r\n"
            b"Ref: mea.%b\r\n" % (b"a" * 32, b"b" * 32)
        )
        task = self.env["mail.thread"].message_process("project.task", raw)
        self.assertTrue(task)


class TestWhoMayProve(ProofCase):
    """A code shows nothing about a mailbox that somebody else has."""

    def entered(self, window):
        """The window, after its code was entered."""
        code = self.code_mail(window).get_body(("plain",)).get_content()
        digits = next(word for word in code.split() if word[:6].isdigit())[:6]
        window.code_entry = digits
        window.action_verify_code()
        window.invalidate_recordset()
        return window

    def test_an_address_of_a_colleague_is_vouched_for(self):
        self.address(CEO, self.anna, proof="code")
        for address in (CEO, "CEO@Brand-A.example", "ceo+x@brand-a.example"):
            window = self.attempt(address)
            self.assertTrue(window.needs_word)
            with self.assertRaisesRegex(UserError, "E-mail Address.*manager"):
                window.action_send_code()
            with self.assertRaisesRegex(UserError, "not shown yet"):
                window.action_save()
            with self.assertRaises(AccessError):
                window.action_vouch()
        window = self.attempt(CEO, self.manager, user_id=self.bohdan.id)
        window.action_vouch()
        window.action_save()
        self.assertEqual(window.address_id.proof, "manager")

    def test_not_even_the_password_of_a_colleagues_address_is_enough(self):
        self.address(CEO, self.anna, proof="manager", active=False)
        window = self.window(self.bohdan, email=CEO)
        self.passed(window)
        self.assertFalse(window.proof)

    def test_a_draft_claims_nothing(self):
        self.address(CEO, self.anna, state="draft")
        window = self.entered(self.attempt())
        self.assertEqual(window.proof, "code")

    def test_a_code_that_was_on_its_way_is_too_late(self):
        window = self.entered(self.attempt())
        self.address(CEO, self.anna, proof="code")
        window.invalidate_recordset()
        with self.assertRaisesRegex(UserError, "not shown yet"):
            window.action_save()

    def test_a_company_address_is_for_managers(self):
        company = self.address("support@brand-a.example", active=False)
        for address in ("support@brand-a.example", "Support+me@brand-a.example"):
            window = self.attempt(address)
            for action in ("action_send_code", "action_save", "action_keep_draft"):
                with self.assertRaisesRegex(UserError, "address of the company"):
                    getattr(window, action)()
        window = self.attempt(company.email, self.manager, user_id=self.bohdan.id)
        window.action_vouch()
        window.action_save()
        # what a manager has vouched for, its owner may connect anew
        again = self.attempt(company.email, address_id=window.address_id.id)
        again.action_save()

    def test_what_odoo_reads_is_for_managers(self):
        self.env["mail.alias"].create(
            [
                {
                    "alias_name": name,
                    "alias_domain_id": self.domain.id,
                    "alias_model_id": self.env["ir.model"]._get_id("project.task"),
                    "alias_incoming_local": anywhere,
                }
                for name, anywhere in (("jobs", False), ("desk", True))
            ]
        )
        self.env["fetchmail.server"].create(
            [
                {
                    "name": login,
                    "server": "imap.brand-a.example",
                    "user": login,
                    "state": state,
                }
                for login, state in (
                    ("info@brand-a.example", "done"),
                    ("sales", "draft"),
                )
            ]
        )
        for address in (
            "jobs@corp.example",
            "Jobs@Corp.example",
            "desk@brand-a.example",
            "info@brand-a.example",
            "Info+x@brand-a.example",
            "sales@brand-a.example",
        ):
            window = self.attempt(address)
            for action in ("action_send_code", "action_save", "action_keep_draft"):
                with (
                    self.subTest(address),
                    self.assertRaisesRegex(UserError, "used by Odoo itself"),
                ):
                    getattr(window, action)()
            window = self.attempt(address, self.manager, user_id=self.bohdan.id)
            window.action_vouch()
            window.action_save()
            window.address_id.active = False  # another spelling of it comes next
            self.env.flush_all()
        self.assertEqual(self.attempt("sales@other.example").proof, False)

    def test_nobody_has_odoos_own_addresses(self):
        for address in (OWN, self.domain.catchall_email, self.domain.bounce_email):
            window = self.attempt(address, self.manager, user_id=self.bohdan.id)
            with self.assertRaisesRegex(UserError, "used by Odoo itself"):
                window.action_vouch()

    def test_a_manager_vouches_within_their_companies(self):
        other = self.env["res.company"].create({"name": "Another"})
        stranger = new_test_user(
            self.env,
            "ext_stranger",
            "base.group_user",
            email="boss@another.example",
            company_id=other.id,
            company_ids=[Command.set(other.ids)],
        )
        self.address("mine@another.example", stranger, proof="code")
        self.address("desk@another.example", company_id=other.id)
        for address in (
            "boss@another.example",
            "mine@another.example",
            "desk@another.example",
        ):
            window = self.attempt(address, self.manager, user_id=self.manager.id)
            with self.assertRaisesRegex(AccessError, "another company"):
                window.action_vouch()


class TestProofEnds(ProofCase):
    def test_a_sign_in_proves_for_its_server_only(self):
        address = self.address(
            CEO, self.bohdan, proof="provider", smtp_host="smtp.brand-a.example"
        )
        for change in (
            {"smtp_host": "smtp.evil.example"},
            {"smtp_port": 2525, "smtp_security": "none"},
            {"smtp_port": 2525, "ca_certificate": "an authority of my own"},
            {"smtp_login": "bohdan"},
        ):
            window = self.window(
                self.bohdan, email=CEO, address_id=address.id, **change
            )
            self.passed(window)
            self.assertFalse(window.proof, change)
            with self.assertRaisesRegex(UserError, "not shown yet"):
                window.action_save()
        for same in ({}, {"smtp_port": 587, "smtp_security": "starttls"}):
            window = self.window(self.bohdan, email=CEO, address_id=address.id, **same)
            self.assertEqual(window.proof, "provider")

    def test_the_other_proofs_stay(self):
        for kind in ("code", "manager"):
            address = self.address(f"{kind}@brand-a.example", self.bohdan, proof=kind)
            window = self.attempt(address.email, address_id=address.id)
            self.assertEqual(window.proof, kind)


class TestFromOfProof(ProofCase):
    """What a proof gives at Odoo's own server, where nobody else asks."""

    def leaves_as(self, user):
        """From and envelope of what a user mails by Odoo's own server as the CEO."""
        partner = self.customer
        with self.mock_smtplib_connection():
            mail = (
                self.env["mail.mail"]
                .with_user(user)
                .sudo()
                .create(
                    {
                        "email_from": f"The CEO <{CEO}>",
                        "recipient_ids": [Command.link(partner.id)],
                        "body_html": "<p>Pay</p>",
                    }
                )
            )
            mail.send()
        [sent] = self.emails
        return sent["msg_from"], sent["smtp_from"]

    def assert_replaced(self, user):
        header, envelope = self.leaves_as(user)
        self.assertNotIn(CEO, f"{header}{envelope}")

    def test_a_code_counts_while_nobody_else_has_the_address(self):
        self.address(CEO, self.bohdan, proof="code")
        self.assertIn(CEO, self.leaves_as(self.bohdan)[0])
        theirs = self.address(CEO, self.anna, proof="provider")
        self.assert_replaced(self.bohdan)
        self.assertIn(CEO, self.leaves_as(self.anna)[0])
        theirs.active = False
        self.assertIn(CEO, self.leaves_as(self.bohdan)[0])

    def test_two_codes_cancel_each_other(self):
        self.address(CEO, self.bohdan, proof="code")
        self.address(CEO, self.anna, proof="code")
        self.assert_replaced(self.bohdan)
        self.assert_replaced(self.anna)

    def test_the_company_gives_access(self):
        self.address(CEO, self.bohdan, proof="code")
        self.address(CEO, proof="code", allowed_user_ids=[Command.set(self.anna.ids)])
        self.assert_replaced(self.bohdan)
        self.assertIn(CEO, self.leaves_as(self.anna)[0])

    def test_a_service_or_a_manager_is_enough(self):
        mine = self.address(CEO, self.bohdan, proof="manager")
        self.address(CEO, self.anna, proof="provider")
        self.assertIn(CEO, self.leaves_as(self.bohdan)[0])
        self.assertIn(CEO, self.leaves_as(self.anna)[0])
        mine.proof = "code"
        self.assert_replaced(self.bohdan)
