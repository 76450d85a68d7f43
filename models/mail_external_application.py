from odoo import fields, models

from ..mailkit.errors import ErrorCode
from ..tools import notices
from ..tools.explanations import cause_and_remedy

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
    issuer = fields.Char()
    token_auth = fields.Char(default="client_secret_post")
    failure_code = fields.Char(copy=False, readonly=True)
    failure_reply = fields.Char(copy=False, readonly=True)
    # The service is not asked before, whatever account it is for: ``tokens``.
    retry_at = fields.Datetime(groups=fields.NO_ACCESS, copy=False)

    def _parameters(self):
        return ()

    def _note_failure(self, code, reply):
        """The service refused to renew a sign-in because of the application itself.

        Administrators are told once, until it works again.
        """
        application = self.sudo()
        is_new = not application.failure_code
        application.write({"failure_code": code, "failure_reply": reply})
        if is_new:
            administrators = self.env.ref("base.group_system").sudo().all_user_ids
            notices.tell(
                application,
                administrators,
                self.env._("%s does not accept Odoo any more", application.name),
                " ".join(cause_and_remedy(self.env, code)),
            )

    def _note_success(self):
        """It works (again): those that waited go on."""
        application = self.sudo()
        if application.failure_code:
            application.write({"failure_code": False, "failure_reply": False})
            application._resume_accounts()

    def _resume_accounts(self):
        """Those that waited for this application go on."""
        waiting = {ErrorCode.OAUTH_CLIENT.value, ErrorCode.OAUTH_SECRET_EXPIRED.value}
        accounts = self.env["mail.external.account"].sudo()
        for account in accounts.search([("application_id", "in", self.ids)]):
            if waiting & {account.failure_code, account.mailbox_ids.failure_code}:
                account._resume()
                account._look_soon(0)
