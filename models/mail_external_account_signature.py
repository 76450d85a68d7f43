from odoo import api, models
from odoo.tools import is_html_empty

from ..tools.signature import swap_signature


class MailExternalAccount(models.Model):
    """The signature below a text that is being written: the chosen address's."""

    _inherit = "mail.external.account"

    @api.model
    def _with_signature_of(self, sender, body, add=False):
        """``body`` with the signature of an address, or the user's own.

        :param int sender: id of an account; any other number: Odoo's own server
        :param bool add: also where there is none yet: core leaves it out for a user
            without a signature, who may still have addresses with one
        """
        if not self._any_configured():
            return body
        usable = [row.id for row in self._usable_rows(self.env.uid)]
        if not usable:
            return body
        signature = self._look(sender).signature if sender in usable else ""
        own = self.env.user.signature or ""
        add = add and is_html_empty(own) and self._any_signature(usable)
        return swap_signature(body, signature or own, add=add)

    @api.model
    def _any_signature(self, ids):
        # sudo: signatures of accounts that the user may use
        accounts = self.sudo().search_fetch([("id", "in", ids)], ["signature"])
        return any(account._has_signature() for account in accounts)
