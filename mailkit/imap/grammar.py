"""What stands in IMAP's answers, and how names and sets are written (RFC 3501, 9051).

Every function takes what is there and passes by the rest: servers put responses
that nobody asked for between, in any order, and leave out what they should send.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

_QUOTED = rb'"([^"\\]*(?:\\.[^"\\]*)*)"'
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_FETCH = re.compile(rb"\d{1,10} FETCH \(", re.IGNORECASE)
# In the order in which they are met; flags only so that nothing in them counts.
_ITEM = re.compile(
    rb"(?<![\w.-])(?:"
    rb"UID (?P<uid>\d{1,10})\b"
    rb"|RFC822\.SIZE (?P<size>\d{1,20})\b"
    rb"|BODY\[[^\[\]]*\](?:<(?P<origin>\d{1,20})>)? "
    rb"(?:\{(?P<literal>\d{1,10})\}|"
    + _QUOTED.replace(b"(", b"(?P<quoted>", 1)
    + rb"|NIL)"
    rb"|FLAGS \([^()]*\)"
    rb")",
    re.IGNORECASE | re.DOTALL,
)
_LIST = re.compile(
    rb"LIST \(([^()]*)\) (?:NIL|"
    + _QUOTED
    + rb") (?:\{(\d{1,10})\}|"
    + _QUOTED
    + rb"|(.+))",
    re.IGNORECASE | re.DOTALL,
)
_STATUS_ITEMS = re.compile(rb"\(([^()]*)\)\s*\Z")
_CODE = re.compile(rb"OK \[(UIDVALIDITY|UIDNEXT) (\d{1,10})\]", re.IGNORECASE)
_CAPABILITY = re.compile(rb"(?:OK \[)?CAPABILITY ([^\]\r\n]*)", re.IGNORECASE)
_EXISTS = re.compile(rb"(\d{1,10}) EXISTS\b", re.IGNORECASE)
_MOST_DIGITS = 20
_UTF7 = re.compile("&([^&-]*)-")
_NOT_PRINTABLE = re.compile("&|[^ -~]+")


@dataclass(frozen=True)
class Literal:
    """An argument that is sent as it is, behind its size."""

    data: bytes


@dataclass(frozen=True)
class Untagged:
    """An untagged response without the asterisk.

    Where a literal stood `text` has its place in `literals` in braces.
    """

    text: bytes
    literals: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Fetched:
    """A message's part: `size` of the whole in octets (0: not told), `body` None
    when the response has none, `origin` None when it isn't said to be partial."""

    uid: int
    size: int
    body: bytes | None
    origin: int | None


def fetched(untagged: Iterable[Untagged]) -> Iterator[Fetched]:
    """Return what came of messages; responses without UID are left out."""
    for response in untagged:
        if not _FETCH.match(response.text):
            continue
        uid = size = 0
        origin = body = None
        for item in _ITEM.finditer(response.text):
            kind = item.lastgroup
            if kind == "uid":
                uid = int(item["uid"])
            elif kind == "size":
                size = int(item["size"])
            elif kind in ("literal", "quoted"):
                body = _content(item, response.literals)
                origin = None if item["origin"] is None else int(item["origin"])
        if uid:
            yield Fetched(uid, size, body, origin)


def _content(item: re.Match[bytes], literals: Sequence[bytes]) -> bytes:
    if item["literal"] is not None:
        return literals[int(item["literal"])]
    return _ESCAPE.sub(rb"\1", item["quoted"])


def searched(untagged: Iterable[Untagged]) -> list[int]:
    """Return the numbers that a SEARCH found, each once, ascending."""
    numbers: set[int] = set()
    for response in untagged:
        if response.text[:6].upper() == b"SEARCH":
            numbers.update(map(_number, response.text[6:].partition(b"(")[0].split()))
    return sorted(numbers)


def _number(word: bytes) -> int:
    """Python needs long for many digits; a server never needs so many.

    Raises ValueError.
    """
    if len(word) > _MOST_DIGITS:
        raise ValueError("not a number of IMAP")
    return int(word)


def capabilities(untagged: Iterable[Untagged]) -> frozenset[str]:
    """Return what the server told last that it can do, in upper case."""
    told = b""
    for response in untagged:
        if found := _CAPABILITY.match(response.text):
            told = found.group(1)
    return frozenset(told.decode("latin-1").upper().split())


