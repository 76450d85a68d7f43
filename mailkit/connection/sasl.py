"""Signing in over SMTP with a password (RFC 4954, 4616, 2195)."""

from __future__ import annotations

import base64
import hmac
import smtplib
from collections.abc import Callable, Collection

from .settings import Credentials

# Takes a client that said EHLO; returns the last reply: its code and text.
Mechanism = Callable[[smtplib.SMTP, Credentials], "tuple[int, bytes]"]

# Replies to AUTH that are about the mechanism: another one may be tried. After any
# other refusal a second attempt would only count towards a lock-out.
OTHER_MECHANISM = (500, 501, 502, 503, 504)


def usable(offered: Collection[str], in_clear: bool) -> list[Mechanism]:
    """Return the mechanisms to try, the best first.

    Many servers offer CRAM-MD5 and cannot do it, since they keep hashes only; but in
    plain text (`in_clear`) it is the one that does not give the password away.
    smtplib's own login() tries it first everywhere, and takes ASCII only.
    """
    order = ["PLAIN", "LOGIN", "CRAM-MD5"]
    if in_clear:
        order = ["CRAM-MD5", "PLAIN", "LOGIN"]
    return [_MECHANISMS[name] for name in order if name in offered]


def _plain(client: smtplib.SMTP, credentials: Credentials) -> tuple[int, bytes]:
    token = _b64(f"\0{credentials.login}\0{credentials.password}")
    return client.docmd("AUTH", f"PLAIN {token}")


def _login(client: smtplib.SMTP, credentials: Credentials) -> tuple[int, bytes]:
    code, text = client.docmd("AUTH", "LOGIN")
    for answer in (credentials.login, credentials.password):
        if code != 334:
            break
        code, text = client.docmd(_b64(answer))
    return code, text


def _cram_md5(client: smtplib.SMTP, credentials: Credentials) -> tuple[int, bytes]:
    code, text = client.docmd("AUTH", "CRAM-MD5")
    if code != 334:
        return code, text
    challenge = base64.b64decode(text)
    digest = hmac.new(credentials.password.encode(), challenge, "md5").hexdigest()
    return client.docmd(_b64(f"{credentials.login} {digest}"))


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


_MECHANISMS: dict[str, Mechanism] = {
    "PLAIN": _plain,
    "LOGIN": _login,
    "CRAM-MD5": _cram_md5,
}
