"""Headers that take long, and messages that Odoo does not survive."""

import time
from unittest.mock import patch

from ..tools.incoming import facts
from ..tools.incoming import work as reading_work
from ..tools.incoming.requests import Choice, Fetched
from ..tools.incoming.work import CRASHES
from .reading_case import LOGGER, ReadingCase


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
        self.patch(facts, "SLICE_SECONDS", 0.1)
        self.patch(reading_work, "SLICE_SECONDS", 0.1)
        self.patch(reading_work, "HEAVY_SECONDS", 0.2)

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
        slow = slow_for(facts.parse_headers, lambda raw: b"t@x.example" in raw, 0.3)
        work = self.work()
        with patch.object(facts, "parse_headers", slow):
            choice = work.answer(self.seen(self.trap(), self.mail(), first=11))
        self.assertEqual(choice, Choice((), 1), "others wait for the next slice")
        self.assert_told()
        choice = work.answer(self.seen(self.mail(), first=12))
        self.assertEqual(choice, Choice((0,), 1))

    def test_a_header_that_takes_long_to_judge_is_shown_by_its_place(self):
        slow = slow_for(
            facts.decide,
            lambda headers: headers.author.email == "t@x.example",
            0.3,
        )
        with patch.object(facts, "decide", slow):
            asked = self.seen(self.trap(), self.mail(), first=11)
            choice = self.work().answer(asked)
        self.assertEqual(choice, Choice((), 1))
        self.assert_told()

    def test_many_that_take_a_little_to_judge_are_not_judged_in_one_go(self):
        slow = slow_for(facts.decide, lambda _headers: True, 0.06)
        with patch.object(facts, "decide", slow):
            began = time.thread_time()
            choice = self.work().answer(self.seen(*map(self.other, range(40))))
            self.assertLess(time.thread_time() - began, 1)
        self.assertLess(choice.judged, 5)
        self.assertFalse(self.quarantine())

    def test_many_that_take_a_little_are_not_judged_in_one_go(self):
        slow = slow_for(facts.parse_headers, lambda raw: b"y.example" in raw, 0.06)
        with patch.object(facts, "parse_headers", slow):
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
        self.assertFalse(marks.wanted(Fetched(self.folder, 0, "1", None)))

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
        with self.assertLogs(LOGGER, "WARNING"):
            self.assertEqual(work.answer(asked), Choice((), 1))
        self.assertEqual(self.quarantine(), [("too_heavy", "INBOX 1")])
        self.assertEqual(self.folder_row.state["next_uid"], 2)

    def test_a_whole_message_is_marked_too(self):
        state = {"path": "INBOX", "next_uid": 2}
        asked = Fetched(self.folder, 0, "1", None, state=state)
        for crash in range(CRASHES):
            self.work(crashes=crash + 1).marks.mark(asked)
        work = self.work(crashes=CRASHES + 1)
        with self.assertLogs(LOGGER, "WARNING"):
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
