"""What SMTP, IMAP and POP3 sessions share, the ways to sign in (SASL) among it."""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TypeVar

from ..errors import FATAL, ErrorCode, MailError, ServerReply
from .network import MAX_ANSWER, Deadline, Wire, connect, resolve, speaks_tls
from .replies import readable
from .settings import Credentials, Protocol, Security, Server

_Self = TypeVar("_Self", bound="Session")

# A polite goodbye is worth no more than this: POP3 servers release the mailbox.
_GOODBYE_SECONDS = 2.0
# How much of the time to wait for a greeting before asking whether the port
# speaks TLS, and how much that may take.
_SILENCE = 0.3
_TLS_QUESTION = 0.5
# What a reader makes of a server that does not keep to the protocol:
# smtplib.SMTPException is an OSError, UnicodeError and binascii.Error a ValueError.
_NOT_UNDERSTOOD = (OSError, ValueError, LookupError)

# Makes an answer of a challenge, both in base64.
Answering = Callable[[bytes], bytes]

# In the order in which they are tried. IMAP and POP3 have commands of their own for a
# login and a password besides.
_TRIED = {
    Protocol.SMTP: ("PLAIN", "LOGIN", "CRAM-MD5"),
    Protocol.IMAP: ("PLAIN",),
    Protocol.POP3: ("PLAIN",),
}
# With an access token these and no others, and never with a password.
_TRIED_WITH_TOKEN = ("XOAUTH2", "OAUTHBEARER")
# What a server says of a secret that it does not take.
_ABOUT_SECRET = frozenset(
    {
        ErrorCode.LOGIN_REFUSED,
        ErrorCode.APP_PASSWORD_REQUIRED,
        ErrorCode.OAUTH_REQUIRED,
    }
)
# Postfix says so of a bad token, and when it cannot ask whether the token is good; the
# former only after a challenge that tells what is wrong (RFC 7628 section 3.2.2).
_NO_REASON = re.compile(r"Error: authentication failed", re.IGNORECASE)
# The server's own trouble, in the same challenge.
_LATER = re.compile(r"429|5\d\d|server_error|temporarily_unavailable", re.IGNORECASE)


