"""Ways to write somebody else's address into a From header."""

from email.utils import getaddresses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.message.address import Address
from mailkit.message.address_fields import header_addresses

CEO = "ceo@brand-a.test"


@pytest.mark.parametrize(
    "text",
    [
        "ceo@brand-a.test",
        "CEO@Brand-A.Test",
        "The Boss <ceo@brand-a.test>",
        '"The Boss" <ceo@brand-a.test>',
        '"ceo"@brand-a.test',
        'Boss <"ceo"@brand-a.test>',
        "ceo(a comment)@brand-a.test",
        "ceo @ brand-a.test",
        "ceo@brand-a.test.",
        "<@relay.test:ceo@brand-a.test>",
        "friends: ceo@brand-a.test;",
        "friends: a@b.test, ceo@brand-a.test;",
        "evil@customer.test, ceo@brand-a.test",
        "ceo@brand-a.test, evil@customer.test",
        "evil@customer.test <ceo@brand-a.test>",
        "<<ceo@brand-a.test>>",
        "<ceo@brand-a.test",
        "ceo@brand-a.test> <",
        "[ceo@brand-a.test]",
        "\tceo@brand-a.test\r\n ",
        # what some program makes of it
        "ceo@brand(a comment)-a.test",
        "ceo((a) comment)@brand-a.test",
        'ceo@brand-a.test"Boss" <other@x.test>',
        '"ceo@brand-a.test" <other@x.test',
        '"Boss \\" <ceo@brand-a.test>',
        '"ceo@brand-a.test"',
        "a@b@brand-a.test, ceo@brand-a.test@x.test",
        "ce\\o@brand-a.test",
        "'ceo@brand-a.test'",
        "ceo\u200b@brand\u00ad-a.test",
        "ceo@brand -a.test",
        "=?utf-8?q?ceo=40brand-a=2Etest?=",
        "<=?utf-8?b?Y2VvQGJyYW5kLWEudGVzdA==?=>",
        "=?utf-8?q?ceo=40brand-a.test?= =?utf-8?q?x?=",
        '"ceo"@brand-a.test"a"',
        '"ceo"@brand-a.test"a" <',
        '"ceo"@brand-a.test\\x',
        '<@r.test:"ceo"@brand-a.test"x">',
        'x: "c"eo@brand-a.test"x"',
        "ceo@brand-a\u2024test",
        "ceo@brand-a\uff0etest",
        "ceo@brand-a.test\u3002",
        "ceo@brand-a.test\uff61",
        "ceo@br\u1806and-a.test",
        # longer than any header of a person
        "x" * 60_000 + " <ceo@brand-a.test>",
        '"' * 60_000 + "<ceo@brand-a.test>",
        '"ceo@brand-a.test' + "x" * 1000 + '" <other@x.test>, ceo@brand-a.test',
        "x@y.test, " * 6000 + "ceo@brand-a.test",
    ],
)
def test_every_way_to_write_it_is_seen(text: str) -> None:
    assert CEO in header_addresses(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Boss",
        "other@brand-a.test",
        "ceo@brand-a.test.evil.test",
        "xceo@brand-a.test",
        '"ceo@brand-a.test" <other@brand-a.test>',
        '"Boss, ceo@brand-a.test" <"other"@brand-a.test>, "ceo@x" <y@x.test>',
        "other@brand-a.test (ceo@brand-a.test)",
        "\u212aeo@brand-a.test",
    ],
)
def test_others_are_not_taken_for_it(text: str) -> None:
    assert CEO not in header_addresses(text)


def test_domain_in_both_spellings() -> None:
    assert header_addresses("Бос <ceo@бренд.test>") == header_addresses(
        "ceo@xn--90agc6an.test"
    )


_SIGNS = st.sampled_from(
    ["ceo", "@", "b.test", *'"\\()<>[],;: .', "=?utf-8?q?a=40b.test?=", "\n ", "\ud800"]
)


@given(st.one_of(st.text(max_size=60), st.lists(_SIGNS, max_size=20).map("".join)))
def test_no_text_breaks_it(text: str) -> None:
    assert isinstance(header_addresses(text), frozenset)


_PARTS = st.sampled_from(
    ["ceo@b.test", "x@y.test", "Boss", '"Boss"', '"a, b"', " ", ", ", "; ", "<", ">"]
)


@given(st.lists(_PARTS, max_size=9).map("".join))
def test_no_address_is_missed_that_pythons_parser_finds(text: str) -> None:
    found = {Address(address).key for _name, address in getaddresses([text])}
    assert found - {""} <= header_addresses(text)
