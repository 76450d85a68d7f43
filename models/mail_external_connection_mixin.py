from odoo import fields, models

from ..tools import destination

SECURITY = [
    ("ssl", "SSL/TLS"),
    ("starttls", "STARTTLS"),
    ("none", "None (not encrypted)"),
]
INCOMING = [
    ("none", "None"),
    ("imap", "IMAP"),
    ("pop3", "POP3"),
    ("forwarded", "Forwarded to Odoo"),
]
# What the connect window fills in and the account keeps.
CONNECTION = (
    "provider_id",
    "smtp_host",
    "smtp_port",
    "smtp_security",
    "smtp_login",
    "incoming_protocol",
    "incoming_host",
    "incoming_port",
    "incoming_security",
    "incoming_login",
    "ca_certificate",
)


class MailExternalConnectionMixin(models.AbstractModel):
    """How to reach a mail service: the servers of sending and of reading, once.

    The connect window has these settings before their test, the account after it. A
    password opens only where both mean the same place (``tools/destination.py``), so
    what a secret is bound to is said here for both.

    The model that inherits this has two fields besides: ``company_id``, and
    ``allow_private_host``, whether these servers may be internal ones.
    """

    _name = "mail.external.connection.mixin"
    _description = "Connection to a Mail Service"

    provider_id = fields.Many2one(
        "mail.external.provider", "Mail Service", copy=False, ondelete="set null"
    )
    smtp_host = fields.Char("SMTP Host", copy=False)
    smtp_port = fields.Integer("SMTP Port", copy=False)
    smtp_security = fields.Selection(SECURITY, "SMTP Security", copy=False)
    smtp_login = fields.Char("SMTP User", copy=False)
    incoming_protocol = fields.Selection(
        INCOMING, "Incoming Mail", default="none", required=True, copy=False
    )
    incoming_host = fields.Char(copy=False)
    incoming_port = fields.Integer(copy=False)
    incoming_security = fields.Selection(SECURITY, copy=False)
    incoming_login = fields.Char("Incoming User", copy=False)
    ca_certificate = fields.Text("Additional CA Certificate", copy=False)

    # What the preset of the mail service says

    def _fill_sending(self):
        provider = self.provider_id
        self.smtp_host = provider.smtp_host
        self.smtp_port = provider.smtp_port
        self.smtp_security = provider.smtp_security

    def _fill_incoming(self):
        protocol, provider = self.incoming_protocol, self.provider_id
        if protocol not in destination.READ_PROTOCOLS:
            return
        if provider[f"{protocol}_host"]:
            self.incoming_host = provider[f"{protocol}_host"]
            self.incoming_port = provider[f"{protocol}_port"]
            self.incoming_security = provider[f"{protocol}_security"]
        else:
            self.incoming_port = {"imap": 993, "pop3": 995}[protocol]

    def _fill_logins(self, email):
        if self.provider_id.smtp_host and self.provider_id.login_format != "other":
            login = self.provider_id._login_for(email)
            self.smtp_login = login
            self.incoming_login = login

    # Where mail goes to, and a password may go

    def _server(self, purpose, timeout):
        """Connection settings without secret.

        :param str purpose: "smtp" or "incoming"
        :param float timeout: seconds of one whole operation
        :rtype: mailkit.settings.Server
        :raise mailkit.errors.MailError: settings that cannot be right
        """
        self.ensure_one()
        return destination.server(self, purpose, timeout)

    def _secret_context(self, purpose):
        """What a password stored with these settings is bound to.

        :param str purpose: "smtp" or "incoming"
        """
        self.ensure_one()
        uuid = self.env["ir.config_parameter"].sudo().get_param("database.uuid")
        account, user = self._secret_holder()
        holder = (account._origin.id, user._origin.id, self.company_id._origin.id)
        return destination.secret_context(uuid, self, purpose, holder)

    def _secret_holder(self):
        """Whose passwords they are: an account's own, unless a model says otherwise.

        :return: the account that holds them, and its employee (none for a company's)
        """
        return self, self.user_id
