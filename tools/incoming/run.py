"""One run of the scheduled action "fetch": many mailboxes at a time.

The map::

    mail server  <->  visit.visit        a thread for each mailbox: no database
                        |       ^
        Asked, into one |       | the answer, or Stopped, into a queue
          queue for all |       | of this visit alone (visit.Asking)
                        v       |
                      FetchRun           the thread of the run: no network
                        |       ^
                        v       |
    database     <->  work.MailboxWork   one for each mailbox: what to fetch and keep
                        |
                        v
                      intake.Intake      one message: what it is, its row in the ledger
                        |
                        v
                      gateway            hands it over to core's gateway

- The thread of the run is that of the scheduled action
  (``mail.external.account._cron_fetch``), and owns the database.
- Each visit waits for every answer, so a mailbox has one question at a time. What
  several ask meanwhile is answered together, in one transaction: core reads the same
  users, aliases and settings for every message, and then reads them once. When that
  fails, it is answered one by one.
- An answer is put into its queue after the commit. So what a visit was told is kept,
  and a message is kept together with how far its folder is.
- A crash of Odoo leaves mailboxes with the number of a dead run. The next run claims
  them (``claims.claim_due``), counts the crash, and goes on where the folders are; what
  it judges then is marked first (``work.Marks``), to leave out what Odoo does not
  survive three times.
- A mail server that hangs keeps its thread, not the run: ``_leave_alone``. What such a
  visit asks for later is answered with Stopped.
"""

import logging
import queue
import threading
import time
from contextlib import suppress

import psycopg2
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY

from ...mailkit.connection.network import Deadline
from ...mailkit.errors import ErrorCode, MailError
from .claims import claim_due
from .requests import Asked, Choice, Cut, Failed, Fetched, Scanned, Stopped
from .visit import Asking, visit
from .work import MailboxWork

_logger = logging.getLogger(__name__)

_TRIES = 5
# Seconds until it is asked again which mailboxes have become due meanwhile.
_CLAIM_AGAIN = 1.0
# How much is answered in one transaction: others may wait for its locks.
_AT_ONCE, _AT_ONCE_SECONDS = 16, 0.5


