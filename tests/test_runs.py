"""Runs that end in time, and whose turn it is."""

import threading
import time
from unittest.mock import patch

from odoo import fields
from odoo.modules.registry import DummyRLock, Registry
from odoo.tools import config, mute_logger

from ..tools import cron, vault
from ..tools.cron import RunTime, seconds_allowed
from ..tools.incoming import claims
from ..tools.incoming import run as reading_run
from ..tools.incoming import work as reading_work
from ..tools.incoming.requests import Advanced, Choice, Stopped
from ..tools.incoming.run import FetchRun
from ..tools.incoming.work import MailboxWork
from ..tools.outgoing import run as sending_run
from ..tools.outgoing.run import DeliveryRun
from .common import ExternalAccountCase
from .reading_case import LOGGER, ReadingCase


def busy(seconds):
    """Use the processor for so long, as a pattern does that somebody found."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


class TestRuns(ReadingCase):
    """A run ends in time, whatever hangs."""

    def setUp(self):
        super().setUp()
        self.patch(cron, "_GRACE", 0.1)
        # What runs commit is part of the test's transaction.
        self.startPatcher(patch.object(self.env.cr, "commit", self.env.flush_all))
        # Odoo's own runner holds it all the time; the runs' threads need the registry.
        self.startPatcher(patch.object(Registry, "_lock", DummyRLock()))
        self.release = threading.Event()
        self.addCleanup(self.release.set)

    def test_reading_ends_though_a_visit_hangs(self):
        row = {**self.work().row, "id": self.account.id}
        claimed = [[row]]
        asked = []

        def hang(_job, ask, _deadline):
            self.release.wait(20)
            try:
                ask(Advanced(self.folder, {"path": "INBOX"}))
            except Stopped:
                asked.append("stopped")

        claim = patch.object(
            reading_run, "claim_due", lambda *_args: claimed.pop() if claimed else []
        )
        prepared = patch.object(MailboxWork, "job", lambda _work: None)
        with claim, prepared, patch.object(reading_run, "visit", hang):
            began = time.monotonic()
            with self.assertLogs(LOGGER, "WARNING") as logs:
                more = FetchRun(self.account, 7, 4, RunTime(2.0)).run()
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

        due = patch.object(sending_run, "due_accounts", lambda _env: self.account)
        with due, patch.object(sending_run, "deliver", hang):
            for _run in range(2):
                began = time.monotonic()
                DeliveryRun(self.env, 4, RunTime(2.0)).run()
                self.assertLess(time.monotonic() - began, 4)
            self.assertEqual(served, [self.account.id], "not begun a second time")
            self.assertIn(self.account.id, sending_run._late_ones(self.env.cr.dbname))
            self.release.set()
            for thread in threading.enumerate():
                if thread.name.startswith("delivery-"):
                    thread.join(5)
            self.assertFalse(sending_run._late_ones(self.env.cr.dbname))

    def test_what_cannot_be_judged_stops_nothing(self):
        """Whatever error it is that a header brings about."""
        raws = (self.other(1), self.mail("bad@x.example"), self.mail())
        run = FetchRun(self.account, 7, 4, RunTime(60.0))
        work = self.work()
        original = reading_work.decide_batch

        def decide(account, batch, *args):
            if any(headers.author.email == "bad@x.example" for headers in batch):
                raise ValueError("trouble")
            return original(account, batch, *args)

        def alone(asked):
            request = reading_run.Asked(work, asked, threading.local())
            return run._alone(request)

        broken = patch.object(reading_work, "decide_batch", decide)
        with broken, mute_logger(LOGGER), patch.object(self.env.cr, "rollback"):
            self.assertEqual(alone(self.seen(*raws)), Choice((), 0), "one by one")
            self.assertEqual(alone(self.seen(raws[0])), Choice((), 1))
            self.assertEqual(alone(self.seen(raws[1], first=2)), Choice((), 1))
            self.assertEqual(alone(self.seen(raws[2], first=3)), Choice((0,), 1))
        self.assertEqual(self.quarantine(), [("not_understood", "INBOX 2")])
        self.assertEqual(self.folder_row.state["next_uid"], 3)


class TestClaims(ReadingCase):
    """Who is read first."""

    def test_slow_servers_never_take_all_threads(self):
        self.startPatcher(patch.object(self.env.cr, "commit", self.env.flush_all))
        past = fields.Datetime.subtract(fields.Datetime.now(), minutes=5)
        self.mailbox.write({"next_look": past, "run": 0})
        for number in range(5):
            address = self.address(
                f"n{number}@own.example",
                self.anna,
                receive_replies=True,
                incoming_protocol="imap",
            )
            address.account_id.mailbox_ids.write(
                {"next_look": past, "attempts": number % 2, "cuts": number // 4}
            )
        self.env.flush_all()

        def claimed(*limits):
            rows = claims.claim_due(self.env, 7, *limits)
            self.env.cr.execute("UPDATE mail_external_mailbox SET run = 0")
            return [bool(r["attempts"] or r["cuts"]) for r in rows]

        self.assertEqual(sorted(claimed(10, 2)), [False] * 3 + [True] * 2)
        self.assertEqual(claimed(10, 0), [False] * 3)
        self.assertEqual(claimed(2, 2), [False] * 2, "others go first")
        self.assertEqual(sorted(claimed(4, 9)), [False] * 3 + [True])
        self.assertEqual(len(claimed(10, 9)), 6)

    def test_a_run_that_ended_in_the_middle_is_counted(self):
        self.startPatcher(patch.object(self.env.cr, "commit", self.env.flush_all))
        self.account.write({"incoming_host": "imap.own.example", "incoming_port": 993})
        past = fields.Datetime.subtract(fields.Datetime.now(), minutes=5)
        self.mailbox.write({"next_look": past})
        self.env.flush_all()
        for number, (run, crashes) in enumerate(((7, 1), (8, 2))):
            with self.subTest(number):
                [row] = claims.claim_due(self.env, run, 9, 9)
                self.assertEqual(row["crashes"], crashes)
                with patch.object(vault, "unseal", lambda *_args: "secret"):
                    self.assertTrue(MailboxWork(self.account, row).job().careful)
        self.work(**{**row, "folders": []}).finish(None)
        self.env.cr.execute("UPDATE mail_external_mailbox SET next_look = %s", (past,))
        [row] = claims.claim_due(self.env, 9, 9, 9)
        self.assertFalse(row["crashes"])

    def test_a_slow_folder_does_not_hold_up_the_others(self):
        self.startPatcher(patch.object(self.env.cr, "commit", self.env.flush_all))
        self.folder_row.create({"account_id": self.account.id, "path": "Filed"})
        self.account.write({"incoming_host": "imap.own.example", "incoming_port": 993})
        firsts = []
        for attempts, cuts in ((0, 0), (1, 0), (1, 1)):
            past = fields.Datetime.subtract(fields.Datetime.now(), minutes=5)
            values = {"attempts": attempts, "cuts": cuts, "next_look": past, "run": 0}
            self.mailbox.write(values)
            self.env.flush_all()
            [row] = claims.claim_due(self.env, 7, 9, 9)
            with patch.object(vault, "unseal", lambda *_args: "secret"):
                job = MailboxWork(self.account, row).job()
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
        with patch.object(cron.resource, "getrlimit", lambda _what: (soft, -1)):
            run = RunTime(120.0)
        self.assertFalse(run.over)
        busy(0.3)
        self.assertTrue(run.over)

    def test_which_limit_holds(self):
        limits = {"limit_time_real": 120, "limit_time_real_cron": -1}
        self.startPatcher(patch.dict(config.options, limits))
        self.assertEqual(seconds_allowed(), 120)
        config.options["limit_time_real_cron"] = 600
        self.assertEqual(seconds_allowed(), 600)
        # "Run manually" is a request.
        with patch.object(self.thread, "type", "http", create=True):
            self.assertEqual(seconds_allowed(), 120)
        config.options["limit_time_real_cron"] = 0
        self.assertEqual(seconds_allowed(), 120, "no limit: as usual")
