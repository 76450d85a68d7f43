from odoo import api, models
from odoo.fields import Domain
from odoo.tools import SQL, escape_psql
from odoo.tools.mail import email_normalize_all, email_split_and_format

from ..mailkit.addresses import same_mailbox
from ..tools.as_odoo import as_odoo


class MailThread(models.AbstractModel):
    """Who is told of a mail that came out of a mailbox, and who may follow by it.

    It follows from what is stored: another addon tells of a message in a job of its
    own, long after the mail was processed.
    """

    _inherit = "mail.thread"

    def _notify_get_recipients(self, message, msg_vals=False, **kwargs):
        audience = message._external_audience(msg_vals)
        if audience == "nobody":
            return []
        row = audience and message._external_arrival()
        if not row and audience != "team":
            return super()._notify_get_recipients(message, msg_vals, **kwargs)
        values = self._external_notify_values(message.sudo(), msg_vals or {}, row)
        # Who has Odoo tell of it is not its author, whom core leaves out.
        recipients = super(MailThread, as_odoo(self))._notify_get_recipients(
            message, values, **kwargs
        )
        if audience == "team":
            return [data for data in recipients if data["id"] and not data["share"]]
        return recipients

    def _notify_thread_with_out_of_office(
        self, message, recipients_data, msg_vals=False, **kwargs
    ):
        if message._external_audience(msg_vals) in ("team", "nobody"):
            return self.env["mail.message"]  # strangers and programs get no answer
        return super()._notify_thread_with_out_of_office(
            message, recipients_data, msg_vals=msg_vals, **kwargs
        )

    def _external_notify_values(self, message, msg_vals, row):
        """Colleagues are told by Odoo, though the mail was addressed to them too: who
        reads the mailbox is Odoo. Customers in To and Cc have it already."""
        values = dict(msg_vals)
        names = ("incoming_email_to", "incoming_email_cc")
        texts = {name: values.get(name, message[name]) or "" for name in names}
        colleagues = self._external_colleagues(
            email_normalize_all(",".join(texts.values()))
        )
        known = set(colleagues.mapped("email_normalized"))
        for name, text in texts.items():
            values[name] = ",".join(
                address
                for address in email_split_and_format(text)
                if not known.intersection(email_normalize_all(address))
            )
        partner_ids = values.get("partner_ids", message.partner_ids.ids) or []
        owner = row.user_id
        if owner.partner_id != message.author_id and self._external_is_open_to(owner):
            partner_ids = [*partner_ids, owner.partner_id.id]
        values["partner_ids"] = partner_ids
        return values

    @api.model
    def _external_colleagues(self, emails):
        """The internal users with these addresses (sudo)."""
        users = self.env["res.users"].sudo()
        emails = [email for email in emails if email]
        if not emails:
            return users
        return users.search([("share", "=", False), ("email_normalized", "in", emails)])

    @api.model
    def _external_is_colleague(self, email):
        """Whether an address is an internal user's, with a subaddress or without."""
        local, _at, domain = same_mailbox(email).rpartition("@")
        domains = {domain, "googlemail.com"} if domain == "gmail.com" else {domain}
        conditions = [
            [("email_normalized", "=like", f"{escape_psql(local)}{rest}@{each}")]
            for each in map(escape_psql, domains)
            for rest in ("", "+%")
        ]
        domain = Domain("share", "=", False) & Domain.OR(conditions)
        # sudo: whoever asks
        return bool(local) and bool(
            self.env["res.users"].sudo().search_count(domain, limit=1)
        )

    def _external_is_open_to(self, user):
        """Whether a user may read this record, whatever companies they look at now."""
        if not (self and user.active):
            return False
        companies = user.sudo().company_ids.ids
        record = self.with_user(user).with_context(allowed_company_ids=companies)
        return record.has_access("read")

    def _external_may_follow(self, partners):
        """Those of ``partners`` who took part already; colleagues if they may read."""
        partners = partners.sudo().exists()
        known = self._external_took_part(partners.mapped("email_normalized"))
        return partners.filtered(lambda partner: partner.email_normalized in known)

    def _external_took_part(self, emails):
        """Those of ``emails`` whose owners are part of this conversation already.

        They follow it, wrote in it, or were sent a message of it. Whom a mail named in
        To or Cc is not by that, nor who wrote as a stranger; and a colleague only while
        they may read the record.

        :return: set of normalised addresses
        """
        emails = [email for email in emails if email]
        if not emails:
            return set()
        self.env.flush_all()
        rows = self.env.execute_query(
            SQL(
                """
                WITH messages AS (
                    SELECT id, author_id, external_mark, message_type
                      FROM mail_message
                     WHERE model = %(model)s AND res_id = %(res_id)s
                ), people AS (
                    SELECT partner_id AS id FROM mail_followers
                     WHERE res_model = %(model)s AND res_id = %(res_id)s
                     UNION
                    SELECT author_id FROM messages WHERE external_mark IS NULL
                     UNION
                    SELECT n.res_partner_id FROM messages m
                      JOIN mail_notification n ON n.mail_message_id = m.id
                     UNION
                    SELECT r.res_partner_id FROM messages m
                      JOIN mail_message_res_partner_rel r ON r.mail_message_id = m.id
                     WHERE m.message_type <> 'email'
                )
                SELECT p.email_normalized FROM people
                  JOIN res_partner p ON p.id = people.id
                 WHERE p.email_normalized = ANY(%(emails)s)
                 UNION
                SELECT lower(n.mail_email_address) FROM messages m
                  JOIN mail_notification n ON n.mail_message_id = m.id
                 WHERE lower(n.mail_email_address) = ANY(%(emails)s)
                 UNION
                SELECT lower(d.recipient) FROM messages m
                  JOIN mail_external_delivery d ON d.mail_message_id = m.id
                 WHERE lower(d.recipient) = ANY(%(emails)s)
                """,
                model=self._name,
                res_id=self.id,
                emails=emails,
            )
        )
        found = {email for (email,) in rows}
        for colleague in self._external_colleagues(found):
            if not self._external_is_open_to(colleague):
                found.discard(colleague.email_normalized)
        return found
