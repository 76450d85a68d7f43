from odoo import fields, models


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    external_account_ids = fields.One2many(
        related="company_id.external_account_ids", string="Company External Addresses"
    )
    external_ca_certificate = fields.Text(
        related="company_id.external_ca_certificate", readonly=False
    )
    external_sender_policy = fields.Selection(
        related="company_id.external_sender_policy", readonly=False
    )
    external_finished_policy = fields.Selection(
        related="company_id.external_finished_policy", readonly=False
    )
    external_orphan_policy = fields.Selection(
        related="company_id.external_orphan_policy", readonly=False
    )
    external_trusted_authserv = fields.Char(
        "Trusted Receiving Server",
        config_parameter="mail_external_account.trusted_authserv",
        help="Name that your own receiving mail server writes into the header "
        "Authentication-Results. What an employee answers by mail leaves through his "
        "external address only when this server says that DMARC passed. Empty: never.",
    )
    external_allow_private_hosts = fields.Boolean(
        "Allow Internal Mail Servers",
        config_parameter="mail_external_account.allow_private_hosts",
        help="Lets every employee connect to mail servers with internal addresses. "
        "Managers always may.",
    )
    external_forbid_personal = fields.Boolean(
        "No Personal Addresses",
        config_parameter="mail_external_account.forbid_personal",
        help="Employees cannot connect mailboxes of their own; managers do it.",
    )

    def action_add_external_account(self):
        """Open the connect window for a new address of the current company."""
        return self.company_id.action_add_external_account()
