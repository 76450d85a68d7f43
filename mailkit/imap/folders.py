"""The folders of an IMAP mailbox: what each is for, and up to where it was read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum

from . import grammar
from .grammar import Untagged


class FolderUse(str, Enum):
    """What a folder is for; the value is RFC 6154's attribute but for INBOX."""

    INBOX = "inbox"
    SENT = "sent"
    DRAFTS = "drafts"
    JUNK = "junk"
    TRASH = "trash"
    ARCHIVE = "archive"
    ALL = "all"
    FLAGGED = "flagged"
    NONE = ""


@dataclass(frozen=True)
class Folder:
    """A folder that can be opened.

    `path`: its name on the wire, each octet a character; what every method takes.
    `name`: the same for people. `delimiter`: between its levels, "" if there are none.
    """

    path: str
    name: str
    use: FolderUse = FolderUse.NONE
    delimiter: str = ""


@dataclass(frozen=True)
class FolderStatus:
    """A folder at this moment. `uid_next` 0: the server does not tell."""

    uid_validity: int
    uid_next: int
    messages: int

    @classmethod
    def of(cls, items: Mapping[str, int]) -> FolderStatus:
        """Return what stands in `items`, by the names of STATUS."""
        return cls(
            items.get("UIDVALIDITY", 0),
            items.get("UIDNEXT", 0),
            items.get("MESSAGES", 0),
        )


@dataclass(frozen=True)
class FolderState:
    """Up to where a folder was read; `dataclasses.asdict` gives JSON.

    `next_uid`: the first UID that was not looked at. Of those below `backlog_end`
    only what arrived on `backlog_since` (ISO date) or later is looked at; 0 and ""
    when there are none.
    """

    path: str
    uid_validity: int
    next_uid: int
    backlog_end: int = 0
    backlog_since: str = ""

    def is_current(self, status: FolderStatus) -> bool:
        """Whether nothing came since, so that the folder needs no look."""
        same = self.uid_validity == status.uid_validity
        return same and self.next_uid == status.uid_next

    def advanced(self, next_uid: int) -> FolderState:
        """Return the state after everything below `next_uid` was looked at."""
        if next_uid < self.backlog_end:
            return replace(self, next_uid=next_uid)
        return FolderState(self.path, self.uid_validity, next_uid)


# What mail programs and services call it, without regard to case.
_SENT_NAMES = (
    *("sent", "sent items", "sent mail", "sent messages"),
    *("gesendet", "gesendete objekte", "gesendete elemente"),
    *("надіслані", "відправлені", "отправленные", "wysłane", "elementy wysłane"),
    *("envoyés", "messages envoyés", "éléments envoyés", "enviados"),
    *("elementos enviados", "itens enviados", "posta inviata", "inviata"),
    *("verzonden", "verzonden items", "odeslané", "odeslaná pošta", "skickat"),
)
_JUNK_NAMES = (
    *("junk", "spam", "junk e-mail", "junk email", "junk mail", "bulk", "bulk mail"),
    *("spam mail", "unwanted", "спам", "небажана пошта", "небажані листи"),
    *("нежелательная почта", "spamverdacht", "junk-e-mail", "unerwünscht"),
    *("niechciane", "wiadomości-śmieci", "courrier indésirable", "indésirables"),
    *("correo no deseado", "lixo eletrônico", "posta indesiderata"),
    *("ongewenste e-mail", "nevyžádaná pošta", "skräppost"),
)
_ALL_NAMES = (
    *("all mail", "вся пошта", "уся пошта", "вся почта", "alle nachrichten"),
    *("wszystkie", "tous les messages", "todos", "todos os e-mails"),
    *("tutti i messaggi", "alle berichten", "všechny zprávy", "alla mail"),
)
# Of what mail may arrive in, so many are looked into.
_MOST_ARRIVING = 6
# An answer that its owner filed is rather found in the first than in the last.
_ORDER = {
    FolderUse.INBOX: 0,
    FolderUse.SENT: 1,
    FolderUse.ALL: 2,
    FolderUse.ARCHIVE: 3,
    FolderUse.JUNK: 5,
    FolderUse.TRASH: 6,
    FolderUse.DRAFTS: 7,
}
_USES = {f"\\{use.value}": use for use in FolderUse if use.value}
_CLOSED = frozenset({"\\noselect", "\\nonexistent"})


def parse(untagged: Iterable[Untagged]) -> tuple[Folder, ...]:
    """Return the folders of LIST that can be opened, INBOX first, each once.

    Names that can't be sent back (NUL, line breaks) are left out.
    """
    folders: dict[str, Folder] = {}
    for attributes, delimiter, raw in grammar.listed(untagged):
        if attributes & _CLOSED or not raw or set(raw) & set(b"\0\r\n"):
            continue
        # The one name that is the same in every case of letters.
        raw = b"INBOX" if raw.upper() == b"INBOX" else raw
        path = raw.decode("latin-1")
        use = FolderUse.INBOX if path == "INBOX" else _use(attributes)
        folders[path] = Folder(path, grammar.readable_name(raw), use, delimiter)
    return tuple(sorted(folders.values(), key=lambda folder: folder.path != "INBOX"))


def sent_folder(folders: Iterable[Folder]) -> Folder | None:
    """Return where sent mail is kept: as the server says, else by a common name."""
    known = list(folders)
    for folder in known:
        if folder.use is FolderUse.SENT:
            return folder
    by_name = {_last_level(folder).casefold(): folder for folder in reversed(known)}
    return next((by_name[name] for name in _SENT_NAMES if name in by_name), None)


def where_mail_arrives(folders: Iterable[Folder]) -> list[Folder]:
    """Return INBOX, junk mail and where all mail lies, in this order.

    As the server says, else by common names; their `use` is what they are taken for.
    """
    known = list(folders)
    found = [folder for folder in known if folder.use is FolderUse.INBOX]
    for use, names in ((FolderUse.JUNK, _JUNK_NAMES), (FolderUse.ALL, _ALL_NAMES)):
        told = [folder for folder in known if folder.use is use]
        found += told or [
            replace(folder, use=use)
            for folder in known
            if folder.use is FolderUse.NONE and _last_level(folder).casefold() in names
        ]
    return found[:_MOST_ARRIVING]


def likely_first(folders: Iterable[Folder]) -> list[Folder]:
    """Return `folders` in the order in which to look for a message."""
    known = list(folders)
    sent = sent_folder(known)
    return sorted(
        known,
        key=lambda folder: 1 if folder == sent else _ORDER.get(folder.use, 4),
    )


def follow(
    state: FolderState, status: FolderStatus, end: int, since: date
) -> FolderState:
    """Return `state`, or where to begin again when it speaks of other UIDs.

    That is so when UIDVALIDITY changed, and when UIDNEXT fell, which happens to a
    mailbox restored from a backup. `end`: one more than the highest UID there is.
    """
    fell = 0 < status.uid_next < state.next_uid
    if status.uid_validity == state.uid_validity and not fell:
        return state
    return FolderState(state.path, status.uid_validity, 1, end, since.isoformat())


def _use(attributes: frozenset[str]) -> FolderUse:
    found = sorted(_USES[name] for name in attributes & _USES.keys())
    return found[0] if found else FolderUse.NONE


def _last_level(folder: Folder) -> str:
    name = folder.name
    return name.rpartition(folder.delimiter)[2] if folder.delimiter else name
