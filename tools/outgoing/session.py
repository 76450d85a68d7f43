"""A signed-in SMTP session of one account."""

import logging
from dataclasses import replace

from odoo.exceptions import UserError

from ...mailkit.errors import ErrorCode, MailError
from ...mailkit.smtp import SmtpSession
from .. import vault

_logger = logging.getLogger(__name__)

# Seconds to connect, and to sign in: a hung server holds up the accounts behind it.
OPEN_TIMEOUT = 20.0
# Seconds for one whole step of sending; the server may look at a large mail for long.
STEP_TIMEOUT = 60.0

# The server refuses the login itself: trying again would only lock the mailbox.
SIGN_IN_CODES = frozenset(
    {
        ErrorCode.LOGIN_REFUSED,
        ErrorCode.APP_PASSWORD_REQUIRED,
        ErrorCode.OAUTH_REQUIRED,
        ErrorCode.LOGIN_DISABLED,
        ErrorCode.ACCOUNT_LOCKED,
        ErrorCode.AUTH_UNAVAILABLE,
        ErrorCode.LOGIN_REQUIRED,
        ErrorCode.WEB_LOGIN_REQUIRED,
    }
)


class SecretUnusable(Exception):
    """The stored password does not open: other key, database or settings."""


class KeyMissing(Exception):
    """This Odoo has no encryption key at the moment; nothing is wrong otherwise."""


def open_session(account, deadline):
    """Connect and sign in.

    :param account: mail.external.account in superuser mode
    :param mailkit.connection.network.Deadline deadline: of the whole session
    :return: a session that takes messages; the caller closes it
    :raise SecretUnusable, KeyMissing, MailError: there is no session
    """
    session = SmtpSession(
        vault.server(account, "smtp", OPEN_TIMEOUT),
        _credentials(account),
        deadline=deadline,
    )
    try:
        session.open()
        session.login()
    except MailError:
        session.close()
        raise
    session.server = replace(session.server, timeout=STEP_TIMEOUT)
    return session


def _credentials(account):
    if not account.smtp_login:
        return None
    try:
        return vault.stored_credentials(account.env, account, "smtp")
    except vault.UnsealError as error:
        _logger.warning(
            "Password of external account %s cannot be decrypted: the key, the "
            "database or the settings changed",
            account.id,
        )
        raise SecretUnusable from error
    except UserError as error:
        _logger.error("Mail of external accounts waits: %s", error)
        raise KeyMissing from error
