"""One e-mail address, and what it is compared, sent and shown as."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from stringprep import in_table_b1
from typing import Literal

import idna

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_LOCAL_FORBIDDEN = frozenset(' ()<>[]:;@\\,"')
_MAX_LOCAL = 64  # octets, RFC 5321 section 4.5.3.1.1
_MAX_ADDRESS = 254  # octets, RFC 5321 section 4.5.3.1.3 less the angle brackets
_MAX_DOMAIN = 253
_MOST_TYPED = 300  # characters of a domain, in every way that it may be written


@dataclass(frozen=True)
class Address:
    """An address of somebody. Ask for the form that is meant for what you do:

    - `email`: as it was typed or stored; of `address_fields.parse` as Odoo's
      `email_normalize` has it, "" when a field holds no address.
    - `key`: one spelling of all that name this address. For comparing, and for sets
      and dictionaries.
    - `mailbox`: one spelling of all whose mail comes into the same mailbox. For
      comparing only: never send to it.
    - `envelope`: what SMTP is told, and what a connected address is stored as.
    - `display`: the name beside it in a header field, decoded; "" when there is none.

    `certain`: whether the field can only be meant so. Not when it names another mailbox
    too, or this one only where a name stands (in quotes, in an encoded word, before
    brackets) or in brackets that stay open.
    """

    email: str
    display: str = ""
    certain: bool = field(default=True, compare=False)

    @classmethod
    def of(cls, stored: str | Literal[False] | None) -> Address:
        """What a field of the database holds, perhaps nothing."""
        return cls(stored or "")

    def is_same(self, other: Address) -> bool:
        """Whether both are written for the same address."""
        return bool(self.key) and self.key == other.key

    @property
    def envelope(self) -> str:
        """The domain in lower-case A-labels (IDNA 2008), the local part as it is.

        Internationalised local parts stay, too (RFC 6531). "" for anything that is not
        one address: display names, several addresses, quoted local parts, address
        literals, control characters.
        """
        local, at, domain = self.email.strip(" \t").rpartition("@")
        if not at or not _is_local_part(local):
            return ""
        try:
            address = f"{local}@{ascii_domain(domain)}"
        except ValueError:
            return ""
        return address if len(address.encode()) <= _MAX_ADDRESS else ""

    @property
    def key(self) -> str:
        """The envelope's form in lower case, "" when there is none.

        The domain may be written in every way that some program takes for it (RFC 3490,
        3.1; RFC 3491): with other dots, with what is mapped to nothing, and with a dot
        behind, which mail servers leave away.
        """
        local, at, domain = self.email.strip().rpartition("@")
        if len(domain) > _MOST_TYPED:
            return ""
        if not domain.isascii():
            domain = "".join(sign for sign in domain if not in_table_b1(sign))
            domain = unicodedata.normalize("NFKC", domain)
        plain = Address(local + at + domain.rstrip(".\u3002")).envelope
        return lower(plain)

    @property
    def mailbox(self) -> str:
        """The key without subaddress (see `without_subaddress`), or ""."""
        return without_subaddress(self.key)


def lower(name: str) -> str:
    """Return `name`, an address or a user name, as it is compared: in lower case.

    Some characters become ASCII letters in lower case (U+212A KELVIN SIGN becomes k):
    with them it is another mailbox, and stays what it is.
    """
    lowered = name.lower()
    return lowered if lowered.isascii() == name.isascii() else name


def without_subaddress(email: str) -> str:
    """A form that is equal for addresses which are one mailbox for sure enough.

    Without subaddress (RFC 5233), and Google's second domain as its first. "" stays "".

    :param email: a key, or as `address_fields.parse` has it
    """
    local, at, domain = email.rpartition("@")
    local = local.partition("+")[0] or local
    return f"{local}{at}{'gmail.com' if domain == 'googlemail.com' else domain}"


def ascii_domain(text: str) -> str:
    """A domain name as lower-case A-labels. Raises ValueError when it is none."""
    if len(text) > 4 * _MAX_DOMAIN:  # idna needs long for what it refuses in the end
        raise ValueError("not a domain name")
    if not text.isascii():
        text = idna.encode(text, uts46=True).decode("ascii")
    text = text.lower()
    labels = text.split(".")
    if len(text) > _MAX_DOMAIN or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError("not a domain name")
    return text


def _is_local_part(local: str) -> bool:
    if not 0 < len(local) <= _MAX_LOCAL or any(
        char in _LOCAL_FORBIDDEN or unicodedata.category(char)[0] in "CZ"
        for char in local
    ):
        return False
    return len(local.encode()) <= _MAX_LOCAL
