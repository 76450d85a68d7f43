"""Large mailboxes, large and broken messages: exactly the answers, nothing else."""

import base64
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import mailbox_steps as box
import pytest
import steps
from site_setup import Site

from devtools.testbed import clients, nasty
from mailkit.message.headers import message_key, parse_headers

ANNA = "anna@brand-a.test"
CLIENT = "client@customer.test"
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def address_id(site: Site) -> Iterator[int]:
    """Anna's mailbox, connected."""
    site.bed.clear()
    site.remove_accounts()
    steps.forget_tests(site.odoo)
    yield box.connect(site, ANNA)
    site.remove_accounts()


@pytest.fixture
def task(site: Site) -> int:
    customers = (site.ids["customer"],)
    return steps.new_task(site.admin, site.ids["project_brand_a"], "Much", customers)


def unrelated(number: int) -> bytes:
    """Other mail: of strangers, of the same customer, of lists, of mail systems."""
    sender = ("friend@customer.test", "news@shop.test", CLIENT, "MAILER-DAEMON@mx.test")
    more = ("", "List-Id: <news.shop.test>\r\n", "References: <a@b.test>\r\n", "")
    return (
        f"From: {sender[number % 4]}\r\nTo: {ANNA}\r\nSubject: Other {number}\r\n"
        f"Message-ID: <other{number}@elsewhere.test>\r\n{more[number % 4]}"
        "Date: Mon, 10 Mar 2025 11:00:00 +0000\r\n\r\nNot for Odoo\r\n"
    ).encode()


def test_50_answers_among_10000_other_messages(
    site: Site, address_id: int, task: int
) -> None:
    site.bed.clear(ANNA)
    original = box.ask(site, address_id, task, CLIENT)
    names = sorted(clients.CLIENTS)
    mailbox = [unrelated(number) for number in range(10_000)]
    for number in range(50):
        answer = clients.answer(names[number % 8], original, text=f"Answer {number}.")
        mailbox.insert(200 * number, answer)
    site.bed.put(ANNA, mailbox)
    before = box.contents(site, ANNA)
    assert len(before) == 10_050
    log = len(site.bed.log())
    box.fetch(site, address_id, 180)
    found = [re.search(r"Answer (\d+)\.", m["body"]) for m in box.mails(site, task)]
    assert sorted(int(match[1]) for match in found if match) == list(range(50))
    assert len(found) == 50
    assert box.quarantine(site) == []
    assert box.contents(site, ANNA) == before
    left = {a.partition("@")[2] for a in box.left_for(site, log)}
    assert left <= {"corp.test"}, "only colleagues are told"
    [[bounced]] = steps.sql(site.odoo, "SELECT sum(message_bounce) FROM res_partner")
    assert not bounced


def test_nasty_answers_stop_no_fetch_and_none_is_lost(
    site: Site, address_id: int, task: int
) -> None:
    site.bed.clear(ANNA)
    original = parse_headers(box.ask(site, address_id, task, CLIENT))
    corpus = nasty.corpus(original.message_id)
    assert len(corpus) >= 60
    site.bed.put(ANNA, [unrelated(1), *(n.raw for n in corpus.values()), unrelated(2)])
    before = box.contents(site, ANNA)
    log = len(site.bed.log())
    box.fetch(site, address_id, 180)
    rows = steps.sql(
        site.odoo,
        "SELECT key, state, mail_message_id, a.id IS NOT NULL"
        "  FROM mail_external_arrival r LEFT JOIN ir_attachment a"
        "    ON a.res_model = 'mail.external.arrival' AND a.res_id = r.id"
        "   AND a.res_field = 'raw'"
        " WHERE r.address_id = %s",
        address_id,
    )
    ledger = {key: row for key, *row in rows}
    lost = []
    for name, each in corpus.items():
        if name in nasty.UNRECOGNISABLE:
            continue
        key = message_key(parse_headers(each.raw), each.raw)
        state, message, source = ledger.get(key, ("missing", None, False))
        if not (state == "done" and message) and not (state == "quarantine" and source):
            lost.append((name, state, message, source))
    assert lost == [], lost
    assert "<other1@elsewhere.test>" not in ledger
    assert box.contents(site, ANNA) == before
    left = {a.partition("@")[2] for a in box.left_for(site, log)}
    assert left <= {"corp.test"}, left
    box.thread(site.anna, task)