class Session:
    """One connection to one server; a context manager that closes it.

    Every operation takes at most `server.timeout` seconds, and all of them together
    end by `deadline` if one is given: a server that is never too slow for a single
    step holds its caller for hours else. After an error that ends the connection
    `alive` is False and nothing but `close()` makes sense.
    """

    protocol: Protocol

    def __init__(
        self,
        server: Server,
        credentials: Credentials | None,
        *,
        deadline: Deadline | None = None,
    ) -> None:
        if server.protocol is not self.protocol:
            raise ValueError(
                f"{server.protocol.value} settings for {self.protocol.value}"
            )
        self.server = server
        self.credentials = credentials
        self._deadline = deadline
        self._wire: Wire | None = None

    @property
    def alive(self) -> bool:
        """Whether the connection is open and may be used."""
        return self._wire is not None

    @property
    def tls_version(self) -> str:
        """How the connection is encrypted: "TLSv1.3", or "" if it is not."""
        return self._wire.tls_version if self._wire else ""

    def close(self) -> None:
        """Say goodbye if that is still possible, and end the connection.

        Never raises.
        """
        if self._wire is None:
            return
        wire = self._wire
        try:
            wire.begin(self._until(0.0).within(_GOODBYE_SECONDS))
            self._goodbye()
        except (MailError, *_NOT_UNDERSTOOD):
            return  # the connection is closed below, which is all that matters
        finally:
            self._abandon()

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # For the protocols

    def _goodbye(self) -> None:
        raise NotImplementedError

    @property
    def _secrets(self) -> tuple[str, ...]:
        own = self.credentials
        return (own.password, own.access_token) if own else ()

    def _signed(self) -> Credentials:
        """Return login and password, or access token; both have to be there."""
        login = self.credentials.login if self.credentials else ""
        if self.credentials is None or not login:
            raise MailError(ErrorCode.SETTINGS_INVALID, field="login")
        if self.credentials.access_token:
            if self.server.security is Security.NONE:  # RFC 6750 section 5.3
                raise MailError(ErrorCode.TLS_REQUIRED)
        elif not self.credentials.password:
            raise MailError(ErrorCode.SETTINGS_INVALID, field="password")
        return self.credentials

    @property
    def _connection(self) -> Wire:
        if self._wire is None:
            raise MailError(ErrorCode.CONNECTION_LOST)
        return self._wire

    @contextmanager
    def _operation(
        self,
        *,
        opening: bool = False,
        extra: float = 0.0,
        allowance: int = MAX_ANSWER,
        steady: bool = False,
    ) -> Iterator[None]:
        """Give what is inside its deadline, and turn every failure into a MailError.

        `opening`: there is no connection yet, and none is left behind by a failure.
        `extra`: seconds besides the timeout. `allowance`: octets that may be read.
        `steady`: the server may be silent for the timeout at most, whatever `extra`.

        Other exceptions may hold raw lines of the server, perhaps with an echo of the
        password: none of them is chained.
        """
        if not opening:
            silence = self.server.timeout if steady else None
            self._connection.begin(self._until(extra), allowance, silence)
        try:
            yield
        except MailError as error:
            if opening or error.code in FATAL:
                self._abandon()
            raise
        except _NOT_UNDERSTOOD:
            reply = self._last_words()
            self._abandon()
            raise MailError(ErrorCode.PROTOCOL_ERROR, reply=reply) from None

    def _last_words(self) -> ServerReply | None:
        """Return the line that came last, if there is one."""
        line = self._wire.last_line if self._wire else b""
        text = readable(line, self._secrets)
        return ServerReply(None, "", text) if text else None

    def _connect(self) -> Wire:
        """Connect, and encrypt if TLS comes first; then wait for the first bytes."""
        deadline = self._until(0.0)
        server = self.server
        endpoints = resolve(
            server.host, server.port, deadline, allow_private=server.allow_private
        )
        sock, endpoint = connect(endpoints, deadline)
        self._wire = Wire(sock, endpoint, deadline)
        if self.server.security is Security.SSL:
            self._wire.encrypt(self.server)
        else:
            self._await_greeting(self._wire)
        return self._wire

    def _not_this_protocol(self) -> MailError:
        """Return the error for a greeting of something else."""
        line = self._connection.last_line
        if line[:2] in (b"\x15\x03", b"\x16\x03"):  # TLS records
            return MailError(ErrorCode.PLAIN_EXPECTED_TLS)
        return MailError(ErrorCode.NOT_MAIL_SERVER, reply=self._last_words())

    def _abandon(self) -> None:
        if self._wire is not None:
            self._wire.close()
        self._wire = None

    def _until(self, extra: float) -> Deadline:
        seconds = self.server.timeout + extra
        return self._deadline.within(seconds) if self._deadline else Deadline(seconds)

    def _await_greeting(self, wire: Wire) -> None:
        """Tell a silent server from one that waits for us to start with TLS.

        A second connection asks; the first goes on waiting if the answer is no.
        """
        if wire.wait_readable(self.server.timeout * _SILENCE):
            return
        until = wire.deadline.within(self.server.timeout * _TLS_QUESTION)
        try:
            sock, _endpoint = connect([wire.endpoint], until)
        except MailError:
            return
        if speaks_tls(sock, self.server, until):
            raise MailError(ErrorCode.PLAIN_EXPECTED_TLS)


# The ways to sign in (RFC 4422)


@dataclass
class Course:
    """How far a mechanism got. `told`: all of a token was said; `challenge`: what the
    server said of it, as long as it refuses it.
    """

    told: bool = False
    challenge: bytes | None = None


@dataclass(frozen=True)
class Mechanism:
    """A way to sign in, for one login and one attempt; all that is said is base64.

    `initial`: what is said first; None where the server begins. `answers`: one to each
    challenge that follows, as far as there are challenges. `course`: only of those that
    tell an access token.
    """

    name: str
    initial: bytes | None
    answers: tuple[Answering, ...] = ()
    course: Course | None = field(default=None, compare=False)

    @property
    def all_answers(self) -> tuple[Answering, ...]:
        """The same where `initial` has to wait for the server's go-ahead."""
        if self.initial is None:
            return self.answers
        return (lambda _go_ahead: self.say_initial(), *self.answers)

    @property
    def was_judged(self) -> bool:
        """Whether the server said what is wrong with an access token."""
        return self.course is not None and self.course.challenge is not None

    def say_initial(self) -> bytes:
        """Return `initial`, which there has to be, and keep that it was said."""
        if self.course:
            self.course.told = True
        return self.initial or b""


