"""Marks in sent mail: who can make them, and what they survive."""

import base64
import re
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail_samples import SENT_AT, SIGNER, quick

from mailkit.answers.token import (
    THREAD_INDEX,
    Signer,
    html_mark,
    reference,
    text_mark,
)
from mailkit.message.headers import parse_headers

IDS = st.integers(0, 2**31 - 1)
TOKEN = SIGNER.token(4711, 3)
OTHERS = [
    Signer(b"x" * 32, SIGNER.database),
    Signer(SIGNER.key, "a copy of the database"),
]


def mail(body: str, kind: str = "text/plain", encoding: str = "8bit") -> bytes:
    head = (
        f"Content-Type: {kind}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}"
    )
    return f"{head}\r\n\r\n{body}\r\n".encode()


@given(IDS, IDS)
def test_what_was_signed_comes_back(message: int, address: int) -> None:
    token = SIGNER.token(message, address)
    assert re.fullmatch("[a-z2-7]{32}", token)
    assert SIGNER.verify(token) == message
    assert SIGNER.verify(token.upper()) == message
    index = SIGNER.thread_index(message, SENT_AT)
    assert SIGNER.from_thread_index(index) == message


@given(
    IDS, IDS, st.integers(0, 31), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567")
)
def test_a_changed_token_is_refused(
    message: int, address: int, place: int, letter: str
) -> None:
    token = SIGNER.token(message, address)
    changed = token[:place] + letter + token[place + 1 :]
    assert changed == token or SIGNER.verify(changed) is None


@pytest.mark.parametrize("other", OTHERS)
def test_another_key_or_database_signs_nothing_for_us(other: Signer) -> None:
    assert SIGNER.verify(other.token(1, 1)) is None
    assert SIGNER.from_thread_index(other.thread_index(1, SENT_AT)) is None
    assert SIGNER.in_message(mail(text_mark(other.token(1, 1)))) == ()


@given(
    st.text() | st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=32, max_size=32)
)
def test_nobody_guesses(value: str) -> None:
    assert SIGNER.verify(value) is None
    assert SIGNER.from_thread_index(value) is None


def test_parts_of_a_token_are_nothing() -> None:
    for end in range(32):
        assert SIGNER.verify(TOKEN[:end]) is None
    assert SIGNER.verify(TOKEN + "a") is None


def test_a_token_of_one_kind_is_none_of_the_other() -> None:
    raw = base64.b32decode(TOKEN.upper())
    index = base64.b64encode(bytes(6) + raw[:4] + raw[8:]).decode()
    assert SIGNER.from_thread_index(index) is None


def test_the_key_has_to_be_a_key_and_stays_secret() -> None:
    with pytest.raises(ValueError, match="fewer than 16"):
        Signer(b"short", "x")
    assert "kkk" not in repr(SIGNER)


SURVIVES = [
    text_mark(TOKEN),
    f"> > > Ref: mea.{TOKEN}",
    f"> Ref:\r\n> mea.{TOKEN}",
    f"MEA.{TOKEN.upper()}",
    f"https://safe.test/?url={quote(f'https://x.test/?r=mea.{TOKEN}', safe='')}&data=1",
    f"mea.{TOKEN[:20]}\u200b{TOKEN[20:]}",
]
SURVIVES_IN_HTML = [
    html_mark(TOKEN),
    f'<div style="font-size:10px">Ref: mea.{TOKEN}</div>',
    f"<span style='display:none;mso-hide:all'>mea.{TOKEN}<o:p></o:p></span>",
    f"<span class=SpellE>mea</span>.<span class=SpellE>{TOKEN}</span>",
    f"mea.{TOKEN[:15]}<wbr>{TOKEN[15:]}",
    f'<a href="https://x.test/mea.{TOKEN}">link</a>',
    f"<blockquote><blockquote>Ref: mea.{TOKEN}</blockquote></blockquote>",
]


@pytest.mark.parametrize("body", SURVIVES)
def test_marks_survive_in_text(body: str) -> None:
    assert SIGNER.in_message(mail(body)) == (4711,)


@pytest.mark.parametrize("body", SURVIVES_IN_HTML)
def test_marks_survive_in_html(body: str) -> None:
    assert SIGNER.in_message(mail(body, "text/html")) == (4711,)


def test_marks_survive_transfer_encodings() -> None:
    mark = text_mark(TOKEN)
    base = base64.encodebytes(("x" * 50 + mark).encode()).decode()
    assert SIGNER.in_message(mail(base, encoding="base64")) == (4711,)
    cut = f"{'x' * 60} mea.{TOKEN[:5]}=\r\n{TOKEN[5:]}"
    assert SIGNER.in_message(mail(cut, encoding="quoted-printable"))


def test_marks_are_found_in_headers() -> None:
    mark = reference(TOKEN, "brand-a.test")
    headers = parse_headers(f"References: <a@b> {mark.upper()} <c@d>\r\n".encode())
    assert SIGNER.in_headers(headers) == {mark.upper(): 4711}


@pytest.mark.parametrize("answers", [0, 1, 5])
def test_outlook_appends_to_the_thread_index(answers: int) -> None:
    raw = base64.b64decode(SIGNER.thread_index(4711, SENT_AT)) + b"12345" * answers
    headers = parse_headers(b"Thread-Index: " + base64.b64encode(raw) + b"\r\n")
    assert SIGNER.in_headers(headers) == {THREAD_INDEX: 4711}


def test_a_thread_index_is_as_outlook_makes_them() -> None:
    raw = base64.b64decode(SIGNER.thread_index(1, SENT_AT))
    assert len(raw) == 22
    assert raw[0] == 1
    ticks = int.from_bytes(raw[:6], "big") << 16
    began = datetime(1601, 1, 1, tzinfo=timezone.utc) + timedelta(
        microseconds=ticks / 10
    )
    assert abs(began - SENT_AT) < timedelta(seconds=1)


def test_a_flood_of_forgeries_takes_no_time() -> None:
    forged = " ".join(f"mea.{n:032d}".replace("0", "a") for n in range(25_000))
    with quick(3):
        assert SIGNER.in_message(mail(forged)) == ()


@given(st.binary(max_size=3000))
def test_no_message_is_an_error(raw: bytes) -> None:
    assert SIGNER.in_message(raw) == ()
