"""Bounces, receipts and absence notes of many systems' shapes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail_samples import CUSTOMER, SIGNER, odoo_id, quick, sent_mail

from devtools.testbed import system_mail
from devtools.testbed.clients import answer, rewritten
from mailkit.answers.loops import is_automatic
from mailkit.answers.reports import Kind, Report, classify
from mailkit.message.headers import parse_headers

MISSED = "gone@customer.test"
STATUS = {"yahoo": "5.7.9", "exchange": "5.1.10", "postfix_delayed": "4.4.1"}
# These return nothing of the original but name it in In-Reply-To.
WITHOUT_COPY = {"domino"}


def told(raw: bytes) -> Report:
    report = classify(raw)
    assert report is not None
    return report


@pytest.mark.parametrize("system", system_mail.DELIVERY_REPORTS)
def test_delivery_reports(system: str) -> None:
    report = told(system_mail.delivery_report(system, sent_mail(), MISSED))
    assert report.kind is Kind.DELIVERY
    (recipient,) = report.recipients
    assert recipient.final == MISSED
    assert recipient.status == STATUS.get(system, "5.1.1")
    assert recipient.diagnostic
    assert recipient.failed is (system != "postfix_delayed")
    assert report.original is not None
    assert report.original.ids[0] == odoo_id(4711)
    assert "\n" not in recipient.diagnostic


@pytest.mark.parametrize(
    "system", sorted(set(system_mail.DELIVERY_REPORTS) - WITHOUT_COPY)
)
def test_the_returned_header_holds_our_mark(system: str) -> None:
    """So a provider that replaces Message-IDs doesn't hide which mail it was."""
    raw = system_mail.delivery_report(system, rewritten(sent_mail()), MISSED)
    original = told(raw).original
    assert original is not None
    assert original.headers is not None
    assert odoo_id(4711) in original.ids
    marks = SIGNER.in_headers(original.headers).values()
    assert {*marks} == {4711}


ACTIONS = [
    ("failed", "5.1.1", True),
    ("Delayed (still trying)", "4.0.0", False),
    ("delivered", "2.0.0", False),
    ("relayed", "5.0.0", False),
    ("expanded", "2.0.0", False),
    ("", "5.0.0", True),
    ("", "4.2.2", False),
    ("nonsense", "", False),
]


def dsn(
    *groups: str, kind: str = "multipart/report; report-type=delivery-status"
) -> bytes:
    status = "\n\n".join(("Reporting-MTA: dns; mx.test", *groups))
    text = (
        f"From: mailer-daemon@mx.test\nContent-Type: {kind}; boundary=b\n\n--b\n\n"
        f"Sorry.\n--b\nContent-Type: message/delivery-status\n\n{status}\n\n--b\n"
        f"Content-Type: message/rfc822\n\nMessage-ID: {odoo_id(1)}\nTo: a@x.test\n\n"
        "--b--\n"
    )
    return text.replace("\n", "\r\n").encode()


@pytest.mark.parametrize(("word", "status", "failed"), ACTIONS)
def test_actions(word: str, status: str, failed: bool) -> None:
    group = f"Final-Recipient: rfc822;a@x.test\nAction: {word}\nStatus: {status}"
    assert told(dsn(group)).recipients[0].failed is failed


def test_each_recipient_has_its_own_result() -> None:
    report = told(
        dsn(
            "Original-Recipient: rfc822;Sales@x.test\n"
            "Final-Recipient: rfc822; a@y.test\nAction: failed\n"
            "Status: 5.2.2 (full)\nRemote-MTA: dns; mx.y.test\n"
            "Diagnostic-Code: smtp; 552 5.2.2\n Mailbox is full",
            "Final-Recipient: <b@x.test>\nAction: delivered\nStatus: 2.0.0",
        )
    )
    full, fine = report.recipients
    assert (full.original, full.final) == ("sales@x.test", "a@y.test")
    assert full.status == "5.2.2"
    assert full.diagnostic == "552 5.2.2 Mailbox is full"
    assert fine.final == "b@x.test"
    assert (full.failed, fine.failed) == (True, False)


def test_a_status_part_in_a_mixed_mail_of_a_mail_system_counts() -> None:
    group = "Final-Recipient: rfc822;a@x.test\nAction: failed\nStatus: 5.1.1"
    assert told(dsn(group, kind="multipart/mixed")).recipients[0].failed


def test_the_recipient_of_the_original_stands_in_for_a_missing_one() -> None:
    report = told(dsn("Action: failed"))
    assert [(r.final, r.failed) for r in report.recipients] == [("a@x.test", True)]


@pytest.mark.parametrize("program", system_mail.READ_RECEIPTS)
def test_read_receipts_are_no_bounces(program: str) -> None:
    report = told(system_mail.read_receipt(program, sent_mail(), CUSTOMER))
    assert report == Report(Kind.READ_RECEIPT)


