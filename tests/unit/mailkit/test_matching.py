"""Which mail answers one of ours: the decisions, case by case."""

import pytest
from mail_samples import CUSTOMER, SENT_AT, SIGNER, odoo_id

from mailkit.answers.matching import (
    Decision,
    Facts,
    Match,
    MatchReason,
    base_subject,
    decide,
    decide_body,
)
from mailkit.answers.token import Signer, reference
from mailkit.message.headers import parse_headers

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
    (f"References: {odoo_id(1)}", Match.ANSWER, MatchReason.MESSAGE_ID, 1, True),
    (f"In-Reply-To: {odoo_id(1)}", Match.ANSWER, MatchReason.MESSAGE_ID, 1, True),
    # the last one counts, wherever unknown ones stand
    (
        f"References: {odoo_id(2)} <x@y> {odoo_id(1)} <z@y>",
        Match.ANSWER,
        MatchReason.MESSAGE_ID,
        1,
        True,
    ),
    (
        f"References: {odoo_id(1)}\nIn-Reply-To: {odoo_id(2)}",
        Match.ANSWER,
        MatchReason.MESSAGE_ID,
        2,
        False,
    ),
    (f"References: <x@y> {MARK_1} <z@y>", Match.ANSWER, MatchReason.TOKEN, 1, True),
    (f"Thread-Index: {INDEX_1}", Match.ANSWER, MatchReason.THREAD_INDEX, 1, True),
    # a References mark is nearer than the conversation's first mail
    (
        f"References: {MARK_1}\nThread-Index: {SIGNER.thread_index(4711, SENT_AT)}",
        Match.ANSWER,
        MatchReason.TOKEN,
        1,
        True,
    ),
    # somebody we never wrote to
    (
        f"From: x@stranger.test\nReferences: {odoo_id(1)}",
        Match.ANSWER,
        MatchReason.MESSAGE_ID,
        1,
        False,
    ),
    # the same person's other spellings
    (
        f"From: Client+tag@Customer.TEST\nReferences: {odoo_id(1)}",
        Match.ANSWER,
        MatchReason.MESSAGE_ID,
        1,
        True,
    ),
    (
        f"From: \nReferences: {odoo_id(1)}",
        Match.ANSWER,
        MatchReason.MESSAGE_ID,
        1,
        False,
    ),
    # forged, or the message has been deleted
    (
        f"References: {FORGED}",
        Match.BODY_NEEDED,
        MatchReason.FROM_ADDRESSEE,
        None,
        True,
    ),
    (
        f"From: x@stranger.test\nReferences: {MARK_GONE}",
        Match.NONE,
        MatchReason.UNRELATED,
        None,
        False,
    ),
    # no id, but somebody we wrote to
    ("In-Reply-To: <x@y>", Match.BODY_NEEDED, MatchReason.FROM_ADDRESSEE, None, True),
    (
        "Subject: AW: Re[2]: Offer for  the kitchen",
        Match.BODY_NEEDED,
        MatchReason.FROM_ADDRESSEE,
        None,
        True,
    ),
    ("Subject: Lunch?", Match.NONE, MatchReason.UNRELATED, None, False),
    (
        "From: x@stranger.test\nIn-Reply-To: <x@y>\nSubject: Re: Offer for the kitchen",
        Match.NONE,
        MatchReason.UNRELATED,
        None,
        False,
    ),
    # the account's own mail
    (
        f"From: {OWN}\nMessage-ID: {odoo_id(1)}\nReferences: {odoo_id(1)} {MARK_1}",
        Match.OWN_COPY,
        MatchReason.SENT_BY_ODOO,
        1,
        False,
    ),
    # its Message-ID was replaced on the way out
    (
        f"From: {OWN}\nMessage-ID: <new@ses>\nX-Odoo-Message-Id: {odoo_id(1)}\n"
        f"References: {odoo_id(1)} {MARK_1}",
        Match.OWN_COPY,
        MatchReason.SENT_BY_ODOO,
        1,
        False,
    ),
    (
        f"From: {OWN}\nReferences: {odoo_id(1)}",
        Match.OWN_COPY,
        MatchReason.OWN_ANSWER,
        1,
        False,
    ),
    (f"From: {OWN}\nIn-Reply-To: <x@y>", Match.NONE, MatchReason.OWN_MAIL, None, False),
    # what Odoo holds already, or a foreign mail with an id of ours
    (f"Message-ID: {odoo_id(2)}", Match.NONE, MatchReason.ALREADY_KNOWN, None, False),
    # reports are read before anything is believed
    (
        f"Content-Type: multipart/report; report-type=delivery-status\n"
        f"References: {odoo_id(1)}",
        Match.REPORT,
        MatchReason.LOOKS_LIKE_REPORT,
        1,
        False,
    ),
    (
        "From: Mail Delivery System <MAILER-DAEMON@mx.test>",
        Match.REPORT,
        MatchReason.LOOKS_LIKE_REPORT,
        None,
        False,
    ),
    (
        "Return-Path: <>\nSubject: Undeliverable: Offer",
        Match.REPORT,
        MatchReason.LOOKS_LIKE_REPORT,
        None,
        False,
    ),
    ("", Match.NONE, MatchReason.UNRELATED, None, False),
]


def decision(header: str, facts: Facts = FACTS) -> Decision:
    if "From:" not in header:
        header = f"From: Client <{CUSTOMER}>\n{header}"
    headers = parse_headers(header.replace("\n", "\r\n").encode())
    return decide(headers, facts, SIGNER.in_headers(headers))


@pytest.mark.parametrize(("header", "match", "reason", "message", "known"), DECISIONS)
def test_decisions(
    header: str, match: Match, reason: MatchReason, message: int | None, known: bool
) -> None:
    found = decision(header)
    assert (found.match, found.reason) == (match, reason)
    assert found.message == message
    assert found.from_addressee is known


def test_everything_that_decides_is_looked_up() -> None:
    header = (
        "Message-ID: <own@x>\r\nReferences: <a@x> <b@x>\r\nIn-Reply-To: <b@x>\r\n"
        "X-Odoo-Message-Id: <o@x>\r\nX-Microsoft-Original-Message-ID: <m@x>\r\n"
    )
    found = {*parse_headers(header.encode()).all_ids}
    assert sorted(found) == ["<a@x>", "<b@x>", "<m@x>", "<o@x>", "<own@x>"]


def test_a_report_that_is_none_is_an_answer_after_all() -> None:
    headers = parse_headers(
        "From: postmaster@customer.test\r\nSubject: Re: Delivery problem\r\n"
        f"In-Reply-To: {odoo_id(1)}\r\n".encode()
    )
    assert decide(headers, FACTS).match is Match.REPORT
    assert decide(headers, FACTS, is_report=False).match is Match.ANSWER


def test_of_several_marks_in_a_quoted_history_the_newest_is_answered() -> None:
    headers = parse_headers(f"From: {CUSTOMER}\r\n".encode())
    marks = [1, 4711, 99]
    assert decide_body(headers, FACTS, marks).message == 4711
    assert decide_body(headers, FACTS, [99]).match is Match.NONE


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
