"""Whose transaction the running code is in: whether it may be ended in the middle."""

from odoo.http import request
from odoo.sql_db import Cursor
from odoo.tools import SQL


def may_end_transaction(env):
    """Whether nobody minds when the running transaction is committed now.

    That of a request is its own (a new session's first one has noted the device), as is
    one that changed nothing: by XML-RPC there is no ``request``. Scripts and Odoo's
    tests have work of their own in theirs.
    """
    if not isinstance(env.cr, Cursor):
        return False
    if request:
        return True
    env.flush_all()
    return env.execute_query(SQL("SELECT txid_current_if_assigned()")) == [(None,)]
