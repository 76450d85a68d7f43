"""Lists of tags, "name=value; name=value", as DKIM and DMARC write them.

RFC 6376 section 3.2: names in lower case stay different from those in upper case, a tag
that stands twice makes the list worth nothing, and white space around counts for
nothing.
"""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_MOST = 60


class BadTags(ValueError):
    """What it is about stands in `args[0]`."""


def parse(text: str) -> dict[str, str]:
    """Tags in their order. Raises BadTags with the piece that is none, or doubled."""
    found: dict[str, str] = {}
    pieces = [piece.strip() for piece in text.split(";")]
    if pieces and not pieces[-1]:
        pieces.pop()  # one semicolon may end the list
    if len(pieces) > _MOST:
        raise BadTags(f"{len(pieces)} tags")
    for piece in pieces:
        name, equals, value = piece.partition("=")
        name = name.strip()
        if not equals or not _NAME.fullmatch(name) or name in found:
            raise BadTags(piece[:100])
        found[name] = value.strip()
    return found
