"""Whose addresses the mail that is being handled right now may carry.

Kept beside the environment: its context comes from remote callers, who could claim
anything there.
"""

from contextlib import contextmanager
from contextvars import ContextVar

from odoo.http import request
from odoo.service.server import thread_local

_carried = ContextVar("mail_external_account_carried", default=frozenset())
_odoos_own = ContextVar("mail_external_account_odoos_own", default="")
_posting = ContextVar("mail_external_account_posting", default=False)
_making_rows = ContextVar("mail_external_account_making_rows", default=False)
_sender_checked = ContextVar("mail_external_account_sender_checked", default=False)


@contextmanager
def carrying(addresses, odoos_own=""):
    """Mail that leaves meanwhile may have these external addresses in its From.

    :param frozenset addresses: keys, see ``mailkit.from_header``
    :param str odoos_own: an external address that stands for Odoo itself meanwhile,
        where it has no other address
    """
    token, own_token = _carried.set(addresses), _odoos_own.set(odoos_own)
    try:
        yield
    finally:
        _odoos_own.reset(own_token)
        _carried.reset(token)


def carried():
    """The addresses of ``carrying``; none outside of it."""
    return _carried.get()


def odoos_own():
    """The address of ``carrying`` that stands for Odoo; empty without one."""
    return _odoos_own.get()


@contextmanager
def posting():
    """Messages that are created meanwhile come from Odoo's code, not from a caller."""
    token = _posting.set(True)
    try:
        yield
    finally:
        _posting.reset(token)


def is_posting():
    return _posting.get()


@contextmanager
def making_rows():
    """Rows of mail are created meanwhile: their values overwrite those of a message
    that is there already (``_inherits`` of ``mail.mail``)."""
    token = _making_rows.set(True)
    try:
        yield
    finally:
        _making_rows.reset(token)


def is_making_rows():
    return _making_rows.get()


@contextmanager
def sender_checked():
    """Whoever called a method from outside, what he typed as sender is checked: what is
    posted meanwhile gets its sender from Odoo's code."""
    token = _sender_checked.set(True)
    try:
        yield
    finally:
        _sender_checked.reset(token)


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
