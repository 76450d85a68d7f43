"""Delivery of the mails that wait for one account, over one SMTP session.

Plain functions and a class, no model: it holds an open session and, for a moment, the
password. The ledger decides who still has to be served.
"""

import base64
import logging
import time
from contextlib import contextmanager
from datetime import timedelta

from odoo import fields
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY
from odoo.tools import SQL

from ...mailkit.connection.network import Deadline
from ...mailkit.connection.replies import speaks_of_sign_in
from ...mailkit.errors import ErrorCode, MailError
from .. import service_habits
from ..oauth2.tokens import NotAsked
from ..sign_in_codes import OF_APPLICATION, SIGN_IN_CODES, UNUSABLE
from .message import InvalidRecipient, build_messages
from .result import MailResult, RecipientResult
from .session import KeyMissing, SecretUnusable, open_session

_logger = logging.getLogger(__name__)

# First half of the key of PostgreSQL's advisory lock on an account ("mxac").
CLAIM_CLASS = 0x6D786163
# Minutes until the next attempt after a passing failure; after the last one it counts
# as final. Together about two days, as long as a mail server keeps trying.
RETRY_MINUTES = (1, 5, 15, 30, 60, 120, 240, 480, 720, 720)
BATCH = 50
# So long somebody may still be sending through an account that was deleted.
_LAST_OF_DELETED = timedelta(minutes=15)
# What a server says in the middle of a session whose token has ended meanwhile.
_TOKEN_ENDED = frozenset({ErrorCode.TOKEN_REFUSED, ErrorCode.LOGIN_REQUIRED})
# So many broken connections in a row are the server's fault, not the mail's.
BROKEN_LIMIT = 2


class AccountStopped(Exception):
    """Nothing more can leave through the account for now."""


class SenderStopped(Exception):
    """The mail waits: its address was stopped or moved; other addresses go on."""


class OutOfTime(Exception):
    """The run ends in the middle of a mail; the ledger knows who was served."""


def retry_delay(attempts):
    """When to try again after ``attempts`` attempts, or None when that was the last.

    :rtype: datetime.timedelta | None
    """
    if attempts > len(RETRY_MINUTES):
        return None
    return timedelta(minutes=RETRY_MINUTES[max(attempts, 1) - 1])


def _wait(error, delay):
    """How long nothing leaves.

    Attempts that count never come faster than ``retry_delay`` has them: after the last
    one, mail that has waited as long for something else is given up.

    :param MailError error:
    :param delay: of ``retry_delay``
    """
    wait = delay or timedelta(hours=12)
    if not error.retry_after:
        return wait
    told = timedelta(seconds=error.retry_after + 1)  # who refused knows better
    never_given_up = isinstance(error, NotAsked) or error.code in OF_APPLICATION
    return told if never_given_up else max(wait, told)


def deliver(account, deadline, last, note_progress):
    """One batch of one account; whatever goes wrong stays with this account.

    The parameters are those of ``AccountDelivery``.

    :return: whether more is waiting that could leave now
    """
    with _claim(account) as claimed:
        if not claimed:
            return False
        try:
            account.delivery_last_run = fields.Datetime.now()
            return AccountDelivery(account, deadline, last, note_progress).run()
        except Exception:
            # The batch is lost, not the mail: the ledger knows who was served.
            account.env.cr.rollback()
            _logger.exception("Delivery of external account %s", account.id)
            soon = fields.Datetime.add(fields.Datetime.now(), minutes=5)
            account._delay_delivery(soon, "", "")
            account.env.cr.commit()  # pylint: disable=invalid-commit
            return False


@contextmanager
def _claim(account):
    """Hold the account for this process, on a cursor of its own.

    An advisory lock, unlike a lock on the row, lets users edit the account while its
    mail is leaving; all processes and hosts see it, and it ends with the cursor, also
    after a crash.

    :return: whether it is held
    """
    account.ensure_one()
    with account.env.registry.cursor() as cr:
        key = CLAIM_CLASS, account.id
        cr.execute(SQL("SELECT pg_try_advisory_xact_lock(%s, %s)", *key))
        yield cr.fetchone()[0]


def _is_claimed(account):
    """Whether another process sends the mail of this account now."""
    key = CLAIM_CLASS, account.id
    lock = SQL("SELECT pg_try_advisory_xact_lock_shared(%s, %s)", *key)
    return not account.env.execute_query(lock)[0][0]


