"""Header fields that are too long for Python's `email.headerregistry`.

It needs seconds for some kilobytes of quotation marks, and reads a field anew each
time it is asked for. What gets shorter here is what Odoo's gateway reads.
"""

from __future__ import annotations

import re

from . import fields

#: Octets of a field that Odoo reads, all of one name together; 200 recipients have
#: 8 kB.
MOST = 12 * 1024
_ROOM = {
    "references": MOST,
    **dict.fromkeys(
        "from sender reply-to delivered-to resent-to resent-cc subject in-reply-to"
        " message-id date return-path".split(),
        2 * 1024,
    ),
}
# Of a field of addresses that is mostly signs, of which nobody writes so many: the
# time to read it grows with their square.
_MOST_SIGNS = 2 * 1024
_SIGNS = b'"(),.:;<>@[\\]'
_MOST_COPIED = 1 << 20
_FIELD = re.compile(rb"^([!-9;-~]+):([^\n]*(?:\n[ \t][^\n]*)*)", re.MULTILINE)
_NOT_COPIED = re.compile(r"content-|mime-version$")


def cuts(head: bytes) -> tuple[list[tuple[int, int]], bool]:
    """What to leave out of a header block.

    :return: octets (start, end), and whether anybody could miss them: the newest
        References, which are the last, are enough
    """
    found: list[tuple[int, int]] = []
    room: dict[str, int] = {}
    is_missed = False
    for field in _FIELD.finditer(head):
        name = field.group(1).decode("ascii").lower()
        start, end = field.span(2)
        left = room.get(name, _room(name, field.group(2), len(head)))
        room[name] = max(0, left - (end - start))
        if end - start <= left:
            continue
        if name == "references":
            found.append((start, end - left))
            continue
        is_missed = True
        comma = head.rfind(b",", start, start + left)  # not in the middle of an address
        found.append((comma if comma > start else start + left, end))
    return found, is_missed


def _room(name: str, value: bytes, otherwise: int) -> int:
    if name in ("to", "cc"):
        signs = len(value) - len(value.translate(None, _SIGNS))
        return MOST if signs < len(value) * 2 // 5 else _MOST_SIGNS
    return _ROOM.get(name, otherwise)


def copy(head: bytes) -> bytes:
    """A header block anew, whatever is wrong with it: fields as long as they may be,
    and none about the body."""
    lines: list[bytes] = []
    for name, values in fields.split(head[:_MOST_COPIED], every=True).items():
        room = _room(name, b"".join(values), MOST)
        if name == "references":
            values = [b" ".join(values)[-room:]]
        for value in values if not _NOT_COPIED.match(name) else ():
            text = value[:room].strip().replace(b"\n", b"\r\n")
            lines.append(b"%s: %s\r\n" % (name.encode(), text))
            room = max(0, room - len(value))
    return b"".join(lines)
