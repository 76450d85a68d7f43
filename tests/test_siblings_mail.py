"""Several addresses of one account, on bad days: mail and moves that meet."""

import time
from unittest.mock import patch

import odoo.sql_db

from ..mailkit.answers.matching import Match
from ..mailkit.message.headers import parse_headers
from ..models import mail_external_account, mail_external_arrival
from ..tools.incoming.facts import AddressBook, addressed, decide_batch
from ..tools.incoming.gateway import take_in_forwarded
from ..tools.incoming.intake import Intake
from ..tools.incoming.work import MailboxWork
from ..tools.outgoing import account as delivery
from ..tools.outgoing.account import AccountDelivery
from ..tools.outgoing.session import Opened
from .written_to_case import NOBODY, WrittenToCase


class TestNewMail(WrittenToCase):
    """What makes tasks goes where it was written to, and nowhere by guess."""

    def setUp(self):
        super().setUp()
        self.makes_tasks = {
            "new_mail": "task",
            "new_mail_project_id": self.project_b.id,
        }

    def new_mail(self, number, **headers):
        raw = self.mail(
            "New <new@stranger.example>",
            Subject=f"New {number}",
            Message_ID=f"<new{number}@stranger.example>",
            In_Reply_To="",
            **headers,
        )
        self.take_in(raw, self.info)
        return self.env["project.task"].search([("name", "=", f"New {number}")])

    def test_what_names_a_removed_address_goes_to_no_sibling(self):
        """The main address is removed, and a restricted one takes its place."""
        (self.sales | self.support).active = False
        self.boss.write(self.makes_tasks)
        self.info.active = False
        self.assertTrue(self.boss.is_main)
        for number, email in enumerate((self.info.email, self.sales.email)):
            self.assertFalse(self.new_mail(number, To=email), email)
        found = self.new_mail(7, To=f"{self.info.email}, {self.boss.email}")
        self.assertEqual(found.project_id, self.project_b)
        self.assertTrue(self.new_mail(8, To=NOBODY), "its own address")

    def test_a_subaddress_is_not_another_subaddress(self):
        """An alias that is itself a subaddress gets its own mail only."""
        self.sales.write({"email": "support+vip@shop.example", **self.makes_tasks})
        others = ("support+news@shop.example", self.support.email)
        for number, email in enumerate(others):
            self.assertFalse(self.new_mail(number, To=email), email)
            headers = parse_headers(self.mail(To=email))
            self.assertEqual(addressed(self.account, headers), self.support)
        self.assertTrue(self.new_mail(9, To="SUPPORT+vip@shop.example"))


class TestManyAddresses(WrittenToCase):
    """What a mailbox costs does not grow with its addresses, nor with who is named."""

    def work(self):
        row = dict.fromkeys(("reading_since", "judging"), False)
        row |= dict.fromkeys(("attempts", "cuts", "crashes", "quiet_looks"), 0)
        row |= {"folders": [], "incoming_protocol": "imap", "id": self.account.id}
        return MailboxWork(self.account.sudo(), row)

    def unrelated(self, count, to):
        return tuple(
            self.mail(
                "New <new@stranger.example>",
                In_Reply_To="",
                Message_ID=f"<{n}@stranger.example>",
                To=to,
            )
            for n in range(count)
        )

    def judged(self, raws):
        work = self.work()
        batch, _spent = work._judge(raws)
        book = work.intake.makes_tasks() and AddressBook(self.account)
        return [work._wants(decision, head, book) for decision, head, _facts in batch]

    def add_siblings(self, count):
        for number in range(count):
            self.address(f"alias{number}@shop.example", account_id=self.account.id)
        self.env.flush_all()

    def queries(self, raws):
        self.env.flush_all()
        self.env.invalidate_all()
        before = self.env.cr.sql_log_count
        self.assertFalse(any(self.judged(raws)))
        return self.env.cr.sql_log_count - before

    def test_queries(self):
        self.sales.write({"new_mail": "task", "new_mail_project_id": self.project_a.id})
        few = self.unrelated(5, NOBODY)
        many = self.unrelated(50, NOBODY)
        self.queries(few)
        expected = self.queries(few)
        self.assertEqual(self.queries(many), expected)
        self.add_siblings(50)
        self.queries(few)  # what the new addresses cleared is cached again
        self.assertEqual(self.queries(many), expected)

    def test_addresses_are_looked_at_once_for_a_batch(self):
        self.sales.write({"new_mail": "task", "new_mail_project_id": self.project_a.id})
        self.add_siblings(50)
        many = self.unrelated(50, NOBODY)
        accounts, asked = type(self.account), []
        origin = accounts._all_addresses

        def counted(account):
            asked.append(account)
            return origin(account)

        with patch.object(accounts, "_all_addresses", counted):
            self.judged(many)
        self.assertLess(len(asked), 10)

    def test_recipients_of_every_script(self):
        """A thousand foreign domains, each of which is long to be made ASCII."""
        self.sales.write({"new_mail": "task", "new_mail_project_id": self.project_a.id})
        domain = ".".join(["яю" * 14] * 2)
        for local in ("c", "sales"):
            many = ", ".join(f"{local}@{n}{domain}.example" for n in range(500))
            raw = self.mail(
                "New <new@stranger.example>", In_Reply_To="", To=many, Cc=many
            )
            headers = parse_headers(raw)
            self.assertGreater(len(headers.to), 400)
            AddressBook(self.account).named(headers)
            began = time.process_time()
            self.assertFalse(AddressBook(self.account).named(headers))
            spent = time.process_time() - began
            self.assertLess(spent, 0.05, local)


