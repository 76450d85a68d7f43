from odoo import models


class ProjectMilestone(models.Model):
    _inherit = "project.milestone"

    def _external_sender_project_id(self):
        return self.project_id.id
