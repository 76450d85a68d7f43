"""Values that stand beside Odoo's environment while some code runs.

Deliberately no keys of Odoo's context: a remote caller writes his context himself, but
he cannot get into these.
"""

from contextlib import contextmanager


@contextmanager
def during(variable, value):
    """Inside, ``variable`` (a ContextVar) has this value."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)
