"""The database's part of reading one mailbox, in the thread of the run.

What a visit needs to begin with, what to fetch, what becomes of it, and when the next
visit comes. A message and how far its folder is with it are kept in one transaction, or
not at all.
"""

import base64
import json
import logging
import math
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta, timezone

from odoo import fields
from odoo.exceptions import UserError

from ...mailkit.answers.matching import Match
from ...mailkit.errors import ErrorCode, MailError
from ...mailkit.message.headers import Headers, parse_headers
from .. import service_habits, vault
from ..oauth2 import tokens
from ..sign_in_codes import SIGN_IN_CODES, UNUSABLE
from . import requests as visit
from .facts import (
    HEAVY_SECONDS,
    SLICE_SECONDS,
    AddressBook,
    TooMuch,
    decide_batch,
    parsed,
)
from .intake import Intake

_logger = logging.getLogger(__name__)

# Seconds that one command of a mailbox may take.
STEP_TIMEOUT = 20.0
# Headers that a server is asked for at once.
_HEADERS_AT_ONCE = 1000
# Headers that are judged together: they share what is asked of the database.
_FIRST_SLICE, _MOST_SLICE = 50, 400
# So often may Odoo end while it judges one and the same message.
CRASHES = 3
# Sent mail waits so long before its copy is made: the service may make one itself.
_COPY_MINUTES = 1
_COPY_ATTEMPTS = 5
# Minutes until the next visit: soon after something came or was sent, later when quiet.
_SOON, _LATE = 1, 10
_RETRY_MINUTES = (1, 2, 5, 10, 20, 30)


@dataclass(frozen=True)
class Progress:
    """What was done in a mailbox; put back when a transaction fails.

    ``octets``: what came of a message that is not whole yet. ``states``: id of a
    folder -> its state, as it was kept last.
    """

    answers: int = 0
    unrelated: int = 0
    octets: int = 0
    states: dict[int, dict] = field(default_factory=dict)

    @property
    def is_some(self):
        return bool(self.answers or self.unrelated or self.octets or self.states)


