"""Sign-in with a mail service: access tokens (RFC 6749), with PKCE (RFC 7636).

`oauthlib` writes and reads the messages of the protocol; what is sent goes through
`http`: one answer before a deadline, no redirects, which would hand the secrets over to
somebody else. What an answer says is judged here before it is used, since a token ends
up in a conversation with a mail server and in the database.

The package is needed for nothing else, and imported when it is.
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
import json
import logging
import re
import secrets as random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode, urlsplit

from . import http
from . import oauth_answers as answers
from .connection.network import Deadline
from .errors import ErrorCode, MailError
from .oauth_refusals import is_malformed, no_answer, not_understood, refusal

if TYPE_CHECKING:
    from oauthlib.oauth2 import WebApplicationClient

# Said by the ending of `check`: nothing was wrong but the code.
_ONLY_CODE = (ErrorCode.OAUTH_ENDED, ErrorCode.OAUTH_STATE)
# Parameters of the protocol itself, which no service's additions may replace.
_OWN = frozenset(
    {
        *("client_id", "client_secret", "code", "code_challenge", "redirect_uri"),
        *("code_challenge_method", "code_verifier", "grant_type", "response_type"),
        *("response_mode", "request", "request_uri", "scope", "state", "token"),
    }
)
# Scopes that say who somebody is, or how long; the others are what mail needs.
_NO_MAIL = frozenset(
    {"openid", "profile", "email", "address", "phone", "offline_access", "offline"}
)
# One service with two names.
_OUTLOOK = re.compile(r"https://(ps\.)?outlook\.office(365)?\.com/+", re.IGNORECASE)

Parameters = Mapping[str, str] | tuple[tuple[str, str], ...]
Query = Mapping[str, str] | Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Client:
    """An application as it is registered at a service (RFC 6749 section 2).

    `parameters`: what the authorization endpoint is told besides. `token_auth`:
    "client_secret_post", "client_secret_basic" or "none" (RFC 7591 section 2).
    `issuer`: what the service calls itself (RFC 9207); "": the origin of its endpoints.
    http:// is taken only for this machine itself, and with `allow_private`.
    """

    client_id: str
    client_secret: str = field(repr=False)
    authorization_endpoint: str
    token_endpoint: str
    revocation_endpoint: str = ""
    scopes: tuple[str, ...] = ()
    parameters: Parameters = ()
    token_auth: str = "client_secret_post"  # noqa: S105
    ca_pem: str = field(default="", repr=False)
    allow_private: bool = False
    issuer: str = ""


@dataclass(frozen=True)
class Tokens:
    """What a service gave. `expires_at`: epoch seconds by our own clock, None where it
    does not say. `refresh_token`: "" where none was given. `hint`: the address that the
    id_token names, or ""; nobody checked it, so it proves nothing.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: float | None
    scopes: tuple[str, ...]
    hint: str


def is_available() -> bool:
    """Whether the package that speaks the protocol is installed."""
    try:
        _library()
    except MailError:
        return False
    return True


def new_verifier() -> str:
    """Return a code verifier (RFC 7636 section 4.1): 64 random characters."""
    return random.token_urlsafe(48)


def authorization_url(
    client: Client, redirect_uri: str, state: str, verifier: str, login_hint: str = ""
) -> str:
    """Return where to send the user's browser; it comes back to `redirect_uri`.

    Raises MailError OAUTH_LIBRARY, and SETTINGS_INVALID with the field of `client`.
    """
    protocol = _protocol(client)
    endpoint = _endpoint(client, "authorization_endpoint")
    more = dict(client.parameters)
    if _OWN & more.keys():
        raise _wrong("parameters")
    if login_hint := login_hint[: answers.MOST_HINT]:
        more["login_hint"] = login_hint
    scheme, _, rest = endpoint.partition("://")
    with _settings("authorization_endpoint"):
        # oauthlib takes https only, whatever machine it leads to.
        url = protocol.prepare_request_uri(
            f"https://{rest}",
            redirect_uri=redirect_uri,
            scope=list(client.scopes) or None,
            state=state,
            code_challenge=protocol.create_code_challenge(verifier, "S256"),
            code_challenge_method="S256",
            **more,
        )
    return f"{scheme.lower()}://{str(url).partition('://')[2]}"


