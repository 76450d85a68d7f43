from odoo import api, models
from odoo.exceptions import AccessError

from ..tools import from_guard

# Without them a change is about when it is sent, not about what.
WHEN_FIELDS = frozenset({"scheduled_date"})
# Where a user says in whose name it leaves.
FROM_FIELDS = frozenset({"author_id", "notification_parameters"})


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
        if not FROM_FIELDS.intersection(vals):
            return super().write(vals)
        before = self._names()
        result = super().write(vals)
        self._check_from_is_own(before)
        return result

    def _names(self):
        """In whose name each leaves: {id: (author, From)}."""
        return {
            scheduled.id: (
                scheduled.author_id,
                scheduled._parameters().get("email_from"),
            )
            for scheduled in self.sudo()
        }

    def _check_from_is_own(self, before=None):
        """:param before: result of ``_names``; what a template had said stays allowed
        :raise AccessError: From or author are somebody else's external address
        """
        account = self.env["mail.external.account"]
        if self.env.su or from_guard.is_posting() or not account._any_configured():
            return
        # The database takes "7" for the author 7, the cache for none.
        self.invalidate_recordset(["author_id"])
        for scheduled_id, (author, email_from) in self._names().items():
            old_author, old_from = (before or {}).get(scheduled_id, (None, None))
            if author != old_author:
                account._check_typed_author(self.env._("Author (author_id)"), author)
            if email_from != old_from:
                account._check_typed_from(self.env._("From (email_from)"), email_from)

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
