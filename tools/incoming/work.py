"""The database's part of reading one mailbox: what to fetch, what becomes of it.

A message and how far its folder is with it are kept in one transaction, or not at all.
"""

import base64
import time
from dataclasses import replace
from datetime import timedelta, timezone

from odoo import fields

from ...mailkit.answers.matching import Match
from ...mailkit.errors import ErrorCode
from ...mailkit.message.headers import parse_headers
from . import requests as visit
from .facts import AddressBook, decide_batch
from .intake import Intake, keep_place, pass_by
from .judging import (
    HEAVY_SECONDS,
    SLICE_SECONDS,
    TooMuch,
    parsed,
)
from .judging_marks import Marks
from .transfers import Transfers
from .visit_end import VisitEnd

# Sent mail waits so long before its copy is made: the service may make one itself.
COPY_MINUTES = 1
_COPY_ATTEMPTS = 5
# Headers that are judged together: they share what is asked of the database.
_FIRST_SLICE, _MOST_SLICE = 50, 400


class MailboxWork(VisitEnd):
    """One mailbox during a run.

    :param account: mail.external.account in superuser mode
    :param row: the columns that the claim read, see ``mailbox_claims``
    """

    def __init__(self, account, row):
        super().__init__(account, row)
        self.intake = Intake(account)
        self.batch, self.cut = (), frozenset()
        self.transfers = Transfers(self.env, row)
        self.marks = Marks(account, row)

    def answer(self, request):
        """Do what a visit asks for; the caller commits.

        :param request: one of the classes of ``visit_requests``
        """
        if self.marks.is_suspect(request):
            answer = self.pass_by(request, "too_heavy")
        else:
            answer = self._handler(request)(request)
        self.marks.clear()
        return answer

    def _handler(self, request):
        return {
            visit.Seen: self._choose,
            visit.Unreadable: self._note_unreadable,
            visit.Whole: self._take_in,
            visit.Advanced: self._advance,
            visit.Listed: self._compare,
            visit.FolderFailed: self._note_failed_folder,
            visit.Begun: self.transfers.content,
            visit.Part: self.transfers.keep,
            visit.Held: self._hold,
            visit.NextCopy: self._next_copy,
            visit.CopyFailed: self._note_failed_copy,
        }[type(request)]

    def _choose(self, seen):
        self.batch, spent = self._judge(seen.headers)
        if seen.folder.is_sent:
            for decision, header, _facts in self.batch:
                self.intake.note_sender(decision, header)
        heavy = [n for n, seconds in enumerate(spent) if seconds > HEAVY_SECONDS]
        for position in heavy:
            name = seen.names[position]
            keep_place(self.account, seen.folder, name, "too_heavy", seen.uid_validity)
        # Most of a mailbox is left alone: that is decided with the least of questions.
        book = self.intake.makes_tasks() and AddressBook(self.account)
        wanted = tuple(
            position
            for position, (decision, header, _facts) in enumerate(self.batch)
            if position not in heavy
            and (position in seen.cut or self._wants(decision, header, book))
        )
        self.cut = seen.cut
        judged = len(self.batch)
        self._count(unrelated=judged - len(wanted) - len(heavy))
        if not wanted and judged == len(seen.headers):
            self._advance(seen.done)
        return visit.Choice(wanted, judged)

    def _wants(self, decision, header, book):
        """:param book: an AddressBook, or False: no address makes tasks of new mail"""
        return (
            (decision.match is not Match.NONE or book)
            and self.intake.wants_whole(decision, header, book)
            and not self._is_old(header)
        )

    def _judge(self, raws):
        """As many headers as there is time for, from the first one on.

        :return: (list of (decision, header, facts), the processor's seconds of each)
        """
        batch, seconds, size = [], [], _FIRST_SLICE
        end = time.monotonic() + SLICE_SECONDS
        while len(batch) < len(raws) and (not batch or time.monotonic() < end):
            headers, spent = parsed(raws[len(batch) : len(batch) + size])
            try:
                decisions, facts = decide_batch(self.account, headers, spent)
            except TooMuch:
                size = 1
                continue
            batch += [(*pair, facts) for pair in zip(decisions, headers, strict=True)]
            seconds += spent
            size = min(2 * size, _MOST_SLICE)
        return batch, seconds

    def pass_by(self, asked, reason):
        """Answer without looking at it: it is shown by its place."""
        pass_by(self.account, asked, reason)
        if isinstance(asked, visit.Seen):
            self._advance(asked.done)
            return visit.Choice((), 1)
        self._done_with(asked)
        return None

    def _is_old(self, header):
        """POP3 does not tell when a message came: what was written long before the
        mailbox was connected is none of ours, though its UIDL is new."""
        since = self.row["reading_since"]
        if self.row["incoming_protocol"] != "pop3" or not (header.date and since):
            return False
        since = since.replace(tzinfo=timezone.utc) - timedelta(days=1)
        return header.date < since

    def _take_in(self, whole):
        decision, header, facts = self.batch[whole.position]
        place = f"{whole.folder.path} {whole.name}"
        if whole.raw is None:
            self._keep_header(whole, header, place)
        else:
            if whole.position in self.cut:  # now its whole header is there
                header = parse_headers(whole.raw.head)
                [decision], facts = decide_batch(self.account, [header])
            arrival = self.intake.take_in(
                whole.raw, decision, facts, place=place, is_sent=whole.folder.is_sent
            )
            if arrival is None:
                self._count(unrelated=1)
            else:
                self._count(answers=1)
        self._done_with(whole)

    def _done_with(self, whole):
        self.transfers.forget(whole.folder)
        if whole.state:
            self._keep(whole.folder, whole.state)
        elif self.row["incoming_protocol"] == "pop3":
            self._note_seen(whole.folder, (whole.name,))

    def _hold(self, held):
        self.transfers.count(held)
        if held.octets:
            self.progress = replace(self.progress, octets=held.octets)

    def _keep_header(self, whole, header, place):
        """What cannot be fetched is told in the quarantine, unless it is gone."""
        if whole.problem == ErrorCode.MESSAGE_GONE.value:
            return
        told = (ErrorCode.MESSAGE_OVERSIZED.value, "too_slow")
        reason = whole.problem if whole.problem in told else "unreadable"
        self.intake.keep_place(header, "answer", place, reason)

    def _note_unreadable(self, told):
        """Nobody knows what these are: the owner is told where they lie."""
        for name in told.names:
            keep_place(self.account, told.folder, name, told.reason, told.uid_validity)

    def _advance(self, advanced):
        values = {"failure_code": False} if self._failed(advanced.folder) else {}
        if advanced.listed:
            values["last_listing"] = fields.Datetime.now()
        self.transfers.outdated(advanced.folder)
        self._keep(advanced.folder, advanced.state, **values)
        self._note_seen(advanced.folder, advanced.names)

    def _compare(self, listed):
        folder = self._folder(listed.folder)
        first = folder.state is False or folder.state is None
        if first and not self.account.look_back_days:
            self._note_seen(listed.folder, listed.names)
            return frozenset()
        self.env.cr.execute(
            "SELECT uidl FROM mail_external_seen WHERE folder_id = %s", (folder.id,)
        )
        known = {uidl for (uidl,) in self.env.cr.fetchall()}
        # An empty listing may be a server's bad day: nothing is forgotten for it.
        gone = known.difference(listed.names) if listed.names else ()
        if gone:
            self.env.cr.execute(
                "DELETE FROM mail_external_seen"
                " WHERE folder_id = %s AND uidl = ANY(%s)",
                (folder.id, list(gone)),
            )
        return frozenset(listed.names).difference(known)

    def _note_seen(self, folder, names):
        if names:
            self.env.cr.execute(
                "INSERT INTO mail_external_seen (folder_id, uidl)"
                " SELECT %s, unnest(%s) ON CONFLICT DO NOTHING",
                (folder.id, list(names)),
            )

    def _note_failed_folder(self, failed):
        self._folder(failed.folder).failure_code = failed.error.code.value

    def _note_failed_copy(self, failed):
        copy = self.env["mail.external.sent.copy"].browse(failed.copy_id)
        if copy.attempts + 1 >= _COPY_ATTEMPTS:
            copy.unlink()
        else:
            copy.attempts += 1

    def _next_copy(self, asked):
        copies = self.env["mail.external.sent.copy"]
        if asked.problem:
            self._note_failed_copy(visit.CopyFailed(asked.done))
        elif asked.done:
            copies.browse(asked.done).unlink()
        limit = fields.Datetime.now() - timedelta(minutes=COPY_MINUTES)
        copy = copies.search(
            [
                ("account_id", "=", self.account.id),
                ("id", ">", asked.done),
                ("sent", "<=", limit),
            ],
            limit=1,
        )
        if not copy:
            return None
        moment = copy.sent.replace(tzinfo=timezone.utc)
        return copy.id, copy.message_id_header, moment, base64.b64decode(copy.content)

    def _keep(self, folder, state, **values):
        states = self.progress.states
        if state and state != states.get(folder.id):
            values["state"] = state
            self.progress = replace(self.progress, states={**states, folder.id: state})
        if values:
            self._folder(folder).write(values)

    def _count(self, answers=0, unrelated=0):
        self.progress = replace(
            self.progress,
            answers=self.progress.answers + answers,
            unrelated=self.progress.unrelated + unrelated,
        )

    def _folder(self, folder):
        return self.env["mail.external.folder"].browse(folder.id)

    def _failed(self, folder):
        return any(
            each["id"] == folder.id and each["failure_code"]
            for each in self.row["folders"]
        )
