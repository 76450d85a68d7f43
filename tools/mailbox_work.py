"""The database's part of reading one mailbox: what to fetch, what becomes of it.

A message and how far its folder is with it are kept in one transaction, or not at all.
"""

import base64
from dataclasses import dataclass, field, replace
from datetime import timedelta, timezone

from odoo import fields

from ..mailkit.errors import ErrorCode
from ..mailkit.headers import Headers, parse_headers
from ..mailkit.matching import Outcome
from . import mailbox_visit as visit
from .account_session import SIGN_IN_CODES

# Minutes until the next look: soon after something came or was sent, later when quiet.
SOON, LATE = 1, 10
_RETRY_MINUTES = (1, 2, 5, 10, 20, 30)
# Sent mail waits so long before its copy is made: the service may make one itself.
COPY_MINUTES = 1
_COPY_ATTEMPTS = 5


@dataclass(frozen=True)
class Progress:
    """What was done in a mailbox; put back when a transaction fails.

    ``states``: id of a folder -> its state, as it was kept last.
    """

    answers: int = 0
    unrelated: int = 0
    states: dict[int, dict] = field(default_factory=dict)


class MailboxWork:
    """One mailbox during a run.

    :param account: mail.external.account in superuser mode
    :param row: the columns that the claim read, see ``_claim_due``
    """

    def __init__(self, account, row):
        self.account = account
        self.env = account.env
        self.row = row
        self.batch, self.cut = (), frozenset()
        self.progress = Progress()

    def answer(self, request):
        """Do what a visit asks for; the caller commits.

        :param request: one of the classes of ``mailbox_visit``
        """
        handler = {
            visit.Seen: self._choose,
            visit.Unreadable: self._note_unreadable,
            visit.Whole: self._take_in,
            visit.Advanced: self._advance,
            visit.Listed: self._compare,
            visit.FolderFailed: self._note_failed_folder,
            visit.NextCopy: self._next_copy,
        }[type(request)]
        return handler(request)

    def _choose(self, seen):
        headers = [parse_headers(raw) for raw in seen.headers]
        decisions, facts = self.account._decide_batch(headers)
        self.batch = [(*pair, facts) for pair in zip(decisions, headers, strict=True)]
        # Most of a mailbox is left alone: that is decided with the least of questions.
        makes_tasks = self.account._makes_tasks()
        wanted = tuple(
            position
            for position, (decision, header, _facts) in enumerate(self.batch)
            if position in seen.cut
            or (decision.outcome is not Outcome.NONE or makes_tasks)
            and self.account._wants_whole(decision, header)
            and not self._is_old(header)
        )
        self.cut = seen.cut
        self._count(unrelated=len(headers) - len(wanted))
        return wanted

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
                [decision], facts = self.account._decide_batch([header])
            arrival = self.account._take_in(
                whole.raw, decision, facts, place=place, is_sent=whole.folder.is_sent
            )
            if arrival is None:
                self._count(unrelated=1)
            else:
                self._count(answers=1)
        if whole.state:
            self._keep(whole.folder, whole.state)
        elif self.row["incoming_protocol"] == "pop3":
            self._note_seen(whole.folder, (whole.name,))

    def _keep_header(self, whole, header, place):
        """What cannot be fetched is told in the quarantine, unless it is gone."""
        if whole.problem == ErrorCode.MESSAGE_GONE.value:
            return
        oversized = whole.problem == ErrorCode.MESSAGE_OVERSIZED.value
        reason = whole.problem if oversized else "unreadable"
        self.account._keep_place(header, "answer", place, reason)

    def _note_unreadable(self, told):
        """Nobody knows what these are: the owner is told where they lie."""
        for name in told.names:
            key = f"unreadable:{told.folder.id}:{told.uid_validity}:{name}"
            place = f"{told.folder.path} {name}"
            self.account._keep_place(Headers(), False, place, "unreadable", key)

    def _advance(self, advanced):
        values = {"failure_code": False} if self._failed(advanced.folder) else {}
        if advanced.listed:
            values["last_listing"] = fields.Datetime.now()
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

    def _next_copy(self, asked):
        copies = self.env["mail.external.sent.copy"]
        if asked.done:
            done = copies.browse(asked.done)
            if not asked.problem or done.attempts + 1 >= _COPY_ATTEMPTS:
                done.unlink()
            else:
                done.attempts += 1
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

    # The end of the visit

    def finish(self, error):
        """Say when to look again: one write.

        :param error: MailError, or None when all went well
        """
        if error is None:
            self._finish_well()
        elif error.code in SIGN_IN_CODES:
            self.account._stop_reading(error.code.value, str(error.reply or ""))
        else:
            attempts = (self.row["attempts"] or 0) + 1
            minutes = _RETRY_MINUTES[min(attempts, len(_RETRY_MINUTES)) - 1]
            self._write(
                minutes,
                attempts=attempts,
                failure_code=error.code.value,
                failure_reply=str(error.reply or "") or None,
            )

    def put_back(self):
        """The run ends in the middle of this mailbox: the next one goes on."""
        self._write(0)

    def _finish_well(self):
        came = bool(self.progress.answers)
        quiet = 0 if came else (self.row["quiet_looks"] or 0) + 1
        values = {}
        if self.row["attempts"]:
            values = {"attempts": 0, "failure_code": None, "failure_reply": None}
        for name, count in (
            ("answer_count", self.progress.answers),
            ("unrelated_count", self.progress.unrelated),
        ):
            if count:
                values[name] = (self.row[name] or 0) + count
        self._write(
            min(SOON + quiet // 5, LATE),
            looked=True,
            quiet_looks=quiet,
            **values,
        )

    def _write(self, minutes, *, looked=False, **values):
        """Plain SQL: nobody reads these fields by the ORM here, and it is all that a
        look at a quiet mailbox writes. Who asked to fetch meanwhile is heard."""
        values["run"] = 0
        names = [*values]
        assignments = ", ".join(f"{name} = %s" for name in names)
        if looked:
            assignments += ", last_look = clock_timestamp() AT TIME ZONE 'UTC'"
        self.env.cr.execute(
            f"UPDATE mail_external_mailbox SET {assignments},"  # noqa: S608
            " next_look = CASE WHEN next_look IS DISTINCT FROM %s THEN next_look"
            " ELSE now() AT TIME ZONE 'UTC' + %s * interval '1 minute' END"
            " WHERE account_id = %s AND next_look IS NOT NULL",
            [*values.values(), self.row["next_look"], minutes, self.account.id],
        )
