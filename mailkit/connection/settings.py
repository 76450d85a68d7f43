"""How to reach a mail server, and as whom: checked when it is made."""

from __future__ import annotations

import ipaddress
import re
import ssl
from dataclasses import dataclass, field
from enum import Enum

from ..errors import ErrorCode, MailError
from ..message.address import ascii_domain


class Security(str, Enum):
    """How a connection is encrypted."""

    NONE = "none"
    STARTTLS = "starttls"
    SSL = "ssl"


class Protocol(str, Enum):
    """What is spoken on a connection."""

    SMTP = "smtp"
    IMAP = "imap"
    POP3 = "pop3"


@dataclass(frozen=True)
class Server:
    """One service of a mail server.

    `host`: DNS name (kept as lower-case A-labels) or IP address. `ca_pem`: further
    trusted CA certificates (PEM), besides the system's. `allow_private`: whether
    loopback, private and link-local addresses may be contacted. `timeout`: seconds,
    the most that one whole operation may take.

    Raises MailError SETTINGS_INVALID (with the field) or CA_INVALID.
    """

    protocol: Protocol
    host: str
    port: int
    security: Security
    ca_pem: str = ""
    allow_private: bool = False
    timeout: float = 10.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "host", host_name(self.host))
        if isinstance(self.port, bool) or not 0 < self.port < 65536:
            raise MailError(ErrorCode.SETTINGS_INVALID, field="port")
        if not 0 < self.timeout < 3600:
            raise MailError(ErrorCode.SETTINGS_INVALID, field="timeout")
        if self.ca_pem:
            _check_ca(self.ca_pem)


@dataclass(frozen=True)
class Credentials:
    """Login and password; or, instead of the password, an access token (RFC 6749).

    `mechanism`: the only way in which the token may be told, "XOAUTH2" or
    "OAUTHBEARER"; "": whichever of them the server offers.

    Raises MailError SETTINGS_INVALID for control characters.
    """

    login: str
    password: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)
    mechanism: str = ""

    def __post_init__(self) -> None:
        for name, value in (("login", self.login), ("password", self.password)):
            if re.search(r"[\r\n\0]", value) or not _encodable(value):
                raise MailError(ErrorCode.SETTINGS_INVALID, field=name)
        # What a bearer token consists of (RFC 6750 section 2.1), and a little more.
        if not re.fullmatch(r"[\x21-\x7e]*", self.access_token):
            raise MailError(ErrorCode.SETTINGS_INVALID, field="access_token")


def host_name(text: str) -> str:
    """Return a DNS name as lower-case A-labels, or an IP address.

    Raises MailError SETTINGS_INVALID with the field "host".
    """
    text = text.strip()
    try:
        return str(ipaddress.ip_address(text.removeprefix("[").removesuffix("]")))
    except ValueError:
        pass
    try:
        return ascii_domain(text.removesuffix("."))
    except ValueError:
        raise MailError(ErrorCode.SETTINGS_INVALID, field="host") from None


def _encodable(text: str) -> bool:
    """Whether `text` is free of lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_ca(pem: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError):
        raise MailError(ErrorCode.CA_INVALID) from None
