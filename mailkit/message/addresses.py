"""Addresses in header fields: what people and programs put there, tolerantly.

`email.utils.getaddresses` differs between Python's security releases and drops a
whole field for one broken address; here the sound ones stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from .fields import decode_words

MAX_ADDRESSES = 500
MAX_EMAIL = 320  # RFC 5321: 64 + 1 + 255
_MAX_DISPLAY = 250
# Every alternative is decided by its first characters: no backtracking.
_TOKEN = re.compile(
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
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True)
class Address:
    """`email` normalised, "" when there is none; `display` decoded, maybe "".

    `certain`: whether the text can only be meant so. Not when it names another mailbox
    too, or this one only where a name stands (in quotes, in an encoded word, before
    brackets) or in brackets that stay open.
    """

    email: str
    display: str = ""
    certain: bool = field(default=True, compare=False)


def normalise(email: str) -> str:
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


def same_mailbox(email: str) -> str:
    """A form that is equal for addresses which are one mailbox for sure enough.

    Without subaddress (RFC 5233), and Google's second domain as its first. For marks
    and comparisons only: never send to it.
    """
    local, _at, domain = email.rpartition("@")
    local = local.partition("+")[0] or local
    return f"{local}@{'gmail.com' if domain == 'googlemail.com' else domain}"


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
    for match in _TOKEN.finditer(value):
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
    return [email for text in texts if "@" in text and (email := normalise(text))]
