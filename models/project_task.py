from odoo import models

from ..tools import origin


class ProjectTask(models.Model):
    _inherit = "project.task"

    def _external_sender_project_id(self):
        # a sub-task has its own, or its parent's by core's compute
        return self.project_id.id

    def _send_task_rating_mail(self, force_send=False):
        with origin.automatic():
            return super()._send_task_rating_mail(force_send=force_send)