class MailboxWork:
    """One mailbox during a run. ``marks``: what is being judged, see ``Marks``.

    :param account: mail.external.account in superuser mode
    :param dict row: the columns that the claim read, see ``claims.claim_due``
    """

    def __init__(self, account, row):
        self.account = account
        self.env = account.env
        self.row = row
        self.folders = row["folders"] or []
        self.intake = Intake(account)
        self.transfers = {each["id"] for each in self.folders if each["transfer"]}
        self.marks = Marks(account, row)
        self.batch, self.truncated = (), frozenset()  # of the headers judged last
        self.progress = Progress()

    @property
    def is_troubled(self):
        """Whether its server was slow or failed the last time."""
        return bool(self.row["attempts"] or self.row["cuts"])

    def job(self):
        """What a visit begins with, its password opened.

        :raise MailError: there can be no visit
        """
        row, look_back = self.row, None
        credentials = self._credentials()
        if row["look_back_days"] and row["reading_since"] and not row["last_look"]:
            look_back = row["reading_since"].date()
        last = row["last_look"] or row["reading_since"] or fields.Datetime.now()
        return visit.MailboxJob(
            server=vault.server(row, "incoming", STEP_TIMEOUT),
            credentials=credentials,
            folders=tuple(map(_folder_job, self._in_turn())),
            since=last.date() - timedelta(days=1),
            look_back=look_back,
            copies=row["copies"],
            headers=self._headers_at_once(),
            careful=bool(row["crashes"]),
        )

    def _credentials(self):
        if self.row["auth_method"] == "oauth2":
            return None  # the visit asks for them: they may have to be renewed
        try:
            return vault.stored_credentials(self.env, self.row, "incoming")
        except vault.UnsealError as error:
            raise MailError(ErrorCode.LOGIN_REQUIRED) from error
        except UserError as error:  # no key now, see ``vault``
            raise MailError(ErrorCode.TEMPORARY) from error

    def _headers_at_once(self):
        """Fewer of a server that did not give as many in time."""
        slow = self.row["failure_code"] == ErrorCode.TIMEOUT.value
        tries = min(self.row["attempts"] or 0, 3) if slow else 0
        return _HEADERS_AT_ONCE // 10**tries

    def _in_turn(self):
        """Another folder first after each visit that ended in the middle: one of them
        that the server is slow with does not hold up the others."""
        folders = self.folders
        if service_habits.hides_ids(self.row["service_habits"]):
            # the copies of sent mail tell which ids the answers will name
            folders = sorted(folders, key=lambda folder: not folder["is_sent"])
        turn = (self.row["attempts"] or 0) + (self.row["cuts"] or 0)
        first = turn % len(folders) if folders else 0
        return folders[first:] + folders[:first]

    # What a visit asks for

    def answer(self, request):
        """Do what a visit asks for; the caller commits.

        :param requests.Request request:
        """
        if self.marks.is_suspect(request):
            answer = self.pass_by(request, "too_heavy")
        else:
            answer = self._handler(request)(request)
        self.marks.clear()
        return answer

    def _handler(self, request):
        return {
            visit.SignIn: self._sign_in,
            visit.Renewed: self._note_renewed,
            visit.Scanned: self._choose,
            visit.Unreadable: self._note_unreadable,
            visit.Fetched: self._give_to_intake,
            visit.Advanced: self._advance,
            visit.Listed: self._compare,
            visit.FolderFailed: self._note_failed_folder,
            visit.Begun: self._recall,
            visit.Part: self._keep_part,
            visit.Held: self._hold,
            visit.NextCopy: self._next_copy,
            visit.CopyFailed: self._note_failed_copy,
        }[type(request)]

    # Signing in with an access token: by cursors of its own, committed at once

    def _sign_in(self, asked):
        try:
            return tokens.look(
                self.env, self.account.id, "incoming", asked.lease, asked.refused
            )
        except vault.UnsealError:
            return visit.Unusable()
        except UserError:  # no key now, see ``vault``
            return MailError(ErrorCode.TEMPORARY)
        except MailError as error:
            return error

    def _note_renewed(self, renewed):
        try:
            return tokens.settle(self.env, renewed.renewal, renewed.outcome)
        except MailError as error:
            return error

    def keep_renewed(self, renewed):
        """In the visit's thread: its run is over."""
        with suppress(MailError):
            tokens.settle(self.env, renewed.renewal, renewed.outcome)

    # Headers

    def _choose(self, scanned):
        self.batch, spent = self._judge(scanned.headers)
        self.truncated = scanned.truncated
        if scanned.folder.is_sent:
            for decision, header, facts in self.batch:
                self.intake.note_sender(decision, header)
                self.intake.note_given_id(decision, header, facts)
        heavy = [n for n, seconds in enumerate(spent) if seconds > HEAVY_SECONDS]
        for position in heavy:
            self._show_place(
                scanned.folder,
                scanned.names[position],
                "too_heavy",
                scanned.uid_validity,
            )
        # Most of a mailbox is left alone: that is decided with the least of questions.
        book = self.intake.makes_tasks() and AddressBook(self.account)
        wanted = tuple(
            position
            for position, (decision, header, _facts) in enumerate(self.batch)
            if position not in heavy
            and (position in self.truncated or self._wants(decision, header, book))
        )
        judged = len(self.batch)
        self._count(unrelated=judged - len(wanted) - len(heavy))
        if not wanted and judged == len(scanned.headers):
            self._advance(scanned.done)
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

    def _is_old(self, header):
        """POP3 does not tell when a message came: what was written long before the
        mailbox was connected is none of ours, though its UIDL is new."""
        since = self.row["reading_since"]
        if self.row["incoming_protocol"] != "pop3" or not (header.date and since):
            return False
        since = since.replace(tzinfo=timezone.utc) - timedelta(days=1)
        return header.date < since

    # Messages

    def _give_to_intake(self, fetched):
        decision, header, facts = self.batch[fetched.position]
        place = f"{fetched.folder.path} {fetched.name}"
        if fetched.source is None:
            self._keep_header(fetched, header, place)
        else:
            if fetched.position in self.truncated:  # now its whole header is there
                header = parse_headers(fetched.source.head)
                [decision], facts = decide_batch(self.account, [header])
            arrival = self.intake.take_in(
                fetched.source,
                decision,
                facts,
                place=place,
                is_sent=fetched.folder.is_sent,
            )
            if arrival is None:
                self._count(unrelated=1)
            else:
                self._count(answers=1)
        self._done_with(fetched)

    def _keep_header(self, fetched, header, place):
        """What cannot be fetched is told in the quarantine, unless it is gone."""
        if fetched.problem == ErrorCode.MESSAGE_GONE.value:
            return
        told = (ErrorCode.MESSAGE_OVERSIZED.value, "too_slow")
        reason = fetched.problem if fetched.problem in told else "unreadable"
        self.intake.keep_place(header, "answer", place, reason)

    def _done_with(self, fetched):
        self._forget_transfer(fetched.folder)
        if fetched.state:
            self._keep(fetched.folder, fetched.state)
        elif self.row["incoming_protocol"] == "pop3":
            self._note_seen(fetched.folder, (fetched.name,))

    def _recall(self, begun):
        return self.env["mail.external.part"]._content(
            begun.folder.id, begun.message, begun.position
        )

    def _keep_part(self, part):
        self.env["mail.external.part"]._keep(
            part.folder.id, part.message, part.position, part.content
        )

    def _hold(self, held):
        self._folder(held.folder).transfer = held.transfer
        if held.octets:
            self.progress = replace(self.progress, octets=held.octets)

    def _forget_transfer(self, folder):
        """The message that earlier visits ended at came whole, was given up, or the
        folder is past it."""
        if folder.id in self.transfers:
            self.env["mail.external.part"]._forget(folder.id)
            self._folder(folder).transfer = False

    # What nobody can judge is shown by its place; nothing of it is looked at.

    def pass_by(self, asked, reason):
        """Answer without looking at it.

        :param asked: a ``Scanned`` of one header, or a ``Fetched``
        """
        name, scanned = _name(asked), isinstance(asked, visit.Scanned)
        validity = asked.uid_validity if scanned else 0
        self._show_place(asked.folder, name, reason, validity)
        _logger.warning(
            "Message %s of folder %s of mailbox %s is shown by its place: %s",
            name,
            asked.folder.id,
            self.account.id,
            reason,
        )
        if scanned:
            self._advance(asked.done)
            return visit.Choice((), 1)
        self._done_with(asked)
        return None

    def _note_unreadable(self, told):
        """Nobody knows what these are: the owner is told where they lie."""
        for name in told.names:
            self._show_place(told.folder, name, told.reason, told.uid_validity)

    def _show_place(self, folder, name, reason, validity):
        """:param name: UID or UIDL of a message of which nothing is known"""
        key = f"unreadable:{folder.id}:{validity}:{name}"
        place = f"{folder.path} {name}"
        self.intake.keep_place(Headers(), False, place, reason, key)

    # Folders

    def _advance(self, advanced):
        values = {"failure_code": False} if self._failed(advanced.folder) else {}
        if advanced.listed:
            values["last_listing"] = fields.Datetime.now()
        self._forget_transfer(advanced.folder)
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
            each["id"] == folder.id and each["failure_code"] for each in self.folders
        )

    # Copies for the Sent folder

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
        limit = fields.Datetime.now() - timedelta(minutes=_COPY_MINUTES)
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

    # The end of a visit, and when the next one comes

    def end(self, how):
        """:param how: None, MailError, or one of the kinds of ``Stopped``"""
        if isinstance(how, visit.Unusable):
            self._stop(UNUSABLE, "")
        elif isinstance(how, visit.Failed):
            self.finish(MailError(ErrorCode.TEMPORARY))
        elif isinstance(how, visit.Cut):
            self.cut_off(how)
        elif isinstance(how, visit.Stopped):
            self.put_back()
        else:
            self.finish(how)

    def finish(self, error):
        """Say when the next visit comes: one write.

        :param error: MailError, or None when all went well
        """
        if error is None:
            self._finish_well()
        elif error.code in SIGN_IN_CODES:
            self._stop(error.code.value, str(error.reply or ""))
        else:
            attempts = (self.row["attempts"] or 0) + 1
            minutes = _RETRY_MINUTES[min(attempts, len(_RETRY_MINUTES)) - 1]
            if error.retry_after:  # who refused knows better
                minutes = math.ceil(error.retry_after / 60)
            self._write(
                minutes,
                attempts=attempts,
                failure_code=error.code.value,
                failure_reply=str(error.reply or "") or None,
                **self._counts(),
            )

    def _stop(self, code, reply):
        """The sign-in is refused; unless that was replaced or removed meanwhile: then
        the next visit finds out, if there is one."""
        env, secret_id = self.env, self.row["secret_id"]
        # sudo: that there is one; nobody has access rights on secrets
        secret = env["mail.external.secret"].sudo().browse(secret_id or ())
        if secret_id and not secret.exists():
            self.put_back()
        else:
            self.account._stop_reading(code, reply)

    def put_back(self):
        """The run ends in the middle of this mailbox: the next one goes on."""
        self._write(0, **self._counts())

    def cut_off(self, cut):
        """It took more time than a mailbox may take at once, or than the run had.

        What it brought is kept, and the next visit goes on; others go first.
        """
        if self.progress.is_some or cut.early:
            self._write(0, cuts=(self.row["cuts"] or 0) + 1, **self._counts())
        else:
            self.finish(cut.error)

    def _finish_well(self):
        came = bool(self.progress.answers)
        quiet = 0 if came else (self.row["quiet_looks"] or 0) + 1
        values = self._counts()
        if self.row["attempts"]:
            values |= {"attempts": 0, "failure_code": None, "failure_reply": None}
        for name in ("cuts", "crashes", "judging"):
            if self.row[name]:
                values[name] = None
        self._write(
            min(_SOON + quiet // 5, _LATE),
            looked=True,
            quiet_looks=quiet,
            **values,
        )

    def _counts(self):
        return {
            name: (self.row[name] or 0) + count
            for name, count in (
                ("answer_count", self.progress.answers),
                ("unrelated_count", self.progress.unrelated),
            )
            if count
        }

    def _write(self, minutes, *, looked=False, **values):
        """Plain SQL: nobody reads these fields by the ORM here, and it is all that a
        visit to a quiet mailbox writes. Who asked to fetch meanwhile is heard."""
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


def _folder_job(folder):
    return visit.FolderJob(
        folder["id"],
        folder["path"],
        bool(folder["is_sent"]),
        folder["state"],
        list_anew=(folder["age"] or 3600) >= 3600,
        transfer=folder["transfer"],
    )


def _name(asked):
    """UID or UIDL of a ``Fetched``, or of a ``Scanned`` of one header."""
    return asked.name if isinstance(asked, visit.Fetched) else asked.names[0]


class Marks:
    """What is being judged in one mailbox, in case that Odoo does not survive it.

    A mailbox is claimed with the number of a run, so the next run sees that one ended
    while it was reading. From then on each message is marked before it is judged, until
    the mailbox was read to its end.

    :param account, row: as for ``MailboxWork``
    """

    def __init__(self, account, row):
        self._account, self._env = account, account.env
        self._careful = bool(row["crashes"])
        self._last = row["judging"] or {}
        self._marked = False

    def wanted(self, asked):
        """Whether ``asked`` has to be marked first, in a transaction of its own."""
        one = isinstance(asked, visit.Scanned) and len(asked.names) == 1
        return self._careful and (one or isinstance(asked, visit.Fetched))

    def is_suspect(self, asked):
        """Whether Odoo ended too often while it judged this."""
        return self.wanted(asked) and self._count(asked) >= CRASHES

    def mark(self, asked):
        """The caller commits."""
        mark = {**self._key(asked), "count": self._count(asked) + 1}
        self._write(json.dumps(mark))
        self._marked = True

    def clear(self):
        if self._marked:
            self._write(None)
            self._marked = False

    def _key(self, asked):
        return {"folder": asked.folder.id, "name": _name(asked)}

    def _count(self, asked):
        same = {**self._last, **self._key(asked)} == self._last
        return self._last["count"] if same else 0

    def _write(self, value):
        self._env.cr.execute(
            "UPDATE mail_external_mailbox SET judging = %s WHERE account_id = %s",
            (value, self._account.id),
        )
