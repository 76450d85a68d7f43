from odoo import api, fields, models

from ..tools.explanations import cause_and_remedy


class MailExternalArrival(models.Model):
    """What the quarantine shows, and what its buttons say."""

    _inherit = "mail.external.arrival"

    reason_text = fields.Char("Reason", compute="_compute_reason_text")
    raw_name = fields.Char(compute="_compute_raw_name")

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

    def action_retry(self):
        """Process again, and say what became of it."""
        super().action_retry()
        left = self.filtered(lambda arrival: arrival.state == "quarantine")
        if not left:
            return self._told("success", self.env._("Processed."))
        return self._told(
            "warning",
            self.env._(
                "%(count)s of %(all)s stay in quarantine: the reason is shown in each. "
                "What has no source here can only be read in the mailbox.",
                count=len(left),
                all=len(self),
            ),
        )

    def action_dismiss(self):
        super().action_dismiss()
        return self._told("info", self.env._("Dismissed. The mailbox keeps the mail."))

    def _told(self, kind, text):
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": kind,
                "message": text,
                "next": {"type": "ir.actions.act_window_close"},
            },
        }
