import base64
import logging
from dataclasses import replace

from odoo import api, models
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY
from odoo.tools import SQL
from odoo.tools.mail import email_normalize_all

from ..mailkit.headers import parse_headers
from ..tools.arrival import Arrival, processing
from ..tools.heavy_parts import HeavyParts
from ..tools.message_source import MessageSource

_logger = logging.getLogger(__name__)

# So many answers of one sender in one conversation within an hour are a loop.
LOOP_LIMIT = 100


class MailExternalArrival(models.Model):
    """Handing a message over to core's gateway, or keeping it."""

    _inherit = "mail.external.arrival"

    def _process(self, source, decision, report, is_sent):
        """Post it, or mark what it reports; on failure keep it in quarantine.

        :param MessageSource source: the message
        """
        self.ensure_one()
        try:
            with self.env.cr.savepoint():
                if self._is_loop(decision):
                    self._quarantine("loop", source)
                elif self.kind == "bounce":
                    self._mark_bounced(report)
                elif self.kind != "receipt":
                    self._post(source, decision, is_sent)
                self.flush_recordset()
        except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY:
            raise
        except Exception:
            # Whatever a sender can make of a message must not stop the others.
            _logger.exception("Message %s of a mailbox", self.id)
            self.env.invalidate_all()
            self._quarantine("not_understood", source)

    def _quarantine(self, reason, source):
        raw = base64.b64encode(source.content())
        self.write({"state": "quarantine", "reason": reason, "raw": raw})

    def _post(self, source, decision, is_sent):
        author = parse_headers(source.head).author
        target = self._target(decision, is_sent, author.email)
        if target is None:
            self.kind = "ignored"
            return
        # Colleagues' notifications are queued: nobody's mailbox waits for their server.
        thread = self.env["mail.thread"].with_context(mail_notify_force_send=False)
        account = self.account_id
        lang = account.user_id.lang or account.company_id.partner_id.lang
        reader = self.with_context(lang=lang)
        target = replace(
            target,
            row_id=self.id,
            author=author,
            nobody=reader.env._("Unclear sender"),
            secret=account.forward_token or "",
            heavy=HeavyParts(source, reader._cut_notice()),
        )
        with processing(target):
            thread.message_process(None, target.heavy.raw)
        message = self.env["mail.message"].browse(target.posted[-1:])
        if not message:
            self.kind = "known"  # it came in by the gateway before
            return
        if not target.heavy.all_stored():
            raise ValueError("A part of the message was left out")
        self.mail_message_id = message
        if self.kind == "answer" and not target.mark:
            self._wake(self.env[target.model].browse(target.res_id))

    @api.model
    def _let_notifications_leave(self):
        """Colleagues' notifications of what was posted are queued, see ``_post``.

        For who commits, once for all that one transaction took in.
        """
        queue = self.env.ref("mail.ir_cron_mail_scheduler_action", False)
        if queue:  # without it they wait, as all of Odoo's mail does
            queue.sudo()._trigger()

    def _cut_notice(self):
        return self.env._(
            "The rest is too long or too complicated to be shown here."
            " Open the attached file to read everything."
        )

    def _wake(self, record):
        """An answer to a finished task does what the company's setting says."""
        if hasattr(record, "_external_answer_arrived"):
            record._external_answer_arrived()

    def _target(self, decision, is_sent, author):
        """Where the message belongs and what it may set off.

        :param str author: address of who wrote it, "" for nobody
        :rtype: Arrival | None
        """
        account = self.account_id
        own = account._own_addresses()
        if self.kind == "new":
            values = {"project_id": account.new_mail_project_id.id}
            mark = self._is_ours(author) and "colleague"
            place = {"model": "project.task", "res_id": 0, "values": values, "own": own}
            return Arrival(**place, mark=mark, internal=bool(mark))
        parent = self.env["mail.message"].browse(decision.message).exists()
        thread = parent and parent._external_sender_thread()
        if not thread or not thread.exists():
            return None
        place = {
            "model": thread._name,
            "res_id": thread.id,
            "parent_id": parent.id,
            "own": own,
        }
        is_ours = account._may_speak_in(parent, thread)
        if self.kind == "own_copy":
            mark = "own_copy" if is_sent else "unproven"
            owner = account.user_id.partner_id
            place.update(author_id=owner.id, internal=not is_sent)
            return Arrival(**place, mark=mark) if is_ours else None
        if not is_ours:
            return Arrival(**place, mark="stranger", internal=True, foreign=True)
        mark = False
        if self._is_ours(author):
            mark = "colleague"
        elif not (decision.from_addressee or self._took_part(parent, thread, author)):
            mark = "stranger"
        place["internal"] = bool(mark)
        if self.kind == "auto_reply":
            mark = "auto_reply"
        return Arrival(**place, mark=mark)

    def _is_ours(self, author):
        """Whether a mail names a colleague, or an address of ours, as its author.

        Colleagues get their mail from Odoo's own server, so what they answer does not
        come out of a mailbox; and whoever wrote to one can write any From.
        """
        return bool(
            self.env["mail.external.account"]._external_in(author)
            or self.env["mail.thread"]._external_is_colleague(author)
        )

    def _took_part(self, parent, thread, author):
        """Whether an author was written to in this conversation before ``parent``.

        What they answer need not have been sent to them by Odoo: the answer of another
        customer who copied them, a mail that the owner sent from a mail program, their
        own absence note.
        """
        if thread._external_took_part([author]):
            return True
        named = parent.external_mark == "own_copy" and ",".join(
            filter(None, (parent.incoming_email_to, parent.incoming_email_cc))
        )
        return bool(author) and author in email_normalize_all(named or "")

    def _is_loop(self, decision):
        """Two programs that answer each other, whatever they say about themselves."""
        if self.kind != "answer" or self.env.context.get("external_retry"):
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
                decision.message,
                self.id,
                self.sender or "",
                self.account_id.id,
            )
        )
        return count >= LOOP_LIMIT

    def _process_again(self):
        """A user's second try of a message in quarantine; a loop is posted, too."""
        account = self.account_id
        raw = base64.b64decode(self.raw or b"")
        if not account or not raw:
            return
        headers = parse_headers(raw)
        [decision], facts = account._decide_batch([headers])
        decision, report = account._look_inside(raw, headers, decision, facts)
        kind = account._kind(decision, report, headers)
        if kind is None:
            self.write({"state": "done", "kind": "ignored", "raw": False})
            return
        self.write({"state": "done", "kind": kind, "reason": False})
        again = self.with_context(external_retry=True)
        again._process(MessageSource(raw), decision, report, False)
        if self.state == "done":
            self.raw = False
