"""Addresses in header fields: what people and programs put there, tolerantly.

`email.utils.getaddresses` differs between Python's security releases and drops a
whole field for one broken address; here the sound ones stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

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
    """`email` normalised, "" when there is none; `display` decoded, maybe ""."""

    email: str
    display: str = ""


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
        found = _scan(decode_words(value)) or found  # the address is encoded too
    return found


def _scan(value: str) -> list[Address]:
    if value.count('"') % 2:
        value = value.replace('"', " ")  # one is never closed: they mean nothing
    found: list[Address] = []
    entry = _Entry()
    for kind, piece in _tokens(value):
        if kind != "sign":
            entry.add(kind, piece)
        elif piece == ":":
            entry = _Entry()  # the name of a group
        else:
            entry.close(found)
            entry = _Entry()
            if len(found) >= MAX_ADDRESSES:
                return found
    entry.close(found)
    return found


def _tokens(value: str) -> Iterator[tuple[str | None, str]]:
    """(kind or None, text) of what stands in a field."""
    for match in _TOKEN.finditer(value):
        kind = "quoted" if match["quoted"] is not None else match.lastgroup
        if kind == "quoted" and not match["end"]:
            # It is never closed: what follows stands for itself.
            yield from _tokens(value[match.start() :].replace('"', " "))
            return
        yield kind, match[kind] if kind else ""


class _Entry:
    """One address in the making."""

    def __init__(self) -> None:
        self.angle: str | None = None
        self.names: list[str] = []
        self.comments: list[str] = []

    def add(self, kind: str | None, piece: str) -> None:
        if kind == "angle":
            # A route (RFC 5322, 4.4) goes before the last colon.
            if self.angle is None or "@" not in self.angle:
                self.angle = piece.rpartition(":")[2]
        elif kind == "comment":
            self.comments.append(piece)
        elif kind == "quoted":
            self.names.append(_ESCAPED.sub(r"\1", piece))
        elif kind:
            self.names.append(piece)

    def close(self, found: list[Address]) -> None:
        email = normalise(self.angle) if self.angle else ""
        names = self.names
        if not email:
            for index, name in enumerate(names):
                email = normalise(name) if "@" in name else ""
                if email:
                    names = names[:index] + names[index + 1 :]
                    break
        display = " ".join(names) or " ".join(self.comments)
        display = decode_words(display).strip(" '")[:_MAX_DISPLAY]
        if email or display:
            found.append(Address(email, display))
