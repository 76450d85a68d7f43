"""Does mail to an address arrive, and as whom does it leave? With real servers."""

import imaplib
from collections.abc import Iterator

import pytest

from devtools.testbed.bed import TestBed
from devtools.testbed.faults import FaultServer
from mailkit.connection.network import Deadline
from mailkit.connection.settings import Credentials, Protocol, Security, Server
from mailkit.errors import ErrorCode, MailError
from mailkit.probe import Found, find
from mailkit.smtp import SmtpSession

ANNA = "anna@brand-a.test"
ALIAS = "sales@brand-a.test"
ID = "<probe.1@corp.test>"
MESSAGE = (
    f"From: Sales <{ALIAS}>\r\nTo: {ANNA}\r\nSubject: Test\r\n"
    f"Message-ID: {ID}\r\n\r\nHello\r\n"
).encode()


@pytest.fixture(autouse=True)
def _empty_mailboxes(bed: TestBed) -> None:
    bed.clear()


def mailbox(bed: TestBed, protocol: str) -> Server:
    port = bed.imap_ssl if protocol == "imap" else bed.pop3_ssl
    return Server(
        Protocol(protocol),
        bed.host,
        port,
        Security.SSL,
        ca_pem=bed.ca_pem,
        allow_private=True,
    )


def look(
    bed: TestBed, protocol: str, seconds: float = 15.0, address: str = ANNA
) -> Found | None:
    credentials = Credentials(address, bed.password(address))
    return find(mailbox(bed, protocol), credentials, ID, Deadline(seconds), pause=0.2)


@pytest.fixture
def service(bed: TestBed) -> Iterator[FaultServer]:
    """Submission in front of the bed."""
    with FaultServer("smtp", "ssl", deliver=bed.deliver) as running:
        yield running


def send(service: FaultServer) -> None:
    server = Server(
        Protocol.SMTP,
        "localhost",
        service.port,
        Security.SSL,
        ca_pem=service.ca_pem,
        allow_private=True,
    )
    with SmtpSession(server, Credentials(ANNA, "any")) as session:
        session.open()
        session.login()
        session.check_sender(ALIAS)
        session.send(ALIAS, ANNA, MESSAGE)


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_alias_that_leaves_as_itself(
    bed: TestBed, service: FaultServer, protocol: str
) -> None:
    bed.put(ANNA, [b"Message-ID: <%d@x.test>\r\n\r\n" % number for number in range(99)])
    assert look(bed, protocol, seconds=1.0) is None
    send(service)
    found = look(bed, protocol)
    assert found is not None
    assert found.headers.author.email == ALIAS
    assert f"Return-Path: <{ALIAS}>".encode() in found.raw
    assert found.headers.delivered_to == (ANNA,)
    assert found.folder == ("INBOX" if protocol == "imap" else "")
    assert not any(mail.seen for mail in bed.messages(ANNA))
    assert len(bed.messages(ANNA)) == 100


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_alias_that_the_service_replaces(
    bed: TestBed, service: FaultServer, protocol: str
) -> None:
    service.replaced = [ALIAS]
    send(service)
    found = look(bed, protocol)
    assert found is not None
    assert found.headers.author.email == ANNA
    assert f"Return-Path: <{ANNA}>".encode() in found.raw
    assert f"X-Google-Original-From: Sales <{ALIAS}>".encode() in found.raw


def test_alias_that_the_service_denies(bed: TestBed, service: FaultServer) -> None:
    service.denied = [ALIAS]
    with pytest.raises(MailError) as caught:
        send(service)
    assert caught.value.code is ErrorCode.SENDER_REFUSED
    assert look(bed, "imap", seconds=1.0) is None


def test_message_that_a_filter_put_into_junk(
    bed: TestBed, address: str, owner: imaplib.IMAP4_SSL
) -> None:
    owner.create("Spam")
    bed.put(address, [MESSAGE], folder=".Spam")
    found = look(bed, "imap", address=address)
    assert found is not None
    assert found.folder == "Spam"
    assert look(bed, "pop3", seconds=1.0, address=address) is None
