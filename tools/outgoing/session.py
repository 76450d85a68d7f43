"""A signed-in SMTP session of one account."""

import logging
import time
from dataclasses import replace
from typing import NamedTuple

from odoo.exceptions import UserError

from ...mailkit.errors import ErrorCode, MailError
from ...mailkit.smtp import SmtpSession
from .. import vault
from ..oauth2 import tokens

_logger = logging.getLogger(__name__)

# Seconds to connect, and to sign in: a hung server holds up the accounts behind it.
OPEN_TIMEOUT = 20.0
# Seconds for one whole step of sending; the server may look at a large mail for long.
STEP_TIMEOUT = 60.0


class SecretUnusable(Exception):
    """What is stored does not open: other key, database or settings."""


class KeyMissing(Exception):
    """This Odoo has no encryption key at the moment; nothing is wrong otherwise."""


class Opened(NamedTuple):
    """A session that takes messages. ``token``: what it is signed in with, or "".

    ``good_until``: time.monotonic() until which that is good, or None.
    """

    session: SmtpSession
    token: str = ""
    good_until: float | None = None


def open_session(account, deadline, refused=""):
    """Connect and sign in.

    An access token that the server refuses, though it should be good, is renewed once:
    the clocks may differ, or somebody ended it.

    :param account: mail.external.account in superuser mode
    :param mailkit.connection.network.Deadline deadline: of the whole session
    :param str refused: a token that the server has refused already
    :rtype: Opened; the caller closes the session
    :raise SecretUnusable, KeyMissing, MailError: there is no session
    """
    access = _access(account, deadline, refused)
    token = access.credentials.access_token if access.credentials else ""
    try:
        return _opened(account, access, deadline)
    except MailError as error:
        if error.code is not ErrorCode.TOKEN_REFUSED or not token or refused:
            raise
    return _opened(account, _access(account, deadline, token), deadline)


def _opened(account, access, deadline):
    session = SmtpSession(
        vault.server(account, "smtp", OPEN_TIMEOUT),
        access.credentials,
        deadline=deadline,
    )
    try:
        session.open()
        session.login()
    except MailError:
        session.close()
        raise
    session.server = replace(session.server, timeout=STEP_TIMEOUT)
    token = access.credentials.access_token if access.credentials else ""
    ends = access.seconds and time.monotonic() + access.seconds
    return Opened(session, token, ends)


def _access(account, deadline, refused):
    """:rtype: tokens.Access; its credentials are None where nobody signs in"""
    if not account.smtp_login:
        return tokens.Access(None)
    try:
        if account.auth_method == "oauth2":
            return tokens.access(account.env, account, "smtp", refused, deadline)
        return tokens.Access(vault.stored_credentials(account.env, account, "smtp"))
    except vault.UnsealError as error:
        _logger.warning(
            "The sign-in of external account %s cannot be decrypted: the key, the "
            "database or the settings changed",
            account.id,
        )
        raise SecretUnusable from error
    except UserError as error:
        _logger.error("Mail of external accounts waits: %s", error)
        raise KeyMissing from error
