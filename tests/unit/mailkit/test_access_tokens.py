"""Signing in with an access token: what is said, to whom, and what a refusal means."""

from __future__ import annotations

import base64
import json
import logging
from base64 import b64decode
from collections.abc import Mapping, Sequence

import pytest

from devtools.testbed.fault_actions import Action, Drop, InTurn, Reply
from devtools.testbed.faults import FaultServer
from mailkit.connection.session import Mechanism, judged, usable_mechanisms
from mailkit.connection.settings import Credentials, Protocol, Security, Server
from mailkit.errors import ErrorCode, MailError, ServerReply
from mailkit.imap.mailbox import ImapMailbox
from mailkit.pop3 import Pop3Mailbox
from mailkit.smtp import SmtpSession

LOGIN = "info@brand-a.test"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.EwBwA8l6BAAUO9chh8cJscQLmU+LSWpbnr0vmwwAAQ/x.sig~nat_ure"
ALL = ("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER")
SESSIONS: dict[str, type[SmtpSession | ImapMailbox | Pop3Mailbox]] = {
    "smtp": SmtpSession,
    "imap": ImapMailbox,
    "pop3": Pop3Mailbox,
}
PROTOCOLS = list(SESSIONS)
# Where the final answer to a sign-in is given.
FINAL = {"smtp": "auth", "imap": "login", "pop3": "pass"}


def offering(protocol: str, *names: str) -> list[str]:
    """What a server tells that takes passwords too, in every way it knows."""
    return {
        "smtp": ["SIZE 1000", f"AUTH PLAIN LOGIN {' '.join(names)}"],
        "imap": ["IMAP4rev1", "AUTH=PLAIN", *(f"AUTH={name}" for name in names)],
        "pop3": ["USER", "UIDL", "TOP", f"SASL PLAIN {' '.join(names)}"],
    }[protocol]


class Try:
    """One sign-in with a token: how it ended, and what the server heard."""

    def __init__(
        self,
        protocol: str,
        faults: Mapping[str, Action | InTurn] | None = None,
        *,
        names: Sequence[str] = ("XOAUTH2", "OAUTHBEARER"),
        token: str = TOKEN,
        good: str | None = None,
        login: str = LOGIN,
        mechanism: str = "",
        security: str = "ssl",
    ) -> None:
        self.error: MailError | None = None
        with FaultServer(
            protocol,
            security,
            faults=faults,
            features=offering(protocol, *names),
            token=good,
        ) as self.server:
            server = Server(
                Protocol(protocol),
                "localhost",
                self.server.port,
                Security(security),
                ca_pem=self.server.ca_pem,
                allow_private=True,
                timeout=5,
            )
            credentials = Credentials(login, "", token, mechanism)
            with SESSIONS[protocol](server, credentials) as session:
                try:
                    session.open()
                    session.login()
                except MailError as error:
                    self.error = error
        # Nothing that takes a password ever got it.
        assert not self.server.logins
        heard = [line.split(" ")[0].upper() for line in self.server.commands]
        assert not {"USER", "PASS"} & set(heard)
        assert not [line for line in self.server.commands if " LOGIN " in line]

    @property
    def code(self) -> ErrorCode | None:
        return self.error.code if self.error else None

    @property
    def told(self) -> list[tuple[str, str]]:
        return self.server.tokens


def challenge(**told: object) -> str:
    return base64.b64encode(json.dumps(told).encode()).decode()


def go(protocol: str, text: str) -> Reply:
    return Reply(f"{'334' if protocol == 'smtp' else '+'} {text}")


# What is said


def made(name: str, login: str = LOGIN, host: str = "mail.test") -> Mechanism:
    server = Server(Protocol.IMAP, host, 993, Security.SSL)
    [mechanism] = usable_mechanisms(server, Credentials(login, "", TOKEN), [name])
    return mechanism


def test_the_message_of_xoauth2() -> None:
    """https://developers.google.com/workspace/gmail/imap/xoauth2-protocol"""
    mechanism = made("XOAUTH2")
    said = b64decode(mechanism.initial or b"")
    assert said == f"user={LOGIN}\1auth=Bearer {TOKEN}\1\1".encode()
    assert [answer(b"e30=") for answer in mechanism.answers] == [b""]


@pytest.mark.parametrize(
    ("login", "host", "begin"),
    [
        (LOGIN, "mail.test", f"n,a={LOGIN},\1host=mail.test\1port=993\1"),
        ("a,b=c@x.test", "2001:db8::1", "n,a=a=2Cb=3Dc@x.test,\1host=2001:db8::1\1"),
    ],
)
def test_the_message_of_oauthbearer(login: str, host: str, begin: str) -> None:
    """RFC 7628 section 4.1, RFC 5801 section 4."""
    mechanism = made("OAUTHBEARER", login, host)
    said = b64decode(mechanism.initial or b"").decode()
    assert said.startswith(begin)
    assert said.endswith(f"\1auth=Bearer {TOKEN}\1\1")
    assert [answer(b"e30=") for answer in mechanism.answers] == [b"AQ=="]


