"""Headers that take long, mailboxes that Odoo does not survive, visits that hang."""

import threading
import time
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import tagged
from odoo.tools import config, mute_logger

from ..mailkit.errors import ErrorCode, MailError
from ..models import mail_external_account_facts, mail_external_mailbox
from ..tools import delivery_run, fetching, judging, run_time, vault
from ..tools.delivery_run import DeliveryRun
from ..tools.fetching import FetchRun
from ..tools.judging_marks import CRASHES
from ..tools.mailbox_work import MailboxWork
from ..tools.run_time import RunTime
from ..tools.visit_requests import (
    Advanced,
    Begun,
    Choice,
    Cut,
    FolderJob,
    Held,
    MailboxJob,
    Part,
    Seen,
    Stopped,
    Unreadable,
    Whole,
)
from ..tools.visit_transfer import HEADER, counted, given_up
from .common import ExternalAccountCase, IntakeCase

_LOGGER = "odoo.addons.mail_external_account"


class ReadingCase(IntakeCase):
    """Anna's mailbox as a run has claimed it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mailbox = cls.env["mail.external.mailbox"].create(
            {"account_id": cls.own.id, "next_look": fields.Datetime.now(), "run": 7}
        )
        cls.folder_row = cls.env["mail.external.folder"].create(
            {"account_id": cls.own.id, "path": "INBOX"}
        )
        cls.folder = FolderJob(cls.folder_row.id, "INBOX", False, None)
        cls.env.flush_all()

    def work(self, **row):
        """The work of one visit; ``row``: what the claim read besides."""
        self.env.flush_all()
        self.env.invalidate_all()
        folder = {"id": self.folder.id, "failure_code": None}
        folder["transfer"] = self.folder_row.transfer or None
        return MailboxWork(
            self.own,
            {
                "incoming_protocol": "imap",
                "reading_since": None,
                "next_look": self.mailbox.next_look,
                "folders": [folder],
                **dict.fromkeys(("attempts", "cuts", "crashes", "quiet_looks")),
                **dict.fromkeys(("answer_count", "unrelated_count")),
                "judging": self.mailbox.judging or None,
                **row,
            },
        )

    def seen(self, *raws, first=1):
        names = tuple(str(first + number) for number in range(len(raws)))
        heads = tuple(raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" for raw in raws)
        state = {"path": "INBOX", "next_uid": first + len(raws)}
        done = Advanced(self.folder, state)
        return Seen(self.folder, names, heads, frozenset(), done, 5)

    def quarantine(self):
        arrivals = self.env["mail.external.arrival"].search(
            [("state", "=", "quarantine")], order="id"
        )
        return arrivals.mapped(lambda arrival: (arrival.reason, arrival.place))

    def other(self, number):
        """Mail that is none of Odoo's."""
        return self.mail(
            "x@y.example", In_Reply_To="", Message_ID=f"<{number}@y.example>"
        )


