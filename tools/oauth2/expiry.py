"""Telling the administrators of an application: its secret ends, or it stopped working.

A secret that has ended stops every account that signs in with it at the same moment, so
it is announced before, each time once, also where the scheduled action missed days.
"""

from datetime import timedelta

from odoo import fields
from odoo.tools import format_date
from odoo.tools.translate import LazyTranslate

from ..notices import DAYS_BEFORE, step_before, tell_administrators

_lt = LazyTranslate(__name__)

# Where a new secret is made.
_CONSOLES = {
    "google": _lt("Google Auth Platform > Clients (console.cloud.google.com)"),
    "microsoft": _lt(
        "App registrations > Certificates & secrets (entra.microsoft.com): its value, "
        "not its ID"
    ),
    "other": _lt("the service's console"),
}
_ENDS = (
    _lt("The client secret of “%(name)s” ends on %(date)s"),
    _lt(
        "From then on accounts that sign in with it can neither send nor read: "
        "%(count)s now. Make a new secret in time: %(console)s. Enter it under "
        "External Addresses > Sign-In Applications, with the day on which it ends."
    ),
)
_ENDED = (
    _lt("The client secret of “%(name)s” has ended on %(date)s"),
    _lt(
        "Accounts that sign in with it can neither send nor read any more: %(count)s "
        "now. Their mail waits. Make a new secret: %(console)s. Enter it under "
        "External Addresses > Sign-In Applications: then everything goes on by itself."
    ),
)
_FAILS = (
    _lt("“%(name)s” does not accept Odoo's application any more"),
    _lt(
        "Accounts that sign in with it wait: %(count)s. %(text)s They go on by "
        "themselves when it works again."
    ),
)


def announce(env):
    """Tell administrators which secrets end soon, or have ended; each step once."""
    today = fields.Date.today()
    applications = env["mail.external.application"].search(
        [
            ("secret_sealed", "!=", False),
            ("secret_expires", "!=", False),
            ("secret_expires", "<=", today + timedelta(days=DAYS_BEFORE[0])),
        ]
    )
    for application in applications:
        step = step_before(application.secret_expires, today)
        if application.announced and application.announced <= step:
            continue
        application.announced = step
        _tell(application, _ENDED if step < 0 else _ENDS)


def tell_failure(application, code):
    """Tell administrators that the service does not take the application any more."""
    _tell(application, _FAILS, code)


def _tell(application, texts, code=None):
    def names(env):
        own = application.with_env(env)
        explained = ()
        if code:
            explained = own._explained(code, application.failure_reply, waits=True)
        return {
            "name": application.name,
            "count": application.account_count,
            "date": format_date(env, application.secret_expires),
            "console": env._(_CONSOLES[application.kind]),
            "text": " ".join(explained),
        }

    tell_administrators(application, texts, names, application.company_id)
