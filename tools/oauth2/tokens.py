"""Access tokens that are good: renewed before they end, once for everybody.

Threads, workers and hosts may all need the token of one account at the same moment, and
many services take a refresh token once only (RFC 6749 section 6, RFC 9700 section
4.14.2). So whoever renews says so first, in the row of the sign-in
(``mail.external.secret``): a lease, committed, for as long as asking the service may
take. The others use the token that there is while it is good, or look again until
there is a new one. A crash leaves a lease that runs out.

A renewal has three parts, of which the middle one has no database:

1. ``look``: what there is to do; takes the lease;
2. ``ask``: the service is asked;
3. ``settle``: what it answered is kept, whatever becomes of the caller's transaction.

``access`` does all of them. A run that reads mailboxes does the first and the last in
its own thread, and the visit asks (``incoming/requests.py``).

Nobody asks a service in vain that has just failed: when to ask again stands in the row,
too. All moments are those of the database's clock; hosts may differ.
"""

import logging
import random
import secrets
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

import psycopg2
from odoo import SUPERUSER_ID, api
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY
from odoo.tools import SQL
from psycopg2.pool import PoolError

from ...mailkit import oauth
from ...mailkit.connection.network import Deadline
from ...mailkit.connection.settings import Credentials
from ...mailkit.errors import ErrorCode, MailError, ServerReply
from .. import vault
from ..sign_in_codes import ENDED, OF_APPLICATION
from . import revocation
from .gate import gate_of

_logger = logging.getLogger(__name__)

# Means nothing where nobody signs in.
_NOT_RENEWED = ErrorCode.OAUTH_STATE
# Seconds that one answer of a service may take.
SERVICE_SECONDS = 20.0
# ... and gets in any case, once it is asked: what comes too late may be the only token
# that is still good.
_LEAST_SECONDS = 10.0
# Seconds after which others take a renewal for lost: much longer than it may take, and
# than a run that reads mailboxes may be busy with others before it keeps the answer.
LEASE_SECONDS = 90.0
# Seconds until the next look, where somebody else renews.
_LOOK_AGAIN = 0.5
# Seconds that the caller of ``access`` waits at most: until a lost lease has run out.
_PATIENCE = LEASE_SECONDS + 10.0
# Seconds until a service is asked again that failed so often in a row.
_RETRY_SECONDS = (30, 60, 120, 300, 600, 1200, 1800)
# A service that wants to be left alone for longer is asked all the same.
_MOST_RETRY_SECONDS = 6 * 3600
# How often it is tried to keep an answer: together some 15 seconds.
_TRIES = 14
# No connection to the database at this moment, or none any more: nobody's fault.
_NO_DATABASE = (psycopg2.OperationalError, PoolError)


@dataclass(frozen=True)
class Access:
    """What to sign in with. ``seconds``: how long its token is good; None: unknown."""

    credentials: Credentials = field(repr=False)
    seconds: float | None = None


class NotAsked(MailError):
    """The service has as much to do as it can: it was not asked (``gate``)."""

    def __init__(self, seconds):
        super().__init__(ErrorCode.OAUTH_BUSY, retry_after=seconds)


