"""One run of the sending: several accounts at a time.

Each account is delivered in a thread with a database cursor of its own, so that a slow
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

from odoo import api, fields
from odoo.tools import SQL

from .account import deliver

_logger = logging.getLogger(__name__)

_NEVER = fields.Datetime.to_datetime("1970-01-01")
# Seconds between two looks for accounts that have something to send meanwhile.
_LOOK_AGAIN = 1.0


class _Delivery(threading.Thread):
    """Delivers one account. ``dbname``: also for Odoo's log.

    ``is_late``: its run is over.
    """

    is_late = False

    def __init__(self, account_id, dbname, target, args):
        super().__init__(
            name=f"delivery-{account_id}", target=target, args=args, daemon=True
        )
        self.account_id, self.dbname = account_id, dbname


def _late_ones(dbname):
    """Ids of the accounts of a database that threads of earlier runs still deliver."""
    return {
        thread.account_id
        for thread in threading.enumerate()
        if isinstance(thread, _Delivery) and thread.is_late and thread.dbname == dbname
    }


def due_accounts(env):
    """The accounts that something waits for now; who waited longest comes first."""
    mails = env["mail.mail"]
    groups = mails._read_group(mails._external_due_domain(), ["sending_address_id"])
    addresses = env["mail.external.address"].union(*(address for [address] in groups))
    now = fields.Datetime.now()
    accounts = addresses.account_id.filtered(
        lambda account: (
            not account.delivery_next_try or account.delivery_next_try <= now
        )
    )
    return accounts.sorted(lambda a: (a.delivery_last_run or _NEVER, a.id))


def next_delivery(env):
    """When something waits for its time to be sent: the earliest of these times."""
    rows = env.execute_query(
        SQL(
            """
            SELECT min(greatest(m.scheduled_date, m.external_next_try,
                                a.delivery_next_try))
              FROM mail_mail m
              JOIN mail_external_address e ON e.id = m.sending_address_id
              JOIN mail_external_account a ON a.id = e.account_id
             WHERE m.state = 'outgoing' AND e.state = 'working' AND e.active
            """
        )
    )
    return rows[0][0]


class DeliveryRun:
    """Delivers what is due until nothing is, or until its time is over.

    It ends in time though a server keeps a mail for long: what is under way then ends
    in its thread, which goes on to hold the account. To give it up would be to send
    its mail twice.

    :param env: in superuser mode
    :param int threads: how many accounts at a time
    :param RunTime run_time: how long all of it may take
    """

    def __init__(self, env, threads, run_time):
        self.env = env
        self.time = run_time
        # Each takes connections to the database, the late ones of earlier runs too.
        late = len(_late_ones(self.env.cr.dbname))
        self.threads = max(threads - late, (threads + 1) // 2)
        self.waiting = deque()  # ids, who waited longest first
        self.active = {}  # id -> thread
        self.rest_until = {}  # id -> time.monotonic(), of what had nothing more to send
        self.next_look = 0.0
        self.events = queue.SimpleQueue()  # None: a mail left; (id, more): one is done
        self.woken = False  # the other scheduled actions that send

    def run(self):
        """:return: whether something was still due when the time was over"""
        while True:
            over = self.time.over
            if not over:
                self._begin()
            if not self.active or self.time.ended:
                for thread in self.active.values():
                    thread.is_late = True
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
            until = now + (self.time.begin_until - now) / turns
            self.active[account_id] = thread = _Delivery(
                account_id, self.env.cr.dbname, self._deliver, (account_id, until)
            )
            thread.start()

    def _due(self):
        """Ids of the due accounts that nobody delivers and that do not rest."""
        self.env.cr.commit()  # pylint: disable=invalid-commit
        self.env.invalidate_all()
        due = due_accounts(self.env).ids
        self.env.cr.commit()  # pylint: disable=invalid-commit # no old snapshot waits
        now, late = time.monotonic(), _late_ones(self.env.cr.dbname)
        return [
            account_id
            for account_id in due
            if account_id not in self.active
            and account_id not in late
            and self.rest_until.get(account_id, 0.0) <= now
        ]

    def _share(self):
        """There is more to do than one run can at a time: wake the others."""
        if len(self.waiting) > self.threads and not self.woken:
            self.env["ir.cron"]._external_wake_others("deliver")
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
        self.active.pop(account_id, None)
        if more:
            self.next_look = 0.0
        else:
            self.rest_until[account_id] = time.monotonic() + _LOOK_AGAIN

    # In the account's thread

    def _deliver(self, account_id, deadline):
        more, env = False, self.env
        try:
            with env.registry.cursor() as cr:
                # without the scheduled action's own keys: its progress is the run's
                own = api.Environment(cr, env.uid, {}, su=True)
                account = own["mail.external.account"].browse(account_id)
                more = deliver(account, deadline, self.time.last, self._note_sent)
            env.registry.signal_changes()  # what was cleared in this thread's caches
        except Exception:
            _logger.exception("Delivery of external account %s", account_id)
        finally:
            self.events.put((account_id, more))

    def _note_sent(self):
        self.events.put(None)
