"""The conversations of the fault server: what all have in common."""

import base64
import re
import socket
import ssl

from .fault_actions import (
    Action,
    Delay,
    Drip,
    Drop,
    Flood,
    Garbage,
    Hang,
    Raw,
    Reply,
)
from .fault_script import FaultScript

# Dovecot's words, and what is said to them (RFC 7628 section 3.2.3).
_REFUSED = {
    "XOAUTH2": '{"status":"401","schemes":"bearer","scope":"mail"}',
    "OAUTHBEARER": '{"status":"invalid_token"}',
}
_FAREWELLS = {"XOAUTH2": "", "OAUTHBEARER": "AQ=="}
_MESSAGES = {
    "XOAUTH2": re.compile(r"user=([^\x01]+)\x01auth=Bearer ([^\x01 ]+)\x01\x01"),
    "OAUTHBEARER": re.compile(
        r"n,a=([^,\x01]+),\x01host=[^\x01]+\x01port=\d+"
        r"\x01auth=Bearer ([^\x01 ]+)\x01\x01"
    ),
}
_TLS_RECORD = b"\x16\x03\x03\x40\x00"  # begins a handshake record of 16 KiB


class Talk:
    """One connection. Subclasses answer commands; this part plays the faults."""

    greeting = ""
    features: tuple[str, ...] = ()

    def __init__(self, server: FaultScript, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.file = sock.makefile("rb")
        self.tag = ""

    def run(self) -> None:
        """Serve the connection until one side ends it (OSError, EOFError)."""
        self.answer("connect", "")
        if self.server.security == "ssl":
            self.encrypt()
        self.answer("greeting", self.greeting)
        while line := self.read_line():
            self.server.commands.append(line)
            self.command(line)

    def command(self, line: str) -> None:
        """Answer one command line."""
        raise NotImplementedError

    def close(self) -> None:
        """End the connection."""
        self.file.close()
        self.sock.close()

    def answer(self, step: str, regular: str) -> str:
        """Send the regular answer, or do what was asked for; return what was sent."""
        return self.play(self.server.action(step), regular)

    def play(self, action: Action | None, regular: str) -> str:
        """Do `action` with the regular answer; return what was sent."""
        if isinstance(action, Raw | Flood):
            self.pour(action)
            return ""
        if isinstance(action, Delay):
            self.server.stopping.wait(action.seconds)
        elif isinstance(action, Drop):
            raise EOFError
        elif isinstance(action, Hang):
            self.hang()
        elif isinstance(action, Garbage):
            self.sock.sendall(action.data)
            return ""
        elif isinstance(action, Reply):
            regular = action.text.replace("{tag}", self.tag)
        data = f"{regular}\r\n".encode() if regular else b""
        if isinstance(action, Drip):
            self.drip(data, action.seconds)
        else:
            self.sock.sendall(data)
        return regular

    def pour(self, action: Raw | Flood) -> None:
        """Send bytes as they are, once or for ever."""
        data = action.data.replace(b"{tag}", self.tag.encode())
        self.sock.sendall(data)
        while isinstance(action, Flood):
            self.sock.sendall(data)

    def encrypt(self) -> None:
        """Do the handshake, as the server."""
        action = self.server.action("tls")
        if isinstance(action, Delay):
            self.server.stopping.wait(action.seconds)
            action = None
        if action is not None:
            self.sock.recv(65536)  # the client's part
        if isinstance(action, Drip):
            self.drip(_TLS_RECORD + bytes(16384), action.seconds)
        if action is not None:
            self.play(action, "")
            raise EOFError
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.server.certificate_files)
        self.sock = context.wrap_socket(self.sock, server_side=True)
        self.file = self.sock.makefile("rb")

    def drip(self, data: bytes, seconds: float) -> None:
        """Send `data` byte by byte."""
        for number in data:
            self.sock.sendall(bytes([number]))
            self.server.stopping.wait(seconds)

    def hang(self) -> None:
        """Wait until the client has had enough."""
        while self.sock.recv(65536):
            pass
        raise EOFError

    def read_line(self) -> str:
        """Read a line, without its end; "" at the end of the connection."""
        return self.file.readline(65536).decode("utf-8", "replace").rstrip("\r\n")

    def accepts(self, login: str, password: str) -> bool:
        """Take note of a sign-in; return whether the password is right."""
        self.server.logins.append((login, password))
        return self.server.password in (None, password)

    def takes_token(self, mechanism: str, message: str, challenge: str) -> bool:
        """Take note of a message of XOAUTH2 or OAUTHBEARER; return whether it is good.

        Else say why, as Dovecot does; `challenge`: what stands before that.
        """
        login, token = bearer(mechanism, message)
        self.server.tokens.append((login, token))
        if self.server.token in (None, token) and not self.server.faulty("challenge"):
            return True
        told = base64.b64encode(_REFUSED[mechanism].encode()).decode()
        self.answer("challenge", f"{challenge}{told}")
        if self.read_line() != _FAREWELLS[mechanism]:
            raise EOFError
        return False

    def offered(self) -> tuple[str, ...]:
        """Return what the server can do."""
        features = self.server.features
        return self.features if features is None else tuple(features)

    def may_start_tls(self) -> bool:
        """Whether TLS can be turned on now."""
        plain = not isinstance(self.sock, ssl.SSLSocket)
        return self.server.security == "starttls" and plain


def decode(text: str) -> str:
    """Return what base64 `text` stands for; EOFError if it is none."""
    try:
        return base64.b64decode(text).decode()
    except ValueError:  # UnicodeDecodeError and binascii.Error as well
        raise EOFError from None


def plain(text: str) -> tuple[str, str]:
    """Return login and password of a SASL PLAIN message; EOFError if it is none."""
    parts = decode(text).split("\0")
    if len(parts) != 3:
        raise EOFError
    return parts[1], parts[2]


def bearer(mechanism: str, text: str) -> tuple[str, str]:
    """Return login and token of a message; EOFError if it is none."""
    found = _MESSAGES[mechanism].fullmatch(decode(text))
    if not found:
        raise EOFError
    return found[1].replace("=2C", ",").replace("=3D", "="), found[2]
