"""Who reads a mailbox now: claims that end with a crash.

Plain functions over SQL. All processes and hosts see a claim; it needs no row of the
account, so that saving one never waits for it.
"""

import secrets
from contextlib import contextmanager
from datetime import timedelta

from odoo import fields
from odoo.exceptions import UserError
from odoo.tools import SQL

from ..mailkit.errors import ErrorCode, MailError
from . import vault
from .incoming.requests import FolderJob, MailboxJob

# First half of the keys of PostgreSQL's advisory locks on a run that reads ("mxfr").
RUN_CLASS = 0x6D786672
# Seconds that one command of a mailbox may take.
STEP_TIMEOUT = 20.0
# Mailboxes that may be read at all.
_READABLE_FROM = SQL(
    "mail_external_mailbox m"
    " JOIN mail_external_account a ON a.id = m.account_id"
    " LEFT JOIN res_users u ON u.id = a.user_id"
    " LEFT JOIN res_users s ON s.id = a.sign_in_user_id"
)
_READABLE = SQL(
    "a.active AND a.state = 'working' AND a.receives"
    " AND a.incoming_protocol IN ('imap', 'pop3')"
    " AND (u.id IS NULL OR u.active) AND (s.id IS NULL OR s.active)"
)
# Those that are due, and that no living run reads.
_DUE = SQL(
    "m.next_look <= now() AT TIME ZONE 'UTC' AND %s"
    " AND (COALESCE(m.run, 0) = 0 OR pg_try_advisory_xact_lock(%s, m.run))",
    _READABLE,
    RUN_CLASS,
)
_HEADERS_AT_ONCE = 1000


@contextmanager
def fetch_run(env):
    """A number for this run, that shows as long as it lives: a crash ends it."""
    number = secrets.randbelow(2**31 - 1) + 1
    with env.registry.cursor() as cr:
        cr.execute(SQL("SELECT pg_advisory_xact_lock(%s, %s)", RUN_CLASS, number))
        yield number


def next_look(env):
    """When the next mailbox is due; of those that a run may read."""
    env.cr.execute(
        SQL("SELECT min(m.next_look) FROM %s WHERE %s", _READABLE_FROM, _READABLE)
    )
    return env.cr.fetchone()[0]


def claim_due(env, number, limit, troubled):
    """Mailboxes for this run, that nobody else reads: one statement.

    :param int number: of ``fetch_run``
    :param int troubled: how many of them may be slow or failed the last time
    :return: list of (row: dict, MailboxJob or MailError why there is none)
    """
    env.cr.execute(
        SQL(
            """
            WITH well AS (
                SELECT m.id
                  FROM %(readable_from)s
                 WHERE %(due)s
                   AND COALESCE(m.attempts, 0) + COALESCE(m.cuts, 0) = 0
                 ORDER BY m.next_look
                 LIMIT %(limit)s
                   FOR UPDATE OF m SKIP LOCKED
            ), troubled AS (
                SELECT m.id
                  FROM %(readable_from)s
                 WHERE %(due)s
                   AND COALESCE(m.attempts, 0) + COALESCE(m.cuts, 0) > 0
                 ORDER BY m.next_look
                 LIMIT LEAST(%(troubled)s,
                             %(limit)s - (SELECT count(*) FROM well))
                   FOR UPDATE OF m SKIP LOCKED
            ), mine AS (
                UPDATE mail_external_mailbox m
                   SET run = %(number)s,
                       crashes = COALESCE(m.crashes, 0)
                                 + (COALESCE(m.run, 0) <> 0)::int
                  FROM (SELECT id FROM well UNION SELECT id FROM troubled) due
                 WHERE m.id = due.id
                RETURNING m.*
            )
            SELECT a.id, a.user_id, a.company_id, a.sign_in_user_id,
                   a.incoming_protocol, a.incoming_host, a.incoming_port,
                   a.incoming_security, a.incoming_login, a.ca_certificate,
                   a.allow_private_host, a.look_back_days, s.sealed, m.next_look,
                   m.last_look, m.reading_since, m.quiet_looks, m.attempts,
                   m.cuts, m.crashes, m.judging, m.failure_code,
                   m.answer_count, m.unrelated_count,
                   (SELECT json_agg(json_build_object(
                               'id', f.id, 'path', f.path, 'state', f.state,
                               'is_sent', f.is_sent,
                               'failure_code', f.failure_code,
                               'transfer', f.transfer,
                               'age', extract(epoch FROM
                                   now() AT TIME ZONE 'UTC' - f.last_listing))
                               ORDER BY f.id)
                      FROM mail_external_folder f
                     WHERE f.account_id = a.id) AS folders,
                   EXISTS(SELECT FROM mail_external_sent_copy c
                           WHERE c.account_id = a.id) AS copies
              FROM mine m
              JOIN mail_external_account a ON a.id = m.account_id
              LEFT JOIN mail_external_secret s
                ON s.account_id = a.id AND s.purpose = 'incoming'
            """,
            limit=limit,
            troubled=troubled,
            number=number,
            readable_from=_READABLE_FROM,
            due=_DUE,
        )
    )
    rows = env.cr.dictfetchall()
    env.cr.commit()  # pylint: disable=invalid-commit
    return [(row, _mailbox_job(env, row)) for row in rows]


def _mailbox_job(env, row):
    """What a visit needs; here a stored password is opened."""
    row["folders"] = row["folders"] or []
    try:
        credentials = vault.stored_credentials(env, row, "incoming")
        server = vault.server(row, "incoming", STEP_TIMEOUT)
    except vault.UnsealError:
        return MailError(ErrorCode.LOGIN_REQUIRED)
    except UserError:
        return MailError(ErrorCode.TEMPORARY)  # no key now, see ``vault``
    except MailError as error:
        return error
    look_back = None
    if row["look_back_days"] and row["reading_since"] and not row["last_look"]:
        look_back = row["reading_since"].date()
    return MailboxJob(
        account_id=row["id"],
        server=server,
        credentials=credentials,
        folders=tuple(
            FolderJob(
                folder["id"],
                folder["path"],
                bool(folder["is_sent"]),
                folder["state"],
                list_anew=(folder["age"] or 3600) >= 3600,
                transfer=folder["transfer"],
            )
            for folder in _in_turn(row)
        ),
        since=(row["last_look"] or row["reading_since"] or fields.Datetime.now()).date()
        - timedelta(days=1),
        look_back=look_back,
        copies=row["copies"],
        headers=_headers_at_once(row),
        careful=bool(row["crashes"]),
    )


def _headers_at_once(row):
    """Fewer of a server that did not give as many in time."""
    slow = row["failure_code"] == ErrorCode.TIMEOUT.value
    return (
        _HEADERS_AT_ONCE // 10 ** min(row["attempts"] or 0, 3)
        if slow
        else _HEADERS_AT_ONCE
    )


def _in_turn(row):
    """Another folder first after each visit that ended in the middle: one of them that
    the server is slow with does not hold up the others."""
    folders = row["folders"]
    turn = (row["attempts"] or 0) + (row["cuts"] or 0)
    first = turn % len(folders) if folders else 0
    return folders[first:] + folders[:first]
