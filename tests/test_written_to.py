"""Which address of an account a customer wrote to, and what follows from it."""

import base64
from unittest.mock import patch

from odoo import fields
from odoo.tools import mute_logger

from ..mailkit.answers.matching import Match
from ..mailkit.errors import ErrorCode, MailError
from ..mailkit.message.headers import parse_headers
from ..tools import cron
from ..tools.incoming.facts import addressed, decide_batch
from ..tools.incoming.intake import Intake
from ..tools.outgoing import account as delivery
from ..tools.outgoing.account import AccountDelivery
from ..tools.outgoing.session import Opened
from .written_to_case import NOBODY, WrittenToCase

LOGGER = "odoo.addons.mail_external_account"
TOKEN = "abcdefghijklmnopqrstuvwx23"


class TestWrittenTo(WrittenToCase):
    def assert_addressed(self, expected, message=None, **headers):
        found = parse_headers(self.mail(**headers))
        self.assertEqual(addressed(self.account, found, message), expected, headers)

    def test_to_then_cc_then_what_servers_add(self):
        sales, support = self.sales.email, self.support.email
        for expected, headers in (
            (self.sales, {"To": sales, "Cc": support}),
            (self.support, {"To": f"{support}, {sales}"}),
            (self.sales, {"To": "x@y.example", "Cc": sales, "Delivered_To": support}),
            (self.support, {"To": "x@y.example", "Delivered_To": support}),
            # Nobody wrote to the account: it is its own address that was reached.
            (self.info, {"To": "x@y.example"}),
            (self.info, {"To": "", "Delivered_To": "x@y.example"}),
        ):
            self.assert_addressed(expected, **headers)

    def test_each_field_for_the_recipient_of_the_envelope(self):
        for name in (
            *("X_Original_To", "Envelope_To", "X_Envelope_To", "X_Rcpt_To"),
            *("X_Apparently_To", "Apparently_To", "Delivered_To", "X_Delivered_To"),
        ):
            for form in ("sales@shop.example", "<SALES@shop.example>"):
                self.assert_addressed(self.sales, To=NOBODY, **{name: form})
        # The alias is told before the mailbox that it leads to.
        both = {"Delivered_To": self.info.email, "X_Original_To": self.sales.email}
        self.assert_addressed(self.sales, To=NOBODY, **both)

    def test_one_address_written_in_several_ways(self):
        for form in (
            "SALES@Shop.EXAMPLE",
            "sales+quote7@shop.example",
            "Sales team: Sales <sales@shop.example>;",
            '"Sales" <sales@shop.example.>',
            "=?utf-8?q?support=40shop=2Eexample?= <sales@shop.example>",
        ):
            self.assert_addressed(self.sales, To=form)
        for form in (
            '"sales@shop.example" <x@y.example>',
            "sales@shop.example <x@y.example>",
            "x@y.example (sales@shop.example)",
            "=?utf-8?q?sales=40shop=2Eexample?= <x@y.example>",
            "sales@shop.example.org",
            "presales@shop.example",
        ):
            self.assert_addressed(self.info, To=form)

    def test_domains_of_any_script(self):
        reads = {"receive_replies": True, "account_id": self.account.id}
        address = self.address("sales@крамниця.example", **reads)
        domain = "крамниця".encode("idna").decode()
        for form in (f"sales@{domain}.example", f"Sales+1@{domain.upper()}.EXAMPLE"):
            self.assert_addressed(address, To=form)
        header = self.mail(To="=").replace(
            b"To: =", "To: sales@крамниця.example".encode()
        )
        found = parse_headers(header)
        self.assertEqual(addressed(self.account, found), address)

    def test_an_exact_address_goes_before_a_subaddress(self):
        reads = {"receive_replies": True, "account_id": self.account.id}
        exact = self.address("sales+b2b@shop.example", **reads)
        self.assert_addressed(exact, To="sales+b2b@shop.example")
        self.assert_addressed(self.sales, To="sales+other@shop.example")

    def test_else_what_the_answered_mail_left_from(self):
        asked = self.post(self.anna, external_address_id=self.support.id)
        self.assert_addressed(self.support, asked, To=NOBODY)
        self.assert_addressed(self.sales, asked, To=self.sales.email)
        self.move(self.support)
        self.assert_addressed(self.support, asked, To=NOBODY)
        # Of another account's address this one knows nothing.
        self.assert_addressed(self.info, self.question, To=NOBODY)

    def test_archived_and_moved_addresses_stay_ours(self):
        self.sales.active = False
        self.move(self.support)
        for address in (self.sales, self.support):
            self.assert_addressed(address, To=address.email)
        # In the mailbox that it moved to, too.
        found = parse_headers(self.mail(To=self.support.email))
        self.assertEqual(addressed(self.new.account_id, found), self.support)
        # One that is in use goes before a former one of the same e-mail.
        self.env.flush_all()
        again = self.address(
            self.sales.email, receive_replies=True, account_id=self.account.id
        )
        self.assert_addressed(again, To=again.email)
        self.move(again)
        self.assert_addressed(again, To=again.email)

    def test_the_ledger_knows_it(self):
        for number, (address, headers) in enumerate(
            (
                (self.sales, {"To": self.sales.email}),
                (self.support, {"To": NOBODY, "X_Original_To": self.support.email}),
                (self.info, {"To": NOBODY}),
            )
        ):
            raw = self.mail(Message_ID=f"<{number}@x.example>", **headers)
            message = self.take_in(raw, self.info)
            arrival = self.arrival()
            self.assertEqual(arrival.mail_message_id, message)
            self.assertEqual(arrival.address_id, address)
            self.assertEqual(arrival.account_id, self.account)

    def test_it_belongs_to_the_company_of_that_address(self):
        other = self.env["res.company"].create({"name": "Other"})
        reads = {"receive_replies": True, "account_id": self.account.id}
        brand = self.address("hello@brand.example", company_id=other.id, **reads)
        self.take_in(self.mail(To=brand.email), self.info)
        self.assertRecordValues(
            self.arrival(), [{"address_id": brand.id, "company_id": other.id}]
        )

    # The policy "the address that the customer wrote to"

    def test_it_is_what_the_reply_leaves_from(self):
        self.company.external_sender_policy = "customer"
        self.own.active = False
        self.info.is_default = True
        for number, (address, headers) in enumerate(
            (
                (self.sales, {"To": self.sales.email, "Cc": self.support.email}),
                (self.support, {"To": f"{self.support.email}, {self.sales.email}"}),
                (self.sales, {"To": "Sales+x@shop.example", "Cc": self.support.email}),
                # The mailbox that the alias leads to
                (self.sales, {"To": self.sales.email, "Delivered_To": self.info.email}),
                # By Bcc, or to a mailbox that redirects here
                (self.support, {"To": NOBODY, "Delivered_To": self.support.email}),
                (self.sales, {"To": "x@y.example", "Envelope_To": self.sales.email}),
            )
        ):
            raw = self.mail(Message_ID=f"<{number}@x.example>", **headers)
            with self.subTest(**headers):
                self.assertTrue(self.take_in(raw, self.info))
                for user in (self.anna, self.bohdan):
                    reply = self.post(user)
                    self.assertEqual(reply.external_address_id, address)
        self.take_in(
            self.mail(To=self.boss.email, Message_ID="<b@x.example>"), self.info
        )
        self.assertEqual(self.post(self.manager).external_address_id, self.boss)
        # Who may not use it gets what they would get anyway.
        self.assertEqual(self.post(self.anna).external_address_id, self.info)

    # New mail

    def new_mail(self, number=0, **headers):
        raw = self.mail(
            "New <new@customer.example>",
            In_Reply_To="",
            Subject=f"New {number}",
            Message_ID=f"<new{number}@customer.example>",
            **headers,
        )
        self.take_in(raw, self.info)
        return self.env["project.task"].search([("name", "=", f"New {number}")])

    def test_new_mail_makes_tasks_by_address(self):
        for address, project in (
            (self.sales, self.project_a),
            (self.support, self.project_b),
        ):
            address.write({"new_mail": "task", "new_mail_project_id": project.id})
        nothing = self.env["project.project"]
        for number, (project, headers) in enumerate(
            (
                (self.project_a, {"To": self.sales.email}),
                (self.project_b, {"To": self.support.email}),
                (self.project_b, {"To": NOBODY, "X_Original_To": self.support.email}),
                (self.project_b, {"To": self.info.email, "Cc": self.support.email}),
                # To the account's own address, which leaves mail alone, or to none
                (nothing, {"To": self.info.email}),
                (nothing, {"To": "x@y.example"}),
                (nothing, {"To": NOBODY}),
                (nothing, {"To": '"sales@shop.example" <x@y.example>'}),
            )
        ):
            with self.subTest(**headers):
                task = self.new_mail(number, **headers)
                self.assertEqual(task.project_id, project)
                if task:
                    named = (headers["To"] + headers.get("Cc", "")).lower()
                    address = self.arrival().address_id
                    self.assertEqual(address.new_mail_project_id, project, named)

    def test_what_names_none_counts_for_the_accounts_own_address(self):
        values = {"new_mail": "task", "new_mail_project_id": self.project_b.id}
        self.boss.write(values)
        self.assertFalse(self.new_mail(1, To=NOBODY), "never for a restricted one")
        self.assertFalse(self.new_mail(2, To=self.sales.email))
        self.assertEqual(
            self.new_mail(3, To=self.boss.email).project_id, self.project_b
        )
        self.info.write({**values, "new_mail_project_id": self.project_a.id})
        self.assertEqual(self.new_mail(4, To=NOBODY).project_id, self.project_a)
        self.assertEqual(self.arrival().address_id, self.info)
        self.assertFalse(self.new_mail(5, To=self.sales.email), "it leaves mail alone")

    def test_an_address_that_moved_makes_tasks_out_of_its_old_mailbox(self):
        self.sales.write({"new_mail": "task", "new_mail_project_id": self.project_b.id})
        self.move(self.sales)
        self.assertEqual(
            self.new_mail(1, To=self.sales.email).project_id, self.project_b
        )
        self.sales.active = False
        self.assertFalse(self.new_mail(2, To=self.sales.email))

    # What is ours, also former addresses

    def test_what_former_addresses_wrote_is_the_owners_own(self):
        self.sales.active = False
        self.move(self.support)
        for account in (self.account, self.new.account_id):
            for address in (self.support, *(self.sales & account._all_addresses())):
                headers = parse_headers(self.mail(f"X <{address.email.upper()}>"))
                [decision], _facts = decide_batch(account, [headers])
                self.assertIs(decision.match, Match.OWN_COPY, address.email)
        raw = self.mail(f"S <{self.support.email}>", To=self.customer.email)
        self.assertEqual(
            self.take_in(raw, self.info, is_sent=True).external_mark, "own_copy"
        )

    def test_a_loop_of_our_own_addresses_tells_no_customer(self):
        """Two accounts of ours that answer each other."""
        self.sales.active = False
        self.move(self.support)
        for number, address in enumerate((self.sales, self.support)):
            raw = self.mail(
                f"X <{address.email}>", Message_ID=f"<{number}@shop.example>"
            )
            message = self.take_in(raw)  # into Anna's mailbox
            self.assertEqual(message.external_mark, "colleague")
            self.assertNotIn(self.customer, message.notified_partner_ids)

    def sent(self, address, recipient="clara@customer.example"):
        """A row of the ledger for a mail that left from ``address``."""
        return self.env["mail.external.delivery"].create(
            {
                "message_id_header": f"<{address.id}@odoo.example>",
                "recipient": recipient,
                "subject": "Market analysis",
                "address_id": address.id,
                "account_id": address.account_id.id,
                "mail_message_id": self.question.id,
                "state": "sent",
                "date": fields.Datetime.now(),
            }
        )

    def report(self, row):
        lines = [
            "--b",
            "Content-Type: message/delivery-status",
            "",
            "Reporting-MTA: dns; mx.shop.example",
            "",
            f"Final-Recipient: rfc822; {row.recipient}",
            "Action: failed",
            "Status: 5.1.1",
            "--b",
            "Content-Type: text/rfc822-headers",
            "",
            f"Message-ID: {row.message_id_header}",
            "--b--",
            "",
        ]
        return self.mail(
            "MAILER-DAEMON@shop.example",
            Content_Type="multipart/report; report-type=delivery-status; boundary=b",
            In_Reply_To="",
            Message_ID=f"<report{row.id}-{row.state}@shop.example>",
            body="\r\n".join(lines),
        )

    def test_a_delivery_report_counts_for_every_address_of_the_account(self):
        for address in (self.sales, self.support):
            row = self.sent(address)
            self.take_in(self.report(row))  # in Anna's mailbox
            self.assertEqual(row.state, "sent", "it did not leave there")
            self.take_in(self.report(row), self.info)
            self.assertEqual(row.state, "bounced")

    def test_also_after_the_address_moved(self):
        for mailbox in (self.info, self.new):
            row = self.sent(self.support)
            if self.support.account_id == self.account:
                self.move(self.support)
            self.take_in(self.report(row), mailbox)
            self.assertEqual(row.state, "bounced", mailbox.email)
            row.unlink()
        # What its former siblings sent is no business of the new mailbox.
        row = self.sent(self.sales)
        self.take_in(self.report(row), self.new)
        self.assertEqual(row.state, "sent")

    def test_correspondents_go_by_address(self):
        """An answer that names no message, from whom the address wrote to."""
        self.sent(self.support, "theo@customer.example")
        headers = parse_headers(
            self.mail(
                "theo@customer.example", In_Reply_To="", Subject="Re: Market analysis"
            )
        )

        def reason(account):
            [decision], _facts = decide_batch(account, [headers])
            return decision.match

        self.assertIs(reason(self.account), Match.BODY_NEEDED)
        self.assertIs(reason(self.new.account_id), Match.NONE)
        self.move(self.support)
        self.assertIs(reason(self.account), Match.BODY_NEEDED)
        self.assertIs(reason(self.new.account_id), Match.BODY_NEEDED)


