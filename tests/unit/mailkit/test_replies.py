"""What providers say, and what it means."""

import pytest

from mailkit.connection.replies import (
    Stage,
    mailbox_error,
    smtp_error,
    speaks_of_sender,
    speaks_of_sign_in,
)
from mailkit.errors import ErrorCode

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
        C.SMTP_AUTH_DISABLED,
    ),
    (
        S.LOGIN,
        535,
        "5.7.139 Authentication unsuccessful, user is locked by your organization's "
        "security defaults policy. Contact your administrator.",
        C.SMTP_AUTH_DISABLED,
    ),
    (
        S.LOGIN,
        550,
        "5.7.30 Basic authentication is not supported for Client Submission.",
        C.OAUTH_REQUIRED,
    ),
    (
        S.MAIL,
        530,
        "5.7.57 Client not authenticated to send mail. [X.prod.outlook.com]",
        C.LOGIN_REQUIRED,
    ),
    (
        S.RCPT,
        550,
        "5.7.233 Your message can't be sent because your tenant exceeded its tenant "
        "external recipient rate limit.",
        C.QUOTA_EXCEEDED,
    ),
    (S.BODY, 550, "5.7.232 Your trial tenant sent enough", C.QUOTA_EXCEEDED),
    (S.LOGIN, 504, "5.7.4 Unrecognized authentication type", C.AUTH_UNAVAILABLE),
    (S.LOGIN, 535, "5.7.8 Mechanism not supported here", C.AUTH_UNAVAILABLE),
    (S.LOGIN, 535, "5.7.8 Invalid authentication mechanism", C.AUTH_UNAVAILABLE),
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