@dataclass(frozen=True)
class Wait:
    """Somebody else renews: look again after so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Renewal:
    """A renewal that is this caller's: nobody else asks meanwhile.

    ``client`` None: the application is archived, or its secret does not open.
    ``fallback``: what can be used though the service does not answer.
    """

    row_id: int
    account_id: int
    lease: str
    sealed: str = field(repr=False)
    client: oauth.Client | None = field(repr=False)
    kept: vault.StoredTokens = field(repr=False)
    contexts: tuple = field(repr=False)
    credentials: Credentials = field(repr=False)
    fallback: Access | None = field(repr=False)
    application_id: int
    failures: int


def new_lease():
    """A name for who renews."""
    return secrets.token_hex(8)


def usable(env, account, purpose, refused="", deadline=None):
    """What an account signs in with now; see ``access``."""
    return access(env, account, purpose, refused, deadline).credentials


def access(env, account, purpose, refused="", deadline=None):
    """A token that is good, renewed if need be. The caller waits for the service.

    Works on cursors of its own, and has none while it waits. So what the caller has not
    committed is not seen, and the caller need not have a cursor.

    :param env: only its registry counts
    :param account: one mail.external.account that signs in with the mail service
    :param str purpose: "smtp" or "incoming"
    :param str refused: the token that the mail server has just refused, though it
        should be good; renewed then, once
    :param Deadline deadline: of all of it
    :rtype: Access
    :raise MailError: there is none now. ``ENDED``: nor will there be, before somebody
        signs in again; else ``retry_after`` says when to ask again
    :raise vault.UnsealError, UserError: as ``vault.stored_credentials``
    """
    lease, deadline = new_lease(), deadline or Deadline(_PATIENCE)
    while True:
        found = look(env, account.id, purpose, lease, refused)
        if isinstance(found, Renewal):
            found = _settled(env, found, ask(found, deadline))
        if isinstance(found, Access):
            return found
        pause(found, deadline)


def _settled(env, renewal, outcome):
    try:
        return settle(env, renewal, outcome)
    except _NO_DATABASE:
        _logger.exception("The sign-in of external account %s", renewal.account_id)
        raise MailError(ErrorCode.OAUTH_BUSY, retry_after=LEASE_SECONDS) from None


def pause(wait, deadline):
    """Before one looks again.

    :raise MailError: there is no time for that
    """
    seconds = wait.seconds * random.uniform(0.7, 1.3)  # noqa: S311 not all at once
    if deadline.over or deadline.remaining() < seconds:
        raise MailError(ErrorCode.OAUTH_BUSY, retry_after=LEASE_SECONDS)
    time.sleep(seconds)


# 1. What there is to do


def look(env, account_id, purpose, lease, refused=""):
    """What is kept, or who renews it. Asks no service.

    :param env: only its registry counts
    :param str lease: see ``new_lease``; asking again with the same is no other's
    :param str refused: see ``access``
    :return: Access, Renewal or Wait
    :raise: as ``access``
    """
    try:
        return _look(env, account_id, purpose, lease, refused)
    except (*PG_CONCURRENCY_EXCEPTIONS_TO_RETRY, *_NO_DATABASE):
        return Wait(_LOOK_AGAIN)  # somebody was faster, or has the connection


def _look(env, account_id, purpose, lease, refused):
    with _own_environment(env) as own:
        row = _row(own, account_id)
        if row is None:
            raise vault.UnsealError
        account = own["mail.external.account"].browse(account_id)
        contexts = vault.token_contexts(own, account)
        kept = vault.opened_tokens(own, row["sealed"], contexts[0])
        credentials = Credentials(
            account[f"{purpose}_login"] or "",
            access_token=kept.access_token,
            mechanism=account.application_id.mechanism or "",
        )
        left = _seconds(row["token_ends"], row["now"])
        refused = bool(refused) and refused == kept.access_token
        # Of an archived application, nothing is used from now on.
        is_usable = account.application_id.active and not refused
        is_good = is_usable and (left is None or left > 0)
        fallback = Access(credentials, left) if is_good else None
        waiting = _what_it_waits_for(row, kept, lease, is_needed=not is_good)
        if fallback and (waiting or not _is_over(row["renew_at"], row["now"])):
            return fallback
        if waiting:
            return waiting
        if not _take_lease(own, row, lease):
            return Wait(_LOOK_AGAIN)
        return Renewal(
            row_id=row["id"],
            account_id=account_id,
            lease=lease,
            sealed=row["sealed"],
            client=_client(account.application_id),
            kept=kept,
            contexts=contexts,
            credentials=credentials,
            fallback=fallback,
            application_id=account.application_id.id,
            failures=row["failures"] or 0,
        )


def _row(own, account_id):
    own.cr.execute(
        SQL(
            """
            SELECT s.id, s.sealed, s.token_ends, s.renew_at, s.lease, s.lease_until,
                   s.failures, s.failure_code, s.failure_reply, s.retry_at,
                   p.failure_code AS application_failure_code,
                   p.failure_reply AS application_failure_reply,
                   p.retry_at AS application_retry_at,
                   clock_timestamp() AT TIME ZONE 'UTC' AS now
              FROM mail_external_secret s
              JOIN mail_external_account a ON a.id = s.account_id
              JOIN mail_external_application p ON p.id = a.application_id
             WHERE s.account_id = %s AND s.purpose = 'oauth2'
               AND a.auth_method = 'oauth2'
            """,
            account_id,
        )
    )
    [row] = own.cr.dictfetchall() or [None]
    return row


def _what_it_waits_for(row, kept, lease, is_needed):
    """Why it is not renewed now; None: nothing.

    :param bool is_needed: there is no token that could be used instead
    :raise MailError: the sign-in has ended; or it is needed, and cannot be had
    """
    now, code = row["now"], row["failure_code"]
    if code in {each.value for each in ENDED}:
        raise _remembered(code, row["failure_reply"], None)
    if not kept.refresh_token:  # the service gave none: it lasts as long as it lasts
        if is_needed:
            raise MailError(ErrorCode.OAUTH_ENDED)
        return Wait(_LOOK_AGAIN)
    if not _is_over(row["lease_until"], now, default=True) and row["lease"] != lease:
        return Wait(_LOOK_AGAIN)
    for name in ("", "application_"):
        code, retry_at = row[f"{name}failure_code"], row[f"{name}retry_at"]
        if code and not _is_over(retry_at, now, default=True):
            if is_needed:
                after = _seconds(retry_at, now)
                raise _remembered(code, row[f"{name}failure_reply"], after)
            return Wait(_LOOK_AGAIN)
    return None


def _is_over(moment, now, default=False):
    return default if moment is None else moment <= now


def _seconds(moment, now):
    return None if moment is None else (moment - now).total_seconds()


def _remembered(code, reply, after):
    """The error that stands in a row."""
    known = {each.value for each in ErrorCode}
    return MailError(
        ErrorCode(code) if code in known else ErrorCode.OAUTH_FAILED,
        reply=ServerReply(None, "", reply) if reply else None,
        retry_after=after,
    )


def _take_lease(own, row, lease):
    """Whether it is ours, and nobody was faster."""
    _execute(
        own,
        SQL(
            """
            UPDATE mail_external_secret
               SET lease = %s,
                   lease_until = clock_timestamp() AT TIME ZONE 'UTC' + %s
             WHERE id = %s AND sealed = %s
               AND (lease = %s OR lease_until IS NULL
                    OR lease_until <= clock_timestamp() AT TIME ZONE 'UTC')
            """,
            lease,
            timedelta(seconds=LEASE_SECONDS),
            row["id"],
            row["sealed"],
            lease,
        ),
    )
    return bool(own.cr.rowcount)


def _client(application):
    if not application.active:
        return None  # its accounts wait until it is taken out of the archive
    try:
        return vault.application_client(application)
    except vault.UnsealError:
        return None


# 2. The service is asked


def ask(renewal, deadline):
    """The only part that takes long; it needs no database.

    :return: mailkit.oauth.Tokens, or the MailError that came of it
    """
    client = renewal.client
    if client is None:
        return MailError(ErrorCode.OAUTH_CLIENT)
    if deadline.over:
        return NotAsked(_LOOK_AGAIN)
    try:
        seconds = min(max(deadline.remaining(), _LEAST_SECONDS), SERVICE_SECONDS)
        with gate_of(client.token_endpoint).entered() as crowded:
            if crowded:
                return NotAsked(crowded * random.uniform(1, 1.5))  # noqa: S311
            refresh_token = renewal.kept.refresh_token
            return oauth.refresh(client, refresh_token, Deadline(seconds))
    except MailError as error:
        return _told_as_ours(error)
    except Exception as error:  # noqa: BLE001
        # Without its text, which may be anything that was answered or sent.
        _logger.error(
            "Renewing the sign-in of external account %s: %s",
            renewal.account_id,
            type(error).__name__,
        )
        return MailError(ErrorCode.OAUTH_FAILED)


def _told_as_ours(error):
    """Host, port and certificate of whose owner knows nothing are no cause for them."""
    if error.code.value.startswith("oauth_") and error.code is not _NOT_RENEWED:
        return error
    wrong = error.code in (ErrorCode.SETTINGS_INVALID, ErrorCode.CA_INVALID)
    code = ErrorCode.OAUTH_CLIENT if wrong else ErrorCode.OAUTH_FAILED
    words = " ".join(filter(None, (error.code.value, error.field)))
    reply = error.reply or ServerReply(None, "", words)
    return MailError(code, reply=reply, retry_after=error.retry_after)


# 3. What it answered is kept


def settle(env, renewal, outcome):
    """Keep what the service answered, committed at once; or that it failed.

    :param env: only its registry counts
    :param outcome: what ``ask`` returned
    :return: Access; or Wait: the sign-in is another one meanwhile, look again
    :raise MailError: there is no token that could be used
    """
    if isinstance(outcome, MailError):
        return _settle_failure(env, renewal, outcome)
    kept = vault.renewed_tokens(renewal.kept, outcome)
    ends = outcome.expires_at
    known, failing = _until_kept(lambda: _keep(env, renewal, kept, ends))
    if not known:
        _logger.info(
            "External account %s was signed in anew meanwhile", renewal.account_id
        )
        return Wait(_LOOK_AGAIN)
    if failing:
        _tell_application(env, renewal.application_id, None)
    credentials = Credentials(
        renewal.credentials.login,
        access_token=kept.access_token,
        mechanism=renewal.credentials.mechanism,
    )
    return Access(credentials, None if ends is None else max(ends - time.time(), 1.0))


def _keep(env, renewal, kept, expires_at):
    """:return: (whether they are still wanted, whether the application had failed)"""
    with _own_environment(env) as own:
        row = _row(own, renewal.account_id)
        if row and _update(
            own,
            {
                **vault.token_columns(own, kept, renewal.contexts),
                **vault.token_times(row["now"], expires_at),
                **_NO_FAILURE,
                **_NO_LEASE,
            },
            SQL("id = %s AND sealed = %s", renewal.row_id, renewal.sealed),
        ):
            return True, bool(row["application_failure_code"])
        # Removed meanwhile, or signed in anew: what it had was revoked, but not this.
        keys = vault.token_keys(own, kept, renewal.contexts[1])
        revocation.revoke_after_commit(own, [(renewal.client, kept, keys)])
        return False, False


def _settle_failure(env, renewal, error):
    """The failure is remembered, so that others do not ask the same in vain."""
    if isinstance(error, NotAsked):
        return _let_go(env, renewal, error)
    is_over = error.code in ENDED
    delay = None
    if not is_over:
        delay = retry_seconds(renewal.failures + 1, error.retry_after)
    known = _until_kept(lambda: _remember(env, renewal, error, delay))
    if not known:
        return Wait(_LOOK_AGAIN)
    told = MailError(error.code, reply=error.reply, retry_after=delay)
    if is_over:
        _stop_account(env, renewal.account_id, told)
    if error.code in OF_APPLICATION:
        _tell_application(env, renewal.application_id, told)
    if renewal.fallback and not is_over:
        return renewal.fallback
    raise told


def _let_go(env, renewal, error):
    """Nothing has come of it: another one may have the lease."""

    mine = SQL("id = %s AND lease = %s", renewal.row_id, renewal.lease)
    with suppress(*PG_CONCURRENCY_EXCEPTIONS_TO_RETRY, *_NO_DATABASE):
        with _own_environment(env) as own:
            _update(own, _NO_LEASE, mine)
    if renewal.fallback:
        return renewal.fallback
    raise error


def retry_seconds(failures, asked_for=None):
    """How long a service is left alone.

    :param int failures: in a row
    :param asked_for: what the service wants, or None
    """
    seconds = _RETRY_SECONDS[min(failures, len(_RETRY_SECONDS)) - 1]
    seconds *= random.uniform(1, 1.2)  # noqa: S311 not all accounts at once
    return min(max(seconds, asked_for or 0), _MOST_RETRY_SECONDS)


def _remember(env, renewal, error, delay):
    """:return: whether the renewal is still this caller's"""
    with _own_environment(env) as own:
        row = _row(own, renewal.account_id)
        if row is None:
            return False
        values = {
            "failures": renewal.failures + 1,
            "failure_code": error.code.value,
            "failure_reply": error.reply.text if error.reply else None,
            "retry_at": delay and row["now"] + timedelta(seconds=delay),
            **_NO_LEASE,
        }
        mine = SQL("id = %s AND lease = %s", renewal.row_id, renewal.lease)
        return _update(own, values, mine)


