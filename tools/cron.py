"""How our scheduled actions are started, and how long one run of them may take.

They are started without keeping whoever asks for it waiting. Odoo's cron workers are
woken after a request was answered, not before. Core opens a connection for every
wake-up (``ir.cron._notifydb``; sql_db.py keeps none to the database "postgres"): a
tenth of the time of posting a comment. Nobody needs to wait for it, nor for a thread to
start, and one is enough for all that was made meanwhile. When the process ends before,
the workers look by themselves, once a minute.
"""

import logging
import threading
import time
from queue import SimpleQueue

from odoo import fields
from odoo.tools import SQL, config

try:
    import resource
except ImportError:  # Windows, where Odoo has no worker processes
    resource = None

# Longer than an answer takes to be written after the commit.
DELAY_SECONDS = 0.1

# Odoo counts together what a thread or a worker does in a row (odoo/service/server.py):
# reading, sending, and some of core's own have to fit.
_SHARE, _ALL = 0.45, 0.9
# Nothing is begun in the last part of it, and half of the processor's time is left.
_BEGIN, _PROCESSOR = 0.85, 0.5
# What is begun in time gets so much of it, and seconds at most.
_VISIT, _VISIT_SECONDS = 2 / 3, 90.0
# What has not ended so many seconds after the end is left alone.
_GRACE = 2.0
# Odoo's own default, where there is no limit.
_USUAL_SECONDS = 120.0

_logger = logging.getLogger(__name__)

# How long a run may take


def seconds_allowed():
    """What Odoo allows to a scheduled action; it ends who takes longer."""
    limit = config["limit_time_real"]
    if getattr(threading.current_thread(), "type", None) != "http":
        cron = config["limit_time_real_cron"]
        limit = limit if cron == -1 else cron
    return float(limit) if limit and limit > 0 else _USUAL_SECONDS


class RunTime:
    """The time of one run, from now on.

    All moments are those of time.monotonic(). ``begin_until``: nothing new is begun
    after it. ``end``: the run has to be over. ``last``: what it left alone has to be
    over. ``visit``: the seconds that one mailbox gets at most.

    :param float limit: seconds of real time that Odoo allows
    """

    def __init__(self, limit):
        now = time.monotonic()
        began = getattr(threading.current_thread(), "start_time", None)
        used = time.time() - began if began else 0.0
        seconds = max(min(limit * _SHARE, limit * _ALL - used), 0.0)
        self.end = now + seconds
        self.last = now + limit * _ALL
        self.visit = min(seconds * _VISIT, _VISIT_SECONDS)
        self.begin_until = now + seconds * _BEGIN
        self._processor_until = _processor_end()

    @property
    def left(self):
        """Seconds until the end; not negative."""
        return max(self.end - time.monotonic(), 0.0)

    @property
    def over(self):
        """Whether nothing new may be begun."""
        return (
            time.monotonic() > self.begin_until
            or time.process_time() > self._processor_until
        )

    @property
    def ended(self):
        """Whether what is still not over hangs."""
        return time.monotonic() > self.end + _GRACE


def _processor_end():
    """The processor's time at which to stop: Odoo limits that of a worker process."""
    now = time.process_time()
    limit = resource and resource.getrlimit(resource.RLIMIT_CPU)[0]
    if limit is None or limit == resource.RLIM_INFINITY:
        return float("inf")
    return now + (limit - now) * _PROCESSOR


# Started soon


class _Waker(threading.Thread):
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


_lock = threading.Lock()
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
