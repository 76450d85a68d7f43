"""Delivery of the mails that wait for one account, over one SMTP session.

A plain class, no model: it holds an open session and, for a moment, the password.
Core's methods build the content; the ledger decides who still has to be served.
"""

import logging
import time
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from odoo import fields
from odoo.exceptions import UserError

from ..mailkit.errors import ErrorCode, MailError
from ..mailkit.settings import Credentials
from ..mailkit.smtp import SmtpSession
from . import vault
from .explanations import reason_text
from .message_builder import InvalidRecipient, build_messages

_logger = logging.getLogger(__name__)

# Minutes until the next attempt after a passing failure; after the last one it counts
# as final. Together about two days, as long as a mail server keeps trying.
RETRY_MINUTES = (1, 5, 15, 30, 60, 120, 240, 480, 720, 720)
# Seconds for one whole step with the server; a large mail may take a while.
STEP_TIMEOUT = 60.0
BATCH = 50

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


class Outcome(NamedTuple):
    """What became of one recipient: "sent", "retry" or "failed"."""

    state: str
    code: str = ""
    reply: str = ""
    next_try: object = False  # datetime, for "retry"


class AccountStopped(Exception):
    """Nothing more can leave through the account for now."""


class SecretUnusable(Exception):
    """The stored password does not open: other key, database or settings."""


def retry_delay(attempts):
    """When to try again after ``attempts`` attempts, or None when that was the last.

    :rtype: datetime.timedelta | None
    """
    if attempts > len(RETRY_MINUTES):
        return None
    return timedelta(minutes=RETRY_MINUTES[max(attempts, 1) - 1])


class AccountDelivery:
    """Sends what waits for ``account``; commits after each recipient.

    :param account: one working mail.external.account, in superuser mode
    :param float deadline: time.monotonic() after which no new mail is begun
    """

    def __init__(self, account, deadline):
        self.account = account
        self.env = account.env
        self.deadline = deadline
        self.ledger = self.env["mail.external.delivery"]
        self.session = None

    def run(self):
        """Deliver one batch.

        :return: whether more is waiting that could leave now
        """
        room, again = self.ledger._room_left(self.account)
        if room == 0:
            self._wait(again, ErrorCode.QUOTA_EXCEEDED.value, "")
            return False
        limit = BATCH if room is None else min(BATCH, room)
        mails = self.env["mail.mail"].search(
            [
                *self.env["mail.mail"]._external_due_domain(),
                ("sending_account_id", "=", self.account.id),
            ],
            order="id",
            limit=limit,
        )
        try:
            for mail in mails:
                if time.monotonic() > self.deadline:
                    return True
                self._deliver(mail)
        except AccountStopped:
            return False
        finally:
            if self.session:
                self.session.close()
        return len(mails) == limit

    # One mail

    def _deliver(self, mail):
        mail.invalidate_recordset()
        if not mail.exists() or mail.state != "outgoing":
            return  # cancelled meanwhile
        message = mail.mail_message_id
        if message.external_account_id != self.account or not self.account._may_send(
            message.create_uid
        ):
            mail._fail_external("", "sender_not_allowed")
            self.env.cr.commit()
            return
        results = []
        for partner, addresses, built in build_messages(mail):
            if isinstance(built, InvalidRecipient):
                results.append((partner, addresses, Outcome("failed", built.code)))
                continue
            for recipient in built.recipients:
                outcome = self._serve(mail, built, recipient)
                results.append((partner, [recipient], outcome))
        MailResult(mail, results).write()
        self.env.cr.commit()

    def _serve(self, mail, built, recipient):
        row = self.ledger._begin(mail, built.message_id, recipient)
        if row.state == "sent":
            return Outcome("sent")
        if row.attempts > 1 and row.next_try and row.next_try > fields.Datetime.now():
            return Outcome("retry", row.error_code, row.reply, row.next_try)
        try:
            session = self._open_session()
        except SecretUnusable:
            row.write({"state": "retry", "error_code": "secret_unusable"})
            self.account._stop("secret_unusable", "")
            self.env.cr.commit()
            raise AccountStopped from None
        except MailError as error:
            self._account_failed(error, row)
        self.env.cr.commit()  # a crash from here on leaves the row as "sending"
        try:
            reply = session.send(built.sender, recipient, built.content)
        except MailError as error:
            outcome = self._refused(error, row)
        else:
            outcome = Outcome("sent", reply=str(reply))
        row.write(
            {
                "state": outcome.state,
                "error_code": outcome.code,
                "reply": outcome.reply,
                "next_try": outcome.next_try,
                "date": fields.Datetime.now(),
            }
        )
        self.env.cr.commit()
        if outcome.state == "sent":
            self.account._note_success()
        return outcome

    def _refused(self, error, row):
        """Outcome for one recipient; a fault of the account itself stops the batch."""
        if not self.session.alive:
            self.session.close()
            self.session = None
        if error.code in SIGN_IN_CODES or error.code is ErrorCode.QUOTA_EXCEEDED:
            self._account_failed(error, row)
        reply = str(error.reply or "")
        # In doubt: it may have been accepted, but an answer never came. A mail too many
        # with the same Message-ID is better than one that is lost.
        passing = error.transient or error.in_doubt
        delay = retry_delay(row.attempts) if passing else None
        if delay is None:
            return Outcome("failed", error.code.value, reply)
        next_try = fields.Datetime.now() + delay
        return Outcome("retry", error.code.value, reply, next_try)

    # The account

    def _open_session(self):
        """The signed-in session; opened at the first mail, and anew when it broke."""
        if self.session and self.session.alive:
            return self.session
        session = SmtpSession(
            replace(self.account._server("smtp"), timeout=STEP_TIMEOUT),
            self._credentials(),
        )
        self.session = session
        try:
            session.open()
            session.login()
        except MailError:
            session.close()
            self.session = None
            raise
        return session

    def _credentials(self):
        """:raise SecretUnusable: the stored password cannot be used any more"""
        login = self.account.smtp_login
        if not login:
            return None
        secret = self.env["mail.external.secret"].search(
            [("account_id", "=", self.account.id), ("purpose", "=", "smtp")]
        )
        try:
            password = vault.unseal(
                self.env, secret.sealed or "", self.account._secret_context("smtp")
            )
        except (vault.UnsealError, UserError) as error:
            _logger.warning(
                "Password of external account %s cannot be decrypted: the key, the "
                "database or the settings changed",
                self.account.id,
            )
            raise SecretUnusable from error
        return Credentials(login, password)

    def _account_failed(self, error, row):
        """No mail of this account can leave now.

        :raise AccountStopped: always
        """
        reply = str(error.reply or "")
        row.write({"state": "retry", "error_code": error.code.value, "reply": reply})
        if error.code in SIGN_IN_CODES:
            self.account._stop(error.code.value, reply)
        else:
            delay = retry_delay(self.account.delivery_attempts + 1)
            when = fields.Datetime.now() + (delay or timedelta(hours=12))
            self._wait(when, error.code.value, reply)
            if delay is None:
                self._give_up(error.code.value, reply)
        self.env.cr.commit()
        raise AccountStopped

    def _give_up(self, code, reply):
        """What has waited as long as a mail server keeps trying fails, visibly."""
        patience = timedelta(minutes=sum(RETRY_MINUTES))
        mails = self.env["mail.mail"].search(
            [
                ("sending_account_id", "=", self.account.id),
                ("state", "=", "outgoing"),
                ("create_date", "<", fields.Datetime.now() - patience),
            ]
        )
        mails._fail_external(reply, code)

    def _wait(self, when, code, reply):
        self.account._delay_delivery(when, code, reply)
        self.env.cr.commit()


