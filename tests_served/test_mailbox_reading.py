"""Reading a real mailbox: everything new is found, and nobody can tell it was read."""

import hashlib
import imaplib
import json
import re
import ssl
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime, timedelta, timezone

import pytest

from devtools.testbed.bed import TestBed
from devtools.testbed.delay import DelayProxy
from mailkit.errors import ErrorCode, MailError
from mailkit.imap_folders import FolderUse, sent_folder
from mailkit.imap_grammar import internal_date
from mailkit.imap_mailbox import ImapMailbox
from mailkit.imap_state import Batch, FolderState
from mailkit.pop3_mailbox import Pop3Batch, Pop3Mailbox
from mailkit.reading import FIELDS
from mailkit.settings import Credentials, Protocol, Security, Server

TODAY = datetime.now(timezone.utc).date()
LONG_AGO = TODAY - timedelta(days=3000)
MEGABYTE = 1024 * 1024


def letter(number: int, body: bytes = b"Hello\r\n", more: bytes = b"") -> bytes:
    return (
        b"Return-Path: <client@customer.test>\r\n"
        b"Received: from mail.customer.test by mail.brand-a.test with ESMTP\r\n"
        b"Message-ID: <m%d@customer.test>\r\nFrom: client@customer.test\r\n"
        b"To: anna@brand-a.test\r\nSubject: Letter %d\r\n"
        b"X-Spam-Report: long\r\n long\r\n"
        b"%bContent-Type: text/plain\r\n\r\n%b"
    ) % (number, number, more, body)


