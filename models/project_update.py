from odoo import models


class ProjectUpdate(models.Model):
    _inherit = "project.update"

    def _external_sender_project_id(self):
        return self.project_id.id