@pytest.mark.parametrize("system", system_mail.ABSENCE_NOTES)
def test_absence_notes(system: str) -> None:
    raw = system_mail.absence_note(system, sent_mail(), CUSTOMER)
    assert classify(raw) is None
    assert is_automatic(parse_headers(raw))


@pytest.mark.parametrize("client", ["gmail", "outlook_365", "thunderbird"])
def test_people_are_ordinary(client: str) -> None:
    assert classify(answer(client, sent_mail())) is None


def test_a_person_who_quotes_a_bounce_writes_no_bounce() -> None:
    bounce = system_mail.delivery_report("qmail", sent_mail(), MISSED)
    quoted = bounce.partition(b"\r\n\r\n")[2]
    raw = b"From: a@x.test\r\nSubject: failure notice\r\n\r\nWhat is this?\r\n" + quoted
    assert classify(raw) is None


_DAEMON = "From: Mail Delivery System <mailer-daemon@mx.test>\nSubject: failed\n"
_COPY = f"Message-ID: {odoo_id(1)}\nTo: one@x.test\n\nText\n"
WORDS = {
    # Exchange before 2007
    "Not reached:\n\none@x.test on Mon, 10 Mar 2025 11:00:00 +0000\n    Unknown name\n"
    "two@x.test on Mon, 10 Mar 2025 11:00:00 +0000\n    Mailbox full\n\n"
    f"-----Original Message-----\n{_COPY}": ["one@x.test", "two@x.test"],
    # GMX and 1&1
    "These failed:\n\n<one@x.test>\n\nReason:\nretried for too long\n\n"
    f"--- The header of the original message is following. ---\n\n{_COPY}": [
        "one@x.test"
    ],
    # Gmail until 2016
    "Failed permanently:\n\n     one@x.test\n\nThe other server said:\n550 5.1.1 no\n\n"
    f"----- Original message -----\n\n{_COPY}": ["one@x.test"],
    # Only the returned message says to whom
    f"421 mx.x.test... Deferred\n\n   ----- Unsent message follows -----\n{_COPY}": [
        "one@x.test"
    ],
}


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_reports_in_words(words: str, line_end: str) -> None:
    text = f"{_DAEMON}To: anna@brand-a.test\n\n{words}".replace("\n", line_end)
    report = told(text.encode())
    assert [recipient.final for recipient in report.recipients] == WORDS[words]
    assert report.original is not None
    assert report.original.ids == (odoo_id(1),)


_REPORT = b"Content-Type: multipart/report; boundary=b; report-type="
OTHER = [
    (_REPORT + b"feedback-report", Kind.OTHER),
    (_REPORT + b"tlsrpt", Kind.OTHER),
    (b"List-Id: <news.x.test>", None),
    (b"Precedence: bulk", None),
    (b"Auto-Submitted: auto-generated", None),
    (b"From: MAILER-DAEMON@x.test\r\nSubject: Quota report", None),
    (b"Subject: Undeliverable: really?", None),
]


@pytest.mark.parametrize(("head", "kind"), OTHER)
def test_other_mail(head: bytes, kind: Kind | None) -> None:
    if b"From:" not in head:
        head = b"From: a@x.test\r\n" + head
    report = classify(head + b"\r\n\r\nSome text.\r\n")
    assert (report and report.kind) is kind


def test_a_bomb_of_messages_in_messages_is_cheap() -> None:
    inner = b"Subject: x\r\n\r\n"
    for _level in range(3000):
        inner = b"Content-Type: message/rfc822\r\n\r\n" + inner
    edge = (
        b"From: mailer-daemon@x.test\r\nContent-Type: multipart/report; boundary=b\r\n"
    )
    many = b"--b\r\nContent-Type: message/delivery-status\r\n\r\n\r\n" * 50_000
    with quick(3):
        classify(edge + b"\r\n--b\r\n" + inner + b"\r\n--b--\r\n")
        classify(edge + b"\r\n" + many)


_LINES = st.sampled_from(
    [
        b"--b",
        b"--b--",
        b"",
        b"<a@x.test>:",
        b"550 5.1.1 no",
        b"Content-Type: message/rfc822",
    ]
    + [b"Content-Type: message/delivery-status", b"Final-Recipient: rfc822; a@x.test"]
    + [b"Action: failed", b"--- Below this line is a copy of the message.", b"\xff\x00"]
    + [b"Content-Type: multipart/report; boundary=b", b"From: mailer-daemon@x.test"]
)


@given(st.binary(max_size=1000) | st.lists(_LINES, max_size=40).map(b"\r\n".join))
def test_no_bytes_are_an_error(raw: bytes) -> None:
    report = classify(raw) or Report(Kind.OTHER)
    texts = [report.text]
    for recipient in report.recipients:
        assert recipient.final or recipient.original
        texts += [recipient.final, recipient.diagnostic]
    for text in texts:
        assert "\x00" not in text
        text.encode("utf-8")
