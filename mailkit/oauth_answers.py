"""What a token endpoint answers with, judged before it is used.

RFC 6749 section 5.1, as the services have it: a token ends up in a conversation with a
mail server and in the database, and what comes with it in a decision.
"""

from __future__ import annotations

import base64
import json
import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import NoReturn

from .message.address import Address
from .oauth_refusals import not_understood

# Mail servers read no longer line (Dovecot: 8 KiB for all of the sign-in).
MOST_TOKEN = 8 * 1024
_MOST_ID_TOKEN = 64 * 1024
MOST_HINT = 254
_MOST_DIGITS = 20
# What is never so: a token that is good for longer, a service that is away for longer.
_LONGEST_LIFE = 366 * 86400.0
_LONGEST_WAIT = 3600.0
# RFC 6750 section 2.1 and RFC 6749 appendix A.17.
_ACCESS_TOKEN = re.compile(r"[\x21-\x7e]+")
_REFRESH_TOKEN = re.compile(r"[\x20-\x7e]+")


def told(body: bytes) -> dict[str, object] | None:
    """Return the object that an answer holds, if it is one and says nothing twice."""
    try:
        found = json.loads(
            body.decode("utf-8-sig"),
            object_pairs_hook=_once_each,
            parse_constant=_no_number,
            parse_int=_integer,
        )
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def access_token(answer: Mapping[str, object]) -> str:
    """Return the token, which mail servers may be told.

    Raises MailError OAUTH_FAILED, also when there is none, or one of another type.
    """
    kind = answer.get("token_type", "Bearer")  # some leave it away
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise not_understood("the token is of another type than bearer")
    token = _token(answer, "access_token", _ACCESS_TOKEN)
    if not token:
        raise not_understood("no access token")
    return token


def refresh_token(answer: Mapping[str, object]) -> str:
    """Return the token, "" when there is none. Raises MailError OAUTH_FAILED."""
    return _token(answer, "refresh_token", _REFRESH_TOKEN)


def seconds(told: object) -> float | None:
    """Return how long a token is good for; None for what cannot be meant.

    A life that is over before it begins would be renewed at every use. Without one the
    token is used until it is refused.
    """
    if isinstance(told, str) and re.fullmatch(r"\s?\d{1,20}(\.\d{0,9})?\s?", told):
        told = float(told)
    if isinstance(told, bool) or not isinstance(told, (int, float)):
        return None
    return min(float(told), _LONGEST_LIFE) if told > 0 else None


def scopes(told: object) -> tuple[str, ...]:
    words = told.split() if isinstance(told, str) else told
    if not isinstance(words, list):
        return ()
    return tuple(word for word in words if isinstance(word, str))


def hint(id_token: object) -> str:
    """Return the address that an id_token names; its signature is not looked at.

    None where the service says itself that nobody has verified it (OpenID Connect Core,
    section 5.1): with some, people write what they like into their own profile.
    """
    if not isinstance(id_token, str) or len(id_token) > _MOST_ID_TOKEN:
        return ""
    parts = id_token.split(".")
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        claims = json.loads(
            base64.urlsafe_b64decode(padded).decode(), parse_int=_integer
        )
    except (ValueError, LookupError, RecursionError):
        return ""
    if not isinstance(claims, dict) or claims.get("email_verified") in (False, "false"):
        return ""
    for name in ("email", "preferred_username", "upn"):
        value = claims.get(name)
        if isinstance(value, str) and len(value) <= MOST_HINT:
            if address := Address(value).envelope:
                return address
    return ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of Retry-After (RFC 9110 section 10.2.3), an hour at most.

    A date is told by the server's clock, which its own Date field shows.
    """
    told = headers.get("retry-after", "")
    if re.fullmatch(r"\d{1,20}", told):
        seconds = float(told)
    else:
        try:
            then = parsedate_to_datetime(told).timestamp()
            now = headers.get("date")
            started = parsedate_to_datetime(now).timestamp() if now else time.time()
            seconds = then - started
        except (ValueError, TypeError, OverflowError, LookupError):
            return None
    return min(max(seconds, 1.0), _LONGEST_WAIT)


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _no_number(_name: str) -> NoReturn:
    raise ValueError("not a number of JSON")  # RFC 8259 section 6


def _integer(digits: str) -> int | float:
    """Python takes long for a very long one, or refuses it."""
    return int(digits) if len(digits) <= _MOST_DIGITS else math.inf


def _token(told: Mapping[str, object], name: str, pattern: re.Pattern[str]) -> str:
    value = told.get(name)
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or len(value) > MOST_TOKEN:
        raise not_understood(f"{name} is too long, or no text")
    if not pattern.fullmatch(value):
        raise not_understood(f"{name} has characters that none may have")
    return value
