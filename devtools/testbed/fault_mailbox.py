"""The fault server's mailboxes."""

import re

from .fault_actions import Accepted
from .fault_talk import Talk, plain

_UIDLS = "+OK\r\n1 id1\r\n2 id2\r\n3 id3\r\n."
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


class ImapTalk(Talk):
    """A mailbox with 3 messages."""

    greeting = "* OK IMAP4rev1 ready"
    features = ("IMAP4rev1", "AUTH=PLAIN", "SASL-IR")

    def command(self, line: str) -> None:
        """Answer one command line."""
        self.tag, _, rest = line.partition(" ")
        verb, _, arguments = rest.partition(" ")
        if verb.upper() == "UID":
            verb, _, arguments = arguments.partition(" ")
        handler = {
            "CAPABILITY": self.capability,
            "STARTTLS": self.starttls,
            "AUTHENTICATE": self.authenticate,
            "LOGIN": self.login,
            "EXAMINE": self.examine,
            "SELECT": self.select,
            "STORE": self.store,
            "EXPUNGE": self.expunge,
            "STATUS": self.status,
            "LIST": self.list,
            "SEARCH": self.search,
            "FETCH": self.fetch,
            "APPEND": self.append,
            "LOGOUT": self.logout,
        }.get(verb.upper())
        if handler is None:
            self.sock.sendall(f"{self.tag} BAD Unknown command\r\n".encode())
        else:
            handler(arguments)

    def capability(self, arguments: str) -> None:
        """Tell the capabilities."""
        names = [*self.offered(), *(["STARTTLS"] if self.may_start_tls() else [])]
        told = f"* CAPABILITY {' '.join(names)}\r\n{self.tag} OK done"
        self.answer("capability", told)

    def starttls(self, arguments: str) -> None:
        """Turn on TLS."""
        sent = self.answer("starttls", f"{self.tag} OK begin")
        if sent.startswith(f"{self.tag} OK"):
            self.encrypt()

    def authenticate(self, arguments: str) -> None:
        """Take PLAIN, XOAUTH2 or OAUTHBEARER."""
        if not self.answer("authenticate", "+ ").startswith("+"):
            return
        if arguments in ("XOAUTH2", "OAUTHBEARER"):
            good = self.takes_token(arguments, self.read_line(), "+ ")
            self.answer("login", self.signed_in(good))
            return
        login, password = plain(self.read_line())
        self.finish(login, password)

    def login(self, arguments: str) -> None:
        """Take quoted login and password."""
        parts = [re.sub(r"\\(.)", r"\1", part) for part in _QUOTED.findall(arguments)]
        self.finish(*parts)

    def finish(self, login: str, password: str) -> None:
        """Answer a sign-in."""
        self.answer("login", self.signed_in(self.accepts(login, password)))

    def signed_in(self, good: bool) -> str:
        """Return how a sign-in ends."""
        refusal = f"{self.tag} NO [AUTHENTICATIONFAILED] Authentication failed."
        return f"{self.tag} OK signed in" if good else refusal

    def examine(self, arguments: str) -> None:
        """Open the inbox for reading."""
        self.answer(
            "examine",
            "* 3 EXISTS\r\n* OK [UIDVALIDITY 1234] UIDs valid\r\n"
            f"{self.tag} OK [READ-ONLY] done",
        )

    def select(self, arguments: str) -> None:
        """Open the inbox for writing."""
        self.answer(
            "select",
            "* 3 EXISTS\r\n* OK [UIDVALIDITY 1234] UIDs valid\r\n"
            f"{self.tag} OK [READ-WRITE] done",
        )

    def store(self, arguments: str) -> None:
        """Change flags."""
        self.answer("store", f"{self.tag} OK done")

    def expunge(self, arguments: str) -> None:
        """Delete what is marked."""
        self.answer("expunge", f"{self.tag} OK done")

    def status(self, arguments: str) -> None:
        """Tell a folder's numbers."""
        told = "* STATUS INBOX (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 1234)"
        self.answer("status", f"{told}\r\n{self.tag} OK done")

    def list(self, arguments: str) -> None:
        """Tell the one folder."""
        self.answer("list", f'* LIST () "/" INBOX\r\n{self.tag} OK done')

    def search(self, arguments: str) -> None:
        """Find everything."""
        self.answer("search", f"* SEARCH 1 2 3\r\n{self.tag} OK done")

    def fetch(self, arguments: str) -> None:
        """Give one header, of message 3."""
        item = 'UID 3 RFC822.SIZE 12 BODY[HEADER.FIELDS (FROM)]<0> "From: a\\"b"'
        self.answer("fetch", f"* 3 FETCH ({item})\r\n{self.tag} OK done")

    def append(self, arguments: str) -> None:
        """Take a message."""
        if not self.answer("append", "+ go on").startswith("+"):
            return
        found = re.search(r"\{(\d+)\}$", arguments)
        data = self.file.read(int(found[1]) if found else 0)
        self.read_line()
        self.server.messages.append(Accepted("", (arguments,), data))
        self.answer("appended", f"{self.tag} OK [APPENDUID 1 1] done")

    def logout(self, arguments: str) -> None:
        """Say goodbye."""
        self.answer("logout", f"* BYE bye\r\n{self.tag} OK done")
        raise EOFError


class Pop3Talk(Talk):
    """A mailbox with 3 messages."""

    greeting = "+OK POP3 ready"
    features = ("USER", "UIDL", "TOP", "SASL PLAIN")

    def command(self, line: str) -> None:
        """Answer one command line."""
        verb, _, argument = line.partition(" ")
        verb = verb.upper()
        step = {"STLS": "starttls", "AUTH": "pass"}.get(verb, verb.lower())
        regular = self.regular(verb, argument)
        sent = self.answer(step, regular) if regular else ""
        if verb == "STLS" and sent.startswith("+OK"):
            self.encrypt()
        if verb == "QUIT":
            raise EOFError

    def regular(self, verb: str, argument: str) -> str:
        """Return the answer of a healthy server."""
        if verb == "USER":
            self.user = argument
        if verb == "PASS":
            return self.sign_in(self.user, argument)
        if verb == "AUTH":
            return self.auth(argument)
        if verb == "CAPA":
            return self.capabilities()
        return {
            "STLS": "+OK begin",
            "USER": "+OK",
            "UTF8": "+OK",
            "STAT": "+OK 3 1234",
            "UIDL": f"+OK {argument} id{argument}" if argument else _UIDLS,
            "LIST": f"+OK {argument} 40",
            "TOP": f"+OK\r\nSubject: Letter {argument.split(' ')[0]}\r\n\r\n.",
            "DELE": "+OK",
            "QUIT": "+OK bye",
        }.get(verb, "-ERR unknown command")

    def capabilities(self) -> str:
        """Return the answer to CAPA."""
        names = [*self.offered(), *(["STLS"] if self.may_start_tls() else [])]
        return "\r\n".join(["+OK", *names, "."])

    def auth(self, mechanism: str) -> str:
        """Take AUTH PLAIN or one with a token, return the answer."""
        if not self.answer("go-ahead", "+ ").startswith("+"):
            return ""
        message = self.read_line()
        if mechanism in ("XOAUTH2", "OAUTHBEARER"):
            good = self.takes_token(mechanism, message, "+ ")
            return "+OK signed in" if good else "-ERR [AUTH] Authentication failed."
        return self.sign_in(*plain(message))

    def sign_in(self, login: str, password: str) -> str:
        """Return the answer to a sign-in."""
        good = self.accepts(login, password)
        return "+OK signed in" if good else "-ERR [AUTH] Authentication failed."