class MailResult:
    """Writes what became of the recipients of one mail.

    :param mail: one mail.mail
    :param results: list of (partner or empty recordset, [address], Outcome)
    """

    def __init__(self, mail, results):
        lang = mail.mail_message_id.create_uid.lang
        self.env = mail.with_context(lang=lang).env
        self.mail = mail.with_env(self.env)
        self.results = results

    def write(self):
        mail = self.mail
        notifications = self.env["mail.notification"].search(
            [("mail_mail_id", "=", mail.id), ("notification_type", "=", "email")]
        )
        messages = mail.mail_message_id
        waiting = [r for r in self.results if r[2].state == "retry"]
        if waiting:
            outcome = waiting[0][2]
            mail.write(
                {
                    "external_next_try": min(r[2].next_try for r in waiting),
                    "failure_reason": self._reason(outcome),
                }
            )
        else:
            self._finish()
        for partner, addresses, outcome in self.results:
            of_recipient = notifications.exists().filtered(
                lambda n, p=partner, a=addresses: (
                    n.res_partner_id == p if p else n.mail_email_address in a
                )
            )
            of_recipient.write(self._notification_values(outcome))
        messages.exists()._notify_message_notification_update()

    def _finish(self):
        failed = [r for r in self.results if r[2].state == "failed"]
        values = {"state": "sent", "failure_type": False, "failure_reason": False}
        if failed or not self.results:
            outcome = (
                failed[0][2] if failed else Outcome("failed", "mail_email_missing")
            )
            values = {
                "state": "exception",
                "failure_type": self._failure_type(outcome),
                "failure_reason": self._reason(outcome),
            }
        self.mail.write(values)
        sent = [r for r in self.results if r[2].state == "sent"]
        self.mail._postprocess_sent_message(
            success_pids=[partner for partner, _a, _o in sent if partner],
            success_emails=[a for p, addresses, _o in sent if not p for a in addresses],
            failure_reason=values["failure_reason"],
            failure_type=values["failure_type"],
        )

    def _notification_values(self, outcome):
        if outcome.state == "sent":
            return {
                "notification_status": "sent",
                "failure_type": "",
                "failure_reason": "",
            }
        if outcome.state == "retry":
            return {
                "notification_status": "ready",
                "failure_reason": self._reason(outcome),
            }
        return {
            "notification_status": "exception",
            "failure_type": self._failure_type(outcome),
            "failure_reason": self._reason(outcome),
        }

    def _reason(self, outcome):
        return reason_text(self.env, outcome.code, outcome.reply)

    def _failure_type(self, outcome):
        return {
            "mail_email_missing": "mail_email_missing",
            "mail_email_invalid": "mail_email_invalid",
            ErrorCode.RECIPIENT_UNKNOWN.value: "mail_email_invalid",
            ErrorCode.CONTENT_REFUSED.value: "mail_spam",
            ErrorCode.SENDER_REFUSED.value: "mail_from_invalid",
        }.get(outcome.code, "unknown")
