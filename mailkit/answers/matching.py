"""Whether a message answers one that we sent: a pure decision over its headers.

The caller looks up what `Headers.all_ids` and the verified marks name for a whole batch
in one query, and asks `decide` with the result.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from ..message.address import without_subaddress
from ..message.headers import Headers
from .loops import is_automatic, is_report_candidate
from .token import THREAD_INDEX

# "Re", "Re[2]", "AW", "SV", "Відп", "回复" ...; any short word would take too much.
_PREFIX = re.compile(
    r"(?:re|aw|antw?|sv|vs|ynt|rv|res|rif|odp|bls|ref|vá|vb|atb|απ|отв|ответ"
    r"|відп|відповідь|回复|回覆|答复|返信|fwd?|wg|tr|пересл)"
    r"\.? ?(?:\[\d{1,3}\]|\(\d{1,3}\))? ?[:：] ?",
    re.IGNORECASE,
)


class Match(str, Enum):
    """What a message is to us, and what to do with it."""

    ANSWER = "answer"  # fetch it, post it to `Decision.message`'s record
    REPORT = "report"  # fetch it, ask `reports.classify`
    BODY_NEEDED = "body_needed"  # fetch it, ask `decide_body`; else leave it alone
    OWN_COPY = "own_copy"  # written by the account itself
    NONE = "none"  # count it


class MatchReason(str, Enum):
    """What told it."""

    MESSAGE_ID = "message_id"  # References or In-Reply-To name a message of ours
    TOKEN = "token"  # noqa: S105  # a mark in References
    THREAD_INDEX = "thread_index"
    BODY_TOKEN = "body_token"  # noqa: S105
    SUBJECT = "subject"  # and its sender, for lack of anything else
    LOOKS_LIKE_REPORT = "looks_like_report"
    FROM_ADDRESSEE = "from_addressee"  # an answer of somebody we wrote to, it seems
    SENT_BY_ODOO = "sent_by_odoo"  # a copy of what Odoo sent (Sent folder, redirect)
    OWN_ANSWER = "own_answer"  # the account's owner answered with a mail program
    OWN_MAIL = "own_mail"  # the owner's other mail
    ALREADY_KNOWN = "already_known"  # its own Message-ID is known
    CODE_MAIL = "code_mail"  # of Odoo's, or about it: a code that proves an address
    UNRELATED = "unrelated"


@dataclass(frozen=True)
class Facts:
    """What the database says about the candidates of a batch.

    `messages`: normalised Message-ID to id of the message, of what Odoo has sent or
    holds. `addressees`: of every message in `messages`, and of those which marks name,
    the normalised addresses it went to; a message that isn't here counts as gone.
    `correspondents`: of the batch's senders those that this account wrote to, each
    with the subjects (`base_subject`) of that mail. `own`: the account's normalised
    addresses.
    """

    messages: Mapping[str, int] = field(default_factory=dict)
    addressees: Mapping[int, Collection[str]] = field(default_factory=dict)
    correspondents: Mapping[str, Collection[str]] = field(default_factory=dict)
    own: Collection[str] = ()


class Decision(NamedTuple):
    """`author`: whom all of this was decided for; a message with another one is another
    message. `message`: id of the message that is answered, or None.

    `from_addressee`: whether the author was written to (the message that is answered,
    as far as one was found). False on an ANSWER: forwarded or a stranger; show it,
    don't relay it. `is_automatic`: whether it must trigger nothing.
    """

    match: Match
    reason: MatchReason
    author: str = ""
    message: int | None = None
    from_addressee: bool = False
    is_automatic: bool = False


def base_subject(subject: str) -> str:
    """`subject` without "Re:" and its kin, lower case, spaces folded."""
    subject = " ".join(subject.split())
    start = 0
    while match := _PREFIX.match(subject, start):
        start = match.end()
    return subject[start:].lower()


def decide(
    headers: Headers,
    facts: Facts,
    marks: Mapping[str, int] | None = None,
    *,
    is_report: bool | None = None,
) -> Decision:
    """What a message is, by its headers. `marks`: of `Signer.in_headers`.

    The author is who From says. Who that really was, the caller has to judge (that it
    lies in the Sent folder, e.g.). `is_report`: False once `reports.classify` found
    that a REPORT is none.
    """
    author = headers.author.email
    parent, reason = _parent(headers, facts, marks or {})
    if _is_own(author, facts.own):
        return _own_copy(headers, facts, parent, marks or {})
    if headers.message_id in facts.messages:
        return Decision(Match.NONE, MatchReason.ALREADY_KNOWN, author)
    if is_report is not False and is_report_candidate(headers):
        reason = MatchReason.LOOKS_LIKE_REPORT
        return Decision(Match.REPORT, reason, author, parent, is_automatic=True)
    if parent is not None:
        return _answer(headers, facts, parent, reason)
    if _may_answer(headers, facts):
        reason = MatchReason.FROM_ADDRESSEE
        return Decision(Match.BODY_NEEDED, reason, author, from_addressee=True)
    return Decision(Match.NONE, MatchReason.UNRELATED, author)


def decide_body(headers: Headers, facts: Facts, marks: Collection[int]) -> Decision:
    """After BODY_NEEDED. `marks`: of `Signer.in_message`.

    A quoted history may hold several of our mails: the newest is answered.
    """
    known = [message for message in marks if message in facts.addressees]
    if not known:
        return Decision(Match.NONE, MatchReason.UNRELATED, headers.author.email)
    return _answer(headers, facts, max(known), MatchReason.BODY_TOKEN)


def decide_by_subject(headers: Headers, facts: Facts, message: int) -> Decision:
    """After nothing else told it: `message` is the newest of the one conversation in
    which its author was written to under this subject.
    """
    return _answer(headers, facts, message, MatchReason.SUBJECT)


def _is_own(author: str, own: Collection[str]) -> bool:
    """Whether an address of ours is the author; subaddresses count."""
    return bool(author) and (author in own or without_subaddress(author) in own)


def _parent(
    headers: Headers, facts: Facts, marks: Mapping[str, int]
) -> tuple[int | None, MatchReason]:
    """The last name that leads to a message: the nearest ancestor (RFC 5322, 3.6.4)."""
    for name in reversed(headers.ancestors):
        message = facts.messages.get(name)
        if message is not None:
            return message, MatchReason.MESSAGE_ID
        message = marks.get(name)
        if message in facts.addressees:
            return message, MatchReason.TOKEN
    message = marks.get(THREAD_INDEX)
    if message in facts.addressees:
        return message, MatchReason.THREAD_INDEX
    return None, MatchReason.UNRELATED


def _own_copy(
    headers: Headers, facts: Facts, parent: int | None, marks: Mapping[str, int]
) -> Decision:
    """What Odoo sent names itself in References too (base_mail_values of core, and our
    mark), so its own ids are asked first; X-Odoo-Message-Id survives a changed one.
    Where a service drops that field as well: what answers nothing, and whose last
    reference is our mark, is the marked mail itself.
    """
    author = headers.author.email
    for name in headers.own_ids:
        if name in facts.messages:
            sent = facts.messages[name]
            return Decision(Match.OWN_COPY, MatchReason.SENT_BY_ODOO, author, sent)
    if parent is None:
        return Decision(Match.NONE, MatchReason.OWN_MAIL, author)
    nearest = next(iter(headers.ancestors[-1:]), "")
    if marks.get(nearest) == parent and "in-reply-to" not in headers.fields:
        return Decision(Match.OWN_COPY, MatchReason.SENT_BY_ODOO, author, parent)
    return Decision(
        Match.OWN_COPY,
        MatchReason.OWN_ANSWER,
        author,
        parent,
        is_automatic=is_automatic(headers),
    )


def _answer(
    headers: Headers, facts: Facts, message: int, reason: MatchReason
) -> Decision:
    author = headers.author.email
    written_to = map(without_subaddress, facts.addressees.get(message, ()))
    return Decision(
        Match.ANSWER,
        reason,
        author,
        message,
        from_addressee=bool(author) and without_subaddress(author) in written_to,
        is_automatic=is_automatic(headers),
    )


def _may_answer(headers: Headers, facts: Facts) -> bool:
    """Somebody we wrote to answers something, or our subject comes back."""
    author = headers.author.email
    subjects = facts.correspondents.get(author)
    if subjects is None:
        subjects = facts.correspondents.get(without_subaddress(author))
    if subjects is None:
        return False
    return bool(headers.ancestors) or base_subject(headers.subject) in subjects
