"""Mailboxes of one test each, and how they are opened and read."""

import hashlib
import imaplib
import re
import ssl
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from io import BytesIO
from typing import Any

import pytest

from devtools.testbed.bed import TestBed
from mailkit.connection.settings import Credentials, Protocol, Security, Server
from mailkit.imap.folders import FolderState
from mailkit.imap.mailbox import ImapBatch, ImapMailbox
from mailkit.pop3 import Pop3Mailbox

TODAY = datetime.now(timezone.utc).date()
LONG_AGO = TODAY - timedelta(days=3000)
MEGABYTE = 1024 * 1024


def letter(number: int, body: bytes = b"Hello\r\n", more: bytes = b"") -> bytes:
    return (
        b"Return-Path: <client@customer.test>\r\n"
        b"Received: from mail.customer.test by mail.brand-a.test with ESMTP\r\n"
        b"Message-ID: <m%d@customer.test>\r\nFrom: client@customer.test\r\n"
        b"To: anna@brand-a.test\r\nSubject: Letter %d\r\n"
        b"X-Spam-Report: long\r\n long\r\n"
        b"%bContent-Type: text/plain\r\n\r\n%b"
    ) % (number, number, more, body)


Tell = Callable[[str], None]


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Write a line with what was measured into pytest's output."""

    def write(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n  {line}\n")

    return write


@pytest.fixture
def address(bed: TestBed, request: pytest.FixtureRequest) -> str:
    """A mailbox of this test's own."""
    digest = hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    own = f"reader-{digest}@brand-a.test"
    bed.add_mailbox(own)
    return own


@pytest.fixture
def imap(bed: TestBed, address: str) -> Iterator[ImapMailbox]:
    with open_imap(bed, address) as mailbox:
        yield mailbox


@pytest.fixture
def owner(bed: TestBed, address: str) -> Iterator[imaplib.IMAP4_SSL]:
    """A second client: the mailbox's owner."""
    trust = ssl.create_default_context(cadata=bed.ca_pem)
    client = imaplib.IMAP4_SSL(bed.host, bed.imap_ssl, ssl_context=trust, timeout=30)
    client.login(address, bed.password(address))
    yield client
    client.logout()


def settings(bed: TestBed, protocol: Protocol, port: int, **more: object) -> Server:
    values: dict[str, object] = {
        "security": Security.SSL,
        "ca_pem": bed.ca_pem,
        "allow_private": True,
        "timeout": 20.0,
        **more,
    }
    return Server(protocol, bed.host, port, **values)  # type: ignore[arg-type]


def open_imap(bed: TestBed, address: str, port: int = 0, **more: object) -> ImapMailbox:
    server = settings(bed, Protocol.IMAP, port or bed.imap_ssl, **more)
    mailbox = ImapMailbox(server, Credentials(address, bed.password(address)))
    mailbox.open()
    mailbox.login()
    return mailbox


def open_pop(bed: TestBed, address: str, port: int = 0, **more: object) -> Pop3Mailbox:
    server = settings(bed, Protocol.POP3, port or bed.pop3_ssl, **more)
    mailbox = Pop3Mailbox(server, Credentials(address, bed.password(address)))
    mailbox.open()
    mailbox.login()
    return mailbox


def whole(mailbox: ImapMailbox | Pop3Mailbox, *place: Any, **options: Any) -> bytes:
    """Return the message that `fetch_into` gives."""
    content = BytesIO()
    mailbox.fetch_into(content, *place, **options)
    return content.getvalue()


def look(imap: ImapMailbox, state: FolderState) -> tuple[FolderState, list[str]]:
    """Return the state afterwards and the subjects that came."""
    batches: list[ImapBatch] = list(imap.scan(state, since=LONG_AGO))
    found = [subject(h.raw) for batch in batches for h in batch.headers]
    return (batches[-1].state if batches else state), found


def subject(raw: bytes) -> str:
    found = re.search(rb"^Subject: (.*)\r$", raw, re.MULTILINE)
    assert found, raw
    return found.group(1).decode()
