import json

from odoo import api, models
from odoo.exceptions import AccessError

from ..tools import from_guard

# Without them a change is about when it is sent, not about what.
WHEN_FIELDS = frozenset({"scheduled_date"})


class MailScheduledMessage(models.Model):
    """A scheduled message is posted later by the right of who created it."""

    _inherit = "mail.scheduled.message"

    @api.model_create_multi
    def create(self, vals_list):
        scheduled = super().create(vals_list)
        scheduled._check_from_is_own()
        return scheduled

    def write(self, vals):
        if not WHEN_FIELDS.issuperset(vals):
            self._check_created_by_user()
        result = super().write(vals)
        self._check_from_is_own()
        return result

    def _check_from_is_own(self):
        """:raise AccessError: From or author are somebody else's external address"""
        account = self.env["mail.external.account"]
        if self.env.su or from_guard.is_posting() or not account._any_configured():
            return
        for scheduled in self.sudo():
            account._check_typed_author(
                self.env._("Author (author_id)"), scheduled.author_id
            )
            account._check_typed_from(
                self.env._("From (email_from)"), scheduled._typed_from()
            )

    def _typed_from(self):
        try:
            parameters = json.loads(self.notification_parameters or "{}")
        except ValueError:
            return ""  # it cannot be posted either
        return parameters.get("email_from") if isinstance(parameters, dict) else ""

    def _check_created_by_user(self):
        """:raise AccessError: another user changes what leaves in the creator's name"""
        account = self.env["mail.external.account"]
        if self.env.su or not account._any_configured():
            return
        for scheduled in self.sudo():
            creator = scheduled.create_uid
            if creator.id != self.env.uid and account._addresses_of(creator.id):
                raise AccessError(
                    self.env._(
                        "This message will leave in the name of %s. Nobody else can "
                        "change what it says: delete it, and schedule one of your own.",
                        creator.name,
                    )
                )