def usable_mechanisms(
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
    if credentials.access_token:
        only = credentials.mechanism
        names = [name for name in _TRIED_WITH_TOKEN if only in ("", name)]
    return [_MECHANISMS[name](server, credentials) for name in names if name in offered]


def judged(mechanism: Mechanism, error: MailError) -> MailError:
    """Return what a refusal means where an access token was told, not a password.

    That the token is not good, only if the server says so: TOKEN_REFUSED stops an
    account, and a server's own trouble must not.
    """
    course = mechanism.course
    if course is None or error.code not in _ABOUT_SECRET:
        return error
    status = _status(course.challenge)
    words = error.reply.text if error.reply else ""
    code = ErrorCode.TOKEN_REFUSED
    if not course.told:
        code = ErrorCode.AUTH_UNAVAILABLE
    elif _LATER.fullmatch(status):
        code = ErrorCode.TEMPORARY
    elif status == "insufficient_scope":
        code = ErrorCode.OAUTH_CONSENT
    elif course.challenge is None and _NO_REASON.search(words):
        code = ErrorCode.TEMPORARY
    return MailError(code, reply=error.reply)


def _status(challenge: bytes | None) -> str:
    """Return what a server says of a token (RFC 7628 section 3.2.2), or ""."""
    try:
        told = json.loads(base64.b64decode(challenge or b""))
    except (ValueError, RecursionError):
        return ""
    return str(told.get("status", ""))[:40] if isinstance(told, dict) else ""


def _plain(_server: Server, credentials: Credentials) -> Mechanism:
    """RFC 4616."""
    token = _b64(f"\0{credentials.login}\0{credentials.password}")
    return Mechanism("PLAIN", token)


def _login(_server: Server, credentials: Credentials) -> Mechanism:
    login, password = _b64(credentials.login), _b64(credentials.password)
    return Mechanism("LOGIN", None, (lambda _: login, lambda _: password))


def _cram_md5(_server: Server, credentials: Credentials) -> Mechanism:
    """RFC 2195."""

    def answer(challenge: bytes) -> bytes:
        key, text = credentials.password.encode(), base64.b64decode(challenge)
        return _b64(f"{credentials.login} {hmac.new(key, text, 'md5').hexdigest()}")

    return Mechanism("CRAM-MD5", None, (answer,))


def _xoauth2(_server: Server, credentials: Credentials) -> Mechanism:
    """Of Google, and Microsoft's too; a refusal is answered by an empty line."""
    login, token = _bearer(credentials)
    return _telling("XOAUTH2", f"user={login}\1auth=Bearer {token}\1\1", "")


def _oauthbearer(server: Server, credentials: Credentials) -> Mechanism:
    """RFC 7628; the name as RFC 5801 section 4 has it."""
    login, token = _bearer(credentials)
    name = login.replace("=", "=3D").replace(",", "=2C")
    where = f"host={server.host}\1port={server.port}"
    return _telling(
        "OAUTHBEARER", f"n,a={name},\1{where}\1auth=Bearer {token}\1\1", "\1"
    )


def _bearer(credentials: Credentials) -> tuple[str, str]:
    if "\1" in credentials.login:  # it would begin a field of its own
        raise MailError(ErrorCode.SETTINGS_INVALID, field="login")
    return credentials.login, credentials.access_token


def _telling(name: str, message: str, farewell: str) -> Mechanism:
    """Say `message`, and `farewell` to a challenge: it only tells why not."""
    course = Course()

    def answer(challenge: bytes) -> bytes:
        course.challenge = challenge
        return _b64(farewell)

    return Mechanism(name, _b64(message), (answer,), course)


def _b64(text: str) -> bytes:
    return base64.b64encode(text.encode())


_MECHANISMS: dict[str, Callable[[Server, Credentials], Mechanism]] = {
    "PLAIN": _plain,
    "LOGIN": _login,
    "CRAM-MD5": _cram_md5,
    "XOAUTH2": _xoauth2,
    "OAUTHBEARER": _oauthbearer,
}
