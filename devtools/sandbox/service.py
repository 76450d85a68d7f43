"""All ports of the sandbox in one process."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from twisted.internet import ssl
from twisted.internet.interfaces import IReactorSSL, IReactorTCP

from ..testbed.ca import TestCA
from .accounts import ADDRESSES, DOMAINS
from .imap import ImapFactory
from .pop3 import PopFactory
from .smtp import RelayProtocol, SmtpFactory, SubmissionProtocol
from .store import Store

LOOPBACK = "127.0.0.1"
BASE_PORT = 2000
#: What is added to the base port: the well-known ports (RFC 8314) but for the relay.
OFFSETS = {
    "relay": 525,
    "smtp_starttls": 587,
    "smtp_ssl": 465,
    "imap_ssl": 993,
    "imap_starttls": 143,
    "pop3_ssl": 995,
    "pop3_starttls": 110,
}
NAMES = ("localhost", LOOPBACK, *(f"mail.{domain}" for domain in DOMAINS))


@dataclass(frozen=True)
class Ports:
    """`relay` wants neither TLS nor sign-in; `_ssl` is TLS from the first byte."""

    relay: int
    smtp_starttls: int
    smtp_ssl: int
    imap_ssl: int
    imap_starttls: int
    pop3_ssl: int
    pop3_starttls: int


def ports(base: int = BASE_PORT) -> Ports:
    return Ports(**{name: base + offset for name, offset in OFFSETS.items()})


def authority(folder: Path) -> TestCA:
    """The authority (`.pem`, `.pem_file`) that signed the certificate, made at need."""
    return TestCA(folder / "ca")


def listen(
    folder: Path, used: Ports, tcp: IReactorTCP, tls: IReactorSSL
) -> Mapping[str, int]:
    """Open all ports on loopback; return them by name (0 asked for a free one).

    `tcp` and `tls` are the two faces of the reactor. Raises CannotListenError.
    """
    store = Store(folder)
    for address in ADDRESSES:
        store.mailbox(address)
    cert_file, key_file = authority(folder).issue(NAMES)
    pem = cert_file.read_bytes() + key_file.read_bytes()
    context = ssl.PrivateCertificate.loadPEM(pem).options()
    plain = {
        "relay": SmtpFactory(RelayProtocol, store),
        "smtp_starttls": SmtpFactory(SubmissionProtocol, store, context),
        "imap_starttls": ImapFactory(store, context),
        "pop3_starttls": PopFactory(store, context),
    }
    encrypted = {
        "smtp_ssl": SmtpFactory(SubmissionProtocol, store),
        "imap_ssl": ImapFactory(store),
        "pop3_ssl": PopFactory(store),
    }
    opened = {}
    for name, factory in plain.items():
        port = tcp.listenTCP(getattr(used, name), factory, interface=LOOPBACK)
        opened[name] = port.getHost().port
    for name, factory in encrypted.items():
        port = tls.listenSSL(getattr(used, name), factory, context, interface=LOOPBACK)
        opened[name] = port.getHost().port
    return opened
