import logging
import re

from odoo import fields, models
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY

from ..mailkit import mime
from ..mailkit.headers import Headers, message_key, parse_headers
from ..mailkit.loops import automatic
from ..mailkit.matching import Outcome, Reason, decide, decide_body
from ..mailkit.reports import Kind, classify
from ..tools import code_mail, vault
from ..tools.as_odoo import as_odoo
from ..tools.message_source import MessageSource
from .mail_external_account_facts import CODE_MAIL

_logger = logging.getLogger(__name__)

# Who writes, and about what, when a mailbox is to be redirected: Gmail, and others.
_CONFIRMATION = re.compile(
    r"forwarding-noreply@google\.com|confirm|verif|forward|redirect|підтвер|пересил",
    re.IGNORECASE,
)
# Kinds of mail that are posted in a conversation.
_SPEAKING = ("answer", "auto_reply", "own_copy")
_REPORTS = (Kind.DELIVERY_REPORT, Kind.READ_RECEIPT, Kind.OTHER_REPORT)


class MailExternalAccount(models.Model):
    """One message out of a mailbox: what it is, and what becomes of it."""

    _inherit = "mail.external.account"

    def _wants_whole(self, decision, headers):
        """Whether the whole message has to be fetched, after its headers."""
        if decision.outcome is Outcome.OWN_COPY:
            return decision.reason is Reason.OWN_ANSWER
        if decision.outcome is Outcome.NONE:
            return self._makes_tasks() and self._takes_new_mail(decision, headers)
        return True

    def _makes_tasks(self):
        return (
            self.new_mail == "task"
            and not self.user_id
            and bool(self.new_mail_project_id)
        )

    def _takes_new_mail(self, decision, headers):
        return (
            decision.reason is Reason.UNRELATED
            and any(address.email for address in headers.from_)
            and automatic(headers) is None
        )

    def _take_in(self, raw, decision, facts, *, place="", is_sent=False):
        """Process one whole message; whatever is wrong with it is kept, not raised.

        Commits nothing. What is taken in a second time changes nothing.

        :param raw: the message as it lies in the mailbox, bytes or a MessageSource
        :param decision: what its headers said (``mailkit.matching.Decision``)
        :param str place: where it lies, for the quarantine
        :param bool is_sent: it lies in the owner's own Sent folder
        :return: its row in the ledger, none when it was there already; None when it
            does not belong to a conversation of Odoo's
        """
        self.ensure_one()
        source = raw if isinstance(raw, MessageSource) else MessageSource(raw)
        raw = source.head
        headers = parse_headers(raw)
        try:
            with self.env.cr.savepoint():
                if headers.author.email != decision.author:
                    # A server told another author when it was asked for the header.
                    [decision], facts = self._decide_batch([headers])
                found, report = self._look_inside(raw, headers, decision, facts)
                kind = self._kind(found, report, headers)
                if kind is None:
                    return None
                key = self._ledger_key(found, kind, headers, raw)
                arrival = self._claim_arrival(headers, raw, kind, place, key)
                if arrival:
                    arrival._process(source, found, report, is_sent)
                return arrival
        except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY:
            raise
        except Exception:
            # Trouble before it could be told what it is: nothing stops for one mail.
            _logger.exception("Message of mailbox %s", self.id)
            self.env.invalidate_all()
            arrival = self._claim_arrival(Headers(), raw, "answer", place)
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
            and self._may_speak_in(parent, thread)
        ):
            return key
        own = f"{self.id} {key}"
        self.env["mail.external.arrival"]._move_place(self, key, own)
        return own

    def _may_speak_in(self, parent, thread):
        """Whether what lies in this mailbox may speak in a conversation.

        Who has a mail server of their own puts any mail into their mailbox. They know
        the conversation when the mail that is answered left through this account, or
        they may read it in Odoo anyway. For a company account its managers stand, who
        answer for the mail of their company.
        """
        if parent.external_account_id == self:
            return True
        if self.env["mail.external.delivery"].search_count(
            [("account_id", "=", self.id), ("mail_message_id", "=", parent.id)],
            limit=1,
        ):
            return True
        if self.user_id:
            return thread._external_is_open_to(self.user_id)
        company_id = thread._external_sender_company_id()
        return not company_id or company_id == self.company_id.id

    def _keep_place(self, headers, kind, place, reason, key=None):
        """Show in the quarantine where a message lies that could not be fetched.

        :param headers: its mailkit.headers.Headers, empty ones when they are unknown
        """
        arrival = self._claim_arrival(headers, b"", kind, place, key)
        arrival.write({"state": "quarantine", "reason": reason})

    def _claim_arrival(self, headers, raw, kind, place, key=None):
        """The message's row in the ledger, none when it is there already.

        :param bytes raw: b"" when the message itself could not be had
        :param str key: instead of that of the headers and ``raw``
        """
        return self.env["mail.external.arrival"]._claim(
            {
                "key": key or message_key(headers, raw),
                "account_id": self.id,
                "user_id": self.user_id.id,
                "company_id": self.company_id.id,
                "kind": kind,
                "sender": headers.author.email or headers.author.display,
                "subject": headers.subject[:500],
                "date": fields.Datetime.now(),
                "place": place,
            },
            instead_of_place=bool(raw),
        )

    def _take_in_forwarded(self, raw):
        """One message that the mailbox redirected to Odoo's gateway.

        What is not for Odoo is dropped here: it lies in the mailbox.

        :return: id of the record that it was posted to, or False
        """
        self.ensure_one()
        account = as_odoo(self)
        headers = parse_headers(raw)
        [decision], facts = account._decide_batch([headers])
        arrival = None
        if account._wants_whole(decision, headers):
            arrival = account._take_in(raw, decision, facts, place="forwarded")
        if arrival is None:
            account._note_confirmation(headers, raw)
            return False
        if arrival.mail_message_id:
            arrival._let_notifications_leave()
        return arrival.mail_message_id.res_id

    def _note_confirmation(self, headers, raw):
        """A service that redirects mail asks first: show its code or link."""
        if not _CONFIRMATION.search(f"{headers.author.email} {headers.subject}"):
            return
        parts = [p for p in mime.walk(raw) if p.content_type.startswith("text/")]
        text = next((text for p in parts if (text := p.plain()).strip()), "")
        self.forward_confirmation = f"{headers.subject}\n\n{text.strip()[:2000]}"

    def _look_inside(self, raw, headers, decision, facts):
        """What only the whole message can tell.

        :return: (decision, mailkit.reports.Report or None)
        """
        report = None
        if code_mail.carries_code(self.env, raw):
            return CODE_MAIL, None
        if decision.outcome is Outcome.REPORT:
            report = classify(raw)
            if report.kind not in _REPORTS:
                decision = decide(headers, facts, is_report=False)
        if decision.outcome is Outcome.BODY_NEEDED:
            found = (signer.in_message(raw) for signer in vault.signers(self.env))
            tokens = next((tokens for tokens in found if tokens), ())
            ids = [token.message_id for token in tokens]
            _names, addressees = self._sent_messages((), ids)
            facts.addressees.update(addressees)
            decision = decide_body(headers, facts, tokens)
        return decision, report

    def _kind(self, decision, report, headers):
        """Value of mail.external.arrival.kind, or None: not for us."""
        if decision.outcome is Outcome.REPORT:
            if report.kind is Kind.DELIVERY_REPORT and report.original:
                return "bounce"
            return "receipt" if report.kind is Kind.READ_RECEIPT else None
        if decision.outcome is Outcome.ANSWER:
            return "auto_reply" if decision.automatic else "answer"
        if decision.outcome is Outcome.OWN_COPY:
            return "own_copy" if decision.reason is Reason.OWN_ANSWER else None
        is_new = self._makes_tasks() and self._takes_new_mail(decision, headers)
        return "new" if is_new else None
