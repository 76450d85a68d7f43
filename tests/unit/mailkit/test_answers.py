"""Answers and reports of real programs' shapes find the message they are about."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mail_samples import CUSTOMER, SENT_AT, SIGNER, odoo_id, sent_mail

from devtools.testbed import system_mail
from devtools.testbed.clients import CLIENTS, answer, rewritten
from mailkit.answers.loops import is_automatic
from mailkit.answers.matching import (
    Decision,
    Facts,
    Match,
    MatchReason,
    decide,
    decide_body,
)
from mailkit.answers.token import Signer, reference
from mailkit.message.headers import parse_headers

OWN = "anna@brand-a.test"
NOBODY = Facts(correspondents={CUSTOMER: set()}, own={OWN})


def arrived(raw: bytes, facts: Facts = NOBODY) -> Decision:
    """What becomes of a raw message, header first, then, if need be, its body."""
    headers = parse_headers(raw)
    found = decide(headers, facts, SIGNER.in_headers(headers))
    if found.match is Match.BODY_NEEDED:
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
    assert (found.match, found.message) == (Match.ANSWER, message)
    assert found.from_addressee
    assert not found.is_automatic


@pytest.mark.parametrize("client", CLIENTS)
def test_marks_alone_are_enough(client: str) -> None:
    """No Message-ID of ours is known, and the answer's header names nothing of ours."""
    raw = answer(client, rewritten(sent_mail()), sender=CUSTOMER)
    head, separator, body = raw.partition(b"\r\n\r\n")
    head = re.sub(rb"(?im)^(references|thread-index):.*(\r\n[ \t].*)*\r\n", b"", head)
    found = arrived(head + separator + body, known(4711, with_id=False))
    assert (found.match, found.reason) == (Match.ANSWER, MatchReason.BODY_TOKEN)
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
    assert found.match is Match.NONE


@given(st.binary(max_size=2000))
def test_no_bytes_match_by_chance(raw: bytes) -> None:
    assert arrived(raw).match in (Match.NONE, Match.REPORT)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_forwarded_answer_of_a_stranger_is_marked(client: str) -> None:
    raw = answer(client, sent_mail(), sender="Wife <wife@home.test>")
    found = arrived(raw, known(4711, with_id=True))
    assert (found.match, found.from_addressee) == (Match.ANSWER, False)


@pytest.mark.parametrize("system", system_mail.ABSENCE_NOTES)
def test_absence_notes_trigger_nothing(system: str) -> None:
    raw = system_mail.absence_note(system, sent_mail(), CUSTOMER)
    headers = parse_headers(raw)
    assert is_automatic(headers)
    found = decide(headers, known(4711, with_id=True), SIGNER.in_headers(headers))
    if headers.ancestors:
        assert (found.match, found.message) == (Match.ANSWER, 4711)
        assert found.is_automatic


@pytest.mark.parametrize("system", system_mail.DELIVERY_REPORTS)
def test_delivery_reports_are_looked_into(system: str) -> None:
    raw = system_mail.delivery_report(system, sent_mail(), CUSTOMER)
    assert arrived(raw).match is Match.REPORT


def test_our_own_mail_in_the_sent_folder_is_no_answer_to_itself() -> None:
    for copy in (sent_mail(), rewritten(sent_mail())):
        found = arrived(copy, known(4711, with_id=True))
        assert (found.match, found.reason) == (Match.OWN_COPY, MatchReason.SENT_BY_ODOO)
