from odoo import api, fields, models
from odoo.exceptions import MissingError
from odoo.tools import SQL

from ..tools import origin
from ..tools.cron_wake import wake_soon
from ..tools.explanations import cause_and_remedy
from ..tools.inline_images import with_short_addresses
from ..tools.message_builder import envelope_form


def _linked_ids(command):
    """Ids of the existing records that an x2many command links."""
    operation, record_id, *rest = command
    if operation == fields.Command.LINK:
        return [record_id]
    return rest[0] if operation == fields.Command.SET else []


class MailMail(models.Model):
    """Mails with ``sending_account_id`` leave through that account only."""

    _inherit = "mail.mail"

    sending_account_id = fields.Many2one(
        "mail.external.account",
        index="btree_not_null",
        ondelete="set null",
        copy=False,
        readonly=True,
    )
    external_next_try = fields.Datetime(
        "Next Attempt", copy=False, readonly=True, help="After a passing failure."
    )

    @api.model_create_multi
    def create(self, vals_list):
        if self.env["mail.external.account"]._any_configured():
            vals_list = [self._with_automatic_sender(vals) for vals in vals_list]
        mails = super().create(vals_list)
        if any(vals.get("sending_account_id") for vals in vals_list):
            mails.filtered("sending_account_id")._trigger_external_delivery()
        return mails

    def write(self, vals):
        result = super().write(vals)
        external = self.browse()
        if (
            vals.get("state") == "outgoing"
            and self.env["mail.external.account"]._any_configured()
        ):
            external = self.filtered("sending_account_id")
        if external:
            super(MailMail, external).write({"external_next_try": False})
            self.env["mail.external.delivery"].sudo()._try_again(external)
            external._trigger_external_delivery()
        return result

    def send_after_commit(self):
        own = self
        if self.env["mail.external.account"]._any_configured():
            # The others' delivery was started when they were made.
            own = self.filtered(lambda mail: not mail.sending_account_id)
        if self and not own:
            return None
        return super(MailMail, own).send_after_commit()

    def send(self, auto_commit=False, raise_exception=False, post_send_callback=None):
        # One query, none more than without us: core reads the other fields next
        # (``_split_by_mail_configuration``) and finds them in the cache.
        self.fetch(
            ["email_from", "mail_server_id", "record_alias_domain_id"]
            + ["sending_account_id"]
        )
        try:
            external = self.filtered("sending_account_id")
        except MissingError:  # the queue was faster with some: sent, and deleted
            return self.exists().send(auto_commit, raise_exception, post_send_callback)
        external._trigger_external_delivery()
        return super(MailMail, self - external).send(
            auto_commit=auto_commit,
            raise_exception=raise_exception,
            post_send_callback=post_send_callback,
        )

    @api.model
    def process_email_queue(self, email_ids=(), batch_size=1000):
        # Always, whatever is cached: none of ours may leave by Odoo's own server.
        filters = [
            *self.env.context.get("filters", []),
            ("sending_account_id", "=", False),
        ]
        return super(MailMail, self.with_context(filters=filters)).process_email_queue(
            email_ids, batch_size
        )

    def _trigger_external_delivery(self):
        """Start delivery once this transaction is committed, or when it is due."""
        if not self:
            return
        now = fields.Datetime.now()
        times = {mail.scheduled_date or now for mail in self}
        # As ``ir.cron._trigger``, without the two queries for the cron's own values and
        # without the ORM: everybody who posts waits for it.
        find = self.env["ir.model.data"]._xmlid_to_res_id
        cron_id = find("mail_external_account.ir_cron_deliver") or 0
        rows = SQL(", ").join(SQL("(%s)", time) for time in times)
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO ir_cron_trigger (cron_id, call_at)
                SELECT c.id, t.call_at::timestamp
                  FROM ir_cron c, (VALUES %s) AS t (call_at)
                 WHERE c.id = %s AND c.active
                """,
                rows,
                cron_id,
            )
        )
        if not self.env.cr.rowcount:  # an administrator deleted or archived it
            self.env["mail.external.account"]._trigger_cron("deliver", at=list(times))
        elif min(times) <= now:
            cron = self.env["ir.cron"].browse(cron_id)
            self.env.cr.postcommit.add(lambda: wake_soon(cron))

    def _with_automatic_sender(self, vals):
        """The project's account for a mail that a template makes without a message.

        Only for customers: with a colleague among the recipients it stays Odoo's.
        """
        if not {"model", "res_id"} <= vals.keys() or {
            "mail_message_id",
            "sending_account_id",
        }.intersection(vals):
            return vals
        account = self.env["mail.external.account"]
        if not (origin.is_automatic() or account._is_odoo_bot()):
            return vals
        if not self.env["mail.thread"]._may_have_external_sender(vals):
            return vals
        partners = self.env["res.partner"].sudo()
        commands = vals.get("recipient_ids") or []
        ids = [id_ for command in commands for id_ in _linked_ids(command)]
        if not all(partner.partner_share for partner in partners.browse(ids)):
            return vals
        record = self.env[vals["model"]].sudo().browse(vals["res_id"])
        account_id = account._project_sender(record, only_default=True)
        return {
            **vals,
            "external_account_id": account_id,
            "external_origin": account_id and "project",
            "sending_account_id": account_id,
        }

    def _external_due_domain(self):
        now = fields.Datetime.now()
        return [
            ("state", "=", "outgoing"),
            ("sending_account_id", "!=", False),
            "|",
            ("scheduled_date", "=", False),
            ("scheduled_date", "<=", now),
            "|",
            ("external_next_try", "=", False),
            ("external_next_try", "<=", now),
        ]

    def _external_waiting_reason(self):
        """Until when and why these mails still wait, in the reader's language."""
        account = self.sending_account_id[:1]
        if account.state != "working" or not account.active:
            return self.env._(
                "waiting: %(email)s is stopped. %(text)s",
                email=account.email,
                text=account.failure_text or "",
            ).strip()
        now = fields.Datetime.now()
        delayed = account.delivery_next_try and account.delivery_next_try > now
        later = [date for date in self.mapped("external_next_try") if date]
        if delayed:
            later = [max([account.delivery_next_try, *later])]
        if later:
            return self.env._(
                "waiting until %(time)s: %(reason)s",
                time=fields.Datetime.context_timestamp(self, min(later)).strftime(
                    "%H:%M"
                ),
                reason=account._delay_reason()
                if delayed
                else next((m.failure_reason for m in self if m.failure_reason), ""),
            )
        return self.env._("waiting to be sent")

    def _fail_external(self, reason, code=None):
        """Show the waiting mails as failed, with a reason, and stop trying."""
        if code:
            reason = " ".join([*cause_and_remedy(self.env, code), reason or ""]).strip()
        for mail in self:
            mail.write(
                {
                    "state": "exception",
                    "failure_type": "unknown",
                    "failure_reason": reason,
                }
            )
            served = mail._served_recipients()
            mail._postprocess_sent_message(
                success_pids=mail.recipient_ids.filtered(
                    lambda partner, served=served: (
                        envelope_form(partner.email_normalized) in served
                    )
                ),
                success_emails=list(served),
                failure_reason=reason,
                failure_type="unknown",
            )

    def _release(self, code):
        """These mails cannot leave through their account any more.

        They leave through another one that their writer may use, where the company
        wants that; else they fail visibly. Who was served is not served again.

        :param str code: why, see ``tools.explanations``
        """
        for message in self.mail_message_id:
            mails = message.mail_ids.filtered(
                lambda mail: (
                    mail.state == "outgoing" and mail._is_for_external_address()
                )
            )
            if not message._external_change_sender():
                mails._fail_external("", code)
                continue
            account_id = message.external_account_id.id
            mails.write({"sending_account_id": account_id, "external_next_try": False})
            mails._trigger_external_delivery()

    def _prepare_outgoing_body(self):
        # Core makes a text of it, in which long addresses of images take it minutes.
        body = super()._prepare_outgoing_body()
        return with_short_addresses(body) if self.sending_account_id else body

    def _served_recipients(self):
        """Addresses that the ledger has as served with this message."""
        rows = self.env["mail.external.delivery"].search(
            [("message_id_header", "=", self.message_id), ("state", "=", "sent")]
        )
        return set(rows.mapped("recipient"))
