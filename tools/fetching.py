"""One run of the fetching: many mailboxes at a time, threads for the network only.

The thread of the run owns the database; each visit's thread asks it, and waits.
"""

import logging
import queue
import threading
import time

from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY

from ..mailkit.errors import ErrorCode, MailError
from .mailbox_visit import Failed, Stopped, Whole, visit
from .mailbox_work import MailboxWork

_logger = logging.getLogger(__name__)

_TRIES = 5
# Seconds between two looks for mailboxes that have become due meanwhile.
_LOOK_AGAIN = 1.0


class FetchRun:
    """Reads what is due until nothing is, or until ``deadline``.

    :param accounts: empty mail.external.account in superuser mode
    :param int number: what the mailboxes are claimed with
    :param int threads: how many mailboxes at a time
    :param float deadline: time.monotonic() after which nothing new is begun
    """

    def __init__(self, accounts, number, threads, deadline):
        self.accounts = accounts
        self.env = accounts.env
        self.number = number
        self.threads = threads
        self.deadline = deadline
        self.requests = queue.SimpleQueue()
        self.active = {}
        self.next_claim = 0.0

    def run(self):
        """:return: whether something was still due when the time was over"""
        while True:
            over = time.monotonic() > self.deadline
            if not over:
                self._claim()
            if not self.active:
                return over
            try:
                request = self.requests.get(timeout=_LOOK_AGAIN)
            except queue.Empty:
                continue
            self._answer(*request)

    def _claim(self):
        free = self.threads - len(self.active)
        now = time.monotonic()
        if free <= 0 or (self.active and now < self.next_claim):
            return
        self.next_claim = now + _LOOK_AGAIN
        for row, job in self.accounts._claim_due(self.number, free):
            work = MailboxWork(self.accounts.browse(row["id"]), row)
            self.active[work.account.id] = work
            if isinstance(job, MailError):
                self._end(work, job)
                continue
            threading.Thread(
                target=self._visit,
                args=(work, job),
                name=f"mailbox-{work.account.id}",
                daemon=True,
            ).start()

    # In the visit's thread

    def _visit(self, work, job):
        replies = queue.SimpleQueue()

        def ask(request):
            self.requests.put((work, request, replies))
            answer = replies.get()
            if isinstance(answer, Stopped):
                raise answer
            return answer

        end = None
        try:
            visit(job, ask)
        except (MailError, Stopped) as error:
            end = error
        except Exception:
            _logger.exception("Reading mailbox %s", work.account.id)
            end = MailError(ErrorCode.PROTOCOL_ERROR)
        self.requests.put((work, end, None))

    # In the run's thread

    def _answer(self, work, request, replies):
        if replies is None:
            self._end(work, request)
        elif time.monotonic() > self.deadline:
            replies.put(Stopped())
        else:
            taken_in = int(isinstance(request, Whole))
            replies.put(
                self._in_transaction(lambda: work.answer(request), work, taken_in)
            )

    def _end(self, work, error):
        del self.active[work.account.id]
        if isinstance(error, Failed):
            error = MailError(ErrorCode.TEMPORARY)
        if isinstance(error, Stopped):
            self._in_transaction(work.put_back, work)
        else:
            self._in_transaction(lambda: work.finish(error), work)

    def _in_transaction(self, function, work, taken_in=0):
        """Commit what ``function`` did, or nothing; a conflict is tried again.

        :param int taken_in: messages, of which the scheduled action tells as progress
        :return: what it returned; Failed when it cannot be done now
        """
        for attempt in range(_TRIES):
            try:
                answer = function()
                if taken_in:
                    # Without progress Odoo takes a third crash in a row for a hung
                    # action, and leaves it out for ten minutes.
                    self.env["ir.cron"]._commit_progress(taken_in)
                else:  # two queries less
                    self.env.cr.commit()  # pylint: disable=invalid-commit
                return answer
            except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY:
                self.env.cr.rollback()
                self.env.invalidate_all()
                time.sleep(0.05 * 2**attempt)
            except Exception:
                self.env.cr.rollback()
                self.env.invalidate_all()
                _logger.exception("Mailbox %s", work.account.id)
                break
        return Failed()
