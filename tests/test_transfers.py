"""Messages of slow servers, over several visits."""

from odoo import fields
from odoo.exceptions import AccessError
from odoo.modules.neutralize import get_neutralization_queries

from ..mailkit.errors import ErrorCode, MailError
from ..models import mail_external_part
from ..tools.incoming.requests import (
    Begun,
    Cut,
    Fetched,
    FolderJob,
    Held,
    Part,
    Unreadable,
)
from ..tools.incoming.visit import HEADER, counted, given_up
from .reading_case import ReadingCase


class TestTransfer(ReadingCase):
    """A message that takes several visits."""

    def hold(self, work, message="5 1 900", octets=0, code="timeout"):
        transfer = counted(self.folder_row.transfer, message, octets, code)
        work.answer(Held(self.folder, transfer, octets))

    def content(self, message="5 1 900"):
        found, work = b"", self.work()
        while more := work.answer(Begun(self.folder, message, len(found))):
            found += more
        return found

    def rows(self):
        return self.env["mail.external.part"].search_count([])

    def test_what_came_is_kept_until_it_is_whole(self):
        work = self.work()
        work.answer(Part(self.folder, "5 1 900", 0, b"ab\x00\xff"))
        work.answer(Part(self.folder, "5 1 900", 4, b"cd"))
        self.hold(work, octets=6)
        work.cut_off(Cut(MailError(ErrorCode.TIMEOUT)))
        self.env.invalidate_all()
        # It got on: no failure, but others go first.
        self.assertRecordValues(self.mailbox, [{"cuts": 1, "run": 0}])
        self.assertFalse(self.mailbox.failure_code or self.mailbox.attempts)
        self.assertEqual(self.content(), b"ab\x00\xffcd")
        self.assertEqual(self.content("5 1 901"), b"", "another size, another message")
        work = self.work()
        gone = ErrorCode.MESSAGE_GONE.value
        work.answer(self.seen(self.mail()))
        work.answer(Fetched(self.folder, 0, "1", None, gone))
        self.assertFalse(self.rows())
        self.env.invalidate_all()
        self.assertFalse(self.folder_row.transfer)

    def test_of_another_message_nothing_is_kept(self):
        work = self.work()
        work.answer(Part(self.folder, "5 1 900", 0, b"first"))
        work.answer(Part(self.folder, "5 2 800", 0, b"second"))
        self.assertEqual(self.content("5 2 800"), b"second")
        self.assertEqual(self.rows(), 1)

    def test_little_is_kept_of_a_mailbox_with_many_folders(self):
        rows = self.env["mail.external.folder"].create(
            [{"account_id": self.account.id, "path": f"F{n}"} for n in range(20)]
        )
        other = self.address("anna@other.example", self.anna)
        elsewhere = self.env["mail.external.folder"].create(
            {"account_id": other.account_id.id, "path": "INBOX"}
        )
        self.env.flush_all()
        work = self.work()
        work.answer(Part(FolderJob(elsewhere.id, "INBOX", False, None), "m", 0, b"x"))
        for hours, row in enumerate(rows):
            folder = FolderJob(row.id, row.path, False, None)
            work.answer(Part(folder, "5 1 900", 0, b"first"))
            work.answer(Part(folder, "5 1 900", 5, b"second"))
            self.env.cr.execute(
                "UPDATE mail_external_part SET date = date - %s * interval '1 hour'"
                " WHERE folder_id = %s",
                (100 - hours, row.id),
            )
        self.env.invalidate_all()
        kept = self.env["mail.external.part"].search([]).folder_id
        self.assertEqual(kept, elsewhere + rows[-3:])
        work.answer(Part(self.folder, "5 1 900", 0, b"newest"))
        self.assertEqual(self.content(), b"newest")

    def test_a_visit_that_brought_nothing_is_a_failure(self):
        work = self.work()
        self.hold(work)
        work.cut_off(Cut(MailError(ErrorCode.TIMEOUT)))
        self.env.invalidate_all()
        values = {"attempts": 1, "failure_code": "timeout", "run": 0}
        self.assertRecordValues(self.mailbox, [values])
        # The run had less time than a mailbox may take: that is nobody's fault.
        work = self.work(attempts=1)
        work.cut_off(Cut(MailError(ErrorCode.TIMEOUT), early=True))
        self.env.invalidate_all()
        self.assertEqual(self.mailbox.attempts, 1)

    def test_when_a_message_is_given_up(self):
        def after(*visits, message="5 1 900"):
            transfer = None
            for octets, code in visits:
                transfer = counted(transfer, message, octets, code)
            return given_up(transfer)

        slow, lost = (0, "timeout"), (0, "connection_lost")
        good = (100_000, "timeout")
        self.assertEqual(after(slow, slow), "")
        self.assertEqual(after(slow, good, slow, slow), "too_slow")
        self.assertEqual(after((15_000, "timeout"), *[slow] * 2), "too_slow")
        self.assertEqual(after(*[good] * 100), "", "a large one gets on")
        self.assertEqual(after(*[good] * 200), "too_slow", "but not for ever")
        # A server that is down for a while is no reason.
        self.assertEqual(after(*[lost] * 5), "")
        self.assertEqual(after(*[lost] * 6), "unreadable")
        header = f"5 1{HEADER}"
        self.assertEqual(after(*[slow] * 5, message=header), "")
        self.assertEqual(after(*[slow] * 6, message=header), "too_slow")
        before = {"message": "5 1 900", "visits": 3, "slow": 3, "broken": 0}
        self.assertEqual(given_up(counted(before, "5 2 900", 0, "timeout")), "")

    def test_what_is_too_slow_is_shown_by_its_place(self):
        work = self.work()
        work.answer(Unreadable(self.folder, ("9",), 5, "too_slow"))
        work.answer(self.seen(self.mail()))
        state = {"path": "INBOX", "next_uid": 2}
        work.answer(Fetched(self.folder, 0, "1", None, "too_slow", state))
        places = [("too_slow", "INBOX 9"), ("too_slow", "INBOX 1")]
        self.assertEqual(self.quarantine(), places)
        self.assertEqual(self.folder_row.state, state)

    def test_nobody_reads_what_is_kept(self):
        self.work().answer(Part(self.folder, "5 1 900", 0, b"secret"))
        parts = self.env["mail.external.part"]
        for user in (self.anna, self.manager, self.env.ref("base.user_admin")):
            with self.assertRaises(AccessError):
                parts.with_user(user).search_read([], ["content"])
        fetched = self.folder_row.with_user(self.anna)
        with self.assertRaises(AccessError):
            fetched.read(["transfer"])
        self.assertFalse(
            self.env["ir.attachment"].search([("res_model", "=", parts._name)])
        )

    def test_a_neutralized_copy_holds_nothing_of_it(self):
        self.work().answer(Part(self.folder, "5 1 900", 0, b"secret"))
        for query in get_neutralization_queries(["mail_external_account"]):
            self.env.cr.execute(query)
        self.env.invalidate_all()
        self.assertFalse(self.rows())

    def test_it_goes_with_the_folder_the_reading_and_its_time(self):
        def keep():
            self.work().answer(Part(self.folder, "5 1 900", 0, b"secret"))
            self.env.invalidate_all()
            self.assertEqual(self.rows(), 1)

        keep()
        past = fields.Datetime.subtract(
            fields.Datetime.now(), days=mail_external_part.KEEP_PARTS_DAYS + 1
        )
        self.env["mail.external.part"].search([]).date = past
        self.env["mail.external.part"]._gc_old_parts()
        self.assertFalse(self.rows())
        keep()
        self.mailbox._end(self.account)
        self.assertFalse(self.rows())
        self.mailbox = self.mailbox.create({"account_id": self.account.id})
        keep()
        work = self.work()
        self.folder_row.unlink()
        self.assertFalse(self.rows())
        # The visit under way does not mind.
        work.answer(Part(self.folder, "5 1 900", 0, b"secret"))
        self.assertFalse(self.rows())
