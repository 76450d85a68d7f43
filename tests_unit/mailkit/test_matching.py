"""Which mail answers one of ours: decisions, and answers of real programs' shapes."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mail_samples import CUSTOMER, SENT_AT, SIGNER, odoo_id, sent_mail

from devtools.testbed import system_mail
from devtools.testbed.clients import CLIENTS, answer, rewritten
from mailkit.headers import parse_headers
from mailkit.loops import Automatic, automatic
from mailkit.matching import (
    Decision,
    Facts,
    Outcome,
    Reason,
    base_subject,
    candidate_ids,
    decide,
    decide_body,
)
from mailkit.token import Signer, Token, reference

OWN = "anna@brand-a.test"
FACTS = Facts(
    messages={odoo_id(1): 1, odoo_id(2): 2},
    addressees={1: {CUSTOMER}, 2: {"other@customer.test"}, 4711: {CUSTOMER}},
    correspondents={CUSTOMER: {"offer for the kitchen"}},
    own={OWN},
)
MARK_1 = reference(SIGNER.token(1, 3), "brand-a.test")
MARK_GONE = reference(SIGNER.token(99, 3), "brand-a.test")
FORGED = reference(Signer(b"f" * 32, "x").token(1, 3), "brand-a.test")
INDEX_1 = SIGNER.thread_index(1, SENT_AT)

DECISIONS = [
    # (header, outcome, why, message, from an addressee)
    (f"References: {odoo_id(1)}", Outcome.ANSWER, Reason.MESSAGE_ID, 1, True),
    (f"In-Reply-To: {odoo_id(1)}", Outcome.ANSWER, Reason.MESSAGE_ID, 1, True),
    # the last one counts, wherever unknown ones stand
    (
        f"References: {odoo_id(2)} <x@y> {odoo_id(1)} <z@y>",
        Outcome.ANSWER,
        Reason.MESSAGE_ID,
        1,
        True,
    ),
    (
        f"References: {odoo_id(1)}\nIn-Reply-To: {odoo_id(2)}",
        Outcome.ANSWER,
        Reason.MESSAGE_ID,
        2,
        False,
    ),
    (f"References: <x@y> {MARK_1} <z@y>", Outcome.ANSWER, Reason.TOKEN, 1, True),
    (f"Thread-Index: {INDEX_1}", Outcome.ANSWER, Reason.THREAD_INDEX, 1, True),
    # a References mark is nearer than the conversation's first mail
    (
        f"References: {MARK_1}\nThread-Index: {SIGNER.thread_index(4711, SENT_AT)}",
        Outcome.ANSWER,
        Reason.TOKEN,
        1,
        True,
    ),
    # somebody we never wrote to
    (
        f"From: x@stranger.test\nReferences: {odoo_id(1)}",
        Outcome.ANSWER,
        Reason.MESSAGE_ID,
        1,
        False,
    ),
    # the same person's other spellings
    (
        f"From: Client+tag@Customer.TEST\nReferences: {odoo_id(1)}",
        Outcome.ANSWER,
        Reason.MESSAGE_ID,
        1,
        True,
    ),
    (f"From: \nReferences: {odoo_id(1)}", Outcome.ANSWER, Reason.MESSAGE_ID, 1, False),
    # forged, or the message has been deleted
    (
        f"References: {FORGED}",
        Outcome.BODY_NEEDED,
        Reason.FROM_ADDRESSEE,
        None,
        True,
    ),
    (
        f"From: x@stranger.test\nReferences: {MARK_GONE}",
        Outcome.NONE,
        Reason.UNRELATED,
        None,
        False,
    ),
    # no id, but somebody we wrote to
    ("In-Reply-To: <x@y>", Outcome.BODY_NEEDED, Reason.FROM_ADDRESSEE, None, True),
    (
        "Subject: AW: Re[2]: Offer for  the kitchen",
        Outcome.BODY_NEEDED,
        Reason.FROM_ADDRESSEE,
        None,
        True,
    ),
    ("Subject: Lunch?", Outcome.NONE, Reason.UNRELATED, None, False),
    (
        "From: x@stranger.test\nIn-Reply-To: <x@y>\nSubject: Re: Offer for the kitchen",
        Outcome.NONE,
        Reason.UNRELATED,
        None,
        False,
    ),
    # the account's own mail
    (
        f"From: {OWN}\nMessage-ID: {odoo_id(1)}\nReferences: {odoo_id(1)} {MARK_1}",
        Outcome.OWN_COPY,
        Reason.SENT_BY_ODOO,
        1,
        False,
    ),
    # its Message-ID was replaced on the way out
    (
        f"From: {OWN}\nMessage-ID: <new@ses>\nX-Odoo-Message-Id: {odoo_id(1)}\n"
        f"References: {odoo_id(1)} {MARK_1}",
        Outcome.OWN_COPY,
        Reason.SENT_BY_ODOO,
        1,
        False,
    ),
    (
        f"From: {OWN}\nReferences: {odoo_id(1)}",
        Outcome.OWN_COPY,
        Reason.OWN_ANSWER,
        1,
        False,
    ),
    (f"From: {OWN}\nIn-Reply-To: <x@y>", Outcome.NONE, Reason.OWN_MAIL, None, False),
    # what Odoo holds already, or a foreign mail with an id of ours
    (f"Message-ID: {odoo_id(2)}", Outcome.NONE, Reason.ALREADY_KNOWN, None, False),
    # reports are read before anything is believed
    (
        f"Content-Type: multipart/report; report-type=delivery-status\n"
        f"References: {odoo_id(1)}",
        Outcome.REPORT,
        Reason.LOOKS_LIKE_REPORT,
        1,
        False,
    ),
    (
        "From: Mail Delivery System <MAILER-DAEMON@mx.test>",
        Outcome.REPORT,
        Reason.LOOKS_LIKE_REPORT,
        None,
        False,
    ),
    (
        "Return-Path: <>\nSubject: Undeliverable: Offer",
        Outcome.REPORT,
        Reason.LOOKS_LIKE_REPORT,
        None,
        False,
    ),
    ("", Outcome.NONE, Reason.UNRELATED, None, False),
]


def decision(header: str, facts: Facts = FACTS) -> Decision:
    if "From:" not in header:
        header = f"From: Client <{CUSTOMER}>\n{header}"
    headers = parse_headers(header.replace("\n", "\r\n").encode())
    return decide(headers, facts, SIGNER.in_headers(headers))


@pytest.mark.parametrize(("header", "outcome", "reason", "message", "known"), DECISIONS)
def test_decisions(
    header: str, outcome: Outcome, reason: Reason, message: int | None, known: bool
) -> None:
    found = decision(header)
    assert (found.outcome, found.reason) == (outcome, reason)
    assert found.message == message
    assert found.from_addressee is known


def test_everything_that_decides_is_looked_up() -> None:
    header = (
        "Message-ID: <own@x>\r\nReferences: <a@x> <b@x>\r\nIn-Reply-To: <b@x>\r\n"
        "X-Odoo-Message-Id: <o@x>\r\nX-Microsoft-Original-Message-ID: <m@x>\r\n"
    )
    found = candidate_ids(parse_headers(header.encode()))
    assert sorted(found) == ["<a@x>", "<b@x>", "<m@x>", "<o@x>", "<own@x>"]


def test_a_report_that_is_none_is_an_answer_after_all() -> None:
    headers = parse_headers(
        "From: postmaster@customer.test\r\nSubject: Re: Delivery problem\r\n"
        f"In-Reply-To: {odoo_id(1)}\r\n".encode()
    )
    assert decide(headers, FACTS).outcome is Outcome.REPORT
    assert decide(headers, FACTS, is_report=False).outcome is Outcome.ANSWER


def test_of_several_marks_in_a_quoted_history_the_newest_is_answered() -> None:
    headers = parse_headers(f"From: {CUSTOMER}\r\n".encode())
    tokens = [Token(1, 3), Token(4711, 3), Token(99, 3)]
    assert decide_body(headers, FACTS, tokens).message == 4711
    assert decide_body(headers, FACTS, [Token(99, 3)]).outcome is Outcome.NONE


@pytest.mark.parametrize(
    "subject",
    [
        "Re: Hi",
        "RE:Hi",
        "AW: re: hi",
        "Відп.: Hi",
        "Fwd: Re[3]: Hi",
        "SV: Hi",
        "回复：Hi",
    ],
)
def test_base_subjects(subject: str) -> None:
    assert base_subject(subject) == "hi"


def test_a_subject_keeps_what_is_no_prefix() -> None:
    assert base_subject("Offer: kitchen") == "offer: kitchen"
    assert base_subject("Reference: 12") == "reference: 12"


AUTOMATIC = [
    ("", None),
    ("X-Auto-Response-Suppress: All", None),
    ("Precedence: list\nList-Id: <l.test>", None),
    ("Auto-Submitted: no", None),
    ("Subject: Automatic doors and gates", None),
    ("Subject: Absent-minded", None),
    ("Auto-Submitted: auto-replied", Automatic.AUTO_REPLIED),
    ("Auto-Submitted: auto-generated", Automatic.AUTO_GENERATED),
    ("Auto-Submitted: auto-generated\nIn-Reply-To: <a@b>", Automatic.AUTO_REPLIED),
    ("Auto-Submitted: auto-notified; owner-email=x", Automatic.AUTO_GENERATED),
    ("X-Autoreply: yes", Automatic.AUTO_REPLIED),
    ("X-Autorespond: hi", Automatic.AUTO_REPLIED),
    ("Precedence: auto_reply", Automatic.AUTO_REPLIED),
    ("Precedence: bulk", Automatic.BULK),
    ("Precedence: junk\nSubject: Out of the office", Automatic.AUTO_REPLIED),
    (
        "X-Auto-Response-Suppress: All\nSubject: Automatische Antwort: Angebot",
        Automatic.AUTO_REPLIED,
    ),
    ("Return-Path: <>\nSubject: Автоматична відповідь: x", Automatic.AUTO_REPLIED),
    ("Return-Path: <>", Automatic.NULL_SENDER),
    ("Content-Type: multipart/report; report-type=delivery-status", Automatic.REPORT),
    (f"From: {OWN}\nX-Odoo-Message-Id: {odoo_id(1)}", Automatic.OWN),
]


@pytest.mark.parametrize(("header", "why"), AUTOMATIC)
def test_what_was_written_by_a_program(header: str, why: Automatic | None) -> None:
    if "From:" not in header:
        header = f"From: {CUSTOMER}\n{header}"
    headers = parse_headers(header.replace("\n", "\r\n").encode())
    assert automatic(headers, {OWN}) is why


def arrived(raw: bytes, facts: Facts = FACTS) -> Decision:
    """What becomes of a raw message, header first, then, if need be, its body."""
    headers = parse_headers(raw)
    found = decide(headers, facts, SIGNER.in_headers(headers))
    if found.outcome is Outcome.BODY_NEEDED:
        return decide_body(headers, facts, SIGNER.in_message(raw))
    return found


def known(message: int, *, with_id: bool) -> Facts:
    return Facts(
        messages={odoo_id(message): message} if with_id else {},
        addressees={message: {CUSTOMER}},
        correspondents={CUSTOMER: set()},
        own={OWN},
    )


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("replaced", [False, True])
@settings(max_examples=20)
@given(message=st.integers(1, 2**31 - 1), text=st.text(max_size=200))
def test_every_programs_answer_finds_its_message(
    client: str, replaced: bool, message: int, text: str
) -> None:
    """Also when a provider gave our mail another Message-ID, which we never learn."""
    original = sent_mail(message)
    if replaced:
        original = rewritten(original)
    text = re.sub(r"[\ud800-\udfff]", "", text)
    raw = answer(client, original, sender=f"C <{CUSTOMER}>", text=text)
    found = arrived(raw, known(message, with_id=True))
    assert (found.outcome, found.message) == (Outcome.ANSWER, message)
    assert found.from_addressee
    assert found.automatic is None


@pytest.mark.parametrize("client", CLIENTS)
def test_marks_alone_are_enough(client: str) -> None:
    """No Message-ID of ours is known, and the answer's header names nothing of ours."""
    raw = answer(client, rewritten(sent_mail()), sender=CUSTOMER)
    head, separator, body = raw.partition(b"\r\n\r\n")
    head = re.sub(rb"(?im)^(references|thread-index):.*(\r\n[ \t].*)*\r\n", b"", head)
    found = arrived(head + separator + body, known(4711, with_id=False))
    assert (found.outcome, found.reason) == (Outcome.ANSWER, Reason.BODY_TOKEN)
    assert found.message == 4711


