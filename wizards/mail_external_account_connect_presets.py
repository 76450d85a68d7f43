from odoo import api, fields, models
from odoo.tools.mail import email_normalize

from ..mailkit.settings import same_address
from ..tools.connection import READ_PROTOCOLS


class MailExternalAccountConnect(models.TransientModel):
    """Filling in: what the address and the mail service say about the settings."""

    _inherit = "mail.external.account.connect"

    silences_odoo = fields.Boolean(
        compute="_compute_silences_odoo",
        help="Odoo has no other address, and may not use this one.",
    )

    @api.depends("provider_id.help_url")
    def _compute_provider_help_url(self):
        for wizard in self:
            wizard.provider_help_url = wizard.provider_id._help_link()

    @api.depends(
        *("email", "is_company", "company_id", "user_id"),
        *("allowed_user_ids", "allowed_group_ids"),
    )
    def _compute_silences_odoo(self):
        known = self.env["mail.external.account"]._external_in
        for wizard in self:
            company = wizard.company_id or wizard.user_id.sudo().company_id
            server = self.env["ir.mail_server"].with_company(company)
            own = {c for c in server._external_candidates() if not known(c)}
            restricted = wizard.allowed_user_ids or wizard.allowed_group_ids
            for_all = wizard.is_company and not restricted
            wizard.silences_odoo = bool(own and wizard.email and not for_all) and all(
                same_address(email_normalize(address) or address, wizard.email)
                for address in own
            )

    @api.onchange("email")
    def _onchange_email(self):
        provider = self.env["mail.external.provider"]._find_for_address(self.email)
        if provider and provider != self.provider_id:
            self.provider_id = provider
            self._onchange_provider_id()
        elif self.provider_id:
            self._fill_logins()
        elif not self.smtp_login:
            self.smtp_login = self.email

    @api.onchange("is_company")
    def _onchange_is_company(self):
        if self.is_company:
            self.user_id = False
            self.company_id = self.company_id or self.env.company
        else:
            self.company_id = False
            self.user_id = self.user_id or self.env.user

    @api.onchange("provider_id")
    def _onchange_provider_id(self):
        provider = self.provider_id
        if not provider.smtp_host:
            return
        self.smtp_host = provider.smtp_host
        self.smtp_port = provider.smtp_port
        self.smtp_security = provider.smtp_security
        self._fill_incoming()
        self._fill_logins()

    @api.onchange("incoming_protocol")
    def _onchange_incoming_protocol(self):
        self._fill_incoming()
        if self.incoming_protocol in READ_PROTOCOLS and not self.incoming_login:
            self.incoming_login = self.smtp_login

    def _fill_incoming(self):
        protocol, provider = self.incoming_protocol, self.provider_id
        if protocol not in READ_PROTOCOLS:
            return
        if provider[f"{protocol}_host"]:
            self.incoming_host = provider[f"{protocol}_host"]
            self.incoming_port = provider[f"{protocol}_port"]
            self.incoming_security = provider[f"{protocol}_security"]
        else:
            self.incoming_port = {"imap": 993, "pop3": 995}[protocol]

    def _fill_logins(self):
        if self.provider_id.smtp_host and self.provider_id.login_format != "other":
            login = self.provider_id._login_for(self.email)
            self.smtp_login = login
            self.incoming_login = login
