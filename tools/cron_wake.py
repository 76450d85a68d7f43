"""Starts a scheduled action, without keeping whoever asks for it waiting.

Odoo's cron workers are woken after a request was answered, not before. Core opens a
connection for every wake-up (``ir.cron._notifydb``; sql_db.py keeps none to the
database "postgres"): a tenth of the time of posting a comment. Nobody needs to wait for
it, nor for a thread to start, and one is enough for all that was made meanwhile. When
the process ends before, the workers look by themselves, once a minute.
"""

import logging
import time
from queue import SimpleQueue
from threading import Lock, Thread

from odoo import fields
from odoo.tools import SQL

# Longer than an answer takes to be written after the commit.
DELAY_SECONDS = 0.1

_logger = logging.getLogger(__name__)


class _Waker(Thread):
    """One for a process: a fork of a process has none of its threads."""

    def __init__(self):
        super().__init__(name=__name__, daemon=True)
        self._wanted = SimpleQueue()  # of ir.cron
        self._planned = set()  # names of databases

    def plan(self, cron):
        database = cron.env.cr.dbname
        if database not in self._planned:
            self._planned.add(database)
            self._wanted.put(cron)

    def run(self):
        while True:
            self._wake(self._wanted.get())

    def _wake(self, cron):
        time.sleep(DELAY_SECONDS)
        # What is committed from now on needs another one.
        self._planned.discard(cron.env.cr.dbname)
        try:
            cron._notifydb()
        except Exception:
            _logger.warning("The cron workers could not be woken", exc_info=True)


_lock = Lock()
_waker = None


def wake_soon(cron):
    """Wake the workers of ``cron``'s database; to be called after the commit."""
    global _waker
    with _lock:
        if not (_waker and _waker.is_alive()):
            _waker = _Waker()
            _waker.start()
        _waker.plan(cron)


def start_at(env, xmlid, times):
    """Have a scheduled action run once this transaction is committed, or when due.

    As ``ir.cron._trigger``, without the two queries for the cron's own values and
    without the ORM: everybody who posts waits for it.

    :param set times: not before; in UTC, without a time zone
    :return: whether it will: an administrator may have deleted or archived it
    """
    cron_id = env["ir.model.data"]._xmlid_to_res_id(xmlid) or 0
    rows = SQL(", ").join(SQL("(%s)", time) for time in times)
    env.cr.execute(
        SQL(
            """
            INSERT INTO ir_cron_trigger (cron_id, call_at)
            SELECT c.id, t.call_at::timestamp
              FROM ir_cron c, (VALUES %s) AS t (call_at)
             WHERE c.id = %s AND c.active
            """,
            rows,
            cron_id,
        )
    )
    if not env.cr.rowcount:
        return False
    if min(times) <= fields.Datetime.now():
        cron = env["ir.cron"].browse(cron_id)
        env.cr.postcommit.add(lambda: wake_soon(cron))
    return True