def _tell_application(env, application_id, error):
    """One of many accounts does it.

    :param error: None: it works again
    """

    def tell(application):
        if error is None:
            application._note_success()
            return
        seconds = error.retry_after or retry_seconds(1)
        application.retry_at = application.env.cr.now() + timedelta(seconds=seconds)
        application._note_failure(error.code.value, str(error.reply or ""))

    _if_free(env, "mail_external_application", application_id, tell)


def _stop_account(env, account_id, error):
    """Whoever noticed it: a test of the connection stops nothing by itself.

    Who has the account's row at this moment stops it, when they hear of it.
    """

    def stop(account):
        account._stop(error.code.value, str(error.reply or ""))

    _if_free(env, "mail_external_account", account_id, stop)


def _if_free(env, table, record_id, change):
    """Change a record in a transaction of its own, unless somebody else does just now.

    Whatever fails is logged: it never stops what the account does.
    """
    free = SQL(
        "SELECT id FROM %s WHERE id = %s FOR NO KEY UPDATE SKIP LOCKED",
        SQL.identifier(table),
        record_id,
    )
    try:
        with _own_environment(env) as own:
            _execute(own, free)
            if own.cr.rowcount:
                change(own[table.replace("_", ".")].browse(record_id))
    except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY:
        _logger.debug("Somebody else was faster with %s %s", table, record_id)
    except Exception:
        _logger.exception("After a renewal: %s %s", table, record_id)


