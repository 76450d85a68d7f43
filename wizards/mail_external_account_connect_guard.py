from odoo import api, models
from odoo.exceptions import AccessError


class MailExternalAccountConnect(models.TransientModel):
    """The window of an account is for who may connect it, from the first value on.

    Otherwise the answers would tell whether guessed settings are those of somebody
    else's account.
    """

    _inherit = "mail.external.account.connect"

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._check_account(vals)
        return super().create(vals_list)

    def write(self, vals):
        self._check_account(vals)
        return super().write(vals)

    def onchange(self, values, field_names, fields_spec):
        self._check_account(values)
        return super().onchange(values, field_names, fields_spec)

    def _check_account(self, vals):
        """:raise AccessError: the values name an account of somebody else"""
        default = self.env.context.get("default_account_id")
        account_id = vals.get("account_id", default)
        if isinstance(account_id, dict):  # so an onchange may name it as well
            account_id = account_id.get("id")
        if self.env.su or not account_id:
            return
        account = self.env["mail.external.account"].browse(account_id)
        if not (account.has_access("read") and account._may_connect()):
            raise AccessError(
                self.env._("Only the owner or a manager may change this address.")
            )
