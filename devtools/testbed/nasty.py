"""Messages that break mail readers: a corpus made by code, each with its reason.

Every one can be an answer to a given message, so that a fetch has to take it: the
header names it in In-Reply-To or References as far as the fault lets it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import nasty_content, nasty_files, nasty_headers, nasty_mime
from .nasty_parts import Frame

_BUILDERS = {
    **nasty_mime.CASES,
    **nasty_headers.CASES,
    **nasty_content.CASES,
    **nasty_files.CASES,
}
#: Those without a header that could say what they answer.
UNRECOGNISABLE = frozenset({"empty", "only_line_ends", "only_body", "only_nul"})


@dataclass(frozen=True)
class Nasty:
    """A message and why it is here."""

    name: str
    reason: str
    raw: bytes


def corpus(
    answers: str = "<unrelated@elsewhere.test>",
    *,
    sender: str = "Client <client@customer.test>",
    to: str = "anna@brand-a.test",
) -> dict[str, Nasty]:
    """Every nasty message by name, answering the Message-ID `answers`."""
    return {name: build(name, answers, sender, to) for name in _BUILDERS}


def build(name: str, answers: str, sender: str, to: str) -> Nasty:
    """One of them."""
    builder: Callable[[Frame], bytes] = _BUILDERS[name]
    reason = (builder.__doc__ or "").strip()
    return Nasty(name, reason, builder(Frame(name, answers, sender, to)))
