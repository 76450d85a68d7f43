"""Which mailboxes a From header names, however it is written.

Python's own parsers (`email.headerregistry`, `email.utils.getaddresses`) need a time
that grows with the square of the text, and raise for some; nothing here does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import groupby, product
from stringprep import in_table_b1

from ..connection.settings import normalize_address
from ..errors import MailError
from .addresses import same_mailbox
from .fields import decode_words

#: Characters of a From that somebody types, or that is looked at in detail: RFC 5322's
#: longest line (section 2.1.1).
MAX_FROM = 998
_MOST_LOCAL, _MOST_DOMAIN = 100, 300  # characters, more than an address may have
_SPACES = re.compile(r"\s+")
_AROUND = re.compile(r" ?([@.]) ?")
_BETWEEN = re.compile("[,;:]")  # addresses; behind the name of a group
_SEPARATOR = re.compile(r'[\s<>()\[\],;:"]')
# A quoted text, closed or not; a sign of a comment; or what is neither.
_TOKEN = re.compile(r'"(?P<quoted>[^"\\]*(?:\\.[^"\\]*)*)\\?(?P<end>"?)|[()]|[^"()]+')
_ESCAPED = re.compile(r"\\(.)")


def address_key(address: str) -> str:
    """Return one spelling for all ways to write the same mailbox, or "".

    The same rule as ``settings.same_address``, but a domain may be written in every way
    that some program takes for it (RFC 3490, 3.1; RFC 3491): with other dots, with what
    is mapped to nothing, and with a dot behind, which mail servers leave away.
    """
    local, at, domain = address.strip().rpartition("@")
    if len(domain) > _MOST_DOMAIN:
        return ""
    domain = "".join(sign for sign in domain if not in_table_b1(sign))
    domain = unicodedata.normalize("NFKC", domain).rstrip(".\u3002")
    try:
        plain = normalize_address(f"{local}{at}{domain}")
    except MailError:
        return ""
    lower = plain.lower()
    # Some characters become ASCII letters in lower case: still another mailbox.
    return lower if lower.isascii() == plain.isascii() else plain


def mailbox_key(address: str | None) -> str:
    """Return one form of all addresses whose mail comes into one mailbox, or "".

    See ``address_key``, and ``addresses.same_mailbox``: never send to it.
    """
    key = address_key(address or "")
    return key and same_mailbox(key)


def header_addresses(text: str) -> frozenset[str]:
    """Return the keys (see ``address_key``) of all mailboxes that ``text`` names.

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
    return frozenset(filter(None, map(address_key, found)))


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
