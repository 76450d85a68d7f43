"""Thunderbird's configuration file, "clientConfig" (version 1.1), as hostile input.

The format: https://wiki.mozilla.org/Thunderbird:Autoconfiguration:ConfigFileFormat.
Read with expat, which neither opens files nor asks servers; a document type, and so
every entity, is refused at its first character. What is not known is passed by.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from xml.parsers import expat

from ..connection.settings import Protocol, Security
from .found import Offer, filled, filled_login, offer

# Octets of a file; the longest in Mozilla's own collection has about 12,000.
MOST = 128 * 1024
_MOST_ELEMENTS = 5000
_MOST_DEPTH = 16
_MOST_TEXT = 1000  # characters of one element
_MOST_SERVERS = 30

_SECURITY = {"SSL": Security.SSL, "STARTTLS": Security.STARTTLS}
_KINDS = {
    ("incomingServer", "imap"): Protocol.IMAP,
    ("incomingServer", "pop3"): Protocol.POP3,
    ("outgoingServer", "smtp"): Protocol.SMTP,
}
# The second is what the format's first version called the first, and so on.
_PASSWORD = ("password-cleartext", "plain", "password-encrypted", "secure")
_OAUTH2 = "oauth2"


@dataclass
class _Element:
    name: str
    attributes: Mapping[str, str]
    text: str = ""
    children: list[_Element] = field(default_factory=list)

    def named(self, name: str) -> Iterator[_Element]:
        return (child for child in self.children if child.name == name)

    def value(self, name: str) -> str:
        """The text of the first child of this name."""
        return next((child.text.strip() for child in self.named(name)), "")


class _Refused(ValueError):
    """More, or something else, than a configuration consists of."""


class _Reader:
    """Makes elements of what expat reports, up to the limits."""

    def __init__(self) -> None:
        self._open: list[_Element] = []
        self._count = 0
        self.root: _Element | None = None
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.CharacterDataHandler = self._characters
        parser.EndElementHandler = self._end
        self._parser = parser

    def read(self, document: bytes) -> _Element:
        """Raises ValueError for everything that is no XML within the limits."""
        if len(document) > MOST:
            raise _Refused
        try:
            self._parser.Parse(document, True)
        except (expat.ExpatError, LookupError, UnicodeError) as error:
            raise _Refused from error
        if self.root is None:
            raise _Refused
        return self.root

    def _refuse(self, *_declared: object) -> None:
        raise _Refused

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > _MOST_ELEMENTS or len(self._open) >= _MOST_DEPTH:
            raise _Refused
        element = _Element(name.rpartition(":")[2], attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _characters(self, text: str) -> None:
        element = self._open[-1]
        if len(element.text) + len(text) > _MOST_TEXT:
            # what is for people (documentation) may be long, and is not needed
            text = text[: max(_MOST_TEXT - len(element.text), 0)]
        element.text += text

    def _end(self, _name: str) -> None:
        self._open.pop()


def parse(document: bytes, email: str) -> tuple[Offer, ...]:
    """The servers that a configuration names for `email`, in its order.

    Those without TLS, of other kinds and without a way to sign in that we know are
    left out. () when it is no configuration.
    """
    try:
        root = _Reader().read(document)
    except ValueError:
        return ()
    if root.name != "clientConfig":
        return ()
    found: list[Offer] = []
    for provider in root.named("emailProvider"):
        for element in provider.children[: _MOST_SERVERS * 2]:
            made = _offer(element, email)
            if made and len(found) < _MOST_SERVERS:
                found.append(made)
        break  # Thunderbird reads the first one only, too
    return tuple(found)


def _offer(element: _Element, email: str) -> Offer | None:
    kind = element.attributes.get("type", "").lower()
    protocol = _KINDS.get((element.name, kind))
    security = _SECURITY.get(element.value("socketType").upper())
    host = filled(element.value("hostname"), email)
    login = filled_login(element.value("username"), email)
    port = element.value("port")
    if not (protocol and security and host) or login is None:
        return None
    if not (port.isascii() and port.isdecimal() and len(port) < 6):
        return None
    made = offer(protocol, host, int(port), security)
    ways = {child.text.strip().lower() for child in element.named("authentication")}
    password = not ways or any(way in ways for way in _PASSWORD)
    if not made or not (password or _OAUTH2 in ways):
        return None
    return replace(made, login=login, password=password, oauth2=_OAUTH2 in ways)
