import base64
import secrets
from contextlib import contextmanager
from datetime import timedelta

from odoo import api, fields, models, modules
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL

from ..mailkit.errors import ErrorCode, MailError
from ..mailkit.settings import Credentials
from ..tools import vault
from ..tools.destination import mailbox_secret_context, mailbox_server
from ..tools.fetching import FetchRun
from ..tools.run_time import RunTime
from ..tools.visit_requests import FolderJob, MailboxJob

# First half of the key of PostgreSQL's advisory lock on a run ("mxfr").
RUN_CLASS = 0x6D786672
# Mailboxes that one run reads at a time, unless a parameter says otherwise.
THREADS = 32
# Seconds that one command of a mailbox may take.
STEP_TIMEOUT = 20.0
# Mailboxes that may be read at all.
_READABLE_FROM = SQL(
    "mail_external_mailbox m"
    " JOIN mail_external_account a ON a.id = m.account_id"
    " LEFT JOIN res_users u ON u.id = a.user_id"
)
_READABLE = SQL(
    "a.active AND a.state = 'working' AND a.receive_replies"
    " AND a.incoming_protocol IN ('imap', 'pop3') AND (u.id IS NULL OR u.active)"
)
# Those that are due, and that no living run reads.
_DUE = SQL(
    "m.next_look <= now() AT TIME ZONE 'UTC' AND %s"
    " AND (COALESCE(m.run, 0) = 0 OR pg_try_advisory_xact_lock(%s, m.run))",
    _READABLE,
    RUN_CLASS,
)
_HEADERS_AT_ONCE = 1000


class MailExternalAccount(models.Model):
    """The fetching cron: which mailboxes are due, and who reads them."""

    _inherit = "mail.external.account"

    def action_fetch_now(self):
        """Look into these mailboxes as soon as a scheduled action can."""
        for account in self:
            if not account._may_connect():
                raise AccessError(
                    self.env._(
                        "Only the owner or a manager may fetch the mail of %s.",
                        account.email,
                    )
                )
        # sudo: who may connect the account may have it read
        mailboxes = self.sudo().mailbox_ids
        if not mailboxes:
            raise UserError(
                self.env._(
                    "This mailbox is not read. Switch on “Receive replies” in the "
                    "connect window first."
                )
            )
        self.sudo()._look_soon(0)
        kind, text = "info", self.env._("The mailbox is being read.")
        if not self._active_crons("fetch"):
            kind = "warning"
            text = self.env._(
                "No mailbox is read: the scheduled action was deleted or archived. "
                "Your administrator makes it again in General Settings > External "
                "Addresses."
            )
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": kind,
                "message": text,
                "next": {"type": "ir.actions.act_window_close"},
            },
        }

    def _look_soon(self, minutes):
        """Look into these mailboxes in ``minutes`` at the latest."""
        when = fields.Datetime.add(fields.Datetime.now(), minutes=minutes)
        self.env.cr.execute(
            # One that is being read now may be past what has just come.
            "UPDATE mail_external_mailbox SET next_look = %s"
            " WHERE account_id = ANY(%s) AND (next_look > %s OR run <> 0)",
            (when, self.ids, when),
        )
        # Who presses the button waits for no interval, also when it is due already.
        if self.env.cr.rowcount or not minutes:
            self._trigger_cron("fetch", at=when)

    def _keep_copy(self, message_id_header, content):
        """Remember a sent mail for the Sent folder of its mailbox; one copy a mail."""
        self.ensure_one()
        if not (
            self.keep_sent_copy
            and self.receive_replies
            and self.incoming_protocol == "imap"
        ):
            return
        copies = self.env["mail.external.sent.copy"]
        known = copies.search_count(
            [
                ("account_id", "=", self.id),
                ("message_id_header", "=", message_id_header),
            ],
            limit=1,
        )
        if not known:
            copies.create(
                {
                    "account_id": self.id,
                    "message_id_header": message_id_header,
                    "sent": fields.Datetime.now(),
                    "content": base64.b64encode(content),
                }
            )

    @api.model
    def _cron_fetch(self):
        """Read the mailboxes that are due, for a part of a cron's time."""
        if modules.module.current_test:
            return  # as core: nothing goes over the network in test mode
        run_time = RunTime(self._seconds_allowed())
        threads = self._threads("fetch", THREADS)
        with self._fetch_run() as number:
            more = FetchRun(self, number, threads, run_time).run()
        if more:
            self._trigger_cron("fetch")
        elif next_look := self._next_look():
            # Due, and still here: another run reads it. Look again soon.
            soon = fields.Datetime.add(fields.Datetime.now(), minutes=1)
            self._trigger_cron("fetch", at=max(next_look, soon))

    @contextmanager
    def _fetch_run(self):
        """A number for this run, that shows as long as it lives: a crash ends it."""
        number = secrets.randbelow(2**31 - 1) + 1
        with self.env.registry.cursor() as cr:
            cr.execute(SQL("SELECT pg_advisory_xact_lock(%s, %s)", RUN_CLASS, number))
            yield number

    @api.model
    def _next_look(self):
        """When the next mailbox is due; of those that a run may read."""
        self.env.cr.execute(
            SQL("SELECT min(m.next_look) FROM %s WHERE %s", _READABLE_FROM, _READABLE)
        )
        return self.env.cr.fetchone()[0]

    @api.model
    def _claim_due(self, number, limit, troubled):
        """Mailboxes for this run, that nobody else reads: one statement.

        :param int troubled: how many of them may be slow or failed the last time
        :return: list of (row: dict, MailboxJob or MailError why there is none)
        """
        self.env.cr.execute(
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
                SELECT a.id, a.user_id, a.company_id, a.incoming_protocol,
                       a.incoming_host, a.incoming_port, a.incoming_security,
                       a.incoming_login, a.ca_certificate, a.allow_private_host,
                       a.look_back_days, s.sealed, m.next_look, m.last_look,
                       m.reading_since, m.quiet_looks, m.attempts,
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
        rows = self.env.cr.dictfetchall()
        self.env.cr.commit()  # pylint: disable=invalid-commit
        return [(row, self._mailbox_job(row)) for row in rows]

    @api.model
    def _mailbox_job(self, row):
        """What a visit needs; here a stored password is opened."""
        row["folders"] = row["folders"] or []
        uuid = self.env["ir.config_parameter"].sudo().get_param("database.uuid")
        try:
            password = vault.unseal(
                self.env, row["sealed"] or "", mailbox_secret_context(uuid, row)
            )
            credentials = Credentials(row["incoming_login"] or "", password)
            server = mailbox_server(row, STEP_TIMEOUT)
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
            since=(
                row["last_look"] or row["reading_since"] or fields.Datetime.now()
            ).date()
            - timedelta(days=1),
            look_back=look_back,
            copies=row["copies"],
            headers=_headers_at_once(row),
            careful=bool(row["crashes"]),
        )

    def _stop_reading(self, code, reply):
        """A refused sign-in: stop at once (no lock-out), and tell the owner."""
        self.ensure_one()
        self.mailbox_ids.write(
            {
                "next_look": False,
                "run": 0,
                "failure_code": code,
                "failure_reply": reply,
            }
        )
        self._tell_owner(
            self.env._("%s: the mail server refused the sign-in", self.email),
            self.env._(
                "Answers to %(email)s are not read until the sign-in works again. "
                "%(text)s",
                email=self.email,
                text=self.mailbox_ids.failure_text or "",
            ),
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
