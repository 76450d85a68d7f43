"""What an authorization server refuses with, and what that means.

Of RFC 6749 (sections 4.1.2.1, 5.2), OpenID Connect Core (3.1.2.6), and what Microsoft
and Google say besides: AADSTS numbers, `suberror`, `error_subtype`. Microsoft's numbers
are the most exact, so they go first; the plain name of the error comes last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .connection.replies import MARK, readable
from .errors import ErrorCode, MailError, ServerReply

_MOST_WORDS = 4000
_MOST_NUMBERS = 10
_AADSTS = re.compile(r"AADSTS(\d{4,8})(?!\d)")
# Nothing that is meant to be read is so long in one piece; tokens and codes are.
_LIKE_A_TOKEN = re.compile(r"[A-Za-z0-9_+=.~-]{40,}")
_HTML_TITLE = re.compile(r"<title>([^<]{0,200})", re.IGNORECASE)
# HTTP: the request came too early, too late or too often (RFC 9110, 6585, 8470).
_LATER = (408, 425, 429)

# Microsoft's list of AADSTS codes, as far as they come up in these conversations.
_NUMBERS = {
    ErrorCode.OAUTH_SECRET_EXPIRED: (7000222,),
    ErrorCode.OAUTH_CLIENT: (
        *(7000215, 7000216, 7000218, 7000112, 700016, 700025, 700027, 700030, 700054),
        *(70001, 70002, 70003, 70005, 70007, 50012, 50013, 50048, 90027, 9002325),
    ),
    ErrorCode.OAUTH_REDIRECT: (
        *(50011, 500111, 500112, 500113, 500117, 900971, 9002326, 9002327),
    ),
    ErrorCode.OAUTH_TENANT: (
        *(90002, 90019, 90051, 50002, 50020, 50034, 50049, 50059, 50107, 50128, 50177),
        *(50194, 51004, 90072, 16003, 500207, 500208, 500341, 700005, 900021, 900023),
        *(7000012, 9001023, 9002331, 9002332),
    ),
    ErrorCode.OAUTH_CONSENT: (
        *(65001, 65002, 65005, 650051, 650052, 650053, 650054, 650056, 650057, 70011),
        *(90008, 90092, 90093, 90094, 90095, 90099, 28002, 28003, 50001, 500011),
        *(500014,),
    ),
    ErrorCode.OAUTH_POLICY: (
        *(50005, 50072, 50074, 50076, 50079, 50097, 50105, 50125, 50127, 50129, 50131),
        *(50140, 50155, 50158, 50187, 50199, 51006, 500021, 500022, 500121, 500202),
        *(500212, 500213, 501241, 700003),
    ),
    ErrorCode.OAUTH_DENIED: (65004, 50053, 50057, 500571),
    ErrorCode.OAUTH_ENDED: (
        *(50173, 70008, 70019, 700081, 700082, 700084, 70043, 70044, 70046, 50055),
        *(50056, 50058, 50078, 50089, 50126, 50132, 50133, 50144, 500133, 54005),
        *(16000, 16001, 16002, 700020, 9002341),
    ),
    ErrorCode.OAUTH_STATE: (501481, 50148),
    ErrorCode.OAUTH_BUSY: (
        *(90006, 90012, 90020, 90024, 90033, 90055, 50000, 50033, 50087, 50196),
        *(40010, 70012, 80001, 80002),
    ),
}
_BY_NUMBER = {number: code for code, some in _NUMBERS.items() for number in some}
# Said beside more exact ones: that a grant was not good, whatever the reason.
_MALFORMED = 9002313
_GENERAL_NUMBERS = {70000: ErrorCode.OAUTH_ENDED, _MALFORMED: ErrorCode.OAUTH_ENDED}

_NAMES = {
    ErrorCode.OAUTH_CLIENT: (
        *("invalid_client", "deleted_client", "disabled_client", "unauthorized_client"),
        *("invalid_client_secret", "invalid_client_id", "client_not_found"),
        *("unsupported_grant_type", "unsupported_response_type", "restricted_client"),
    ),
    ErrorCode.OAUTH_REDIRECT: (
        *("redirect_uri_mismatch", "invalid_redirect_uri", "redirect_mismatch"),
    ),
    ErrorCode.OAUTH_TENANT: ("org_internal", "invalid_tenant"),
    ErrorCode.OAUTH_CONSENT: (
        *(
            "consent_required",
            "invalid_scope",
            "insufficient_scope",
            "invalid_resource",
        ),
        *("invalid_target", "admin_consent_required", "access_not_configured"),
    ),
    ErrorCode.OAUTH_POLICY: (
        *("admin_policy_enforced", "policy_enforced", "interaction_required"),
        *("basic_action", "additional_action", "message_only", "invalid_rapt"),
        *("rapt_required", "device_authentication_failed", "step_up_required"),
        *("protection_policy_required", "mfa_required"),
    ),
    ErrorCode.OAUTH_DENIED: ("access_denied", "user_cancelled_login", "cancel"),
    ErrorCode.OAUTH_ENDED: (
        *("invalid_grant", "login_required", "account_selection_required", "bad_token"),
        *("invalid_token", "expired_token", "token_expired", "token_revoked"),
        *("user_password_expired", "invalid_code", "invalid_refresh_token"),
    ),
    ErrorCode.OAUTH_BUSY: (
        *("temporarily_unavailable", "server_error", "slow_down", "backend_error"),
        *("rate_limit_exceeded", "ratelimitexceeded", "userratelimitexceeded"),
        *("quota_exceeded", "quotaexceeded", "resource_exhausted", "unavailable"),
        *("internal_failure", "internal_error", "too_many_requests", "timeout"),
    ),
}
_BY_NAME = {name: code for code, some in _NAMES.items() for name in some}

_SECRET_EXPIRED = re.compile(
    r"secret\b.{0,60}\bexpired|\bexpired\b.{0,30}\bsecret", re.IGNORECASE
)
_REDIRECT = re.compile(
    r"redirect(ion)?[ _-]?ur[il]|\breply (ur[il]|address)", re.IGNORECASE
)
_TOO_OFTEN = re.compile(
    r"too many|rate[ _-]?limit|throttl|\bquota\b|temporarily|try again later",
    re.IGNORECASE,
)
_A_POLICY = re.compile(
    r"\bpolic(y|ies)\b|not assigned|conditional access|administrator", re.IGNORECASE
)
# What the words may make of an error that says less.
_BY_WORDS: Mapping[ErrorCode | None, tuple[tuple[re.Pattern[str], ErrorCode], ...]] = {
    ErrorCode.OAUTH_CLIENT: ((_SECRET_EXPIRED, ErrorCode.OAUTH_SECRET_EXPIRED),),
    ErrorCode.OAUTH_ENDED: ((_REDIRECT, ErrorCode.OAUTH_REDIRECT),),
    ErrorCode.OAUTH_DENIED: (
        (_TOO_OFTEN, ErrorCode.OAUTH_BUSY),
        (_A_POLICY, ErrorCode.OAUTH_POLICY),
    ),
    None: (
        (_REDIRECT, ErrorCode.OAUTH_REDIRECT),
        (_TOO_OFTEN, ErrorCode.OAUTH_BUSY),
    ),
}


def refusal(
    status: int | None,
    told: Mapping[str, object],
    secrets: Iterable[str],
    *,
    retry_after: float | None = None,
) -> MailError:
    """Return the error for what a service told: JSON, or a callback's parameters.

    `status`: of HTTP, None for a callback. `secrets`: not shown.
    """
    code = _meaning(status, told)
    return MailError(
        code,
        reply=ServerReply(None, "", _shown(_all_words(told), secrets)),
        retry_after=retry_after if code is ErrorCode.OAUTH_BUSY else None,
    )


def no_answer(
    status: int, body: bytes, secrets: Iterable[str], *, retry_after: float | None
) -> MailError:
    """Return the error for an answer that is none of this protocol."""
    code = ErrorCode.OAUTH_FAILED
    if _is_later(status):
        code = ErrorCode.OAUTH_BUSY
    elif status == 401:
        code = ErrorCode.OAUTH_CLIENT  # RFC 6749 section 5.2
    text = body[:_MOST_WORDS].decode("utf-8", "replace")
    words = _HTML_TITLE.search(text)
    if words:
        text = words.group(1)
    elif "<" in text or 200 <= status < 300:
        text = ""  # a page without a title; or an answer that may be all secrets
    return MailError(
        code,
        reply=ServerReply(None, "", _shown(f"HTTP {status} {text}", secrets)),
        retry_after=retry_after if code is ErrorCode.OAUTH_BUSY else None,
    )


def is_malformed(told: Mapping[str, object]) -> bool:
    """Whether Microsoft said only that a code or token has no form that it knows."""
    return set(_numbers(told)) == {_MALFORMED}


def not_understood(what: str) -> MailError:
    """Return the error for an answer that cannot be used; `what`: plain words."""
    reply = ServerReply(None, "", what)
    return MailError(ErrorCode.OAUTH_FAILED, reply=reply)


def _is_later(status: int | None) -> bool:
    return status is not None and (status in _LATER or status >= 500)


def _meaning(status: int | None, told: Mapping[str, object]) -> ErrorCode:
    # A server in trouble may say anything; nobody has to sign in anew for it.
    if _is_later(status):
        return ErrorCode.OAUTH_BUSY
    numbers = list(_numbers(told))
    for number in numbers:
        if code := _BY_NUMBER.get(number) or _of_range(number):
            return code
    for key in ("error_subtype", "suberror", "error"):
        name = re.sub(r"[ -]", "_", _words(told, key)).lower()
        if code := _BY_NAME.get(name):
            return _by_words(code, told)
    for number in numbers:
        if code := _GENERAL_NUMBERS.get(number):
            return code
    unknown = ErrorCode.OAUTH_CLIENT if status == 401 else ErrorCode.OAUTH_FAILED
    return _by_words(None, told, unknown)


def _of_range(number: int) -> ErrorCode | None:
    """Return what a number means that is not in the table, by its neighbours."""
    if str(number).startswith("53") and len(str(number)) in (5, 6):
        return ErrorCode.OAUTH_POLICY  # conditional access
    if 500_000 <= number <= 500_999:
        return ErrorCode.OAUTH_BUSY
    return None


def _by_words(
    code: ErrorCode | None,
    told: Mapping[str, object],
    otherwise: ErrorCode = ErrorCode.OAUTH_FAILED,
) -> ErrorCode:
    text = _all_words(told)
    for pattern, exact in _BY_WORDS.get(code, ()):
        if pattern.search(text):
            return exact
    return code or otherwise


def _numbers(told: Mapping[str, object]) -> Iterator[int]:
    given = told.get("error_codes")
    for each in given[:_MOST_NUMBERS] if isinstance(given, list) else ():
        if isinstance(each, (int, str)) and re.fullmatch(r"\d{4,8}", str(each)):
            yield int(each)
    found = _AADSTS.findall(_words(told, "error_description"))
    yield from map(int, found[:_MOST_NUMBERS])


def _words(told: Mapping[str, object], key: str) -> str:
    """Return what is said under `key`; Google says some things in an object."""
    value: Any = told.get(key)
    if isinstance(value, dict):
        value = value.get("status") or value.get("message")
    return value[:_MOST_WORDS] if isinstance(value, str) else ""


def _all_words(told: Mapping[str, object]) -> str:
    keys = ("error", "error_subtype", "suberror", "error_description")
    said = [words for key in keys if (words := _words(told, key))]
    return ": ".join(dict.fromkeys(said))


def _shown(text: str, secrets: Iterable[str]) -> str:
    shown = readable(text.encode("utf-8", "replace"), secrets)
    return _LIKE_A_TOKEN.sub(MARK, shown)
