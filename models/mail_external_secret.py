from odoo import fields, models


class MailExternalSecret(models.Model):
    """Sealed passwords. Nobody has access rights on this model.

    Sealing and unsealing are functions of ``tools/vault.py``, never methods of a model,
    so that no RPC call and no server action can ask for a plain text.
    """

    _name = "mail.external.secret"
    _description = "Sealed Mail Secret"
    _log_access = False

    account_id = fields.Many2one(
        "mail.external.account", required=True, ondelete="cascade", index=True
    )
    purpose = fields.Selection(
        [("smtp", "Sending"), ("incoming", "Reading")], required=True
    )
    sealed = fields.Char(required=True, groups=fields.NO_ACCESS, copy=False)

    _one_per_purpose = models.UniqueIndex("(account_id, purpose)")
