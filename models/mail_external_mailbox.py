from odoo import api, fields, models

from ..tools.explanations import cause_and_remedy


class MailExternalMailbox(models.Model):
    """When the mailbox of an account is visited, and how that went.

    Written by the run that reads it only. Kept apart from the account, so that saving
    an account never waits for a visit, nor the other way round.
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
    # see ``Marks`` in tools/incoming/work.py
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

    @api.model
    def _begin(self, account, since):
        """Have an account's mailbox read, from now on.

        :param since: what came before stays out; None: as it was
        """
        values = {
            "next_look": fields.Datetime.now(),
            "attempts": 0,
            "cuts": 0,
            "failure_code": False,
            "failure_reply": False,
        }
        if since:
            values.update(reading_since=since, last_look=False, quiet_looks=0)
        if account.mailbox_ids:
            # ``run`` stays: a visit under way clears it itself, a dead one is known.
            account.mailbox_ids.write(values)
        else:
            self.create(
                {
                    **values,
                    "account_id": account.id,
                    "reading_since": since or fields.Datetime.now(),
                    "run": 0,
                }
            )
        self.env["ir.cron"]._external_trigger("fetch")

    @api.model
    def _end(self, account):
        """Read it no more; copies that wait for the Sent folder go nowhere."""
        account.mailbox_ids.unlink()
        self.env["mail.external.part"].search(
            [("folder_id", "in", account.folder_ids.ids)]
        ).unlink()
        self.env["mail.external.sent.copy"].search(
            [("account_id", "=", account.id)]
        ).unlink()
