"""Wakes Odoo's cron workers after a request was answered, not before.

Core opens a connection for every wake-up (``ir.cron._notifydb``; sql_db.py keeps none
to the database "postgres"): a tenth of the time of posting a comment. Nobody needs to
wait for it, and one is enough for all that was made meanwhile. When the process ends
before, the workers look by themselves, once a minute.
"""

from threading import Lock, Timer

# Longer than an answer takes to be written after the commit.
DELAY_SECONDS = 0.1

_lock = Lock()
_planned = set()  # names of databases


def wake_soon(cron):
    """Wake the workers of ``cron``'s database; to be called after the commit."""
    database = cron.env.cr.dbname
    with _lock:
        if database in _planned:
            return
        _planned.add(database)
    timer = Timer(DELAY_SECONDS, _wake, (cron, database))
    timer.daemon = True
    timer.start()


def _wake(cron, database):
    with _lock:
        _planned.discard(database)  # what is committed from now on needs another one
    cron._notifydb()