class FetchRun:
    """Reads what is due until nothing is, or until its time is over.

    Every visit ends in time, whatever its mail server does: with its own deadline, or
    left alone in its thread.

    :param accounts: empty mail.external.account in superuser mode
    :param int number: what the mailboxes are claimed with
    :param int threads: how many mailboxes at a time
    :param RunTime run_time: how long all of it may take
    """

    def __init__(self, accounts, number, threads, run_time):
        self.accounts = accounts
        self.env = accounts.env
        self.number = number
        self.threads = threads
        self.time = run_time
        self.requests = queue.SimpleQueue()
        self.held = []  # requests that were taken out of the queue, and wait
        self.active = {}  # id of an account -> (MailboxWork, its Asking or None)
        self.next_claim = 0.0
        self.more = False  # a mailbox waits to be gone on with
        self.woken = False  # the other scheduled actions that read mailboxes

    def run(self):
        """:return: whether something was still due when the time was over"""
        while True:
            over = self.time.over
            if not over:
                self._claim()
            if not self.active:
                return over or self.more
            if requests := self._next_requests():
                self._answer(requests)
            elif self.time.ended:
                self._leave_alone()
                return True

    def _claim(self):
        free = self.threads - len(self.active)
        now = time.monotonic()
        if free <= 0 or (self.active and now < self.next_claim):
            return
        claimed = self._claimed(free)
        # As many as were asked for: there are more, for the next that are free.
        self.next_claim = now + (0 if len(claimed) == free else _CLAIM_AGAIN)
        if len(claimed) == self.threads and not self.woken:
            self.env["ir.cron"]._external_wake_others("fetch")
            self.env.cr.commit()  # pylint: disable=invalid-commit
            self.woken = True
        for row in claimed:
            self._begin(MailboxWork(self.accounts.browse(row["id"]), row))

    def _begin(self, work):
        """Visit the mailbox, in a thread."""
        try:
            job = work.job()
        except MailError as error:
            self.active[work.account.id] = (work, None)
            self.held.append(Asked(work, error, None))
            return
        asking = Asking(work, self.requests)
        self.active[work.account.id] = (work, asking)
        threading.Thread(
            target=self._visit,
            args=(work, job, asking),
            name=f"mailbox-{work.account.id}",
            daemon=True,
        ).start()

    def _troubled(self):
        """How many more mailboxes of slow servers may be read at the same time.

        They get all their time, and never all the threads.
        """
        if self.time.left < self.time.visit:
            return 0
        active = sum(work.is_troubled for work, _asking in self.active.values())
        return max((self.threads + 1) // 2 - active, 0)

    def _claimed(self, limit):
        for attempt in range(_TRIES):
            try:
                return claim_due(self.env, self.number, limit, self._troubled())
            except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY:
                # Another run was faster with one of them; now it is not due any more.
                self.env.cr.rollback()
                self.env.invalidate_all()
                time.sleep(0.01 * 2**attempt)
        return []

    # In the visit's thread

    def _visit(self, work, job, asking):
        end = None
        seconds = min(self.time.visit, self.time.left)
        deadline = Deadline(seconds)
        try:
            visit(job, asking, deadline)
        except Stopped as error:
            end = error
        except MailError as error:
            end = error
            if deadline.over:
                end = Cut(error, early=seconds < self.time.visit)
        except Exception:
            _logger.exception("Reading mailbox %s", work.account.id)
            end = MailError(ErrorCode.PROTOCOL_ERROR)
        self.requests.put(Asked(work, end, None))

    # In the run's thread

    def _next_requests(self):
        """What is asked now, the oldest first; a large message comes alone.

        :return: list of Asked; empty when nothing came for a while
        """
        waiting = self.held
        with suppress(queue.Empty):
            if not waiting:
                waiting.append(self.requests.get(timeout=_CLAIM_AGAIN))
            while len(waiting) < _AT_ONCE:
                waiting.append(self.requests.get_nowait())
        count = next((n for n, each in enumerate(waiting) if each.is_alone), _AT_ONCE)
        taken = waiting[: max(count, 1)]
        self.held = waiting[len(taken) :]
        return taken

    def _answer(self, requests):
        if self.time.over:
            for request in requests:
                if not request.keeps:
                    request.replies.put(Stopped())
            requests = [request for request in requests if request.keeps]
        answers = self._together(requests)
        if answers is None:  # one of them cannot be kept: which one?
            answers = [self._alone(request) for request in requests]
        # What did not fit into this transaction comes first in the next one.
        self.held[:0] = requests[len(answers) :]
        for request, answer in zip(requests, answers, strict=False):
            if request.is_end:
                self.active.pop(request.work.account.id, None)
                self.more = self.more or isinstance(request.asked, Cut)
            else:
                request.replies.put(answer)

    def _leave_alone(self):
        """What hangs, hangs without the run: its mailbox is read again later."""
        late = list(self.active.values())
        for work, asking in late:
            _logger.warning("Reading mailbox %s hangs", work.account.id)
            if asking:
                asking.end()
        cut = Cut(MailError(ErrorCode.TIMEOUT))
        self.held = [Asked(work, cut, None) for work, _asking in late]
        while self.held:
            self._answer(self._next_requests())

    def _together(self, requests):
        """Commit what all of them ask for, or nothing.

        :return: answers to the first of them, as many as time allows; None on failure
        """
        if len(requests) < 2:
            return None
        try:
            return self._in_transaction(requests)
        except Exception:
            _logger.debug("One by one", exc_info=True)
            return None

    def _alone(self, request):
        """Commit what one asks for, or nothing; a conflict is tried again.

        :return: the answer; Failed when it cannot be done now
        """
        for attempt in range(_TRIES):
            try:
                self._mark(request)
                return self._in_transaction([request])[0]
            except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY:
                time.sleep(0.05 * 2**attempt)
            except (psycopg2.OperationalError, MemoryError):  # nothing is wrong with it
                _logger.exception("Mailbox %s", request.work.account.id)
                break
            except Exception:
                _logger.exception("Mailbox %s", request.work.account.id)
                return self._without(request)
        return Failed()

    def _mark(self, request):
        """Before something is judged that Odoo may not survive."""
        marks = request.work.marks
        if not request.is_end and marks.wanted(request.asked):
            marks.mark(request.asked)
            self.env.cr.commit()  # pylint: disable=invalid-commit

    def _without(self, request):
        """The answer to what nobody can judge, whatever it is that it holds."""
        if not isinstance(request.asked, Scanned | Fetched):
            return Failed()
        if isinstance(request.asked, Scanned) and len(request.asked.names) > 1:
            return Choice((), 0)  # one by one
        try:
            answer = request.work.pass_by(request.asked, "not_understood")
            self.env.cr.commit()  # pylint: disable=invalid-commit
        except Exception:
            self.env.cr.rollback()
            self.env.invalidate_all()
            _logger.exception("Mailbox %s", request.work.account.id)
            return Failed()
        return answer

    def _in_transaction(self, requests):
        before = [(each.work, each.work.progress) for each in requests]
        try:
            answers = self._answers(requests)
            answered = requests[: len(answers)]
            if any(each.is_end and each.work.progress.answers for each in answered):
                self.env["mail.external.arrival"]._let_notifications_leave()
            if messages := sum(each.messages for each in answered):
                # Without progress Odoo takes a third crash in a row for a hung
                # action, and leaves it out for ten minutes.
                self.env["ir.cron"]._commit_progress(messages)
            else:  # two queries less
                self.env.cr.commit()  # pylint: disable=invalid-commit
        except Exception:
            self.env.cr.rollback()
            self.env.invalidate_all()
            for work, progress in before:
                work.progress = progress
            raise
        return answers

    def _answers(self, requests):
        answers, end = [], time.monotonic() + _AT_ONCE_SECONDS
        for request in requests:
            work, asked = request.work, request.asked
            answers.append(work.end(asked) if request.is_end else work.answer(asked))
            if time.monotonic() > end:
                break
        return answers
