"""Whose turn it is to let a mail server be asked, and waiting for its answer.

Nobody waits with an open transaction, nor with a connection to the database. Odoo gives
a request one cursor for all of its time, and a cursor holds one of the few connections
of its process (``db_maxconn``). Who lets many requests wait for a slow server takes
them all, and everybody else gets HTTP 500: "The Connection Pool Is Full".
"""

import time
from contextlib import contextmanager
from datetime import timedelta

from odoo.exceptions import UserError
from odoo.sql_db import Cursor, db_connect
from odoo.tools import SQL, config
from psycopg2.pool import PoolError

from ..trusted_context import is_remote_call, own_request

# Checks one user may run in ten minutes: enough to try, too few to scan a network.
CHECKS_PER_TEN_MINUTES = 120
# Nobody guesses a code in so few tries, and no stranger's mailbox is flooded.
CODES_PER_DAY = 10
# Mails of Odoo's that are looked for, see ``probe``.
ARRIVALS_PER_DAY = 20
# As how many checks what is done counts: codes must not flood anybody's mailbox.
COUNTS_AS = {"code": 10, "arrival": 5, "round_trip": 3, "preflight": 3}
_PER_DAY = {"code": CODES_PER_DAY, "arrival": ARRIVALS_PER_DAY}
# First halves of the keys of PostgreSQL's advisory locks: on a user's turn ("meac"),
# and on all of them ("meat").
USER_CLASS = 0x6D656163
ALL_CLASS = 0x6D656174
MOST_AT_A_TIME = 10
# What ends its transaction in the middle. Called by name, it is theirs alone (a new
# session's first one has noted the device).
_ENDING = (
    (
        "mail.external.account.connect",
        *("run_check", "find_settings", "action_send_code", "action_verify_code"),
        "run_preflight",
    ),
    ("mail.external.application", "action_check"),
)
# Seconds to wait for a connection when others hold them all at that moment.
_PATIENCE = 10.0
# What the screen reads from a refusal: it may simply ask again in a moment.
BUSY = {"external_account_busy": True}


