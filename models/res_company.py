from odoo import fields, models

# Fetched together and only when one of them is asked for: core reads the company in
# most requests.
_PREFETCH = "mail_external_account"


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
            self.env["mail.external.account"]._clear_sender_cache()
        if vals.get("active") is False:
            # sudo: who may archive a company may not always read its addresses
            self.sudo().external_account_ids._release_waiting_mails("account_gone")
        return result

    def unlink(self):
        # sudo: see above. An address of no company would be usable in all of them.
        accounts = self.env["mail.external.account"].sudo()
        accounts = accounts.with_context(active_test=False).search(
            [("company_id", "in", self.ids)]
        )
        accounts.filtered(lambda account: not account.user_id).unlink()
        accounts.exists().active = False
        return super().unlink()

    def action_add_external_account(self):
        """Open the connect window for a new address of this company."""
        self.ensure_one()
        return (
            self.env["mail.external.account"]
            .with_context(default_is_company=True, default_company_id=self.id)
            .action_add()
        )
