from odoo import api, models

from ..tools import trusted_context


class MailAliasDomain(models.Model):
    _inherit = "mail.alias.domain"

    @api.model
    def _find_aliases(self, email_list):
        """Among Odoo's own addresses are the external ones where recipients are
        suggested: mail to them goes into the mailbox that the answer came out of."""
        arrived = trusted_context.arrival.value
        asked = tuple(email_list)
        # Core asks five times for one message out of a mailbox.
        if arrived is not None and asked in arrived.aliases:
            return list(arrived.aliases[asked])
        found = super()._find_aliases(email_list)
        if self.env.context.get("external_suggested_recipients"):
            found += self._external_addresses(email_list)
        if arrived is not None:
            arrived.aliases[asked] = tuple(found)
        return found

    def _external_addresses(self, emails):
        """Which of these are external addresses; what a colleague has in their user as
        well stands for that colleague."""
        proven = self.env["mail.external.sender"]._proven_addresses()
        own = [email for email in emails if email and email.lower() in proven]
        if not own:
            return []
        colleagues = self.env["res.users"].search(
            [("share", "=", False), ("email_normalized", "in", own)]
        )
        return list(set(own).difference(colleagues.mapped("email_normalized")))
