"""One run of the fetching: many mailboxes at a time, threads for the network only.

The thread of the run owns the database; each visit's thread asks it, and waits. What
is asked meanwhile is answered together, in one transaction: core reads the same users,
aliases and settings for every message, and then reads them once.
"""

import logging
import queue
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY

from ..mailkit.errors import ErrorCode, MailError
from .mailbox_visit import Failed, Stopped, Whole, visit
from .mailbox_work import MailboxWork

_logger = logging.getLogger(__name__)

_TRIES = 5
# Seconds between two looks for mailboxes that have become due meanwhile.
_LOOK_AGAIN = 1.0
# How much is answered in one transaction: others may wait for its locks.
_AT_ONCE, _AT_ONCE_SECONDS = 16, 0.5


@dataclass(frozen=True)
class _Request:
    """What a visit asks for; ``replies`` None: it is over, ``asked`` says why."""

    work: MailboxWork
    asked: Any  # one of the classes of ``mailbox_visit``; MailError, Stopped or None
    replies: queue.SimpleQueue | None

    @property
    def is_end(self):
        return self.replies is None

    @property
    def messages(self):
        return int(isinstance(self.asked, Whole))

    @property
    def is_large(self):
        source = self.asked.raw if self.messages else None
        return source is not None and source.is_large


class _Asking:
    """What a visit asks the run with, one thing at a time.

    Called it waits for the answer. ``later`` returns a function that does: the mail
    server can be asked meanwhile.
    """

    def __init__(self, work, requests):
        self._work = work
        self._requests = requests
        self._replies = queue.SimpleQueue()

    def __call__(self, asked):
        return self.later(asked)()

    def later(self, asked):
        self._requests.put(_Request(self._work, asked, self._replies))
        return self._receive

    def _receive(self):
        answer = self._replies.get()
        if isinstance(answer, Stopped):
            raise answer
        return answer


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
        self.held = []  # requests that were taken out of the queue, and wait
        self.active = {}
        self.next_claim = 0.0
        self.woken = False  # the other scheduled actions that read mailboxes

    def run(self):
        """:return: whether something was still due when the time was over"""
        while True:
            over = time.monotonic() > self.deadline
            if not over:
                self._claim()
            if not self.active:
                return over
            if requests := self._next_requests():
                self._answer(requests)

    def _claim(self):
        free = self.threads - len(self.active)
        now = time.monotonic()
        if free <= 0 or (self.active and now < self.next_claim):
            return
        claimed = self._claimed(free)
        # As many as were asked for: there are more, for the next that are free.
        self.next_claim = now + (0 if len(claimed) == free else _LOOK_AGAIN)
        if len(claimed) == self.threads and not self.woken:
            self.accounts._wake_identical_crons("fetch")
            self.env.cr.commit()  # pylint: disable=invalid-commit
            self.woken = True
        for row, job in claimed:
            work = MailboxWork(self.accounts.browse(row["id"]), row)
            self.active[work.account.id] = work
            if isinstance(job, MailError):
                self.held.append(_Request(work, job, None))
                continue
            threading.Thread(
                target=self._visit,
                args=(work, job),
                name=f"mailbox-{work.account.id}",
                daemon=True,
            ).start()

    def _claimed(self, limit):
        for attempt in range(_TRIES):
            try:
                return self.accounts._claim_due(self.number, limit)
            except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY:
                # Another run was faster with one of them; now it is not due any more.
                self.env.cr.rollback()
                self.env.invalidate_all()
                time.sleep(0.01 * 2**attempt)
        return []

    # In the visit's thread

    def _visit(self, work, job):
        end = None
        try:
            visit(job, _Asking(work, self.requests))
        except (MailError, Stopped) as error:
            end = error
        except Exception:
            _logger.exception("Reading mailbox %s", work.account.id)
            end = MailError(ErrorCode.PROTOCOL_ERROR)
        self.requests.put(_Request(work, end, None))

    # In the run's thread

    def _next_requests(self):
        """What is asked now, the oldest first; a large message comes alone.

        :return: list of _Request; empty when nothing came for a while
        """
        waiting = self.held
        with suppress(queue.Empty):
            if not waiting:
                waiting.append(self.requests.get(timeout=_LOOK_AGAIN))
            while len(waiting) < _AT_ONCE:
                waiting.append(self.requests.get_nowait())
        count = next((n for n, each in enumerate(waiting) if each.is_large), _AT_ONCE)
        taken = waiting[: max(count, 1)]
        self.held = waiting[len(taken) :]
        return taken

    def _answer(self, requests):
        if time.monotonic() > self.deadline:
            for request in requests:
                if not request.is_end:
                    request.replies.put(Stopped())
            requests = [request for request in requests if request.is_end]
        answers = self._together(requests)
        if answers is None:  # one of them cannot be kept: which one?
            answers = [self._alone(request) for request in requests]
        # What did not fit into this transaction comes first in the next one.
        self.held[:0] = requests[len(answers) :]
        for request, answer in zip(requests, answers, strict=False):
            if request.is_end:
                del self.active[request.work.account.id]
            else:
                request.replies.put(answer)

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
                return self._in_transaction([request])[0]
            except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY:
                time.sleep(0.05 * 2**attempt)
            except Exception:
                _logger.exception("Mailbox %s", request.work.account.id)
                break
        return Failed()

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
            if not request.is_end:
                answers.append(work.answer(asked))
            elif isinstance(asked, Failed):
                answers.append(work.finish(MailError(ErrorCode.TEMPORARY)))
            elif isinstance(asked, Stopped):
                answers.append(work.put_back())
            else:
                answers.append(work.finish(asked))
            if time.monotonic() > end:
                break
        return answers
