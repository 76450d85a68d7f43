"""Reading a real mailbox: everything new is found, and nobody can tell it was read."""

import imaplib
import json
import re
import time
from dataclasses import asdict
from datetime import datetime, timedelta, timezone

import pytest
from mailbox_scene import (
    LONG_AGO,
    MEGABYTE,
    TODAY,
    letter,
    look,
    open_imap,
    open_pop,
    subject,
    whole,
)

from devtools.testbed.bed import TestBed
from mailkit.errors import ErrorCode, MailError
from mailkit.imap.folders import FolderState, FolderUse, sent_folder
from mailkit.imap.mailbox import ImapMailbox


def snapshot(client: imaplib.IMAP4) -> dict[str, object]:
    """What a mailbox is: folders, UIDVALIDITY, UIDs, flags, dates, every byte."""
    state: dict[str, object] = {}
    _ok, names = client.list()
    for line in names:
        assert isinstance(line, bytes)
        if b"\\Noselect" in line:
            continue
        name = line.rpartition(b' "." ')[2].decode()
        assert client.select(name, readonly=True)[0] == "OK"
        validity = client.response("UIDVALIDITY")[1]
        _ok, data = client.uid("FETCH", "1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")
        for item in data:
            if isinstance(item, tuple):
                facts = re.sub(rb"\\Recent ?| (?=\))", b"", item[0])
                state[f"{name} {facts.decode()}"] = item[1]
        state[name] = validity
    return state


def test_new_mail_comes_once_and_only_from_now_on(
    bed: TestBed, address: str, imap: ImapMailbox
) -> None:
    bed.put(address, [letter(1), letter(2)])
    state = imap.start("INBOX")
    assert look(imap, state) == (state, [])
    bed.put(address, [letter(3), letter(4)])
    state = FolderState(**json.loads(json.dumps(asdict(state))))
    state, found = look(imap, state)
    assert sorted(found) == ["Letter 3", "Letter 4"]
    assert look(imap, state) == (state, [])
    assert state.is_current(imap.status(["INBOX"])["INBOX"])  # type: ignore[arg-type]


def test_looking_back_some_days(
    bed: TestBed, address: str, imap: ImapMailbox, owner: imaplib.IMAP4_SSL
) -> None:
    now = datetime.now(timezone.utc)
    for number, days in enumerate((40, 5, 1, 30), 1):
        when = imaplib.Time2Internaldate(now - timedelta(days=days))
        owner.append("INBOX", "", when, letter(number))
    state = imap.start("INBOX", since=TODAY - timedelta(days=7))
    [batch] = imap.scan(state, since=TODAY)
    assert [subject(h.raw) for h in batch.headers] == ["Letter 2", "Letter 3"]
    # Afterwards everything counts that comes, whatever its date.
    owner.append("INBOX", "", imaplib.Time2Internaldate(now - timedelta(days=90)), b"")
    owner.append(
        "INBOX", "", imaplib.Time2Internaldate(now - timedelta(days=90)), letter(5)
    )
    assert look(imap, batch.state)[1] == ["Letter 5"]


def test_nobody_can_tell_that_a_mailbox_was_read(
    bed: TestBed, address: str, owner: imaplib.IMAP4_SSL
) -> None:
    odd = ["Sent", "&BB0EMAQ0BFYEQQQ7BDAEPQRW-", "a&-b", '"q\\"uo te"', "Deep.Er"]
    for name in odd:
        assert owner.create(name)[0] == "OK"
    bed.put(address, [letter(n, b"\r\n.\r\n..two\xff\r\n") for n in range(30)])
    bed.put(address, [letter(99)], folder=".Sent")
    owner.select("INBOX")
    owner.uid("STORE", "3", "+FLAGS", r"(\Seen \Flagged)")
    owner.uid("STORE", "4", "+FLAGS", r"(\Deleted mine)")
    before = snapshot(owner)
    with open_imap(bed, address) as imap:
        for folder in imap.folders():
            state = imap.start(folder.path, since=LONG_AGO)
            for batch in imap.scan(state, since=TODAY, count=7):
                for header in batch.headers:
                    fetched = whole(
                        imap,
                        folder.path,
                        header.uid,
                        uid_validity=batch.state.uid_validity,
                        max_octets=MEGABYTE,
                    )
                    assert len(fetched) == header.size
        assert imap.find("<m99@customer.test>") is not None
    with open_pop(bed, address) as pop:
        for batch in pop.headers(pop.entries()):
            for header in batch.headers:
                whole(pop, header.entry, max_octets=MEGABYTE)
    assert snapshot(owner) == before
    assert any("mine" in key for key in before)


def test_folders_with_odd_names_can_be_read(
    bed: TestBed, address: str, imap: ImapMailbox, owner: imaplib.IMAP4_SSL
) -> None:
    names = {
        "INBOX": "INBOX",
        "&BB0EMAQ0BFYEQQQ7BDAEPQRW-": "Надіслані",
        "Tom &- Jerry": "Tom & Jerry",
        'say "hi" \\ bye': 'say "hi" \\ bye',
        "100% {5}": "100% {5}",
        "Copies": "Copies",
    }
    for path in list(names)[1:]:
        quoted = re.sub(r'(["\\])', r"\\\1", path)
        assert owner.create(f'"{quoted}"')[0] == "OK", path
        owner.append(f'"{quoted}"', "", "", letter(len(path)))
    owner.create("closed.inner")
    folders = imap.folders()
    paths = {folder.path: folder for folder in folders}
    assert {p: f.name for p, f in paths.items() if p in names} == names
    assert folders[0].use is FolderUse.INBOX
    assert imap.status(list(names))["Tom &- Jerry"].messages == 1  # type: ignore[union-attr]
    for path in list(names)[1:]:
        state = imap.start(path, since=LONG_AGO)
        assert look(imap, state)[1] == [f"Letter {len(path)}"]
    # What the server says goes before what a name sounds like.
    found = sent_folder(folders)
    assert found is not None and found.path == "Copies"
    without = [folder for folder in folders if folder.path != "Copies"]
    found = sent_folder(without)
    assert found is not None and found.name == "Надіслані"


