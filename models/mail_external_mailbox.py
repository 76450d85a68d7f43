from odoo import api, fields, models

from ..tools.explanations import cause_and_remedy

# A message that takes longer is begun anew.
KEEP_PARTS_DAYS = 7


class MailExternalMailbox(models.Model):
    """When the mailbox of an account is looked into; written by the fetching only.

    Kept apart from the account, so that saving an account never waits for a fetch,
    nor the other way round.
    """

    _name = "mail.external.mailbox"
    _allow_sudo_commands = False
    _description = "Mailbox That Is Read"
    _rec_name = "account_id"
    _log_access = False

    account_id = fields.Many2one(
        "mail.external.account", required=True, readonly=True, ondelete="cascade"
    )
    next_look = fields.Datetime(readonly=True, index=True)
    last_look = fields.Datetime(readonly=True, help="When it was last read, well.")
    reading_since = fields.Datetime(
        readonly=True, help="What came before stays out; of a new connection: now."
    )
    run = fields.Integer(
        readonly=True, help="The run that reads it now; 0 or of an ended run: nobody."
    )
    quiet_looks = fields.Integer(readonly=True, help="Looks in a row without answer.")
    attempts = fields.Integer(readonly=True, help="Failures in a row.")
    cuts = fields.Integer(readonly=True, help="Visits in a row that took too long.")
    crashes = fields.Integer(
        readonly=True, help="How often Odoo ended while it was read, in a row."
    )
    # see tools/judging_marks.py
    judging = fields.Json(readonly=True, groups=fields.NO_ACCESS)
    failure_code = fields.Char(readonly=True)
    failure_reply = fields.Char("Server's Answer", readonly=True)
    failure_text = fields.Char(compute="_compute_failure_text")
    unrelated_count = fields.Integer(
        "Other Messages", readonly=True, help="Looked at, left alone, not kept."
    )
    answer_count = fields.Integer("Answers", readonly=True)

    _one_per_account = models.UniqueIndex("(account_id)")

    @api.depends_context("lang")
    @api.depends("failure_code")
    def _compute_failure_text(self):
        for mailbox in self:
            mailbox.failure_text = mailbox.failure_code and " ".join(
                cause_and_remedy(self.env, mailbox.failure_code)
            )


class MailExternalFolder(models.Model):
    """A folder that is read, and up to where. A POP3 mailbox has one, "INBOX"."""

    _name = "mail.external.folder"
    _allow_sudo_commands = False
    _description = "Mailbox Folder That Is Read"
    _order = "account_id, id"
    _rec_name = "path"
    _log_access = False

    account_id = fields.Many2one(
        "mail.external.account", required=True, ondelete="cascade", index=True
    )
    path = fields.Char(required=True)
    is_sent = fields.Boolean("Sent Mail", help="Holds what the owner himself wrote.")
    # mailkit.imap_state.FolderState or pop3_mailbox.MaildropStatus, as a dict
    state = fields.Json(readonly=True)
    last_listing = fields.Datetime(readonly=True)
    failure_code = fields.Char(readonly=True)
    # see tools/visit_transfer.py
    transfer = fields.Json(readonly=True, groups=fields.NO_ACCESS)

    _one_path = models.UniqueIndex("(account_id, path)")


class MailExternalSeen(models.Model):
    """Messages of a POP3 mailbox that were looked at, by their UIDL."""

    _name = "mail.external.seen"
    _description = "Looked-at POP3 Message"
    _log_access = False

    folder_id = fields.Many2one(
        "mail.external.folder", required=True, readonly=True, ondelete="cascade"
    )
    uidl = fields.Char(required=True, readonly=True)

    _once = models.UniqueIndex("(folder_id, uidl)")


class MailExternalPart(models.Model):
    """What came of a message that takes several visits; gone once it is whole.

    In the table itself: nothing is left when the row goes with its folder.
    """

    _name = "mail.external.part"
    _description = "Part of a Message That Is Being Fetched"
    _log_access = False

    folder_id = fields.Many2one(
        "mail.external.folder", required=True, readonly=True, ondelete="cascade"
    )
    message = fields.Char(required=True, readonly=True)
    position = fields.Integer(required=True, readonly=True)
    # written and read by SQL only
    content = fields.Binary(attachment=False, readonly=True, groups=fields.NO_ACCESS)
    date = fields.Datetime(readonly=True, index=True)

    _once = models.UniqueIndex("(folder_id, message, position)")

    @api.autovacuum
    def _gc_old_parts(self):
        """Of messages that nobody goes on fetching, they were deleted perhaps."""
        limit = fields.Datetime.subtract(fields.Datetime.now(), days=KEEP_PARTS_DAYS)
        self.search([("date", "<", limit)], limit=10_000).unlink()


class MailExternalSentCopy(models.Model):
    """A sent mail that is to be put into the Sent folder of its mailbox."""

    _name = "mail.external.sent.copy"
    _description = "Copy for the Sent Folder"
    _order = "id"
    _log_access = False

    account_id = fields.Many2one(
        "mail.external.account",
        required=True,
        readonly=True,
        ondelete="cascade",
        index=True,
    )
    message_id_header = fields.Char(required=True, readonly=True)
    sent = fields.Datetime(required=True, readonly=True)
    attempts = fields.Integer(readonly=True)
    content = fields.Binary(attachment=True, readonly=True, groups=fields.NO_ACCESS)

    _once = models.UniqueIndex("(account_id, message_id_header)")
