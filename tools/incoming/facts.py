"""What messages of a mailbox are, as far as their headers and the database tell.

Plain functions. Anybody can send headers that take long to judge, so each is judged
with an eye on the clock.
"""

import time
from functools import lru_cache

from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import SQL, escape_psql

from ...mailkit.answers.matching import (
    Decision,
    Facts,
    Match,
    MatchReason,
    base_subject,
    decide,
)
from ...mailkit.answers.token import marks_in_ids, marks_in_parts
from ...mailkit.message.address import Address, without_subaddress
from ...mailkit.message.headers import parse_headers
from .. import vault

# Processor's seconds for one header: far more than any takes. And for those that are
# judged in one go: others wait for their turn.
HEAVY_SECONDS = 2.0
SLICE_SECONDS = 1.0
# So long after a mail its recipients' answers are looked for by their text, too.
CORRESPONDENCE_DAYS = 180
# Recipients with our local part and a domain that is not ASCII: who names more of them
# writes to nobody.
_MOST_COSTLY = 20
# Mails to one person that are looked through by their subject.
_MOST_SUBJECTS = 1000
# Left alone, whoever's mailbox it lies in: it is nobody's but the address's.
CODE_MAIL = Decision(Match.NONE, MatchReason.CODE_MAIL)


class TooMuch(Exception):
    """Several headers take longer than what may be judged in one go."""


def timed(judge, spent, *columns):
    """What ``judge`` returns for each row of ``columns``.

    :param list spent: the processor's seconds of each are added to it
    :raise TooMuch: there are several, and no time for all of them
    """
    results = []
    before = began = time.thread_time()
    for number, row in enumerate(zip(*columns, strict=True)):
        if before - began > SLICE_SECONDS:
            raise TooMuch
        results.append(judge(*row))
        now = time.thread_time()
        spent[number] += now - before
        before = now
    return results


def parsed(raws):
    """The first of these headers: as many as fit into one go, and one at least.

    :return: (list of mailkit.message.headers.Headers, the processor's seconds of each)
    """
    headers, spent = [], []
    before = began = time.thread_time()
    for raw in raws:
        headers.append(parse_headers(raw))
        now = time.thread_time()
        spent.append(now - before)
        before = now
        if now - began > SLICE_SECONDS:
            break
    return headers, spent


def decide_batch(account, batch, spent=None):
    """Whether each of these messages answers something that Odoo sent.

    :param batch: list of ``mailkit.message.headers.Headers``
    :param list spent: the processor's seconds for each of them are added to it
    :return: (list of ``matching.Decision`` in the same order, its Facts)
    """
    account.ensure_one()
    env = account.env
    signers = vault.signers(env)
    spent = [0.0] * len(batch) if spent is None else spent

    def marks(headers):
        return _first(signer.in_headers(headers) for signer in signers)

    marks_of = timed(marks, spent, batch)
    ids = {name for headers in batch for name in headers.all_ids}
    marked = {message for found in marks_of for message in found.values()}
    messages, addressees = sent_messages(env, ids, marked, account)
    facts = Facts(messages, addressees, {}, own_emails(account))
    decisions = timed(
        lambda headers, found: decide(headers, facts, found), spent, batch, marks_of
    )
    open_ones = {
        headers.author.email
        for headers, decision in zip(batch, decisions, strict=True)
        if decision.match is Match.NONE and headers.author.email
    }
    correspondents = _correspondents(account, open_ones)
    if correspondents:
        facts = Facts(messages, addressees, correspondents, facts.own)
        decisions = [
            decide(headers, facts, found)
            if decision.match is Match.NONE and headers.author.email in correspondents
            else decision
            for headers, found, decision in zip(batch, marks_of, decisions, strict=True)
        ]
    decisions = [
        CODE_MAIL if names_code_mail(env, headers) else decision
        for headers, decision in zip(batch, decisions, strict=True)
    ]
    return decisions, facts


# Code mail: the mail with a code that proves an address (``tools/code_mail.py``)


def names_code_mail(env, headers):
    """Whether a message is a code mail, or says that it answers one.

    :param mailkit.message.headers.Headers headers:
    """
    return _is_any_signed(env, marks_in_ids(headers))


def carries_code(env, raw):
    """Whether a message is, answers, quotes or holds a code mail.

    :param bytes raw: the message; its first megabytes are looked at
    """
    return names_code_mail(env, parse_headers(raw)) or _is_any_signed(
        env, marks_in_parts(raw)
    )


