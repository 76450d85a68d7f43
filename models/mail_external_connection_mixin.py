from odoo import fields, models

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

AUTH_METHODS = [
    ("password", "Password"),
    ("oauth2", "Sign-in with the mail service"),
]


# What the connect window fills in and the account keeps.
CONNECTION = (
    "provider_id",
    "auth_method",
    "application_id",
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
# Incoming modes for which Odoo signs in somewhere.
READ_PROTOCOLS = ("imap", "pop3")


class MailExternalConnectionMixin(models.AbstractModel):
    """How to reach a mail service: the servers of sending and of reading, once.

    The connect window has these settings before their test, the account after it. A
    password opens only where both mean the same place (``tools/vault.py``).

    The model that inherits this has two fields besides: ``company_id``, and
    ``allow_private_host``, whether these servers may be internal ones; and the method
    ``_secret_holder``, whose its passwords are (see ``mail.external.account``).
    """

    _name = "mail.external.connection.mixin"
    _description = "Connection to a Mail Service"

    provider_id = fields.Many2one(
        "mail.external.provider", "Mail Service", copy=False, ondelete="set null"
    )
    auth_method = fields.Selection(
        AUTH_METHODS, "Sign-In", default="password", required=True, copy=False
    )
    application_id = fields.Many2one(
        "mail.external.application",
        copy=False,
        ondelete="restrict",
        help="The firm's application, as which people sign in at the mail service.",
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
        if protocol not in READ_PROTOCOLS:
            return
        if provider[f"{protocol}_host"]:
            self.incoming_host = provider[f"{protocol}_host"]
            self.incoming_port = provider[f"{protocol}_port"]
            self.incoming_security = provider[f"{protocol}_security"]
        else:
            self.incoming_port = {"imap": 993, "pop3": 995}[protocol]

    def _fill_logins(self, email):
        if self.provider_id.smtp_host and self.provider_id.login_format != "other":
            self.smtp_login = self.provider_id._login_for(email)
            self.incoming_login = self.provider_id._login_for(email, reading=True)

    def _connection_values(self):
        """:return: dict: name of ``CONNECTION`` -> value as it is written"""
        self.ensure_one()
        return {
            name: self._fields[name].convert_to_write(self[name], self)
            for name in CONNECTION
        }

    # Where mail goes to

    def _connection_text(self):
        """Where mail goes out and comes in, in one line."""
        self.ensure_one()
        hosts = [self.smtp_host]
        if self.incoming_protocol in READ_PROTOCOLS:
            hosts.append(f"{self.incoming_protocol.upper()} {self.incoming_host}")
        return " · ".join(filter(None, hosts))
