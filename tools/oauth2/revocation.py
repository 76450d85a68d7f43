"""Ending a sign-in at the mail service that gave it (RFC 7009).

Whoever removes an account, takes a sign-in back or goes on with a password expects that
Odoo's access ends there, too. That is tried once, after the commit, in a thread: nobody
waits for a service, and a service that does not answer stops nothing. Here the tokens
are deleted in any case.

A service may end all that one person allowed to one application together (Google does).
So nothing is revoked that another account still signs in with.
"""

import logging
import threading
from functools import partial

import psycopg2
from odoo.exceptions import UserError
from odoo.sql_db import db_connect
from odoo.tools import SQL

from ...mailkit import oauth
from ...mailkit.connection.network import Deadline
from ...mailkit.errors import MailError
from .. import vault

_logger = logging.getLogger(__name__)

# Seconds for one service to answer, and for all that one transaction has ended.
_ONE_SECONDS, _ALL_SECONDS = 10.0, 120.0


def revoke_rows(rows):
    """Revoke the tokens of rows of mail.external.secret that are about to be deleted.

    What does not open is not ours to revoke: it came with a copy of the database.
    """
    env = rows.env
    ended = []
    for row in rows.sudo().filtered(lambda row: row.purpose == "oauth2"):
        try:
            ended.append(vault.ended_tokens(row))
        except (vault.UnsealError, UserError, MailError):
            _logger.info(
                "The sign-in of external account %s is deleted, not revoked: it does "
                "not open here",
                row.account_id.id,
            )
    revoke_after_commit(env, ended)


def revoke_after_commit(env, ended):
    """Revoke them once the transaction is committed, unless somebody still needs them.

    :param ended: list of (mailkit.oauth.Client, vault.StoredTokens, keys), see
        ``vault.ended_tokens``
    """
    ended = [
        each for each in ended if each[0].revocation_endpoint and each[1].refresh_token
    ]
    # A copy may know the same person at the same application as the real database.
    copy = env["ir.config_parameter"].sudo().get_param("database.is_neutralized")
    if ended and not copy:
        env.cr.postcommit.add(partial(_begin, env.cr.dbname, ended))


def _begin(dbname, ended):
    threading.Thread(
        target=_revoke, args=(dbname, ended), name="oauth2-revocation", daemon=True
    ).start()


def _revoke(dbname, ended):
    deadline = Deadline(_ALL_SECONDS)
    for client, kept, keys in ended:
        try:
            if not _is_used(dbname, keys):
                within = deadline.within(_ONE_SECONDS)
                oauth.revoke(client, kept.refresh_token, within)
        except MailError as error:
            _logger.info("A sign-in was not revoked: %s", error.code.value)
        except Exception as error:  # noqa: BLE001
            # Without its text, which may be anything that was answered or sent.
            _logger.warning("A sign-in was not revoked: %s", type(error).__name__)


def _is_used(dbname, keys):
    """Whether another account signs in with the same, by the same person."""
    with db_connect(dbname).cursor() as cr:
        try:
            cr.execute(
                SQL(
                    "SELECT EXISTS (SELECT FROM mail_external_secret"
                    " WHERE grant_key = ANY(%s) OR subject_key = ANY(%s))",
                    *keys,
                ),
                log_exceptions=False,
            )
        except psycopg2.errors.UndefinedTable:  # uninstalled: nobody does
            return False
        return cr.fetchone()[0]
