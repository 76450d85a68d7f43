import base64
import logging

from odoo import api, fields, models
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY
from odoo.tools import SQL

from ..mailkit.message.address import Address
from ..mailkit.message.headers import parse_headers
from ..tools import notices, vault
from ..tools.explanations import cause_and_remedy
from ..tools.incoming.facts import decide_batch
from ..tools.incoming.gateway import ArrivalProcessing
from ..tools.incoming.heavy import MessageSource
from ..tools.incoming.intake import Intake

_logger = logging.getLogger(__name__)
# So many messages that waited for their accounts are processed in one run.
WAITING_AT_ONCE = 200


class MailExternalArrival(models.Model):
    """Ledger of what came out of mailboxes: each message once, whatever it took.

    ``key`` is unique over all mailboxes, so that a message which lies in several of
    them, or comes again after a crash, is dealt with once. What cannot be processed
    stays here with its source ("quarantine").

    The account's intake decides what a message is, enters it here and processes it:
    ``tools.incoming.gateway`` posts it, a delivery report marks the ledger of what
    was sent. Who reads the mailbox sees the quarantine, and has a message processed
    again or gives it up.
    """

    _name = "mail.external.arrival"
    _description = "Message From a Mailbox"
    _order = "id desc"
    _rec_name = "subject"

    key = fields.Char(required=True, readonly=True, copy=False)
    account_id = fields.Many2one(
        "mail.external.account",
        "Mail Account",
        readonly=True,
        index="btree_not_null",
        ondelete="set null",
    )
    address_id = fields.Many2one(
        "mail.external.address",
        "External Address",
        readonly=True,
        index="btree_not_null",
        ondelete="set null",
        help="The address of the account that it was written to.",
    )
    # Of the address when it came: they decide who may see the row.
    user_id = fields.Many2one(
        "res.users", "Employee", readonly=True, ondelete="cascade"
    )
    company_id = fields.Many2one("res.company", readonly=True, ondelete="set null")
    kind = fields.Selection(
        [
            ("answer", "Answer"),
            ("auto_reply", "Automatic reply"),
            ("own_copy", "Sent from a mail program"),
            ("new", "New message"),
            ("bounce", "Delivery report"),
            ("receipt", "Read receipt"),
            ("known", "Known already"),
            ("ignored", "Left alone"),
        ],
        readonly=True,
    )
    state = fields.Selection(
        [
            ("done", "Processed"),
            ("quarantine", "In quarantine"),
            ("waiting", "Waits for the account"),
            ("dismissed", "Dismissed"),
        ],
        required=True,
        default="done",
        readonly=True,
        index=True,
    )
    reason = fields.Char("Reason Code", readonly=True, help="Why it is in quarantine.")
    reason_text = fields.Char("Reason", compute="_compute_reason_text")
    sender = fields.Char("From", readonly=True)
    subject = fields.Char(readonly=True)
    date = fields.Datetime("Received", readonly=True)
    place = fields.Char(readonly=True, help="Folder and number in the mailbox.")
    mail_message_id = fields.Many2one(
        "mail.message",
        "Message",
        readonly=True,
        index="btree_not_null",
        ondelete="set null",
    )
    raw = fields.Binary("Source", attachment=True, readonly=True)
    raw_name = fields.Char(compute="_compute_raw_name")

    _once = models.UniqueIndex("(key)")

    @api.depends_context("lang")
    @api.depends("reason")
    def _compute_reason_text(self):
        for arrival in self:
            arrival.reason_text = arrival.reason and " ".join(
                cause_and_remedy(self.env, arrival.reason)
            )

    @api.depends_context("lang")
    @api.depends("subject", "place")
    def _compute_display_name(self):
        for arrival in self:
            arrival.display_name = arrival.subject or self.env._(
                "Message (%s)", arrival.place or arrival.id
            )

    def _compute_raw_name(self):
        for arrival in self:
            arrival.raw_name = f"{arrival.id or 'message'}.eml"

    # The ledger

    @api.model
    def _enter(self, values, *, instead_of_place=False):
        """A new row, or none when the message was dealt with already.

        Waits for a concurrent fetch of the same message to commit or roll back.

        :param bool instead_of_place: the message is here now: take the row over in
            which only its place was kept, as it could not be fetched before
        """
        row = self.env.execute_query(
            SQL(
                "INSERT INTO mail_external_arrival"
                " (key, state, create_uid, create_date)"
                " VALUES (%s, 'done', %s, now() AT TIME ZONE 'UTC')"
                " ON CONFLICT (key) DO NOTHING RETURNING id",
                values["key"],
                self.env.uid,
            )
        )
        arrival = self.browse(row[0][0]) if row else self.browse()
        if not arrival and instead_of_place:
            arrival = self._without_source(values) or self._waiting_elsewhere(values)
        if arrival:
            new = {name: v for name, v in values.items() if name != "key"}
            arrival.write({"state": "done", "reason": False, **new})
        return arrival

    @api.model
    def _move_place(self, account, key, new_key):
        """What could not be fetched before is known by another key now."""
        found = self.search([("key", "in", (key, new_key))])
        place = found.filtered(
            lambda row: row.account_id == account and row._lacks_source()
        )
        if len(found) == 1 and place:
            place.key = new_key

    def _lacks_source(self):
        return self.state == "quarantine" and not self.raw

    def _without_source(self, values):
        """What could not be fetched; given up: only by whose mailbox it is now."""
        found = self.search([("key", "=", values["key"])])
        return found.filtered(
            lambda arrival: (
                arrival._lacks_source()
                or (
                    arrival.state == "dismissed"
                    and arrival.account_id.id != values["account_id"]
                )
            )
        )

    def _waiting_elsewhere(self, values):
        """What waits for another account that does not work: here it can be had now."""
        found = self.search(
            [
                ("key", "=", values["key"]),
                ("state", "=", "waiting"),
                ("account_id", "!=", values["account_id"]),
            ]
        )
        found.raw = False
        return found

    # Processing

    def _process(self, source, decision, report, is_sent, *, again=False):
        """Post it, or mark what it reports; on failure keep it in quarantine.

        :param MessageSource source: the message
        :param decision: what it is (``mailkit.answers.matching.Decision``)
        :param report: what it reports, if it is a delivery report
        :param bool is_sent: it lies in the owner's own Sent folder
        :param bool again: a user wants it processed, be it part of a loop
        """
        self.ensure_one()
        processing = ArrivalProcessing(self, decision, is_sent)
        try:
            with self.env.cr.savepoint():
                if not again and processing.is_loop():
                    self._quarantine("loop", source)
                elif self.kind == "bounce":
                    self._mark_bounced(report)
                elif self.kind != "receipt":
                    processing.post(source)
                self.flush_recordset()
        except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY:
            raise
        except Exception:
            # Whatever a sender can make of a message must not stop the others.
            _logger.exception("Message %s of a mailbox", self.id)
            self.env.invalidate_all()
            self._quarantine("not_understood", source)

    @api.model
    def _let_notifications_leave(self):
        """Colleagues' notifications of what was posted are queued, not sent at once.

        For who commits, once for all that one transaction took in.
        """
        queue = self.env.ref("mail.ir_cron_mail_scheduler_action", False)
        if queue:  # without it they wait, as all of Odoo's mail does
            queue.sudo()._trigger()

    def _mark_bounced(self, report):
        """Mark the recipients that a delivery report tells of, if they are ours.

        A report proves nothing: it counts for a recipient whom this very mail was
        sent to through this account, and for nobody else.

        :param report: ``mailkit.answers.reports.Report``
        """
        ids = self._reported_ids(report)
        rows = self.env["mail.external.delivery"].search(
            [
                "|",
                ("message_id_header", "in", ids),
                ("given_message_id", "in", ids),
                "|",
                ("account_id", "=", self.account_id.id),
                ("address_id", "in", self.account_id._all_addresses().ids),
            ]
        )
        found = False
        for told in report.recipients:
            addresses = {
                Address(email).envelope.lower()
                for email in (told.original, told.final)
                if email and told.failed
            }
            for row in rows.filtered(lambda r, a=addresses: r.recipient.lower() in a):
                row._came_back(told.diagnostic or report.text, told.status)
                found = True
        if not found:
            self.kind = "ignored"
        self.mail_message_id = rows.mail_message_id[:1]

    def _reported_ids(self, report):
        """Message-IDs of the mail that is reported about, also by our own mark."""
        ids = set(report.original.ids)
        headers = report.original.headers
        if headers is not None:
            for signer in vault.signers(self.env):
                marked = signer.in_headers(headers).values()
                sent = self.env["mail.message"].browse(marked)
                ids.update(sent.exists().mapped("message_id"))
        return list(ids)

    # The quarantine

    def _quarantine(self, reason, source):
        raw = base64.b64encode(source.content())
        self.write({"state": "quarantine", "reason": reason, "raw": raw})

    def action_retry(self):
        """Process quarantined messages again, now; say what became of it."""
        # Reading is the owner's, of a company's mail the managers': so is deciding.
        self.check_access("read")
        quarantined = self.sudo().filtered(lambda a: a.state == "quarantine")
        for arrival in quarantined:
            arrival._process_again()
        if quarantined.mail_message_id:
            self._let_notifications_leave()
        left = self.filtered(lambda arrival: arrival.state == "quarantine")
        if not left:
            return notices.on_screen("success", self.env._("Processed."))
        return notices.on_screen(
            "warning",
            self.env._(
                "%(count)s of %(all)s stay in quarantine: the reason is shown in each. "
                "What has no source here can only be read in the mailbox.",
                count=len(left),
                all=len(self),
            ),
        )

    def _process_again(self, *, by_user=True):
        """A second try of a message whose source was kept.

        :param bool by_user: they want it processed, be it part of a loop
        """
        account = self.account_id
        raw = base64.b64decode(self.raw or b"")
        if not account or not raw:
            return
        headers = parse_headers(raw)
        intake = Intake(account)
        [decision], facts = decide_batch(account, [headers])
        decision, report = intake.look_inside(raw, headers, decision, facts)
        kind = intake.kind(decision, report, headers)
        if kind is None:
            self.write({"state": "done", "kind": "ignored", "raw": False})
            return
        address = intake.address(decision, kind, headers)
        self.write(
            {
                "state": "done",
                "kind": kind,
                "reason": False,
                "address_id": address.id,
            }
        )
        self._process(MessageSource(raw), decision, report, False, again=by_user)
        if self.state == "done":
            self.raw = False

    # What was redirected to Odoo while its account did not work

    def _keep_waiting(self, source):
        """For later.

        :param MessageSource source: the message
        """
        raw = base64.b64encode(source.content())
        self.write({"state": "waiting", "raw": raw})

    @api.model
    def _waiting_of(self, accounts):
        """What waits for these accounts."""
        return self.search(
            [("state", "=", "waiting"), ("account_id", "in", accounts.ids)]
        )

    @api.model
    def _give_up_waiting(self, accounts):
        """The accounts are removed: what waited for them is its owner's to decide."""
        self._waiting_of(accounts).write(
            {"state": "quarantine", "reason": "account_removed"}
        )

    @api.model
    def _process_waiting(self, run_time):
        """Process what waited for accounts that work again; commits after each.

        For a scheduled action, in superuser mode.

        :param RunTime run_time: nothing new is begun when it is over
        :return: whether there is more
        """
        domain = [
            ("state", "=", "waiting"),
            ("account_id.active", "=", True),
            ("account_id.state", "=", "working"),
        ]
        waiting = self.search(domain, order="id", limit=WAITING_AT_ONCE)
        self.env.cr.commit()  # pylint: disable=invalid-commit
        for arrival in waiting:
            if run_time.over:
                return True
            try:
                arrival._process_waited()
            except Exception:
                # Another run has it; or it stays in quarantine, where it is shown.
                self.env.cr.rollback()
                self.env.invalidate_all()
                _logger.exception("Message %s that waited", arrival.id)
        return len(waiting) == WAITING_AT_ONCE

    def _process_waited(self):
        """In quarantine before it is looked at: what Odoo does not survive is tried
        once, and stops nothing that comes after it."""
        self.env.cr.execute(
            SQL(
                "SELECT id FROM mail_external_arrival"
                " WHERE id = %s AND state = 'waiting' FOR UPDATE SKIP LOCKED",
                self.id,
            )
        )
        if not self.env.cr.fetchone():
            return  # another run has it
        self.write({"state": "quarantine", "reason": "not_understood"})
        self.env.cr.commit()  # pylint: disable=invalid-commit
        try:
            self._process_again(by_user=False)
            if self.mail_message_id:
                self._let_notifications_leave()
            self.env.cr.commit()  # pylint: disable=invalid-commit
        except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY:
            self.env.cr.rollback()
            self.env.invalidate_all()
            self.write({"state": "waiting", "reason": False})
            self.env.cr.commit()  # pylint: disable=invalid-commit

    def action_dismiss(self):
        """Give quarantined messages up; their source is deleted, not the mail."""
        self.check_access("read")
        quarantined = self.sudo().filtered(lambda a: a.state == "quarantine")
        quarantined.write({"state": "dismissed", "raw": False})
        return notices.on_screen(
            "info", self.env._("Dismissed. The mailbox keeps the mail.")
        )
