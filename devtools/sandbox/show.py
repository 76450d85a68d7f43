"""``./dev mail``: list the sandbox's mailboxes, one mailbox, or one mail."""

import re
from collections.abc import Iterator, Sequence
from email.message import EmailMessage
from pathlib import Path

from ..console import DevError, say
from .maildir import list_mailboxes, messages

HEADERS = (
    "From",
    "To",
    "Cc",
    "Reply-To",
    "Return-Path",
    "Delivered-To",
    "Subject",
    "Date",
)

#: The invisible characters that Odoo puts after a preview, for mail programs' lists.
_FILLER = re.compile("[\\s\u034f\u200b\u200c\u00a0\ufeff\u00ad]{20,}$", re.MULTILINE)


def main(folder: Path, argv: Sequence[str]) -> int:
    """`argv`: nothing, or an address, or an address and the number of a mail.

    `folder` is the sandbox's. Raises DevError for what is not there.
    """
    if not argv:
        lines = _mailboxes(folder)
    elif len(argv) == 1:
        lines = _overview(argv[0], read_mailbox(folder, argv[0]))
    else:
        lines = _one(read_mailbox(folder, argv[0]), argv[1])
    for line in lines:
        say(line)
    return 0


def read_mailbox(folder: Path, address: str) -> list[EmailMessage]:
    """The mails of `address`, oldest first. Raises DevError when it has no mailbox."""
    try:
        return messages(folder, address)
    except KeyError:
        raise DevError(
            f"There is no mailbox {address}; ./dev mail lists those there are."
        ) from None


def _mailboxes(folder: Path) -> Iterator[str]:
    boxes = list_mailboxes(folder)
    if not boxes:
        raise DevError("There is no mailbox yet; ./dev run makes them.")
    width = max(len(address) for address, _ in boxes)
    for address, count in boxes:
        yield f"{address:<{width}}  {count:>4}"
    yield "./dev mail ADDRESS lists a mailbox, ./dev mail ADDRESS NUMBER shows a mail."
    yield '"./dev mail reply ADDRESS NUMBER TEXT" answers it.'


def _overview(address: str, mails: Sequence[EmailMessage]) -> Iterator[str]:
    if not mails:
        yield f"The mailbox {address} is empty."
    for number, mail in enumerate(mails, 1):
        yield f"{number:>4}  {mail['Date']}  {mail['From']}"
        yield f"      {mail['Subject']}"


def wanted_position(mails: Sequence[EmailMessage], number: str) -> int:
    """Where the mail `number`, counted from 1, is. Raises DevError: nowhere."""
    if not number.isdigit() or not 1 <= int(number) <= len(mails):
        raise DevError(
            f"There is no mail {number} in this mailbox; it has {len(mails)}."
        )
    return int(number) - 1


def _one(mails: Sequence[EmailMessage], number: str) -> Iterator[str]:
    mail = mails[wanted_position(mails, number)]
    for name in HEADERS:
        for value in mail.get_all(name, ()):
            yield f"{name + ':':<14}{value}"
    yield ""
    body = mail.get_body(("plain", "html"))
    text = body.get_content().rstrip() if body is not None else "(no text)"
    yield _FILLER.sub("", text)
    for part in mail.walk():
        if name := part.get_filename():
            size = len(part.get_payload(decode=True) or b"")
            yield f"\nAttachment: {name} ({part.get_content_type()}, {size:,} bytes)"
