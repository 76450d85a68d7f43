"""What a token endpoint does on bad days, by name; see ``token_service``."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from email.utils import formatdate

Act = Callable[[socket.socket, threading.Event], None]
Told = dict[str, object]
Headers = tuple[tuple[str, str | Callable[[], str]], ...]
TRACE = (
    "\r\nTrace ID: 1b3c5d7e-0000-4000-8000-000000000000"
    "\r\nCorrelation ID: 2b3c5d7e-0000-4000-8000-000000000000"
    "\r\nTimestamp: 2026-11-28 12:00:00Z"
)
_PAGE = (
    b"<html><head><title>Service unavailable</title></head><body>Sorry</body></html>"
)


@dataclass(frozen=True)
class Fault:
    """What is done instead of a regular answer.

    ``headers``: a function makes its value when it is sent.
    ``after``: the regular answer is made (a token may be used up by that), then changed
    by this. ``act``: takes the connection after the request; ``handshake``: before TLS.
    """

    status: int = 200
    body: bytes = b""
    kind: str = "application/json"
    headers: Headers = ()
    after: Callable[[Told], object] | None = None
    act: Act | None = None
    handshake: Callable[[socket.socket], None] | None = None


def refused(status: int = 400, **told: object) -> Fault:
    """An error as RFC 6749 section 5.2 has it."""
    return Fault(status, json.dumps(told).encode())


def google(error: str, description: str, status: int = 400, **more: str) -> Fault:
    """An error in Google's words."""
    return refused(status, error=error, error_description=description, **more)


def microsoft(number: int, error: str, words: str, status: int = 400) -> Fault:
    """An error in Microsoft's words."""
    return refused(
        status,
        error=error,
        error_description=f"AADSTS{number}: {words}{TRACE}",
        error_codes=[number],
        trace_id="1b3c5d7e-0000-4000-8000-000000000000",
    )


def changed(**more: object) -> Fault:
    """The regular answer with these values; None leaves a name away."""

    def change(told: Told) -> Told:
        return {k: v for k, v in (told | more).items() if v is not None}

    return Fault(after=change)


def raw(*pieces: bytes, pause: float = 0.0) -> Act:
    """Send these bytes, with a pause after each piece, and end the connection."""

    def act(sock: socket.socket, stopping: threading.Event) -> None:
        for piece in pieces:
            sock.sendall(piece)
            if stopping.wait(pause):
                break

    return act


def dripping(start: bytes, pieces: Callable[[], Iterable[bytes]]) -> Act:
    """Send ``start``, then a piece every 0.05 seconds as long as somebody reads."""

    def act(sock: socket.socket, stopping: threading.Event) -> None:
        sock.sendall(start)
        for piece in pieces():
            if stopping.wait(0.05):
                return
            sock.sendall(piece)

    return act


def hang(sock: socket.socket, stopping: threading.Event) -> None:
    """Say nothing, up to the end."""
    stopping.wait(60)


