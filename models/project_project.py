from odoo import fields, models


class ProjectProject(models.Model):
    _inherit = "project.project"

    external_address_binding_ids = fields.One2many(
        "mail.external.address.project", "project_id", "External Addresses", copy=False
    )

    def copy(self, default=None):
        """With its bindings, as far as who copies may bind the addresses."""
        copies = super().copy(default=default)
        bindings = self.env["mail.external.address.project"]
        for project, copied in zip(self, copies, strict=True):
            bindings._copy_bindings(project, copied)
        return copies

    def unlink(self):
        # sudo: an address for this project only must not become one for all of them
        bindings = self.sudo().external_address_binding_ids
        addresses = bindings.address_id
        bindings.unlink()
        addresses.filtered(lambda a: not a.binding_ids).active = False
        return super().unlink()
