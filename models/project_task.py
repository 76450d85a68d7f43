from odoo import models


class ProjectTask(models.Model):
    _inherit = "project.task"

    def _external_sender_project_id(self):
        # A sub-task without a project of its own belongs to its parent's.
        task = self
        while not task.project_id and task.parent_id:
            task = task.parent_id
        return task.project_id.id
