"""A visit to one mailbox: the network's part of reading, run in a thread.

No database here. What has to be decided or kept is asked of the run, which owns the
transaction (``requests``): the thread waits for each answer, so that at most one
message of a mailbox is in memory.

A slow server gives a large message piece by piece, over several visits: IMAP goes on
where it stopped. What does not get on is told as too slow, so that it does not hold up
what lies behind it.
"""

import os
import queue
import tempfile
import threading
import time
from contextlib import nullcontext
from dataclasses import replace

from ...mailkit.connection.settings import Protocol
from ...mailkit.errors import FATAL, ErrorCode, MailError
from ...mailkit.imap.folders import FolderState, sent_folder
from ...mailkit.imap.mailbox import SMALL_CHUNK, ImapMailbox
from ...mailkit.message.headers import parse_headers
from ...mailkit.pop3 import MaildropStatus, Pop3Mailbox
from ..oauth2 import tokens
from .heavy import LARGE, MessageSource
from .requests import (
    Advanced,
    Asked,
    Begun,
    CopyFailed,
    Fetched,
    FolderFailed,
    Held,
    Listed,
    NextCopy,
    Part,
    Renewed,
    Scanned,
    SignIn,
    Stopped,
    Unreadable,
)

# Larger ones are told of, not fetched: Odoo holds a message in memory several times.
MAX_OCTETS = 64 * 1024 * 1024
# POP3 answers one header after the other.
_POP3_SHARE = 5
# Of large messages one at a time is processed, whatever mailbox it is in; they are
# fetched to the disk, so that nobody waits for a slow server.
_one_large = threading.Semaphore()
# Octets of a message that go into one row.
_PIECE = 4 * 1024 * 1024
# Octets to ask for first: a slow server may not get on with more.
_FIRST_CHUNK = 64 * 1024
# Visits that brought nothing of a message: of a slow server, of one that breaks off. A
# header is small, so that the server has rather another trouble at this moment.
_SLOW_VISITS, _BROKEN_VISITS = 3, 6
# A message that took so many seconds is taken in even when the run is over.
_SLOW_SECONDS = 3.0
# Visits for one message, whatever they bring.
_MOST_VISITS = 200
# Seconds that the run has to keep what a mail service answered; long before others take
# the renewal for lost.
_KEEP_SECONDS = 20.0
# Ends the name of a message of which not even the header came.
HEADER = " header"


def visit(job, ask, deadline):
    """Read what is new.

    :param MailboxJob job:
    :param ask: hands a request to the run and returns its answer; ``ask.later`` returns
        a function that waits for it
    :param network.Deadline deadline: of all that the mail server is asked
    :raise MailError: the mailbox cannot be read
    :raise Stopped: by ``ask``
    """
    with _signed_in(job, ask, deadline) as mailbox:
        if job.server.protocol is Protocol.POP3:
            for folder in job.folders[:1]:
                _visit_maildrop(mailbox, folder, job, ask)
            return
        for folder in _changed(mailbox, job.folders, ask):
            _visit_folder(mailbox, folder, job, ask)
        if job.copies:
            _put_copies_away(mailbox, ask)


# Signing in


def _signed_in(job, ask, deadline):
    """An open mailbox.

    An access token that the server refuses, though it should be good, is renewed once.
    """
    credentials = job.credentials or sign_in(ask, deadline)
    token = credentials.access_token
    try:
        return _opened(job, credentials, deadline)
    except MailError as error:
        if error.code is not ErrorCode.TOKEN_REFUSED or not token:
            raise
    return _opened(job, sign_in(ask, deadline, refused=token), deadline)


def _opened(job, credentials, deadline):
    kind = ImapMailbox if job.server.protocol is Protocol.IMAP else Pop3Mailbox
    mailbox = kind(job.server, credentials, deadline=deadline)
    try:
        mailbox.open()
        mailbox.login()
    except BaseException:
        mailbox.close()
        raise
    return mailbox


def sign_in(ask, deadline, refused=""):
    """What to sign in with. Where the token has to be renewed, the mail service is
    asked here: the run has no time for that.

    :rtype: mailkit.connection.settings.Credentials
    :raise MailError: there is no token now
    """
    lease = tokens.new_lease()
    while True:
        answer = ask(SignIn(lease, refused))
        if isinstance(answer, tokens.Renewal):
            renewed = Renewed(answer, tokens.ask(answer, deadline))
            answer = ask.kept(renewed)
        if isinstance(answer, MailError):
            raise answer
        if isinstance(answer, tokens.Access):
            return answer.credentials
        tokens.pause(answer, deadline)


# IMAP


