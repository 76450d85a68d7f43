"""How to reach a mail server, and as whom: checked when it is made."""

from __future__ import annotations

import ipaddress
import re
import ssl
import unicodedata
from dataclasses import dataclass, field
from enum import Enum

import idna

from ..errors import ErrorCode, MailError


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


_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_LOCAL_FORBIDDEN = frozenset(' ()<>[]:;@\\,"')
_MAX_LOCAL = 64  # octets, RFC 5321 section 4.5.3.1.1
_MAX_ADDRESS = 254  # octets, RFC 5321 section 4.5.3.1.3 less the angle brackets
_MAX_DOMAIN = 253


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
        object.__setattr__(self, "host", _host(self.host))
        if isinstance(self.port, bool) or not 0 < self.port < 65536:
            raise MailError(ErrorCode.SETTINGS_INVALID, field="port")
        if not 0 < self.timeout < 3600:
            raise MailError(ErrorCode.SETTINGS_INVALID, field="timeout")
        if self.ca_pem:
            _check_ca(self.ca_pem)


@dataclass(frozen=True)
class Credentials:
    """Login and password. Raises MailError SETTINGS_INVALID for CR, LF and NUL."""

    login: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        for name, value in (("login", self.login), ("password", self.password)):
            if re.search(r"[\r\n\0]", value) or not _encodable(value):
                raise MailError(ErrorCode.SETTINGS_INVALID, field=name)


def normalize_address(text: str) -> str:
    """Return the one address in `text`: domain in lower-case A-labels (IDNA 2008).

    The local part is kept as it is, internationalised ones too (RFC 6531). Raises
    MailError ADDRESS_INVALID for anything else: display names, several addresses,
    quoted local parts, address literals, control characters.
    """
    local, at, domain = text.strip(" \t").rpartition("@")
    if not at or not _is_local_part(local):
        raise MailError(ErrorCode.ADDRESS_INVALID)
    try:
        address = f"{local}@{_domain(domain)}"
    except ValueError:
        raise MailError(ErrorCode.ADDRESS_INVALID) from None
    if len(address.encode()) > _MAX_ADDRESS:
        raise MailError(ErrorCode.ADDRESS_INVALID)
    return address


def same_address(a: str, b: str) -> bool:
    """Whether both are the same mailbox, the case of letters set aside.

    An ASCII address never equals an internationalised one: some characters turn
    into ASCII letters in lower case (the Kelvin sign), and are still other mailboxes.
    """
    try:
        first, second = normalize_address(a), normalize_address(b)
    except MailError:
        return False
    return first.isascii() == second.isascii() and first.lower() == second.lower()


def _is_local_part(local: str) -> bool:
    if not local or not _encodable(local) or len(local.encode()) > _MAX_LOCAL:
        return False
    return not any(
        char in _LOCAL_FORBIDDEN or unicodedata.category(char)[0] in "CZ"
        for char in local
    )


def _encodable(text: str) -> bool:
    """Whether `text` is free of lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _domain(text: str) -> str:
    """Return `text` as lower-case A-labels, or raise ValueError."""
    if len(text) > 4 * _MAX_DOMAIN:  # idna needs long for what it refuses in the end
        raise ValueError("not a domain name")
    if not text.isascii():
        text = idna.encode(text, uts46=True).decode("ascii")
    text = text.lower()
    labels = text.split(".")
    if len(text) > _MAX_DOMAIN or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError("not a domain name")
    return text


def _host(text: str) -> str:
    text = text.strip()
    try:
        return str(ipaddress.ip_address(text.removeprefix("[").removesuffix("]")))
    except ValueError:
        pass
    try:
        return _domain(text.removesuffix("."))
    except ValueError:
        raise MailError(ErrorCode.SETTINGS_INVALID, field="host") from None


def _check_ca(pem: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError):
        raise MailError(ErrorCode.CA_INVALID) from None
