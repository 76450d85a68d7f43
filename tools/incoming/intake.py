"""One message out of a mailbox: what it is, and what becomes of it."""

import logging

from odoo import fields
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY

from ...mailkit.answers.loops import is_automatic
from ...mailkit.answers.matching import (
    Match,
    MatchReason,
    decide,
    decide_body,
    decide_by_subject,
)
from ...mailkit.answers.reports import Kind, classify
from ...mailkit.message.address import Address
from ...mailkit.message.headers import Headers, message_key, parse_headers
from .. import service_habits, vault
from .facts import (
    CODE_MAIL,
    AddressBook,
    addressed,
    by_subject,
    carries_code,
    decide_batch,
    is_open_to,
    sent_messages,
)
from .heavy import MessageSource

_logger = logging.getLogger(__name__)

# Kinds of mail that are posted in a conversation.
_SPEAKING = ("answer", "auto_reply", "own_copy")


class Intake:
    """Takes in what came for one account, whoever brings it: a visit, or the gateway.

    :param account: mail.external.account in superuser mode
    """

    def __init__(self, account):
        account.ensure_one()
        self.account = account
        self.env = account.env

    def wants_whole(self, decision, headers, book=None):
        """Whether the whole message has to be fetched, after its headers.

        :param AddressBook book: of the account, where many are asked about
        """
        if decision.match is Match.OWN_COPY:
            return decision.reason is MatchReason.OWN_ANSWER
        if decision.match is Match.NONE:
            return bool(self._task_address(decision, headers, book))
        return True

    def makes_tasks(self):
        """Whether new mail to any of the account's addresses becomes a task."""
        return any(map(_makes_tasks, self.account._all_addresses()))

    def _task_address(self, decision, headers, book=None):
        """The address whose project new mail goes to; none: it is left alone.

        What names none of them counts for the account's own address, and never for
        another one by guess. What names removed ones only was for them.
        """
        none = self.account.address_ids.browse()
        if not (
            decision.reason is MatchReason.UNRELATED
            and any(address.email for address in headers.from_)
            and not is_automatic(headers)
        ):
            return none
        book = book or AddressBook(self.account)
        return next(filter(_makes_tasks, book.named(headers) or book.own), none)

    def note_sender(self, decision, headers):
        """A copy in the Sent folder shows under which address the server sent.

        Only there: anybody can send mail into the inbox that looks like a copy.
        """
        if decision.reason is not MatchReason.SENT_BY_ODOO:
            return
        message = self.env["mail.message"].browse(decision.message).exists()
        address = message.external_address_id
        shown = headers.author.key
        if (
            address.account_id == self.account
            and address.state == "working"
            and shown
            and shown not in self._sent_as(message, address)
        ):
            address._stop("sender_replaced", f"From: {headers.author.email}")

    def note_given_id(self, decision, headers, facts):
        """And under which Message-ID, where the service gives one of its own."""
        given = headers.message_id
        if (
            decision.reason is not MatchReason.SENT_BY_ODOO
            or not given
            or given in facts.messages
        ):
            return
        rows = self.env["mail.external.delivery"].search(
            [
                ("mail_message_id", "=", decision.message),
                ("account_id", "=", self.account.id),
                ("given_message_id", "=", False),
            ]
        )
        recipients = {each.email for each in (*headers.to, *headers.cc)}
        named = rows.filtered(lambda row: row.recipient in recipients)
        (named or rows)[:1]._note_given_id(given)

    def _sent_as(self, message, address):
        """Under which e-mails it left: the address may be another one since."""
        sent = self.env["mail.external.delivery"].search(
            [("mail_message_id", "=", message.id), ("address_id", "=", address.id)]
        )
        emails = (address.email, *sent.mapped("address_email"))
        return {Address.of(email).key for email in emails}

    def take_in(self, raw, decision, facts, *, place="", is_sent=False, waits=False):
        """Process one whole message; whatever is wrong with it is kept, not raised.

        Commits nothing. What is taken in a second time changes nothing.

        :param raw: the message as it lies in the mailbox, bytes or a MessageSource
        :param decision: what its headers said (``mailkit.answers.matching.Decision``)
        :param str place: where it lies, for the quarantine
        :param bool is_sent: it lies in the owner's own Sent folder
        :param bool waits: keep it for when the account works again
        :return: its row in the ledger, none when it was there already; None when it
            does not belong to a conversation of Odoo's
        """
        source = raw if isinstance(raw, MessageSource) else MessageSource(raw)
        raw = source.head
        headers = parse_headers(raw)
        try:
            with self.env.cr.savepoint():
                if headers.author.email != decision.author:
                    # A server told another author when it was asked for the header.
                    [decision], facts = decide_batch(self.account, [headers])
                found, report = self.look_inside(raw, headers, decision, facts)
                kind = self.kind(found, report, headers)
                if kind is None:
                    return None
                key = self._ledger_key(found, kind, headers, raw)
                address = self.address(found, kind, headers)
                arrival = self._enter(headers, raw, kind, place, address, key)
                if arrival and waits:
                    arrival._keep_waiting(source)
                elif arrival:
                    arrival._process(source, found, report, is_sent)
                return arrival
        except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY:
            raise
        except Exception:
            # Trouble before it could be told what it is: nothing stops for one mail.
            _logger.exception("Message of mailbox %s", self.account.id)
            self.env.invalidate_all()
            own = self.account._own_address()
            arrival = self._enter(Headers(), raw, "answer", place, own)
            if arrival:
                arrival._quarantine("not_understood", source)
            return arrival

    def _ledger_key(self, decision, kind, headers, raw):
        """Where a mail may not speak, it does not stand for the same one in another
        mailbox either: the real answer would count as known."""
        key = message_key(headers, raw)
        if kind == "new":
            return key
        parent = self.env["mail.message"].browse(decision.message or []).exists()
        thread = parent and parent._external_sender_thread()
        if (
            kind in _SPEAKING
            and thread
            and thread.exists()
            and self.may_speak_in(parent, thread)
        ):
            return key
        own = f"{self.account.id} {key}"
        self.env["mail.external.arrival"]._move_place(self.account, key, own)
        return own

    def may_speak_in(self, parent, thread):
        """Whether what lies in this mailbox may speak in a conversation.

        Who has a mail server of their own puts any mail into their mailbox. They know
        the conversation when the mail that is answered left through this account, or
        they may read it in Odoo anyway. For a company account its managers stand, who
        answer for the mail of their company.
        """
        addresses = self.account._all_addresses()
        if parent.external_address_id in addresses:
            return True
        if self.env["mail.external.delivery"].search_count(
            [
                ("mail_message_id", "=", parent.id),
                "|",
                ("account_id", "=", self.account.id),
                ("address_id", "in", addresses.ids),
            ],
            limit=1,
        ):
            return True
        if self.account.user_id:
            return is_open_to(thread, self.account.user_id)
        company_id = thread._external_sender_company_id()
        companies = self.account.company_id | self.account.address_ids.company_id
        return not company_id or company_id in companies.ids

    def keep_place(self, headers, kind, place, reason, key=None):
        """Show in the quarantine where a message lies that could not be fetched.

        :param headers: its ``Headers``, empty ones when they are unknown
        """
        own = self.account._own_address()
        arrival = self._enter(headers, b"", kind, place, own, key)
        arrival.write({"state": "quarantine", "reason": reason})

    def _enter(self, headers, raw, kind, place, address, key=None):
        """The message's row in the ledger, none when it is there already.

        :param bytes raw: b"" when the message itself could not be had
        :param address: which of the account's it was written to
        :param str key: instead of that of the headers and ``raw``
        """
        return self.env["mail.external.arrival"]._enter(
            {
                "key": key or message_key(headers, raw),
                "account_id": self.account.id,
                "address_id": address.id,
                "user_id": self.account.user_id.id,
                "company_id": (address.company_id or self.account.company_id).id,
                "kind": kind,
                "sender": headers.author.email or headers.author.display,
                "subject": headers.subject[:500],
                "date": fields.Datetime.now(),
                "place": place,
            },
            instead_of_place=bool(raw),
        )

    def look_inside(self, raw, headers, decision, facts):
        """What only the whole message can tell.

        :return: (decision, mailkit.answers.reports.Report or None)
        """
        report = None
        if carries_code(self.env, raw):
            return CODE_MAIL, None
        if decision.match is Match.REPORT:
            report = classify(raw)
            if report is None:
                decision = decide(headers, facts, is_report=False)
        if decision.match is Match.BODY_NEEDED:
            found = (signer.in_message(raw) for signer in vault.signers(self.env))
            marked = next(filter(None, found), ())
            _names, addressees = sent_messages(self.env, (), marked)
            facts.addressees.update(addressees)
            decision = decide_body(headers, facts, marked)
            if decision.match is Match.NONE:
                decision = self._by_subject(headers, facts) or decision
        return decision, report

    def _by_subject(self, headers, facts):
        """The decision by sender and subject, where the mail service leaves no more."""
        if not service_habits.hides_ids(self.account.service_habits):
            return None
        message = by_subject(self.account, headers)
        if message is None:
            return None
        _names, addressees = sent_messages(self.env, (), [message])
        facts.addressees.update(addressees)
        return decide_by_subject(headers, facts, message)

    def kind(self, decision, report, headers):
        """Value of mail.external.arrival.kind, or None: not for us."""
        if decision.match is Match.REPORT:
            if report.kind is Kind.DELIVERY and report.original:
                return "bounce"
            return "receipt" if report.kind is Kind.READ_RECEIPT else None
        if decision.match is Match.ANSWER:
            return "auto_reply" if decision.is_automatic else "answer"
        if decision.match is Match.OWN_COPY:
            return "own_copy" if decision.reason is MatchReason.OWN_ANSWER else None
        return "new" if self._task_address(decision, headers) else None

    def address(self, decision, kind, headers):
        """Which of the account's addresses the message was written to."""
        if kind == "new":
            return self._task_address(decision, headers)
        message = self.env["mail.message"].browse(decision.message or []).exists()
        return addressed(self.account, headers, message)


def _makes_tasks(address):
    return (
        address.active
        and address.new_mail == "task"
        and not address.user_id
        and bool(address.new_mail_project_id)
    )
