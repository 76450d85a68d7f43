"""Which mail was written by a program: it is shown, but must trigger nothing."""

from __future__ import annotations

import re

from ..message.headers import Headers

_DAEMONS = frozenset({"mailer-daemon", "mail-daemon", "mail-deliver-service"})
_POSTMASTERS = frozenset({"postmaster", "mdaemon", "bounce", "bounces"})
_REPORT_TYPES = frozenset({"", "delivery-status", "disposition-notification"})
_PROGRAMS_PRECEDENCE = frozenset({"auto_reply", "auto-reply", "bulk", "junk"})
# Subjects of reports that aren't multipart/report; only asked with other evidence.
_FAILURE = re.compile(
    r"undeliver|deliver[a-z]{0,12} (status|fail|problem|report|delay)|failure notice"
    r"|mail (delivery|failure|system error)|returned (mail|to sender)|non[ -]?delivery"
    r"|not delivered|could not (be )?deliver|warning: message|delayed"
    r"|unzustellbar|nicht zugestellt|zustellung|non remis|non distribu|no se pudo"
    r"|mancata consegna|niet bezorgd|niedostarcz|не доставлен|недостав|не удалось",
    re.IGNORECASE,
)
# The beginnings that mail servers give to absence notes, in their languages.
_ABSENCE = re.compile(
    r"(?:(?:re|aw|fwd?|відп) ?: ?){0,20}(?:"
    r"auto(?:matic|matische|matisk)?[ -]?(?:reply|response|svar|antwoord|antwort)"
    r"|out[ -]of[ -](?:the[ -])?office|automatische antwort|abwesenheit|abwesend"
    r"|r[ée]ponse automatique|absen(?:t|ce)\b|respuesta autom[áa]tica"
    r"|fuera de (?:la )?oficina|risposta automatica|resposta autom[áa]tica"
    r"|automatisch antwoord|afwezig|autosvar|frånvaro|automaattinen vastaus"
    r"|odpowied[źz] automatyczna|autoodpowied[źz]|automatick[áa] odpov[ěe][ďd]"
    r"|автоматична відповідь|автовідповідь|автоматический ответ|автоответ"
    r"|自动答复|自動回覆|自動応答)",
    re.IGNORECASE,
)


def is_report_candidate(headers: Headers) -> bool:
    """Whether the body has to be read, as this may be a delivery report or a receipt.

    From the headers alone: multipart/report of these types, a mail system as author,
    X-Failed-Recipients, or the null path together with a subject that says so.
    """
    if headers.content_type == "multipart/report":
        return headers.report_type in _REPORT_TYPES
    if headers.content_type == "message/delivery-status":
        return True
    local = headers.author.email.partition("@")[0]
    if local in _DAEMONS or "x-failed-recipients" in headers.fields:
        return True
    if headers.has_null_path or local in _POSTMASTERS or not local:
        return _FAILURE.search(headers.subject) is not None
    return False


def is_automatic(headers: Headers) -> bool:
    """Whether it must not cause mail, tasks or state changes by itself.

    Absence notes, acknowledgements, alerts, newsletters, reports, and what has the
    empty envelope sender (RFC 3834, 2). X-Auto-Response-Suppress alone says nothing
    (Exchange puts it on people's mail), and Precedence: list is people writing to a
    list. An answering list member is a person too.
    """
    return (
        headers.auto_submitted not in ("", "no")
        or headers.precedence in _PROGRAMS_PRECEDENCE
        or headers.has_automatic_fields
        or headers.has_null_path
        or bool(headers.auto_response_suppress and _is_absence_note(headers))
        or is_report_candidate(headers)
    )


def _is_absence_note(headers: Headers) -> bool:
    """Whether the subject begins as a mail server's note: never alone enough."""
    return _ABSENCE.match(" ".join(headers.subject.split())) is not None
