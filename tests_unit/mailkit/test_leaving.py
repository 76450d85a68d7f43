"""What stands in a header and what leaves are two things in Python's `email`."""

import email.policy
from email.message import EmailMessage

import pytest

from mailkit.leaving import has_breaks, join_lines, written

INJECTED = "=?utf-8?q?x=0D=0AFrom:_ceo=40brand-a.test=0D=0A=0D=0AText?="


def twice(text: str) -> str:
    return "=?utf-8?q?{}?=".format("".join(f"={ord(sign):02X}" for sign in text))


@pytest.mark.parametrize("name", ["Subject", "References", "To", "Cc", "X-Other"])
@pytest.mark.parametrize(
    "text",
    [
        INJECTED,
        f"Hello {INJECTED} é",
        f"){INJECTED}",
        f"{INJECTED}: x;",
        "=?utf-8?b?eA1Gcm9tOiBjZW9AYnJhbmQtYS50ZXN0?=",
        "=?utf-8?q?x=0AFrom:_ceo=40brand-a.test?=",
        twice(INJECTED),
    ],
)
def test_no_field_becomes_two(name: str, text: str) -> None:
    message = EmailMessage(policy=email.policy.SMTP)
    try:
        message[name] = text
    except ValueError:
        pytest.skip("refused by Python")
    message["From"] = "me@brand-a.test"
    join_lines(message)
    assert not has_breaks(message)
    message.set_content("Body")
    parsed = email.message_from_bytes(message.as_bytes())
    assert parsed.get_all("From") == ["me@brand-a.test"]
    assert parsed.get_payload().strip() == "Body"


def test_sound_fields_stay_as_they_are() -> None:
    message = EmailMessage(policy=email.policy.SMTP)
    message["Subject"] = "Grüße " * 40
    message["From"] = '"Doe, John" <john@brand-a.test>'
    message["Resent-From"] = "a@b.test"
    message["Resent-From"] = "c@d.test"
    before = message.as_bytes()
    join_lines(message)
    assert message.as_bytes() == before
    assert written(message, "resent-from") == ["a@b.test", "c@d.test"]


def test_what_cannot_be_read_is_written_all_the_same() -> None:
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = "[ceo@brand-a.test"
    assert written(message, "From") == ["[ceo@brand-a.test"]
