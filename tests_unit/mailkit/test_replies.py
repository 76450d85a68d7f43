"""What providers say, and what it means."""

import pytest

from mailkit.errors import ErrorCode
from mailkit.replies import Stage, mailbox_error, smtp_error

C = ErrorCode
S = Stage

# stage, code, text as on the wire (lines joined by \n, without the code), meaning
SMTP = [
    (
        S.LOGIN,
        534,
        "5.7.9 Application-specific password required. For more information, go to\n"
        "5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor x - gsmtp",
        C.APP_PASSWORD_REQUIRED,
    ),
    (
        S.LOGIN,
        535,
        "5.7.8 Username and Password not accepted. For more information, go to\n"
        "5.7.8  https://support.google.com/mail/?p=BadCredentials x - gsmtp",
        C.LOGIN_REFUSED,
    ),
    (
        S.LOGIN,
        534,
        "5.7.14 <https://accounts.google.com/signin/continue?x> Please log in via\n"
        "5.7.14 your web browser and then try again.",
        C.WEB_LOGIN_REQUIRED,
    ),
    (S.LOGIN, 454, "4.7.0 Too many login attempts, please try again", C.LOGIN_BUSY),
    (S.LOGIN, 421, "4.7.0 Too many connections from your IP", C.LOGIN_BUSY),
    (
        S.LOGIN,
        535,
        "5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled "
        "for the Tenant. Visit https://aka.ms/smtp_auth_disabled",
        C.LOGIN_DISABLED,
    ),
    (
        S.LOGIN,
        535,
        "5.7.139 Authentication unsuccessful, basic authentication is disabled. [X]",
        C.OAUTH_REQUIRED,
    ),
    (
        S.LOGIN,
        535,
        "5.7.139 Authentication unsuccessful, the user credentials were incorrect.",
        C.LOGIN_REFUSED,
    ),
    (
        S.LOGIN,
        535,
        "5.7.139 Authentication unsuccessful, the request did not meet the criteria "
        "to be authenticated successfully. Contact your administrator.",
        C.LOGIN_DISABLED,
    ),
    (
        S.LOGIN,
        535,
        "5.7.139 Authentication unsuccessful, your account is locked",
        C.ACCOUNT_LOCKED,
    ),
    (S.LOGIN, 535, "5.7.3 Authentication unsuccessful", C.LOGIN_REFUSED),
    (S.LOGIN, 535, "5.7.0 NEOBHODIM parol prilozheniya", C.APP_PASSWORD_REQUIRED),
    (
        S.LOGIN,
        535,
        "5.7.8 Error: authentication failed: This user does not have access rights "
        "to this service",
        C.LOGIN_DISABLED,
    ),
    (S.LOGIN, 535, "5.7.0 (#AUTH005) Too many bad auth attempts.", C.LOGIN_BUSY),
    (S.LOGIN, 535, "Authentication Failed", C.LOGIN_REFUSED),
    (S.LOGIN, 504, "5.5.4 Unrecognized authentication type", C.AUTH_UNAVAILABLE),
    (S.LOGIN, 538, "5.7.11 Encryption needed", C.TLS_REQUIRED),
    (S.LOGIN, 454, "4.7.0 Temporary authentication failure", C.TEMPORARY),
    (S.MAIL, 530, "5.7.0 Must issue a STARTTLS command first.", C.TLS_REQUIRED),
    (S.MAIL, 530, "5.7.0 Authentication Required.", C.LOGIN_REQUIRED),
    (
        S.MAIL,
        550,
        "5.7.60 SMTP; Client does not have permissions to send as this sender",
        C.SENDER_REFUSED,
    ),
    (
        S.BODY,
        554,
        "5.2.252 SendAsDenied; a@b.test not allowed to send as c@b.test;",
        C.SENDER_REFUSED,
    ),
    (S.MAIL, 553, "Relaying disallowed as a@b.test", C.SENDER_REFUSED),
    (
        S.RCPT,
        553,
        "5.7.1 <a@b.test>: Sender address rejected: not owned by user c@b.test",
        C.SENDER_REFUSED,
    ),
    (
        S.MAIL,
        501,
        "mail from address must be same as authorization user",
        C.SENDER_REFUSED,
    ),
    (S.RCPT, 554, "5.7.1 <a@b.test>: Relay access denied", C.RELAY_DENIED),
    (S.BODY, 550, "5.4.5 Daily user sending limit exceeded.", C.QUOTA_EXCEEDED),
    (S.MAIL, 452, "4.5.3 Your message has too many recipients", C.QUOTA_EXCEEDED),
    (
        S.BODY,
        554,
        "5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException",
        C.QUOTA_EXCEEDED,
    ),
    (S.BODY, 550, "5.1.8 Access denied, bad outbound sender AS(1)", C.ACCOUNT_LOCKED),
    (S.MAIL, 552, "5.3.4 Message size exceeds fixed limit", C.MESSAGE_TOO_LARGE),
    (
        S.BODY,
        552,
        "5.3.4 Your message exceeded Google's message size limits.",
        C.MESSAGE_TOO_LARGE,
    ),
    (S.BODY, 552, "", C.MESSAGE_TOO_LARGE),
    (S.RCPT, 552, "5.2.2 The recipient's mailbox is over quota", C.MAILBOX_FULL),
    (S.RCPT, 552, "", C.MAILBOX_FULL),
    (S.RCPT, 452, "4.2.2 Mailbox full", C.MAILBOX_FULL),
    (S.RCPT, 550, "Message rejected: mailbox quota exceeded", C.MAILBOX_FULL),
    (
        S.RCPT,
        550,
        "5.1.1 <x@y.test>: Recipient address rejected: User unknown in virtual "
        "mailbox table",
        C.RECIPIENT_UNKNOWN,
    ),
    (
        S.RCPT,
        550,
        "5.1.1 The email account that you tried to reach does not exist.",
        C.RECIPIENT_UNKNOWN,
    ),
    (
        S.RCPT,
        550,
        "Action not taken: mailbox unavailable",
        C.RECIPIENT_UNKNOWN,
    ),
    (S.RCPT, 450, "4.2.0 Mailbox unavailable, try again later", C.TEMPORARY),
    (S.RCPT, 450, "4.7.1 Greylisted, please try again in 300 seconds", C.TEMPORARY),
    (S.RCPT, 550, "5.2.1 This user is suspended", C.RECIPIENT_REFUSED),
    (S.RCPT, 550, "5.7.1 We don't like you", C.RECIPIENT_REFUSED),
    (S.RCPT, 554, "5.7.1 Service unavailable; Client host blocked", C.REFUSED),
    (S.BODY, 550, "5.7.1 This message looks like spam", C.CONTENT_REFUSED),
    (S.BODY, 554, "5.6.0 Virus found", C.CONTENT_REFUSED),
    (S.BODY, 554, "Transaction failed", C.REFUSED),
    (S.BODY, 451, "4.7.1 Content policy, try later", C.TEMPORARY),
    (S.MAIL, 553, "5.6.7 Non-ASCII address needs SMTPUTF8", C.SMTPUTF8_MISSING),
    (S.DATA, 451, "4.3.0 Queue file write error", C.TEMPORARY),
    (S.MAIL, 503, "5.5.1 Bad sequence", C.PROTOCOL_ERROR),
    (S.MAIL, 250, "", C.PROTOCOL_ERROR),
    (S.GREETING, 554, "No SMTP service here", C.REFUSED),
]

