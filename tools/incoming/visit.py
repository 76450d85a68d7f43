"""A visit to one mailbox: the network's part of reading, run in a thread.

No database here. What has to be decided or kept is asked of the run (``fetching``),
which owns the transaction: the thread waits for each answer, so that at most one
message of a mailbox is in memory.
"""

from ...mailkit.connection.settings import Protocol
from ...mailkit.errors import FATAL, ErrorCode, MailError
from ...mailkit.imap.folders import FolderState, sent_folder
from ...mailkit.imap.mailbox import ImapMailbox
from ...mailkit.message.headers import parse_headers
from ...mailkit.pop3 import MaildropStatus, Pop3Mailbox
from .requests import (
    Advanced,
    CopyFailed,
    FolderFailed,
    Held,
    Listed,
    NextCopy,
    Unreadable,
    Whole,
)
from .slices import Slices
from .transfer import HEADER, given_up, hand_over

# Larger ones are told of, not fetched: Odoo holds a message in memory several times.
MAX_OCTETS = 64 * 1024 * 1024
# POP3 answers one header after the other.
_POP3_SHARE = 5


def visit(job, ask, deadline):
    """Read what is new.

    :param MailboxJob job:
    :param ask: hands a request to the run and returns its answer; ``ask.later`` returns
        a function that waits for it
    :param network.Deadline deadline: of all that the mail server is asked
    :raise MailError: the mailbox cannot be read
    :raise Stopped: by ``ask``
    """
    kind = ImapMailbox if job.server.protocol is Protocol.IMAP else Pop3Mailbox
    with kind(job.server, job.credentials, deadline=deadline) as mailbox:
        mailbox.open()
        mailbox.login()
        if kind is Pop3Mailbox:
            for folder in job.folders[:1]:
                _visit_maildrop(mailbox, folder, job, ask)
            return
        for folder in _changed(mailbox, job.folders, ask):
            _visit_folder(mailbox, folder, job, ask)
        if job.copies:
            _put_copies_away(mailbox, ask)


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


def _header_name(place):
    return f"{place.uid_validity} {place.uid}{HEADER}"


def _behind_what_holds_up(state, folder, ask):
    """The state behind a message of which no visit got even the header."""
    transfer = folder.transfer or {}
    reason = transfer.get("header") and given_up(transfer)
    if not reason:
        return state
    validity, uid = map(int, transfer["message"].removesuffix(HEADER).split())
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
            name = _header_name(mailbox.reading)
            ask(Held(folder, name, 0, broken.code.value))
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
                Whole(
                    folder,
                    position,
                    str(header.uid),
                    None,
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
            name = f"{mailbox.reading.uidl}{HEADER}"
            ask(Held(folder, name, 0, error.code.value))
        raise
    ask(Advanced(folder, vars(status), listed=True))


def _without_what_holds_up(entries, folder, ask):
    """The entries but for one of which no visit got even the header."""
    transfer = folder.transfer or {}
    reason = transfer.get("header") and given_up(transfer)
    held = transfer["message"].removesuffix(HEADER) if reason else None
    for entry in entries:
        if entry.uidl == held:
            _pass_by(folder, (held,), ask, reason)
            return [each for each in entries if each is not entry]
    return entries


def _pass_by(folder, names, ask, reason="unreadable"):
    ask(Unreadable(folder, names, reason=reason))
    ask(Advanced(folder, folder.state or {}, names))


def _take_pop3_batch(mailbox, folder, batch, ask, careful):
    if batch.unreadable:
        _pass_by(folder, tuple(entry.uidl for entry in batch.unreadable), ask)
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
                Whole(folder, position, entry.uidl, None),
                entry.uidl,
                ask,
                goes_on=False,
            )