def _changed(mailbox, folders, ask):
    """The folders to open. Of several, one command each tells which; a single one is
    opened at once, which costs as much."""
    if len(folders) == 1:
        return list(folders)
    told = mailbox.status([folder.path for folder in folders])
    changed = []
    for folder in folders:
        status = told[folder.path]
        if isinstance(status, MailError):
            ask(FolderFailed(folder, status))
        elif not (folder.state and FolderState(**folder.state).is_current(status)):
            changed.append(folder)
    return changed


def _visit_folder(mailbox, folder, job, ask):
    try:
        if folder.state is None:
            state = mailbox.start(folder.path, job.look_back)
            ask(Advanced(folder, vars(state)))
        else:
            state = _behind_what_holds_up(FolderState(**folder.state), folder, ask)
        batches = mailbox.scan(state, since=job.since, count=job.headers)
        _take_batches(mailbox, job, folder, batches, ask)
    except MailError as error:
        if error.code in FATAL:
            raise
        ask(FolderFailed(folder, error))


def _behind_what_holds_up(state, folder, ask):
    """The state behind a message of which no visit got even the header."""
    name, reason = _held_header(folder)
    if not reason:
        return state
    validity, uid = map(int, name.split())
    if validity != state.uid_validity or uid < state.next_uid:
        return state
    ask(Unreadable(folder, (str(uid),), validity, reason))
    state = state.advanced(uid + 1)
    ask(Advanced(folder, vars(state)))
    return state


def _take_batches(mailbox, job, folder, batches, ask):
    """Have the run choose, and hand over what it wants, in order.

    While it chooses from one batch, the next one is on its way.
    """
    batch, slices = None, None
    careful, broken = job.careful, None
    while broken is None:
        try:
            following = next(batches, None)
        except MailError as error:  # what came before it counts all the same
            following, broken = None, error
        if batch is not None:
            _hand_over_batch(mailbox, folder, batch, slices, ask)
        if following is None:
            break
        batch, slices = following, _slices(folder, following, ask, careful)
        careful = False  # what Odoo did not survive was in the first batch
    if broken:
        if broken.code in FATAL and mailbox.reading:
            place = mailbox.reading
            name = f"{place.uid_validity} {place.uid}{HEADER}"
            _hold(folder, name, 0, broken, ask)
        raise broken


def _slices(folder, batch, ask, careful):
    if batch.unreadable:  # first: what is wanted may lie behind them
        names = tuple(map(str, batch.unreadable))
        ask(Unreadable(folder, names, batch.state.uid_validity))
    headers = batch.headers

    def done(_begin, end):
        whole = end == len(headers)
        state = batch.state if whole else batch.after(headers[end - 1].uid)
        return Advanced(folder, vars(state))

    return Slices(
        folder,
        [str(header.uid) for header in headers],
        headers,
        done,
        ask,
        one_by_one=careful,
        validity=batch.state.uid_validity,
    )


def _hand_over_batch(mailbox, folder, batch, slices, ask):
    for begin, wanted in slices:
        for position in wanted:
            header = batch.headers[begin + position]
            validity = batch.state.uid_validity
            hand_over(
                lambda file, chunk, h=header, v=validity: _fetch_imap(
                    mailbox, folder, v, h, file, chunk
                ),
                Fetched(
                    folder,
                    position,
                    str(header.uid),
                    state=vars(batch.after(header.uid)),
                ),
                f"{validity} {header.uid} {header.size}",
                ask,
            )
    if not batch.headers:
        ask(Advanced(folder, vars(batch.state)))


def _fetch_imap(mailbox, folder, validity, header, file, chunk):
    try:
        mailbox.fetch_into(
            file,
            folder.path,
            header.uid,
            uid_validity=validity,
            max_octets=MAX_OCTETS,
            chunk=chunk,
        )
    except MailError as error:
        message_id = parse_headers(header.raw).message_id
        if error.code is not ErrorCode.MESSAGE_GONE or not message_id:
            raise
        _fetch_moved(mailbox, message_id, file, error)


def _fetch_moved(mailbox, message_id, file, gone):
    """Its owner, or a filter, has moved it."""
    place = mailbox.find(message_id)
    if place is None:
        raise gone
    file.seek(0)
    file.truncate()
    try:
        mailbox.fetch_into(
            file,
            place.path,
            place.uid,
            uid_validity=place.uid_validity,
            max_octets=MAX_OCTETS,
        )
    except MailError:
        file.truncate(0)  # what is kept of a message is of its first place
        raise


