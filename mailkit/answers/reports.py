"""What a mail system or a mail program reports: bounces and receipts.

RFC 3464 (delivery), RFC 8098 (disposition), RFC 6522 (multipart/report), and the shapes
that follow none of them: qmail, Yahoo, Exim, old sendmail, Domino, Exchange 2003. A
report proves nothing: anybody can write one. The caller believes it when
`Report.original` names a message that it sent to this recipient.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from ..message import fields, mime
from ..message.address_fields import email_of
from ..message.headers import Headers, parse_headers
from .loops import is_report_candidate

_LIMITS = mime.WalkLimits(size=1 << 20, depth=5, parts=40)
_MAX_RECIPIENTS = 100
_MAX_TEXT = 1000
_MAX_NOTICE = 20_000  # characters of what is meant for people
_MAX_NAMED = 50  # recipients in it
# Of RFC 3464, 2.3.3, those that are no failure; after "delayed" it still tries.
_NOT_FAILED = frozenset({"delayed", "delivered", "relayed", "expanded"})
_EMAIL = r"[^\s<>()\"',;:@]{1,64}@[\w.-]{1,255}"
# Where the returned message begins. qmail, Yahoo, Exim, sendmail, Gmail, GMX, Exchange.
_RETURNED = re.compile(
    r"^[ \t]*(?:-{2,}[ ]*(?:below (?:this|the next) line|this is a copy|"
    r"(?:the )?(?:unsent |original |returned )?(?:message|header)\b|original message)"
    r"|original message headers?:|-{3,}[ ]*(?:forwarded|returned) (?:message|mail))",
    re.IGNORECASE | re.MULTILINE,
)
_MESSAGE_ID = re.compile(
    r"^[> \t]{0,10}message-id:[ \t]*(?:\n[ \t]+)?(<[^<>\s]{3,990}>)",
    re.IGNORECASE | re.MULTILINE,
)
# A line that is an address and little else: "<a@b>:", "  a@b", "'a@b' on 1/2/2025".
_ADDRESS_LINE = re.compile(
    rf"^[ \t]*(?:to:[ \t]*)?[<'\"]?({_EMAIL})[>'\"]?"
    r"(?:[ \t]*:(?:[ \t]+on .{1,60})?|[ \t]+on .{1,60}|[ \t]*)$",
    re.IGNORECASE,
)
# "<a@b>: host x said: 550 ...", "a@b... User unknown", "550 5.1.1 <a@b>... Unknown".
_ADDRESS_AND_REASON = re.compile(
    rf"^[ \t]*(?:5\d\d [^<]{{0,30}})?(?:<({_EMAIL})>|({_EMAIL})(?=:|\.\.\.))"
    r"[:.]{1,4}[ \t]+(\S.*)$"
)
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_REPLY_CODE = re.compile(r"\b([45])\d\d[ -]")
_DELAYED = re.compile(
    r"warning message only|do not need to resend|(?:has|have) been delayed|"
    r"not yet (?:been )?delivered|still (?:being )?(?:retr|try)|will (?:continue|retry|"
    r"keep trying)|no action is required|delivery delayed|\(delay\)",
    re.IGNORECASE,
)
_GIVEN_UP = re.compile(
    r"permanent|giv(?:en|ing) up|gave up|has failed|could not be delivered",
    re.IGNORECASE,
)


class Kind(str, Enum):
    """What is reported."""

    DELIVERY = "delivery"
    READ_RECEIPT = "read_receipt"  # says nothing about delivery: never a bounce
    OTHER = "other"  # spam complaints, DMARC and TLS statistics


@dataclass(frozen=True)
class Recipient:
    """One recipient of a delivery report; what is unknown is "".

    `final`, `original`: normalised addresses; `original` is the one we wrote to when
    the mail was forwarded. `failed`: whether the mail didn't reach them and won't.
    `status`: RFC 3463. `diagnostic`: the server's own words, one line of at most 1,000
    characters, not to be trusted as HTML.
    """

    final: str
    original: str = ""
    failed: bool = True
    status: str = ""
    diagnostic: str = ""


@dataclass(frozen=True)
class Original:
    """The message that is reported about.

    `ids`: where to look it up, the surest first: its Message-ID, the one before a
    server changed it, its References (which hold our mark). `headers`: when they were
    returned, for `Signer.in_headers` and the addressees.
    """

    ids: tuple[str, ...]
    headers: Headers | None = None


@dataclass(frozen=True)
class Report:
    """`recipients`, `original` and `text` are a delivery report's. `text`: what the
    mail system says to people, at most 1,000 characters."""

    kind: Kind
    recipients: tuple[Recipient, ...] = ()
    original: Original | None = None
    text: str = ""


def classify(raw: bytes) -> Report | None:
    """What a whole raw message reports, of which the first megabyte is read.

    Any bytes are taken: what can't be made out is no report, but None.
    """
    parts = _outer(list(mime.walk(raw, _LIMITS)))
    headers = parts[0].headers
    if not is_report_candidate(headers):
        is_other = headers.content_type == "multipart/report"
        return Report(Kind.OTHER) if is_other else None
    if _is_receipt(parts):
        return Report(Kind.READ_RECEIPT)
    return _delivery(parts) or _notice(parts)


def _outer(parts: list[mime.Part]) -> list[mime.Part]:
    """Without what is inside of a returned message, except its own headers."""
    kept: list[mime.Part] = []
    inside: int | None = None
    for part in parts:
        if inside is not None and part.depth > inside + 1:
            continue
        if inside is not None and part.depth <= inside:
            inside = None
        if inside is None and part.is_message:
            inside = part.depth
        kept.append(part)
    return kept


def _is_receipt(parts: Sequence[mime.Part]) -> bool:
    kind = "disposition-notification"
    return parts[0].headers.report_type == kind or any(
        part.content_type == f"message/{kind}" for part in parts
    )


def _delivery(parts: Sequence[mime.Part]) -> Report | None:
    """RFC 3464: groups of fields, the first about the message."""
    body = _body_of(parts, "message/delivery-status") or _body_of(
        parts, "message/global-delivery-status"
    )
    if body is None:
        return None
    groups = [
        fields.split(group, every=True)
        for group in fields.unix_lines(body).split(b"\n\n", _MAX_RECIPIENTS)
    ]
    recipients = [found for found in map(_recipient, groups) if found]
    if not recipients:
        return None
    said = " ".join(_said(_text(parts)).split())[:_MAX_TEXT]
    return Report(Kind.DELIVERY, tuple(recipients), _original(parts), said)


def _notice(parts: Sequence[mime.Part]) -> Report | None:
    """A report in words, perhaps with the returned message as a part."""
    headers = parts[0].headers
    text = _text(parts)
    notice = _said(text)
    subject_and_notice = f"{headers.subject}\n{notice}"
    is_delay = _DELAYED.search(subject_and_notice) and not _GIVEN_UP.search(
        subject_and_notice
    )
    original = _original(parts, text)
    named = _named(notice)
    addressed = headers.to[0].email if len(headers.to) == 1 else ""
    named.pop(addressed, None)  # "Hello <you>:"
    for email in headers.failed_recipients:
        named.setdefault(email, "")
    if not named and original and original.headers:
        returned_to = [a.email for a in original.headers.to if a.email]
        named = dict.fromkeys(returned_to if len(returned_to) == 1 else (), "")
    if not named and original is None:
        return None
    said = " ".join(notice.split())
    found = [
        Recipient(
            email,
            failed=not is_delay,
            status=_status(reason) or _status(notice),
            diagnostic=(reason or said)[:_MAX_TEXT],
        )
        for email, reason in named.items()
    ]
    return Report(
        Kind.DELIVERY, tuple(found[:_MAX_RECIPIENTS]), original, said[:_MAX_TEXT]
    )


def _recipient(group: fields.Fields) -> Recipient | None:
    final = _typed_address(_value(group, "final-recipient"))
    original = _typed_address(_value(group, "original-recipient"))
    if not final and not original:
        return None
    status = _status(_value(group, "status"))
    action = _value(group, "action").partition(" ")[0].strip("();,.").lower()
    return Recipient(
        final=final or original,
        original=original,
        failed=action == "failed"
        or (action not in _NOT_FAILED and status.startswith("5")),
        status=status,
        diagnostic=_untyped(_value(group, "diagnostic-code"))[:_MAX_TEXT],
    )


def _original(parts: Sequence[mime.Part], text: str = "") -> Original | None:
    """From the returned message or its headers, else words, else what is answered."""
    headers = _returned_headers(parts)
    if headers is None and text:
        returned = _returned(text).encode()
        headers = parse_headers(returned) if returned else None
    if headers is not None and not headers.fields:
        headers = None
    ids = [*headers.own_ids, *reversed(headers.ancestors)] if headers else []
    if not ids:
        quoted = _MESSAGE_ID.search(text or _text(parts))
        ids += [quoted.group(1)] if quoted else []
    ids += reversed(parts[0].headers.ancestors)
    found = tuple(dict.fromkeys(ids))
    return Original(found, headers) if found or headers else None


def _returned_headers(parts: Sequence[mime.Part]) -> Headers | None:
    for index, part in enumerate(parts[1:], 1):
        if part.content_type in ("text/rfc822-headers", "message/global-headers"):
            return parse_headers(part.decoded())
        if part.is_message and index + 1 < len(parts):
            return parts[index + 1].headers
    return None


def _body_of(parts: Sequence[mime.Part], content_type: str) -> bytes | None:
    for part in parts:
        if part.content_type == content_type:
            return part.decoded()
    return None


def _text(parts: Sequence[mime.Part]) -> str:
    """The first text for people."""
    for part in parts:
        if part.content_type in ("text/plain", "text/html"):
            text = part.plain()
            if text.strip():
                return text
    return ""


def _value(found: fields.Fields, name: str) -> str:
    values = found.get(name)
    return fields.decode_words(fields.text(values[0])) if values else ""


def _untyped(value: str) -> str:
    """Without "smtp;", "dns;" ... in front, spaces folded."""
    kind, separator, rest = value.partition(";")
    if separator and kind.strip().replace("-", "").isalnum():
        value = rest
    return " ".join(value.split())


def _typed_address(value: str) -> str:
    return email_of(_untyped(value))


def _said(text: str) -> str:
    """What the mail system says, without the message it returns."""
    text = text[: 4 * _MAX_NOTICE]
    found = _RETURNED.search(text)
    return text[: found.start() if found else _MAX_NOTICE][:_MAX_NOTICE]


def _returned(text: str) -> str:
    """The message that the text returns, "" when there is none."""
    found = _RETURNED.search(text[: 4 * _MAX_NOTICE])
    if not found:
        return ""
    return text[found.end() :].partition("\n")[2].lstrip("\n")


def _status(text: str) -> str:
    """An RFC 3463 status in `text`; "5.0.0" or "4.0.0" for a bare reply code; ""."""
    found = _STATUS.search(text)
    if found:
        return found.group(1)
    found = _REPLY_CODE.search(text)
    return f"{found.group(1)}.0.0" if found else ""


def _named(text: str) -> dict[str, str]:
    """The recipients that a notice names, each with the reason."""
    lines = text.splitlines()
    found: dict[str, str] = {}
    for index, line in enumerate(lines):
        if len(found) >= _MAX_NAMED:
            break
        line = line[:1000]
        alone = _ADDRESS_LINE.match(line)
        if alone:
            reason = _following(lines, index + 1)
            _keep(found, alone.group(1), reason)
            continue
        both = _ADDRESS_AND_REASON.match(line)
        if both:
            more = _following(lines, index + 1, same_paragraph=True)
            _keep(found, both.group(1) or both.group(2), f"{both.group(3)} {more}")
    return found


def _keep(found: dict[str, str], email: str, reason: str) -> None:
    """sendmail names an address twice: the fuller reason wins."""
    email = email_of(email)
    if email and (email not in found or not found[email]):
        found[email] = " ".join(reason.split())[:_MAX_TEXT]


def _following(lines: list[str], start: int, *, same_paragraph: bool = False) -> str:
    """The rest of the paragraph, or the next one when there is no rest.

    Stops at the next address: of several addresses in a row the last has the reason.
    """
    reason: list[str] = []
    for line in lines[start : start + 15]:
        if _ADDRESS_LINE.match(line[:1000]) or _ADDRESS_AND_REASON.match(line[:1000]):
            break
        if line.strip():
            reason.append(line)
        elif same_paragraph or (reason and not reason[-1].rstrip().endswith(":")):
            break
    return " ".join(reason)
