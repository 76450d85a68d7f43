"""Who reads a mailbox now.

A claim says that one run has a mailbox for itself. All processes and hosts see it, and
it ends with a crash: the run holds an advisory lock of PostgreSQL on its number, on a
cursor of its own (``fetch_run``), and the number is written into the mailboxes that it
reads (``claim_due``). Who finds a number that nobody holds knows that its run ended in
the middle. No row of the account is locked, so that saving one never waits for it.

Plain functions over SQL; who delivers an account is said in ``outgoing/account.py``.
"""

import secrets
from contextlib import contextmanager

from odoo.tools import SQL

# First half of the keys of PostgreSQL's advisory locks on a run that reads ("mxfr").
RUN_CLASS = 0x6D786672
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
    :return: list of dict, one of columns for each, see ``work.MailboxWork``
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
            SELECT a.id, a.user_id, a.company_id, a.sign_in_user_id, a.auth_method,
                   a.incoming_protocol, a.incoming_host, a.incoming_port,
                   a.incoming_security, a.incoming_login, a.ca_certificate,
                   a.application_id, a.smtp_host, a.smtp_port, a.smtp_security,
                   a.smtp_login, a.service_habits,
                   a.allow_private_host, a.look_back_days, m.next_look,
                   s.id AS secret_id, s.sealed,
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
                ON s.account_id = a.id
               AND s.purpose = CASE a.auth_method WHEN 'oauth2' THEN 'oauth2'
                                                  ELSE 'incoming' END
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
    return rows
