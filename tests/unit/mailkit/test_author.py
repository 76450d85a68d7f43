"""Who wrote a message, where From fields say it in more than one way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.answers.matching import Facts, Match, decide
from mailkit.message.address_fields import parse
from mailkit.message.author import author_of, shown_name
from mailkit.message.headers import parse_headers

C, A = "client@customer.test", "anna@corp.test"

ONE = [
    (C, ""),
    (f"Client <{C.upper()}>", "Client"),
    (f"Client <{C}>, {C}", "Client"),
    (f"'{C}' <'{C}'>", C),
    (f"{A} <{C}>", A),
    (f'"{A}" <{C}>', A),
    (f"=?utf-8?q?anna=40corp.test?= <{C}>", A),
    (f"{C} ({A})", A),
    (f"{A}: {C};", ""),
    (f"<@{A}:{C}>", ""),
    (f'"Open <{C}>', "Open"),
    (f"Doe, John <{C}>", "John"),
    (f"Client {C}", "Client"),
]
NOBODY = [
    "",
    "Mail Delivery System",
    f"{C}, {A}",
    f"{A};{C}",
    f"Team: {C}, {A};",
    f"<{C}> <{A}>",
    f"{C} {A}",
    f"<{C},{A}>",
    f'"{A}"',
    f'"{A}" <>',
    f"{A} <client>",
    f"<{A}",
    f"{C} <{A}",
    "=?utf-8?q?anna=40corp.test?=",
    "=?utf-8?q?Anna_=3Canna=40corp.test=3E?=",
    "an\\na@corp.test",
    f"(a (b) {A}) {C}",
]


@pytest.mark.parametrize(("value", "display"), ONE)
def test_one_mailbox_is_the_author(value: str, display: str) -> None:
    author = author_of(parse([value]))
    assert (author.email, author.display) == (C, display)


@pytest.mark.parametrize("value", NOBODY)
def test_otherwise_it_is_nobody(value: str) -> None:
    assert author_of(parse([value])).email == ""


@pytest.mark.parametrize("fields", [(C, A), (A, C), (C, f'"{A}"'), (C, f"<{A}")])
def test_all_from_fields_count(fields: tuple[str, ...]) -> None:
    block = "".join(f"From: {value}\r\n" for value in fields).encode()
    headers = parse_headers(block + b"In-Reply-To: <1@odoo.test>\r\n")
    assert headers.author.email == ""
    facts = Facts({"<1@odoo.test>": 1}, {1: (C, A)}, {}, ("anna@corp.test",))
    decision = decide(headers, facts)
    assert decision.match is Match.ANSWER
    assert not decision.from_addressee
    assert C in headers.author.display, "the quarantine tells what was there"


SHOWN = [
    ("Client", "Client"),
    ("  Ольга\t Client ", "Ольга Client"),
    (A, ""),
    (f"Anna ({A})", ""),
    ("anna\uff20corp.test", ""),
    ("=?utf-8?q?anna=40corp.test?=", ""),
    ("a\u202eb", "a b"),
]


@pytest.mark.parametrize(("display", "expected"), SHOWN)
def test_a_name_that_reads_as_an_address_is_not_shown(
    display: str, expected: str
) -> None:
    assert shown_name(display) == expected


@given(st.lists(st.sampled_from([C, A, "<", ">", '"', "(", ")", ",", ";", ":", " "])))
def test_whoever_is_the_author_stands_there_alone(pieces: list[str]) -> None:
    """Without brackets, quotes and comments around an address there is no name: two
    addresses are two."""
    value = "".join(pieces)
    author = author_of(parse([value]))
    if not set('<>"():') & set(value) and C in value and A in value:
        assert author.email == ""
    assert author.email in ("", C, A)
