"""What a mail system or a mail program reports: bounces, receipts, absence notes.

RFC 3464 (delivery), RFC 8098 (disposition), RFC 6522 (multipart/report), RFC 3834
(automatic answers), and the shapes that follow none of them. A report proves nothing:
anybody can write one. The caller believes it when `Report.original` names a message
that it sent to this recipient.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..message import fields, mime
from ..message.addresses import normalise
from ..message.headers import Headers, message_ids, parse_headers
from . import report_text
from .loops import Automatic, automatic, is_report_candidate
from .report_types import Action, Kind, Original, Recipient, Report

_LIMITS = mime.Limits(size=1 << 20, depth=5, parts=40)
_MAX_RECIPIENTS = 100
_MAX_TEXT = 1000


def classify(raw: bytes) -> Report:
    """Classify a whole raw message, of which the first megabyte is read.

    Any bytes are taken: what can't be made out is an ordinary message.
    """
    parts = _outer(list(mime.walk(raw, _LIMITS)))
    headers = parts[0].headers
    if headers.content_type == "multipart/report" and not is_report_candidate(headers):
        return Report(Kind.OTHER_REPORT, (f"report-type={headers.report_type}",))
    if is_report_candidate(headers):
        report = _receipt(parts) or _delivery(parts) or _notice(parts)
        if report:
            return report
    return _program(headers)


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


def _evidence(headers: Headers) -> tuple[str, ...]:
    local = headers.author.email.partition("@")[0]
    found = [f"{headers.content_type} {headers.report_type}".strip(), f"from={local}"]
    if headers.return_path == "":
        found.append("null return path")
    if headers.failed_recipients:
        found.append("x-failed-recipients")
    return tuple(found)


def _receipt(parts: Sequence[mime.Part]) -> Report | None:
    headers = parts[0].headers
    body = _body_of(parts, "message/disposition-notification")
    if body is None and headers.report_type != "disposition-notification":
        return None
    found = fields.split(body or b"", every=True)
    # Exchange gives In-Reply-To instead of Original-Message-ID.
    named = message_ids(_value(found, "original-message-id"))
    original = _original(parts, named)
    recipient = Recipient(
        final=_typed_address(_value(found, "final-recipient")),
        original=_typed_address(_value(found, "original-recipient")),
    )
    disposition = _value(found, "disposition").rpartition(";")[2]
    return Report(
        Kind.READ_RECEIPT,
        _evidence(headers),
        recipients=(recipient,) if recipient.final or recipient.original else (),
        original=original,
        disposition=disposition.partition("/")[0].strip().lower()[:60],
        text=_people_text(parts),
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
    text = _people_text(parts)
    if not recipients:
        return None
    return Report(
        Kind.DELIVERY_REPORT,
        _evidence(parts[0].headers),
        recipients=tuple(recipients),
        original=_original(parts),
        reporting_mta=_untyped(_value(groups[0], "reporting-mta"))[:255],
        text=text,
    )


def _notice(parts: Sequence[mime.Part]) -> Report | None:
    """A report in words, perhaps with the returned message as a part."""
    headers = parts[0].headers
    text = _text(parts)
    notice = report_text.notice(text)
    action = Action.FAILED
    if report_text.is_delay(f"{headers.subject}\n{notice}"):
        action = Action.DELAYED
    original = _original(parts, text=text)
    named = dict(report_text.recipients(notice))
    addressed = headers.to[0].email if len(headers.to) == 1 else ""
    named.pop(addressed, None)  # "Hello <you>:"
    for email in headers.failed_recipients:
        named.setdefault(email, "")
    if not named and original and original.headers:
        returned_to = [a.email for a in original.headers.to if a.email]
        named = dict.fromkeys(returned_to[:1] if len(returned_to) == 1 else (), "")
    if not named and original is None:
        return None
    found = [_told(email, reason, notice, action) for email, reason in named.items()]
    return Report(
        Kind.DELIVERY_REPORT,
        (*_evidence(headers), "in words"),
        recipients=tuple(found[:_MAX_RECIPIENTS]),
        original=original,
        text=" ".join(notice.split())[:_MAX_TEXT],
    )


def _told(email: str, reason: str, notice: str, action: Action) -> Recipient:
    status = report_text.status(reason) or report_text.status(notice)
    reason = reason or " ".join(notice.split())
    return Recipient(email, "", action, status, reason[:_MAX_TEXT])


def _program(headers: Headers) -> Report:
    """No report: a person, or a program that writes by itself."""
    why = automatic(headers)
    kinds = {
        Automatic.AUTO_REPLIED: Kind.AUTO_REPLY,
        Automatic.AUTO_GENERATED: Kind.AUTO_GENERATED,
        Automatic.REPORT: Kind.AUTO_GENERATED,
        Automatic.NULL_SENDER: Kind.AUTO_GENERATED,
        Automatic.BULK: Kind.BULK,
    }
    if why is not None:
        return Report(kinds.get(why, Kind.AUTO_GENERATED), (why.value,))
    if headers.is_list:
        return Report(Kind.BULK, ("list",))
    return Report(Kind.ORDINARY)


def _recipient(group: fields.Fields) -> Recipient | None:
    final = _typed_address(_value(group, "final-recipient"))
    original = _typed_address(_value(group, "original-recipient"))
    if not final and not original:
        return None
    status = report_text.status(_value(group, "status"))
    word = _value(group, "action").partition(" ")[0].strip("();,.").lower()
    try:
        action = Action(word)
    except ValueError:
        action = {"5": Action.FAILED, "4": Action.DELAYED}.get(
            status[:1], Action.UNKNOWN
        )
    return Recipient(
        final=final or original,
        original=original,
        action=action,
        status=status,
        diagnostic=_untyped(_value(group, "diagnostic-code"))[:_MAX_TEXT],
        remote_mta=_untyped(_value(group, "remote-mta"))[:255],
    )


def _original(
    parts: Sequence[mime.Part], named: tuple[str, ...] = (), text: str = ""
) -> Original | None:
    """From the returned message or its headers, else words, else what is answered."""
    headers = _returned_headers(parts)
    if headers is None and text:
        returned = report_text.returned(text).encode()
        headers = parse_headers(returned) if returned else None
    if headers is not None and not headers.fields:
        headers = None
    ids = list(named)
    if headers is not None:
        own = (headers.message_id, headers.original_message_id, headers.odoo_message_id)
        ids += [*own, *reversed(headers.references)]
    if not any(ids):
        ids.append(report_text.message_id(text or _text(parts)))
    top = parts[0].headers
    ids += [*top.in_reply_to, *reversed(top.references)]
    found = tuple(dict.fromkeys(name for name in ids if name))
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


def _people_text(parts: Sequence[mime.Part]) -> str:
    return " ".join(report_text.notice(_text(parts)).split())[:_MAX_TEXT]


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
    return normalise(_untyped(value))