def large(original: bytes, number: int) -> bytes:
    """An answer of 50 MB."""
    content = base64.encodebytes(os.urandom(36 * MEGABYTE)).replace(b"\n", b"\r\n")
    return with_part(
        original,
        number,
        b'Content-Type: application/zip; name="a.zip"\r\n'
        b'Content-Disposition: attachment; filename="a.zip"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n" + content,
    )


def with_part(original: bytes, number: int, part: bytes) -> bytes:
    """An answer with a further part."""
    reply = clients.answer("k9_mail", original, text=f"Large {number}")
    head, _, body = reply.partition(b"\r\n\r\n")
    fields, _, kind = head.partition(b"Content-Type:")
    boundary = b"b%d" % len(part)
    return b"".join(
        (
            fields.rstrip(b"\r\n"),
            b'\r\nContent-Type: multipart/mixed; boundary="%s"\r\n\r\n' % boundary,
            b"--%s\r\nContent-Type:" % boundary,
            kind + b"\r\n\r\n" + body + b"\r\n",
            b"--%s\r\n" % boundary + part + b"\r\n--%s--\r\n" % boundary,
        )
    )


@pytest.fixture
def peak(site: Site) -> Callable[[], float]:
    """Return what the Odoo process took more than now, at most, in MB."""
    process = Path(f"/proc/{site.odoo.pids[0]}")

    def read(name: str) -> int:
        found = re.search(rf"{name}:\s+(\d+) kB", (process / "status").read_text())
        assert found
        return int(found[1])

    (process / "clear_refs").write_text("5")
    before = read("VmRSS")
    return lambda: (read("VmHWM") - before) / 1024


def test_answers_of_50_mb_take_a_bounded_amount_of_memory(
    site: Site, address_id: int, task: int, peak: Callable[[], float]
) -> None:
    count = 3
    site.bed.clear(ANNA)
    original = box.ask(site, address_id, task, CLIENT)
    site.bed.put(ANNA, [large(original, number) for number in range(count)])
    box.fetch(site, address_id, 120)
    assert peak() <= 400
    mails = box.mails(site, task)
    assert len(mails) == count
    [[size]] = steps.sql(
        site.odoo,
        "SELECT min(file_size) FROM ir_attachment WHERE res_model = 'project.task'"
        " AND res_id = %s",
        task,
    )
    assert size == 36 * MEGABYTE
    site.bed.clear(ANNA)


def attached(original: bytes) -> bytes:
    """An answer with another one of 50 MB as an attachment."""
    inner = large(original, 1)
    return with_part(original, 2, b"Content-Type: message/rfc822\r\n\r\n" + inner)


def long_text(original: bytes) -> bytes:
    """An answer with 50 MB of text."""
    text = b"A line of a text that does not end.\r\n" * (50 * MEGABYTE // 37)
    return with_part(original, 1, b"Content-Type: text/plain\r\n\r\n" + text)


def many_files(original: bytes) -> bytes:
    """An answer of 50 MB in 500 files."""
    data = base64.encodebytes(os.urandom(73_000)).replace(b"\n", b"\r\n")
    kind = b"Content-Type: image/png; name=x.png\r\n"
    file = kind + b"Content-Transfer-Encoding: base64\r\n\r\n" + data
    inner = b"".join(b"--in\r\n" + file + b"\r\n" for _number in range(500))
    kind = b"Content-Type: multipart/mixed; boundary=in\r\n\r\n"
    return with_part(original, 1, kind + inner + b"--in--")


@pytest.mark.parametrize("make", [attached, long_text, many_files])
def test_whatever_makes_them_so_large(
    site: Site,
    address_id: int,
    task: int,
    peak: Callable[[], float],
    make: Callable[[bytes], bytes],
) -> None:
    site.bed.clear(ANNA)
    original = box.ask(site, address_id, task, CLIENT)
    raw = make(original)
    site.bed.put(ANNA, [raw])
    box.fetch(site, address_id, 120)
    used = peak()
    [mail] = box.mails(site, task)
    assert "Large" in mail["body"]
    [[count, size]] = steps.sql(
        site.odoo,
        "SELECT count(*), sum(file_size) FROM ir_attachment"
        " WHERE res_model = 'project.task' AND res_id = %s",
        task,
    )
    expected = {
        attached: (2, len(large(original, 1)) + 36 * MEGABYTE),
        long_text: (1, 37 * (50 * MEGABYTE // 37)),
        many_files: (500, 500 * 73_000),
    }
    assert (count, size) == expected[make]
    assert used <= 400
    site.bed.clear(ANNA)
