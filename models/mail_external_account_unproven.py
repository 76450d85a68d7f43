from odoo import api, models

from ..tools import origin


class MailExternalAccount(models.Model):
    """A mail that says to be somebody's sends nothing from his addresses."""

    _inherit = "mail.external.account"

    @api.model
    def _usable_rows(self, user_id):
        if origin.is_unproven(user_id):
            return ()
        return super()._usable_rows(user_id)
