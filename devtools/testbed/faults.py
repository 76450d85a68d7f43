"""A mail server that does, on command, what real servers do on bad days.

Without faults it lets our clients pass. A fault is an action at a step:

    with FaultServer("smtp", "starttls", faults={"rcpt": Reply("550 5.1.1 No")}) as s:
        ... s.port, s.ca_pem, s.commands, s.messages ...

Steps: connect (before anything, TLS too), tls (the handshake), greeting, starttls;
SMTP: ehlo, auth, mail, rcpt, data, body, rset, quit, and auth-plain, auth-login,
auth-xoauth2 and so on for the answer to the AUTH line itself; IMAP: capability,
authenticate (the line itself), login, examine, select, status, list, search, fetch,
store, expunge, append (after the line), appended, logout; POP3: capa, user, pass, stat,
uidl, list, top, dele, quit. Where an access token is told: challenge (what is wrong
with it); POP3: go-ahead (of the AUTH line).
"""

import socket
import tempfile
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..running import Running
from .ca import TestCA
from .fault_actions import (
    Accepted,
    Action,
    Delay,
    Drip,
    Drop,
    Flood,
    Garbage,
    Hang,
    InTurn,
    Raw,
    Reply,
)
from .fault_mailbox import ImapTalk, Pop3Talk
from .fault_script import FaultScript
from .fault_smtp import SmtpTalk
from .fault_talk import Talk

__all__ = [
    "Accepted",
    "Action",
    "Delay",
    "Drip",
    "Drop",
    "FaultServer",
    "Flood",
    "Garbage",
    "Hang",
    "InTurn",
    "Raw",
    "Reply",
]

TALKS: dict[str, type[Talk]] = {
    "smtp": SmtpTalk,
    "imap": ImapTalk,
    "pop3": Pop3Talk,
}
# Servers may be started by several threads, and share one authority.
_ISSUING = threading.Lock()
NAMES = ("localhost", "127.0.0.1")


class FaultServer(FaultScript, Running):
    """SMTP, IMAP or POP3 on a free port of 127.0.0.1; a context manager.

    `certificate`: "valid" (for localhost), "untrusted", "expired" or "wrong_name".
    `features`: EHLO lines, IMAP capabilities or CAPA lines instead of the usual ones
    (STARTTLS is added by itself). `password`, `token`: refuse every other one.

    SMTP, by the address in the envelope or in From: what is sent as one of `denied` is
    refused after DATA, as Exchange does; as one of `replaced`, it is accepted, and both
    are made the sign-in's login, as Gmail does. `deliver`: called with the sender, each
    recipient and the message of what was accepted: `TestBed.deliver`. `habit`: what the
    service makes of each message before, see `fault_habits`. All four may be changed
    while it runs.

    `port`; `ca_pem`; `commands`: lines received; `logins`: (login, password) pairs
    received; `tokens`: (login, access token); `messages`: what was accepted;
    `connections`: how many there were.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._open: set[socket.socket] = set()

    def start(self) -> None:
        """Listen."""
        names = ("elsewhere.test",) if self.certificate == "wrong_name" else NAMES
        with _ISSUING:
            authority = TestCA(Path(_folder().name))
            self.certificate_files = authority.issue(
                names,
                expired=self.certificate == "expired",
                untrusted=self.certificate == "untrusted",
            )
        self.ca_pem = authority.pem
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """End the listener and all connections."""
        self.stopping.set()
        _shut(self._listener)
        with self._lock:
            for sock in self._open:
                _shut(sock)

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                sock, _peer = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        talk = TALKS[self.protocol](self, sock)
        try:
            talk.run()
        except (OSError, EOFError):
            return  # the client went away, or the test is over
        finally:
            talk.close()
            with self._lock:
                self._open.discard(sock)


@lru_cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder that goes away with the process."""
    return tempfile.TemporaryDirectory(prefix="faults-")


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # not connected (any more)
    finally:
        sock.close()