def _put_copies_away(mailbox, ask):
    """Mail that was sent, into the Sent folder; never a second time."""
    found = sent_folder(mailbox.folders())
    copy = ask(NextCopy()) if found else None
    while copy:
        copy_id, message_id, moment, content = copy
        problem = ""
        try:
            if not mailbox.has_message(found.path, message_id):
                mailbox.append_sent(found.path, content, moment)
        except MailError as error:
            if error.code in FATAL:
                ask(CopyFailed(copy_id))
                raise
            problem = error.code.value
        copy = ask(NextCopy(copy_id, problem))


# POP3


def _visit_maildrop(mailbox, folder, job, ask):
    status = mailbox.status()
    if folder.state and not folder.list_anew:
        if MaildropStatus(**folder.state) == status:
            return
    entries = mailbox.entries() if status.messages else ()
    names = tuple(entry.uidl for entry in entries)
    new = ask(Listed(folder, names))
    fresh = [entry for entry in entries if entry.uidl in new]
    fresh = _without_what_holds_up(fresh, folder, ask)
    careful = job.careful
    try:
        for batch in mailbox.headers(fresh, count=max(job.headers // _POP3_SHARE, 1)):
            _take_pop3_batch(mailbox, folder, batch, ask, careful)
            careful = False
    except MailError as error:
        if error.code in FATAL and mailbox.reading:
            _hold(folder, f"{mailbox.reading.uidl}{HEADER}", 0, error, ask)
        raise
    ask(Advanced(folder, vars(status), listed=True))


def _without_what_holds_up(entries, folder, ask):
    """The entries but for one of which no visit got even the header."""
    name, reason = _held_header(folder)
    if not (reason and any(entry.uidl == name for entry in entries)):
        return entries
    _leave_out(folder, (name,), ask, reason)
    return [entry for entry in entries if entry.uidl != name]


def _leave_out(folder, names, ask, reason="unreadable"):
    ask(Unreadable(folder, names, reason=reason))
    ask(Advanced(folder, folder.state or {}, names))


def _take_pop3_batch(mailbox, folder, batch, ask, careful):
    if batch.unreadable:
        _leave_out(folder, tuple(entry.uidl for entry in batch.unreadable), ask)
    names = [header.entry.uidl for header in batch.headers]

    def done(begin, end):
        return Advanced(folder, folder.state or {}, tuple(names[begin:end]))

    slices = Slices(folder, names, batch.headers, done, ask, one_by_one=careful)
    for begin, wanted in slices:
        for position in wanted:
            entry = batch.headers[begin + position].entry
            hand_over(
                lambda file, _chunk, e=entry: mailbox.fetch_into(
                    file, e, max_octets=MAX_OCTETS
                ),
                Fetched(folder, position, entry.uidl),
                entry.uidl,
                ask,
                goes_on=False,
            )


# Headers, slice by slice


class Slices:
    """Headers of one batch; iterating gives (begin, wanted) for each slice of them.

    ``wanted``: positions from ``begin`` on. What is wanted is handed over before the
    next slice is asked for. The first one is judged from now on.

    :param names: UIDs or UIDLs
    :param headers: list of mailkit headers, with ``raw`` and ``truncated``
    :param done: returns what to keep after these positions, given (begin, end)
    :param bool one_by_one: whether each is asked for alone
    """

    def __init__(
        self, folder, names, headers, done, ask, *, one_by_one=False, validity=0
    ):
        self._folder, self._names, self._headers = folder, names, headers
        self._done, self._ask, self._validity = done, ask, validity
        self._one_by_one = one_by_one
        self._answer = self._begin(0) if headers else None

    def __iter__(self):
        begin = 0
        while begin < len(self._headers):
            choice = self._answer()
            if not choice.judged:  # one of them makes trouble: which one?
                self._one_by_one = True
                self._answer = self._begin(begin)
                continue
            end = begin + choice.judged
            yield begin, choice.wanted
            if choice.wanted or end < self._end(begin):
                self._ask(self._done(begin, end))
            begin = end
            if begin < len(self._headers):
                self._answer = self._begin(begin)

    def _end(self, begin):
        return begin + 1 if self._one_by_one else len(self._headers)

    def _begin(self, begin):
        end = self._end(begin)
        some = self._headers[begin:end]
        return self._ask.later(
            Scanned(
                self._folder,
                tuple(self._names[begin:end]),
                tuple(header.raw for header in some),
                frozenset(n for n, header in enumerate(some) if header.truncated),
                self._done(begin, end),
                self._validity,
            )
        )


# One whole message, over several visits if need be


def hand_over(fetch, empty, message, ask, *, goes_on=True):
    """Fetch one message and wait until the run is done with it.

    :param fetch: adds it to the file that it is given; its second argument says how
        many octets to ask for first, when that can be chosen
    :param Fetched empty: what to tell the run, but for the content
    :param str message: names it for later visits
    :param bool goes_on: whether it can be fetched from the middle on
    """
    transfer = empty.folder.transfer or {}
    if transfer.get("message") != message:
        transfer = {}
    if problem := given_up(transfer):
        ask(replace(empty, problem=problem))
        return
    with tempfile.SpooledTemporaryFile(max_size=LARGE) as file:
        if transfer and goes_on:
            _recall(file, empty.folder, message, ask)
        begun, started = file.tell(), time.monotonic()
        try:
            fetch(file, SMALL_CHUNK if transfer else _FIRST_CHUNK)
        except MailError as error:
            if error.code not in FATAL:
                ask(replace(empty, problem=error.code.value))
                return
            octets = (
                _keep_parts(file, begun, empty.folder, message, ask) if goes_on else 0
            )
            _hold(empty.folder, message, octets, error, ask)
            raise
        slow = bool(transfer) or time.monotonic() - started > _SLOW_SECONDS
        source = MessageSource(file)
        with _one_large if source.is_large else nullcontext():
            ask(replace(empty, source=source, keeps=slow))


def _recall(file, folder, message, ask):
    while content := ask(Begun(folder, message, file.tell())):
        file.write(content)


def _keep_parts(file, begun, folder, message, ask):
    """:return: how many octets this visit brought"""
    size = file.seek(0, os.SEEK_END)
    file.seek(begun)
    for position in range(begun, size, _PIECE):
        ask(Part(folder, message, position, file.read(_PIECE)))
    return max(size - begun, 0)


def given_up(transfer):
    """Whether a message held up enough visits.

    :param dict transfer: see ``counted``
    :return: the reason, or ""
    """
    slow = transfer.get("slow", 0)
    broken = transfer.get("broken", 0)
    if slow >= _SLOW_VISITS and not transfer.get("header"):
        return "too_slow"
    if slow + broken >= _BROKEN_VISITS:
        return "too_slow" if slow >= broken else "unreadable"
    return "too_slow" if transfer.get("visits", 0) >= _MOST_VISITS else ""


def counted(transfer, message, octets, code):
    """How a message stands after one more visit that ended at it.

    :param dict transfer: how the folder's message stood before, another one perhaps
    :param str message: its name
    :param int octets: how far this visit came with it
    :param str code: why it ended
    :return: dict, as ``mail.external.folder`` keeps it
    """
    if not transfer or transfer["message"] != message:
        transfer = {"message": message, "visits": 0, "slow": 0, "broken": 0}
        transfer["header"] = message.endswith(HEADER)
    name = "slow" if code == ErrorCode.TIMEOUT.value else "broken"
    return {
        **transfer,
        "visits": transfer["visits"] + 1,
        name: transfer[name] + int(octets < SMALL_CHUNK),
    }


def _hold(folder, message, octets, error, ask):
    """The visit ends at this message."""
    transfer = counted(folder.transfer, message, octets, error.code.value)
    ask(Held(folder, transfer, octets))


def _held_header(folder):
    """:return: name of a message of which no visit got even the header, and the reason
    to leave it out; the reason is "" when there is none
    """
    transfer = folder.transfer or {}
    reason = given_up(transfer) if transfer.get("header") else ""
    return transfer.get("message", "").removesuffix(HEADER), reason


# Asking the run


class Asking:
    """What a visit asks the run with, one thing at a time.

    Called it waits for the answer. ``later`` returns a function that does: the mail
    server can be asked meanwhile.
    """

    def __init__(self, work, requests):
        self._work = work
        self._requests = requests
        self._replies = queue.SimpleQueue()
        self._ended = False

    def end(self):
        """Nobody answers any more: the run is over before the visit."""
        self._ended = True
        self._replies.put(Stopped())

    def __call__(self, asked):
        return self.later(asked)()

    def later(self, asked):
        if self._ended:
            raise Stopped
        self._requests.put(Asked(self._work, asked, self._replies))
        return self._wait

    def kept(self, renewed):
        """As calling it; what a service answered is kept though the run is over, or
        busy for long: its old token may be good for nothing any more, and others take
        a renewal for lost some day."""
        try:
            return self.later(renewed)(_KEEP_SECONDS)
        except queue.Empty:
            self._work.keep_renewed(renewed)
            return self._wait()
        except Stopped:
            self._work.keep_renewed(renewed)
            raise

    def _wait(self, seconds=None):
        answer = self._replies.get(timeout=seconds)
        if isinstance(answer, Stopped):
            raise answer
        return answer