def reset(sock: socket.socket, stopping: threading.Event) -> None:
    """Break off the connection."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


def elsewhere(status: int, url: str) -> Fault:
    """A redirect."""
    return Fault(status, b"", headers=(("Location", url),))


def _forever(piece: bytes) -> Callable[[], Iterable[bytes]]:
    return lambda: iter(lambda: piece, b"")


def later_by(*seconds: float) -> str:
    """Return the date that is so many seconds (their sum) from now."""
    return formatdate(time.time() + sum(seconds), usegmt=True)


_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_TOKEN: Mapping[str, object] = {
    "access_token": "at-1",
    "token_type": "Bearer",
    "expires_in": 3600,
}
_JSON = json.dumps(_TOKEN).encode()

FAULTS: dict[str, Fault] = {
    # Too much, or in trouble
    "429": Fault(429, b""),
    "429 with seconds": Fault(429, b"{}", headers=(("Retry-After", "17"),)),
    "429 with a date": Fault(
        429, b"", headers=(("Retry-After", lambda: later_by(120)),)
    ),
    "429 for a year": Fault(429, b"", headers=(("Retry-After", "31536000"),)),
    "429 with nonsense": Fault(429, b"", headers=(("Retry-After", "soon"),)),
    "429 of Google": Fault(
        429,
        b'{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Quota"}}',
    ),
    "500 with nothing": Fault(500),
    "500 with a page": Fault(500, _PAGE, "text/html"),
    "500 with JSON": refused(500, error="server_error"),
    "502 with a page": Fault(502, _PAGE, "text/html"),
    "503 with seconds": Fault(503, _PAGE, "text/html", (("Retry-After", "30"),)),
    "503 that says invalid_grant": refused(503, error="invalid_grant"),
    "504": Fault(504, b"upstream request timeout", "text/plain"),
    "temporarily unavailable": refused(400, error="temporarily_unavailable"),
    "Microsoft is throttling": microsoft(
        90055, "temporarily_unavailable", "TenantThrottlingError"
    ),
    "Microsoft is away": microsoft(
        90033, "invalid_request", "A transient error has occurred. Please try again."
    ),
    "Google's rate limit": google(
        "rate_limit_exceeded", "You have reached the rate limit.", 403
    ),
    # No answer that makes sense
    "a page with 200": Fault(200, _PAGE, "text/html"),
    "nothing with 200": Fault(200),
    "404": Fault(404, _PAGE, "text/html"),
    "not JSON": Fault(200, b"access_token=at-1&token_type=bearer"),
    "half of it": Fault(200, _JSON[:25]),
    "an array": Fault(200, b"[" + _JSON + b"]"),
    "a text": Fault(200, b'"at-1"'),
    "deep": Fault(200, b"[" * 100_000 + b"]" * 100_000),
    "NaN": Fault(200, _JSON.replace(b"3600", b"NaN")),
    "a name twice": Fault(200, _JSON[:-1] + b', "access_token": "at-2"}'),
    "not UTF-8": Fault(200, _JSON.replace(b"at-1", b"at-\xff")),
    "huge": Fault(200, b'{"access_token": "' + b"a" * 1_000_000 + b'"}'),
    "no access token": changed(access_token=None),
    "an empty access token": changed(access_token=""),
    "an access token that is a number": changed(access_token=17),
    "an access token of lines": changed(access_token="at\r\nRCPT TO:<x@y.test>"),
    "an access token of 9,000 characters": changed(access_token="a" * 9000),
    "a refresh token of control characters": changed(refresh_token="rt\0\1"),
    "a refresh token that is a list": changed(refresh_token=["rt"]),
    "another token type": changed(token_type="mac"),
    "a token type that is a number": changed(token_type=1),
    # On the way
    "truncated": Fault(
        act=raw(_OK + b"Content-Length: 4000\r\n\r\n" + _JSON),
    ),
    "no HTTP": Fault(act=raw(b"220 mail.example.com ESMTP\r\n")),
    "endless header": Fault(act=dripping(_OK, _forever(b"X: y\r\n" * 500))),
    "slow header": Fault(act=dripping(b"HTTP/1.1 200 OK\r\n", _forever(b"X"))),
    "slow body": Fault(
        act=dripping(_OK + b"Content-Length: 4000\r\n\r\n", _forever(b" "))
    ),
    "endless chunks": Fault(
        act=dripping(
            _OK + b"Transfer-Encoding: chunked\r\n\r\n", _forever(b"1\r\n \r\n")
        )
    ),
    "a chunk of a terabyte": Fault(
        act=raw(_OK + b"Transfer-Encoding: chunked\r\n\r\nffffffffff\r\n{")
    ),
    "endless go-aheads": Fault(
        act=dripping(b"", _forever(b"HTTP/1.1 100 Continue\r\n\r\n"))
    ),
    "hung": Fault(act=hang),
    "reset": Fault(act=reset),
    "closed": Fault(act=raw()),
    "TLS alert": Fault(handshake=lambda sock: sock.sendall(b"\x15\3\3\0\2\2\x28")),
    "no TLS": Fault(handshake=lambda sock: sock.sendall(b"HTTP/1.1 400 No\r\n\r\n")),
    # Its secret, its registration, its tenant
    "unknown client": refused(401, error="invalid_client"),
    "401 with a page": Fault(401, _PAGE, "text/html"),
    "Google: client not found": google(
        "invalid_client", "The OAuth client was not found.", 401
    ),
    "Google: client deleted": google(
        "deleted_client", "The OAuth client was deleted.", 401
    ),
    "Google: wrong secret": google("invalid_client", "Unauthorized", 401),
    "Google: not for this": google("unauthorized_client", "Unauthorized", 401),
    "Microsoft: wrong secret": microsoft(
        7000215,
        "invalid_client",
        "Invalid client secret provided. Ensure the secret being sent in the request "
        "is the client secret value, not the client secret ID, for a secret added to "
        "app '11111111-2222-4333-8444-555555555555'.",
        401,
    ),
    "Microsoft: expired secret": microsoft(
        7000222,
        "invalid_client",
        "The provided client secret keys for app "
        "'11111111-2222-4333-8444-555555555555' are expired. Visit the Azure portal to "
        "create new keys for your app.",
        401,
    ),
    "an expired secret elsewhere": refused(
        401, error="invalid_client", error_description="The client secret has expired."
    ),
    "Microsoft: unknown application": microsoft(
        700016,
        "unauthorized_client",
        "Application with identifier '1' was not found in the directory 'Contoso'.",
    ),
    "Microsoft: no tenant": microsoft(
        90002, "invalid_request", "Tenant 'nowhere' not found."
    ),
    "Microsoft: another tenant": microsoft(
        50020,
        "interaction_required",
        "User account 'x@other.test' from identity provider 'live.com' does not exist "
        "in tenant 'Contoso'.",
    ),
    "Microsoft: not of the directory": microsoft(
        50034, "invalid_grant", "The user account does not exist in the directory."
    ),
    "Microsoft: not for several tenants": microsoft(
        50194, "invalid_request", "Application is not configured as multi-tenant."
    ),
    "Google: only inside": google(
        "org_internal",
        "This client is restricted to users within its organization.",
        403,
    ),
    "Microsoft: redirect": microsoft(
        50011, "invalid_request", "The redirect URI does not match those configured."
    ),
    "Microsoft: http redirect": microsoft(
        500112, "invalid_client", "The reply address 'http://x' does not match."
    ),
    "Google: redirect": google("redirect_uri_mismatch", "Bad Request"),
    "another's redirect": refused(
        400, error="invalid_grant", error_description="Incorrect redirect_uri"
    ),
    # Ended
    "invalid_grant": refused(400, error="invalid_grant"),
    "Google: revoked": google("invalid_grant", "Token has been expired or revoked."),
    "Google: account deleted": google("invalid_grant", "Account has been deleted"),
    "Microsoft: expired": microsoft(
        700082,
        "invalid_grant",
        "The refresh token has expired due to inactivity. The token was issued on "
        "2026-05-01 and was inactive for 90.00:00:00.",
    ),
    "Microsoft: password changed": microsoft(
        50173,
        "invalid_grant",
        "The provided grant has expired due to it being revoked, a fresh auth token is "
        "needed. The user might have changed or reset their password.",
    ),
    "Microsoft: session over": microsoft(
        50078, "interaction_required", "Presented multi-factor authentication expired."
    ),
    "Microsoft: sign-in frequency": microsoft(
        70043, "invalid_grant", "The refresh token has expired or is invalid."
    ),
    "Microsoft: malformed": microsoft(
        9002313, "invalid_grant", "Invalid request. Request is malformed or invalid."
    ),
    # Not allowed
    "Microsoft: consent missing": microsoft(
        65001,
        "invalid_grant",
        "The user or administrator has not consented to use the application.",
    ),
    "Microsoft: an administrator's consent": microsoft(
        90094, "access_denied", "Admin consent is required for the permissions."
    ),
    "another's scope": refused(400, error="invalid_scope"),
    "Microsoft: second factor": microsoft(
        50076,
        "invalid_grant",
        "Due to a configuration change made by your administrator, or because you "
        "moved to a new location, you must use multi-factor authentication.",
    ),
    "Microsoft: conditional access": microsoft(
        53003,
        "invalid_grant",
        "Access has been blocked by Conditional Access policies.",
    ),
    "Microsoft: security defaults": microsoft(
        530035, "access_denied", "Access has been blocked by security defaults."
    ),
    "Microsoft: not assigned": microsoft(
        50105, "invalid_grant", "The signed in user is not assigned to a role."
    ),
    "Google: administrator's policy": google(
        "admin_policy_enforced", "This action is blocked by your administrator."
    ),
    "Google: session control": google(
        "invalid_grant", "reauth related error", error_subtype="invalid_rapt"
    ),
    "Microsoft: user disabled": microsoft(
        50057, "invalid_grant", "The user account is disabled."
    ),
    "denied": refused(400, error="access_denied"),
    # Unusual, and still good
    "another content type": Fault(200, _JSON, "text/html"),
    "a mark before it": Fault(200, b"\xef\xbb\xbf" + _JSON),
    "no token type": changed(token_type=None),
    "another spelling of the type": changed(token_type="BEARER"),
    "no life": changed(expires_in=None),
    "a life in quotes": changed(expires_in="3600"),
    "a life of nothing": changed(expires_in=0),
    "a negative life": changed(expires_in=-1),
    "an endless life": changed(expires_in=10**15),
    "a life of words": changed(expires_in="soon"),
    "a life that is a list": changed(expires_in=[3600]),
    "chunks": Fault(
        act=raw(
            _OK + b"Transfer-Encoding: chunked\r\n\r\n",
            b"%x;x=y\r\n%b\r\n0\r\nX: y\r\n\r\n" % (len(_JSON), _JSON),
        )
    ),
    "up to the end": Fault(act=raw(_OK + b"\r\n" + _JSON)),
}
