"""A Maildir per address below one folder, with the numbers that IMAP needs."""

import email
import email.policy
import json
import mailbox
import time
import urllib.parse
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

INFO = ":2,"  # between a file's unique name and its flags


@dataclass(frozen=True)
class Entry:
    """One mail: its IMAP UID, its file, its Maildir flags (as "RS")."""

    uid: int
    path: Path
    flags: str

    @property
    def key(self) -> str:
        return self.path.name.partition(INFO)[0]

    def raw(self) -> bytes:
        """The mail as on the wire: lines end with CR LF."""
        content = self.path.read_bytes()
        return content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class Maildir:
    """The mailbox of one address. Numbers that were given once stay (RFC 3501, 2.3.1).

    One process at a time writes to it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._maildir = mailbox.Maildir(path, create=True)
        self._numbers = path / "uids.json"
        self._known: dict[str, int] = {}
        self.next_uid = 1
        self.uid_validity = int(time.time())
        if self._numbers.exists():
            saved = json.loads(self._numbers.read_text(encoding="utf-8"))
            self._known = saved["uids"]
            self.next_uid = saved["next"]
            self.uid_validity = saved["validity"]
        else:
            self._save()

    def entries(self) -> list[Entry]:
        """All mails by UID, that is, in the order of their arrival."""
        files = [
            file for part in ("new", "cur") for file in (self.path / part).iterdir()
        ]
        files.sort(key=lambda file: (file.stat().st_mtime_ns, file.name))
        keys = [file.name.partition(INFO)[0] for file in files]
        if unnumbered := [key for key in keys if key not in self._known]:
            for key in unnumbered:
                self._known[key] = self.next_uid
                self.next_uid += 1
            self._known = {key: self._known[key] for key in keys}
            self._save()
        found = [
            Entry(self._known[key], file, file.name.partition(INFO)[2])
            for key, file in zip(keys, files, strict=True)
        ]
        return sorted(found, key=lambda entry: entry.uid)

    def add(self, content: bytes) -> None:
        self._maildir.add(content)

    def set_flags(self, entry: Entry, flags: str) -> Entry:
        """Rename the file as the Maildir specification says; return the new entry."""
        flags = "".join(sorted(set(flags)))
        target = self.path / "cur" / f"{entry.key}{INFO}{flags}"
        entry.path.rename(target)
        return Entry(entry.uid, target, flags)

    def remove(self, entry: Entry) -> None:
        entry.path.unlink(missing_ok=True)

    def _save(self) -> None:
        numbers = {
            "validity": self.uid_validity,
            "next": self.next_uid,
            "uids": self._known,
        }
        temporary = self._numbers.with_suffix(".new")
        temporary.write_text(json.dumps(numbers), encoding="utf-8")
        temporary.replace(self._numbers)


def open_mailbox(folder: Path, address: str) -> Maildir:
    """The mailbox of `address` below the sandbox's `folder`; made when missing."""
    root = folder / "mail"
    root.mkdir(parents=True, exist_ok=True)
    return Maildir(root / _folder_name(address))


def list_mailboxes(folder: Path) -> list[tuple[str, int]]:
    """(address, number of mails), by domain and name."""
    root = folder / "mail"
    found = []
    for path in root.iterdir() if root.is_dir() else ():
        count = sum(1 for part in ("new", "cur") for _ in (path / part).iterdir())
        found.append((urllib.parse.unquote(path.name), count))
    return sorted(found, key=lambda row: row[0].rpartition("@")[::-1])


def messages(folder: Path, address: str) -> list[EmailMessage]:
    """The mails of `address`, oldest first. Raises KeyError when it has no mailbox."""
    path = folder / "mail" / _folder_name(address)
    if not path.is_dir():
        raise KeyError(address)
    return [
        email.message_from_bytes(entry.path.read_bytes(), policy=email.policy.default)
        for entry in Maildir(path).entries()
    ]


def _folder_name(address: str) -> str:
    """`address` as one name of a folder, whatever characters are in it."""
    return urllib.parse.quote(address.lower(), safe="@+")
