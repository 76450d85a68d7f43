from odoo import fields, models

from ..tools.oauth2 import revocation


class MailExternalSecret(models.Model):
    """Sealed passwords and tokens. Nobody has access rights on this model.

    Sealing and unsealing are functions of ``tools/vault.py``, never methods of a model,
    so that no RPC call and no server action can ask for a plain text.

    A sign-in with the mail service has one row for sending and reading ("oauth2"). When
    it is renewed, by whom, and when again after a failure stands beside what is sealed:
    see ``tools/oauth2/tokens.py``, which writes these columns by SQL, with the
    database's clock.
    """

    _name = "mail.external.secret"
    _description = "Sealed Mail Secret"
    _log_access = False

    account_id = fields.Many2one(
        "mail.external.account", required=True, ondelete="cascade", index=True
    )
    purpose = fields.Selection(
        [("smtp", "Sending"), ("incoming", "Reading"), ("oauth2", "Both, by tokens")],
        required=True,
    )
    sealed = fields.Char(required=True, groups=fields.NO_ACCESS, copy=False)
    # Of a sign-in with the mail service

    # Without the access token, for the revocation only: see ``vault.token_contexts``.
    sealed_end = fields.Char(groups=fields.NO_ACCESS, copy=False)
    application_id = fields.Many2one("mail.external.application", ondelete="cascade")
    # Keyed hashes: of one sign-in, and of one person at one application.
    grant_key = fields.Char(index="btree_not_null")
    subject_key = fields.Char(index="btree_not_null")
    token_ends = fields.Datetime()
    renew_at = fields.Datetime()
    lease = fields.Char(help="Who renews it now.")
    lease_until = fields.Datetime(help="From then on others take that for lost.")
    failures = fields.Integer(help="Of the service, in a row.")
    retry_at = fields.Datetime(help="The service is not asked before.")
    failure_code = fields.Char()
    failure_reply = fields.Char()

    _one_per_purpose = models.UniqueIndex("(account_id, purpose)")

    def unlink(self):
        """What the mail service gave ends there, too, once this is committed."""
        revocation.revoke_rows(self)
        return super().unlink()
