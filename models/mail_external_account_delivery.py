import logging
import threading
from contextlib import contextmanager

from odoo import api, fields, models, modules
from odoo.tools import SQL, config

from ..tools.delivery import AccountDelivery
from ..tools.delivery_run import DeliveryRun
from ..tools.explanations import cause_and_remedy
from ..tools.run_time import RunTime

_logger = logging.getLogger(__name__)

# First half of the key of PostgreSQL's advisory lock on an account ("mxac").
LOCK_CLASS = 0x6D786163
# So many accounts are served at a time, where the system parameter says nothing.
THREADS = 8
# Odoo's own default, where there is no limit.
_USUAL_SECONDS = 120.0
_NEVER = fields.Datetime.to_datetime("1970-01-01")


class MailExternalAccount(models.Model):
    """The delivery cron: which accounts have something to send, and when."""

    _inherit = "mail.external.account"

    delivery_next_try = fields.Datetime(
        "Sending Again From",
        copy=False,
        readonly=True,
        help="After a passing failure, or when a sending limit is reached.",
    )
    delivery_last_run = fields.Datetime(copy=False, readonly=True)
    delivery_attempts = fields.Integer(copy=False, readonly=True)

    @api.model
    def _cron_deliver(self):
        """Send what waits, for a part of a cron's time."""
        if modules.module.current_test:
            return  # as core: nothing is sent in test mode
        run_time = RunTime(self._seconds_allowed())
        # Each takes two connections to the database: one serves, one holds the claim.
        threads = min(self._threads("deliver", THREADS), config["db_maxconn"] // 4)
        more = DeliveryRun(self.browse(), max(threads, 1), run_time).run()
        if more:
            self._trigger_cron("deliver")
        elif next_time := self._next_due_time():
            # Due, and still here: another process holds the account. Look again soon.
            soon = fields.Datetime.add(fields.Datetime.now(), minutes=1)
            self._trigger_cron("deliver", at=max(next_time, soon))

    @api.model
    def _seconds_allowed(self):
        """What Odoo allows to a scheduled action; it ends who takes longer."""
        limit = config["limit_time_real"]
        if getattr(threading.current_thread(), "type", None) != "http":
            cron = config["limit_time_real_cron"]
            limit = limit if cron == -1 else cron
        return float(limit) if limit and limit > 0 else _USUAL_SECONDS

    def _deliver_one(self, deadline, last, note_progress):
        """One batch of one account; whatever goes wrong stays with this account.

        :param deadline, last: see ``AccountDelivery``
        :param note_progress: called after each mail
        :return: whether more is waiting that could leave now
        """
        with self._claim() as claimed:
            if not claimed:
                return False
            try:
                self.delivery_last_run = fields.Datetime.now()
                return AccountDelivery(self, deadline, last, note_progress).run()
            except Exception:
                # The batch is lost, not the mail: the ledger knows who was served.
                self.env.cr.rollback()
                _logger.exception("Delivery of external account %s", self.id)
                self._delay_delivery(
                    fields.Datetime.add(fields.Datetime.now(), minutes=5), "", ""
                )
                self.env.cr.commit()  # pylint: disable=invalid-commit
                return False

    @contextmanager
    def _claim(self):
        """Hold the account for this process, on a cursor of its own.

        An advisory lock, unlike a lock on the row, lets users edit the account while
        its mail is leaving; it ends with the cursor, also after a crash.
        """
        self.ensure_one()
        with self.env.registry.cursor() as cr:
            cr.execute(
                SQL("SELECT pg_try_advisory_xact_lock(%s, %s)", LOCK_CLASS, self.id)
            )
            yield cr.fetchone()[0]

    @api.model
    def _accounts_with_due_mail(self):
        groups = self.env["mail.mail"]._read_group(
            [
                *self.env["mail.mail"]._external_due_domain(),
                ("sending_account_id.state", "=", "working"),
                ("sending_account_id.active", "=", True),
                "|",
                ("sending_account_id.delivery_next_try", "=", False),
                ("sending_account_id.delivery_next_try", "<=", fields.Datetime.now()),
            ],
            ["sending_account_id"],
        )
        accounts = self.browse(account.id for [account] in groups)
        # who waited longest for his turn comes first
        return accounts.sorted(lambda a: (a.delivery_last_run or _NEVER, a.id))

    @api.model
    def _next_due_time(self):
        """When something waits for its time: the earliest of these times."""
        rows = self.env.execute_query(
            SQL(
                """
                SELECT min(greatest(m.scheduled_date, m.external_next_try,
                                    a.delivery_next_try))
                  FROM mail_mail m
                  JOIN mail_external_account a ON a.id = m.sending_account_id
                 WHERE m.state = 'outgoing' AND a.state = 'working' AND a.active
                """
            )
        )
        return rows[0][0]

    def _note_success(self):
        """The server works: forget earlier failures (one write, not one a mail)."""
        self.ensure_one()
        if self.failure_code or self.delivery_attempts or self.delivery_next_try:
            self.write(
                {
                    "failure_code": False,
                    "failure_reply": False,
                    "delivery_attempts": 0,
                    "delivery_next_try": False,
                    "last_check": fields.Datetime.now(),
                }
            )

    def _delay_delivery(self, when, code, reply):
        """Nothing can leave before ``when``; the reason is shown."""
        self.ensure_one()
        self.write(
            {
                "delivery_next_try": when,
                "delivery_attempts": self.delivery_attempts + 1,
                "failure_code": code,
                "failure_reply": reply,
                "last_check": fields.Datetime.now(),
            }
        )

    def _delay_reason(self):
        """Why nothing leaves before ``delivery_next_try``, for the reader."""
        self.ensure_one()
        if self.delivery_attempts:
            return self.failure_text or ""
        # It is no failure that the service's limit is reached.
        return " ".join(cause_and_remedy(self.env, "quota_exceeded"))

    def _resume_delivery(self):
        """After the connection was tested anew: what waits may leave at once."""
        self.sudo().write({"delivery_attempts": 0, "delivery_next_try": False})
        self._trigger_cron("deliver")
