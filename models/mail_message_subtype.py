from odoo import api, models
from odoo.tools import ormcache


class MailMessageSubtype(models.Model):
    _inherit = "mail.message.subtype"

    @api.model
    @ormcache("subtype_id")
    def _is_internal_id(self, subtype_id):
        """Whether a subtype hides messages from customers: no query when warm.

        Core clears this cache when a subtype changes.
        """
        return self.sudo().browse(subtype_id).internal
