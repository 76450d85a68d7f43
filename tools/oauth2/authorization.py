"""A sign-in at a mail service: to its page, and back (RFC 6749 section 4.1).

``start`` makes the address of the service's page, ``finish`` takes the answer that the
browser brings back. Between them stands a row of
``mail.external.account.connect.sign.in``: one user, one window, one application, ten
minutes, one answer.

What is refused (RFC 9700 section 4, RFC 7636, RFC 9207): an answer whose ``state`` is
of nobody, of somebody else, used or old; one that comes to the address of another
authorization server than was asked; a parameter with two values; a code for which this
browser was not sent there (PKCE); a window that is about something else by now. The
row is marked as used, and committed, before the code is told to anybody.
"""

import logging
import secrets
from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL

from ...mailkit import oauth
from ...mailkit.connection.network import Deadline
from ...mailkit.errors import ErrorCode, MailError
from .. import vault
from ..connect import sign_in
from ..connect.turn import BUSY, Turn, connection_returned, may_end_transaction
from ..explanations import cause_and_remedy

_logger = logging.getLogger(__name__)

MINUTES = 10
# What the step is called where attempts are counted (``connect/turn.py``).
STEP = "sign_in"
# An answer is a line in the browser's address; a longer one is none.
_MOST_CHARACTERS = 16 * 1024
_MOST_STATE = 200


# To the service


def start(window):
    """Begin a sign-in for what stands in the window.

    :return: address of the service's page
    :raise AccessError: it is not for this user to connect this
    :raise UserError: nobody can sign in there, or they tried too often
    """
    window._check_rights()
    if window.auth_method != "oauth2":
        raise UserError(
            window.env._("A password was chosen meanwhile: choose “Sign in” in Odoo.")
        )
    if window.is_address_only:  # its account signs in, in a window of its own
        sign_in.check_offered(window)
    sign_in.check_places(window)
    Turn(window, STEP).count()
    application = window.application_id.sudo()
    state, verifier = secrets.token_urlsafe(32), oauth.new_verifier()
    rows = window.env[sign_in.MODEL].sudo()
    row = rows.create(
        {
            "wizard_id": window.id,
            "application_id": application.id,
            "state_hash": _state_hash(window.env, state),
            "expires": fields.Datetime.now() + timedelta(minutes=MINUTES),
            "bound": _bound(window),
        }
    )
    row.verifier_sealed = vault.seal(window.env, verifier, _verifier_context(row))
    try:
        return oauth.authorization_url(
            _client(application),
            application._redirect_uri(),
            state,
            verifier,
            login_hint=_login_hint(window),
        )
    except MailError as error:
        text = cause_and_remedy(window.env, error.code.value)
        raise UserError(" ".join(text)) from None


def _login_hint(window):
    """Who will probably sign in: the mailbox itself, or the person for it."""
    if window.is_company and window.is_own_sign_in:
        return window.env.user.email_normalized or ""
    login = window.smtp_login or ""
    return login if "@" in login else window.email or ""


def _state_hash(env, state):
    """The state itself is kept nowhere: who reads the database finishes no sign-in."""
    return vault.fingerprint(env, ("state of a sign-in", state))


def _bound(window):
    """What the window is about: when this changes, the answer is for something else."""
    return vault.fingerprint(
        window.env,
        (
            "sign-in",
            *sign_in.seal_context(window, window.application_id.sudo()),
            *(window.email or "", window.smtp_login or "", window.incoming_login or ""),
            *(window.is_company, window._owner().id, window.company_id.id),
        ),
    )


def _verifier_context(row):
    uuid = row.env["ir.config_parameter"].sudo().get_param("database.uuid")
    return (uuid, f"verifier:{row.id}", f"user:{row.create_uid.id}", row.state_hash)


# And back


def finish(env, key, values):
    """Take the answer of a service, once.

    Whatever comes of it stands in the row, in the language of its user.

    :param str key: which application's address it came to
    :param values: werkzeug MultiDict, the parameters of the address
    :return: the row, in superuser mode; none when the answer belongs to no sign-in that
        this user began
    :raise UserError: not now, the same may come again (``connect/turn.py``)
    """
    row = _begun(env, values)
    if not row or row.is_used:
        return row
    window = row.wizard_id.sudo(False)
    try:
        with Turn(window, STEP).taken(sign_in.SERVICE_SECONDS + 2.0):
            if _use(row):
                _take_answer(window, row, key, values)
    except UserError as error:
        if getattr(error, "context", None) == BUSY:
            raise
        row.write({"is_used": True, "failure_text": error.args[0]})
    return row


