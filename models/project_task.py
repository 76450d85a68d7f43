from odoo import models


class ProjectTask(models.Model):
    _inherit = "project.task"

    def _external_sender_project_id(self):
        # a sub-task has its own, or its parent's by core's compute
        return self.project_id.id