def _is_any_signed(env, marks):
    if not marks:
        return False  # nearly all mail, for which no key and no setting is read
    try:
        signers = vault.signers(env)
    except UserError:
        return False  # without a key no code was ever sent
    now = time.time()
    return any(signer.is_code_mark(mark, now) for signer in signers for mark in marks)


# What the database knows


def own_emails(account):
    """Whose mail in this mailbox is its owner's own: its addresses, archived and moved
    ones too, and the owner's e-mail, in lower case."""
    emails = [
        *account._all_addresses().mapped("email"),
        account.user_id.email_normalized,
    ]
    return tuple(dict.fromkeys(email.lower() for email in emails if email))


def sent_messages(env, names, ids, account=None):
    """Messages of records by Message-ID, and whom they went to: one query.

    Who wrote them may answer, too, but for strangers and programs. Known are the
    ids of messages, and those that mails left with.

    :param names: normalised Message-IDs
    :param ids: ids of messages that our own marks name
    :param account: whose mail is also known by the ids that its mail service gave: a
        server says of its own mail what it likes, of others' it has no word
    :return: (dict Message-ID -> id, dict id -> tuple of addresses)
    """
    if not (names or ids):
        return {}, {}
    env.flush_all()
    rows = env.execute_query(
        SQL(
            """
            WITH named AS (
                SELECT message_id AS name, id FROM mail_message
                 WHERE message_id = ANY(%(names)s)
                 UNION
                SELECT message_id_header, mail_message_id
                  FROM mail_external_delivery
                 WHERE message_id_header = ANY(%(names)s)
                 UNION
                SELECT NULL, id FROM mail_message WHERE id = ANY(%(ids)s)
                %(given)s
            )
            SELECT named.name, m.id,
                   ARRAY(SELECT d.recipient FROM mail_external_delivery d
                          WHERE d.mail_message_id = m.id)
                || ARRAY(SELECT p.email_normalized FROM mail_notification n
                           JOIN res_partner p ON p.id = n.res_partner_id
                          WHERE n.mail_message_id = m.id)
                || ARRAY(SELECT n.mail_email_address FROM mail_notification n
                          WHERE n.mail_message_id = m.id
                            AND n.mail_email_address IS NOT NULL)
                || ARRAY(SELECT p.email_normalized FROM res_partner p
                          WHERE p.id = m.author_id
                            AND m.external_mark IS NULL)
              FROM named JOIN mail_message m ON m.id = named.id
             WHERE m.model IS NOT NULL AND m.res_id > 0
            """,
            names=list(names),
            ids=list(ids),
            given=_given_ids(account, names) if account else SQL(),
        )
    )
    messages = {name: id_ for name, id_, _to in rows if name}
    addressees = {id_: tuple(filter(None, to)) for _name, id_, to in rows}
    return messages, addressees


def _given_ids(account, names):
    """Messages of an account by the ids that its mail service gave, where nobody else's
    is called so."""
    return SQL(
        """
        UNION
        SELECT d.given_message_id, d.mail_message_id
          FROM mail_external_delivery d
         WHERE d.given_message_id = ANY(%(names)s)
           AND (d.account_id = %(account)s OR d.address_id = ANY(%(addresses)s))
           AND NOT EXISTS (SELECT FROM mail_message o
                            WHERE o.message_id = d.given_message_id)
           AND NOT EXISTS (SELECT FROM mail_external_delivery o
                            WHERE o.message_id_header = d.given_message_id)
        """,
        names=list(names),
        account=account.id,
        addresses=account._all_addresses().ids,
    )


def _correspondents(account, emails):
    """Those of ``emails`` that an address of this account wrote to, with the subjects.

    By address, whatever account it belonged to then: answers come for years.

    :return: dict address -> set of ``base_subject``
    """
    if not emails:
        return {}
    rows = account.env.execute_query(
        SQL(
            """
            SELECT d.recipient, array_agg(DISTINCT d.subject)
              FROM mail_external_delivery d
             WHERE (d.account_id = %s OR d.address_id = ANY(%s))
               AND d.recipient = ANY(%s)
               AND d.date > now() AT TIME ZONE 'UTC' - %s * interval '1 day'
             GROUP BY d.recipient
            """,
            account.id,
            account._all_addresses().ids,
            list(emails),
            CORRESPONDENCE_DAYS,
        )
    )
    return {
        recipient: {base_subject(subject) for subject in subjects if subject}
        for recipient, subjects in rows
    }


