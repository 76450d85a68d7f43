"""Handing one message from a mailbox over to core's gateway.

A plain class, no model: where the message belongs and what it may set off is decided
here; the row in mail.external.arrival keeps what became of it.
"""

from dataclasses import replace

from odoo.tools import SQL
from odoo.tools.mail import email_normalize_all

from ...mailkit.message.headers import parse_headers
from ..arrival import Arrival, processing
from ..conversation import is_colleague, took_part
from .facts import own_emails
from .heavy import HeavyParts
from .intake import Intake

# So many answers of one sender in one conversation within an hour are a loop.
LOOP_LIMIT = 100


class ArrivalProcessing:
    """Posts one message.

    :param arrival: its row, a mail.external.arrival in superuser mode
    :param decision: what it answers and whom it comes from
        (``mailkit.answers.matching.Decision``)
    :param bool is_sent: it lies in the owner's own Sent folder
    """

    def __init__(self, arrival, decision, is_sent):
        self.arrival = arrival
        self.account = arrival.account_id
        self.decision = decision
        self.is_sent = is_sent
        self.env = arrival.env

    def is_loop(self):
        """Two programs that answer each other, whatever they say about themselves."""
        if self.arrival.kind != "answer":
            return False
        [[count]] = self.env.execute_query(
            SQL(
                """
                SELECT count(*)
                  FROM mail_external_arrival r
                  JOIN mail_message m ON m.id = r.mail_message_id
                  JOIN mail_message parent
                    ON parent.model = m.model AND parent.res_id = m.res_id
                 WHERE parent.id = %s AND r.id <> %s AND r.sender = %s
                   AND r.account_id = %s
                   AND r.kind = 'answer'
                   AND r.create_date > now() AT TIME ZONE 'UTC' - interval '1 hour'
                """,
                self.decision.message,
                self.arrival.id,
                self.arrival.sender or "",
                self.account.id,
            )
        )
        return count >= LOOP_LIMIT

    def post(self, source):
        """Post it where it belongs; the row tells the message that it became.

        :param MessageSource source: the message
        :raise ValueError: a part of it would have been lost
        """
        author = parse_headers(source.head).author
        target = self._target(author.email)
        if target is None:
            self.arrival.kind = "ignored"
            return
        # Colleagues' notifications are queued: nobody's mailbox waits for their server.
        thread = self.env["mail.thread"].with_context(mail_notify_force_send=False)
        account = self.account
        lang = account.user_id.lang or account.company_id.partner_id.lang
        reader = self.arrival.with_context(lang=lang).env
        target = replace(
            target,
            row_id=self.arrival.id,
            author=author,
            nobody=reader._("Unclear sender"),
            secret=account.forward_token or "",
            heavy=HeavyParts(source, _cut_notice(reader)),
        )
        with processing(target):
            thread.message_process(None, target.heavy.raw)
        message = self.env["mail.message"].browse(target.posted[-1:])
        if not message:
            self.arrival.kind = "known"  # it came in by the gateway before
            return
        if not target.heavy.all_stored():
            raise ValueError("A part of the message was left out")
        self.arrival.mail_message_id = message
        if self.arrival.kind == "answer" and not target.mark:
            self._wake(self.env[target.model].browse(target.res_id))

    def _wake(self, record):
        """An answer to a finished task does what the company's setting says."""
        if hasattr(record, "_external_answer_arrived"):
            record._external_answer_arrived()

    def _target(self, author):
        """Where the message belongs and what it may set off.

        :param str author: address of who wrote it, "" for nobody
        :rtype: Arrival | None
        """
        kind = self.arrival.kind
        own = own_emails(self.account)
        if kind == "new":
            address = self.arrival.address_id
            values = {"project_id": address.new_mail_project_id.id}
            mark = self._is_ours(author) and "colleague"
            place = {"model": "project.task", "res_id": 0, "values": values, "own": own}
            return Arrival(**place, mark=mark, internal=bool(mark))
        parent = self.env["mail.message"].browse(self.decision.message).exists()
        thread = parent and parent._external_sender_thread()
        if not thread or not thread.exists():
            return None
        place = {
            "model": thread._name,
            "res_id": thread.id,
            "parent_id": parent.id,
            "own": own,
        }
        is_ours = Intake(self.account).may_speak_in(parent, thread)
        if kind == "own_copy":
            mark = "own_copy" if self.is_sent else "unproven"
            owner = self.account.user_id.partner_id
            place.update(author_id=owner.id, internal=not self.is_sent)
            return Arrival(**place, mark=mark) if is_ours else None
        if not is_ours:
            return Arrival(**place, mark="stranger", internal=True, foreign=True)
        mark = False
        if self._is_ours(author):
            mark = "colleague"
        elif not (
            self.decision.from_addressee or self._took_part(parent, thread, author)
        ):
            mark = "stranger"
        place["internal"] = bool(mark)
        if kind == "auto_reply":
            mark = "auto_reply"
        return Arrival(**place, mark=mark)

    def _is_ours(self, author):
        """Whether a mail names a colleague, or an address of ours, as its author; also
        one that was removed or moved: it does not become a customer by that.

        Colleagues get their mail from Odoo's own server, so what they answer does not
        come out of a mailbox; and whoever wrote to one can write any From.
        """
        senders = self.env["mail.external.sender"]
        return bool(
            senders._external_in(author)
            or author.lower() in senders._proven_addresses()
            or is_colleague(self.env, author)
        )

    def _took_part(self, parent, thread, author):
        """Whether an author was written to in this conversation before ``parent``.

        What they answer need not have been sent to them by Odoo: the answer of another
        customer who copied them, a mail that the owner sent from a mail program, their
        own absence note.
        """
        if took_part(thread, [author]):
            return True
        named = parent.external_mark == "own_copy" and ",".join(
            filter(None, (parent.incoming_email_to, parent.incoming_email_cc))
        )
        return bool(author) and author in email_normalize_all(named or "")


def _cut_notice(env):
    return env._(
        "The rest is too long or too complicated to be shown here."
        " Open the attached file to read everything."
    )
