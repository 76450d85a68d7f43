from odoo import models
from odoo.fields import NO_ACCESS

# Models of ours in which people enter values; the others are filled by Odoo itself.
_ENTERED = frozenset(
    {
        "mail.external.provider",
        "mail.external.address.project",
        "mail.external.account.connect",
        "mail.external.account.connect.project",
    }
)
# By whose right a mail leaves, and what is special about it: nobody enters these.
_NOT_ENTERED = {
    "mail.message": frozenset({"external_origin", "external_mark"}),
    "mail.mail": frozenset({"sending_address_id"}),
}


class IrDefault(models.Model):
    """Every employee may set defaults of their own, for any field of any model, and
    they come into what Odoo makes in superuser mode in their request, too. So what
    nobody enters has none."""

    _inherit = "ir.default"

    def _get_model_defaults(self, model_name, condition=False):
        defaults = super()._get_model_defaults(model_name, condition=condition)
        if not defaults:
            return defaults
        return {
            name: value
            for name, value in defaults.items()
            if not self._is_closed(model_name, name)
        }

    def _is_closed(self, model_name, name):
        if model_name.startswith("mail.external.") and model_name not in _ENTERED:
            return True
        field = self.env[model_name]._fields.get(name)
        hidden = field is not None and field.groups == NO_ACCESS
        return name in _NOT_ENTERED.get(model_name, ()) or (
            hidden and model_name in _ENTERED
        )
