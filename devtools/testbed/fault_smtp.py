"""The fault server's submission service."""

import re
import socket
from collections.abc import Collection
from dataclasses import replace
from email.utils import getaddresses

from .fault_actions import Accepted, Delay
from .fault_script import FaultScript
from .fault_talk import Talk, decode, plain

_DENIED = "550 5.7.60 SMTP; Client does not have permissions to send as this sender"
_REFUSED = "535 5.7.8 Error: authentication failed"
_FROM = re.compile(
    rb"^From:[ \t]*([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)", re.IGNORECASE | re.MULTILINE
)


class SmtpTalk(Talk):
    """Submission."""

    greeting = "220 localhost ESMTP ready"
    features = ("SIZE 10000000", "8BITMIME", "SMTPUTF8", "AUTH PLAIN LOGIN")

    def __init__(self, server: FaultScript, sock: socket.socket) -> None:
        super().__init__(server, sock)
        self.login = ""
        self.forget()

    def forget(self) -> None:
        """Begin a new transaction."""
        self.sender = ""
        self.options: tuple[str, ...] = ()
        self.recipients: list[str] = []

    def command(self, line: str) -> None:
        """Answer one command line."""
        verb = line.split(" ")[0].upper()
        handler = {
            "EHLO": self.ehlo,
            "STARTTLS": self.starttls,
            "AUTH": self.auth,
            "MAIL": self.mail,
            "RCPT": self.rcpt,
            "DATA": self.data,
            "RSET": self.rset,
            "QUIT": self.quit,
        }.get(verb)
        if handler is None:
            self.sock.sendall(b"502 5.5.2 Unknown command\r\n")
        else:
            handler(line)

    def ehlo(self, line: str) -> None:
        """Tell the features."""
        lines = ["localhost", *self.offered()]
        if self.may_start_tls():
            lines.append("STARTTLS")
        body = "".join(f"250-{text}\r\n" for text in lines[:-1])
        self.answer("ehlo", f"{body}250 {lines[-1]}")

    def starttls(self, line: str) -> None:
        """Turn on TLS."""
        if self.answer("starttls", "220 2.0.0 Ready").startswith("220"):
            self.encrypt()

    def auth(self, line: str) -> None:
        """Take PLAIN, LOGIN, CRAM-MD5, XOAUTH2 or OAUTHBEARER."""
        mechanism, _, initial = line[5:].partition(" ")
        step = f"auth-{mechanism.lower()}"
        if (action := self.server.action(step)) is not None:
            self.play(action, "")
            if not isinstance(action, Delay):
                return
        if mechanism in ("XOAUTH2", "OAUTHBEARER"):
            initial = initial or self.ask("334 ")
            good = self.takes_token(mechanism, initial, "334 ")
            self.answer("auth", "235 2.7.0 Signed in" if good else _REFUSED)
            return
        if mechanism == "PLAIN":
            initial = initial or self.ask("334 ")
            login, password = plain(initial)
        elif mechanism == "LOGIN":
            login = decode(self.ask("334 VXNlcm5hbWU6"))
            password = decode(self.ask("334 UGFzc3dvcmQ6"))
        else:
            login, _, password = decode(self.ask("334 PDEuMUB0ZXN0Pg==")).partition(" ")
        self.login = login
        good = self.accepts(login, password)
        self.answer("auth", "235 2.7.0 Signed in" if good else _REFUSED)

    def ask(self, prompt: str) -> str:
        """Send a prompt, return the answer."""
        self.sock.sendall(f"{prompt}\r\n".encode())
        return self.read_line()

    def mail(self, line: str) -> None:
        """Take the sender."""
        if self.answer("mail", "250 2.1.0 Ok").startswith("250"):
            self.sender, *options = line[len("MAIL FROM:") :].split(" ")
            self.options = tuple(options)

    def rcpt(self, line: str) -> None:
        """Take a recipient."""
        if self.answer("rcpt", "250 2.1.5 Ok").startswith("250"):
            self.recipients.append(line[len("RCPT TO:") :])

    def data(self, line: str) -> None:
        """Take the message."""
        if not self.answer("data", "354 Go ahead").startswith("354"):
            return
        lines = []
        while (part := self.file.readline()) != b".\r\n":
            if not part:
                raise EOFError
            lines.append(part[1:] if part.startswith(b".") else part)
        accepted = Accepted(
            self.sender.strip("<>"),
            tuple(recipient.strip("<>") for recipient in self.recipients),
            b"".join(lines),
            self.options,
        )
        regular = "250 2.0.0 Ok: queued as 42"
        if _sent_as(accepted, self.server.denied):
            regular = _DENIED
        elif _sent_as(accepted, self.server.replaced):
            accepted = _from_login(accepted, self.login)
        leaving: bytes | None = accepted.data
        if self.server.habit and regular != _DENIED:
            leaving, told = self.server.habit(accepted.data)
            regular = told or regular
        if self.answer("body", regular).startswith("250"):
            self.server.messages.append(accepted)
            if leaving is not None:
                self.hand_on(replace(accepted, data=leaving))
        self.forget()

    def hand_on(self, accepted: Accepted) -> None:
        """Deliver what was accepted, if that was asked for."""
        for recipient in accepted.recipients if self.server.deliver else ():
            self.server.deliver(accepted.sender, recipient, accepted.data)

    def rset(self, line: str) -> None:
        """Begin anew."""
        self.forget()
        self.answer("rset", "250 2.0.0 Ok")

    def quit(self, line: str) -> None:
        """Say goodbye."""
        self.answer("quit", "221 2.0.0 Bye")
        raise EOFError


def _sent_as(accepted: Accepted, addresses: Collection[str]) -> bool:
    """Whether one of `addresses` is the envelope's sender or stands in From."""
    head = accepted.data.partition(b"\r\n\r\n")[0]
    values = [found.decode("utf-8", "replace") for found in _FROM.findall(head)]
    used = [accepted.sender, *(address for _name, address in getaddresses(values))]
    return bool({each.lower() for each in used} & {each.lower() for each in addresses})


def _from_login(accepted: Accepted, login: str) -> Accepted:
    """As Gmail: the name in From stays, the address is kept in a field of its own."""

    def line(found: re.Match[bytes]) -> bytes:
        name = found[1].rpartition(b"<")[0]
        return b"From: %b<%b>\r\nX-Google-Original-From: %b" % (
            name,
            login.encode(),
            found[1],
        )

    head, end, body = accepted.data.partition(b"\r\n\r\n")
    data = _FROM.sub(line, head, count=1) + end + body
    return replace(accepted, sender=login, data=data)
