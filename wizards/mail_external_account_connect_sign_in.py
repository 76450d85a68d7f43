from odoo import fields, models

from ..tools.connect import sign_in


class MailExternalAccountConnectSignIn(models.TransientModel):
    """One sign-in at a mail service, which a person began in a connect window.

    It is theirs (``create_uid``) and that window's, and waits for one answer only:
    ``tools/oauth2/authorization.py`` makes and finishes it. What it gave is kept here,
    sealed, until the window is saved or thrown away. Nobody has access rights on it.
    """

    _name = "mail.external.account.connect.sign.in"
    _description = "Sign-In of a Connect Window"
    _order = "id"

    wizard_id = fields.Many2one(
        "mail.external.account.connect", required=True, ondelete="cascade", index=True
    )
    application_id = fields.Many2one(
        "mail.external.application", required=True, ondelete="cascade"
    )
    # The way to the service and back
    state_hash = fields.Char(index=True, groups=fields.NO_ACCESS)
    verifier_sealed = fields.Char(groups=fields.NO_ACCESS)
    # A keyed hash over what the window was about when this began.
    bound = fields.Char(groups=fields.NO_ACCESS)
    expires = fields.Datetime()
    is_used = fields.Boolean(help="The answer has come; it counts only once.")
    # What came of it
    failure_text = fields.Char()
    failure_reply = fields.Char(help="What the service said.")
    grant = fields.Char(
        groups=fields.NO_ACCESS, help="Random; the same while the tokens are renewed."
    )
    tokens_sealed = fields.Char(groups=fields.NO_ACCESS)
    hint = fields.Char(
        groups=fields.NO_ACCESS,
        help="Whom the service named. It proves nothing.",
    )

    def unlink(self):
        """What the mail service gave and nobody saved ends there, too."""
        sign_in.revoke(self)
        return super().unlink()
