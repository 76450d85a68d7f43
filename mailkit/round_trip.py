"""A message to oneself: how it is written, and what of it is left when it came back."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

from .message import fields, mime
from .message.address import Address
from .message.address_fields import parse
from .message.headers import parse_headers

_LIMITS = mime.WalkLimits(size=256 * 1024, depth=4, parts=20)


class Fate(str, Enum):
    """What became of one part of a message."""

    KEPT = "kept"
    CHANGED = "changed"
    DROPPED = "dropped"
    UNKNOWN = "unknown"  # not looked at


@dataclass(frozen=True)
class Sent:
    """What left. `message_id`, `reference`: normalised; the reference stands in
    References. `mark`: a word of the text and the HTML. `secret`: value of `header`.
    """

    message_id: str
    sender: str
    name: str
    reply_to: str
    reference: str
    thread_index: str
    mark: str
    header: str
    secret: str = field(repr=False)

    def is_ours(self, head: bytes) -> bool:
        """Whether a header block is exactly this message's: by its id, and by what
        stands in no other."""
        known = self.message_id in parse_headers(head).own_ids
        line = re.escape(f"{self.header}: {self.secret}".encode())
        return known and bool(re.search(rb"(?mi)^" + line + rb"\s*$", head))


@dataclass(frozen=True)
class Return:
    """What of it came back. `id`: as it arrived; `senders`: who stands in From."""

    message_id: Fate
    id: str
    sender: Fate
    senders: str
    name: Fate
    reply_to: Fate
    references: Fate
    thread_index: Fate
    text_mark: Fate
    html_mark: Fate


def compare(sent: Sent, head: bytes, whole: bytes = b"") -> Return:
    """`head`: the header block as it arrived; `whole`: the message, b"": not there."""
    headers = parse_headers(head)
    authors = headers.from_
    is_sender = [each.key for each in authors] == [Address(sent.sender).key]
    names = [each.display for each in authors]
    return Return(
        message_id=_fate(headers.message_id, sent.message_id),
        id=headers.message_id,
        sender=Fate.KEPT if is_sender else Fate.CHANGED,
        senders=", ".join(each.email or each.display for each in authors)[:500],
        name=_fate(" ".join(names).strip(), sent.name),
        reply_to=_reply_to(head, sent),
        references=_kept(sent.reference in headers.ancestors, bool(headers.ancestors)),
        thread_index=_fate(headers.thread_index, sent.thread_index),
        text_mark=_in_part(whole, "text/plain", sent.mark),
        html_mark=_in_part(whole, "text/html", sent.mark),
    )


def _fate(found: str, sent: str) -> Fate:
    return _kept(found == sent, bool(found))


def _kept(same: bool, there: bool) -> Fate:
    if same:
        return Fate.KEPT
    return Fate.CHANGED if there else Fate.DROPPED


def _reply_to(head: bytes, sent: Sent) -> Fate:
    values = fields.split(head, every=True).get("reply-to", ())
    keys = [each.key for each in parse(map(fields.text, values))]
    return _kept(keys == [Address(sent.reply_to).key], bool(keys))


def _in_part(whole: bytes, kind: str, mark: str) -> Fate:
    if not whole:
        return Fate.UNKNOWN
    texts = [
        part.text() for part in mime.walk(whole, _LIMITS) if part.content_type == kind
    ]
    return _kept(any(mark in text for text in texts), bool(texts))
