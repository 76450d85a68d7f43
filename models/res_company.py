from odoo import fields, models


class ResCompany(models.Model):
    _inherit = "res.company"

    external_account_ids = fields.One2many(
        "mail.external.account",
        "company_id",
        "External Addresses",
        domain=[("user_id", "=", False)],
    )
    external_ca_certificate = fields.Text(
        "Additional CA Certificate",
        help="PEM certificate of the company's own authority. New addresses trust it "
        "besides the public ones.",
    )

    def action_add_external_account(self):
        """Open the connect window for a new address of this company."""
        self.ensure_one()
        return (
            self.env["mail.external.account"]
            .with_context(default_is_company=True, default_company_id=self.id)
            .action_add()
        )
