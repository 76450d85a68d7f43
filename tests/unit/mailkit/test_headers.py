"""Header blocks, from sound to senseless."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail_samples import quick

from mailkit.answers.loops import is_automatic
from mailkit.message.address import Address
from mailkit.message.address_fields import email_of, parse
from mailkit.message.fields import DELIVERY_FIELDS, FIELDS
from mailkit.message.headers import (
    MAX_REFERENCES,
    Headers,
    message_ids,
    message_key,
    parse_headers,
)

PROPERTIES = [
    name
    for name in dir(Headers)
    if not name.startswith("_") and name not in ("fields",)
]

IDS = [
    ("", ()),
    ("<a@b>", ("<a@b>",)),
    ("  <a@b>\r\n", ("<a@b>",)),
    # letters keep their case: ids that differ by it are two
    ("<AbC@Host.TEST>", ("<AbC@Host.TEST>",)),
    ("<a@b><c@d>", ("<a@b>", "<c@d>")),
    ("<a@b>,<c@d>;<e@f>", ("<a@b>", "<c@d>", "<e@f>")),
    ("<a@\r\n\tb> <c\r\n @d>", ("<a@b>", "<c@d>")),
    ("a@b c@d", ("<a@b>", "<c@d>")),
    ("<a@b> c@d", ("<a@b>", "<c@d>")),
    ("<<a@b>>", ("<a@b>",)),
    ("<a@b", ("<a@b>",)),
    ("<a@b and more", ("<a@b>",)),
    ("(Anna's <sic> mail) <a@b> (yes)", ("<sic>", "<a@b>")),
    ("(a comment with c@d in it) <a@b>", ("<a@b>",)),
    ("Your message of Monday <a@b>", ("<a@b>",)),
    ("=?utf-8?q?=3Ca=40b=3E?=", ("<a@b>",)),
    ("=?utf-8?q?=3Cvery-long?=\r\n =?utf-8?q?-id=40b=3E?=", ("<very-long-id@b>",)),
    ("<!&!AAAAAAAAAAAYAAAAAAAAAA==@outlook.test>",) * 2,
    ("<>", ()),
    ("< >", ()),
    ("nonsense", ()),
    ("<a\x00@b>", ("<a@b>",)),
    ("<no-at-sign>", ("<no-at-sign>",)),
    ("<YT4P@PROD.TEST>0ZDZhNWFiLWE0", ("<YT4P@PROD.TEST>",)),
    # once, where it stood last
    ("<a@b> <c@d> <a@b>", ("<c@d>", "<a@b>")),
    (f"<{'x' * 2000}@b> <c@d>", ("<c@d>",)),
]


@pytest.mark.parametrize(("value", "expected"), IDS)
def test_message_ids(value: str, expected: tuple[str, ...] | str) -> None:
    expected = (expected,) if isinstance(expected, str) else expected
    assert message_ids(value) == expected


ADDRESSES = [
    ("a@b.test", [("a@b.test", "")]),
    ("Anna <A.B@Brand.TEST>", [("a.b@brand.test", "Anna")]),
    (
        '"Doe, John" <j@x.test>, K <k@x.test>',
        [("j@x.test", "Doe, John"), ("k@x.test", "K")],
    ),
    ("Doe, John <j@x.test>", [("j@x.test", "John")]),
    ("j@x.test (John)", [("j@x.test", "John")]),
    ("=?utf-8?B?0IbQstCw0L0=?= <i@x.test>", [("i@x.test", "Іван")]),
    ('"=?utf-8?Q?J=C3=BCrgen?=" <j@x.test>', [("j@x.test", "Jürgen")]),
    ("=?utf-8?Q?Doe,_J?= <j@x.test>", [("j@x.test", "Doe, J")]),
    ("=?utf-8?Q?Anna_=3Ca=40x.test=3E?=", [("a@x.test", "Anna")]),
    ("Team: a@x.test, b@x.test;", [("a@x.test", ""), ("b@x.test", "")]),
    ("undisclosed-recipients:;", []),
    ("'a@x.test' <'a@x.test'>", [("a@x.test", "a@x.test")]),
    ("<@r.test,@s.test:a@x.test>", [("a@x.test", "")]),
    ('"Open <a@x.test>', [("a@x.test", "Open")]),
    ('"ceo@x.test" <evil@y.test>', [("evil@y.test", "ceo@x.test")]),
    ("Mail Delivery System", [("", "Mail Delivery System")]),
    ("Олена@x.test", [("Олена@x.test", "")]),
    ("<>", []),
]


@pytest.mark.parametrize(("value", "expected"), ADDRESSES)
def test_addresses(value: str, expected: list[tuple[str, str]]) -> None:
    found = parse([value])
    assert [(address.email, address.display) for address in found] == expected


SUBJECTS = [
    (b"Re: plain", "Re: plain"),
    (b"=?utf-8?B?0JLRltC00L8=?=: =?utf-8?Q?=D1=8F?=", "Відп: я"),
    # one character in two words
    (b"=?utf-8?Q?=D0?= =?utf-8?Q?=9F?=", "П"),
    (b"=?utf-8?Q?a?= =?iso-8859-1?Q?=FC?=", "aü"),
    (b"=?utf-8?Q?folded?=\r\n =?utf-8?Q?_on?=", "folded on"),
    (b"=?utf-8*en?Q?language?=", "language"),
    (b"=?x-none?Q?unknown?=", "unknown"),
    (b"=?punycode?Q?slow?=", "slow"),
    (b"=?utf-8?B?0J8?=", "П"),
    (b"=?utf-8?Q?a=0D=0ABcc:_b?=", "a Bcc: b"),
    (b"Gr\xfc\xdfe", "Grüße"),
    ("Відп".encode(), "Відп"),
    (b"a\x00b", "a b"),
    (b"=?broken", "=?broken"),
]


@pytest.mark.parametrize(("value", "expected"), SUBJECTS)
def test_subjects(value: bytes, expected: str) -> None:
    assert parse_headers(b"Subject: " + value + b"\r\n\r\n").subject == expected


DATES = [
    (
        b"Mon, 10 Mar 2025 11:00:00 +0100",
        datetime(2025, 3, 10, 10, tzinfo=timezone.utc),
    ),
    (b"10 Mar 2025 11:00:00 -0000", datetime(2025, 3, 10, 11, tzinfo=timezone.utc)),
    (b"Mon, 32 Jan 2025 00:00:00 +0000", None),
    (b"Fri, 31 Dec 9999 23:59:59 -1200", None),
    (b"yesterday", None),
    (b"", None),
]


@pytest.mark.parametrize(("value", "expected"), DATES)
def test_dates(value: bytes, expected: datetime | None) -> None:
    assert parse_headers(b"Date: " + value + b"\r\n").date == expected


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n", b"\r", b"\r\r\n"])
def test_every_line_end_divides_the_header_from_the_body(line_end: bytes) -> None:
    lines = [
        b"Subject: a",
        b"X: b",
        b" folded",
        b"From: a@b.test",
        b"",
        b"To: c@d.test",
    ]
    headers = parse_headers(line_end.join(lines))
    assert (headers.subject, headers.author.email, headers.to) == ("a", "a@b.test", ())


def test_of_endless_references_the_newest_count() -> None:
    many = b"\r\n ".join(b"<%d@x.test>" % n for n in range(50_000))
    with quick(2):
        headers = parse_headers(b"References: " + many + b"\r\n\r\n")
        found = headers.ancestors
    assert found[-1] == "<49999@x.test>"
    assert len(found) == MAX_REFERENCES


def test_fields_that_tell_programs_from_people() -> None:
    headers = parse_headers(
        b"Return-Path: <>\r\nAuto-Submitted: Auto-Replied (vacation); x=y\r\n"
        b"Precedence: BULK\r\nX-Autoreply: yes\r\n"
        b"X-Failed-Recipients: a@x.test, B@x.test\r\n"
        b'Content-Type: multipart/report;\r\n report-type="Delivery-Status"; b=c\r\n'
    )
    assert headers.has_null_path
    assert headers.auto_submitted == "auto-replied"
    assert headers.precedence == "bulk"
    assert headers.has_automatic_fields
    assert headers.failed_recipients == ("a@x.test", "b@x.test")
    assert headers.content_type == "multipart/report"
    assert headers.report_type == "delivery-status"


def test_every_field_that_servers_add_for_the_recipient_of_the_envelope() -> None:
    names = [name.encode() for name in DELIVERY_FIELDS]
    for name in names:
        block = b"%s: <A.B@Brand.TEST>, c@d.test\r\n\r\n" % name.title()
        assert parse_headers(block).delivered_to == ("a.b@brand.test", "c@d.test")
    # An alias goes before the mailbox that it leads to, wherever they stand.
    block = b"Delivered-To: box@x.test\r\nDelivered-To: in@x.test\r\n"
    block += b"X-Original-To: alias@x.test\r\nEnvelope-To: box@x.test\r\n\r\n"
    found = parse_headers(block).delivered_to
    assert found == ("alias@x.test", "box@x.test", "in@x.test")
    assert parse_headers(b"To: a@x.test\r\n\r\n").delivered_to == ()


class Noted(dict[str, list[bytes]]):
    """Fields that remember which of them were asked for."""

    def __init__(self) -> None:
        self.asked: set[object] = set()

    def get(self, name: str, *default: object) -> object:  # type: ignore[override]
        self.asked.add(name)
        return super().get(name, *default)

    def __contains__(self, name: object) -> bool:
        self.asked.add(name)
        return super().__contains__(name)


def test_imap_is_asked_for_every_field_that_is_read() -> None:
    fields = Noted()
    headers = Headers(fields)
    for name in PROPERTIES:
        getattr(headers, name)
    is_automatic(headers)
    names = FIELDS.decode().lower().split()
    assert fields.asked == set(names)
    assert len(names) == len(set(names))
    # RFC 2683, 3.2.1.5: a command line of about 1000 octets, with some UIDs.
    assert len(FIELDS) < 800


def test_nothing_is_found_in_nothing() -> None:
    headers = parse_headers(b"")
    assert not headers.has_null_path
    assert headers.date is None
    assert not headers.message_id
    assert headers.author.email == ""


MAIL = (
    b"From: a@b.test\r\nTo: c@d.test\r\nSubject: Hi\r\n there\r\n"
    b"Date: Mon, 10 Mar 2025 11:00:00 +0100\r\n\r\nThe text.\r\nMore.\r\n"
)
SAME_MAIL = [
    b"Received: by mx.test; now\r\nDelivered-To: x@y.test\r\nX-Spam: no\r\n" + MAIL,
    MAIL.replace(b"\r\n", b"\n"),
    MAIL + b"\r\n\r\n",
    MAIL.replace(b"Hi\r\n there", b"Hi there"),
]
OTHER_MAIL = [
    MAIL.replace(b"text", b"words"),
    MAIL.replace(b"11:00", b"11:01"),
    MAIL.replace(b"a@b", b"z@b"),
]


def test_copies_without_message_id_have_one_key_and_other_mail_another() -> None:
    key = message_key(parse_headers(MAIL), MAIL)
    assert key.startswith("sha256:")
    for copy in SAME_MAIL:
        assert message_key(parse_headers(copy), copy) == key
    for other in OTHER_MAIL:
        assert message_key(parse_headers(other), other) != key


def test_a_message_id_is_the_key_however_it_was_folded() -> None:
    plain, folded = b"Message-ID: <a@b>\r\n", b"message-id:\r\n <a\r\n @b>\r\n"
    keys = {message_key(parse_headers(m + MAIL), m + MAIL) for m in (plain, folded)}
    assert keys == {"<a@b>"}


_FRAGMENTS = st.sampled_from(
    [
        b"<",
        b">",
        b'"',
        b"\\",
        b"(",
        b")",
        b"=?utf-8?B?",
        b"=?utf-8?Q?",
        b"?=",
        b"@",
        b",",
    ]
    + [
        b"\r\n ",
        b"\n",
        b"\r",
        b"\x00",
        b"\xff",
        b"<a@b>",
        b";",
        b":",
        b"a b",
        b"\xd0\xb9",
    ]
)
_NAMES = st.sampled_from(
    [b"From", b"To", b"Subject", b"References", b"In-Reply-To", b"Message-ID", b"Date"]
    + [b"Content-Type", b"Return-Path", b"List-Id", b"Thread-Index", b"X-Autoreply"]
)
_VALUES = st.lists(_FRAGMENTS | st.binary(max_size=8), max_size=30).map(b"".join)
BLOCKS = st.binary(max_size=2000) | st.lists(
    st.tuples(_NAMES, _VALUES).map(lambda field: b"%s: %s\r\n" % field), max_size=10
).map(b"".join)


@given(BLOCKS)
def test_no_bytes_are_an_error_and_what_comes_out_can_be_stored(block: bytes) -> None:
    headers = parse_headers(block)
    for name in PROPERTIES:
        for text in _texts(getattr(headers, name)):
            text.encode("utf-8")  # no half surrogates
            assert "\x00" not in text
    assert parse_headers(block) == headers
    assert message_key(headers, block)


def _texts(value: object) -> list[str]:
    if isinstance(value, tuple):
        return [text for item in value for text in _texts(item)]
    if isinstance(value, Address):
        return [value.email, value.display]
    return [value] if isinstance(value, str) else []


@given(st.text() | _VALUES.map(lambda value: value.decode("latin-1")))
def test_normal_forms_stay_as_they_are(value: str) -> None:
    ids = message_ids(value)
    assert message_ids(" ".join(ids)) == ids
    email = email_of(value)
    assert email_of(email) == email
    for address in parse([value]):
        assert email_of(address.email) == address.email


HOSTILE = [
    b"<",
    b'"',
    b"(",
    b"\\",
    b"=?",
    b"=?utf-8?Q?",
    b'"\\"',
    b"<a",
    b"a@",
    b",",
    b";",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_repetitions_take_no_time(piece: bytes) -> None:
    value = piece * (300_000 // len(piece))
    names = (b"From", b"Subject", b"References", b"Content-Type", b"Date", b"List-Id")
    with quick(3):
        headers = parse_headers(b"".join(b"%s: %s\r\n" % (n, value) for n in names))
        for name in PROPERTIES:
            getattr(headers, name)


def test_a_mailbox_of_ten_thousand_is_read_in_seconds() -> None:
    """About 0.1 ms each; the limit only catches what is slower by an order."""
    junk = b"".join(b"X-Junk-%d: %s\r\n" % (n, b"x" * 70) for n in range(40))
    block = junk + MAIL.partition(b"\r\n\r\n")[0] + b"\r\nMessage-ID: <a@b>\r\n\r\n"
    with quick(10):
        for _message in range(10_000):
            headers = parse_headers(block)
            assert headers.message_id
            assert headers.author
            assert not headers.ancestors


def test_dates_are_comparable() -> None:
    date = parse_headers(b"Date: 10 Mar 2025 11:00:00\r\n").date
    assert date is not None
    assert date.utcoffset() == timedelta(0)
