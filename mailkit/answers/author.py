"""Who wrote a message: the one mailbox that its From names, or nobody.

Programs read a From that is not plain in different ways (RFC 5322, 3.4 and 4.4), and
its display name may hold any address. What is decided here is shown and posted; nobody
reads the field a second time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from ..message.addresses import Address

_MAX_DISPLAY = 250
_SOUND = re.compile(r"""\A[^\s@"(),:;<>\[\]\\]+@[^\s@"'(),:;<>\[\]\\]+""")


def author_of(addresses: Collection[Address]) -> Address:
    """The author among the addresses of all From fields of a message.

    Without an address when they name no mailbox, several ones, or one of which it is
    not certain that it is meant (see `Address.certain`); then the display tells what
    was there.
    """
    emails = {address.email for address in addresses}
    if len(emails) == 1:
        [first, *_others] = addresses
        certain = all(address.certain for address in addresses)
        if certain and _SOUND.fullmatch(first.email):
            return Address(first.email, first.display)
    told = ", ".join(address.email or address.display for address in addresses)
    return Address("", told[:_MAX_DISPLAY])


def shown_name(display: str) -> str:
    """`display` as it may stand for its author, or "".

    Nothing that reads as an address, now or after one more decoding, and nothing that
    cannot be seen or turns the direction of text.
    """
    name = "".join(char if char.isprintable() else " " for char in display)
    name = " ".join(name.split())
    if "@" in unicodedata.normalize("NFKC", name) or "=?" in name:
        return ""
    return name
