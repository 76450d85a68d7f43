"""Which mail a program wrote."""

import pytest
from mail_samples import CUSTOMER, odoo_id

from mailkit.answers.loops import Automatic, automatic
from mailkit.message.headers import parse_headers

OWN = "anna@brand-a.test"
AUTOMATIC = [
    ("", None),
    ("X-Auto-Response-Suppress: All", None),
    ("Precedence: list\nList-Id: <l.test>", None),
    ("Auto-Submitted: no", None),
    ("Subject: Automatic doors and gates", None),
    ("Subject: Absent-minded", None),
    ("Auto-Submitted: auto-replied", Automatic.AUTO_REPLIED),
    ("Auto-Submitted: auto-generated", Automatic.AUTO_GENERATED),
    ("Auto-Submitted: auto-generated\nIn-Reply-To: <a@b>", Automatic.AUTO_REPLIED),
    ("Auto-Submitted: auto-notified; owner-email=x", Automatic.AUTO_GENERATED),
    ("X-Autoreply: yes", Automatic.AUTO_REPLIED),
    ("X-Autorespond: hi", Automatic.AUTO_REPLIED),
    ("Precedence: auto_reply", Automatic.AUTO_REPLIED),
    ("Precedence: bulk", Automatic.BULK),
    ("Precedence: junk\nSubject: Out of the office", Automatic.AUTO_REPLIED),
    (
        "X-Auto-Response-Suppress: All\nSubject: Automatische Antwort: Angebot",
        Automatic.AUTO_REPLIED,
    ),
    ("Return-Path: <>\nSubject: Автоматична відповідь: x", Automatic.AUTO_REPLIED),
    ("Return-Path: <>", Automatic.NULL_SENDER),
    ("Content-Type: multipart/report; report-type=delivery-status", Automatic.REPORT),
    (f"From: {OWN}\nX-Odoo-Message-Id: {odoo_id(1)}", Automatic.OWN),
]


@pytest.mark.parametrize(("header", "why"), AUTOMATIC)
def test_what_was_written_by_a_program(header: str, why: Automatic | None) -> None:
    if "From:" not in header:
        header = f"From: {CUSTOMER}\n{header}"
    headers = parse_headers(header.replace("\n", "\r\n").encode())
    assert automatic(headers, {OWN}) is why
