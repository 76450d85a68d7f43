"""Who wrote a message: the one mailbox that its From names, or nobody; and whether the
receiving server found that the message is theirs.

Programs read a From that is not plain in different ways (RFC 5322, 3.4 and 4.4), and
its display name may hold any address. What is decided here is shown and posted; nobody
reads the field a second time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable

from .address import Address

_MAX_DISPLAY = 250
_SOUND = re.compile(r"""\A[^\s@"(),:;<>\[\]\\]+@[^\s@"'(),:;<>\[\]\\]+""")
_PIECES = re.compile(r"[()]|[^()]+")
_QUOTED = re.compile(r'"([^"\\]*)"')
_MAX_RESULTS = 10_000


def author_of(addresses: Collection[Address]) -> Address:
    """The author among the addresses of all From fields of a message.

    Without an address when they name no mailbox, several ones, or one of which it is
    not certain that it is meant (see `Address.certain`); then the display tells what
    was there.
    """
    emails = {address.email for address in addresses}
    if len(emails) == 1:
        first = next(iter(addresses))
        certain = False not in [address.certain for address in addresses]
        if certain and _SOUND.fullmatch(first.email):
            return first
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


def dmarc_passed(headers: Iterable[str], authserv_id: str, domain: str) -> bool:
    """Whether our own receiving server says that DMARC passed (RFC 8601).

    :param headers: values of Authentication-Results, the topmost first. Only the
        first one of ``authserv_id`` counts: a server removes foreign headers in its
        own name (section 5), and what stands below may come from the sender.
    :param domain: of the address in the From header
    """
    for header in headers:
        server, _semicolon, results = _plain(header).partition(";")
        # a version number may follow the name (section 2.2)
        name = server.split()[0] if server.split() else ""
        if authserv_id and name.lower() == authserv_id.lower():
            return any(_is_pass(part, domain) for part in results.split(";"))
    return False


def _plain(header: str) -> str:
    """The header without comments, which may be nested (RFC 5322 section 3.2.2)."""
    text = " ".join(header[:_MAX_RESULTS].split())
    return _QUOTED.sub(r"\1", _without_comments(text))


def _without_comments(text: str) -> str:
    """Each as a blank; what is not closed, or not opened, stays."""
    kept: list[list[str]] = [[]]  # before each open parenthesis, and behind the last
    for piece in _PIECES.findall(text):
        if piece == "(":
            kept.append([])
        elif piece == ")" and len(kept) > 1:
            kept.pop()
            kept[-1].append(" ")
        else:
            kept[-1].append(piece)
    return "(".join(map("".join, kept))


def _is_pass(result: str, domain: str) -> bool:
    """Whether one result is ``dmarc=pass``, and for this domain."""
    words = result.lower().split()
    if not words or words[0] != "dmarc=pass":
        return False
    found = [w.removeprefix("header.from=") for w in words if "header.from=" in w]
    return found == [domain.lower()]
