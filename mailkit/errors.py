"""The one family of errors, and the server's own words that go with them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ErrorCode(str, Enum):
    """Why something failed. The value is stable: it is stored and translated."""

    # What was typed
    SETTINGS_INVALID = "settings_invalid"
    ADDRESS_INVALID = "address_invalid"
    CA_INVALID = "ca_invalid"
    # Getting there
    HOST_NOT_FOUND = "host_not_found"
    # No public server of this name: an internal one or none at all, see `network`.
    HOST_PRIVATE = "host_private"
    PORT_REFUSED = "port_refused"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    CONNECTION_LOST = "connection_lost"
    NOT_MAIL_SERVER = "not_mail_server"
    PROTOCOL_ERROR = "protocol_error"
    # Encryption
    TLS_EXPECTED_PLAIN = "tls_expected_plain"  # TLS was chosen, the port speaks none
    PLAIN_EXPECTED_TLS = "plain_expected_tls"  # the port speaks TLS from the start
    TLS_REQUIRED = "tls_required"  # the server wants encryption before this
    TLS_FAILED = "tls_failed"
    STARTTLS_MISSING = "starttls_missing"
    CERT_UNTRUSTED = "cert_untrusted"
    CERT_EXPIRED = "cert_expired"
    CERT_NAME_MISMATCH = "cert_name_mismatch"
    # Signing in
    LOGIN_REFUSED = "login_refused"
    LOGIN_REQUIRED = "login_required"  # the server wants a sign-in before this
    APP_PASSWORD_REQUIRED = "app_password_required"  # noqa: S105
    OAUTH_REQUIRED = "oauth_required"  # passwords are switched off by the provider
    WEB_LOGIN_REQUIRED = "web_login_required"  # confirm on the provider's web page
    LOGIN_DISABLED = "login_disabled"  # protocol switched off for this mailbox
    AUTH_UNAVAILABLE = "auth_unavailable"  # no way to sign in that we know
    LOGIN_BUSY = "login_busy"  # too many sessions or attempts
    ACCOUNT_LOCKED = "account_locked"
    # The mail server does not take the access token that should be good.
    TOKEN_REFUSED = "token_refused"  # noqa: S105
    # SMTP is switched off for the mailbox or the whole firm (Exchange Online).
    SMTP_AUTH_DISABLED = "smtp_auth_disabled"
    # Getting and renewing access tokens (RFC 6749), see `oauth`
    OAUTH_ENDED = "oauth_ended"  # expired or withdrawn: sign in again
    OAUTH_DENIED = "oauth_denied"  # the user, or a policy, said no
    OAUTH_CONSENT = "oauth_consent"  # a permission is missing, or an admin's consent
    OAUTH_POLICY = (
        "oauth_policy"  # the firm's rules want more: a device, a second factor
    )
    OAUTH_CLIENT = "oauth_client"  # not known, or its secret is wrong
    OAUTH_SECRET_EXPIRED = "oauth_secret_expired"  # noqa: S105
    OAUTH_TENANT = "oauth_tenant"  # no such tenant, or the user is of another one
    OAUTH_REDIRECT = "oauth_redirect"  # another redirect address than was registered
    OAUTH_STATE = "oauth_state"  # the answer belongs to no sign-in of this user
    OAUTH_BUSY = "oauth_busy"  # the service wants to be asked later
    OAUTH_FAILED = "oauth_failed"  # it answers nothing that can be understood
    OAUTH_LIBRARY = "oauth_library"  # the package that speaks it is not installed
    # Sending
    SENDER_REFUSED = "sender_refused"
    RELAY_DENIED = "relay_denied"  # no mail to foreign domains from here
    RECIPIENT_UNKNOWN = "recipient_unknown"
    RECIPIENT_REFUSED = "recipient_refused"
    MAILBOX_FULL = "mailbox_full"
    QUOTA_EXCEEDED = "quota_exceeded"  # sending limit
    MESSAGE_TOO_LARGE = "message_too_large"
    CONTENT_REFUSED = "content_refused"
    SMTPUTF8_MISSING = "smtputf8_missing"
    TEMPORARY = "temporary"
    REFUSED = "refused"
    # Reading
    LISTING_FAILED = "listing_failed"
    UIDL_MISSING = "uidl_missing"
    TOP_MISSING = "top_missing"
    FOLDER_MISSING = "folder_missing"
    FETCH_FAILED = "fetch_failed"
    MESSAGE_GONE = "message_gone"  # moved or deleted since it was seen
    MESSAGE_OVERSIZED = "message_oversized"  # larger than the caller allows
    APPEND_REFUSED = "append_refused"
    # Mail that was sent in order to be found
    NOT_ARRIVED = "not_arrived"
    SENDER_REPLACED = "sender_replaced"  # another address in From than was sent
    NO_OWN_SERVER = "no_own_server"  # the program's own mail server took none
    NOT_SEEN = "not_seen"  # accepted, but not in the mailbox in time
    CANCELLED = "cancelled"  # nobody waits for it any more


# Worth another try later, whatever the reply's own number says.
TRANSIENT = frozenset(
    {
        ErrorCode.HOST_NOT_FOUND,
        ErrorCode.HOST_PRIVATE,
        ErrorCode.PORT_REFUSED,
        ErrorCode.UNREACHABLE,
        ErrorCode.TIMEOUT,
        ErrorCode.CONNECTION_LOST,
        ErrorCode.LOGIN_BUSY,
        ErrorCode.QUOTA_EXCEEDED,
        ErrorCode.TEMPORARY,
        # The administrator mends these, not the owner of an account.
        ErrorCode.OAUTH_CLIENT,
        ErrorCode.OAUTH_SECRET_EXPIRED,
        ErrorCode.OAUTH_LIBRARY,
        ErrorCode.OAUTH_BUSY,
        ErrorCode.OAUTH_FAILED,
    }
)

# After these nothing more can be said on the same connection.
FATAL = frozenset(
    {
        ErrorCode.TIMEOUT,
        ErrorCode.CONNECTION_LOST,
        ErrorCode.NOT_MAIL_SERVER,
        ErrorCode.PROTOCOL_ERROR,
        ErrorCode.TLS_FAILED,
        ErrorCode.TLS_EXPECTED_PLAIN,
        ErrorCode.PLAIN_EXPECTED_TLS,
        ErrorCode.STARTTLS_MISSING,
        ErrorCode.CERT_UNTRUSTED,
        ErrorCode.CERT_EXPIRED,
        ErrorCode.CERT_NAME_MISMATCH,
    }
)

_FIELDS = {
    ErrorCode.ADDRESS_INVALID: "email",
    ErrorCode.CA_INVALID: "ca_pem",
    ErrorCode.HOST_NOT_FOUND: "host",
    ErrorCode.HOST_PRIVATE: "host",
    ErrorCode.PORT_REFUSED: "port",
    ErrorCode.UNREACHABLE: "host",
    ErrorCode.TIMEOUT: "port",
    ErrorCode.NOT_MAIL_SERVER: "port",
    ErrorCode.TLS_EXPECTED_PLAIN: "security",
    ErrorCode.PLAIN_EXPECTED_TLS: "security",
    ErrorCode.TLS_REQUIRED: "security",
    ErrorCode.TLS_FAILED: "security",
    ErrorCode.STARTTLS_MISSING: "security",
    ErrorCode.CERT_UNTRUSTED: "ca_pem",
    ErrorCode.CERT_NAME_MISMATCH: "host",
    ErrorCode.LOGIN_REFUSED: "password",
    ErrorCode.LOGIN_REQUIRED: "login",
    ErrorCode.APP_PASSWORD_REQUIRED: "password",
    ErrorCode.OAUTH_REQUIRED: "password",
    ErrorCode.WEB_LOGIN_REQUIRED: "login",
    ErrorCode.LOGIN_DISABLED: "login",
    ErrorCode.AUTH_UNAVAILABLE: "security",
    ErrorCode.ACCOUNT_LOCKED: "login",
    ErrorCode.TOKEN_REFUSED: "login",
    ErrorCode.SMTP_AUTH_DISABLED: "login",
    ErrorCode.OAUTH_CLIENT: "application_id",
    ErrorCode.OAUTH_SECRET_EXPIRED: "application_id",
    ErrorCode.OAUTH_TENANT: "application_id",
    ErrorCode.OAUTH_REDIRECT: "application_id",
    ErrorCode.OAUTH_FAILED: "application_id",
    ErrorCode.SENDER_REFUSED: "email",
    ErrorCode.RELAY_DENIED: "login",
    ErrorCode.RECIPIENT_UNKNOWN: "recipient",
    ErrorCode.RECIPIENT_REFUSED: "recipient",
    ErrorCode.MAILBOX_FULL: "recipient",
    ErrorCode.NOT_ARRIVED: "email",
    ErrorCode.SENDER_REPLACED: "email",
    ErrorCode.NOT_SEEN: "email",
}


@dataclass(frozen=True)
class ServerReply:
    """What the server said, fit to be shown.

    `code`: SMTP reply code, None for IMAP and POP3. `enhanced`: RFC 3463 status as
    "5.7.1", or the IMAP/POP3 response code as "AUTHENTICATIONFAILED", or "". `text`:
    the rest, one line of at most 500 characters, without control characters and
    secrets.
    """

    code: int | None
    enhanced: str
    text: str

    def __str__(self) -> str:
        enhanced = self.enhanced
        if enhanced and not enhanced[0].isdigit():
            enhanced = f"[{enhanced}]"
        parts = ("" if self.code is None else str(self.code), enhanced, self.text)
        return " ".join(part for part in parts if part)


class MailError(Exception):
    """Something about a mailbox, a server or a message went wrong.

    `field`: which setting to look at ("host", "port", "security", "login",
    "password", "email", "recipient", "ca_pem", ...) or None. `transient`: the same
    may work later. `in_doubt`: the message was handed over completely and only
    the answer is missing, so it may have been accepted (RFC 1047). `retry_after`:
    seconds that the service wants to be left alone, where it said so.
    """

    def __init__(
        self,
        code: ErrorCode,
        *,
        field: str | None = None,
        reply: ServerReply | None = None,
        transient: bool | None = None,
        in_doubt: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(code, field)
        self.code = code
        self.field = field or _FIELDS.get(code)
        self.reply = reply
        self.in_doubt = in_doubt
        self.retry_after = retry_after
        if transient is None:
            four_hundred = reply is not None and (reply.code or 0) // 100 == 4
            transient = code in TRANSIENT or four_hundred
        self.transient = transient

    def __str__(self) -> str:
        return f"{self.code.value}: {self.reply}" if self.reply else self.code.value
