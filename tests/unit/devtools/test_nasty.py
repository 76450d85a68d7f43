"""The nasty messages: they are many, and none of them hides an answer."""

import time

import pytest

from devtools.testbed.nasty import UNRECOGNISABLE, corpus
from mailkit.answers import matching, reports
from mailkit.answers.token import Signer
from mailkit.message.headers import message_key, parse_headers

ANSWERED = "<4711.1741597200.123456-openerp-55-project.task@odoo-host>"
FACTS = matching.Facts({ANSWERED: 4711}, {4711: {"client@customer.test"}})
SIGNER = Signer(b"k" * 32, "database")
CORPUS = corpus(ANSWERED)


def test_there_are_enough_each_with_a_reason_of_its_own() -> None:
    assert len(CORPUS) >= 60
    assert len({nasty.reason for nasty in CORPUS.values()}) == len(CORPUS)
    assert len({nasty.raw for nasty in CORPUS.values()}) == len(CORPUS)


@pytest.mark.parametrize("name", CORPUS)
def test_it_is_recognised_as_an_answer_quickly(name: str) -> None:
    raw = CORPUS[name].raw
    started = time.process_time()
    headers = parse_headers(raw)
    found = matching.decide(headers, FACTS, SIGNER.in_headers(headers))
    assert message_key(headers, raw)
    assert SIGNER.in_message(raw) == ()
    report = reports.classify(raw)
    assert time.process_time() - started < 2
    if name in UNRECOGNISABLE:
        assert found.match is matching.Match.NONE
    else:
        assert (found.match, found.message) == (matching.Match.ANSWER, 4711)
        assert report is None


@pytest.mark.parametrize("name", sorted(set(CORPUS) - UNRECOGNISABLE))
def test_the_same_fault_in_other_mail_matches_nothing(name: str) -> None:
    headers = parse_headers(corpus()[name].raw)
    found = matching.decide(headers, FACTS, SIGNER.in_headers(headers))
    assert found.match is matching.Match.NONE