def at_a_time():
    """How many checks may wait for servers at the same moment, in the whole database.

    With workers each check takes one of them for its time; some have to be left.
    """
    if config["workers"]:
        return max(config["workers"] // 2, 1)
    return max(min(config["db_maxconn"] // 4, MOST_AT_A_TIME), 1)


class Turn:
    """One check at a time for a user, and few for all together.

    That one is under way stands in a committed line until it is over, or its time is:
    a lock would need a connection as long, and a crash must not lock anybody out. All
    processes and hosts see it. Counted is before the network, whatever comes of it.
    """

    def __init__(self, window, step):
        """
        :param window: one ``mail.external.account.connect``
        :param str step: a check's, or "code"
        """
        self.window, self.env, self.step = window, window.env, step

    @contextmanager
    def taken(self, seconds):
        """Inside, it is this user's turn; what is done is committed at the end.

        Not where the transaction is the caller's: a script's goes on, and is counted.

        :param seconds: how long it takes at the most
        :return: the line of ``mail.external.account.connect.check`` for its result
        :raise UserError: it is not their turn, or there were too many
        """
        if not may_end_transaction(self.env):
            self._check_limits()
            yield self.note_attempt()
            return
        line = self._take(seconds)
        try:
            yield line
            line.running_until = False
            self.env.cr.commit()  # pylint: disable=invalid-commit
        except BaseException:
            self._end(line)
            raise

    def count(self):
        """Count what takes no turn, because it asks nobody's server.

        :raise UserError: this user had their share
        """
        self._check_limits()
        self.note_attempt()

    def _take(self, seconds):
        cr = self.env.cr
        self._check_own_turn()  # the cheapest way to refuse many at once
        cr.commit()  # pylint: disable=invalid-commit
        # What others committed meanwhile has to be seen after waiting for the lock.
        cr.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        try:
            self._check_own_turn(self._lock_turns())
            self._check_all_turns()
            self._check_limits()
            line = self.note_attempt(cr.now() + timedelta(seconds=seconds))
            cr.commit()  # pylint: disable=invalid-commit
        except UserError:
            cr.rollback()  # pylint: disable=invalid-commit
            raise
        return line

    def _check_own_turn(self, is_alone=True):
        """:raise UserError: something of this user is under way"""
        if not is_alone or self._running([("create_uid", "=", self.env.uid)]):
            raise self._busy(
                self.env._(
                    "A test or a code of yours is under way already. Wait until it is "
                    "over (a minute at the most), then try again."
                )
            )

    def _check_all_turns(self):
        """:raise UserError: as many as may are under way"""
        if self._running() >= at_a_time():
            raise self._busy(
                self.env._(
                    "Others are testing their accounts or getting codes at the moment, "
                    "and only some can at a time. Try again in a moment."
                )
            )

    def _end(self, line):
        """Whatever failed: the next one may come at once."""
        cr = self.env.cr
        if cr.closed:
            return  # no connection; the time of the turn will be over soon
        cr.rollback()
        table = SQL.identifier(line._table)
        cr.execute(
            SQL("UPDATE %s SET running_until = NULL WHERE id = %s", table, line.id)
        )
        cr.commit()  # pylint: disable=invalid-commit

    def _lock_turns(self):
        """Whether nobody takes a turn of this user now; then nobody takes any."""
        lock = SQL("SELECT pg_try_advisory_xact_lock(%s, %s)", USER_CLASS, self.env.uid)
        if not self.env.execute_query(lock)[0][0]:
            return False
        self.env.cr.execute(SQL("SELECT pg_advisory_xact_lock(%s, 0)", ALL_CLASS))
        return True

    def _running(self, domain=()):
        """How many are under way."""
        running = [("running_until", ">", self.env.cr.now()), *domain]
        return self._lines().search_count(running)

    def _busy(self, text):
        error = UserError(text)
        error.context = BUSY
        return error

    def _check_limits(self):
        """:raise UserError: this user had their share of tests or codes"""
        if self.step in _PER_DAY:
            self._check_mails_sent()
        since = self.env.cr.now() - timedelta(minutes=10)
        domain = [("create_uid", "=", self.env.uid), ("create_date", ">", since)]
        count = self._lines().search_count(domain) + COUNTS_AS.get(self.step, 1)
        if count > CHECKS_PER_TEN_MINUTES:
            raise UserError(
                self.env._(
                    "Too many tests in a short time. Wait ten minutes, then test again."
                )
            )

    def _check_mails_sent(self):
        """:raise UserError: no further mail today"""
        limit = _PER_DAY[self.step]
        since = self.env.cr.now() - timedelta(days=1)
        domain = [
            ("create_uid", "=", self.env.uid),
            ("create_date", ">", since),
            ("step", "=", self.step),
        ]
        if self._lines().search_count(domain) >= limit * COUNTS_AS[self.step]:
            raise UserError(
                self.env._(
                    "You let %s codes or test mails be sent today, which is the limit. "
                    "Go on tomorrow, or ask a manager to vouch for the address.",
                    limit,
                )
            )

    def note_attempt(self, running_until=False):
        """Count it; return its first line, which is no result without a fingerprint."""
        values = {
            "wizard_id": self.window.id,
            "step": self.step,
            "ok": False,
            "is_private": False,
            "fingerprint": "-",
        }
        lines = self._lines().create(
            [
                {**values, "running_until": not number and running_until}
                for number in range(COUNTS_AS.get(self.step, 1))
            ]
        )
        return lines[0]

    def _lines(self):
        # sudo: written by the server only; the limits go by whose they are
        return self.env["mail.external.account.connect.check"].sudo()


def cancelled(line):
    """Whether nobody waits for a check any more, to be asked while it is under way.

    A line of its own says so: the check writes its result into ``line``. A connection
    is borrowed for the moment of the question.

    :param line: what ``Turn.taken`` returned
    :return: function without parameters
    """
    cr = line.env.cr
    if not isinstance(cr, Cursor):
        return lambda: False
    dbname, table = cr.dbname, SQL.identifier(line._table)
    asked = SQL(
        "SELECT 1 FROM %s WHERE wizard_id = %s AND step = 'cancel' AND id > %s",
        *(table, line.wizard_id.id, line.id),
    )

    def is_cancelled():
        try:
            with db_connect(dbname).cursor() as borrowed:
                borrowed.execute(asked)
                return bool(borrowed.fetchone())
        except PoolError:
            return False  # others have them all; asked again in a moment

    return is_cancelled


def may_end_transaction(env):
    """Whether nobody minds when the running transaction is committed now.

    Called from a server action, a script or Odoo's tests it may hold others' work: then
    only while nothing was changed in it.
    """
    if not isinstance(env.cr, Cursor):
        return False
    is_own = any(is_remote_call(*methods) for methods in _ENDING)
    if own_request.value or is_own:
        return True
    env.flush_all()
    return env.execute_query(SQL("SELECT txid_current_if_assigned()")) == [(None,)]


@contextmanager
def connection_returned(env):
    """Inside, the cursor has no connection; using it raises.

    What was done before is committed. The cursor stays the same object, because the
    rest of Odoo (``retrying`` and ``dispatch``, odoo/service/model.py) goes on with it.
    Unless the transaction may end, nothing happens.

    :raise psycopg2.pool.PoolError: there is no connection afterwards
    """
    if not may_end_transaction(env):
        yield
        return
    env.cr.commit()  # pylint: disable=invalid-commit
    env.cr.close()
    try:
        yield
    finally:
        _reopen(env.cr)


def _reopen(cr):
    """Give a closed cursor another connection, as ``Cursor.__init__`` does it."""
    fresh = _patiently(db_connect(cr.dbname).cursor)
    cr._cnx, cr._obj, cr._closed = fresh._cnx, fresh._obj, False
    fresh._closed = True  # it has nothing any more that it could give back


def _patiently(connect):
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return connect()
        except PoolError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
