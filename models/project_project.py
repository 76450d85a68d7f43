from odoo import fields, models


class ProjectProject(models.Model):
    _inherit = "project.project"

    external_account_binding_ids = fields.One2many(
        "mail.external.account.project", "project_id", "External Addresses", copy=False
    )

    def _external_sender_project_id(self):
        return self.id
