from datetime import timedelta

from odoo import api, fields, models

from ..mailkit.message.address import Address
from ..tools.explanations import reason_text

# Message-IDs are kept so long for matching late answers.
KEEP_DAYS = 730


class MailExternalDelivery(models.Model):
    """Ledger: what happened with each recipient of each mail.

    It outlives ``mail.mail`` and ``mail.message``. Who is in it as served is never
    served again; a row in state "sending" is what a crash may have left in flight.
    """

    _name = "mail.external.delivery"
    _description = "Mail Delivery"
    _order = "id desc"
    _rec_name = "recipient"

    message_id_header = fields.Char(
        "Message-ID", required=True, readonly=True, help="As sent, RFC 5322."
    )
    given_message_id = fields.Char(
        "Message-ID of the Service",
        readonly=True,
        index="btree_not_null",
        help="Where the mail service replaces Message-IDs: what answers will name.",
    )
    recipient = fields.Char(required=True, readonly=True, index=True)
    subject = fields.Char(readonly=True)
    address_id = fields.Many2one(
        "mail.external.address",
        "External Address",
        readonly=True,
        index="btree_not_null",
        ondelete="set null",
    )
    address_email = fields.Char("Sent From", readonly=True)
    account_id = fields.Many2one(
        "mail.external.account",
        "Mail Account",
        readonly=True,
        index="btree_not_null",
        ondelete="set null",
        help="Whose limits it counts for; the address may have moved since.",
    )
    user_id = fields.Many2one(
        "res.users", "Written By", readonly=True, ondelete="set null"
    )
    company_id = fields.Many2one("res.company", readonly=True, ondelete="set null")
    mail_message_id = fields.Many2one(
        "mail.message",
        "Message",
        readonly=True,
        index="btree_not_null",
        ondelete="set null",
    )
    state = fields.Selection(
        [
            ("sending", "Being sent"),
            ("sent", "Served"),
            ("retry", "Will be tried again"),
            ("failed", "Refused"),
            ("bounced", "Came back"),
        ],
        required=True,
        readonly=True,
    )
    attempts = fields.Integer(readonly=True)
    error_code = fields.Char(readonly=True)
    reply = fields.Char("Server's Answer", readonly=True)
    date = fields.Datetime("Last Attempt", readonly=True, index=True)

    _once = models.UniqueIndex("(message_id_header, recipient)")
    _account_date = models.Index("(account_id, date)")

    @api.model
    def _find(self, message_id_header, recipient):
        """The row of one recipient of one mail, if there was an attempt."""
        return self.search(
            [
                ("message_id_header", "=", message_id_header),
                ("recipient", "=", recipient),
            ]
        )

    @api.model
    def _try_again(self, mails):
        """A user wants ``mails`` sent again: also to whom the server refused."""
        self.search(
            [
                ("message_id_header", "in", mails.mapped("message_id")),
                ("state", "=", "failed"),
            ]
        ).write({"state": "retry", "attempts": 0})

    def _came_back(self, reason, status):
        """A delivery report tells that this recipient did not get it."""
        self.ensure_one()
        text = " ".join(part for part in (status, reason) if part)
        self.write({"state": "bounced", "error_code": "bounced", "reply": text})
        message = self.mail_message_id
        notifications = message.notification_ids.filtered(
            lambda n: (
                self.recipient
                in (
                    Address.of(n.res_partner_id.email_normalized).envelope,
                    Address.of(n.mail_email_address).envelope,
                )
            )
        )
        lang = message.create_uid.lang
        notifications.write(
            {
                "notification_status": "bounce",
                "failure_type": "mail_bounce",
                "failure_reason": reason_text(
                    self.with_context(lang=lang).env, "bounced", text
                ),
            }
        )
        message._notify_message_notification_update()

    @api.model
    def _begin(self, mail, message_id_header, recipient):
        """The row of one recipient, marked as being sent.

        Committed before the server is asked: a crash leaves this trace.
        """
        address = mail.sending_address_id
        row = self._find(message_id_header, recipient)
        values = {
            "state": "sending",
            "address_id": address.id,
            "address_email": address.email,
            "account_id": address.account_id.id,
            "attempts": row.attempts + 1,
            "date": fields.Datetime.now(),
        }
        if row:
            row.write(values)
            return row
        return self.create(
            {
                **values,
                "message_id_header": message_id_header,
                "recipient": recipient,
                "subject": mail.subject,
                "user_id": mail.mail_message_id.create_uid.id,
                "company_id": address.company_id.id
                or mail.mail_message_id.record_company_id.id,
                "mail_message_id": mail.mail_message_id.id,
            }
        )

    def _end(self, state, code, reply):
        """What came of the attempt that ``_begin`` noted."""
        self.write(
            {
                "state": state,
                "error_code": code,
                "reply": reply,
                "date": fields.Datetime.now(),
            }
        )

    def _note_given_id(self, message_id):
        """The mail service gave the mail another Message-ID, "" none that is known."""
        if message_id and message_id not in (
            self.message_id_header,
            self.given_message_id,
        ):
            self.given_message_id = message_id

    def _take_back(self, code=""):
        """The attempt that ``_begin`` noted says nothing of the mail."""
        values = {"state": "retry", "attempts": self.attempts - 1}
        self.write({**values, "error_code": code} if code else values)

    @api.model
    def _outlive(self, addresses):
        """What was sent from addresses that are deleted stays noted, for the managers
        of who sent it, and no others."""
        # sudo: the ledger is written by the server only
        for address in addresses.sudo().filtered("user_id"):
            domain = [("address_id", "=", address.id), ("company_id", "=", False)]
            self.sudo().search(domain).company_id = address.user_id.company_id

    @api.autovacuum
    def _gc_old_rows(self):
        limit = fields.Datetime.now() - timedelta(days=KEEP_DAYS)
        self.search([("date", "<", limit)], limit=10_000).unlink()
