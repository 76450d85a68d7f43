"""Odoo acting in its own name inside somebody's request."""

from odoo import SUPERUSER_ID


def as_odoo(records):
    """``records`` as OdooBot has them, without anything of the caller's context.

    A remote caller writes their context themselves: ``default_email_cc`` in it adds a
    recipient to every mail that is made. ``with_user(SUPERUSER_ID)`` keeps such keys,
    and ``sudo()`` drops those that begin with ``default_`` only
    (odoo/orm/environments.py, ``Environment.__call__``). So this is the only place
    that names the superuser; ``./dev lint`` finds others.

    :param records: a recordset, or a model
    :return: the same, by another environment
    """
    return records.with_env(records.env(user=SUPERUSER_ID, su=True, context={}))
