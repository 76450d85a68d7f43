from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError

from ..tools.destination import READ_PROTOCOLS


class MailExternalAccount(models.Model):
    """Switching the reading of a mailbox on and off, and choosing its folders."""

    _inherit = "mail.external.account"

    # Only the owner and managers see it: whoever confirms it redirects the mailbox.
    forward_notice = fields.Text(copy=False, groups=fields.NO_ACCESS)
    forward_confirmation = fields.Text(
        compute="_compute_forward_confirmation",
        inverse="_inverse_forward_confirmation",
        help="What the mail service sent to confirm the redirection.",
    )

    @api.depends_context("uid")
    @api.depends("forward_notice")
    def _compute_forward_confirmation(self):
        for account in self:
            notice = account.sudo().forward_notice
            account.forward_confirmation = account._may_connect() and notice

    def _inverse_forward_confirmation(self):
        for account in self:
            account.sudo().forward_notice = account.forward_confirmation

    def write(self, vals):
        # tasks are made only where the user sees them
        project = self.env["project.project"].browse(vals.get("new_mail_project_id"))
        project.check_access("read")
        result = super().write(vals)
        if "active" in vals:
            # sudo: who may archive an address need not see its mailbox
            for account in self.sudo():
                account._follow_archiving()
        return result

    @api.constrains("new_mail", "new_mail_project_id", "user_id", "company_id")
    def _check_new_mail(self):
        for account in self.filtered(lambda account: account.new_mail == "task"):
            project = account.new_mail_project_id
            if account.user_id:
                raise ValidationError(
                    self.env._(
                        "%s is a personal address: mail that answers nothing is left "
                        "alone there. Only company addresses make tasks of it.",
                        account.email,
                    )
                )
            if project.company_id and project.company_id != account.company_id:
                raise ValidationError(
                    self.env._(
                        "Tasks In: %(project)s belongs to another company than "
                        "%(email)s. Choose a project of the same company.",
                        project=project.display_name,
                        email=account.email,
                    )
                )

    def _reads_mailbox(self):
        """Whether messages are fetched for this account (not: forwarded to Odoo)."""
        self.ensure_one()
        return (
            self.active
            and self.state == "working"
            and self.receive_replies
            and self.incoming_protocol in READ_PROTOCOLS
        )

    def _reading_place(self):
        """What makes it the same mailbox: UIDs and UIDLs of another mean nothing."""
        self.ensure_one()
        return (self.incoming_protocol, self.incoming_host, self.incoming_login)

    def _set_up_reading(self, folders, anew=False):
        """Read the mailbox from now on, or no more, as the account's settings say.

        :param folders: list of (path on the wire, whether sent mail is in it)
        :param bool anew: it is another mailbox than before, or was not read before
        """
        self.ensure_one()
        if not self._reads_mailbox():
            self._end_reading()
            self.folder_ids.unlink()
            return
        if anew:
            # New rows: what a visit under way still notes about the old ones is lost.
            self.folder_ids.unlink()
        self._set_folders(
            [path for path, _sent in folders], [path for path, sent in folders if sent]
        )
        since = fields.Datetime.now() - timedelta(days=self.look_back_days)
        self._start_reading(since if anew else None)

    def _set_folders(self, paths, sent=None):
        """Read these folders and no others; how far the others are read is kept.

        :param paths: names on the wire, as ``mailkit.imap_folders.Folder.path``
        :param sent: which of them hold sent mail; None: as it was
        :raise UserError: no folder, or a name that no folder can have
        """
        self.ensure_one()
        wanted = dict.fromkeys(paths)
        if not wanted:
            raise UserError(self.env._("Folders: choose at least one to be read."))
        for path in wanted:
            if not path or any(c in "\0\r\n" or ord(c) > 255 for c in path):
                raise UserError(self.env._("Folders: %s is not a folder.", repr(path)))
        self.folder_ids.filtered(lambda folder: folder.path not in wanted).unlink()
        known = {folder.path: folder for folder in self.folder_ids}
        for path in wanted:
            is_sent = sent is not None and path in sent
            if path not in known:
                self.folder_ids.create(
                    {"account_id": self.id, "path": path, "is_sent": is_sent}
                )
            elif sent is not None and known[path].is_sent != is_sent:
                known[path].is_sent = is_sent

    def _start_reading(self, since):
        """Have the mailbox looked into now.

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
        if self.mailbox_ids:
            # ``run`` stays: a visit under way clears it itself, a dead one is known.
            self.mailbox_ids.write(values)
        else:
            self.mailbox_ids.create(
                {
                    **values,
                    "account_id": self.id,
                    "reading_since": since or fields.Datetime.now(),
                    "run": 0,
                }
            )
        self._trigger_cron("fetch")

    def _end_reading(self):
        """Look no more; copies that wait for the Sent folder go nowhere."""
        self.mailbox_ids.unlink()
        self.env["mail.external.part"].search(
            [("folder_id", "in", self.folder_ids.ids)]
        ).unlink()
        self.env["mail.external.sent.copy"].search(
            [("account_id", "=", self.id)]
        ).unlink()

    def _follow_archiving(self):
        """Archived: not read. Restored: read on from where it was."""
        if not self.active:
            self._end_reading()
        elif self._reads_mailbox() and not self.mailbox_ids:
            # POP3 knows by the day which of the unknown messages are new.
            listed = [when for when in self.folder_ids.mapped("last_listing") if when]
            self._start_reading(min(listed, default=fields.Datetime.now()))
