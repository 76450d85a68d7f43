"""The mailboxes of the test bed: a Maildir per address, read straight from the disk."""

import email
import email.policy
import itertools
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path


@dataclass(frozen=True)
class ReceivedMail:
    """One mail as it lies in a mailbox.

    `envelope_from` is the MAIL FROM address ("" for the null sender), `delivered_to`
    the RCPT TO address, `seen` whether a mail program marked it as read.
    """

    message: EmailMessage
    raw: bytes
    envelope_from: str
    delivered_to: str
    seen: bool


class Mailboxes:
    """Maildirs below `folder`, owned by `uid`:`gid`. Addresses: lower case.

    Methods raise KeyError for an address that has no mailbox.
    """

    def __init__(self, folder: Path, uid: int, gid: int) -> None:
        self.folder = folder
        self.addresses: list[str] = []
        self._uid = uid
        self._gid = gid
        self._numbers = itertools.count()
        folder.mkdir()

    def add(self, address: str) -> Path:
        """Make the mailbox unless it is there; return its Maildir."""
        home = self.folder / address
        if address not in self.addresses:
            self.addresses.append(address)
            for folder in (home, *(home / part for part in ("new", "cur", "tmp"))):
                folder.mkdir()
                os.chown(folder, self._uid, self._gid)
        return home

    def put(self, address: str, messages: Iterable[bytes], folder: str = "") -> None:
        """Lay messages down as they are, unread, without a mail server.

        `folder`: as Maildir++ names it (".Sent"); "" is the inbox.
        """
        self._check(address)
        target = self.folder / address / folder
        for message in messages:
            name = f"{time.time_ns()}.{next(self._numbers)}.put"
            temporary = target / "tmp" / name
            temporary.write_bytes(message)
            os.chown(temporary, self._uid, self._gid)
            temporary.replace(target / "new" / name)

    def read(self, address: str) -> list[ReceivedMail]:
        """The mails, oldest first."""
        files = list(self._files(address))
        files.sort(key=lambda file: (file.stat().st_mtime_ns, file.name))
        return [_read(file) for file in files]

    def clear(self, address: str) -> None:
        for file in self._files(address):
            file.unlink()

    def _check(self, address: str) -> None:
        if address not in self.addresses:
            raise KeyError(f"The test bed has no mailbox {address}")

    def _files(self, address: str) -> Iterator[Path]:
        self._check(address)
        for part in ("new", "cur"):
            yield from list((self.folder / address / part).iterdir())


def _read(file: Path) -> ReceivedMail:
    raw = file.read_bytes()
    message = email.message_from_bytes(raw, policy=email.policy.default)
    return ReceivedMail(
        message=message,
        raw=raw,
        envelope_from=str(message.get("Return-Path", "")).strip("<> "),
        delivered_to=str(message.get("Delivered-To", "")),
        # The flags are at the end of the file's name (Maildir's specification).
        seen="S" in file.name.partition(":2,")[2],
    )