@pytest.mark.parametrize("protocol", list(Protocol))
def test_which_ways_are_tried(protocol: Protocol) -> None:
    server = Server(protocol, "mail.test", 993, Security.SSL)

    def names(credentials: Credentials, offered: Sequence[str]) -> list[str]:
        return [each.name for each in usable_mechanisms(server, credentials, offered)]

    token = Credentials(LOGIN, "", TOKEN)
    assert names(token, ALL) == ["XOAUTH2", "OAUTHBEARER"]
    assert names(token, ("PLAIN", "OAUTHBEARER")) == ["OAUTHBEARER"]
    assert names(token, ("PLAIN", "LOGIN", "CRAM-MD5")) == []
    both = Credentials(LOGIN, "password", TOKEN)
    assert names(both, ALL) == ["XOAUTH2", "OAUTHBEARER"]
    for only in ("XOAUTH2", "OAUTHBEARER"):
        assert names(Credentials(LOGIN, "", TOKEN, only), ALL) == [only]
    assert not {"XOAUTH2", "OAUTHBEARER"} & set(
        names(Credentials(LOGIN, "password"), ALL)
    )


def test_a_login_cannot_smuggle_in_a_token() -> None:
    for name in ("XOAUTH2", "OAUTHBEARER"):
        with pytest.raises(MailError) as caught:
            made(name, "info@a.test\1auth=Bearer other")
        assert caught.value.field == "login"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_token_in_plain_text(protocol: str) -> None:
    attempt = Try(protocol, security="none")
    assert attempt.code is ErrorCode.TLS_REQUIRED
    assert not attempt.told


