from odoo import fields, models


class MailExternalAccountConnectProject(models.TransientModel):
    """A project that the address is going to be bound to."""

    _name = "mail.external.account.connect.project"
    _description = "Project of the Address to Connect"

    wizard_id = fields.Many2one(
        "mail.external.account.connect", required=True, ondelete="cascade", index=True
    )
    project_id = fields.Many2one("project.project", required=True, ondelete="cascade")
    is_default = fields.Boolean("Default")

    def _bind(self, address):
        """Bind the address to the projects of these lines, and to no others.

        :param address: mail.external.address in superuser mode
        :raise AccessError: one of the further projects is not one that the user sees
        """
        # what is bound already stays, also where the user sees the project no more
        added = self.project_id - address.binding_ids.project_id
        added.check_access("read")
        wanted = {line.project_id.id: line.is_default for line in self}
        existing = {binding.project_id.id: binding for binding in address.binding_ids}
        for project_id, binding in existing.items():
            if project_id not in wanted:
                binding.unlink()
        for project_id, is_default in wanted.items():
            if project_id not in existing:
                address.binding_ids.create(
                    {
                        "address_id": address.id,
                        "project_id": project_id,
                        "is_default": is_default,
                    }
                )
            elif existing[project_id].is_default != is_default:
                existing[project_id].is_default = is_default