def test_missing_folder_is_told_beside_the_others(imap: ImapMailbox) -> None:
    told = imap.status(["INBOX", "nowhere"])
    assert not isinstance(told["INBOX"], MailError)
    assert isinstance(told["nowhere"], MailError)
    assert told["nowhere"].code is ErrorCode.FOLDER_MISSING
    with pytest.raises(MailError) as caught:
        imap.start("nowhere")
    assert caught.value.code is ErrorCode.FOLDER_MISSING
    assert imap.start("INBOX").next_uid == 1


def test_expunged_and_moved_messages(
    bed: TestBed, address: str, imap: ImapMailbox, owner: imaplib.IMAP4_SSL
) -> None:
    owner.create("Filed")
    state = imap.start("INBOX")
    bed.put(address, [letter(n) for n in range(6)])
    [batch] = imap.scan(state, since=TODAY)
    header = next(h for h in batch.headers if b"<m4@" in h.raw)
    other = next(h for h in batch.headers if b"<m2@" in h.raw)
    owner.select("INBOX")
    assert owner.uid("MOVE", str(header.uid), "Filed")[0] == "OK"
    owner.uid("STORE", str(other.uid), "+FLAGS", r"\Deleted")
    owner.expunge()
    validity = batch.state.uid_validity
    for uid in (header.uid, other.uid, 4_000_000_000):
        with pytest.raises(MailError) as caught:
            whole(imap, "INBOX", uid, uid_validity=validity, max_octets=MEGABYTE)
        assert caught.value.code is ErrorCode.MESSAGE_GONE
    place = imap.find("<m4@customer.test>")
    assert place is not None and place.path == "Filed"
    raw = whole(
        imap,
        place.path,
        place.uid,
        uid_validity=place.uid_validity,
        max_octets=MEGABYTE,
    )
    assert raw == letter(4)
    assert imap.find("<m2@customer.test>") is None
    assert imap.find("") is None
    assert imap.find('<no"such\\id@x>') is None
    # In another folder nothing is mistaken for a new message twice.
    assert look(imap, batch.state) == (batch.state, [])


def test_new_uid_validity_begins_again_from_the_last_look(
    bed: TestBed, address: str, owner: imaplib.IMAP4_SSL
) -> None:
    now = datetime.now(timezone.utc)
    with open_imap(bed, address) as imap:
        state = imap.start("INBOX")
        for number, days in ((1, 60), (2, 3), (3, 0)):
            when = imaplib.Time2Internaldate(now - timedelta(days=days))
            owner.append("INBOX", "", when, letter(number))
        state, found = look(imap, state)
        assert len(found) == 3
        header = next(iter(imap.scan(imap.start("INBOX", LONG_AGO), since=TODAY)))
    bed.put(address, [letter(4)])
    for file in bed.maildir(address).glob("dovecot*"):
        file.unlink()
    time.sleep(1.1)  # Dovecot takes the time in seconds as the new value
    with open_imap(bed, address) as imap:
        batches = list(imap.scan(state, since=TODAY - timedelta(days=5), count=2))
        subjects = [subject(h.raw) for batch in batches for h in batch.headers]
        assert sorted(subjects) == ["Letter 2", "Letter 3", "Letter 4"]
        after = batches[-1].state
        assert after.uid_validity != state.uid_validity
        assert not after.backlog_end
        assert look(imap, after) == (after, [])
        # An interrupted second look goes on with the same messages.
        rest = list(imap.scan(batches[0].state, since=LONG_AGO, count=2))
        assert [h.uid for b in rest for h in b.headers] == [
            h.uid for b in batches[1:] for h in b.headers
        ]
        with pytest.raises(MailError) as caught:
            whole(
                imap,
                "INBOX",
                header.headers[0].uid,
                uid_validity=state.uid_validity,
                max_octets=MEGABYTE,
            )
    assert caught.value.code is ErrorCode.MESSAGE_GONE


def test_gap_of_weeks_with_holes(
    bed: TestBed, address: str, imap: ImapMailbox, owner: imaplib.IMAP4_SSL
) -> None:
    state = imap.start("INBOX")
    bed.put(address, [letter(n) for n in range(60)])
    owner.select("INBOX")
    owner.uid("STORE", "1:20,30,32,34,50:60", "+FLAGS", r"\Deleted")
    owner.expunge()
    batches = list(imap.scan(state, since=TODAY, count=10))
    assert [len(batch.headers) for batch in batches] == [10, 10, 6]
    assert batches[-1].state.next_uid == 61
    # The newest ones gone before anybody looked: the state moves on all the same.
    bed.put(address, [letter(99)])
    owner.select("INBOX")
    owner.uid("STORE", "61", "+FLAGS", r"\Deleted")
    owner.expunge()
    [batch] = imap.scan(batches[-1].state, since=TODAY)
    assert (batch.headers, batch.state.next_uid) == ((), 62)
