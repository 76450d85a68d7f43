"""Whether a message answers one that we sent: a pure decision over its headers.

The caller looks up what `candidate_ids` and the verified marks name for a whole batch
in one query, and asks `decide` with the result.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from ..message.addresses import same_mailbox
from ..message.headers import Headers
from .loops import Automatic, automatic, is_own, is_report_candidate
from .token import THREAD_INDEX, Token

# "Re", "Re[2]", "AW", "SV", "Відп", "回复" ...; any short word would take too much.
_PREFIX = re.compile(
    r"(?:re|aw|antw?|sv|vs|ynt|rv|res|rif|odp|bls|ref|vá|vb|atb|απ|отв|ответ"
    r"|відп|відповідь|回复|回覆|答复|返信|fwd?|wg|tr|пересл)"
    r"\.? ?(?:\[\d{1,3}\]|\(\d{1,3}\))? ?[:：] ?",
    re.IGNORECASE,
)


class Outcome(str, Enum):
    """What to do with a message."""

    ANSWER = "answer"  # fetch it, post it to `Decision.message`'s record
    REPORT = "report"  # fetch it, ask `reports.classify`
    BODY_NEEDED = "body_needed"  # fetch it, ask `decide_body`; else leave it alone
    OWN_COPY = "own_copy"  # written by the account itself
    NONE = "none"  # count it


class Reason(str, Enum):
    """Why."""

    MESSAGE_ID = "message_id"  # References or In-Reply-To name a message of ours
    TOKEN = "token"  # noqa: S105  # a mark in References
    THREAD_INDEX = "thread_index"
    BODY_TOKEN = "body_token"  # noqa: S105
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


@dataclass(frozen=True)
class Decision:
    """`message`: id of the message that is answered, or None.

    `from_addressee`: whether the author was written to (the message that is answered,
    as far as one was found). False on an ANSWER: forwarded or a stranger; show it,
    don't relay it. `automatic`: why it must trigger nothing, or None. `author`: whom
    all of this was decided for; a message with another one is another message.
    """

    outcome: Outcome
    reason: Reason
    message: int | None = None
    from_addressee: bool = False
    automatic: Automatic | None = None
    author: str = ""


def candidate_ids(headers: Headers) -> tuple[str, ...]:
    """Every Message-ID to look up for `decide`, each once."""
    own = (headers.message_id, headers.odoo_message_id, headers.original_message_id)
    names = (*headers.references, *headers.in_reply_to, *own)
    return tuple(dict.fromkeys(name for name in names if name))


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
    tokens: Mapping[str, Token] | None = None,
    *,
    is_report: bool | None = None,
) -> Decision:
    """What a message is, by its headers. `tokens`: of `Signer.in_headers`.

    The author is who From says. Who that really was, the caller has to judge
    (`Headers.authentication_results`, or that it lies in the Sent folder).
    `is_report`: False once `reports.classify` found that a REPORT is none.
    """
    decision = _decide(headers, facts, tokens, is_report)
    return replace(decision, author=headers.author.email)


def _decide(
    headers: Headers,
    facts: Facts,
    tokens: Mapping[str, Token] | None,
    is_report: bool | None,
) -> Decision:
    parent, reason = _parent(headers, facts, tokens or {})
    if is_own(headers, facts.own):
        return _own_copy(headers, facts, parent)
    if headers.message_id in facts.messages:
        return Decision(Outcome.NONE, Reason.ALREADY_KNOWN)
    if is_report is not False and is_report_candidate(headers):
        return Decision(
            Outcome.REPORT,
            Reason.LOOKS_LIKE_REPORT,
            message=parent,
            automatic=Automatic.REPORT,
        )
    if parent is not None:
        return _answer(headers, facts, parent, reason)
    if _may_answer(headers, facts):
        return Decision(Outcome.BODY_NEEDED, Reason.FROM_ADDRESSEE, from_addressee=True)
    return Decision(Outcome.NONE, Reason.UNRELATED)


def decide_body(headers: Headers, facts: Facts, tokens: Collection[Token]) -> Decision:
    """After BODY_NEEDED. `tokens`: of `Signer.in_message`.

    A quoted history may hold several of our mails: the newest is answered.
    """
    known = [
        token.message_id for token in tokens if token.message_id in facts.addressees
    ]
    if not known:
        return Decision(Outcome.NONE, Reason.UNRELATED)
    return _answer(headers, facts, max(known), Reason.BODY_TOKEN)


def _parent(
    headers: Headers, facts: Facts, tokens: Mapping[str, Token]
) -> tuple[int | None, Reason]:
    """The last name that leads to a message: the nearest ancestor (RFC 5322, 3.6.4)."""
    for name in reversed((*headers.references, *headers.in_reply_to)):
        message = facts.messages.get(name)
        if message is not None:
            return message, Reason.MESSAGE_ID
        token = tokens.get(name)
        if token and token.message_id in facts.addressees:
            return token.message_id, Reason.TOKEN
    token = tokens.get(THREAD_INDEX)
    if token and token.message_id in facts.addressees:
        return token.message_id, Reason.THREAD_INDEX
    return None, Reason.UNRELATED


def _own_copy(headers: Headers, facts: Facts, parent: int | None) -> Decision:
    """What Odoo sent names itself in References too (base_mail_values of core, and our
    mark), so its own ids are asked first; X-Odoo-Message-Id survives a changed one.
    """
    ids = (headers.message_id, headers.odoo_message_id, headers.original_message_id)
    for name in ids:
        if name in facts.messages:
            sent = facts.messages[name]
            return Decision(Outcome.OWN_COPY, Reason.SENT_BY_ODOO, message=sent)
    if parent is None:
        return Decision(Outcome.NONE, Reason.OWN_MAIL)
    return Decision(
        Outcome.OWN_COPY,
        Reason.OWN_ANSWER,
        message=parent,
        automatic=automatic(headers),
    )


def _answer(headers: Headers, facts: Facts, message: int, reason: Reason) -> Decision:
    author = same_mailbox(headers.author.email)
    written_to = map(same_mailbox, facts.addressees.get(message, ()))
    return Decision(
        Outcome.ANSWER,
        reason,
        message=message,
        from_addressee=bool(author) and author in written_to,
        automatic=automatic(headers),
        author=headers.author.email,
    )


def _may_answer(headers: Headers, facts: Facts) -> bool:
    """Somebody we wrote to answers something, or our subject comes back."""
    author = headers.author.email
    subjects = facts.correspondents.get(author)
    if subjects is None:
        subjects = facts.correspondents.get(same_mailbox(author))
    if subjects is None:
        return False
    if headers.in_reply_to or headers.references:
        return True
    return base_subject(headers.subject) in subjects
