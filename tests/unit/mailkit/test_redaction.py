"""No secret gets through, in whatever form a server may echo it."""

import base64
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.connection.replies import MARK, readable, redact

secrets = st.text(
    st.characters(blacklist_categories=("Cs", "Cc")), min_size=4, max_size=40
).filter(lambda secret: "*" not in secret and secret.strip())
words = st.text(st.characters(blacklist_categories=("Cs",)), max_size=30)


@given(secrets, words, words)
def test_plain(secret: str, before: str, after: str) -> None:
    assert secret not in redact(before + secret + after, [secret])


@given(secrets, words)
def test_sasl_messages(secret: str, login: str) -> None:
    for message in (
        secret,
        f"\0{login}\0{secret}",
        f"user={login}\1auth=Bearer {secret}\1\1",
    ):
        token = base64.b64encode(message.encode()).decode()
        shown = redact(f"501 what is {token} ?", [secret])
        assert token not in shown
        assert MARK in shown


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=40),
    st.integers(0, 20),
    words.filter(str.isalpha),
)
def test_a_piece_of_a_long_secret(secret: str, at: int, word: str) -> None:
    """Of an access token, that is; as it is, and in base64."""
    piece = secret[at : at + 20]
    for echo in (piece, base64.b64encode(f"x {piece}".encode()).decode()):
        shown = redact(f"{word} {echo} {word}", [secret])
        assert echo not in shown
        assert MARK in shown


@given(secrets)
def test_quoted_forms(secret: str) -> None:
    imap = secret.replace("\\", "\\\\").replace('"', '\\"')
    for form in (imap, quote(secret, safe="")):
        assert form not in redact(f'bad "{form}"', [secret])


@given(words)
def test_text_without_secrets_stays(text: str) -> None:
    assert redact(text, []) == text


@pytest.mark.parametrize("text", ["Sign-in of anna@brand-a.test failed", "abcd efgh"])
def test_innocent_text_stays(text: str) -> None:
    assert redact(text, ["correct horse", ""]) == text


def test_other_case_of_letters() -> None:
    assert redact("PASS HUNTER22", ["hunter22"]) == "PASS ***"


def test_base64_that_is_cut_or_glued() -> None:
    token = base64.b64encode(b"\0anna\0hunter22").decode()
    for piece in (token[3:], token[:-1], f"xy{token}"):
        assert redact(f"echo {piece}", ["hunter22"]) == "echo ***"


def test_longer_secret_goes_first() -> None:
    assert redact("hunter2-and-more", ["hunter2", "hunter2-and-more"]) == MARK


@pytest.mark.parametrize("shown", range(0, 32))
def test_a_secret_is_not_shown_where_an_endless_line_is_cut(shown: int) -> None:
    secret = "Correct-Horse-Battery-Staple-Me"
    line = b" " * (16 * 1024 - shown) + secret.encode() + b"x" * (1 << 20)
    assert "Correct" not in readable(line, [secret])


def test_megabytes_in_one_line_cost_no_time() -> None:
    line = b"NO " + b"a" * (12 << 20)
    begin = time.thread_time()
    assert readable(line, ["secret"]).startswith("NO aaa")
    assert time.thread_time() - begin < 1
