from odoo import api, fields, models
from odoo.exceptions import AccessError


class MailExternalOwnerMixin(models.AbstractModel):
    """Whose an account or an address is, and who manages it.

    A manager works for companies, so their say ends with these: at what is a company's,
    and at what belongs to the employees who work there as well. Methods ask which
    companies a user belongs to; the record rules ask, as everywhere in Odoo, for those
    that are ticked now. These are what a caller makes of the request's context, so they
    only narrow what is shown and never give a right.
    """

    _name = "mail.external.owner.mixin"
    _description = "Belongs to an Employee or a Company"

    user_id = fields.Many2one(
        "res.users",
        "Employee",
        index="btree_not_null",
        ondelete="restrict",
        help="Whose it is. Empty: it belongs to the company.",
    )
    company_id = fields.Many2one("res.company", index=True)
    can_connect = fields.Boolean(compute="_compute_can_connect")

    @api.depends_context("uid")
    @api.depends("user_id", "company_id")
    def _compute_can_connect(self):
        for record in self:
            record.can_connect = record._may_connect()

    @api.model
    def _is_manager(self):
        """Whether the user is a manager at all; of what: ``_manages``."""
        return self.env.su or self.env.user.has_group(
            "mail_external_account.group_manager"
        )

    @api.model
    def _manages_owner(self, user, company):
        """Whether the current user manages the accounts and addresses of an owner.

        :param user: the employee whose it is; none for a company's. Also one who
            left: somebody has to clear up
        :param company: the company whose it is, or that a personal one is limited to
        """
        if self.env.su:
            return True
        if not self._is_manager():
            return False
        own = set(self.env.user._get_company_ids())
        if company and company.id not in own:
            return False
        # sudo: where a colleague works is asked by yes or no
        return not user or not own.isdisjoint(user.sudo().company_ids.ids)

    def _saved(self):
        """What decides about rights: an onchange may say anything about a new one."""
        # No sudo: what it reads would lie in the cache then, for everybody.
        return self._origin or self

    def _manages(self):
        """Whether the current user is a manager of this very record.

        :raise AccessError: they may not even see it
        """
        self.ensure_one()
        record = self._saved()
        return self._manages_owner(record.user_id, record.company_id)

    def _is_own(self):
        """Whether it is the current user's personal one."""
        self.ensure_one()
        return self._saved().user_id == self.env.user

    def _may_connect(self):
        """Whether the current user may open the connect window for it.

        :raise AccessError: they may not even see it
        """
        self.ensure_one()
        return self._manages() or (self._is_own() and self._personal_allowed())

    @api.model
    def _personal_allowed(self):
        """Whether employees may connect mailboxes of their own."""
        return self.env["ir.config_parameter"].sudo().get_param(
            "mail_external_account.forbid_personal", ""
        ) not in ("1", "True")

    # What only the connect window makes and writes: a defence besides the access rights

    @api.model
    def _refuse_creation(self):
        """:raise AccessError: somebody creates a record by themselves"""
        if not self.env.su:
            raise AccessError(
                self.env._(
                    "External addresses are added in the connect window, which tests "
                    "them first. Choose “Add external address”."
                )
            )

    @api.model
    def _refuse_values(self, names):
        """:raise AccessError: always; somebody writes these fields by themselves"""
        labels = ", ".join(
            self._fields[name].get_description(self.env)["string"]
            for name in sorted(names)
        )
        raise AccessError(
            self.env._(
                "%s can only be changed in the connect window, which tests the "
                "settings first. Open the address and choose “Connect”.",
                labels,
            )
        )
