"""Faults of a server at every step, and the code that ``mailkit.checks`` gives them.

What the connect window says of a fault is in ``tests/served/window_cases.py``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from devtools.testbed.fault_actions import (
    Action,
    Delay,
    Drip,
    Drop,
    Garbage,
    Hang,
    InTurn,
    Reply,
)

# Protocol -> {line of the connect window: steps of the fault server behind it}.
LINES = {
    "smtp": {
        "smtp_port": ("connect", "greeting", "ehlo", "starttls", "tls"),
        "smtp_login": ("auth-plain", "auth"),
        "smtp_sender": ("mail", "rcpt"),
    },
    "imap": {
        "incoming_port": ("connect", "greeting", "capability", "starttls", "tls"),
        "incoming_login": ("authenticate", "login"),
        "incoming_listing": ("examine",),
    },
    "pop3": {
        "incoming_port": ("connect", "greeting", "capa", "starttls", "tls"),
        "incoming_login": ("user", "pass"),
        "incoming_listing": ("stat", "uidl"),
    },
}


@dataclass(frozen=True)
class FaultCase:
    """A server, the settings a user chose for it, and what they have to be told.

    `line`: the check that fails (value of mailkit.checks.Step), or "" when all pass.
    `code`: value of mailkit.errors.ErrorCode. `security`: what the user chose;
    `served`: what the port really speaks, if that is something else.
    """

    name: str
    protocol: str
    security: str
    line: str
    code: str
    faults: Mapping[str, Action | InTurn] = field(default_factory=dict)
    certificate: str = "valid"
    served: tuple[str, str] | None = None
    features: Sequence[str] | None = None


def cases() -> list[FaultCase]:
    """Return all cases; their names are unique."""
    return [*_silent_cases(), *_tls_cases(), *_reply_cases()]


def _silent_cases() -> Iterator[FaultCase]:
    """Every way to answer nothing sensible, at every step."""
    for protocol, lines in LINES.items():
        for line, steps in lines.items():
            for step in steps:
                name = f"{protocol}-{step}"
                yield _at(f"{name}-hang", protocol, line, step, Hang(), "timeout")
                yield _at(f"{name}-drip", protocol, line, step, Drip(0.5), "timeout")
                yield _at(
                    f"{name}-drop", protocol, line, step, Drop(), "connection_lost"
                )
                code = {
                    "connect": "not_mail_server",
                    "greeting": "not_mail_server",
                    "capability": "not_mail_server",
                    "tls": "tls_failed",
                }.get(step, "protocol_error")
                yield _at(f"{name}-garbage", protocol, line, step, Garbage(), code)
                yield _at(f"{name}-slow", protocol, "", step, Delay(0.1), "")
    for protocol, step in (("smtp", "quit"), ("imap", "logout"), ("pop3", "quit")):
        yield _at(f"{protocol}-{step}-hang", protocol, "", step, Hang(), "")
        yield _at(f"{protocol}-{step}-drop", protocol, "", step, Drop(), "")


def _at(
    name: str, protocol: str, line: str, step: str, action: Action, code: str
) -> FaultCase:
    faults: Mapping[str, Action | InTurn] = {step: action}
    if step == "connect" and isinstance(action, Drip):
        # There is nothing to send yet: some of a greeting, then.
        faults = {"greeting": action}
    return FaultCase(name, protocol, "starttls", line, code, faults)


def _tls_cases() -> Iterator[FaultCase]:
    certificates = {
        "untrusted": "cert_untrusted",
        "expired": "cert_expired",
        "wrong_name": "cert_name_mismatch",
    }
    for protocol, lines in LINES.items():
        port = next(iter(lines))
        for security in ("starttls", "ssl"):
            yield FaultCase(f"{protocol}-{security}-fine", protocol, security, "", "")
            for certificate, code in certificates.items():
                name = f"{protocol}-{security}-{certificate}"
                yield FaultCase(
                    name, protocol, security, port, code, certificate=certificate
                )
        for name, security, served, code in (
            ("starttls-stripped", "starttls", "none", "starttls_missing"),
            ("plain-port-as-ssl", "ssl", "starttls", "tls_expected_plain"),
            ("ssl-port-as-starttls", "starttls", "ssl", "plain_expected_tls"),
            ("ssl-port-as-none", "none", "ssl", "plain_expected_tls"),
        ):
            yield FaultCase(
                f"{protocol}-{name}",
                protocol,
                security,
                port,
                code,
                served=(protocol, served),
            )
        for other in LINES:
            if other != protocol:
                yield FaultCase(
                    f"{protocol}-on-{other}-port",
                    protocol,
                    "ssl",
                    port,
                    "not_mail_server",
                    served=(other, "ssl"),
                )
        # Answers that are sent along with the go-ahead for TLS, thus in plain text.
        go_ahead = {
            "smtp": "220 Ready\r\n250 localhost",
            "imap": "{tag} OK begin\r\n* CAPABILITY IMAP4rev1",
            "pop3": "+OK begin\r\n+OK",
        }[protocol]
        yield FaultCase(
            f"{protocol}-starttls-injection",
            protocol,
            "starttls",
            port,
            "protocol_error",
            {"starttls": Reply(go_ahead)},
        )
    yield FaultCase("smtp-none-fine", "smtp", "none", "", "")
    yield FaultCase(
        "imap-preauth",
        "imap",
        "starttls",
        "incoming_port",
        "protocol_error",
        {"greeting": Reply("* PREAUTH welcome")},
    )


# protocol, line, step, reply, code
_REPLIES = (
    ("smtp", "smtp_port", "greeting", "421 4.3.2 Shutting down", "temporary"),
    ("smtp", "smtp_port", "greeting", "554 5.7.1 Not you", "refused"),
    ("smtp", "smtp_port", "greeting", "* OK IMAP4 ready", "not_mail_server"),
    ("smtp", "smtp_port", "ehlo", "502 5.5.1 Not here", "protocol_error"),
    ("smtp", "smtp_port", "starttls", "454 4.7.0 No TLS now", "starttls_missing"),
    ("smtp", "smtp_login", "auth", "535 5.7.8 Bad credentials", "login_refused"),
    (
        "smtp",
        "smtp_login",
        "auth",
        "534-5.7.9 Application-specific password required. For more\r\n"
        "534 5.7.9 information, go to https://mail.example/help",
        "app_password_required",
    ),
    (
        "smtp",
        "smtp_login",
        "auth",
        "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
        "oauth_required",
    ),
    (
        "smtp",
        "smtp_login",
        "auth",
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is "
        "disabled for the Mailbox.",
        "smtp_auth_disabled",
    ),
    ("smtp", "smtp_login", "auth", "454 4.7.0 Too many login attempts", "login_busy"),
    ("smtp", "smtp_login", "auth", "454 4.7.0 Temporary failure", "temporary"),
    (
        "smtp",
        "smtp_sender",
        "mail",
        "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
        "sender_refused",
    ),
    (
        "smtp",
        "smtp_sender",
        "rcpt",
        "553 5.7.1 <a@b.test>: Sender address rejected: not owned by user c@b.test",
        "sender_refused",
    ),
    ("smtp", "smtp_sender", "mail", "550 5.4.5 Daily limit", "quota_exceeded"),
    ("smtp", "", "rcpt", "550 5.1.1 User unknown", ""),
    ("smtp", "", "rcpt", "452 4.2.2 Mailbox full", ""),
    ("imap", "incoming_port", "greeting", "* BYE Too many connections", "login_busy"),
    ("imap", "incoming_port", "greeting", "220 SMTP", "not_mail_server"),
    (
        "imap",
        "incoming_login",
        "login",
        "{tag} NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)",
        "login_refused",
    ),
    (
        "imap",
        "incoming_login",
        "login",
        "{tag} NO [ALERT] Please log in via your web browser",
        "web_login_required",
    ),
    (
        "imap",
        "incoming_login",
        "login",
        "{tag} NO [UNAVAILABLE] Backend is down",
        "temporary",
    ),
    (
        "imap",
        "incoming_listing",
        "examine",
        "{tag} NO [NONEXISTENT] No such mailbox",
        "listing_failed",
    ),
    ("pop3", "incoming_port", "greeting", "-ERR [SYS/TEMP] Later", "temporary"),
    ("pop3", "incoming_port", "greeting", "220 SMTP", "not_mail_server"),
    ("pop3", "incoming_login", "pass", "-ERR [AUTH] Wrong password", "login_refused"),
    (
        "pop3",
        "incoming_login",
        "pass",
        "-ERR [SYS/PERM] Your account is not enabled for POP access.",
        "login_disabled",
    ),
    ("pop3", "incoming_login", "pass", "-ERR [IN-USE] Locked", "login_busy"),
    ("pop3", "incoming_listing", "stat", "-ERR No mailbox", "listing_failed"),
    ("pop3", "incoming_listing", "uidl", "-ERR Unknown command", "uidl_missing"),
)


def _reply_cases() -> Iterator[FaultCase]:
    for number, (protocol, line, step, reply, code) in enumerate(_REPLIES):
        yield FaultCase(
            f"{protocol}-{step}-reply-{number}-{code or 'fine'}",
            protocol,
            "starttls",
            line,
            code,
            {step: Reply(reply)},
        )
    for protocol, features, code in (
        ("smtp", ["SIZE 1000", "AUTH XOAUTH2 GSSAPI"], "auth_unavailable"),
        ("smtp", ["SIZE 1000"], "auth_unavailable"),
        ("imap", ["IMAP4rev1", "LOGINDISABLED"], "auth_unavailable"),
    ):
        line = list(LINES[protocol])[1]
        name = f"{protocol}-no-auth-{len(features)}"
        yield FaultCase(name, protocol, "starttls", line, code, features=features)
