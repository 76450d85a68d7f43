"""What comes out of a real mailbox: the bytes, how many of them, and how fast."""

import imaplib
import re
import ssl
import time
import tracemalloc
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from mailbox_scene import (
    LONG_AGO,
    MEGABYTE,
    TODAY,
    Tell,
    letter,
    open_imap,
    open_pop,
    subject,
    whole,
)

from devtools.testbed.bed import TestBed
from devtools.testbed.delay import DelayProxy
from mailkit.connection.settings import Security
from mailkit.errors import ErrorCode, MailError
from mailkit.imap.folders import sent_folder
from mailkit.imap.mailbox import ImapMailbox
from mailkit.message.fields import FIELDS
from mailkit.pop3 import Pop3Batch


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
        raw = whole(
            imap, "INBOX", header.uid, uid_validity=validity, max_octets=5 * MEGABYTE
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
        raw = whole(
            imap, "INBOX", 1, uid_validity=state.uid_validity, max_octets=8 * MEGABYTE
        )
    assert raw == message
    with open_pop(bed, address) as pop:
        [entry] = pop.entries()
        raw = whole(pop, entry, max_octets=8 * MEGABYTE)
        # Dovecot's POP3 ends the last line.
        assert raw == message or raw == message + b"\r\n"
        assert [e.uidl for e in pop.entries()] == [entry.uidl]


def test_message_above_the_limit(bed: TestBed, address: str) -> None:
    bed.put(address, [letter(1, b"x" * 1000), letter(2)])
    with open_imap(bed, address) as imap:
        validity = imap.start("INBOX").uid_validity
        for octets in (900, 50):
            with pytest.raises(MailError) as caught:
                whole(imap, "INBOX", 1, uid_validity=validity, max_octets=octets)
            assert caught.value.code is ErrorCode.MESSAGE_OVERSIZED
        assert whole(imap, "INBOX", 1, uid_validity=validity, max_octets=MEGABYTE)
    with open_pop(bed, address) as pop:
        with pytest.raises(MailError) as caught:
            whole(pop, pop.entries()[0], max_octets=900)
        assert caught.value.code is ErrorCode.MESSAGE_OVERSIZED
        assert whole(pop, pop.entries()[0], max_octets=MEGABYTE)


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
    local = imaplib.Internaldate2tuple(facts)
    assert local and time.mktime(local) == moment.timestamp()
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
        assert whole(pop, header.entry, max_octets=MEGABYTE) == letter(4)


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def test_first_look_through_ten_thousand(
    bed: TestBed, address: str, tell: Tell
) -> None:
    bed.put(address, (letter(n, b"x" * 500) for n in range(10_000)))
    trust = ssl.create_default_context(cadata=bed.ca_pem)
    items = f"(UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS ({FIELDS.decode()})])"
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
        for read_it in (
            lambda: whole(
                imap, "INBOX", 1, uid_validity=validity, max_octets=64 * MEGABYTE
            ),
            lambda: whole(pop, entry, max_octets=64 * MEGABYTE),
        ):
            tracemalloc.start()
            assert read_it() == message
            peaks.append(tracemalloc.get_traced_memory()[1] / size)
            left = tracemalloc.get_traced_memory()[0]
            tracemalloc.stop()
            assert left < MEGABYTE
    tell(f"{size / MEGABYTE:.0f} MB: peaks {[f'{peak:.2f}' for peak in peaks]}")
    assert max(peaks) < 2.5