MAILBOX = [
    (S.LOGIN, "[AUTHENTICATIONFAILED] Invalid credentials (Failure)", C.LOGIN_REFUSED),
    (
        S.LOGIN,
        "[ALERT] Application-specific password required: https://support.google.com/x",
        C.APP_PASSWORD_REQUIRED,
    ),
    (S.LOGIN, "[WEBALERT https://x.test] Web login required.", C.WEB_LOGIN_REQUIRED),
    (
        S.LOGIN,
        "[ALERT] Your account is not enabled for IMAP use. Please visit your settings",
        C.LOGIN_DISABLED,
    ),
    (S.LOGIN, "User is authenticated but not connected.", C.LOGIN_DISABLED),
    (S.LOGIN, "POP access is not enabled for this mailbox", C.LOGIN_DISABLED),
    (S.LOGIN, "You are yet to enable IMAP for your account.", C.LOGIN_DISABLED),
    (S.LOGIN, "LOGIN failed.", C.LOGIN_REFUSED),
    (S.LOGIN, "[UNAVAILABLE] Temporary authentication failure", C.TEMPORARY),
    (S.LOGIN, "[INUSE] Mailbox in use", C.LOGIN_BUSY),
    (S.LOGIN, "[LIMIT] Too many simultaneous connections", C.LOGIN_BUSY),
    (S.LOGIN, "[PRIVACYREQUIRED] Not without TLS", C.TLS_REQUIRED),
    (S.LOGIN, "Plaintext authentication disallowed on non-secure", C.TLS_REQUIRED),
    (S.LOGIN, "[CONTACTADMIN] Call us", C.ACCOUNT_LOCKED),
    (S.LOGIN, "[AUTH] Invalid login", C.LOGIN_REFUSED),
    (S.LOGIN, "[SYS/TEMP] Try later", C.TEMPORARY),
    (S.LOGIN, "[LOGIN-DELAY] Minimum time between sessions", C.LOGIN_BUSY),
    (S.LOGIN, "[IN-USE] Do you have another POP session running?", C.LOGIN_BUSY),
    (S.LISTING, "[NONEXISTENT] Unknown mailbox", C.LISTING_FAILED),
    (S.LISTING, "[SERVERBUG] Internal error", C.TEMPORARY),
]