def redeem(
    client: Client,
    redirect_uri: str,
    query: Query,
    state: str,
    verifier: str,
    deadline: Deadline,
) -> Tokens:
    """Return tokens for what the service sent along with the browser: `query`.

    One value a parameter, or lists of them (`lists()` of werkzeug's MultiDict is used):
    none may come twice. Raises MailError OAUTH_STATE when that belongs to another
    sign-in or comes from another service, OAUTH_CONSENT when less was granted than mail
    needs, and else what the service refuses with.
    """
    protocol = _protocol(client)
    code = _code(client, protocol, query, state)
    hidden = [client.client_secret, state, verifier, code]
    body = _code_body(client, protocol, redirect_uri, code, verifier)
    tokens = _tokens(client, protocol, body, deadline, hidden)
    if tokens.scopes:
        granted = {_comparable(scope) for scope in tokens.scopes}
        missing = [
            scope
            for scope in client.scopes
            if scope.lower() not in _NO_MAIL and _comparable(scope) not in granted
        ]
        if missing:
            raise refusal(None, _missing(missing), hidden)
    return tokens


def refresh(client: Client, refresh_token: str, deadline: Deadline) -> Tokens:
    """Return new tokens; the refresh token is the old one where no new one came.

    A new one has to be kept at once: the old one may be good for nothing any more.
    Raises MailError, OAUTH_ENDED when the user has to sign in again.
    """
    protocol = _protocol(client)
    hidden = [client.client_secret, refresh_token]
    with _settings("client_id"):
        body = protocol.prepare_refresh_body(
            refresh_token=refresh_token, **_authentication(client)
        )
    return _tokens(client, protocol, body, deadline, hidden, refresh_token)


def revoke(client: Client, refresh_token: str, deadline: Deadline) -> None:
    """Tell the service that the token is not needed any more (RFC 7009).

    Returns as well where the service has no such endpoint, and where the token was no
    good anyway. Raises MailError.
    """
    if not client.revocation_endpoint or not refresh_token:
        return
    protocol = _protocol(client)
    hidden = [client.client_secret, refresh_token]
    with _settings("client_id"):
        _url, _headers, body = protocol.prepare_token_revocation_request(
            "https://revocation.invalid/",
            refresh_token,
            "refresh_token",
            **_authentication(client),
        )
    answer = _post(client, "revocation_endpoint", body, deadline)
    if answer.status // 100 == 2:
        return
    error = _error(answer, hidden)
    if error.code is not ErrorCode.OAUTH_ENDED:
        raise error


def check(client: Client, redirect_uri: str, deadline: Deadline) -> None:
    """Ask whether the service knows the application and takes its secret.

    It is asked for tokens with a code that cannot be good: whoever refuses the code has
    accepted the application. Raises MailError OAUTH_CLIENT, OAUTH_SECRET_EXPIRED,
    OAUTH_TENANT, OAUTH_REDIRECT and the like.
    """
    protocol = _protocol(client)
    _endpoint(client, "authorization_endpoint")
    code = random.token_urlsafe(48)
    body = _code_body(client, protocol, redirect_uri, code, new_verifier())
    answer = _post(client, "token_endpoint", body, deadline)
    error = _error(answer, [client.client_secret])
    if error.code not in _ONLY_CODE:
        raise error
    if is_malformed(answers.told(answer.body) or {}):
        _check_secret(client, deadline)


def _check_secret(client: Client, deadline: Deadline) -> None:
    """Ask in another way: Microsoft looks at a code's form before it looks who asks.

    For tokens of the application itself, of which it needs none: whatever comes of it
    but a word about the application is fine, and tokens are dropped.
    """
    own = _authentication(client)
    with _settings("client_id"):
        body = urlencode({"grant_type": "client_credentials", **own})
        if resource := next(filter(None, map(_resource, client.scopes)), ""):
            body = f"{body}&{urlencode({'scope': f'{resource}.default'})}"
    answer = _post(client, "token_endpoint", body, deadline)
    if answer.status // 100 == 2:
        return
    error = _error(answer, [client.client_secret])
    if error.code in (ErrorCode.OAUTH_CLIENT, ErrorCode.OAUTH_SECRET_EXPIRED):
        raise error


