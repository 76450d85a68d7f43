"""A mailbox as a run has claimed it, for what is done in it."""

from odoo import fields

from ..tools.incoming.requests import Advanced, FolderJob, Scanned
from ..tools.incoming.work import MailboxWork
from .common import IntakeCase

LOGGER = "odoo.addons.mail_external_account"


class ReadingCase(IntakeCase):
    """Anna's mailbox as a run has claimed it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.account = cls.own.account_id
        cls.mailbox = cls.account.mailbox_ids
        cls.mailbox.write({"next_look": fields.Datetime.now(), "run": 7})
        cls.folder_row = cls.account.folder_ids
        cls.folder = FolderJob(cls.folder_row.id, "INBOX", False, None)
        cls.env.flush_all()

    def work(self, **row):
        """The work of one visit; ``row``: what the claim read besides."""
        self.env.flush_all()
        self.env.invalidate_all()
        folder = {"id": self.folder.id, "failure_code": None}
        folder["transfer"] = self.folder_row.transfer or None
        return MailboxWork(
            self.account,
            {
                "incoming_protocol": "imap",
                "reading_since": None,
                "next_look": self.mailbox.next_look,
                "folders": [folder],
                **dict.fromkeys(("attempts", "cuts", "crashes", "quiet_looks")),
                **dict.fromkeys(("answer_count", "unrelated_count", "secret_id")),
                "judging": self.mailbox.judging or None,
                **row,
            },
        )

    def seen(self, *raws, first=1):
        names = tuple(str(first + number) for number in range(len(raws)))
        heads = tuple(raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" for raw in raws)
        state = {"path": "INBOX", "next_uid": first + len(raws)}
        done = Advanced(self.folder, state)
        return Scanned(self.folder, names, heads, frozenset(), done, 5)

    def quarantine(self):
        arrivals = self.env["mail.external.arrival"].search(
            [("state", "=", "quarantine")], order="id"
        )
        return arrivals.mapped(lambda arrival: (arrival.reason, arrival.place))

    def other(self, number):
        """Mail that is none of Odoo's."""
        return self.mail(
            "x@y.example", In_Reply_To="", Message_ID=f"<{number}@y.example>"
        )