class TestCopies(WrittenToCase):
    def test_a_copy_from_before_the_address_was_renamed_stops_nothing(self):
        """Its e-mail was that of its owner, who is told apart by it still."""
        self.own.email = self.anna.email
        self.ledger.address_email = self.anna.email
        self.own.email = "anna.k@own.example"

        def look(sender):
            raw = self.mail(sender, Message_ID=self.question.message_id, In_Reply_To="")
            headers = parse_headers(raw)
            [decision], _facts = decide_batch(self.own.account_id, [headers])
            self.assertIs(decision.match, Match.OWN_COPY)
            Intake(self.own.account_id.sudo()).note_sender(decision, headers)

        look(self.anna.email)
        self.assertEqual(self.own.state, "working")
        self.address("other@own.example", account_id=self.own.account_id.id)
        look("other@own.example")
        self.assertEqual(self.own.state, "stopped")


class TestWaiting(WrittenToCase):
    def test_more_than_one_run_takes(self):
        """Where all mail is redirected to Odoo, no mailbox starts the next run."""
        self.startPatcher(patch.object(self.env.cr, "commit", self.env.flush_all))
        self.startPatcher(patch.object(mail_external_arrival, "WAITING_AT_ONCE", 2))
        self.account.incoming_protocol = "forwarded"
        self.account.state = "refused"
        for number in range(3):
            raw = self.mail(Message_ID=f"<{number}@c.example>", To=self.sales.email)
            take_in_forwarded(self.account.sudo(), raw)
        self.account.state = "working"
        arrivals = self.env["mail.external.arrival"]
        self.assertEqual(len(arrivals._waiting_of(self.account)), 3)
        triggered = []
        crons = type(self.env["ir.cron"])
        with (
            patch.object(mail_external_account.modules.module, "current_test", None),
            patch.object(mail_external_account, "FetchRun") as run,
            patch.object(
                crons, "_external_trigger", lambda *_a, **kw: triggered.append(kw)
            ),
        ):
            run.return_value.run.return_value = False
            self.env["mail.external.account"]._cron_fetch()
            self.assertEqual(len(arrivals._waiting_of(self.account)), 1)
            self.assertIn({}, triggered, "now, not in ten minutes")
            triggered.clear()
            self.env["mail.external.account"]._cron_fetch()
            self.assertFalse(arrivals._waiting_of(self.account))
            self.assertNotIn({}, triggered)


class TestMoved(WrittenToCase):
    def setUp(self):
        super().setUp()
        self.startPatcher(patch.object(self.env.cr, "commit", self.env.flush_all))
        self.task.message_unsubscribe(self.bohdan.partner_id.ids)
        self.sent = []  # (id of the account whose session it was, sender)
        self.meanwhile = None
        case = self

        class Session:
            alive = True

            def __init__(self, account):
                self.account = account

            def send(self, sender, _recipient, _content):
                case.sent.append((self.account.id, sender))
                if case.meanwhile:
                    doing, case.meanwhile = case.meanwhile, None
                    doing()
                return "250 OK"

            def close(self):
                pass

        self.startPatcher(
            patch.object(delivery, "open_session", lambda a, *_: Opened(Session(a)))
        )

    def deliver(self, account):
        self.env.flush_all()
        far = float("inf")
        more = AccountDelivery(account.sudo(), far, far, lambda: None).run()
        self.env.invalidate_all()
        return more

    def test_in_the_middle_of_a_delivery(self):
        """What has not left by then leaves through the new account."""
        for _each in range(3):
            self.post(self.anna, external_address_id=self.sales.id)
        self.meanwhile = lambda: self.move(self.sales)
        old, new = self.account, self.new.account_id
        self.deliver(old)
        self.assertEqual([account for account, _sender in self.sent], [old.id])
        self.deliver(new)
        accounts = [account for account, _sender in self.sent]
        self.assertEqual(accounts, [old.id, new.id, new.id])

    def test_what_the_old_account_is_sending_is_not_sent_by_the_new_one(self):
        message = self.post(self.anna, external_address_id=self.sales.id)
        mail = self.external_mails(message)
        old, new = self.account, self.new.account_id
        # As a process leaves it that waits for its server's answer.
        row = self.env["mail.external.delivery"]._begin(
            mail, message.message_id, "clara@customer.example"
        )
        self.assertEqual(row.account_id, old)
        self.move(self.sales)
        connection = odoo.sql_db.db_connect(self.env.cr.dbname)
        with connection.cursor() as other:
            other.execute(
                "SELECT pg_advisory_xact_lock(%s, %s)",
                (delivery.CLAIM_CLASS, old.id),
            )
            self.deliver(new)
            self.assertFalse(self.sent, "the other process is at it")
            self.assertEqual(mail.state, "outgoing")
        self.deliver(new)  # that process has crashed
        self.assertEqual([account for account, _sender in self.sent], [new.id])

    def test_the_old_account_ends_when_the_address_is_deleted(self):
        for address in self.account.address_ids:
            self.move(address)
        account = self.account
        self.assertTrue(account.exists().active and account.receives)
        account.former_address_ids.unlink()
        self.assertFalse(account.exists(), "nobody could remove it any more")
