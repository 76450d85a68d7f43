from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError


class MailExternalAddressProject(models.Model):
    """Binding of an external address to a project.

    An address with bindings is offered only in these projects. The default one is
    picked by itself there; one project has at most one default for each owner (an
    employee, or the company).
    """

    _name = "mail.external.address.project"
    _allow_sudo_commands = False
    _description = "External Address in a Project"
    _order = "address_id, project_id, id"
    _rec_name = "project_id"

    address_id = fields.Many2one(
        "mail.external.address",
        "External Address",
        required=True,
        ondelete="cascade",
        index=True,
    )
    project_id = fields.Many2one(
        "project.project", required=True, ondelete="cascade", index=True
    )
    is_default = fields.Boolean(
        "Default",
        help="Picked by itself in this project by those who may use the address. "
        "Marking another address of the same owner takes the mark off this one.",
    )
    address_user_id = fields.Many2one(
        "res.users", "Employee", compute="_compute_of_address"
    )
    address_state = fields.Selection(
        "_states_of_address", "Status", compute="_compute_of_address"
    )

    _one_binding = models.UniqueIndex(
        "(address_id, project_id)", "This address is already bound to the project."
    )

    @api.model
    def _states_of_address(self):
        state = self.env["mail.external.address"]._fields["state"]
        return state._description_selection(self.env)

    @api.depends_context("uid")
    @api.depends("address_id.user_id", "address_id.state")
    def _compute_of_address(self):
        # By the reader's own rights: a new line may name any address. What is in the
        # cache, or not saved, everybody may read, so that is asked first.
        addresses = self.address_id._origin.sudo(self.env.su)
        seen = addresses._filtered_access("read")
        for binding in self:
            address = binding.address_id._origin & seen
            binding.address_user_id = address.user_id
            binding.address_state = address.state

    @api.model_create_multi
    def create(self, vals_list):
        bindings = super().create(vals_list)
        bindings._check_project()
        bindings._check_scope()
        bindings._keep_one_default()
        self.env["mail.external.sender"]._clear_sender_cache()
        return bindings

    def write(self, vals):
        # Record rules look at the address that it was; the new one may be anybody's.
        if "address_id" in vals and any(
            binding.address_id.id != vals["address_id"] for binding in self
        ):
            raise UserError(
                self.env._(
                    "A binding stays with its address: remove the line and add another."
                )
            )
        result = super().write(vals)
        if "project_id" in vals:
            self._check_project()
        self._keep_one_default()
        self.env["mail.external.sender"]._clear_sender_cache()
        return result

    def unlink(self):
        self._check_scope()
        result = super().unlink()
        self.env["mail.external.sender"]._clear_sender_cache()
        return result

    @api.model
    def _copy_bindings(self, project, copied):
        """Bind the addresses of a project to its copy, too.

        By the rights of who copies: what they may not bind stays unbound there, and an
        address for the first project only is no more one for the copy.
        """
        # By nobody else's rights, also where Odoo's code copies in superuser mode.
        own = self.sudo(False)
        for binding in own.search([("project_id", "=", project.id)]):
            if binding.has_access("write"):
                own.create(
                    {
                        "address_id": binding.address_id.id,
                        "project_id": copied.id,
                        "is_default": binding.is_default,
                    }
                )

    def _check_project(self):
        """:raise AccessError: somebody binds to a project that they may not see"""
        self.project_id.check_access("read")

    def _check_scope(self):
        """A company address goes from everywhere to some projects with its first
        binding, and back with its last one: that is for who manages it.

        :raise AccessError: these are all bindings of a company address
        """
        manages = self.env["mail.external.address"]._manages_owner
        # sudo: bindings to projects that this user may not see count as well
        for address in self.sudo().address_id:
            if (
                not address.user_id
                and not manages(address.user_id, address.company_id)
                and address.binding_ids <= self
            ):
                raise AccessError(
                    self.env._(
                        "%s: only a manager of external addresses chooses whether an "
                        "address of the company can be used everywhere or only in some "
                        "projects. Ask a manager to do this.",
                        address.email,
                    )
                )

    def _keep_one_default(self):
        """The newest default of a project takes over from the same owner's others."""
        for binding in self.filtered("is_default"):
            address = binding.address_id
            owner = [("address_id.user_id", "=", address.user_id.id)]
            if not address.user_id:
                owner.append(("address_id.company_id", "=", address.company_id.id))
            # sudo: another default of the same owner, not of somebody else
            self.sudo().search(
                [
                    ("project_id", "=", binding.project_id.id),
                    ("is_default", "=", True),
                    ("id", "!=", binding.id),
                    *owner,
                ]
            ).is_default = False
