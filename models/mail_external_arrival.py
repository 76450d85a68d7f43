from odoo import api, fields, models
from odoo.tools import SQL


class MailExternalArrival(models.Model):
    """Ledger of what came out of mailboxes: each message once, whatever it took.

    ``key`` is unique over all mailboxes, so that a message which lies in several of
    them, or comes again after a crash, is dealt with once. What cannot be processed
    stays here with its source ("quarantine").
    """

    _name = "mail.external.arrival"
    _description = "Message From a Mailbox"
    _order = "id desc"
    _rec_name = "subject"

    key = fields.Char(required=True, readonly=True, copy=False)
    account_id = fields.Many2one(
        "mail.external.account",
        "External Address",
        readonly=True,
        index="btree_not_null",
        ondelete="set null",
    )
    # Of the account when it came: they decide who may see the row.
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
            ("dismissed", "Dismissed"),
        ],
        required=True,
        default="done",
        readonly=True,
        index=True,
    )
    reason = fields.Char(readonly=True, help="Why it is in quarantine.")
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

    _once = models.UniqueIndex("(key)")

    def action_retry(self):
        """Process quarantined messages again, now."""
        # Reading is the owner's, of a company's mail the managers': so is deciding.
        self.check_access("read")
        quarantined = self.sudo().filtered(lambda a: a.state == "quarantine")
        for arrival in quarantined:
            arrival._process_again()
        if quarantined.mail_message_id:
            self._let_notifications_leave()

    def action_dismiss(self):
        """Give quarantined messages up; their source is deleted, not the mail."""
        self.check_access("read")
        quarantined = self.sudo().filtered(lambda a: a.state == "quarantine")
        quarantined.write({"state": "dismissed", "raw": False})

    @api.model
    def _claim(self, values, *, instead_of_place=False):
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
            arrival = self._without_source(values)
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
