"""What the receiving server found out about the sender of a mail (RFC 8601)."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PIECES = re.compile(r"[()]|[^()]+")
_QUOTED = re.compile(r'"([^"\\]*)"')
_MAX_LENGTH = 10_000


def dmarc_passed(headers: Iterable[str], authserv_id: str, domain: str) -> bool:
    """Whether our own receiving server says that DMARC passed for ``domain``.

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
    text = " ".join(header[:_MAX_LENGTH].split())
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
