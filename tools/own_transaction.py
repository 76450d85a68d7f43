"""Whose transaction the running code is in: whether it may be ended in the middle."""

from odoo.sql_db import Cursor
from odoo.tools import SQL

from .from_guard import is_remote_call

# What ends it: called by name, the transaction is theirs alone (a new session's first
# one has noted the device).
_ENDING = (
    "mail.external.account.connect",
    *("run_check", "action_send_code", "action_verify_code"),
)


def may_end_transaction(env):
    """Whether nobody minds when the running transaction is committed now.

    Called from a server action, a script or Odoo's tests it may hold others' work: then
    only while nothing was changed in it.
    """
    if not isinstance(env.cr, Cursor):
        return False
    if is_remote_call(*_ENDING):
        return True
    env.flush_all()
    return env.execute_query(SQL("SELECT txid_current_if_assigned()")) == [(None,)]
