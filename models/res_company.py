from odoo import fields, models

# Fetched together and only when one of them is asked for: core reads the company in
# most requests.
_PREFETCH = "mail_external_account"


class ResCompany(models.Model):
    _inherit = "res.company"

    external_address_ids = fields.One2many(
        "mail.external.address",
        "company_id",
        "External Addresses",
        domain=[("user_id", "=", False)],
    )
    external_ca_certificate = fields.Text(
        "Additional CA Certificate",
        prefetch=_PREFETCH,
        help="PEM certificate of the company's own authority. New addresses trust it "
        "besides the public ones.",
    )

    external_sender_policy = fields.Selection(
        [
            ("employee", "The employee's own address"),
            ("customer", "The address that the customer wrote to"),
            ("project", "The project's default company address"),
        ],
        "First Choice of the Sender",
        default="employee",
        required=True,
        prefetch=_PREFETCH,
        help="What a message leaves from when nobody picks an address. An own address "
        "that is bound to the project goes before the project's default in any case.",
    )
    external_orphan_policy = fields.Selection(
        [
            ("fail", "Is shown as failed"),
            ("next", "Leaves through another address that its author may use"),
        ],
        "Waiting Mail of a Removed Address",
        default="fail",
        required=True,
        prefetch=_PREFETCH,
        help="What happens to mail that waits when its address or its author is "
        "archived or deleted.",
    )

    external_finished_policy = fields.Selection(
        [
            ("keep", "Is only shown there"),
            ("reopen", "Opens the task again"),
        ],
        "Answer to a Finished Task",
        default="keep",
        required=True,
        prefetch=_PREFETCH,
    )

    def write(self, vals):
        result = super().write(vals)
        # who belongs to a company is also said from its side
        if {"active", "external_sender_policy", "user_ids"}.intersection(vals):
            self.env["mail.external.sender"]._clear_sender_cache()
        if not vals.get("active", True):
            # sudo: who may archive a company may not always read its addresses
            addresses = self.sudo().external_address_ids
            self.env["mail.mail"]._external_waiting(addresses)._release("address_gone")
        return result

    def unlink(self):
        # sudo: see above. An address of no company would be usable in all of them.
        ours = [("company_id", "in", self.ids)]
        shared = [*ours, ("user_id", "=", False)]
        for name in ("mail.external.account", "mail.external.address"):
            records = self.env[name].sudo().with_context(active_test=False)
            records.search(shared).unlink()
        self.env["mail.external.address"].sudo().search(ours).active = False
        return super().unlink()

    def action_add_external_address(self):
        """Open the connect window for a new address of this company."""
        self.ensure_one()
        return (
            self.env["mail.external.address"]
            .with_context(default_is_company=True, default_company_id=self.id)
            .action_add()
        )
