"""Which line of the connect window fails at which fault of a server, and its words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from devtools.testbed.faults import (
    Action,
    Drip,
    Drop,
    FaultServer,
    Garbage,
    Hang,
    Reply,
)

PROTOCOLS = ("smtp", "imap", "pop3")

#: Per kind of failure: words of the cause, and words of the remedy.
WORDS = {
    "port_refused": ("accepts no connections on this port", "Check the port"),
    "timeout": ("did not answer in time", "firewall"),
    "connection_lost": ("broke off the connection", "Try again"),
    "not_mail_server": ("not a mail server of this kind", "Check host and port"),
    "cert_untrusted": ("not signed by a trusted authority", "Additional CA"),
    "cert_expired": ("has expired", "Tell the operator"),
    "cert_name_mismatch": ("for another host name", "Enter the host name"),
    "starttls_missing": ("does not offer STARTTLS", "Choose SSL/TLS"),
    "tls_expected_plain": ("does not use SSL/TLS from the start", "Choose STARTTLS"),
    "plain_expected_tls": ("expects SSL/TLS from the start", "Choose SSL/TLS"),
    "login_refused": ("refused the user name or the password", "Type both again"),
    "app_password_required": ("usual password", "Create an app password"),
    "oauth_required": ("no longer accepts passwords", "Choose “Sign in”"),
    "smtp_auth_disabled": ("(SMTP AUTH) is switched off", "Set-CASMailbox"),
    "login_disabled": ("switched off for this mailbox", "Switch on"),
    "web_login_required": ("on its web page", "in the browser"),
    "login_busy": ("too many attempts", "Wait a few minutes"),
    "auth_unavailable": ("no way to sign in", "Choose STARTTLS or SSL/TLS"),
    "sender_refused": ("does not let this account send from", "owns the address"),
    "listing_failed": ("cannot be listed", "programs may read it"),
    "uidl_missing": ("no UIDL", "Use IMAP"),
    "host_not_found": ("no server of this name", "Check the spelling"),
    "host_private": ("internal network", "public name"),
    "secret_needed": ("password is needed", "that it was entered for"),
}


@dataclass(frozen=True)
class Case:
    """A faulty server, how the window is set, and what the window has to say."""

    name: str
    protocol: str
    step: str
    kind: str
    security: str = "ssl"
    faults: Mapping[str, Action] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    #: Security chosen in the window, when it is not the server's.
    chosen: str = ""
    #: Words of the server that the window must show.
    reply: str = ""

    def __str__(self) -> str:
        return f"{self.protocol}-{self.name}"

    def server(self) -> FaultServer:
        """The server, not started yet."""
        return FaultServer(
            self.protocol, self.security, faults=self.faults, **self.options
        )


def _everywhere(name: str, step: str, kind: str, **values: Any) -> Sequence[Case]:
    return [
        Case(name, protocol, f"{_prefix(protocol)}_{step}", kind, **values)
        for protocol in PROTOCOLS
    ]


def _prefix(protocol: str) -> str:
    return "smtp" if protocol == "smtp" else "incoming"


def _refusal(name: str, kind: str, step: str, at: str, reply: str) -> Case:
    """A server that answers the command of a step with ``reply``."""
    protocol = {"5": "smtp", "4": "smtp", "{": "imap", "-": "pop3"}[reply[0]]
    words = reply.split("] ")[-1].split(" ", 2)[-1]
    return Case(name, protocol, step, kind, faults={at: Reply(reply)}, reply=words)


#: Each takes as long as a check may.
SLOW_CASES = [
    Case("hangs", "smtp", "smtp_port", "timeout", faults={"greeting": Hang()}),
    Case("drips", "imap", "incoming_port", "timeout", faults={"greeting": Drip(0.6)}),
    Case("hangs", "pop3", "incoming_login", "timeout", faults={"pass": Hang()}),
]

CASES = [
    *_everywhere("drops", "port", "connection_lost", faults={"greeting": Drop()}),
    *_everywhere("garbage", "port", "not_mail_server", faults={"greeting": Garbage()}),
    *_everywhere(
        "web-server",
        "port",
        "not_mail_server",
        faults={"greeting": Reply("HTTP/1.1 400 Bad Request")},
    ),
    *_everywhere(
        "untrusted", "port", "cert_untrusted", options={"certificate": "untrusted"}
    ),
    *_everywhere("expired", "port", "cert_expired", options={"certificate": "expired"}),
    *_everywhere(
        "other-name",
        "port",
        "cert_name_mismatch",
        security="starttls",
        options={"certificate": "wrong_name"},
    ),
    *_everywhere(
        "no-starttls", "port", "starttls_missing", security="none", chosen="starttls"
    ),
    *_everywhere("no-tls", "port", "tls_expected_plain", security="none", chosen="ssl"),
    *_everywhere("tls-only", "port", "plain_expected_tls", chosen="starttls"),
    *_everywhere(
        "wrong-password", "login", "login_refused", options={"password": "another"}
    ),
    Case(
        "no-auth",
        "smtp",
        "smtp_login",
        "auth_unavailable",
        options={"features": ("SIZE 1000", "8BITMIME")},
    ),
    Case(
        "no-uidl",
        "pop3",
        "incoming_listing",
        "uidl_missing",
        options={"features": ("USER", "TOP")},
        faults={"uidl": Reply("-ERR unknown command")},
    ),
    _refusal(
        "app-password",
        "app_password_required",
        "smtp_login",
        "auth",
        "534 5.7.9 Application-specific password required.",
    ),
    _refusal(
        "auth-disabled",
        "smtp_auth_disabled",
        "smtp_login",
        "auth",
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled"
        " for the Tenant.",
    ),
    _refusal(
        "oauth",
        "oauth_required",
        "smtp_login",
        "auth",
        "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
    ),
    _refusal(
        "busy",
        "login_busy",
        "smtp_login",
        "auth",
        "454 4.7.0 Too many login attempts, please try again later.",
    ),
    _refusal(
        "sender-at-mail",
        "sender_refused",
        "smtp_sender",
        "mail",
        "553 5.7.1 Sender address rejected: not owned by user",
    ),
    _refusal(
        "sender-at-rcpt",
        "sender_refused",
        "smtp_sender",
        "rcpt",
        "553 5.7.1 Sender address rejected: not owned by user",
    ),
    _refusal(
        "send-as-denied",
        "sender_refused",
        "smtp_sender",
        "rcpt",
        "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
    ),
    _refusal(
        "refused",
        "login_refused",
        "incoming_login",
        "login",
        "{tag} NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)",
    ),
    _refusal(
        "switched-off",
        "login_disabled",
        "incoming_login",
        "login",
        "{tag} NO [ALERT] Your account is not enabled for IMAP use.",
    ),
    _refusal(
        "web-login",
        "web_login_required",
        "incoming_login",
        "login",
        "{tag} NO [ALERT] Please log in via your web browser.",
    ),
    _refusal(
        "no-inbox",
        "listing_failed",
        "incoming_listing",
        "examine",
        "{tag} NO Mailbox does not exist here",
    ),
    _refusal(
        "refused",
        "login_refused",
        "incoming_login",
        "pass",
        "-ERR [AUTH] Username and password not accepted.",
    ),
    _refusal(
        "switched-off",
        "login_disabled",
        "incoming_login",
        "pass",
        "-ERR [SYS/PERM] Your account is not enabled for POP access.",
    ),
]