class TestForwardedState(WrittenToCase):
    """Mail that a mailbox redirects to Odoo, whatever state its account is in."""

    def setUp(self):
        super().setUp()
        self.account.write({"incoming_protocol": "forwarded", "forward_token": TOKEN})
        self.startPatcher(patch.object(self.env.cr, "commit", self.env.flush_all))

    def forwarded(self, raw):
        extra = f"Delivered-To: reply-{TOKEN}@corp.example\r\n".encode()
        known = self.task.message_ids
        self.env["mail.thread"].message_process(None, extra + raw)
        self.task.invalidate_recordset(["message_ids"])
        return self.task.message_ids - known

    def private(self, number=0):
        return self.mail(In_Reply_To="", Message_ID=f"<p{number}@c.example>")

    def process(self):
        known = self.task.message_ids
        arrivals = self.env["mail.external.arrival"]
        arrivals._process_waiting(cron.RunTime(60.0))
        self.task.invalidate_recordset(["message_ids"])
        return self.task.message_ids - known

    def refuse(self):
        with mute_logger(LOGGER):
            self.account._stop("login_refused", "535 no")

    def assert_dropped(self, raw):
        """Neither posted, nor kept, nor told to core's routing, which would bounce."""
        mails = self.env["mail.mail"].search([])
        tasks = self.env["project.task"].search([])
        with patch.object(
            type(self.env["mail.thread"]), "message_route", side_effect=AssertionError
        ):
            self.assertFalse(self.forwarded(raw))
        self.assertEqual(self.env["mail.mail"].search([]), mails)
        self.assertEqual(self.env["project.task"].search([]), tasks)
        self.assertFalse(self.env["mail.external.arrival"].search([]))

    def test_while_it_is_refused_it_is_kept_and_processed_once(self):
        self.refuse()
        self.assertFalse(self.forwarded(self.mail(To=self.sales.email)))
        arrival = self.arrival()
        self.assertRecordValues(
            arrival,
            [
                {
                    "state": "waiting",
                    "kind": "answer",
                    "address_id": self.sales.id,
                    "mail_message_id": False,
                }
            ],
        )
        self.assertIn(b"An answer", base64.b64decode(arrival.raw))
        self.assertFalse(self.forwarded(self.mail(To=self.sales.email)), "once")
        self.assertFalse(self.process(), "the account does not work yet")
        self.account.state = "working"
        [message] = self.process()
        self.assertIn("An answer", message.body)
        self.assertEqual(message.author_id, self.customer)
        self.assertRecordValues(
            arrival,
            [{"state": "done", "raw": False, "mail_message_id": message.id}],
        )
        self.assertFalse(self.process(), "once")
        self.assertFalse(self.forwarded(self.mail(To=self.sales.email)), "once")

    def test_only_what_is_for_odoo_is_kept(self):
        self.refuse()
        self.assert_dropped(self.private())
        confirm = self.mail(
            "forwarding-noreply@google.com",
            In_Reply_To="",
            Subject="Gmail Forwarding Confirmation",
            body="Confirmation code: 123456",
        )
        self.assert_dropped(confirm)
        self.assertIn("123456", self.account.forward_confirmation)

    def test_new_mail_waits_too(self):
        self.sales.write({"new_mail": "task", "new_mail_project_id": self.project_b.id})
        self.refuse()
        raw = self.mail(
            "n@x.example", In_Reply_To="", Subject="New", To=self.sales.email
        )
        self.forwarded(raw)
        tasks = [("name", "=", "New")]
        self.assertFalse(self.env["project.task"].search(tasks))
        self.account.state = "working"
        self.process()
        task = self.env["project.task"].search(tasks)
        self.assertEqual(task.project_id, self.project_b)

    def test_trouble_with_one_stops_no_other(self):
        self.refuse()
        for number in range(3):
            self.forwarded(self.mail(Message_ID=f"<{number}@c.example>"))
        self.account.state = "working"
        original = Intake.look_inside

        def look_inside(intake, raw, *args):
            if b"<1@c.example>" in raw:
                raise ValueError("trouble")
            return original(intake, raw, *args)

        with (
            patch.object(Intake, "look_inside", look_inside),
            patch.object(self.env.cr, "rollback", lambda: None),
            mute_logger(f"{LOGGER}.models.mail_external_arrival"),
        ):
            self.assertEqual(len(self.process()), 2)
        states = self.env["mail.external.arrival"].search([], order="id")
        self.assertEqual(states.mapped("state"), ["done", "quarantine", "done"])
        self.assertEqual(states[1].reason, "not_understood")
        states[1].action_retry()
        self.assertEqual(states[1].state, "done")

    def test_what_cannot_be_told_apart_is_kept_and_bounces_nothing(self):
        self.refuse()
        broken = patch.object(Intake, "look_inside", side_effect=ValueError("trouble"))
        with broken, mute_logger(f"{LOGGER}.tools.incoming.intake"):
            self.assertFalse(self.forwarded(self.mail()))
        self.assertEqual(self.arrival().state, "quarantine")

    def test_a_loop_ends_in_the_quarantine_too(self):
        self.refuse()
        for number in range(4):
            self.forwarded(self.mail(Message_ID=f"<{number}@c.example>"))
        self.account.state = "working"
        with patch(
            "odoo.addons.mail_external_account.tools.incoming.gateway.LOOP_LIMIT", 2
        ):
            self.assertEqual(len(self.process()), 2)
        states = self.env["mail.external.arrival"].search([], order="id")
        self.assertEqual(states.mapped("state"), ["done"] * 2 + ["quarantine"] * 2)

    def test_another_mailbox_that_has_it_does_not_wait(self):
        self.refuse()
        self.forwarded(self.mail())
        [message] = self.take_in(self.mail())  # Anna's
        arrival = self.arrival()
        self.assertRecordValues(
            arrival,
            [
                {
                    "state": "done",
                    "raw": False,
                    "account_id": self.own.account_id.id,
                    "mail_message_id": message.id,
                }
            ],
        )
        self.account.state = "working"
        self.assertFalse(self.process())

    def test_of_a_removed_account_it_is_dropped(self):
        self.account.sudo().action_remove()
        self.assertFalse(self.account.active)
        self.assert_dropped(self.mail())
        self.assert_dropped(self.private())

    def test_read_otherwise_or_not_at_all_it_is_dropped(self):
        self.account.incoming_protocol = "imap"
        self.assert_dropped(self.mail())
        self.account.incoming_protocol = "forwarded"
        self.account.address_ids.receive_replies = False
        self.assert_dropped(self.mail())

    def test_of_a_draft_it_is_cores(self):
        self.account.state = "draft"
        routed = []

        def route(*args, **kwargs):
            routed.append(True)
            return []

        with patch.object(type(self.env["mail.thread"]), "message_route", route):
            self.forwarded(self.mail())
        self.assertTrue(routed)


