from ..mailkit.headers import parse_headers
from .common import ExternalAccountCase


class TestIntake(ExternalAccountCase):
    """What becomes of one message out of a mailbox."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.own = cls.account(
            "anna@own.example",
            cls.anna,
            receive_replies=True,
            incoming_protocol="imap",
        )
        cls.question = cls.post(cls, cls.anna)
        cls.ledger = cls.env["mail.external.delivery"].create(
            {
                "message_id_header": cls.question.message_id,
                "recipient": "clara@customer.example",
                "subject": "Market analysis",
                "account_id": cls.own.id,
                "mail_message_id": cls.question.id,
                "state": "sent",
                "date": "2026-01-01 00:00:00",
            }
        )

    def mail(
        self, sender="Clara <clara@customer.example>", body="An answer", **headers
    ):
        fields = {
            "From": sender,
            "To": "anna@own.example",
            "Subject": "Re: Market analysis",
            "Message-ID": "<answer@customer.example>",
            "In-Reply-To": self.question.message_id,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        lines = [f"{name}: {value}" for name, value in fields.items() if value]
        return "\r\n".join([*lines, "", body, ""]).encode()

    def take_in(self, raw, account=None, **kw):
        """As the fetching does it: headers first, the whole message if wanted.

        :return: the messages that came of it
        """
        account = account or self.own
        known = self.task.message_ids
        headers = parse_headers(raw)
        [decision], facts = account._decide_batch([headers])
        if account._wants_whole(decision, headers):
            account._take_in(raw, decision, facts, **kw)
        self.task.invalidate_recordset(["message_ids"])
        return self.task.message_ids - known

    def test_an_answer_is_posted_and_told_to_the_team(self):
        message = self.take_in(self.mail())
        self.assertEqual(message.author_id, self.customer)
        self.assertIn("An answer", message.body)
        self.assertEqual(
            message.notified_partner_ids, self.bohdan.partner_id | self.anna.partner_id
        )
        self.assertFalse(message.external_mark)
        # A second copy of it changes nothing.
        self.assertFalse(self.take_in(self.mail()))
