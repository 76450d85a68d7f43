"""Who belongs to a record's conversation, and who is told of a mail in it.

Functions of the record itself, a record of a model with ``mail.thread``.
"""

from odoo.fields import Domain
from odoo.tools import SQL, escape_psql
from odoo.tools.mail import email_normalize_all, email_split_and_format

from ..mailkit.message.address import without_subaddress

# Colleagues


def colleagues(env, emails):
    """The internal users with these addresses (sudo)."""
    users = env["res.users"].sudo()
    emails = [email for email in emails if email]
    if not emails:
        return users
    return users.search([("share", "=", False), ("email_normalized", "in", emails)])


def is_colleague(env, email):
    """Whether an address is an internal user's, with a subaddress or without."""
    local, _at, domain = without_subaddress(email).rpartition("@")
    domains = {domain, "googlemail.com"} if domain == "gmail.com" else {domain}
    conditions = [
        [("email_normalized", "=like", f"{escape_psql(local)}{rest}@{each}")]
        for each in map(escape_psql, domains)
        for rest in ("", "+%")
    ]
    domain = Domain("share", "=", False) & Domain.OR(conditions)
    # sudo: whoever asks
    return bool(local) and bool(env["res.users"].sudo().search_count(domain, limit=1))


def is_open_to(record, user):
    """Whether a user may read this record, whatever companies they look at now."""
    if not (record and user.active):
        return False
    companies = user.sudo().company_ids.ids
    record = record.with_user(user).with_context(allowed_company_ids=companies)
    return record.has_access("read")


# Who took part


def may_follow(record, partners):
    """Those of ``partners`` who took part already; colleagues if they may read."""
    partners = partners.sudo().exists()
    known = took_part(record, partners.mapped("email_normalized"))
    return partners.filtered(lambda partner: partner.email_normalized in known)


def took_part(record, emails):
    """Those of ``emails`` whose owners are part of this conversation already.

    They follow it, wrote in it, or were sent a message of it. Whom a mail named in
    To or Cc is not by that, nor who wrote as a stranger; and a colleague only while
    they may read the record.

    :return: set of normalised addresses
    """
    emails = [email for email in emails if email]
    if not emails:
        return set()
    record.env.flush_all()
    rows = record.env.execute_query(
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
            model=record._name,
            res_id=record.id,
            emails=emails,
        )
    )
    found = {email for (email,) in rows}
    for colleague in colleagues(record.env, found):
        if not is_open_to(record, colleague):
            found.discard(colleague.email_normalized)
    return found


# Who is told


def told_values(record, message, msg_vals, row):
    """What core decides by whom it tells of a mail that came out of a mailbox.

    Colleagues are told by Odoo, though the mail was addressed to them too: who reads
    the mailbox is Odoo. Customers in To and Cc have it already.

    :param message: mail.message (sudo)
    :param dict msg_vals: what it was just created with, as core hands it on
    :param row: mail.external.arrival (sudo), whose owner is told too; may be empty
    :return: ``msg_vals`` with other recipients
    """
    values = dict(msg_vals)
    names = ("incoming_email_to", "incoming_email_cc")
    texts = {name: values.get(name, message[name]) or "" for name in names}
    found = colleagues(record.env, email_normalize_all(",".join(texts.values())))
    known = set(found.mapped("email_normalized"))
    for name, text in texts.items():
        values[name] = ",".join(
            address
            for address in email_split_and_format(text)
            if not known.intersection(email_normalize_all(address))
        )
    partner_ids = values.get("partner_ids", message.partner_ids.ids) or []
    owner = row.user_id
    if owner.partner_id != message.author_id and is_open_to(record, owner):
        partner_ids = [*partner_ids, owner.partner_id.id]
    values["partner_ids"] = partner_ids
    return values