class TestSenderRefused(WrittenToCase):
    """A server that does not let the account send from one of its addresses."""

    def setUp(self):
        super().setUp()
        self.startPatcher(patch.object(self.env.cr, "commit", self.env.flush_all))
        self.task.message_unsubscribe(self.bohdan.partner_id.ids)
        self.refused = {self.sales.email}
        self.senders = []
        case = self

        class Session:
            alive = True

            def send(self, sender, _recipient, _content):
                case.senders.append(sender)
                if sender in case.refused:
                    raise MailError(ErrorCode.SENDER_REFUSED)
                return "250 OK"

            def close(self):
                pass

        opened = self.opened = []

        def open_session(account, *_args):
            opened.append(account)
            return Opened(Session())

        self.startPatcher(patch.object(delivery, "open_session", open_session))

    def deliver(self):
        self.env.flush_all()
        far = float("inf")
        AccountDelivery(self.account.sudo(), far, far, lambda: None).run()
        self.env.invalidate_all()

    def test_it_stops_that_address_only(self):
        first, second, third, fourth = (
            self.post(self.anna, external_address_id=address.id)
            for address in (self.sales, self.support, self.sales, self.info)
        )
        self.deliver()
        sales, support, info = self.sales.email, self.support.email, self.info.email
        self.assertEqual(self.senders, [sales, support, info])
        self.assertEqual(len(self.opened), 1, "one session for all of them")
        for message in (first, third):
            mail = self.external_mails(message)
            self.assertEqual(mail.state, "outgoing", "it waits")
        for message in (second, fourth):
            self.assertFalse(self.external_mails(message).exists())
        self.assertEqual(self.account.state, "working")
        self.assertFalse(self.account.failure_code or self.account.delivery_next_try)
        self.assertRecordValues(
            self.sales | self.support,
            [
                {"state": "stopped", "failure_code": "sender_refused"},
                {"state": "working", "failure_code": False},
            ],
        )
        # It is not tried again before somebody tested it, and picked by nobody.
        self.deliver()
        self.assertEqual(self.senders, [sales, support, info])
        rows = self.env["mail.external.sender"]._usable_rows(self.anna.id)
        self.assertNotIn(self.sales.id, [row.id for row in rows])
        # It works again: what waited leaves.
        self.refused.clear()
        self.sales.write({"failure_code": False, "failure_reply": False})
        self.deliver()
        self.assertEqual(self.senders[3:], [sales, sales])
        self.assertFalse(self.external_mails(first | third).exists())

    def test_who_is_told(self):
        self.post(self.anna, external_address_id=self.sales.id)
        messages = self.env["mail.message"]
        last = messages.search([], order="id desc", limit=1).id
        self.deliver()
        [told] = messages.search([("id", ">", last), ("subject", "ilike", "refused")])
        self.assertIn(self.sales.email, told.subject)
        self.assertNotIn(self.support.email, told.subject)
        self.assertIn(self.manager.partner_id, told.sudo().notified_partner_ids)
        self.assertNotIn(self.anna.partner_id, told.sudo().notified_partner_ids)
