import pytest

from tools.outgoing.names import (
    MAX_LENGTH,
    is_pattern,
    render_sender_name,
    unknown_placeholders,
)

VALUES = {"author": "Anna Kovalenko", "project": "Launch", "company": "Corp"}


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("Brand A support", "Brand A support"),
        ("{author}", "Anna Kovalenko"),
        ("{author} at Brand A", "Anna Kovalenko at Brand A"),
        ("{project} ({company})", "Launch (Corp)"),
        ("{author}, {author}", "Anna Kovalenko, Anna Kovalenko"),
        ("  two   spaces ", "two spaces"),
    ],
)
def test_rendering(pattern: str, name: str) -> None:
    assert render_sender_name(pattern, **VALUES) == name


@pytest.mark.parametrize(
    ("pattern", "unknown"),
    [
        ("Brand A", []),
        ("{author} at {company}, {project}", []),
        ("{author} at {brand}", ["{brand}"]),
        ("{Author}", ["{Author}"]),
        ("{}", ["{}"]),
        ("{author", ["{author"]),
        ("author}", ["}"]),
        ("{author.name}", ["{author.name}"]),
        ("{{author}}", ["{}"]),
    ],
)
def test_what_is_no_placeholder(pattern: str, unknown: list[str]) -> None:
    assert [text.strip() for text in unknown_placeholders(pattern)] == unknown


def test_a_name_cannot_hold_a_placeholder() -> None:
    values = {**VALUES, "author": "{company} {author.__class__}"}
    assert render_sender_name("{author}", **values) == values["author"]


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\x00", "\u2028", "\x85", "\x0b"])
def test_a_name_cannot_end_the_header(end: str) -> None:
    values = {**VALUES, "author": f"Anna{end}Bcc: everybody@example.com"}
    assert render_sender_name("{author}", **values) == "Anna Bcc: everybody@example.com"


def test_a_name_cannot_turn_the_text_around() -> None:
    values = {**VALUES, "author": "Anna \u202etset.bank@ofni\u2069"}
    assert render_sender_name("{author}", **values) == "Anna tset.bank@ofni"
    right_to_left = "\u05d0\u05e0\u05d4 \u05de\u05e8\u05d9\u05dd"
    assert render_sender_name("{author}", **{**VALUES, "author": right_to_left}) == (
        right_to_left
    )


def test_long_names_are_cut() -> None:
    name = render_sender_name("{author}", **{**VALUES, "author": "Олександра " * 40})
    assert len(name) <= MAX_LENGTH
    assert name.endswith("…")


def test_which_names_are_patterns() -> None:
    assert is_pattern("{author} at Brand A")
    assert not is_pattern("Brand A {team}")
