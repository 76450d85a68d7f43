"""Header blocks that every reader understands in the same way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from mmap import mmap

#: Whatever can be sliced and searched.
Source = bytes | mmap
_MOST_LINES = 50_000
_END = re.compile(rb"\n(\r?\n)")
# A line that is neither a field's first (as email.feedparser sees it) nor a further
# one, and a CR alone.
_ODD = re.compile(rb"^(?![!-9;-~]+:|[ \t])|\r(?!\n)", re.MULTILINE)


@dataclass(frozen=True)
class PlainHead:
    """`block`: the fields; `end`: where they end, and the empty line begins; `body`:
    where the body begins."""

    block: bytes
    end: int
    body: int


def plain_head(source: Source, start: int, end: int) -> PlainHead | None:
    """The header of the message or part that begins at `start`, if it is sound."""
    for line_end in (b"\n", b"\r\n"):
        body = start + len(line_end)
        if body <= end and source[start:body] == line_end:
            return PlainHead(b"", start, body)
    found = _END.search(source, start, end)
    if found is None:
        return None
    block = source[start : found.start(1)]
    lines = block[: -2 if block.endswith(b"\r\n") else -1]
    if block.count(b"\n") > _MOST_LINES or _ODD.search(lines):
        return None
    return PlainHead(block, found.start(1), found.end())
