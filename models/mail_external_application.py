from odoo import fields, models

OAUTH_KINDS = [
    ("google", "Google"),
    ("microsoft", "Microsoft"),
    ("other", "Another service"),
]


class MailExternalApplication(models.Model):
    """The firm's own application at Google, at Microsoft, or at another service.

    An administrator registers it there once (RFC 6749 calls it the client). People then
    sign in as themselves, at the service's own page, and Odoo gets tokens instead of
    their passwords. Only administrators see applications; others know their names.
    """

    _name = "mail.external.application"
    _description = "Sign-In Application"
    _order = "company_id, kind, id"

    name = fields.Char(required=True)
    active = fields.Boolean(default=True)
    kind = fields.Selection(OAUTH_KINDS, required=True, default="google")
    company_id = fields.Many2one("res.company", help="Empty: for every company.")
    client_id = fields.Char("Client ID")
    secret_sealed = fields.Char(groups=fields.NO_ACCESS, copy=False)
    secret_expires = fields.Date(copy=False)
    tenant = fields.Char(default="common")
    authorization_endpoint = fields.Char()
    token_endpoint = fields.Char()
    revocation_endpoint = fields.Char()
    scopes = fields.Char()
    mechanism = fields.Selection(
        [("XOAUTH2", "XOAUTH2"), ("OAUTHBEARER", "OAUTHBEARER")],
        help="How mail servers are told the token. Empty: as they offer it.",
    )
    ca_certificate = fields.Text("Additional CA Certificate")
    allow_private_host = fields.Boolean("Internal Server")
