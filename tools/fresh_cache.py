"""Odoo's ormcache, without what an older transaction has read.

``ormcache`` (odoo/tools/cache.py) keeps whatever is computed. A transaction that began
before a change was committed does not see the change; when it computes after the cache
was cleared, the others go on with what is no longer true: who may send from an address,
say. Here it gets its value, but keeps it for itself.

Only threads of one process can do this to each other: a process of its own looks for
the others' changes (``Registry.check_signaling``) before each request.
"""

import functools
import time

from odoo.tools import SQL, ormcache

# Name of a database -> time.monotonic() of the last committed change in this process.
_changed = {}
_BEGAN = "mail_external_account_began"


def note_change(cr):
    """To be called after the commit of a change, just before a cache is cleared."""
    _changed[cr.dbname] = time.monotonic()


class fresh_ormcache(ormcache):
    """As ``ormcache``, see above."""

    def __call__(self, method):
        @functools.wraps(method)
        def compute(records, *args, **kwargs):
            # By nothing that the caller's context says: all others get this value too,
            # and a remote caller could have archived addresses found (`active_test`).
            model = records.with_env(records.env(context={}))
            value = method(model, *args, **kwargs)
            if _is_outdated(model.env.cr):
                raise _Outdated(value)
            return value

        return super().__call__(compute)

    def lookup(self, *args, **kwargs):
        try:
            return super().lookup(*args, **kwargs)
        except _Outdated as outdated:
            return outdated.value


class _Outdated(Exception):
    def __init__(self, value):
        super().__init__()
        self.value = value


def _is_outdated(cr):
    """Whether this transaction began before a change that was committed since."""
    if cr.dbname not in _changed:
        return False  # nothing was changed since Odoo was started: no query
    if _BEGAN not in cr.cache:
        cr.execute(SQL("SELECT extract(epoch FROM clock_timestamp() - now())::float"))
        [age] = cr.fetchone()
        cr.cache[_BEGAN] = time.monotonic() - age
        for end in (cr.postcommit, cr.postrollback):
            end.add(lambda: cr.cache.pop(_BEGAN, None))
    return cr.cache[_BEGAN] < _changed[cr.dbname]
