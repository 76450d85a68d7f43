from odoo import models

from ..tools import trusted_context


class ProjectTask(models.Model):
    _inherit = "project.task"

    def _find_internal_users_from_address_mail(self, emails, project_id=False):
        if trusted_context.arrival.value is not None:
            # Core takes the project's alias out, which not every project has.
            project_id = False
        return super()._find_internal_users_from_address_mail(emails, project_id)

    def _send_task_rating_mail(self, force_send=False):
        with trusted_context.automatic.during():
            return super()._send_task_rating_mail(force_send=force_send)