def recently():
    """Since when a sign-in that was begun may still be under way."""
    return fields.Datetime.now() - timedelta(seconds=2 * sign_in.SERVICE_SECONDS)


def begun_by_anybody(env, values):
    """The sign-in that an answer is for, whoever looks; nothing is done with it."""
    rows = env[sign_in.MODEL].sudo()
    states = values.getlist("state")
    if len(states) != 1 or not 0 < len(states[0]) < _MOST_STATE:
        return rows
    return rows.search([("state_hash", "=", _state_hash(env, states[0]))], limit=1)


def _begun(env, values):
    """The sign-in of this very user that an answer is for, or none."""
    return begun_by_anybody(env, values).filtered(
        lambda row: row.create_uid == env.user == row.wizard_id.create_uid
    )


def _use(row):
    """Mark it as used, for good.

    :return: False when somebody else just did
    """
    env, table = row.env, SQL.identifier(row._table)
    row.flush_recordset()
    used = SQL(
        "UPDATE %s SET is_used = true WHERE id = %s AND is_used IS NOT TRUE"
        " RETURNING id",
        table,
        row.id,
    )
    is_first = bool(env.execute_query(used))
    row.invalidate_recordset(["is_used"], flush=False)
    if may_end_transaction(env):
        env.cr.commit()  # pylint: disable=invalid-commit
    return is_first


def _take_answer(window, row, key, values):
    """Ask the service for the tokens, and keep them; or note why there are none."""
    env, application = window.env, row.application_id
    try:
        _check_same(window, row, key)
        tokens = _redeemed(env, row, values)
        row.write({"grant": secrets.token_hex(16), "hint": tokens.hint})
        sign_in.store(window, row, tokens)
        _logger.info(
            "User %s signed in for the connect window %s by the application %s",
            *(env.uid, window.id, application.id),
        )
    except MailError as error:
        _note_failure(row, error.code.value, error.reply)
    except (AccessError, UserError) as error:
        row.failure_text = error.args[0]
    row.verifier_sealed = False


def _redeemed(env, row, values):
    """
    :return: mailkit.oauth.Tokens
    :raise MailError:
    """
    if sum(len(value) for _name, value in values.items(multi=True)) > _MOST_CHARACTERS:
        raise MailError(ErrorCode.OAUTH_FAILED)
    application = row.application_id
    try:
        verifier = vault.unseal(env, row.verifier_sealed, _verifier_context(row))
    except vault.UnsealError:
        raise MailError(ErrorCode.OAUTH_STATE) from None
    client, address = _client(application), application._redirect_uri()
    state = values["state"]
    deadline = Deadline(sign_in.SERVICE_SECONDS)
    with connection_returned(env):
        tokens = oauth.redeem(client, address, values, state, verifier, deadline)
    if not tokens.refresh_token:  # it would end within the hour
        raise MailError(ErrorCode.OAUTH_CONSENT)
    return tokens


def _client(application):
    """
    :rtype: mailkit.oauth.Client
    :raise MailError: its secret cannot be opened
    """
    try:
        return vault.application_client(application)
    except vault.UnsealError:
        raise MailError(ErrorCode.OAUTH_CLIENT) from None


def _check_same(window, row, key):
    """The answer is for what was asked, and asked for by who still may.

    :raise MailError: too late, or it came to the address of another service
    :raise UserError: the window is about something else by now
    :raise AccessError: they may not connect this any more
    """
    if row.expires < fields.Datetime.now():
        raise MailError(ErrorCode.OAUTH_STATE)
    if row.application_id._redirect_uri().rpartition("/")[2] != key:
        raise MailError(ErrorCode.OAUTH_STATE)
    if not vault.same_fingerprint(row.bound, _bound(window)):
        raise UserError(
            window.env._(
                "The address or its mail service was changed while you signed in, so "
                "the sign-in was not used. Sign in again."
            )
        )
    window._check_rights()
    sign_in.check_places(window)
    if window.application_id.sudo() != row.application_id:
        raise MailError(ErrorCode.OAUTH_STATE)


def _note_failure(row, code, reply):
    """What went wrong: for who signs in, and for who looks after the application."""
    application, said = row.application_id, str(reply or "")
    row.failure_text = " ".join(application._explained(code, said))
    row.failure_reply = said or False
    application._note_callback_error(code, said)
