"""How long one run of our scheduled actions may take."""

import threading
import time

from odoo.tools import config

try:
    import resource
except ImportError:  # Windows, where Odoo has no worker processes
    resource = None

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
