"""Which mail answers one of ours: the decisions, case by case."""

import pytest
from mail_samples import CUSTOMER, SENT_AT, SIGNER, odoo_id

from mailkit.answers.matching import (
    Decision,
    Facts,
    Outcome,
    Reason,
    base_subject,
    candidate_ids,
    decide,
    decide_body,
)
from mailkit.answers.token import Signer, Token, reference
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