def by_subject(account, headers):
    """The newest message to the author of a mail with this subject, where all of them
    are of one conversation and the mail says that it answers something.

    For a mail service that gives mails ids of its own and tells nobody: then neither
    the id nor, without References, a mark leads from the answer to its mail.

    :param headers: mailkit.message.headers.Headers
    :return: id of a mail.message, or None
    """
    subject = base_subject(headers.subject)
    if not (subject and headers.ancestors and headers.author.email):
        return None
    rows = account.env.execute_query(
        SQL(
            """
            SELECT d.subject, m.id, m.model, m.res_id
              FROM mail_external_delivery d
              JOIN mail_message m ON m.id = d.mail_message_id
             WHERE (d.account_id = %s OR d.address_id = ANY(%s))
               AND d.recipient = %s AND d.state <> 'failed'
               AND m.model IS NOT NULL AND m.res_id > 0
               AND d.date > now() AT TIME ZONE 'UTC' - %s * interval '1 day'
             ORDER BY m.id DESC
             LIMIT %s
            """,
            account.id,
            account._all_addresses().ids,
            headers.author.email,
            CORRESPONDENCE_DAYS,
            _MOST_SUBJECTS,
        )
    )
    found = [row for row in rows if base_subject(row[0] or "") == subject]
    is_one = len({(model, res_id) for _s, _id, model, res_id in found}) == 1
    return found[0][1] if is_one and len(rows) < _MOST_SUBJECTS else None


def addressed(account, headers, message=None):
    """The address of an account that a mail was written to.

    One that To or Cc names, else the delivery fields that servers add; else the one
    that the answered mail left from; else the account's own.

    :param headers: mailkit.message.headers.Headers
    :param message: the mail.message that it answers, if any
    :return: mail.external.address, in superuser mode
    """
    found = AddressBook(account).named(headers)
    if found:
        return found[:1]
    if message and message.external_address_id in account._all_addresses():
        return message.external_address_id.sudo()
    return account.sudo()._own_address()


class AddressBook:
    """The addresses of an account, by how mails may name them.

    For the messages that are judged in one transaction: it is made once for all of
    them, and knows nothing of what changes later.
    """

    def __init__(self, account):
        # Of two with the same e-mail the one that is used goes before an archived one,
        # and the account's own before one that moved away.
        self.addresses = account._all_addresses().sorted(
            lambda address: (
                not address.active,
                address.account_id != account,
                address.id,
            )
        )
        self.own = account.sudo()._own_address()
        self._exact, self._loose = {}, {}
        for address in self.addresses:
            key = _key(address.email)
            self._exact.setdefault(key, address.id)
            if "+" not in key:  # which is a subaddress itself gets nobody else's mail
                self._loose.setdefault(without_subaddress(key), address.id)
        self._locals = {_local(key) for key in self._exact}

    def named(self, headers):
        """Those that a mail names as recipients, in the order of To, Cc, delivery."""
        emails = [each.email for each in (*headers.to, *headers.cc)]
        keys = _keys_like([*emails, *headers.delivered_to], self._locals)
        found = [
            self._exact.get(key) or self._loose.get(without_subaddress(key))
            for key in keys
        ]
        return self.addresses.browse(dict.fromkeys(filter(None, found)))


def _keys_like(emails, locals_):
    """Keys of those that may be one of ours. Domains are made ASCII for these only, and
    for some of them only: a mail may name a thousand, and each costs time."""
    costly = 0
    for email in filter(None, emails):
        if _local(email) not in locals_:
            continue
        costly += not email.isascii()
        if costly <= _MOST_COSTLY or email.isascii():
            yield _key(email)


def _local(email):
    """What stands before the domain and before a subaddress, in any case."""
    return email.rpartition("@")[0].partition("+")[0].strip().lower()


@lru_cache(maxsize=1024)  # the account's own ones are asked for with each message
def _key(email):
    return Address(email).key or email.lower()


def _first(found):
    """The first mapping that is not empty: of the key that signed."""
    return next((marks for marks in found if marks), {})


# Who belongs to a record's conversation


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
