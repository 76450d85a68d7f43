"""The addresses in header fields: what people and programs put there, tolerantly.

`parse` gives those that a field names; `header_addresses` those that any program may
show for a From, which is more. Python's own parsers (`email.headerregistry`,
`email.utils.getaddresses`) drop a whole field for one broken address, need a time that
grows with the square of the text, and raise for some; nothing here does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby, product

from .address import Address
from .fields import decode_words

MAX_ADDRESSES = 500
MAX_EMAIL = 320  # RFC 5321: 64 + 1 + 255
_MAX_DISPLAY = 250
#: Characters of a From that somebody types, or that is looked at in detail: RFC 5322's
#: longest line (section 2.1.1).
MAX_FROM = 998
_MOST_LOCAL, _MOST_DOMAIN = 100, 300  # characters, more than an address may have
# Every alternative is decided by its first characters: no backtracking.
_PIECE = re.compile(
    r"(?P<encoded>=\?[^?\s]{1,60}\?[bBqQ]\?[^?]*\?=)"
    r'|"(?P<quoted>[^"\\]*(?:\\.[^"\\]*)*)\\?(?P<end>"?)'
    r"|\((?P<comment>[^()]*)\)|<(?P<angle>[^<>]*)>?|(?P<sign>[,;:])"
    r'|(?P<word>[^\s"(<,;:]+)|\s+|.',
    re.DOTALL,
)
# What nine of ten fields are; the rest is taken apart.
_SIMPLE = re.compile(
    r"""\A(?:"([^"\\=]*)"\s*|([^"<>@,;:()\\=]*))<([\w.+-]{1,64}@[\w.-]{1,255})>""",
    re.ASCII,
)
_AROUND = re.compile(r" ?([@.]) ?")
_BETWEEN = re.compile("[,;:]")  # addresses; behind the name of a group
_SEPARATOR = re.compile(r'[\s<>()\[\],;:"]')
# A quoted text, closed or not; a sign of a comment; or what is neither.
_TOKEN = re.compile(r'"(?P<quoted>[^"\\]*(?:\\.[^"\\]*)*)\\?(?P<end>"?)|[()]|[^"()]+')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SPACES = re.compile(r"\s+")


def email_of(email: str) -> str:
    """`email` as Odoo's `email_normalize` has it, "" when it is no address.

    Lower case, except a local part that isn't ASCII (odoo/tools/mail.py,
    `_normalize_email`). The quotes which Outlook puts around are removed, and what
    can't be seen.
    """
    if not email.isprintable():
        email = "".join(filter(str.isprintable, email))
    email = _SPACES.sub("", email).strip("'\"<>,;")
    local, at, domain = email.rpartition("@")
    if not at or not local or not domain or len(email) > MAX_EMAIL:
        return ""
    return f"{local.lower() if local.isascii() else local}@{domain.lower()}"


def parse(fields: Iterable[str]) -> tuple[Address, ...]:
    """The addresses of all `fields` of one name, in order, without groups' names.

    Text that is no address is only given when there is no address at all, as in
    "From: Mail Delivery System".
    """
    found: list[Address] = []
    for value in fields:
        found += _parse_field(value)
        if len(found) >= MAX_ADDRESSES:
            break
    sound = [address for address in found if address.email]
    return tuple((sound or found)[:MAX_ADDRESSES])


def _parse_field(value: str) -> list[Address]:
    simple = _SIMPLE.fullmatch(value.strip())
    if simple:
        quoted, plain, email = simple.groups()
        display = (quoted or plain or "").strip(" '")[:_MAX_DISPLAY]
        return [Address(email.lower(), display)]
    found = _scan(value)
    if "=?" in value and not any(address.email for address in found):
        decoded = _scan(decode_words(value))  # the address is encoded too
        found = [replace(address, certain=False) for address in decoded] or found
    return found


def _scan(value: str) -> list[Address]:
    if value.count('"') % 2:
        value = value.replace('"', " ")  # one is never closed: they mean nothing
    found: list[Address] = []
    entry = _Entry()
    for kind, piece, whole in _tokens(value):
        if kind != "sign":
            entry.add(kind, piece, whole)
        elif piece == ":":
            entry = _Entry()  # the name of a group
        else:
            entry.close(found)
            entry = _Entry()
            if len(found) >= MAX_ADDRESSES:
                return found
    entry.close(found)
    return found


def _tokens(value: str) -> Iterator[tuple[str | None, str, str]]:
    """(kind or None, text, text as it was written) of what stands in a field."""
    for match in _PIECE.finditer(value):
        kind = "quoted" if match["quoted"] is not None else match.lastgroup
        if kind == "quoted" and not match["end"]:
            # It is never closed: what follows stands for itself.
            yield from _tokens(value[match.start() :].replace('"', " "))
            return
        yield kind, match[kind] if kind else "", match.group()


class _Entry:
    """One address in the making."""

    def __init__(self) -> None:
        self.angles: list[str] = []
        self.names: list[str] = []
        self.comments: list[str] = []
        self.quotes = False  # an address stands in quotes
        self.certain = True

    def add(self, kind: str | None, piece: str, whole: str) -> None:
        if kind == "angle":
            # A route (RFC 5322, 4.4) goes before the last colon.
            self.angles.append(piece.rpartition(":")[2])
            self.certain = self.certain and whole.endswith(">")
        elif kind == "comment":
            self.comments.append(piece)
        elif kind == "quoted":
            name = _ESCAPED.sub(r"\1", piece)
            self.names.append(name)
            self.quotes = self.quotes or "@" in name
        elif kind:
            self.names.append(piece)

    def close(self, found: list[Address]) -> None:
        emails = _emails(self.angles)
        names = self.names
        if not emails:
            emails = _emails(names)
            # Before brackets, and in quotes, a name stands.
            self.certain = self.certain and not (self.angles or self.quotes)
            if emails:
                place = next(i for i, name in enumerate(names) if _emails([name]))
                names = names[:place] + names[place + 1 :]
        display = " ".join(names) or " ".join(self.comments)
        display = decode_words(display).strip(" '")[:_MAX_DISPLAY]
        email = emails[0] if emails else ""
        if email or display:
            certain = self.certain and len(set(emails)) < 2
            found.append(Address(email, display, certain))


def _emails(texts: Iterable[str]) -> list[str]:
    return [email for text in texts if "@" in text and (email := email_of(text))]


def header_addresses(text: str) -> frozenset[str]:
    """Return the keys (`Address.key`) of all mailboxes that ``text`` names.

    Display names do not count. Quoted local parts, comments, groups and routes are
    understood (RFC 5322 section 3.4, 4.4); of what is malformed, or longer than
    ``MAX_FROM``, everything that looks like an address counts, in names and comments
    too, since the recipient's program may show it. Never raises.
    """
    text = "".join(filter(str.isprintable, _SPACES.sub(" ", text)))
    text = " ".join(text.split())
    sound = _without_names(text) if len(text) <= MAX_FROM else None
    found = _keys(sound) if sound is not None else frozenset()
    return found or _keys(text) | _keys(_without_comments(text))


def _without_comments(text: str) -> str:
    """What is glued together then, some programs take for one word."""
    kept: list[str] = []
    depth = 0
    for token in _TOKEN.finditer(text):
        sign = token.group()
        if sign in ("(", ")"):
            depth = max(depth + (1 if sign == "(" else -1), 0)
        elif not depth:
            kept.append(sign)
    return "".join(kept)


def _keys(text: str) -> frozenset[str]:
    """Of everything between two separators that has an "@", in every reading."""
    words = {text}
    if "=?" in text:
        apart = text.replace("?= =?", "?=,=?").replace("?==?", "?=,=?")
        words |= {decode_words(text), decode_words(apart)}
    readings = words | {word.replace("\\", " ") for word in words}
    plain = {word.replace("\\", "") for word in words}
    readings |= plain | {word.replace('"', "") for word in plain}
    found = {
        address
        for reading in readings
        for each in (reading, _AROUND.sub(r"\1", reading), reading.replace(" ", ""))
        for address in _around_signs(each)
    }
    found |= {address.strip("'.") for address in found}
    return frozenset(filter(None, (Address(each).key for each in found)))


def _around_signs(text: str) -> Iterator[str]:
    pieces = text.split("@")
    for left, right in zip(pieces[:-1], pieces[1:], strict=True):
        left, right = left[-_MOST_LOCAL:], right[:_MOST_DOMAIN]
        # Quotes may belong to the one side, and end the other.
        for before, after in product(*({s, s.replace('"', "")} for s in (left, right))):
            local = _SEPARATOR.split(before)[-1]
            domain = _SEPARATOR.split(after, maxsplit=1)[0]
            if local and domain:
                yield f"{local}@{domain}"


def _without_names(text: str) -> str | None:
    """The text without display names and comments; None when it is malformed."""
    plain = _without_quoted(text)
    entries = [] if plain is None else _BETWEEN.split(plain)
    addresses = [_address_of(" ".join(entry.split())) for entry in entries]
    if plain is None or None in addresses:
        return None
    return ",".join(filter(None, addresses))


def _address_of(entry: str) -> str | None:
    """The address in "name <address>" or "address"; None when it is neither."""
    if "<" not in entry:
        glued = _AROUND.sub(r"\1", entry)
        return entry if not entry or _is_address(glued) else None
    name, _bracket, rest = entry.partition("<")
    address, closed, after = rest.partition(">")
    sound = closed and not after and "@" not in name and ">" not in name
    return address if sound and _is_address(_AROUND.sub(r"\1", address)) else None


def _is_address(text: str) -> bool:
    return text.count("@") == 1 and not any(sign in text for sign in ' <>"[]')


def _without_quoted(text: str) -> str | None:
    """Without comments and quoted names; quoted parts of an address stay, bare. None:
    something is not closed, or glued to its neighbour."""
    pieces = _outside_comments(text)
    if pieces is None:
        return None
    kept: list[str] = []
    for index, (piece, is_quoted) in enumerate(pieces):
        following = pieces[index + 1][0] if index + 1 < len(pieces) else ""
        if is_quoted and following.lstrip()[:1] not in ("@", "."):
            if not _is_separated(following[:1]):
                return None
            piece = '"'
        elif is_quoted and _SEPARATOR.search(piece):
            return None
        if is_quoted and kept and not _is_separated(kept[-1][-1:]):
            return None
        kept.append(piece)
    return "".join(kept)


def _is_separated(neighbour: str) -> bool:
    return neighbour in ("", ".") or bool(_SEPARATOR.match(neighbour))


def _outside_comments(text: str) -> list[tuple[str, bool]] | None:
    """(text, whether it was quoted), neighbours of one kind together."""
    pieces: list[tuple[str, bool]] = []
    depth = 0
    for token in _TOKEN.finditer(text):
        sign = token.group()
        quoted = token["quoted"]
        if sign in ("(", ")"):
            depth += 1 if sign == "(" else -1
            if depth < 0:
                return None
            pieces += [(" ", False)] * (depth == 0)
        elif quoted is not None and not token["end"]:
            return None
        elif quoted is not None and not depth:
            pieces.append((_ESCAPED.sub(r"\1", quoted), True))
        elif not depth:
            pieces.append((sign, False))
    if depth:
        return None
    runs = groupby(pieces, key=lambda piece: piece[1])
    return [("".join(text for text, _quoted in run), quoted) for quoted, run in runs]
