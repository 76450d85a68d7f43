"""Delivery reports that are only meant for people: qmail, Yahoo, Exim, old sendmail,
Domino, Exchange 2003. Who is named, what was the matter, and what was returned.
"""

from __future__ import annotations

import re

from ..message.addresses import normalise

MAX_NOTICE = 20_000  # characters
_MAX_RECIPIENTS = 50
_MAX_REASON = 1000
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


def notice(text: str) -> str:
    """What the mail system says, without the message it returns."""
    text = text[: 4 * MAX_NOTICE]
    found = _RETURNED.search(text)
    return text[: found.start() if found else MAX_NOTICE][:MAX_NOTICE]


def returned(text: str) -> str:
    """The message that the text returns, "" when there is none."""
    found = _RETURNED.search(text[: 4 * MAX_NOTICE])
    if not found:
        return ""
    return text[found.end() :].partition("\n")[2].lstrip("\n")


def message_id(text: str) -> str:
    """The first Message-ID that `text` quotes, or ""."""
    found = _MESSAGE_ID.search(text)
    return found.group(1) if found else ""


def is_delay(text: str) -> bool:
    """Whether the mail system goes on trying."""
    return bool(_DELAYED.search(text)) and not _GIVEN_UP.search(text)


def status(text: str) -> str:
    """An RFC 3463 status in `text`; "5.0.0" or "4.0.0" for a bare reply code; ""."""
    found = _STATUS.search(text)
    if found:
        return found.group(1)
    found = _REPLY_CODE.search(text)
    return f"{found.group(1)}.0.0" if found else ""


def recipients(text: str) -> list[tuple[str, str]]:
    """(address, reason) of each recipient that a notice names, each once."""
    lines = text.splitlines()
    found: dict[str, str] = {}
    for index, line in enumerate(lines):
        if len(found) >= _MAX_RECIPIENTS:
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
    return list(found.items())


def _keep(found: dict[str, str], email: str, reason: str) -> None:
    """sendmail names an address twice: the fuller reason wins."""
    email = normalise(email)
    if email and (email not in found or not found[email]):
        found[email] = " ".join(reason.split())[:_MAX_REASON]


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