class AccountDelivery:
    """Sends what waits for ``account``; commits after each recipient.

    :param account: one working mail.external.account, in superuser mode
    :param float deadline: time.monotonic() after which no new mail is begun
    :param float last: time.monotonic() after which the mail server is not waited for
    :param note_progress: called after each mail
    """

    def __init__(self, account, deadline, last, note_progress):
        self.account = account
        self.env = account.env
        self.deadline, self.last = deadline, last
        self.note_progress = note_progress
        self.ledger = self.env["mail.external.delivery"]
        self.session = None
        self.opened = None  # how the session is signed in
        self.has_sent = False  # whether it has taken a message
        self.room, self.room_again = None, None
        self.again = False
        self.served = 0
        self.broken = []  # errors of connections that broke, in a row

    def run(self):
        """Deliver one batch.

        :return: whether more is waiting that could leave now
        """
        self.room, self.room_again = self.account._room_by_limits()
        addresses = self.account.address_ids.filtered(self._leaves_here)
        mails = self.env["mail.mail"].search(
            [
                *self.env["mail.mail"]._external_due_domain(),
                # by their ids: thousands may wait for addresses that are stopped
                ("sending_address_id", "in", addresses.ids),
            ],
            order="id",
            limit=BATCH,
        )
        try:
            for mail in mails:
                if time.monotonic() > self.deadline:
                    return True
                if self.room == 0:  # no failure: it goes on by itself
                    self.account.delivery_next_try = self.room_again
                    self._commit()
                    return False
                self._deliver_mail_safely(mail)
        except AccountStopped:
            return False
        except OutOfTime:
            return True
        finally:
            self._close()
            if self.served:
                self.account._look_soon(1)  # an answer may come
                self._commit()
        return self.again or len(mails) == BATCH

    def _commit(self):
        """What happened at the server cannot be rolled back, so it is kept at once."""
        self.env.cr.commit()  # pylint: disable=invalid-commit

    # One mail

    def _deliver_mail_safely(self, mail):
        """A mail that cannot be processed must not hold up those behind it."""
        try:
            self._deliver_mail(mail)
        except (AccountStopped, OutOfTime, MemoryError):
            raise
        except SenderStopped:
            self._commit()
        except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY:
            # Somebody changed the same notification; the ledger knows who was served.
            self.env.cr.rollback()
            self.again = True
        except Exception:
            self.env.cr.rollback()
            _logger.exception(
                "Mail %s of external account %s", mail.id, self.account.id
            )
            # it may have been cancelled meanwhile
            mail.exists()._fail_external("", "not_processed")
            self._commit()

    def _deliver_mail(self, mail):
        mail.invalidate_recordset()
        if not mail.exists() or mail.state != "outgoing":
            return  # cancelled meanwhile
        if not mail._is_of_its_writer():
            mail._fail_external("", "sender_not_allowed")
            self._commit()
            return
        address = mail.sending_address_id
        if not self._leaves_here(address):
            return  # stopped by a mail before this one, or moved meanwhile: it waits
        if not address._may_deliver(mail.mail_message_id):
            mail._release("sender_not_allowed")
            self._commit()
            return
        results = []
        for partner, addresses, built in build_messages(mail):
            if isinstance(built, InvalidRecipient):
                results.append(
                    (partner, addresses, RecipientResult("failed", built.code))
                )
                continue
            for recipient in built.recipients:
                result = self._send_to(mail, built, recipient)
                results.append((partner, [recipient], result))
        MailResult(mail, results).apply()
        self._commit()
        self.note_progress()

    def _send_to(self, mail, built, recipient):
        """Send one message to one recipient, unless the ledger has them as served.

        :rtype: RecipientResult
        """
        known = self.ledger._find(built.message_id, recipient)
        if known.state in ("sent", "failed", "bounced"):
            state = "sent" if known.state == "sent" else "failed"
            return RecipientResult(state, known.error_code or "", known.reply or "")
        if self.room == 0:
            return RecipientResult("retry", "quota_exceeded", "", self.room_again)
        if time.monotonic() > self.deadline:
            raise OutOfTime
        if not self._leaves_here(mail.sending_address_id) or self._in_flight(known):
            raise SenderStopped
        session = self._session()
        row = self.ledger._begin(mail, built.message_id, recipient)
        self._commit()  # a crash from here on leaves the row as "sending"
        try:
            reply = self._hand_over(session, built, recipient)
        except AccountStopped:  # before it was handed over
            row._take_back()
            self._commit()
            raise
        except MailError as error:
            result = self._refused(error, row, mail.sending_address_id)
        else:
            self.broken = []
            self.served += 1
            result = RecipientResult("sent", reply=reply)
            self._note_given_id(row, reply)
            self._keep_copy(built)
        row._end(result.state, result.code, result.reply)
        self._commit()
        if result.state == "sent":
            self.account._note_success()
            self.room = self.room and self.room - 1
        if len(self.broken) >= BROKEN_LIMIT:
            self._account_failed(self.broken[-1])
        return result

    def _hand_over(self, session, built, recipient):
        """Send one message; a session that outlives its token is opened again, once.

        :return: the server's reply
        """
        message = built.sender, recipient, built.content
        try:
            reply = session.send(*message)
        except MailError as error:
            if not self._has_outlived(error):
                raise
        else:
            self.has_sent = True
            return reply
        token = self.opened.token
        self._close()
        return self._session(refused=token).send(*message)

    def _has_outlived(self, error):
        """Whether the session is refused because its token has ended; not the message.

        Servers say that with many a number. One that has just taken the token, and
        nothing yet, means something else.
        """
        if not self.opened.token or error.in_doubt:
            return False
        said = self.has_sent and error.reply and speaks_of_sign_in(error.reply)
        return bool(said) or error.code in _TOKEN_ENDED

    def _note_given_id(self, row, reply):
        """The server may have told the Message-ID that it gave the mail."""
        habits = self.account.service_habits
        if habits or "<" in reply:
            row._note_given_id(service_habits.given_id(habits, reply))

    def _keep_copy(self, built):
        """For the Sent folder, where the account wants that: one copy a mail."""
        account, copies = self.account, self.env["mail.external.sent.copy"]
        if not (
            account.keep_sent_copy
            and account.receives
            and account.incoming_protocol == "imap"
        ):
            return
        key = {"account_id": account.id, "message_id_header": built.message_id}
        known = [(name, "=", value) for name, value in key.items()]
        if not copies.search_count(known, limit=1):
            content = base64.b64encode(built.content)
            copies.create({**key, "sent": fields.Datetime.now(), "content": content})

    def _leaves_here(self, address):
        """Whether its mail may leave with this account's sign-in now."""
        return (
            address.state == "working"
            and address.active
            and address.account_id == self.account
        )

    def _in_flight(self, row):
        """Whether the account that the address had before is sending this just now.

        Nobody else than this process sends with this account; what stands as being
        sent by it a crash has left.
        """
        if row.state != "sending" or row.account_id == self.account:
            return False
        if row.account_id:
            return _is_claimed(row.account_id)
        # The account was deleted; its process ends with the time of its run.
        return row.date > fields.Datetime.now() - _LAST_OF_DELETED

    def _refused(self, error, row, address):
        """The result of one recipient; a fault of the account itself stops the batch.

        :raise SenderStopped: the server does not let the account send from ``address``
        """
        if not self.session.alive:
            self._close()
            self.broken.append(error)
        if error.code in SIGN_IN_CODES or error.code is ErrorCode.QUOTA_EXCEEDED:
            row._take_back(error.code.value)
            self._account_failed(error)
        reply = str(error.reply or "")
        if error.code is ErrorCode.SENDER_REFUSED and not error.transient:
            # Not this mail's fault, nor the account's: its siblings go on.
            row.write(
                {"state": "retry", "error_code": error.code.value, "reply": reply}
            )
            address._stop(error.code.value, reply)
            self._commit()
            raise SenderStopped
        if error.in_doubt and row.attempts > 1:
            # Handed over twice, and twice no answer: it has probably arrived.
            return RecipientResult("failed", "in_doubt", reply)
        # In doubt once: the same Message-ID again is better than a mail that is lost.
        passing = error.transient or error.in_doubt
        delay = retry_delay(row.attempts) if passing else None
        if delay is None:
            return RecipientResult("failed", error.code.value, reply)
        next_try = fields.Datetime.now() + delay
        return RecipientResult("retry", error.code.value, reply, next_try)

    # The account

    def _session(self, refused=""):
        """The open session; opened at the first mail, and anew when it broke, or when
        its token has ended.

        :param str refused: the token that the server refused in the one before
        :raise AccountStopped: there is none to be had
        """
        if not (self.session and self.session.alive and not self._token_ended()):
            self._close()
            if self.account.auth_method == "oauth2":
                self._commit()  # nothing is open while the mail service is asked
            try:
                self.opened = open_session(
                    self.account, Deadline(self.last - time.monotonic()), refused
                )
                self.session, self.has_sent = self.opened.session, False
            except SecretUnusable:
                with_tokens = self.account.auth_method == "oauth2"
                self.account._stop(UNUSABLE if with_tokens else "secret_unusable", "")
                self._commit()
                raise AccountStopped from None
            except KeyMissing:
                when = fields.Datetime.now() + timedelta(minutes=5)
                self.account._delay_delivery(when, "key_missing", "")
                self._commit()
                raise AccountStopped from None
            except MailError as error:
                self._account_failed(error)
        return self.session

    def _token_ended(self):
        ends = self.opened.good_until
        return ends is not None and time.monotonic() > ends

    def _close(self):
        if self.session:
            self.session.close()
            self.session = None

    def _account_failed(self, error):
        """No mail of this account can leave now.

        :raise AccountStopped: always
        """
        reply = str(error.reply or "")
        if error.code in SIGN_IN_CODES:
            self._commit()  # who renews tokens may have stopped it since it was read
            self.account._stop(error.code.value, reply)
        else:
            # The first one counts in any case: it is shown as a failure.
            attempts = self.account.delivery_attempts
            counts = not isinstance(error, NotAsked) or not attempts
            delay = retry_delay(attempts + counts)
            # What an administrator mends waits for them.
            is_last = delay is None and error.code not in OF_APPLICATION
            when = fields.Datetime.now() + _wait(error, delay)
            self.account._delay_delivery(when, error.code.value, reply, counts=counts)
            if is_last:
                self._give_up(error.code.value, reply)
        self._commit()
        raise AccountStopped

    def _give_up(self, code, reply):
        """What has waited as long as a mail server keeps trying fails, visibly."""
        patience = timedelta(minutes=sum(RETRY_MINUTES))
        mails = self.env["mail.mail"].search(
            [
                ("sending_address_id.account_id", "=", self.account.id),
                ("state", "=", "outgoing"),
                ("create_date", "<", fields.Datetime.now() - patience),
            ]
        )
        mails._fail_external(reply, code)