def _resource(scope: str) -> str:
    """Return what an Outlook scope is for, as "https://outlook.office.com/", or ""."""
    found = _OUTLOOK.match(scope)
    return found[0] if found else ""


# The library


def _protocol(client: Client) -> WebApplicationClient:
    if not client.client_id:
        raise _wrong("client_id")
    return _library()(client.client_id)


def _library() -> type[WebApplicationClient]:
    try:
        from oauthlib.oauth2 import WebApplicationClient
    except ImportError:
        raise MailError(ErrorCode.OAUTH_LIBRARY) from None
    _silence()
    return WebApplicationClient


@lru_cache(maxsize=1)
def _silence() -> None:
    """Let oauthlib log nothing, at any level: tokens and secrets may be among it."""
    known = logging.root.manager.loggerDict
    for name in [each for each in known if each.partition(".")[0] == "oauthlib"]:
        logger = logging.getLogger(name)
        logger.addFilter(lambda _record: False)
        logger.propagate = False
        logger.disabled = True


@contextmanager
def _settings(name: str) -> Iterator[None]:
    """Blame `name` for what oauthlib cannot make a message of; it may tell secrets."""
    try:
        yield
    except MailError:
        raise
    except (ValueError, TypeError):  # UnicodeError is a ValueError
        raise _wrong(name) from None


def _wrong(name: str) -> MailError:
    # The administrator mends it: nobody's account is to stop because of it.
    return MailError(ErrorCode.SETTINGS_INVALID, field=name, transient=True)


# What is sent


def _endpoint(client: Client, name: str) -> str:
    """Return an address of `client` that may be contacted."""
    url = str(getattr(client, name))
    try:
        target = http.parse(url, plain=client.allow_private)
    except MailError:
        raise _wrong(name) from None
    if url[:8].lower() != "https://" and not _is_own_machine(target.host):
        raise _wrong(name)
    return url


def _is_own_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")  # RFC 6761


def _authentication(client: Client) -> dict[str, Any]:
    """Return what of a request's body says who asks (RFC 6749 section 2.3.1)."""
    if client.token_auth == "client_secret_basic":  # noqa: S105
        return {}
    own = {"client_id": client.client_id}
    if client.token_auth == "client_secret_post" and client.client_secret:  # noqa: S105
        own["client_secret"] = client.client_secret
    return own


def _code_body(
    client: Client,
    protocol: WebApplicationClient,
    redirect_uri: str,
    code: str,
    verifier: str,
) -> str:
    own = _authentication(client)
    with _settings("client_id"):
        return protocol.prepare_request_body(
            code=code,
            redirect_uri=redirect_uri,
            code_verifier=verifier,
            include_client_id=bool(own.pop("client_id", "")),
            **own,
        )


def _post(client: Client, name: str, body: str, deadline: Deadline) -> http.Answer:
    """Send a form to an endpoint of `client`. Raises MailError OAUTH_FAILED."""
    url = _endpoint(client, name)
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    if client.token_auth == "client_secret_basic":  # noqa: S105
        own = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret)}"
        headers["Authorization"] = f"Basic {base64.b64encode(own.encode()).decode()}"
    try:
        return http.request(
            "POST",
            url,
            headers=headers,
            body=body.encode(),
            deadline=deadline,
            allow_private=client.allow_private,
            ca_pem=client.ca_pem,
            plain=client.allow_private,
        )
    except MailError as error:
        if error.code in (ErrorCode.SETTINGS_INVALID, ErrorCode.CA_INVALID):
            raise _wrong("ca_pem" if error.field == "ca_pem" else name) from None
        said = f": {error.reply.text}" if error.reply else ""
        failed = not_understood(f"{urlsplit(url).hostname}: {error.code.value}{said}")
    raise failed from None


# What comes back


