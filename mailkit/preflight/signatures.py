"""Who signed a message, as its DKIM-Signature fields say (RFC 6376 section 3.5)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from . import tags

_MOST_SIGNATURES = 10
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,250}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Signature:
    """What a DKIM-Signature field says of itself: d= and s=, in lower case."""

    domain: str
    selector: str

    @property
    def name(self) -> str:
        """Where its key is."""
        return f"{self.selector}._domainkey.{self.domain}"


def signatures(values: Sequence[str]) -> tuple[Signature, ...]:
    """Of DKIM-Signature fields; what is broken is left out."""
    found: dict[Signature, None] = {}
    for value in values[:_MOST_SIGNATURES]:
        try:
            said = tags.parse(re.sub(r"\s+", " ", value[:4096]))
        except tags.BadTags:
            continue
        domain, selector = said.get("d", "").lower(), said.get("s", "").lower()
        if _NAME.fullmatch(domain) and _NAME.fullmatch(selector):
            found[Signature(domain, selector)] = None
    return tuple(found)
