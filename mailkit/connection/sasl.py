"""The ways to sign in (SASL, RFC 4422), for SMTP, IMAP and POP3 alike."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Collection
from dataclasses import dataclass

from .settings import Credentials, Protocol, Security, Server

# Makes an answer of a challenge, both in base64.
Answering = Callable[[bytes], bytes]

# In the order in which they are tried. IMAP and POP3 have commands of their own for a
# login and a password besides.
_TRIED = {
    Protocol.SMTP: ("PLAIN", "LOGIN", "CRAM-MD5"),
    Protocol.IMAP: ("PLAIN",),
    Protocol.POP3: ("PLAIN",),
}


@dataclass(frozen=True)
class Mechanism:
    """A way to sign in, for one login; all that is said is base64.

    `initial`: what is said first; None where the server begins. `answers`: one to each
    challenge that follows, as far as there are challenges.
    """

    name: str
    initial: bytes | None
    answers: tuple[Answering, ...] = ()

    @property
    def all_answers(self) -> tuple[Answering, ...]:
        """The same where `initial` has to wait for the server's go-ahead."""
        initial = self.initial
        if initial is None:
            return self.answers
        return (lambda _go_ahead: initial, *self.answers)


def usable(
    server: Server, credentials: Credentials, offered: Collection[str]
) -> list[Mechanism]:
    """Return the mechanisms to try, of those in `offered`, the best first.

    Many servers offer CRAM-MD5 and cannot do it, since they keep hashes only; but in
    plain text it is the one that does not give the password away. smtplib's own
    login() tries it first everywhere, and takes ASCII only.
    """
    names = list(_TRIED[server.protocol])
    if server.security is Security.NONE:
        names.sort(key=lambda name: name != "CRAM-MD5")
    return [_MECHANISMS[name](credentials) for name in names if name in offered]


def _plain(credentials: Credentials) -> Mechanism:
    """RFC 4616."""
    token = _b64(f"\0{credentials.login}\0{credentials.password}")
    return Mechanism("PLAIN", token)


def _login(credentials: Credentials) -> Mechanism:
    login, password = _b64(credentials.login), _b64(credentials.password)
    return Mechanism("LOGIN", None, (lambda _: login, lambda _: password))


def _cram_md5(credentials: Credentials) -> Mechanism:
    """RFC 2195."""

    def answer(challenge: bytes) -> bytes:
        key, text = credentials.password.encode(), base64.b64decode(challenge)
        return _b64(f"{credentials.login} {hmac.new(key, text, 'md5').hexdigest()}")

    return Mechanism("CRAM-MD5", None, (answer,))


def _b64(text: str) -> bytes:
    return base64.b64encode(text.encode())


_MECHANISMS: dict[str, Callable[[Credentials], Mechanism]] = {
    "PLAIN": _plain,
    "LOGIN": _login,
    "CRAM-MD5": _cram_md5,
}
