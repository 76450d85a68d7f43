import logging

from odoo import SUPERUSER_ID, api, models

from ..tools.trusted_context import as_odoo

_logger = logging.getLogger(__name__)

# Without them a change is about when it is told, not about what.
WHEN_FIELDS = frozenset({"scheduled_datetime"})


class MailMessageSchedule(models.Model):
    """Of a message that leaves in somebody's name nobody else has others notified."""

    _inherit = "mail.message.schedule"

    @property
    def _allow_sudo_commands(self):
        # x2many commands among the values of somebody's record: by their own right
        configured = self.env["mail.external.sender"]._any_configured()
        return super()._allow_sudo_commands and not configured

    @api.model_create_multi
    def create(self, vals_list):
        schedules = super().create(vals_list)
        schedules._check_written_by_user()
        return schedules

    def write(self, vals):
        if WHEN_FIELDS.issuperset(vals):
            return super().write(vals)
        self._check_written_by_user()
        result = super().write(vals)
        self._check_written_by_user()  # it may have got another message
        return result

    def _check_written_by_user(self):
        """:raise AccessError: a message is somebody else's, and leaves in their name"""
        if not self.env.su and self.env["mail.external.sender"]._any_configured():
            self.mail_message_id._check_written_by_user()

    @api.model
    def _tell_of_external(self):
        """The addresses go: colleagues are told now of what waits for them, external
        contacts get it from nowhere, and the chatter shows that."""
        # Of what came out of a mailbox customers would hear once the mark is no more.
        waiting = self.search(
            [
                "|",
                ("mail_message_id.external_origin", "!=", False),
                ("mail_message_id.external_mark", "!=", False),
            ]
        )
        for schedule in waiting:
            try:
                with self.env.cr.savepoint():
                    schedule._send_notifications()
            except Exception:
                # its record's module may be gone, say; later it would leave
                _logger.warning("Scheduled notification failed", exc_info=True)
                schedule.unlink()

    def _send_notifications(self, default_notify_kwargs=None):
        external = self.browse()
        if (
            self.env.uid != SUPERUSER_ID
            and self.env["mail.external.sender"]._any_configured()
        ):
            self.check_access("unlink")  # what core does in the end
            # sudo: who may have them told now may know which leave from an address
            external = self.sudo().filtered("mail_message_id.external_address_id")
            external = external.sudo(self.env.su)
        if external:
            # Whoever says that it is time, Odoo notifies: as the scheduled action does.
            super(MailMessageSchedule, as_odoo(external))._send_notifications(
                default_notify_kwargs
            )
        return super(MailMessageSchedule, self - external)._send_notifications(
            default_notify_kwargs
        )
