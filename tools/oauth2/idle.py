"""Sign-ins that are hardly used.

A refresh token ends when it is not used for long: Microsoft's after 90 days, Google's
after half a year. Who sends twice a year, and reads nothing here, would have to sign in
each time; so it is renewed before. That it has ended is told then as well, and not when
somebody waits for their mail to leave.
"""

import logging
from datetime import timedelta

from odoo.exceptions import UserError
from odoo.tools import SQL

from ...mailkit.connection.network import Deadline
from ...mailkit.errors import MailError
from .. import vault
from . import tokens

_logger = logging.getLogger(__name__)

# Since the last access token has ended.
_IDLE = timedelta(days=20)
# Seconds for all of one day; the others come on the next one.
_SECONDS = 60.0


def renew(env):
    """Renew what was not for long. The services are asked: nothing may be under way in
    the caller's transaction."""
    deadline = Deadline(_SECONDS)
    for account in _idle(env):
        env.cr.commit()  # pylint: disable=invalid-commit # nothing waits for a service
        if deadline.over:
            return
        try:
            tokens.access(env, account, "smtp", deadline=deadline)
        except (MailError, UserError, vault.UnsealError) as error:
            _logger.info(
                "The idle sign-in of external account %s was not renewed: %s",
                account.id,
                type(error).__name__,
            )


def _idle(env):
    """Working accounts, the most idle first."""
    rows = env.execute_query(
        SQL(
            """
            SELECT a.id
              FROM mail_external_secret s
              JOIN mail_external_account a ON a.id = s.account_id
             WHERE s.purpose = 'oauth2' AND a.auth_method = 'oauth2'
               AND a.active AND a.state = 'working'
               AND s.token_ends < clock_timestamp() AT TIME ZONE 'UTC' - %s
             ORDER BY s.token_ends
            """,
            _IDLE,
        )
    )
    return env["mail.external.account"].browse([row[0] for row in rows])
