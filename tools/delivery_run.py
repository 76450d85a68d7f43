"""One run of the sending: several accounts at a time.

Each account is served in a thread with a database cursor of its own, so that a slow
server, or one that hangs, delays nobody else's mail. The thread of the run only decides
whose turn it is.
"""

import logging
import math
import queue
import threading
import time
from collections import deque
from contextlib import suppress

from odoo import api

_logger = logging.getLogger(__name__)

# Seconds between two looks for accounts that have something to send meanwhile.
_LOOK_AGAIN = 1.0


class DeliveryRun:
    """Serves what is due until nothing is, or until ``deadline``.

    :param accounts: empty mail.external.account in superuser mode
    :param int threads: how many accounts at a time
    :param float deadline: time.monotonic() after which nothing new is begun
    """

    def __init__(self, accounts, threads, deadline):
        self.accounts = accounts
        self.env = accounts.env
        self.threads = threads
        self.deadline = deadline
        self.waiting = deque()  # ids, who waited longest first
        self.active = set()
        self.rest_until = {}  # id -> time.monotonic(), of what had nothing more to send
        self.next_look = 0.0
        self.events = queue.SimpleQueue()  # None: a mail left; (id, more): one is done
        self.woken = False  # the other scheduled actions that send

    def run(self):
        """:return: whether something was still due when the time was over"""
        while True:
            over = time.monotonic() > self.deadline
            if not over:
                self._begin()
            if not self.active:
                return over and bool(self._due())
            self._wait()

    def _begin(self):
        now = time.monotonic()
        if len(self.active) < self.threads and now >= self.next_look:
            self.waiting = deque(self._due())
            self.next_look = now + _LOOK_AGAIN
            self._share()
        while self.waiting and len(self.active) < self.threads:
            # A slow one may not use up the time of those behind it.
            turns = math.ceil(len(self.waiting) / self.threads)
            account_id = self.waiting.popleft()
            if account_id in self.active:
                continue
            self.active.add(account_id)
            threading.Thread(
                target=self._serve,
                args=(account_id, now + (self.deadline - now) / turns),
                name=f"delivery-{account_id}",
                daemon=True,
            ).start()

    def _due(self):
        """Ids of the accounts that something waits for now."""
        self.env.cr.commit()  # pylint: disable=invalid-commit
        self.env.invalidate_all()
        due = self.accounts._accounts_with_due_mail().ids
        self.env.cr.commit()  # pylint: disable=invalid-commit # no old snapshot waits
        now = time.monotonic()
        return [
            account_id
            for account_id in due
            if account_id not in self.active
            and self.rest_until.get(account_id, 0.0) <= now
        ]

    def _share(self):
        """There is more to do than one run can at a time: wake the others."""
        if len(self.waiting) > self.threads and not self.woken:
            self.accounts._wake_identical_crons("deliver")
            self.env.cr.commit()  # pylint: disable=invalid-commit
            self.woken = True

    def _wait(self):
        """Until something happens, or it is time to look again."""
        sent = 0
        with suppress(queue.Empty):
            event = self.events.get(timeout=_LOOK_AGAIN)
            while True:
                if event is None:
                    sent += 1
                else:
                    self._done(*event)
                event = self.events.get_nowait()
        if sent:
            # Without progress Odoo takes a third crash in a row for a hung action, and
            # leaves it out for ten minutes.
            self.env["ir.cron"]._commit_progress(sent)

    def _done(self, account_id, more):
        self.active.discard(account_id)
        if more:
            self.next_look = 0.0
        else:
            self.rest_until[account_id] = time.monotonic() + _LOOK_AGAIN

    # In the account's thread

    def _serve(self, account_id, deadline):
        more, env = False, self.env
        threading.current_thread().dbname = env.cr.dbname  # for Odoo's log
        try:
            with env.registry.cursor() as cr:
                # without the scheduled action's own keys: its progress is the run's
                own = api.Environment(cr, env.uid, {}, su=True)
                account = own["mail.external.account"].browse(account_id)
                more = account._deliver_one(deadline, self._note_sent)
            env.registry.signal_changes()  # what was cleared in this thread's caches
        except Exception:
            _logger.exception("Delivery of external account %s", account_id)
        finally:
            self.events.put((account_id, more))

    def _note_sent(self):
        self.events.put(None)
