"""The commands that reading an IMAP mailbox is made of, each leaving no trace."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import date

from ..connection.replies import Stage, mailbox_error
from ..connection.wire import MAX_READ
from ..errors import ErrorCode, MailError
from . import folders as imap_folders
from . import grammar
from .dialog import Answer, Dialog, Literal
from .folders import Folder
from .session import ImapFacts, ImapSession, Listing
from .state import FolderStatus

# So many STATUS at once: what they and their answers take fits into any buffer.
_AT_ONCE = 40
_LAST_UID = 2**32 - 1


class ImapReading(ImapSession):
    """A session that lists and examines folders, named by `Folder.path`."""

    def open(self) -> ImapFacts:
        """See ImapSession."""
        facts = super().open()
        self._dialog = Dialog(self._connection, self._secrets)
        self._examined: tuple[str, FolderStatus] | None = None
        return facts

    def listing(self) -> Listing:
        """See ImapSession; the folder that was read is no longer the open one."""
        self._examined = None
        return super().listing()

    def folders(self) -> tuple[Folder, ...]:
        """Return the folders that can be opened, INBOX first. Raises MailError."""
        with self._operation(allowance=MAX_READ):
            if not self._told_signed_in:
                self._note_capabilities(self._client.capability()[1])
                self._told_signed_in = True
            extensions = {"LIST-EXTENDED", "SPECIAL-USE"}
            answer = None
            if extensions <= set(self._client.capabilities):
                wanted = b"RETURN (SPECIAL-USE)"
                answer = self._dialog.ask(b"LIST", b'""', b'"*"', wanted)
            if answer is None or not answer.ok:
                answer = self._dialog.ask(b"LIST", b'""', b'"*"')
            self._demand(answer, Stage.LISTING)
            return imap_folders.parse(answer.untagged)

    def status(self, paths: Sequence[str]) -> dict[str, FolderStatus | MailError]:
        """Look at folders without opening them: one command each, sent together.

        What is wrong with one folder (FOLDER_MISSING, LISTING_FAILED, ...) stands in
        its place. Raises MailError for what is wrong with all.
        """
        found: dict[str, FolderStatus | MailError] = {}
        for start in range(0, len(paths), _AT_ONCE):
            some = paths[start : start + _AT_ONCE]
            items = b"(MESSAGES UIDNEXT UIDVALIDITY)"
            commands = [(b"STATUS", mailbox_name(path), items) for path in some]
            with self._operation(allowance=MAX_READ):
                answers = self._dialog.ask_all(commands)
            found.update(zip(some, map(self._status_told, answers), strict=True))
        return found

    # Within an operation

    def _demand(self, answer: Answer, stage: Stage) -> None:
        if not answer.ok:
            raise mailbox_error(stage, answer.text, self._secrets)

    def _status_told(self, answer: Answer) -> FolderStatus | MailError:
        if not answer.ok:
            return mailbox_error(Stage.FOLDER, answer.text, self._secrets)
        return FolderStatus.of(grammar.status_items(answer.untagged))

    def _examine(self, path: str) -> FolderStatus:
        """Open a folder for reading only. `uid_next` is 0 when no command tells it."""
        self._examined = None
        answer = self._dialog.ask(b"EXAMINE", mailbox_name(path))
        self._demand(answer, Stage.FOLDER)
        items = grammar.examined_items(answer.untagged)
        if "UIDVALIDITY" not in items:
            raise MailError(ErrorCode.LISTING_FAILED)
        if "UIDNEXT" not in items:
            # Winmail tells it by this command only, NetEase not at all.
            answer = self._dialog.ask(b"STATUS", mailbox_name(path), b"(UIDNEXT)")
            items = {**grammar.status_items(answer.untagged), **items}
        status = FolderStatus.of(items)
        self._examined = (path, status)
        return status

    def _enter(self, path: str, uid_validity: int) -> None:
        """Open a folder unless it is open; MESSAGE_GONE when its UIDs are others."""
        if self._examined is None or self._examined[0] != path:
            self._examine(path)
        if self._examined is None or self._examined[1].uid_validity != uid_validity:
            raise MailError(ErrorCode.MESSAGE_GONE)

    def _searching(self) -> AbstractContextManager[None]:
        """Return an operation that may take three times the timeout.

        A server without an index opens every message of a folder.
        """
        return self._operation(extra=2 * self.server.timeout, allowance=MAX_READ)

    def _search(self, *criteria: bytes | Literal) -> list[int]:
        answer = self._dialog.ask(b"UID SEARCH", *criteria)
        self._demand(answer, Stage.FETCH)
        return grammar.searched(answer.untagged)

    def _search_id(self, message_id: str, since: date | None = None) -> list[int]:
        """Search the open folder. No server finds what isn't printable ASCII."""
        wanted = message_id.strip()
        if not wanted or not (wanted.isascii() and wanted.isprintable()):
            return []
        came = b"SINCE %b " % grammar.day(since) if since else b""
        name = grammar.string(wanted.encode())
        return self._search(came + b"HEADER Message-ID", name)

    def _end(self, status: FolderStatus) -> int:
        """Return one more than the highest UID of the open folder."""
        if status.uid_next or not status.messages:
            return status.uid_next or 1
        return max(self._search(b"UID %d:*" % _LAST_UID), default=0) + 1


def mailbox_name(path: str) -> bytes | Literal:
    """Return a folder's path as an argument."""
    return grammar.string(path.encode("latin-1"))
