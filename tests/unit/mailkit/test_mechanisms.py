"""Mechanisms of signing in, and how a dialog goes through one."""

import socket
from base64 import b64decode, b64encode

import pytest

from mailkit.connection.network import Deadline, Endpoint, Wire
from mailkit.connection.session import Mechanism, usable_mechanisms
from mailkit.connection.settings import Credentials, Protocol, Security, Server
from mailkit.imap.session import Answer, Dialog

ALL = ("GSSAPI", "CRAM-MD5", "LOGIN", "PLAIN", "XOAUTH2")
TIM = Credentials("tim", "tanstaaftanstaaf")


def server(protocol: Protocol, security: Security = Security.SSL) -> Server:
    return Server(protocol, "mail.brand-a.test", 465, security)


@pytest.mark.parametrize(
    ("protocol", "security", "names"),
    [
        (Protocol.SMTP, Security.SSL, ["PLAIN", "LOGIN", "CRAM-MD5"]),
        (Protocol.SMTP, Security.NONE, ["CRAM-MD5", "PLAIN", "LOGIN"]),
        (Protocol.IMAP, Security.SSL, ["PLAIN"]),
        (Protocol.POP3, Security.NONE, ["PLAIN"]),
    ],
)
def test_what_is_tried(
    protocol: Protocol, security: Security, names: list[str]
) -> None:
    found = usable_mechanisms(server(protocol, security), TIM, ALL)
    assert [mechanism.name for mechanism in found] == names
    assert usable_mechanisms(server(protocol, security), TIM, ["GSSAPI"]) == []


def test_example_of_rfc_2195() -> None:
    [mechanism] = usable_mechanisms(server(Protocol.SMTP), TIM, ["CRAM-MD5"])
    [answer] = mechanism.all_answers
    challenge = b"<1896.697170952@postoffice.reston.mci.net>"
    expected = b"tim b913a602c7eda7a495b4e6e7334d3890"
    assert b64decode(answer(b64encode(challenge))) == expected


def test_example_of_rfc_4616() -> None:
    [mechanism] = usable_mechanisms(server(Protocol.SMTP), TIM, ["PLAIN"])
    assert mechanism.initial == b64encode(b"\0tim\0tanstaaftanstaaf")


@pytest.mark.parametrize(
    ("said", "heard", "status"),
    [
        (b"+ \r\nR1 OK in\r\n", [b"token"], b"OK"),
        (
            b"+ go ahead\r\n* 1 EXISTS\r\n+ ZXJy\r\nR1 NO\r\n",
            [b"token", b"<ZXJy>"],
            b"NO",
        ),
        (b"R1 BAD unknown\r\n", [], b"BAD"),
    ],
)
def test_challenges_are_answered_as_far_as_they_come(
    said: bytes, heard: list[bytes], status: bytes
) -> None:
    """As XOAUTH2 wants it: what was wrong with a token is told in a challenge."""
    mechanism = Mechanism("BEARER", b"token", (lambda challenge: b"<%b>" % challenge,))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(said)
        wire = Wire(ours, Endpoint(socket.AF_UNIX, "", 1), Deadline(5))
        answer = Dialog(wire, ()).authenticate(mechanism)
        sent = theirs.recv(1000)
    assert isinstance(answer, Answer) and answer.status == status
    assert sent.splitlines() == [b"R1 AUTHENTICATE BEARER", *heard]
