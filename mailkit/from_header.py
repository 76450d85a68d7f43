"""Which mailboxes a From header names, however it is written."""

from __future__ import annotations

import re
from email.headerregistry import AddressHeader, HeaderRegistry
from email.utils import getaddresses

from .errors import MailError
from .settings import normalize_address

_REGISTRY = HeaderRegistry()
# What looks like an address in a header that no parser understands.
_LOOSE = re.compile(r"[^\s<>()\[\],;:\"]+@[^\s<>()\[\],;:\"]+")


def address_key(address: str) -> str:
    """Return one spelling for all ways to write the same mailbox, or "".

    The same rule as ``settings.same_address``; a dot behind the domain, which mail
    servers leave away, is left away too.
    """
    try:
        plain = normalize_address(address.strip().rstrip("."))
    except MailError:
        return ""
    lower = plain.lower()
    # Some characters become ASCII letters in lower case: still another mailbox.
    return lower if lower.isascii() == plain.isascii() else plain


def header_addresses(text: str) -> frozenset[str]:
    """Return the keys (see ``address_key``) of all mailboxes that ``text`` names.

    Display names do not count. Quoted local parts, comments, groups and routes are
    understood (RFC 5322 section 3.4, 4.4); of what is malformed everything that
    looks like an address counts, since the recipient's program may show it.
    """
    found = {address for _name, address in getaddresses([text])}
    header = _parsed(text)
    if header is not None:
        found |= {f"{a.username}@{a.domain}" for a in header.addresses}
    if header is None or not header.addresses or _is_malformed(header):
        found |= set(_LOOSE.findall(text))
    return frozenset(filter(None, map(address_key, found)))


def _is_malformed(header: AddressHeader) -> bool:
    return bool(getattr(header, "defects", ()))  # its other base class has them


def _parsed(text: str) -> AddressHeader | None:
    try:
        header = _REGISTRY("From", text)
    except Exception:  # noqa: BLE001 - Python's parser stumbles over some malformed headers.
        return None
    return header if isinstance(header, AddressHeader) else None