Tell = Callable[[str], None]


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Write a line with what was measured into pytest's output."""

    def write(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n  {line}\n")

    return write


@pytest.fixture
def address(bed: TestBed, request: pytest.FixtureRequest) -> str:
    """A mailbox of this test's own."""
    digest = hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    own = f"reader-{digest}@brand-a.test"
    bed.add_mailbox(own)
    return own


@pytest.fixture
def imap(bed: TestBed, address: str) -> Iterator[ImapMailbox]:
    with open_imap(bed, address) as mailbox:
        yield mailbox


@pytest.fixture
def owner(bed: TestBed, address: str) -> Iterator[imaplib.IMAP4_SSL]:
    """A second client: the mailbox's owner."""
    trust = ssl.create_default_context(cadata=bed.ca_pem)
    client = imaplib.IMAP4_SSL(bed.host, bed.imap_ssl, ssl_context=trust, timeout=30)
    client.login(address, bed.password(address))
    yield client
    client.logout()


def settings(bed: TestBed, protocol: Protocol, port: int, **more: object) -> Server:
    values: dict[str, object] = {
        "security": Security.SSL,
        "ca_pem": bed.ca_pem,
        "allow_private": True,
        "timeout": 20.0,
        **more,
    }
    return Server(protocol, bed.host, port, **values)  # type: ignore[arg-type]


def open_imap(bed: TestBed, address: str, port: int = 0, **more: object) -> ImapMailbox:
    server = settings(bed, Protocol.IMAP, port or bed.imap_ssl, **more)
    mailbox = ImapMailbox(server, Credentials(address, bed.password(address)))
    mailbox.open()
    mailbox.login()
    return mailbox


def open_pop(bed: TestBed, address: str, port: int = 0, **more: object) -> Pop3Mailbox:
    server = settings(bed, Protocol.POP3, port or bed.pop3_ssl, **more)
    mailbox = Pop3Mailbox(server, Credentials(address, bed.password(address)))
    mailbox.open()
    mailbox.login()
    return mailbox


def look(imap: ImapMailbox, state: FolderState) -> tuple[FolderState, list[str]]:
    """Return the state afterwards and the subjects that came."""
    batches: list[Batch] = list(imap.scan(state, since=LONG_AGO))
    found = [subject(h.raw) for batch in batches for h in batch.headers]
    return (batches[-1].state if batches else state), found


def subject(raw: bytes) -> str:
    found = re.search(rb"^Subject: (.*)\r$", raw, re.MULTILINE)
    assert found, raw
    return found.group(1).decode()


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
    received = batch.headers[0].received
    assert received is not None
    assert abs(received - (now - timedelta(days=5))) < timedelta(seconds=2)
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
                    fetched = imap.fetch(
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
                pop.fetch(header.entry, max_octets=MEGABYTE)
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
            imap.fetch("INBOX", uid, uid_validity=validity, max_octets=MEGABYTE)
        assert caught.value.code is ErrorCode.MESSAGE_GONE
    place = imap.find("<m4@customer.test>")
    assert place is not None and place.path == "Filed"
    raw = imap.fetch(
        place.path, place.uid, uid_validity=place.uid_validity, max_octets=MEGABYTE
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
            imap.fetch(
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


def test_only_needed_fields_are_transferred(
    bed: TestBed, address: str, imap: ImapMailbox
) -> None:
    state = imap.start("INBOX")
    huge = b"References: " + b"<x@y>\r\n " * 20_000 + b"<m7@brand-a.test>\r\n"
    endless = b"X-Endless: " + b"x" * (2 * MEGABYTE) + b"\r\n"
    bed.put(address, [letter(1, more=endless), letter(2, more=huge)])
    [batch] = imap.scan(state, since=TODAY)
    first, second = sorted(batch.headers, key=lambda h: subject(h.raw))
    assert b"X-Spam-Report" not in first.raw and b"Received:" not in first.raw
    assert b"Message-ID: <m1@customer.test>\r\n" in first.raw
    assert (first.truncated, second.truncated) == (False, True)
    assert len(second.raw) == 65536
    validity = batch.state.uid_validity
    for header, sent in ((first, endless), (second, huge)):
        raw = imap.fetch(
            "INBOX", header.uid, uid_validity=validity, max_octets=5 * MEGABYTE
        )
        assert sent in raw


NASTY = {
    "dots": b".\r\n..\r\n...\r\n.x\r\n\r\n.\r\n",
    "no end of line": b"The end",
    "eight bits": bytes(range(128, 256)) + b"\r\n",
    "endless line": b"x" * (3 * MEGABYTE) + b"\r\n",
    "empty": b"",
    "blank lines": b"\r\n" * 1000,
    "dots everywhere": b"..\r\n.\r\n" * 300_000,
    "exactly a chunk": b"y" * 78,
}


@pytest.mark.parametrize("kind", NASTY)
def test_every_byte_arrives(bed: TestBed, address: str, kind: str) -> None:
    message = letter(1, NASTY[kind])
    if kind == "exactly a chunk":
        message += b"z" * (2 * MEGABYTE - len(message))
    bed.put(address, [message])
    with open_imap(bed, address) as imap:
        state = imap.start("INBOX")
        raw = imap.fetch(
            "INBOX", 1, uid_validity=state.uid_validity, max_octets=8 * MEGABYTE
        )
    assert raw == message
    with open_pop(bed, address) as pop:
        [entry] = pop.entries()
        raw = pop.fetch(entry, max_octets=8 * MEGABYTE)
        # Dovecot's POP3 ends the last line.
        assert raw == message or raw == message + b"\r\n"
        assert [e.uidl for e in pop.entries()] == [entry.uidl]


def test_message_above_the_limit(bed: TestBed, address: str) -> None:
    bed.put(address, [letter(1, b"x" * 1000), letter(2)])
    with open_imap(bed, address) as imap:
        validity = imap.start("INBOX").uid_validity
        for octets in (900, 50):
            with pytest.raises(MailError) as caught:
                imap.fetch("INBOX", 1, uid_validity=validity, max_octets=octets)
            assert caught.value.code is ErrorCode.MESSAGE_OVERSIZED
        assert imap.fetch("INBOX", 1, uid_validity=validity, max_octets=MEGABYTE)
    with open_pop(bed, address) as pop:
        with pytest.raises(MailError) as caught:
            pop.fetch(pop.entries()[0], max_octets=900)
        assert caught.value.code is ErrorCode.MESSAGE_OVERSIZED
        assert pop.fetch(pop.entries()[0], max_octets=MEGABYTE)


def test_idle_look_is_short(bed: TestBed, address: str, tell: Tell) -> None:
    """Plain text, so that the proxy sees what goes through TLS elsewhere."""
    bed.put(address, [letter(1)])
    with open_imap(bed, address) as imap:
        state = imap.start("INBOX")
    plain = {"security": Security.NONE}
    with DelayProxy(bed.imap_starttls, keep_log=True) as proxy:
        with open_imap(bed, address, proxy.port, **plain) as imap:
            status = imap.status(["INBOX"])["INBOX"]
            assert not isinstance(status, MailError) and state.is_current(status)
    verbs = re.findall(rb"^\w+ ([A-Z]+)", bytes(proxy.log), re.MULTILINE)
    tell(f"IMAP, idle: {len(verbs)} commands, {proxy.octets} bytes")
    assert verbs == [b"AUTHENTICATE", b"STATUS", b"LOGOUT"]
    assert proxy.octets < 2000
    with DelayProxy(bed.pop3_starttls, keep_log=True) as proxy:
        with open_pop(bed, address, proxy.port, **plain) as pop:
            assert pop.status().messages == 1
    verbs = re.findall(rb"^([A-Z]+)", bytes(proxy.log), re.MULTILINE)
    tell(f"POP3, idle: {len(verbs)} commands, {proxy.octets} bytes")
    assert verbs == [b"CAPA", b"USER", b"PASS", b"STAT", b"QUIT"]
    assert proxy.octets < 1000


def test_copy_of_sent_mail(
    bed: TestBed, address: str, imap: ImapMailbox, owner: imaplib.IMAP4_SSL
) -> None:
    owner.create("Copies")
    folder = sent_folder(imap.folders())
    assert folder is not None
    moment = datetime(2024, 2, 29, 12, 30, 5, tzinfo=timezone(timedelta(hours=2)))
    assert not imap.has_message(folder.path, "<m1@customer.test>")
    imap.append_sent(folder.path, letter(1).replace(b"\r\n", b"\n"), moment)
    assert imap.has_message(folder.path, "<m1@customer.test>")
    assert not imap.has_message(folder.path, "<m@customer.test>")
    owner.select("Copies", readonly=True)
    _ok, [(facts, raw), _end] = owner.fetch("1", "(FLAGS INTERNALDATE BODY.PEEK[])")
    assert raw == letter(1)
    assert rb"\Seen" in facts
    assert internal_date(facts.split(b'"')[1]) == moment
    with pytest.raises(MailError) as caught:
        imap.append_sent("nowhere", letter(1), moment)
    assert caught.value.code is ErrorCode.FOLDER_MISSING
    assert not caught.value.in_doubt
    assert imap.status(["INBOX"])["INBOX"].messages == 0  # type: ignore[union-attr]


def test_pop3_shows_what_is_new(bed: TestBed, address: str) -> None:
    bed.put(address, [letter(n) for n in range(3)])
    with open_pop(bed, address) as pop:
        before, known = pop.status(), {entry.uidl for entry in pop.entries()}
    assert before.messages == len(known) == 3
    bed.put(address, [letter(4)])
    with open_pop(bed, address) as pop:
        assert pop.status() != before
        new = [entry for entry in pop.entries() if entry.uidl not in known]
        [batch] = pop.headers(new)
        [header] = batch.headers
        assert subject(header.raw) == "Letter 4" and not header.truncated
        assert header.raw.endswith(b"\r\n\r\n") and b"Received:" in header.raw
        assert pop.fetch(header.entry, max_octets=MEGABYTE) == letter(4)


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def test_first_look_through_ten_thousand(
    bed: TestBed, address: str, tell: Tell
) -> None:
    bed.put(address, (letter(n, b"x" * 500) for n in range(10_000)))
    trust = ssl.create_default_context(cadata=bed.ca_pem)
    items = (
        f"(UID RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER.FIELDS ({FIELDS.decode()})])"
    )
    raw = imaplib.IMAP4_SSL(bed.host, bed.imap_ssl, ssl_context=trust, timeout=60)
    raw.login(address, bed.password(address))
    raw.select("INBOX", readonly=True)
    raw.uid("FETCH", "1:*", items)  # Dovecot makes its cache the first time
    expected = raw.uid("FETCH", "1:*", items)[1]
    bare = min(timed(lambda: raw.uid("FETCH", "1:*", items)) for _ in range(3))
    raw.logout()
    with open_imap(bed, address) as imap:
        state = imap.start("INBOX", since=LONG_AGO)
        batches = list(imap.scan(state, since=TODAY))
        ours = min(timed(lambda: list(imap.scan(state, since=TODAY))) for _ in range(3))
    headers = [header.raw for batch in batches for header in batch.headers]
    assert headers == [item[1] for item in expected if isinstance(item, tuple)]
    tell(f"IMAP, 10,000 headers: {ours:.2f} s, imaplib {bare:.2f} s")
    assert ours < 3 * bare + 0.5
    read: list[Pop3Batch] = []
    with DelayProxy(bed.pop3_ssl, round_trip=0.05) as proxy:
        with open_pop(bed, address, proxy.port) as pop:
            entries = pop.entries()
            taken = timed(lambda: read.extend(pop.headers(entries)))
    assert sum(len(batch.headers) for batch in read) == 10_000
    tell(f"POP3, 10,000 headers at 50 ms: {taken:.2f} s")
    assert taken < 60  # one after the other: at least 500 s


def test_large_message_costs_little_memory(
    bed: TestBed, address: str, tell: Tell
) -> None:
    message = letter(
        1, b"All work and no play makes this line rather dull.\r\n" * 10**6
    )
    bed.put(address, [message])
    size = len(message)
    peaks = []
    with open_imap(bed, address) as imap, open_pop(bed, address) as pop:
        validity = imap.start("INBOX").uid_validity
        [entry] = pop.entries()
        for _ in range(2):
            for read_it in (
                lambda: imap.fetch(
                    "INBOX", 1, uid_validity=validity, max_octets=64 * MEGABYTE
                ),
                lambda: pop.fetch(entry, max_octets=64 * MEGABYTE),
            ):
                tracemalloc.start()
                assert read_it() == message
                peaks.append(tracemalloc.get_traced_memory()[1] / size)
                left = tracemalloc.get_traced_memory()[0]
                tracemalloc.stop()
                assert left < MEGABYTE
    tell(f"{size / MEGABYTE:.0f} MB: peaks {[f'{peak:.2f}' for peak in peaks]}")
    assert max(peaks) < 2.5