@pytest.mark.parametrize(("stage", "number", "text", "meaning"), SMTP)
def test_smtp(stage: Stage, number: int, text: str, meaning: ErrorCode) -> None:
    assert smtp_error(stage, number, text.encode()).code is meaning


@pytest.mark.parametrize(("stage", "text", "meaning"), MAILBOX)
def test_mailbox(stage: Stage, text: str, meaning: ErrorCode) -> None:
    assert mailbox_error(stage, text.encode()).code is meaning


def test_reply_of_several_lines_is_one_readable_line() -> None:
    text = b"5.7.8 Bad \x1b[31mpassword\r\n5.7.8  see https://x.test\x00"
    reply = smtp_error(Stage.LOGIN, 535, text).reply
    assert reply is not None
    assert (reply.code, reply.enhanced) == (535, "5.7.8")
    assert reply.text == "Bad [31mpassword see https://x.test"
    assert str(reply) == "535 5.7.8 Bad [31mpassword see https://x.test"


def test_imap_response_code_is_told_apart() -> None:
    reply = mailbox_error(Stage.LOGIN, b"[AUTHENTICATIONFAILED] No \xff way").reply
    assert reply is not None
    assert reply.enhanced == "AUTHENTICATIONFAILED"
    assert str(reply) == "[AUTHENTICATIONFAILED] No \N{REPLACEMENT CHARACTER} way"


def test_long_reply_is_cut_after_its_secrets_are_hidden() -> None:
    text = b"x" * 495 + b"hunter2-and-more"
    reply = smtp_error(Stage.LOGIN, 535, text, ["hunter2-and-more"]).reply
    assert reply is not None
    assert len(reply.text) <= 500
    assert "hunt" not in reply.text


@pytest.mark.parametrize(
    ("number", "text", "transient"),
    [
        (450, "4.7.1 <a@b.test>: Sender address rejected: Domain not found", True),
        (550, "5.4.5 Daily user sending limit exceeded", True),
        (550, "5.1.1 No such user", False),
        (452, "4.2.2 Mailbox full", True),
        (552, "5.2.2 Mailbox full", False),
    ],
)
def test_what_is_worth_another_try(number: int, text: str, transient: bool) -> None:
    assert smtp_error(Stage.RCPT, number, text.encode()).transient is transient
