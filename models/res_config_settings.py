from odoo import fields, models
from odoo.exceptions import ValidationError

from ..tools.connect import discovery

# More scheduled actions than these would only wait for each other.
_MOST_CRONS = 16


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    external_address_ids = fields.One2many(
        related="company_id.external_address_ids", string="Company External Addresses"
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
        "Authentication-Results. What an employee answers by mail leaves through their "
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
    external_ispdb = fields.Boolean(
        "Ask Thunderbird's Directory",
        help="For a domain that is not known here, Mozilla's public directory of mail "
        "services is asked for its servers. It is told the domain, never the address.",
    )

    external_deliver_crons = fields.Integer("Sending Side by Side")
    external_fetch_crons = fields.Integer("Reading Side by Side")

    def get_values(self):
        crons = self.env["ir.cron"]
        return {
            **super().get_values(),
            "external_ispdb": discovery.ispdb_allowed(self.env),
            "external_deliver_crons": len(crons._external_active_crons("deliver")),
            "external_fetch_crons": len(crons._external_active_crons("fetch")),
        }

    def set_values(self):
        result = super().set_values()
        # on by default, which ``config_parameter`` cannot keep apart from off
        if self.external_ispdb != discovery.ispdb_allowed(self.env):
            value = "1" if self.external_ispdb else "0"
            parameters = self.env["ir.config_parameter"]
            parameters.set_param(discovery.ISPDB_PARAMETER, value)
        for work in ("deliver", "fetch"):
            name = f"external_{work}_crons"
            crons = self.env["ir.cron"]
            if self[name] == len(crons._external_active_crons(work)):
                continue  # 0 as well: other settings can be saved without them
            if not 1 <= self[name] <= _MOST_CRONS:
                raise ValidationError(
                    self.env._(
                        "%(field)s: enter a number from 1 to %(most)s.",
                        field=self._fields[name]._description_string(self.env),
                        most=_MOST_CRONS,
                    )
                )
            crons._external_set_count(work, self[name])
        return result

    def action_add_external_address(self):
        """Open the connect window for a new address of the current company."""
        return self.company_id.action_add_external_address()