# The row


_NO_FAILURE = {
    **dict.fromkeys(("failure_code", "failure_reply", "retry_at")),
    "failures": 0,
}
_LOCK_TIMEOUT = SQL("SET LOCAL lock_timeout = '2s'")
_NO_LEASE = dict.fromkeys(("lease", "lease_until"))


@contextmanager
def _own_environment(env):
    """A short transaction of its own, committed at the end."""
    with env.registry.cursor() as cr:
        yield api.Environment(cr, SUPERUSER_ID, {})


def _update(own, values, where):
    """:return: whether there was such a row"""
    sets = (SQL("%s = %s", SQL.identifier(name), values[name]) for name in values)
    _execute(
        own,
        SQL("UPDATE mail_external_secret SET %s WHERE %s", SQL(", ").join(sets), where),
    )
    return bool(own.cr.rowcount)


def _execute(own, query):
    """Who waits for a lock of somebody's saving would hold up others."""
    own.cr.execute(_LOCK_TIMEOUT)
    own.cr.execute(query, log_exceptions=False)


def _until_kept(keep):
    """What a service has answered is not to be lost: its old token may be spent."""
    for attempt in range(_TRIES):
        try:
            return keep()
        except (*PG_CONCURRENCY_EXCEPTIONS_TO_RETRY, *_NO_DATABASE):
            if attempt + 1 == _TRIES:
                raise
            seconds = min(0.02 * 2**attempt, 3.0)
            time.sleep(random.uniform(0.5, 1) * seconds)  # noqa: S311
    return None


def forget_failures(accounts):
    """The service may be asked again at once, in the caller's transaction: somebody has
    mended what it refused."""
    secrets_ = accounts.env["mail.external.secret"].sudo()
    rows = secrets_.search(
        [("account_id", "in", accounts.ids), ("failure_code", "!=", False)]
    )
    codes = {code.value for code in ENDED}
    rows.filtered(lambda row: row.failure_code not in codes).write(_NO_FAILURE)
