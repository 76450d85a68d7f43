"""Waiting for somebody else's server without keeping a connection to the database.

Odoo gives a request one cursor for all of its time, and a cursor holds one of the few
connections of its process (``db_maxconn``). Who lets many requests wait for a slow
server takes them all, and everybody else gets HTTP 500: "The Connection Pool Is Full".
"""

import time
from contextlib import contextmanager

from odoo.sql_db import db_connect
from psycopg2.pool import PoolError

from .own_transaction import may_end_transaction

# Seconds to wait for a connection when others hold them all at that moment.
_PATIENCE = 10.0


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
