"""Which mail a program wrote."""

import pytest
from mail_samples import CUSTOMER

from mailkit.answers.loops import is_automatic
from mailkit.message.fields import AUTOMATIC_FIELDS
from mailkit.message.headers import parse_headers

AUTOMATIC = [
    ("", False),
    ("X-Auto-Response-Suppress: All", False),
    ("Precedence: list\nList-Id: <l.test>", False),
    ("Auto-Submitted: no", False),
    ("Subject: Automatic doors and gates", False),
    ("Subject: Absent-minded", False),
    ("Auto-Submitted: auto-replied", True),
    ("Auto-Submitted: auto-generated", True),
    ("Auto-Submitted: auto-generated\nIn-Reply-To: <a@b>", True),
    ("Auto-Submitted: auto-notified; owner-email=x", True),
    *((f"{name}: yes", True) for name in AUTOMATIC_FIELDS),
    ("Precedence: auto_reply", True),
    ("Precedence: bulk", True),
    ("Precedence: junk\nSubject: Out of the office", True),
    (
        "X-Auto-Response-Suppress: All\nSubject: Automatische Antwort: Angebot",
        True,
    ),
    ("Return-Path: <>\nSubject: Автоматична відповідь: x", True),
    ("Return-Path: <>", True),
    ("Return-Path: <> (added by postmaster@mx.example)", True),
    ("Return-Path: <@>", True),
    ("Content-Type: multipart/report; report-type=delivery-status", True),
]


@pytest.mark.parametrize(("header", "expected"), AUTOMATIC)
def test_what_was_written_by_a_program(header: str, expected: bool) -> None:
    if "From:" not in header:
        header = f"From: {CUSTOMER}\n{header}"
    headers = parse_headers(header.replace("\n", "\r\n").encode())
    assert is_automatic(headers) is expected