def _code(
    client: Client,
    protocol: WebApplicationClient,
    query: Query,
    state: str,
) -> str:
    """Return the authorization code of a callback that belongs to this sign-in."""
    given = _single(query)
    told_state = given.get("state", "")
    same = hmac.compare_digest(_octets(told_state), _octets(state))
    if not state or not same or not _is_issuer(client, given.get("iss")):
        raise MailError(ErrorCode.OAUTH_STATE)
    if "error" in given:
        # Whoever sits at the browser may have written these words. They are shown to
        # them with what they know already left out, and nothing else: what else is left
        # out would tell them that a guess was right.
        raise refusal(None, given, [state, given.get("code", "")])
    if not 0 < len(given.get("code", "")) <= answers.MOST_TOKEN:
        raise not_understood("neither a code nor an error")
    with _settings("query"):
        back = f"https://callback.invalid/?{urlencode(given)}"
        return str(protocol.parse_request_uri_response(back, state=state)["code"])


def _single(query: Query) -> dict[str, str]:
    """Return the value of each parameter (RFC 6749 section 3.1: once each)."""
    lists = getattr(query, "lists", None)
    pairs: Mapping[str, object] = dict(lists()) if callable(lists) else query
    single: dict[str, str] = {}
    for name, value in pairs.items():
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, (list, tuple)) or len(values) != 1:
            raise MailError(ErrorCode.OAUTH_STATE)
        single[str(name)] = str(values[0])
    return single


def _is_issuer(client: Client, told: str | None) -> bool:
    """Whether this service sent the browser back, as far as it says (RFC 9207)."""
    if told is None:
        return True
    if client.issuer:
        return told == client.issuer
    origins = {
        http.parse(url, plain=True).origin
        for url in (client.authorization_endpoint, client.token_endpoint)
    }
    try:
        return http.parse(told, plain=True).origin in origins
    except MailError:
        return False


def _tokens(
    client: Client,
    protocol: WebApplicationClient,
    body: str,
    deadline: Deadline,
    hidden: Sequence[str],
    old: str = "",
) -> Tokens:
    """Ask the token endpoint; `old`: the refresh token that goes on being good."""
    asked = time.time()
    answer = _post(client, "token_endpoint", body, deadline)
    told = answers.told(answer.body)
    if answer.status // 100 != 2 or told is None or "error" in told:
        raise _error(answer, hidden)
    access, fresh = answers.access_token(told), answers.refresh_token(told)
    message = json.dumps({"access_token": access, "token_type": "Bearer"})
    protocol.parse_request_body_response(message)
    life = answers.seconds(told.get("expires_in"))
    return Tokens(
        access_token=str(protocol.access_token),
        refresh_token=fresh or old,
        expires_at=None if life is None else asked + life,
        scopes=answers.scopes(told.get("scope")),
        hint=answers.hint(told.get("id_token")),
    )


def _error(answer: http.Answer, hidden: Sequence[str]) -> MailError:
    """Return what an answer without tokens means."""
    retry_after = answers.retry_after(answer.headers)
    told = answers.told(answer.body)
    given = [value for value in _given(told) if isinstance(value, str)]
    if told is None or "error" not in told:
        if answer.status // 100 == 3:
            return not_understood(f"HTTP {answer.status}: a redirect is not followed")
        if told is not None and answer.status // 100 == 2:
            return not_understood("neither a token nor an error")
        return no_answer(
            answer.status, answer.body, [*hidden, *given], retry_after=retry_after
        )
    return refusal(answer.status, told, [*hidden, *given], retry_after=retry_after)


def _given(told: Mapping[str, object] | None) -> Iterator[object]:
    for name in ("access_token", "refresh_token", "id_token"):
        yield (told or {}).get(name)


def _comparable(scope: str) -> str:
    """One spelling of a scope, with or without the service before or a slash behind."""
    return _OUTLOOK.sub("", scope).rstrip("/").lower()


def _missing(scopes: Sequence[str]) -> dict[str, object]:
    words = f"not granted: {' '.join(scopes)}"
    return {"error": "insufficient_scope", "error_description": words}


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
