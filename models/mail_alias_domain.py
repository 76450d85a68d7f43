from odoo import api, models
from odoo.tools import SQL


class MailAliasDomain(models.Model):
    _inherit = "mail.alias.domain"

    @api.model
    def _find_aliases(self, email_list):
        """Among Odoo's own addresses are the external ones where recipients are
        suggested: an answer to one goes to the mailbox that it came out of."""
        found = super()._find_aliases(email_list)
        if self.env.context.get("external_suggested_recipients"):
            found += self._external_addresses(email_list)
        return found

    def _external_addresses(self, emails):
        """Which of these are proven external addresses, and no colleague's own."""
        rows = self.env.execute_query(
            SQL(
                "SELECT lower(a.email) FROM mail_external_account a"
                " WHERE lower(a.email) = ANY(%s) AND a.state != 'draft'"
                " AND NOT EXISTS (SELECT FROM res_partner p JOIN res_users u"
                "   ON u.partner_id = p.id"
                "   WHERE p.email_normalized = lower(a.email) AND NOT u.share)",
                list(emails),
            )
        )
        return [email for (email,) in rows]
