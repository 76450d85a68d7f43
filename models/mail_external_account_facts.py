from odoo import models
from odoo.tools import SQL

from ..mailkit.matching import (
    Decision,
    Facts,
    Outcome,
    Reason,
    base_subject,
    candidate_ids,
    decide,
)
from ..tools import code_mail, vault
from ..tools.judging import timed

# So long after a mail its recipients' answers are looked for by their text, too.
CORRESPONDENCE_DAYS = 180
# Left alone, whoever's mailbox it lies in: it is nobody's but the address's.
CODE_MAIL = Decision(Outcome.NONE, Reason.CODE_MAIL)


class MailExternalAccount(models.Model):
    """What the database knows about the messages of a mailbox."""

    _inherit = "mail.external.account"

    def _decide_batch(self, batch, spent=None):
        """Whether each of these messages answers something that Odoo sent.

        :param batch: list of ``mailkit.headers.Headers``
        :param list spent: the processor's seconds for each of them are added to it
        :return: (list of ``mailkit.matching.Decision`` in the same order, its Facts)
        """
        self.ensure_one()
        signers = vault.signers(self.env)
        spent = [0.0] * len(batch) if spent is None else spent

        def marks(headers):
            return _first(signer.in_headers(headers) for signer in signers)

        tokens = timed(marks, spent, batch)
        ids = {name for names in timed(candidate_ids, spent, batch) for name in names}
        marked = {t.message_id for found in tokens for t in found.values()}
        messages, addressees = self._sent_messages(ids, marked)
        facts = Facts(messages, addressees, {}, self._own_addresses())
        decisions = timed(
            lambda headers, found: decide(headers, facts, found), spent, batch, tokens
        )
        open_ones = {
            headers.author.email
            for headers, decision in zip(batch, decisions, strict=True)
            if decision.outcome is Outcome.NONE and headers.author.email
        }
        correspondents = self._correspondents(open_ones)
        if correspondents:
            facts = Facts(messages, addressees, correspondents, facts.own)
            decisions = [
                decide(headers, facts, found)
                if decision.outcome is Outcome.NONE
                and headers.author.email in correspondents
                else decision
                for headers, found, decision in zip(
                    batch, tokens, decisions, strict=True
                )
            ]
        decisions = [
            CODE_MAIL if code_mail.names_code_mail(self.env, headers) else decision
            for headers, decision in zip(batch, decisions, strict=True)
        ]
        return decisions, facts

    def _own_addresses(self):
        addresses = [self.email, self.user_id.email_normalized]
        return tuple(address.lower() for address in addresses if address)

    def _sent_messages(self, names, ids):
        """Messages of records by Message-ID, and whom they went to: one query.

        Who wrote them may answer, too, but for strangers and programs. Known are the
        ids of messages, and those that mails left with.

        :param names: normalised Message-IDs
        :param ids: ids of messages that our own marks name
        :return: (dict Message-ID -> id, dict id -> tuple of addresses)
        """
        if not (names or ids):
            return {}, {}
        self.env.flush_all()
        rows = self.env.execute_query(
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
            )
        )
        messages = {name: id_ for name, id_, _to in rows if name}
        addressees = {id_: tuple(filter(None, to)) for _name, id_, to in rows}
        return messages, addressees

    def _correspondents(self, addresses):
        """Those of ``addresses`` that this account wrote to, with the subjects.

        :return: dict address -> set of ``base_subject``
        """
        if not addresses:
            return {}
        rows = self.env.execute_query(
            SQL(
                """
                SELECT d.recipient, array_agg(DISTINCT d.subject)
                  FROM mail_external_delivery d
                 WHERE d.account_id = %s AND d.recipient = ANY(%s)
                   AND d.date > now() AT TIME ZONE 'UTC' - %s * interval '1 day'
                 GROUP BY d.recipient
                """,
                self.id,
                list(addresses),
                CORRESPONDENCE_DAYS,
            )
        )
        return {
            recipient: {base_subject(subject) for subject in subjects if subject}
            for recipient, subjects in rows
        }


def _first(found):
    """The first mapping that is not empty: of the key that signed."""
    return next((marks for marks in found if marks), {})
