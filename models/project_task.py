from odoo import models
from odoo.addons.project.models.project_task import CLOSED_STATES

from ..tools import trusted_context


class ProjectTask(models.Model):
    _inherit = "project.task"

    def _external_answer_arrived(self):
        """A customer answered by mail: a finished task goes on, where that is set."""
        company = self.company_id or self.env.company
        if self.state in CLOSED_STATES and company.external_finished_policy == "reopen":
            self.state = "01_in_progress"

    def _find_internal_users_from_address_mail(self, emails, project_id=False):
        if trusted_context.arrival.value is not None:
            # Core takes the project's alias out, which not every project has.
            project_id = False
        return super()._find_internal_users_from_address_mail(emails, project_id)

    def _send_task_rating_mail(self, force_send=False):
        with trusted_context.automatic.during():
            return super()._send_task_rating_mail(force_send=force_send)
