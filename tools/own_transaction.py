"""Keeping something in the middle of a request, whatever becomes of the rest of it."""

from odoo.http import request
from odoo.sql_db import Cursor
from odoo.tools import SQL


def commit_if_own(env):
    """Store and commit, unless the transaction is somebody else's.

    That of a request is its own; by XML-RPC there is no ``request``, and the one that
    changed nothing before is. Scripts and Odoo's tests go on with theirs.

    :raise psycopg2.errors.SerializationFailure: others changed the same meanwhile; Odoo
        then calls the whole method again (odoo/service/model.py, ``retrying``)
    """
    is_own = isinstance(env.cr, Cursor) and (request or _has_changed_nothing(env.cr))
    env.flush_all()
    if is_own:
        env.cr.commit()  # pylint: disable=invalid-commit


def _has_changed_nothing(cr):
    cr.execute(SQL("SELECT txid_current_if_assigned()"))
    return cr.fetchone() == (None,)
