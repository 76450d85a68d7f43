from odoo import api, fields, models


class MailExternalAccount(models.Model):
    """What the screens tell about the mailbox of an account, and to whom.

    Who may only send from an address learns nothing about its mailbox.
    """

    _inherit = "mail.external.account"

    can_fetch = fields.Boolean(compute="_compute_mailbox_status")
    mailbox_status = fields.Char(
        "Reading",
        compute="_compute_mailbox_status",
        help="How the mailbox is read; for its owner and for managers.",
    )
    mailbox_failed = fields.Boolean(compute="_compute_mailbox_status")
    mailbox_last_look = fields.Datetime("Last Read", compute="_compute_mailbox_status")
    mailbox_answer_count = fields.Integer(
        "Taken In",
        compute="_compute_mailbox_status",
        help="Answers, reports about sent mail and, where wanted, new mail.",
    )
    mailbox_unrelated_count = fields.Integer(
        "Left Alone",
        compute="_compute_mailbox_status",
        help="Other messages in the mailbox: only counted, never kept.",
    )
    quarantine_count = fields.Integer("Quarantine", compute="_compute_quarantine_count")

    @api.depends_context("uid", "lang")
    @api.depends(
        "active",
        "receive_replies",
        "incoming_protocol",
        "state",
        "user_id",
        "folder_ids.failure_code",
        "mailbox_ids.last_look",
        "mailbox_ids.next_look",
        "mailbox_ids.failure_code",
        "mailbox_ids.answer_count",
        "mailbox_ids.unrelated_count",
    )
    def _compute_mailbox_status(self):
        self.can_fetch = self.mailbox_failed = False
        self.mailbox_status = self.mailbox_last_look = False
        self.mailbox_answer_count = self.mailbox_unrelated_count = 0
        for account in self.filtered(lambda a: a._sees_mailbox()):
            # sudo: the mailbox's own rules know no employee who only has a look
            # at a list; see the filter above
            mailbox = account.sudo().mailbox_ids
            account.mailbox_failed, account.mailbox_status = account._reading_words()
            account.mailbox_last_look = mailbox.last_look
            account.mailbox_answer_count = mailbox.answer_count
            account.mailbox_unrelated_count = mailbox.unrelated_count
            account.can_fetch = (
                bool(mailbox) and account._reads_mailbox() and account._may_connect()
            )

    def _sees_mailbox(self):
        """Whether the current user may know how the mailbox is read."""
        self.ensure_one()
        return self._manages() or self._is_own()

    def _reading_words(self):
        """Whether reading the mailbox fails, and one text about it.

        :return: (bool, str or False when answers are not received here)
        """
        account = self.sudo()
        mailbox = account.mailbox_ids
        failed_folder = account.folder_ids.filtered("failure_code")[:1]
        if not account.receive_replies:
            return False, False
        if account.incoming_protocol == "forwarded":
            return False, self.env._("The mailbox forwards to Odoo.")
        if account.state == "refused":
            return True, self.env._(
                "Stopped, because sending is refused. Choose “Connect” and test the "
                "settings again."
            )
        if mailbox.failure_code:
            return True, mailbox.failure_text
        if failed_folder:
            return True, self.env._(
                "The folder “%(folder)s” fails. %(text)s",
                folder=failed_folder.name,
                text=failed_folder.failure_text,
            )
        if not mailbox.last_look:
            return False, self.env._("Waits for its first turn.")
        return False, self.env._("Works.")

    @api.depends_context("uid")
    def _compute_quarantine_count(self):
        # by the reader's own rights: an employee's mail is nobody else's business
        counts = dict(
            self.env["mail.external.arrival"]._read_group(
                [("account_id", "in", self.ids), ("state", "=", "quarantine")],
                ["account_id"],
                ["__count"],
            )
        )
        for account in self:
            account.quarantine_count = counts.get(account, 0)

    def action_view_quarantine(self):
        """What came out of this mailbox and could not be processed."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "mail_external_account.mail_external_arrival_action_quarantine"
        )
        return {**action, "domain": [("account_id", "=", self.id)]}
