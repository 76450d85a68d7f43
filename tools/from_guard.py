"""Whose addresses the mail that is being handled right now may carry.

Kept beside the environment: its context comes from remote callers, who could claim
anything there.
"""

from contextvars import ContextVar

from odoo.http import request
from odoo.service.server import thread_local

from .during import during

_NOTHING = frozenset(), ""
_carried = ContextVar("mail_external_account_carried", default=_NOTHING)
_posting = ContextVar("mail_external_account_posting", default=False)
_making_rows = ContextVar("mail_external_account_making_rows", default=False)
_sender_checked = ContextVar("mail_external_account_sender_checked", default=False)


def carrying(addresses, odoos_own=""):
    """Mail that leaves meanwhile may have these external addresses in its From.

    :param frozenset addresses: keys, see ``mailkit.message.address``
    :param str odoos_own: an external address that stands for Odoo itself meanwhile,
        where it has no other address
    """
    return during(_carried, (addresses, odoos_own))


def carried():
    """The addresses of ``carrying``; none outside of it."""
    return _carried.get()[0]


def odoos_own():
    """The address of ``carrying`` that stands for Odoo; empty without one."""
    return _carried.get()[1]


def posting():
    """Messages that are created meanwhile come from Odoo's code, not from a caller."""
    return during(_posting, True)


def is_posting():
    return _posting.get()


def making_rows():
    """Rows of mail are created meanwhile: their values overwrite those of a message
    that is there already (``_inherits`` of ``mail.mail``)."""
    return during(_making_rows, True)


def is_making_rows():
    return _making_rows.get()


def sender_checked():
    """Whoever called a method from outside, what he typed as sender is checked: what is
    posted meanwhile gets its sender from Odoo's code."""
    return during(_sender_checked, True)


def is_sender_checked():
    return _sender_checked.get()


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