# What comes of it


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", ["XOAUTH2", "OAUTHBEARER"])
def test_a_good_token(protocol: str, name: str) -> None:
    attempt = Try(protocol, names=[name], good=TOKEN)
    assert attempt.code is None
    assert attempt.told == [(LOGIN, TOKEN)]
    attempt = Try(protocol, mechanism=name, good=TOKEN)
    assert attempt.code is None
    assert attempt.told == [(LOGIN, TOKEN)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", ["XOAUTH2", "OAUTHBEARER"])
def test_a_token_that_is_not_good(protocol: str, name: str) -> None:
    """The server says why, gets its empty answer, and only then refuses (RFC 7628)."""
    attempt = Try(protocol, names=[name], good="another")
    assert attempt.code is ErrorCode.TOKEN_REFUSED
    assert attempt.error and not attempt.error.transient
    assert attempt.error.reply and "uthentication failed" in attempt.error.reply.text
    assert attempt.told == [(LOGIN, TOKEN)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_refused_token_is_told_once(protocol: str) -> None:
    """A second try in another way would only count towards a lock-out."""
    assert Try(protocol, good="another").told == [(LOGIN, TOKEN)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("length", [1300, 1500, 3000, 6000, 8000])
def test_a_long_token(protocol: str, length: int) -> None:
    token = ("abcdefghij" * 1000)[:length]
    attempt = Try(protocol, token=token, good=token)
    assert attempt.code is None
    # Of what Postfix reads in one line.
    assert max(map(len, attempt.server.commands)) < 2048


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_way_to_tell_a_token(protocol: str) -> None:
    for names, only in (((), ""), (("XOAUTH2",), "OAUTHBEARER")):
        attempt = Try(protocol, names=names, mechanism=only)
        assert attempt.code is ErrorCode.AUTH_UNAVAILABLE
        assert not attempt.told


NOT_SUPPORTED = {
    "smtp": ["504 5.7.4 Unrecognized authentication type", "535 5.7.8 mechanism "
             "not supported", "502 5.5.1 Command not implemented"],
    "imap": ["{tag} NO [CANNOT] Unsupported", "{tag} BAD Unknown command",
             "{tag} NO Unsupported authentication mechanism"],
    "pop3": ["-ERR Unrecognized authentication type", "-ERR unknown command",
             "-ERR [AUTH] no"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("protocol", "said"),
    [(p, said) for p, all_of in NOT_SUPPORTED.items() for said in all_of],
)
def test_the_other_way_where_the_first_is_none(protocol: str, said: str) -> None:
    step = {"smtp": "auth-xoauth2", "imap": "authenticate", "pop3": "go-ahead"}
    once = InTurn(Reply(said))
    attempt = Try(protocol, {step[protocol]: once}, good=TOKEN)
    assert attempt.code is None
    assert attempt.told == [(LOGIN, TOKEN)]
    names = [line for line in attempt.server.commands if "XOAUTH2" in line]
    assert len(names) == 1
    # Both are none, or there is no other one.
    always = {step[protocol]: Reply(said)}
    if protocol == "smtp":
        always["auth-oauthbearer"] = Reply(said)
    assert Try(protocol, always).code is ErrorCode.AUTH_UNAVAILABLE
    assert Try(protocol, always, names=["XOAUTH2"]).code is ErrorCode.AUTH_UNAVAILABLE


# What a refusal means. protocol, challenge ("" for none), final answer, code
BASIC = "535 5.7.8 Error: authentication failed:"
MICROSOFT = "535 5.7.139 Authentication unsuccessful,"
REFUSALS: list[tuple[str, dict[str, object] | None, str, str]] = [
    # A challenge, whatever the server says then
    (
        "smtp",
        {"status": "400"},
        "535-5.7.8 Username and Password not accepted. For more\r\n"
        "535 5.7.8 information, go to https://support.test",
        "token_refused",
    ),
    ("smtp", {"status": "401"}, f"{BASIC} (reason unavailable)", "token_refused"),
    ("smtp", {"status": "invalid_token"}, BASIC, "token_refused"),
    (
        "smtp",
        {"status": "400"},
        "534 5.7.9 Application-specific password required",
        "token_refused",
    ),
    (
        "imap",
        {"status": "400"},
        "{tag} NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)",
        "token_refused",
    ),
    ("imap", {"status": "invalid_token"}, "{tag} NO SASL failed", "token_refused"),
    ("imap", {}, "{tag} NO Authentication failed.", "token_refused"),
    ("imap", {"status": ["400"]}, "{tag} NO Failed.", "token_refused"),
    ("pop3", {"status": "401"}, "-ERR [AUTH] Failed.", "token_refused"),
    # What it lacks is a permission
    ("imap", {"status": "insufficient_scope"}, "{tag} NO Failed.", "oauth_consent"),
    # The server's own trouble
    ("smtp", {"status": "500"}, BASIC, "temporary"),
    ("imap", {"status": 503}, "{tag} NO Failed.", "temporary"),
    ("pop3", {"status": "temporarily_unavailable"}, "-ERR Failed.", "temporary"),
    # Postfix cannot ask: no challenge, and the very same words
    ("smtp", None, f"{BASIC} (reason unavailable)", "temporary"),
    ("smtp", None, f"{BASIC} Temporary authentication failure", "temporary"),
    ("smtp", None, "454 4.7.0 Temporary authentication failure", "temporary"),
    ("imap", None, "{tag} NO [UNAVAILABLE] Temporary failure. [x:1]", "temporary"),
    ("pop3", None, "-ERR [SYS/TEMP] Temporary failure. [x:1]", "temporary"),
    ("smtp", None, "421 4.7.0 Too many connections", "login_busy"),
    ("imap", None, "{tag} NO [LIMIT] Too many connections. (Failure)", "login_busy"),
    # Exchange and others say nothing but no
    (
        "smtp",
        None,
        "535 5.7.3 Authentication unsuccessful [AM0PR.prod.outlook.com]",
        "token_refused",
    ),
    ("imap", None, "{tag} NO AUTHENTICATE failed.", "token_refused"),
    (
        "pop3",
        None,
        "-ERR Authentication failure: unknown user name or bad password.",
        "token_refused",
    ),
    ("smtp", None, "535 5.7.8 Username and Password not accepted", "token_refused"),
    # What is not about the token stays what it is
    (
        "smtp",
        {"status": "401"},
        f"{MICROSOFT} SmtpClientAuthentication is disabled for the Mailbox.",
        "smtp_auth_disabled",
    ),
    (
        "smtp",
        None,
        f"{MICROSOFT} user is locked by your organization's security defaults policy. "
        "Contact your administrator.",
        "smtp_auth_disabled",
    ),
    (
        "smtp",
        None,
        f"{MICROSOFT} the request did not meet the criteria to be authenticated "
        "successfully. Contact your administrator.",
        "login_disabled",
    ),
    (
        "imap",
        {"status": "400"},
        "{tag} NO [ALERT] Your account is not enabled for IMAP use.",
        "login_disabled",
    ),
    (
        "imap",
        None,
        "{tag} BAD User is authenticated but not connected.",
        "login_disabled",
    ),
    (
        "pop3",
        None,
        "-ERR [SYS/PERM] Your account is not enabled for POP access.",
        "login_disabled",
    ),
    (
        "imap",
        {"status": "400"},
        "{tag} NO [ALERT] Please log in via your web browser",
        "web_login_required",
    ),
    ("imap", None, "{tag} NO Account is disabled.", "account_locked"),
    # Goodbye
    ("imap", None, "* BYE Connection closed. 14", "connection_lost"),
    ("imap", None, "* BYE Session invalidated", "connection_lost"),
    ("imap", {"status": "400"}, "* BYE Connection closed. 14", "token_refused"),
]


@pytest.mark.parametrize(("protocol", "told", "said", "code"), REFUSALS)
def test_what_a_refusal_means(
    protocol: str, told: dict[str, object] | None, said: str, code: str
) -> None:
    faults: dict[str, Action | InTurn] = {FINAL[protocol]: Reply(said)}
    if told is not None:
        faults["challenge"] = go(protocol, challenge(**told))
    attempt = Try(protocol, faults)
    assert attempt.code is ErrorCode(code)
    assert attempt.error
    waits = ("temporary", "login_busy", "connection_lost")
    assert attempt.error.transient is (code in waits)
    assert len(attempt.told) == 1


@pytest.mark.parametrize("odd", ["", "no base64!", "bm8gSlNPTg==", "W10=", "MTc="])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_challenge_that_is_none(protocol: str, odd: str) -> None:
    assert Try(protocol, {"challenge": go(protocol, odd)}).code is (
        ErrorCode.TOKEN_REFUSED
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_server_that_goes_away(protocol: str) -> None:
    """As Dovecot does without a word when a token is longer than it reads."""
    for step in ("challenge", FINAL[protocol]):
        attempt = Try(protocol, {step: Drop()})
        assert attempt.code is ErrorCode.CONNECTION_LOST
        assert attempt.error and attempt.error.transient


def test_a_refused_password_is_judged_as_ever() -> None:
    error = MailError(ErrorCode.LOGIN_REFUSED, reply=ServerReply(535, "5.7.8", "No"))
    assert judged(Mechanism("PLAIN", b""), error) is error


def test_a_session_ends_with_its_token() -> None:
    """Exchange: whoever comes back with a fresh one goes on."""
    told = "Session invalidated - AccessTokenExpired"
    for faults in (
        {"examine": Reply(f"* BYE {told}")},
        {"examine": Reply(f"{{tag}} NO {told}")},
        {"examine": Reply("{tag} BAD The access token expired")},
    ):
        with FaultServer(
            "imap", "ssl", faults=faults, features=offering("imap", "XOAUTH2")
        ) as faulty:
            server = Server(
                Protocol.IMAP,
                "localhost",
                faulty.port,
                Security.SSL,
                ca_pem=faulty.ca_pem,
                allow_private=True,
            )
            with ImapMailbox(server, Credentials(LOGIN, "", TOKEN)) as session:
                session.open()
                session.login()
                with pytest.raises(MailError) as caught:
                    session.count_inbox()
                assert caught.value.code is ErrorCode.CONNECTION_LOST
                assert not session.alive


# Nothing leaks


def pieces() -> list[str]:
    whole = f"user={LOGIN}\1auth=Bearer {TOKEN}\1\1"
    encoded = base64.b64encode(whole.encode()).decode()
    return [
        TOKEN,
        TOKEN.upper(),
        f"Bearer {TOKEN}",
        whole.replace("\1", " "),
        encoded,
        encoded[7:],
        encoded[: len(encoded) // 2],
        encoded[-60:],
        TOKEN[:30],
        TOKEN[10:40],
        TOKEN[-16:],
        base64.b64encode(TOKEN.encode()).decode(),
        base64.b64encode(TOKEN[5:].encode()).decode(),
        base64.urlsafe_b64encode(TOKEN.encode()).decode(),
    ]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("echo", pieces())
def test_no_piece_of_a_token_is_shown(protocol: str, echo: str) -> None:
    final = {"smtp": "535 5.7.8 ", "imap": "{tag} NO ", "pop3": "-ERR "}[protocol]
    attempt = Try(protocol, {FINAL[protocol]: Reply(f"{final}bad {echo} here")})
    error = attempt.error
    assert error and error.reply
    shown = f"{error} {error!r} {error.__cause__} {error.__context__}"
    for length in (12, 16):
        for at in range(len(TOKEN) - length):
            assert TOKEN[at : at + length].lower() not in shown.lower()
    assert "***" in shown
    assert "bad" in shown and "here" in shown


def test_a_token_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for protocol in PROTOCOLS:
            Try(protocol, good="another")
    assert TOKEN[:16] not in caplog.text
    assert TOKEN not in repr(Credentials(LOGIN, "", TOKEN))
    assert TOKEN not in repr(made("XOAUTH2"))
