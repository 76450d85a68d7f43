"""What a server said: fit to be shown, without secrets, and what it means.

The numbers alone don't tell: 535 may be a wrong password, a missing app password
or a protocol that is switched off. So the providers' own phrases come first, in
order, then the numbers and response codes of RFC 5321, 3463, 5530, 2449 and 3206.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple
from urllib.parse import quote, quote_plus

from ..errors import ErrorCode, MailError, ServerReply

_MAX_TEXT = 500
_MOST_READ = 16 * 1024  # octets of an answer that are shown, before it is cut
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?=\s|$|:)[ \t]*")
_BRACKETED = re.compile(
    r"\[([A-Z][A-Z0-9./-]{0,60})(?![A-Z0-9./-])[^\]]{0,200}\]\s{0,9}"
)
# In brackets, quoted, or bare: a quoted local part may hold whole sentences.
_ADDRESS = re.compile(
    r"<[^<>]{0,320}@[^<>]{0,320}>"
    r'|"[^"]{0,320}"@[^\s<>:]{0,255}'
    r"|[^\s<>]{1,64}@[^\s<>:]{0,255}"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")

# What stands in the place of a secret.
MARK = "***"
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{4,}={0,2}")
# Of a secret so long, any piece of so many octets is hidden as well: a server may echo
# some of an access token.
_LONG_SECRET = 32
_PIECE = 12
_WORD = re.compile(r"\S{12,}")
_URL_SAFE = str.maketrans("-_", "+/")


class Stage(str, Enum):
    """What the server was asked when it said no."""

    GREETING = "greeting"
    HELLO = "hello"  # EHLO, CAPABILITY, CAPA
    LOGIN = "login"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"  # after the whole message
    LISTING = "listing"
    FOLDER = "folder"  # STATUS, EXAMINE
    FETCH = "fetch"  # FETCH, SEARCH, TOP
    APPEND = "append"


_ANY = frozenset(Stage)
_LOGIN = frozenset({Stage.GREETING, Stage.LOGIN, Stage.LISTING, Stage.FOLDER})
# Before a recipient is named: later the same words may be about the recipient.
_OWN = _LOGIN | {Stage.HELLO, Stage.MAIL}
_ENVELOPE = frozenset({Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.BODY})
_TO = frozenset({Stage.RCPT, Stage.DATA, Stage.BODY})
_CONTENT = frozenset({Stage.DATA, Stage.BODY})


class _Rule(NamedTuple):
    """Matches when the stage fits and `pattern` is found in "code enhanced text".

    And when nothing of `unless` is found there.
    """

    code: ErrorCode
    stages: frozenset[Stage]
    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None = None

    def matches(self, stage: Stage, text: str) -> bool:
        """Whether it says what `text` means."""
        if stage not in self.stages or not self.pattern.search(text):
            return False
        return self.unless is None or not self.unless.search(text)


def _pattern(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


def _rule(
    code: ErrorCode,
    stages: frozenset[Stage],
    *patterns: str,
    unless: re.Pattern[str] | None = None,
) -> _Rule:
    return _Rule(code, stages, _pattern(*patterns), unless)


# Whom one recipient takes mail from. Exchange: groups and mailboxes that are closed.
_RECIPIENTS_POLICY = (
    r"\b5\.7\.1(2[49]|3[34])\b",
    r"resolver\.rst\.",
    r"(external|internal|outside) senders?",
    r"(allowed|approved|safe|permitted)[- ]senders?",
    r"\brecipients? (does|do|is|are|has|have|not|only|refuses?|will|can)\b",
    r"\b(by|to|for|with|of) (the |this |its |their |your |these )?"
    r"(recipients?|groups?|mailing list|distribution list)\b",
)
# Whether anybody may believe that it comes from there: SPF, DKIM, DMARC, reputation.
_AUTHENTICITY = (
    r"\b5\.7\.(2\d|509|515)\b",
    r"\bspf\b|openspf|\bdkim\b|\bdmarc\b|\bsender ?id\b",
    r"\bunauthenticated\b|reputation",
    r"\bptr\b|reverse (dns|lookup)",
)
# What a mail server of others said to this one comes behind these words: of Postfix,
# Exim ("Callout verification failed:", "response to ... was:") and others. So does a
# second reply code.
_QUOTED = (
    r"\bsaid: ",
    r"\bcallout\b",
    r"\bresponse (to|from)\b",
    r"\bremote (mail )?(server|host)\b",
    r"\A.{3,}[\s:\"']5\d\d[ -]5\.\d{1,3}\.\d",
)
_NOT_SENDER = _pattern(*_RECIPIENTS_POLICY, *_AUTHENTICITY, *_QUOTED)

# A session that was signed in, and is not any more.
_ENDED = (
    r"access ?token ?expired",
    r"\btoken (is |has |was )?(been )?(expired|invalid(ated)?|revoked)\b",
    r"\btoken (is )?no longer (valid|good|accepted)",
    r"\bsession (is |has |was )?(been )?(invalidated|expired|timed out)",
    r"\b(authentication|sign-?in|log-?in) (is |has |was )?(been )?expired",
    r"\b(log ?in|sign ?in|authenticate) (first|again)\b",
    r"\bmust (first )?(log ?in|sign in|authenticate)\b(?! (via|with|using|through)\b)",
)
_SIGN_IN = _pattern(
    *_ENDED,
    r"\A53[05]\b",  # RFC 4954 section 6
    r"\bclient (is |was )?not authenticated\b",
    r"\bauthentication (is )?(required|unsuccessful|credentials invalid)",
    r"\bauth(enticate)? first\b",
)

_RULES = (
    # Microsoft 535 5.7.139: SMTP per mailbox or tenant, whatever one signs in with.
    _rule(
        ErrorCode.SMTP_AUTH_DISABLED,
        _LOGIN,
        r"smtp ?client ?auth(entication)?\b.{0,20}\bdisabled",
        r"smtp_auth_disabled",
        r"\bsmtp auth(entication)? (is |has been )?(disabled|blocked|not enabled)",
        r"\bsecurity defaults\b",
    ),
    # Exchange ends sessions whose token expires; with a fresh one all is well.
    _rule(
        ErrorCode.CONNECTION_LOST,
        frozenset({Stage.LISTING, Stage.FOLDER, Stage.FETCH, Stage.APPEND}),
        *_ENDED,
        r"\[(authenticationfailed|expired|auth)\]",
        r"\A(user )?(is )?not (authenticated|logged in)\b",
    ),
    # Signing in. Gmail 534-5.7.9, Fastmail, QQ, Mail.ru's transliterated Russian.
    _rule(
        ErrorCode.APP_PASSWORD_REQUIRED,
        _LOGIN,
        r"\b5\.7\.9\b.{0,400}password",
        r"application[- ]specific password",
        r"\bapp(lication)?[- ]?(specific )?password",
        r"invalidsecondfactor",
        r"authorization code",
        r"parol prilozheniya",
    ),
    # Microsoft 535 5.7.139, 550 5.7.30.
    _rule(
        ErrorCode.OAUTH_REQUIRED,
        _LOGIN,
        r"\b5\.7\.30\b",
        r"basic ?auth(entication)? (is |has been )?(disabled|blocked|not)",
        r"basicauthblocked",
        r"(use|requires?) (modern auth|oauth)",
    ),
    _rule(
        ErrorCode.WEB_LOGIN_REQUIRED,
        _LOGIN,
        r"web login required",
        r"\[webalert",
        r"log ?in (via|with|using|through) (your|a) web browser",
        r"\b5\.7\.14\b",
    ),
    _rule(
        ErrorCode.ACCOUNT_LOCKED,
        _OWN,
        r"(account|mailbox|user)\b.{0,30}\b(locked|suspended|blocked|deactivated)",
        r"(account|user) (is |has been )?disabled",
        r"\[contactadmin\]",
    ),
    # Microsoft 550 5.1.8: blocked for sending spam.
    _rule(ErrorCode.ACCOUNT_LOCKED, _ANY, r"bad outbound sender"),
    # Gmail and others: POP, IMAP; Microsoft: no licence, or no rights in a mailbox that
    # somebody else's sign-in opens; Yandex.
    _rule(
        ErrorCode.LOGIN_DISABLED,
        _LOGIN,
        r"(imap|pop3?|smtp)( service| access| protocol)?"
        r" (is |has been |was )?"
        r"(not (enabled|allowed|activated|available)|disabled|off)",
        r"not (been )?(enabled|activated|allowed) (for|to use) (imap|pop|smtp)",
        r"(yet to|please|must) (enable|activate) (imap|pop|smtp)",
        r"user is authenticated but not connected",
        r"not have access rights to this service",
        r"did not meet the criteria to be authenticated",
        r"user has no permission",
    ),
    # Said of the way to sign in, with whatever number.
    _rule(
        ErrorCode.AUTH_UNAVAILABLE,
        frozenset({Stage.LOGIN}),
        r"\b(mechanism|authentication (type|method|scheme))\b.{0,20}"
        r"\b(not (supported|available|enabled|allowed|implemented)"
        r"|unsupported|unrecogni[sz]ed|unknown|unavailable|invalid)",
        r"\b(unsupported|unrecogni[sz]ed|unknown|unavailable|invalid|no such) "
        r"(sasl |auth(entication)? )?(mechanism|(authentication )?(type|method))",
    ),
    # RFC 5530, and what servers said before it; Dovecot, Cyrus, Exchange, Gmail.
    _rule(
        ErrorCode.FOLDER_MISSING,
        frozenset({Stage.FOLDER, Stage.APPEND}),
        r"\[(nonexistent|trycreate)\]",
        r"(mailbox|folder)\b.{0,80}\b(does ?n[o']t exist|does not exist|not found)",
        r"(no such|unknown) (mailbox|folder)",
    ),
    _rule(
        ErrorCode.TLS_REQUIRED,
        _OWN,
        r"must issue a starttls",
        r"(starttls|tls|ssl|encryption|secure connection)\b.{0,30}\brequired",
        r"\[privacyrequired\]",
        r"(plain ?text|cleartext)\b.{0,30}\b(disallowed|not allowed|disabled)",
        r"^538 ",
    ),
    _rule(
        ErrorCode.LOGIN_BUSY,
        _OWN | {Stage.FETCH},
        r"too many\b.{0,30}\b"
        r"(connections?|sessions?|log-?ins?|auth|attempts?|failures)",
        r"(maximum|concurrent) (number of )?connections?\b.{0,30}\b(exceeded|reached)",
        r"(connections?|log-?in|auth\w{0,20})\b.{0,20}\b(rate|limit)",
        r"\[(in-?use|limit|login-delay)\]",
        r"mailbox\b.{0,20}\b(is )?(locked|in use) by",
        r"unable to lock (the )?(mailbox|maildrop)",
    ),
    _rule(
        ErrorCode.MESSAGE_TOO_LARGE,
        _ENVELOPE,
        r"\b5\.(3\.4|2\.3)\b",
        r"(message|mail|attachment)s?\b.{0,20}\btoo (large|big)",
        r"exceed\w{0,5}\b.{0,40}\b(message )?size",
        r"size\b.{0,30}\b(limit|exceed\w{0,5}|maximum)",
    ),
    _rule(
        ErrorCode.MAILBOX_FULL,
        _TO,
        r"\b[45]\.2\.2\b",
        r"mailbox\b.{0,20}\b(full|quota)",
        r"over\b.{0,10}\bquota",
        r"exceeded\b.{0,20}\bstorage",
    ),
    _rule(
        ErrorCode.QUOTA_EXCEEDED,
        _ENVELOPE,
        r"\b5\.4\.5\b",
        r"\A550 5\.7\.23[23]\b",  # Exchange, of the whole tenant
        r"submissionquotaexceeded",
        r"too many (messages|recipients|mails|emails)",
        r"(sending|daily|hourly|outgoing|rate)\b.{0,25}\b(limit|quota)",
        r"(limit|quota)\b.{0,25}\b(recipients|messages|per (day|hour|minute))",
        r"\b[45]\.5\.3\b",
    ),
    _rule(
        ErrorCode.REFUSED,
        _ENVELOPE,
        r"spamhaus|block ?list|black ?list|blocked using|client host",
    ),
    # That this sign-in may not use this address, whoever the recipient is: it stops the
    # address, so nothing that one recipient's server may say of "the sender" belongs
    # here. At MAIL nobody has been named yet: see `_DEFAULTS`.
    # Zoho says "relaying disallowed as", so this goes before relaying.
    _rule(
        ErrorCode.SENDER_REFUSED,
        _ENVELOPE,
        # Exchange; RFC 3463: a sender's address that is none
        r"\A5\d\d 5\.(7\.60|2\.252|1\.[78])\b",
        r"\bsendasdenied(;|exception)",
        # Exchange, Fastmail, GoDaddy
        r"(not|n't) (allowed|permitted|authori[sz]ed|have permissions?) to send "
        r"((mail|e-?mail|messages) )?(as|on behalf|from)\b"
        r"(?! (this |your )?(ip|host|network)\b)",
        r"(not|n't) (allowed|permitted|authori[sz]ed) to use\b.{0,30}"
        r"\b(sender|from|address)\b",
        # Zoho
        r"relaying disallowed as",
        r"\bsender (is )?not allowed to relay",
        # Postfix, iRedMail; Yandex; Sina
        r"\bnot owned by (auth|user)",
        r"\bsender is not (the )?same as",
        r"\bsender\b.{0,20}\bmismatch",
        # Exim
        r"\bsender verif\w{1,12} failed",
        # Postfix, GMX, IONOS, Verizon
        r"\bsender (e-?mail )?address\b.{0,15}"
        r"\b(rejected|denied|refused|not|invalid|unverified|must)\b",
        r"\b(invalid|unverified) sender\b",
        r"\bunauthori[sz]ed sender address",
        r"\bsender is unvalidated",
        # QQ, NetEase
        r"\bmail from\b.{0,40}\b(must|should)\b.{0,20}\b(same|equal|match)",
        # Yahoo, iCloud, SendGrid, Postmark
        r"\bfrom\W{1,3}(header |e-?mail )?address\b.{0,60}"
        r"\b(not|n't|must|mismatch|unverified)\b",
        # SMTP2GO, Postal, and relays that compare both addresses
        r"\bfrom header\b.{0,40}\bnot (verified|allowed|authori[sz]ed)",
        r"\b(header|envelope)[- ](from|sender)\b.{0,60}"
        r"\b(not|n't) (match|verified|allowed|authori[sz]ed|permitted)",
        r"\bfrom/sender name is not valid",
        # Amazon, SparkPost, Mail.ru
        r"\baddress is not verified",
        r"unconfigured sending domain",
        r"\bnot local sender",
        unless=_NOT_SENDER,
    ),
    _rule(
        ErrorCode.RELAY_DENIED,
        frozenset({Stage.MAIL, Stage.RCPT}),
        r"rela(y|ying)\b.{0,20}\b(denied|prohibited|disallowed|not)",
        r"(not|n't|unable|cannot)\b.{0,20}\b(to )?relay",
        r"\b5\.7\.54\b",
    ),
    _rule(
        ErrorCode.SMTPUTF8_MISSING, _ENVELOPE, r"\b5\.6\.7\b", r"smtputf8", r"\beai\b"
    ),
    _rule(
        ErrorCode.RECIPIENT_UNKNOWN,
        _TO,
        r"\b5\.1\.(1|2|3|6|10)\b",
        r"(user|mailbox|recipient|address|account)\b.{0,40}\b"
        r"(unknown|not found|not exist|doesn't exist|unavailable)",
        r"(unknown|invalid|no such) (local )?(user|recipient|address|mailbox)",
    ),
    _rule(ErrorCode.RECIPIENT_REFUSED, _TO, *_RECIPIENTS_POLICY),
    # Behind the message it is the message that is refused.
    _rule(ErrorCode.REFUSED, frozenset({Stage.MAIL, Stage.RCPT}), *_AUTHENTICITY),
    _rule(
        ErrorCode.CONTENT_REFUSED,
        _CONTENT,
        r"\b5\.7\.",
        r"\bspam\b",
        r"virus|malware|phish",
        r"polic(y|ies)",
        r"\bdmarc\b|reputation|content (rejected|refused|denied)",
    ),
)

# RFC 5530, 3206, 2449: what is left after the phrases above.
_RESPONSE_CODES = {
    "UNAVAILABLE": ErrorCode.TEMPORARY,
    "SERVERBUG": ErrorCode.TEMPORARY,
    "SYS/TEMP": ErrorCode.TEMPORARY,
    "SYS/PERM": ErrorCode.LOGIN_DISABLED,
    "CANNOT": ErrorCode.AUTH_UNAVAILABLE,
}
# Said with a 4xx number these are not known yet, or not for good.
_PERMANENT = frozenset(
    {
        ErrorCode.RECIPIENT_UNKNOWN,
        ErrorCode.RECIPIENT_REFUSED,
        ErrorCode.CONTENT_REFUSED,
        ErrorCode.SENDER_REFUSED,
    }
)
_SENDER = _pattern(r"\b(sender|mail ?from|from address)\b")
_DEFAULTS = {
    Stage.GREETING: ErrorCode.REFUSED,
    Stage.HELLO: ErrorCode.PROTOCOL_ERROR,
    Stage.LOGIN: ErrorCode.LOGIN_REFUSED,
    Stage.MAIL: ErrorCode.SENDER_REFUSED,
    Stage.RCPT: ErrorCode.RECIPIENT_REFUSED,
    Stage.DATA: ErrorCode.REFUSED,
    Stage.BODY: ErrorCode.REFUSED,
    Stage.LISTING: ErrorCode.LISTING_FAILED,
    Stage.FOLDER: ErrorCode.LISTING_FAILED,
    Stage.FETCH: ErrorCode.FETCH_FAILED,
    Stage.APPEND: ErrorCode.APPEND_REFUSED,
}


def classify(stage: Stage, reply: ServerReply) -> ErrorCode:
    """Return what `reply` to `stage` means."""
    subject = _words_of(reply)
    for rule in _RULES:
        if rule.matches(stage, subject):
            later = reply.code is not None and reply.code // 100 == 4
            if later and rule.code in _PERMANENT:
                return ErrorCode.TEMPORARY
            return rule.code
    if reply.code is None:
        return _RESPONSE_CODES.get(reply.enhanced) or _DEFAULTS[stage]
    return _by_number(stage, reply.code)


def speaks_of_sender(reply: ServerReply) -> bool:
    """Whether a refusal names the sender, in whatever words.

    That is enough where the recipient is the sender's own address, and too little
    elsewhere: see the rule of SENDER_REFUSED.
    """
    subject = _words_of(reply)
    return bool(_SENDER.search(subject)) and not _NOT_SENDER.search(subject)


def speaks_of_sign_in(reply: ServerReply) -> bool:
    """Whether a refusal says that nobody is signed in, in whatever words.

    Of use only where somebody was: the sender or a recipient may be meant as well.
    """
    subject = _words_of(reply)
    return bool(_SIGN_IN.search(subject)) and not _NOT_SENDER.search(subject)


def smtp_error(
    stage: Stage, code: int, text: bytes, secrets: Iterable[str] = ()
) -> MailError:
    """Return the error for an SMTP reply, as smtplib gives it: code, joined lines."""
    if not 200 <= code <= 599:
        return MailError(ErrorCode.PROTOCOL_ERROR, reply=_reply(None, text, secrets))
    reply = _reply(code, text, secrets)
    return MailError(classify(stage, reply), reply=reply)


def mailbox_error(stage: Stage, text: bytes, secrets: Iterable[str] = ()) -> MailError:
    """Return the error for what an IMAP or POP3 server said after its NO or -ERR."""
    reply = _reply(None, text, secrets)
    return MailError(classify(stage, reply), reply=reply)


def readable(raw: bytes, secrets: Iterable[str] = ()) -> str:
    """Return one line of at most 500 characters without secrets.

    Only the beginning is looked at: a server may say megabytes in one line.
    """
    secrets = tuple(secrets)
    text = redact(raw[:_MOST_READ].decode("utf-8", "replace"), secrets)
    if len(raw) > _MOST_READ:
        # A secret that was cut in two is not recognised: its first half is in here.
        text = text[: -_MOST_READ // 2]
    text = " ".join(_CONTROL.sub(" ", text).split())
    return redact(text, secrets)[:_MAX_TEXT]


def redact(text: str, secrets: Iterable[str]) -> str:
    """Replace every secret in `text` by asterisks.

    Also found: other cases of letters, the quoted forms of IMAP and of URLs, and any
    base64 that contains a secret, as in AUTH PLAIN, LOGIN and XOAUTH2 (RFC 4616).
    """
    known = sorted({s for s in secrets if s}, key=len, reverse=True)
    if not known:
        return text
    needles = [_octets(secret) for secret in known]
    pieces = frozenset(
        needle[at : at + _PIECE]
        for needle in needles
        if len(needle) >= _LONG_SECRET
        for at in range(len(needle) - _PIECE + 1)
    )
    text = _BASE64.sub(
        lambda match: MARK if _holds(match[0], needles, pieces) else match[0], text
    )
    for form in sorted({f for s in known for f in _forms(s)}, key=len, reverse=True):
        text = re.sub(re.escape(form), MARK, text, flags=re.IGNORECASE)
    if pieces:
        text = _WORD.sub(
            lambda match: MARK if _has_piece(_octets(match[0]), pieces) else match[0],
            text,
        )
    return text


def _words_of(reply: ServerReply) -> str:
    """What is looked through: without addresses, whose owners chose their words."""
    return _ADDRESS.sub("@", str(reply)[: 2 * _MAX_TEXT])


def _reply(code: int | None, raw: bytes, secrets: Iterable[str]) -> ServerReply:
    if code is None:
        text = readable(raw, secrets)
        if found := _BRACKETED.match(text):
            return ServerReply(None, found.group(1), text[found.end() :])
        return ServerReply(None, "", text)
    # Each line of a long reply repeats the enhanced status: once is enough.
    lines = [line.strip() for line in raw.decode("utf-8", "replace").splitlines()]
    statuses = [found for line in lines if (found := _ENHANCED.match(line))]
    enhanced = statuses[0].group(1) if statuses else ""
    bare = " ".join(_ENHANCED.sub("", line, count=1) for line in lines)
    return ServerReply(code, enhanced, readable(bare.encode(), secrets))


def _by_number(stage: Stage, number: int) -> ErrorCode:
    if number == 530:
        return ErrorCode.LOGIN_REQUIRED
    if stage is Stage.LOGIN and (500 <= number <= 504 or number == 534):
        return ErrorCode.AUTH_UNAVAILABLE
    if number // 100 == 4:
        return ErrorCode.TEMPORARY
    if number // 100 != 5 or number in (500, 502, 503):
        return ErrorCode.PROTOCOL_ERROR
    if number == 552:
        full = stage is Stage.RCPT
        return ErrorCode.MAILBOX_FULL if full else ErrorCode.MESSAGE_TOO_LARGE
    return _DEFAULTS[stage]


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _forms(secret: str) -> set[str]:
    data = _octets(secret)
    return {
        secret,
        secret.replace("\\", "\\\\").replace('"', '\\"'),
        quote(data, safe=""),
        quote_plus(data),
        base64.b64encode(data).decode(),
    }


def _holds(token: str, needles: list[bytes], pieces: frozenset[bytes]) -> bool:
    """Whether base64 `token` decodes to something with a secret, or a piece of one.

    Its beginning may be cut off or glued to other text: all four alignments count.
    """
    plain = token.rstrip("=").translate(_URL_SAFE)
    return any(
        any(needle in decoded for needle in needles) or _has_piece(decoded, pieces)
        for start in range(4)
        for decoded in (_decode(plain[start:]),)
    )


def _has_piece(data: bytes, pieces: frozenset[bytes]) -> bool:
    return bool(pieces) and any(
        data[at : at + _PIECE] in pieces for at in range(len(data) - _PIECE + 1)
    )


def _decode(text: str) -> bytes:
    if len(text) % 4 == 1:
        text = text[:-1]
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        return b""