def status_items(untagged: Iterable[Untagged]) -> dict[str, int]:
    """Return what STATUS told, by upper-case name."""
    items: dict[str, int] = {}
    for response in untagged:
        found = _STATUS_ITEMS.search(response.text)
        if found and response.text[:7].upper() == b"STATUS ":
            words = found.group(1).split()
            pairs = zip(words[::2], words[1::2], strict=False)
            items.update(
                (name.decode().upper(), _number(value)) for name, value in pairs
            )
    return items


def examined_items(untagged: Iterable[Untagged]) -> dict[str, int]:
    """Return what EXAMINE told, by the names of STATUS."""
    items: dict[str, int] = {}
    for response in untagged:
        if found := _CODE.match(response.text):
            items[found.group(1).decode().upper()] = int(found.group(2))
        elif found := _EXISTS.match(response.text):
            items["MESSAGES"] = int(found.group(1))
    return items


def listed(
    untagged: Iterable[Untagged],
) -> Iterator[tuple[frozenset[str], str, bytes]]:
    """Return (attributes in lower case, delimiter or "", name as sent) of LIST."""
    for response in untagged:
        found = _LIST.match(response.text)
        if not found:
            continue
        attributes, delimiter, literal, quoted, atom = found.groups()
        if literal is not None:
            name = response.literals[int(literal)]
        else:
            # Behind the name may stand what extensions add (RFC 5258).
            plain = (atom or b"").partition(b" (")[0]
            name = plain if quoted is None else _ESCAPE.sub(rb"\1", quoted)
        words = frozenset(attributes.decode("latin-1").lower().split())
        sign = _ESCAPE.sub(rb"\1", delimiter or b"").decode("latin-1")
        yield words, sign, name


def date_time(moment: datetime) -> bytes:
    """Return an aware `moment` as APPEND wants it; months are English ones."""
    return moment.strftime(f'"%d-{_MONTHS[moment.month - 1]}-%Y %H:%M:%S %z"').encode()


def day(moment: date) -> bytes:
    """Return the day as SEARCH wants it."""
    return f"{moment.day}-{_MONTHS[moment.month - 1]}-{moment.year}".encode()


def sets(uids: Sequence[int], count: int, octets: int) -> Iterator[Sequence[int]]:
    """Cut ascending `uids` so that each part has at most `count`, written in
    `octets` at most."""
    start = 0
    while start < len(uids):
        part = uids[start : start + count]
        while len(uid_set(part)) > octets:
            part = part[: len(part) * 3 // 4]
        yield part
        start += len(part)


def uid_set(uids: Sequence[int]) -> bytes:
    """Write ascending `uids` as a set: 1:3,7."""
    if isinstance(uids, range):
        return b"%d:%d" % (uids[0], uids[-1])
    parts: list[list[int]] = []
    for uid in uids:
        if parts and parts[-1][1] == uid - 1:
            parts[-1][1] = uid
        else:
            parts.append([uid, uid])
    return b",".join(
        b"%d" % first if first == last else b"%d:%d" % (first, last)
        for first, last in parts
    )


def string(data: bytes) -> bytes | Literal:
    """Write a string: quoted where that is allowed, else as a literal."""
    if re.search(rb"[^\x20-\x7e]", data):
        return Literal(data)
    return b'"%b"' % re.sub(rb'(["\\])', rb"\\\1", data)


def readable_name(raw: bytes) -> str:
    """Return a mailbox's name for people: modified UTF-7 (RFC 3501 5.1.3) decoded.

    Names that aren't written in it are shown as UTF-8, or as they are.
    """
    try:
        return _UTF7.sub(_utf7_part, raw.decode("utf-8"))
    except ValueError:
        return raw.decode("utf-8", "replace")


def written_name(name: str) -> bytes:
    """Return a mailbox's name as it goes over the wire: modified UTF-7, ASCII only."""
    return _NOT_PRINTABLE.sub(_utf7_written, name).encode()


def _utf7_written(found: re.Match[str]) -> str:
    if found.group() == "&":
        return "&-"
    text = base64.b64encode(found.group().encode("utf-16-be")).decode()
    return f"&{text.rstrip('=').replace('/', ',')}-"


def _utf7_part(found: re.Match[str]) -> str:
    if not found.group(1):
        return "&"
    text = found.group(1).replace(",", "/")
    padding = "=" * (-len(text) % 4)
    return base64.b64decode(text + padding, validate=True).decode("utf-16-be")