def busy(seconds):
    """Use the processor for so long, as a pattern does that somebody found."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def slow_for(function, is_trap, seconds):
    """``function``, but where ``is_trap`` of its first argument it takes that long."""

    def judge(*args):
        if is_trap(args[0]):
            busy(seconds)
        return function(*args)

    return judge


class TestJudging(ReadingCase):
    """No header keeps the thread of a run for long."""

    def setUp(self):
        super().setUp()
        self.patch(judging, "SLICE_SECONDS", 0.1)
        mailbox_work = "odoo.addons.mail_external_account.tools.mailbox_work"
        self.startPatcher(patch(f"{mailbox_work}.HEAVY_SECONDS", 0.2))

    def test_a_slice_is_judged_and_kept(self):
        work = self.work()
        asked = self.seen(self.other(1), self.other(2))
        self.assertEqual(work.answer(asked), Choice((), 2))
        self.assertEqual(self.folder_row.state["next_uid"], 3)
        asked = self.seen(self.other(3), self.mail(), first=3)
        self.assertEqual(work.answer(asked), Choice((1,), 2))
        # The answer is still to be fetched: nothing is passed by.
        self.assertEqual(self.folder_row.state["next_uid"], 3)

    def trap(self):
        return self.mail("Trap <t@x.example>", Message_ID="<trap@x.example>")

    def assert_told(self):
        self.assertEqual(self.quarantine(), [("too_heavy", "INBOX 11")])
        text = self.env["mail.external.arrival"].search([]).reason_text
        self.assertIn("too long", text)

    def test_a_header_that_takes_long_to_read_is_shown_by_its_place(self):
        slow = slow_for(judging._parse, lambda raw: b"t@x.example" in raw, 0.3)
        work = self.work()
        with patch.object(judging, "_parse", slow):
            choice = work.answer(self.seen(self.trap(), self.mail(), first=11))
        self.assertEqual(choice, Choice((), 1), "others wait for the next slice")
        self.assert_told()
        choice = work.answer(self.seen(self.mail(), first=12))
        self.assertEqual(choice, Choice((0,), 1))

    def test_a_header_that_takes_long_to_judge_is_shown_by_its_place(self):
        slow = slow_for(
            mail_external_account_facts.decide,
            lambda headers: headers.author.email == "t@x.example",
            0.3,
        )
        with patch.object(mail_external_account_facts, "decide", slow):
            asked = self.seen(self.trap(), self.mail(), first=11)
            choice = self.work().answer(asked)
        self.assertEqual(choice, Choice((1,), 2))
        self.assert_told()

    def test_many_that_take_a_little_are_not_judged_in_one_go(self):
        slow = slow_for(judging._parse, lambda raw: b"y.example" in raw, 0.06)
        with patch.object(judging, "_parse", slow):
            choice = self.work().answer(self.seen(*map(self.other, range(20))))
        self.assertLess(choice.judged, 5)
        self.assertEqual(choice.wanted, ())
        self.assertFalse(self.quarantine())
        # How far it is, is kept by the visit: only it knows where that is.
        self.assertFalse(self.folder_row.state)

    # Odoo ends while it judges

    def test_nothing_is_marked_as_long_as_odoo_lives(self):
        marks = self.work().marks
        self.assertFalse(marks.wanted(self.seen(self.mail())))
        self.assertFalse(marks.wanted(Whole(self.folder, 0, "1", None)))

    def test_what_odoo_does_not_survive_is_shown_by_its_place(self):
        asked = self.seen(self.mail())
        for crash in range(CRASHES):
            marks = self.work(crashes=crash + 1).marks
            self.assertTrue(marks.wanted(asked))
            self.assertFalse(marks.is_suspect(asked), crash)
            marks.mark(asked)  # and Odoo ends
        work = self.work(crashes=CRASHES + 1)
        # Another message is none the worse for it.
        self.assertFalse(work.marks.is_suspect(self.seen(self.mail(), first=2)))
        with self.assertLogs(_LOGGER, "WARNING"):
            self.assertEqual(work.answer(asked), Choice((), 1))
        self.assertEqual(self.quarantine(), [("too_heavy", "INBOX 1")])
        self.assertEqual(self.folder_row.state["next_uid"], 2)

    def test_a_whole_message_is_marked_too(self):
        state = {"path": "INBOX", "next_uid": 2}
        asked = Whole(self.folder, 0, "1", None, state=state)
        for crash in range(CRASHES):
            self.work(crashes=crash + 1).marks.mark(asked)
        work = self.work(crashes=CRASHES + 1)
        with self.assertLogs(_LOGGER, "WARNING"):
            work.answer(asked)
        self.assertEqual(self.quarantine(), [("too_heavy", "INBOX 1")])
        self.assertEqual(self.folder_row.state["next_uid"], 2)

    def test_what_odoo_survives_is_no_more_in_question(self):
        asked = self.seen(self.mail())
        self.work(crashes=1).marks.mark(asked)
        work = self.work(crashes=2)
        work.marks.mark(asked)
        self.assertEqual(work.answer(asked).wanted, (0,))
        self.env.invalidate_all()
        self.assertFalse(self.mailbox.judging)
        work.finish(None)
        self.env.invalidate_all()
        self.assertFalse(self.mailbox.crashes)


class TestTransfer(ReadingCase):
    """A message that takes several visits."""

    def hold(self, work, message="5 1 900", octets=0, code="timeout"):
        work.answer(Held(self.folder, message, octets, code))

    def content(self, message="5 1 900"):
        found, work = b"", self.work()
        while more := work.answer(Begun(self.folder, message, len(found))):
            found += more
        return found

    def rows(self):
        return self.env["mail.external.part"].search_count([])

    def test_what_came_is_kept_until_it_is_whole(self):
        work = self.work()
        work.answer(Part(self.folder, "5 1 900", 0, b"ab\x00\xff"))
        work.answer(Part(self.folder, "5 1 900", 4, b"cd"))
        self.hold(work, octets=6)
        work.cut_off(Cut(MailError(ErrorCode.TIMEOUT)))
        self.env.invalidate_all()
        # It got on: no failure, but others go first.
        self.assertRecordValues(self.mailbox, [{"cuts": 1, "run": 0}])
        self.assertFalse(self.mailbox.failure_code or self.mailbox.attempts)
        self.assertEqual(self.content(), b"ab\x00\xffcd")
        self.assertEqual(self.content("5 1 901"), b"", "another size, another message")
        work = self.work()
        gone = ErrorCode.MESSAGE_GONE.value
        work.answer(self.seen(self.mail()))
        work.answer(Whole(self.folder, 0, "1", None, gone))
        self.assertFalse(self.rows())
        self.env.invalidate_all()
        self.assertFalse(self.folder_row.transfer)

    def test_of_another_message_nothing_is_kept(self):
        work = self.work()
        work.answer(Part(self.folder, "5 1 900", 0, b"first"))
        work.answer(Part(self.folder, "5 2 800", 0, b"second"))
        self.assertEqual(self.content("5 2 800"), b"second")
        self.assertEqual(self.rows(), 1)

    def test_a_visit_that_brought_nothing_is_a_failure(self):
        work = self.work()
        self.hold(work)
        work.cut_off(Cut(MailError(ErrorCode.TIMEOUT)))
        self.env.invalidate_all()
        values = {"attempts": 1, "failure_code": "timeout", "run": 0}
        self.assertRecordValues(self.mailbox, [values])
        # The run had less time than a mailbox may take: that is nobody's fault.
        work = self.work(attempts=1)
        work.cut_off(Cut(MailError(ErrorCode.TIMEOUT), early=True))
        self.env.invalidate_all()
        self.assertEqual(self.mailbox.attempts, 1)

    def test_when_a_message_is_given_up(self):
        def after(*visits, message="5 1 900"):
            transfer = None
            for octets, code in visits:
                transfer = counted(transfer, Held(self.folder, message, octets, code))
            return given_up(transfer)

        slow, lost = (0, "timeout"), (0, "connection_lost")
        good = (100_000, "timeout")
        self.assertEqual(after(slow, slow), "")
        self.assertEqual(after(slow, good, slow, slow), "too_slow")
        self.assertEqual(after((15_000, "timeout"), *[slow] * 2), "too_slow")
        self.assertEqual(after(*[good] * 100), "", "a large one gets on")
        self.assertEqual(after(*[good] * 200), "too_slow", "but not for ever")
        # A server that is down for a while is no reason.
        self.assertEqual(after(*[lost] * 5), "")
        self.assertEqual(after(*[lost] * 6), "unreadable")
        header = f"5 1{HEADER}"
        self.assertEqual(after(*[slow] * 5, message=header), "")
        self.assertEqual(after(*[slow] * 6, message=header), "too_slow")
        other = Held(self.folder, "5 2 900", 0, "timeout")
        before = {"message": "5 1 900", "visits": 3, "slow": 3, "broken": 0}
        self.assertEqual(given_up(counted(before, other)), "")

    def test_what_is_too_slow_is_shown_by_its_place(self):
        work = self.work()
        work.answer(Unreadable(self.folder, ("9",), 5, "too_slow"))
        work.answer(self.seen(self.mail()))
        state = {"path": "INBOX", "next_uid": 2}
        work.answer(Whole(self.folder, 0, "1", None, "too_slow", state))
        places = [("too_slow", "INBOX 9"), ("too_slow", "INBOX 1")]
        self.assertEqual(self.quarantine(), places)
        self.assertEqual(self.folder_row.state, state)

    def test_nobody_reads_what_is_kept(self):
        self.work().answer(Part(self.folder, "5 1 900", 0, b"secret"))
        parts = self.env["mail.external.part"]
        for user in (self.anna, self.manager, self.env.ref("base.user_admin")):
            with self.assertRaises(AccessError):
                parts.with_user(user).search_read([], ["content"])
        fetched = self.folder_row.with_user(self.anna)
        with self.assertRaises(AccessError):
            fetched.read(["transfer"])
        self.assertFalse(
            self.env["ir.attachment"].search([("res_model", "=", parts._name)])
        )

    def test_it_goes_with_the_folder_the_reading_and_its_time(self):
        def keep():
            self.work().answer(Part(self.folder, "5 1 900", 0, b"secret"))
            self.env.invalidate_all()
            self.assertEqual(self.rows(), 1)

        keep()
        past = fields.Datetime.subtract(
            fields.Datetime.now(), days=mail_external_mailbox.KEEP_PARTS_DAYS + 1
        )
        self.env["mail.external.part"].search([]).date = past
        self.env["mail.external.part"]._gc_old_parts()
        self.assertFalse(self.rows())
        keep()
        self.own._end_reading()
        self.assertFalse(self.rows())
        self.mailbox = self.mailbox.create({"account_id": self.own.id})
        keep()
        work = self.work()
        self.folder_row.unlink()
        self.assertFalse(self.rows())
        # The visit under way does not mind.
        work.answer(Part(self.folder, "5 1 900", 0, b"secret"))
        self.assertFalse(self.rows())


class TestRuns(ReadingCase):
    """A run ends in time, whatever hangs."""

    def setUp(self):
        super().setUp()
        self.patch(run_time, "_GRACE", 0.1)
        # What runs commit is part of the test's transaction.
        self.startPatcher(patch.object(self.env.cr, "commit", self.env.flush_all))
        self.release = threading.Event()
        self.addCleanup(self.release.set)

    def test_reading_ends_though_a_visit_hangs(self):
        job = MailboxJob(self.own.id, None, None, (), fields.Date.today())
        row = {**self.work().row, "id": self.own.id}
        claims = [[(row, job)]]
        asked = []

        def hang(_job, ask, _deadline):
            self.release.wait(20)
            try:
                ask(Advanced(self.folder, {"path": "INBOX"}))
            except Stopped:
                asked.append("stopped")

        accounts = type(self.own)
        claim = patch.object(
            accounts, "_claim_due", lambda *_args: claims.pop() if claims else []
        )
        with claim, patch.object(fetching, "visit", hang):
            began = time.monotonic()
            with self.assertLogs(_LOGGER, "WARNING") as logs:
                more = FetchRun(self.own, 7, 4, RunTime(2.0)).run()
            self.assertLess(time.monotonic() - began, 4)
        self.assertTrue(more)
        self.assertIn("hangs", logs.output[0])
        self.env.invalidate_all()
        values = {"run": 0, "attempts": 1, "failure_code": "timeout"}
        self.assertRecordValues(self.mailbox, [values])
        # When it goes on after all, nobody answers, and it ends.
        [thread] = [t for t in threading.enumerate() if t.name.startswith("mailbox-")]
        self.release.set()
        thread.join(5)
        self.assertEqual(asked, ["stopped"])
        self.assertFalse(self.folder_row.state)

    def test_sending_ends_though_an_account_hangs_and_it_stays_claimed(self):
        served = []

        def hang(account, *_args):
            served.append(account.id)
            self.release.wait(20)
            return False

        accounts = type(self.own)
        due = patch.object(accounts, "_accounts_with_due_mail", lambda *_args: self.own)
        with due, patch.object(accounts, "_deliver_one", hang):
            for _run in range(2):
                began = time.monotonic()
                DeliveryRun(self.own.browse(), 4, RunTime(2.0)).run()
                self.assertLess(time.monotonic() - began, 4)
            self.assertEqual(served, [self.own.id], "not begun a second time")
            self.assertIn(self.own.id, delivery_run._late_ones(self.env.cr.dbname))
            self.release.set()
            for thread in threading.enumerate():
                if thread.name.startswith("delivery-"):
                    thread.join(5)
            self.assertFalse(delivery_run._late_ones(self.env.cr.dbname))

    def test_what_cannot_be_judged_stops_nothing(self):
        """Whatever error it is that a header brings about."""
        raws = (self.other(1), self.mail("bad@x.example"), self.mail())
        run = FetchRun(self.own, 7, 4, RunTime(60.0))
        work = self.work()
        original = type(self.own)._decide_batch

        def decide(account, batch, *args):
            if any(headers.author.email == "bad@x.example" for headers in batch):
                raise ValueError("trouble")
            return original(account, batch, *args)

        def alone(asked):
            request = fetching.Asked(work, asked, threading.local())
            return run._alone(request)

        broken = patch.object(type(self.own), "_decide_batch", decide)
        with broken, mute_logger(_LOGGER), patch.object(self.env.cr, "rollback"):
            self.assertEqual(alone(self.seen(*raws)), Choice((), 0), "one by one")
            self.assertEqual(alone(self.seen(raws[0])), Choice((), 1))
            self.assertEqual(alone(self.seen(raws[1], first=2)), Choice((), 1))
            self.assertEqual(alone(self.seen(raws[2], first=3)), Choice((0,), 1))
        self.assertEqual(self.quarantine(), [("not_understood", "INBOX 2")])
        self.assertEqual(self.folder_row.state["next_uid"], 3)


@tagged("post_install", "-at_install")
class TestClaims(ReadingCase):
    """Who is read first."""

    def test_slow_servers_never_take_all_threads(self):
        self.startPatcher(patch.object(self.env.cr, "commit", self.env.flush_all))
        past = fields.Datetime.subtract(fields.Datetime.now(), minutes=5)
        self.mailbox.write({"next_look": past, "run": 0})
        accounts, mailboxes = self.own, self.mailbox
        for number in range(5):
            account = self.account(
                f"n{number}@own.example",
                self.anna,
                receive_replies=True,
                incoming_protocol="imap",
            )
            accounts |= account
            mailboxes |= mailboxes.create(
                {
                    "account_id": account.id,
                    "next_look": past,
                    "attempts": number % 2,
                    "cuts": number // 4,
                }
            )
        self.env.flush_all()

        def claimed(*limits):
            rows = self.own._claim_due(7, *limits)
            self.env.cr.execute("UPDATE mail_external_mailbox SET run = 0")
            return [bool(r["attempts"] or r["cuts"]) for r, _job in rows]

        self.assertEqual(sorted(claimed(10, 2)), [False] * 3 + [True] * 2)
        self.assertEqual(claimed(10, 0), [False] * 3)
        self.assertEqual(claimed(2, 2), [False] * 2, "others go first")
        self.assertEqual(sorted(claimed(4, 9)), [False] * 3 + [True])
        self.assertEqual(len(claimed(10, 9)), 6)

    def test_a_run_that_ended_in_the_middle_is_counted(self):
        self.startPatcher(patch.object(self.env.cr, "commit", self.env.flush_all))
        past = fields.Datetime.subtract(fields.Datetime.now(), minutes=5)
        self.mailbox.write({"next_look": past})
        self.env.flush_all()
        for number, (run, crashes) in enumerate(((7, 1), (8, 2))):
            with self.subTest(number):
                [(row, job)] = self.own._claim_due(run, 9, 9)
                self.assertEqual(row["crashes"], crashes)
                self.assertEqual(getattr(job, "careful", True), True)
        self.work(**{**row, "folders": []}).finish(None)
        self.env.cr.execute("UPDATE mail_external_mailbox SET next_look = %s", (past,))
        [(row, _job)] = self.own._claim_due(9, 9, 9)
        self.assertFalse(row["crashes"])

    def test_a_slow_folder_does_not_hold_up_the_others(self):
        self.startPatcher(patch.object(self.env.cr, "commit", self.env.flush_all))
        self.folder_row.create({"account_id": self.own.id, "path": "Filed"})
        self.own.write({"incoming_host": "imap.own.example", "incoming_port": 993})
        firsts = []
        for attempts, cuts in ((0, 0), (1, 0), (1, 1)):
            past = fields.Datetime.subtract(fields.Datetime.now(), minutes=5)
            values = {"attempts": attempts, "cuts": cuts, "next_look": past, "run": 0}
            self.mailbox.write(values)
            self.env.flush_all()
            with patch.object(vault, "unseal", lambda *_args: "secret"):
                [(_row, job)] = self.own._claim_due(7, 9, 9)
            firsts.append([folder.path for folder in job.folders])
        usual, turned = ["INBOX", "Filed"], ["Filed", "INBOX"]
        self.assertEqual(firsts, [usual, turned, usual])


class TestRunTime(ExternalAccountCase):
    """What Odoo allows is shared by all that one worker does in a row."""

    def setUp(self):
        super().setUp()
        self.thread = threading.current_thread()
        self.startPatcher(patch.object(self.thread, "start_time", None, create=True))

    def seconds(self, run):
        return run.end - time.monotonic()

    def test_reading_and_sending_fit_in_a_row(self):
        for limit in (20.0, 120.0, 3600.0):
            run = RunTime(limit)
            self.assertLess(2 * (self.seconds(run) + 0.05 * limit), limit)
            self.assertLess(run.visit, self.seconds(run))
            self.assertLessEqual(run.visit, 90)
            self.assertLess(run.last - time.monotonic(), limit)
            self.assertFalse(run.over or run.ended)

    def test_what_the_worker_did_before_counts(self):
        self.thread.start_time = time.time() - 100
        self.assertLess(self.seconds(RunTime(120.0)), 10)
        self.thread.start_time = time.time() - 119
        self.assertTrue(RunTime(120.0).over)

    def test_the_processors_time_counts_too(self):
        soft = time.process_time() + 0.4
        with patch.object(run_time.resource, "getrlimit", lambda _what: (soft, -1)):
            run = RunTime(120.0)
        self.assertFalse(run.over)
        busy(0.3)
        self.assertTrue(run.over)

    def test_which_limit_holds(self):
        limits = {"limit_time_real": 120, "limit_time_real_cron": -1}
        self.startPatcher(patch.dict(config.options, limits))
        accounts = self.env["mail.external.account"]
        self.assertEqual(accounts._seconds_allowed(), 120)
        config.options["limit_time_real_cron"] = 600
        self.assertEqual(accounts._seconds_allowed(), 600)
        # "Run manually" is a request.
        with patch.object(self.thread, "type", "http", create=True):
            self.assertEqual(accounts._seconds_allowed(), 120)
        config.options["limit_time_real_cron"] = 0
        self.assertEqual(accounts._seconds_allowed(), 120, "no limit: as usual")