@pytest.mark.parametrize("client", CLIENTS)
def test_an_answer_to_other_mail_is_never_matched(client: str) -> None:
    other = Signer(b"o" * 32, "another database")
    mark = reference(other.token(1, 3), "x.test")
    foreign = (
        f"Message-ID: <f@x.test>\r\nReferences: {mark}\r\n"
        f"Thread-Index: {other.thread_index(1, SENT_AT)}\r\nSubject: Private\r\n"
        f"From: friend@x.test\r\nTo: {CUSTOMER}\r\n\r\nmea.{other.token(1, 3)}\r\n"
    )
    found = arrived(answer(client, foreign.encode(), sender=CUSTOMER))
    assert found.outcome is Outcome.NONE


@given(st.binary(max_size=2000))
def test_no_bytes_match_by_chance(raw: bytes) -> None:
    assert arrived(raw).outcome in (Outcome.NONE, Outcome.REPORT)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_forwarded_answer_of_a_stranger_is_marked(client: str) -> None:
    raw = answer(client, sent_mail(), sender="Wife <wife@home.test>")
    found = arrived(raw, known(4711, with_id=True))
    assert (found.outcome, found.from_addressee) == (Outcome.ANSWER, False)


@pytest.mark.parametrize("system", system_mail.ABSENCE_NOTES)
def test_absence_notes_trigger_nothing(system: str) -> None:
    raw = system_mail.absence_note(system, sent_mail(), CUSTOMER)
    headers = parse_headers(raw)
    assert automatic(headers) is Automatic.AUTO_REPLIED
    found = decide(headers, known(4711, with_id=True), SIGNER.in_headers(headers))
    if headers.in_reply_to:
        assert (found.outcome, found.message) == (Outcome.ANSWER, 4711)
        assert found.automatic is Automatic.AUTO_REPLIED


@pytest.mark.parametrize("system", system_mail.DELIVERY_REPORTS)
def test_delivery_reports_are_looked_into(system: str) -> None:
    raw = system_mail.delivery_report(system, sent_mail(), CUSTOMER)
    assert arrived(raw).outcome is Outcome.REPORT


def test_our_own_mail_in_the_sent_folder_is_no_answer_to_itself() -> None:
    for copy in (sent_mail(), rewritten(sent_mail())):
        found = arrived(copy, known(4711, with_id=True))
        assert (found.outcome, found.reason) == (Outcome.OWN_COPY, Reason.SENT_BY_ODOO)
