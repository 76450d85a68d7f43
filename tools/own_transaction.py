"""Whose transaction the running code is in: whether it may be ended in the middle."""

from odoo.http import request
from odoo.service.server import thread_local
from odoo.sql_db import Cursor
from odoo.tools import SQL

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


def is_remote_call(model, *methods):
    """Whether somebody called one of these methods of ``model`` from outside.

    A business flow calls the same methods; only who is called by name can have been
    given values that a person made up. Routes: ``web/controllers/dataset.py``,
    ``rpc/controllers/json2.py``, ``service/model.py`` (XML-RPC and JSON-RPC).
    """
    return _remote_call() in {(model, method) for method in methods}


def _remote_call():
    # XML-RPC and its twins run without a request (http.borrow_request).
    name = getattr(thread_local, "rpc_model_method", "")
    if name:
        model, _dot, method = name.rpartition(".")
        return model, method
    if not request:
        return None
    path = request.httprequest.path
    if path.startswith("/web/dataset/call_"):
        return request.params.get("model"), request.params.get("method")
    if path.startswith("/json/2/"):
        return request.params.get("__model__"), request.params.get("__method__")
    return None