# What servers say of a sender that the sign-in may not use, at whatever stage.
SENDER = [
    # Exchange 2007 to 2019 and Exchange Online
    (550, "5.7.1 Client does not have permissions to send as this sender"),
    (550, "5.7.60 SMTP; Client does not have permissions to send as this sender [X.Y]"),
    (554, "5.2.252 SendAsDenied; a@b.test not allowed to send as c@b.test; STOREDRV."),
    (
        554,
        "5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSend"
        "AsDenied; Failed to process message due to a permanent exception",
    ),
    # Postfix with reject_sender_login_mismatch and the like; iRedMail
    (553, "5.7.1 <a@b.test>: Sender address rejected: not owned by user c@b.test"),
    (553, "5.7.1 <a@b.test>: Sender address rejected: not logged in"),
    (550, "5.1.0 <a@b.test>: Sender address rejected: User unknown in virtual mailbox"),
    (554, "5.7.1 <a@b.test>: Sender address rejected: Access denied"),
    (550, "5.1.8 <a@b.test>: Sender address rejected: Domain not found"),
    (
        554,
        "5.7.1 <x@y.test>: Recipient address rejected: Sender is not same as SMTP "
        "authenticate username",
    ),
    (554, "5.7.1 <x@y.test>: Recipient address rejected: Sender login mismatch"),
    # Exim
    (
        550,
        "Verification failed for <a@b.test>\nNo Such User Here\nSender verify failed",
    ),
    # Yandex, Mail.ru, Zoho, GMX and web.de, IONOS, iCloud, Yahoo, Fastmail
    (553, "5.7.1 Sender address rejected: not owned by auth user. a1b2c3 https://x"),
    (550, "not local sender over smtp"),
    (553, "5.7.1 Relaying disallowed as a@b.test"),
    (553, "Sender is not allowed to relay emails"),
    (
        550,
        "Requested action not taken: mailbox unavailable\n"
        "Sender address is not allowed",
    ),
    (550, "Sender address is not allowed."),
    (550, "5.7.0 From address is not one of your addresses"),
    (553, "From address not verified - see https://help.yahoo.com/kb/SLN26050.html"),
    (551, "5.7.1 Not authorised to send from this header address"),
    # QQ, NetEase, Sina
    (501, "mail from address must be same as authorization user"),
    (553, "Mail from must equal authorized user"),
    (550, "5.7.1 Mail from must equal authorized user"),
    (553, "Envolope sender mismatch with login user.."),
    # GoDaddy, Verizon, SMTP2GO, SendGrid, Postmark, Postal, SparkPost, Amazon
    (550, "5.1.0 Sender is not allowed to send from gmail.com (R2)"),
    (550, "5.7.1 Unauthorized sender address."),
    (550, "From header sender domain not verified.\nOn your Settings page verify it"),
    (550, "The from address does not match a verified Sender Identity. Mail cannot be"),
    (550, "The 'From' address you supplied (A <a@b.test>) is not a Sender Signature"),
    (530, "From/Sender name is not valid"),
    (550, "5.7.1 Unconfigured Sending Domain <b.test>"),
    (
        554,
        "Message rejected: Email address is not verified. The following identities "
        "failed the check in region EU-WEST-1: a@b.test",
    ),
    (550, "5.7.1 You are not authorized to use the sender address a@b.test"),
]
# What is said of a sender, too, but by or about one recipient, or about where the mail
# comes from: the meaning at RCPT TO, and behind the message.
NOT_SENDER = [
    # Exchange: mailboxes and groups that don't take mail from everybody
    (
        550,
        "5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required; "
        "Delivery restriction check failed because the sender was not authenticated "
        "when sending to this group",
        C.RECIPIENT_REFUSED,
        C.RECIPIENT_REFUSED,
    ),
    (
        550,
        "5.7.134 RESOLVER.RST.SenderNotAuthenticatedForMailbox; authentication "
        "required",
        C.RECIPIENT_REFUSED,
        C.RECIPIENT_REFUSED,
    ),
    (
        550,
        "5.7.124 RESOLVER.RST.NotAuthorizedToGroup; sender not in allowed-senders list",
        C.RECIPIENT_REFUSED,
        C.RECIPIENT_REFUSED,
    ),
    (
        550,
        "5.7.129 RESOLVER.RST.RestrictedToRecipientsPermission; not authorized to send "
        "to the recipient because the sender isn't on the recipient's list of senders",
        C.RECIPIENT_REFUSED,
        C.RECIPIENT_REFUSED,
    ),
    (
        550,
        "5.7.1 RESOLVER.RST.NotAuthorized; not authorized",
        C.RECIPIENT_REFUSED,
        C.RECIPIENT_REFUSED,
    ),
    (
        550,
        "5.7.1 recipient not allowed to receive from external senders",
        C.RECIPIENT_REFUSED,
        C.RECIPIENT_REFUSED,
    ),
    (
        550,
        "5.7.1 <x@y.test>: Sender address rejected by recipient",
        C.RECIPIENT_REFUSED,
        C.RECIPIENT_REFUSED,
    ),
    (
        550,
        "The sender address is not allowed to send to this group",
        C.RECIPIENT_REFUSED,
        C.RECIPIENT_REFUSED,
    ),
    (
        550,
        "5.7.1 Recipient does not accept mail from this sender address: denied",
        C.RECIPIENT_REFUSED,
        C.RECIPIENT_REFUSED,
    ),
    (550, "5.7.1 sender denied", C.RECIPIENT_REFUSED, C.CONTENT_REFUSED),
    (550, "Sender not allowed", C.RECIPIENT_REFUSED, C.REFUSED),
    (
        550,
        "5.7.1 You may not post to this list",
        C.RECIPIENT_REFUSED,
        C.CONTENT_REFUSED,
    ),
    (
        550,
        "5.1.1 <x@y.test>: Recipient address rejected: undeliverable address: host "
        "mx.y.test[192.0.2.1] said: 550 5.1.8 Sender address rejected: Domain not "
        "found",
        C.RECIPIENT_UNKNOWN,
        C.RECIPIENT_UNKNOWN,
    ),
    (
        554,
        "5.7.1 <x@y.test>: host mx said: 553 Sender address rejected: not owned by "
        "user",
        C.RECIPIENT_REFUSED,
        C.CONTENT_REFUSED,
    ),
    # SPF, DKIM, DMARC, reputation: Gmail, Microsoft, Mail.ru, Postfix' policy server
    (
        554,
        "5.7.1 message rejected: SPF check for sender domain failed",
        C.REFUSED,
        C.CONTENT_REFUSED,
    ),
    (
        550,
        "5.7.23 <x@y.test>: Recipient address rejected: Message rejected due to: SPF "
        "fail - not authorized. Please see http://www.openspf.net/Why",
        C.REFUSED,
        C.CONTENT_REFUSED,
    ),
    (550, "5.7.1 Sender ID (PRA) Not Permitted", C.REFUSED, C.CONTENT_REFUSED),
    (
        550,
        "5.7.26 This mail has been blocked because the sender is unauthenticated. "
        "Gmail requires all senders to authenticate with either SPF or DKIM.",
        C.REFUSED,
        C.CONTENT_REFUSED,
    ),
    (
        550,
        "5.7.1 Unauthenticated email from b.test is not accepted due to domain's DMARC "
        "policy.",
        C.REFUSED,
        C.CONTENT_REFUSED,
    ),
    (
        550,
        "5.7.509 Access denied, sending domain b.test does not pass DMARC verification",
        C.REFUSED,
        C.CONTENT_REFUSED,
    ),
    (550, "sender reputation", C.REFUSED, C.CONTENT_REFUSED),
    (
        550,
        "5.7.1 Message blocked: sender IP reputation is not good",
        C.REFUSED,
        C.CONTENT_REFUSED,
    ),
    (
        550,
        "5.7.1 The IP you're using to send mail is not authorized to send email "
        "directly to our servers.",
        C.RECIPIENT_REFUSED,
        C.CONTENT_REFUSED,
    ),
    (
        553,
        "5.7.1 Mail from 192.0.2.1 not allowed",
        C.RECIPIENT_REFUSED,
        C.CONTENT_REFUSED,
    ),
    (
        550,
        "5.7.1 You are not allowed to send from this IP",
        C.RECIPIENT_REFUSED,
        C.CONTENT_REFUSED,
    ),
    (550, "5.7.25 Sender has no PTR record", C.REFUSED, C.CONTENT_REFUSED),
    # Addresses are no words
    (
        550,
        "5.1.1 <5.7.60@y.test>: No such user",
        C.RECIPIENT_UNKNOWN,
        C.RECIPIENT_UNKNOWN,
    ),
    (
        550,
        "5.1.1 SendAsDenied;@y.test unknown",
        C.RECIPIENT_UNKNOWN,
        C.RECIPIENT_UNKNOWN,
    ),
    (
        550,
        "Host not.local.5.7.60.test is unknown",
        C.RECIPIENT_REFUSED,
        C.CONTENT_REFUSED,
    ),
    # What the recipient's own server said, or the recipient's address, in a refusal.
    (
        550,
        "Callout verification failed:\n550 5.7.60 SMTP; not allowed to send as this",
        C.RECIPIENT_REFUSED,
        C.REFUSED,
    ),
    (
        550,
        'Recipient verify failed: response to "RCPT TO:<x@y.test>" from mx.y.test was:'
        " 553 Sender address rejected: not owned by user",
        C.RECIPIENT_REFUSED,
        C.REFUSED,
    ),
    (
        550,
        "5.1.1 remote server replied: 550 5.7.1 you are not allowed to send as",
        C.RECIPIENT_UNKNOWN,
        C.RECIPIENT_UNKNOWN,
    ),
    (
        550,
        '5.1.1 "not allowed to send as you"@y.test: unknown',
        C.RECIPIENT_UNKNOWN,
        C.RECIPIENT_UNKNOWN,
    ),
    (
        550,
        "5.1.1 <" + "sender address rejected " * 4 + "@y.test> unknown",
        C.RECIPIENT_UNKNOWN,
        C.RECIPIENT_UNKNOWN,
    ),
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
    (S.LISTING, "User is authenticated but not connected.", C.LOGIN_DISABLED),
    (S.LOGIN, "Unsupported authentication mechanism", C.AUTH_UNAVAILABLE),
    (S.LOGIN, "Unrecognized authentication type", C.AUTH_UNAVAILABLE),
    (S.LOGIN, "AUTHENTICATE failed.", C.LOGIN_REFUSED),
    (S.LISTING, "Session invalidated - AccessTokenExpired", C.CONNECTION_LOST),
    (S.FETCH, "The access token expired", C.CONNECTION_LOST),
    (S.FOLDER, "Session has expired, please log in again", C.CONNECTION_LOST),
    (S.FETCH, "[AUTHENTICATIONFAILED] Authentication failed.", C.CONNECTION_LOST),
    (S.FETCH, "[EXPIRED] Sign in again", C.CONNECTION_LOST),
    (S.FETCH, "[AUTH] Not any more", C.CONNECTION_LOST),
    (S.APPEND, "Not authenticated", C.CONNECTION_LOST),
    (S.FOLDER, "You must first authenticate", C.CONNECTION_LOST),
    (S.LISTING, "You must log in via your web browser", C.WEB_LOGIN_REQUIRED),
    (S.FOLDER, "[NOPERM] Not authorized", C.LISTING_FAILED),
    (S.LOGIN, "[AUTHENTICATIONFAILED] Authentication failed.", C.LOGIN_REFUSED),
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


@pytest.mark.parametrize("stage", [S.MAIL, S.RCPT, S.DATA, S.BODY])
@pytest.mark.parametrize(("number", "text"), SENDER)
def test_sender_that_may_not_be_used(stage: Stage, number: int, text: str) -> None:
    assert smtp_error(stage, number, text.encode()).code is C.SENDER_REFUSED
    later = smtp_error(stage, 450, text.replace("5.", "4.", 1).encode())
    assert later.transient and later.code is not C.SENDER_REFUSED


@pytest.mark.parametrize(("number", "text", "at_rcpt", "at_end"), NOT_SENDER)
def test_what_one_recipient_thinks_of_a_sender(
    number: int, text: str, at_rcpt: ErrorCode, at_end: ErrorCode
) -> None:
    assert smtp_error(S.RCPT, number, text.encode()).code is at_rcpt
    assert smtp_error(S.BODY, number, text.encode()).code is at_end
    # Not for good, with another number: then nothing is refused yet.
    later = smtp_error(S.RCPT, 450, text.replace("5.", "4.", 1).encode())
    assert later.transient and later.code is not C.SENDER_REFUSED


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("550 5.7.1 Sender denied", True),
        ("550 MAIL FROM not permitted", True),
        ("550 5.7.1 <sender@b.test>: No", False),
        ("550 5.7.1 We don't like you", False),
        ("550 5.7.134 RESOLVER.RST.SenderNotAuthenticatedForMailbox; sender", False),
    ],
)
def test_refusal_that_speaks_of_the_sender(text: str, named: bool) -> None:
    number, _, rest = text.partition(" ")
    reply = smtp_error(S.RCPT, int(number), rest.encode()).reply
    assert reply is not None
    assert speaks_of_sender(reply) is named


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("530 5.7.57 Client not authenticated to send mail", True),
        ("535 5.7.3 Authentication unsuccessful", True),
        ("550 5.7.1 Client was not authenticated", True),
        ("454 4.7.0 The access token has expired", True),
        ("421 4.7.0 Session expired", True),
        ("503 5.5.1 Error: authenticate first", True),
        ("550 5.7.1 mx.c.test said: 530 5.7.0 Authentication required", False),
        ("550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup", False),
        ("550 5.7.26 Unauthenticated email from b.test is not accepted", False),
        ("550 5.1.1 No such user", False),
        ("554 5.7.1 Spam", False),
    ],
)
def test_refusal_that_speaks_of_the_sign_in(text: str, said: bool) -> None:
    number, _, rest = text.partition(" ")
    reply = smtp_error(S.RCPT, int(number), rest.encode()).reply
    assert reply is not None
    assert speaks_of_sign_in(reply) is said


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
