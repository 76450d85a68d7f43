"""Takes secrets out of text that came from, or went to, a server."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MARK = "***"
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{4,}={0,2}")
_URL_SAFE = str.maketrans("-_", "+/")


def redact(text: str, secrets: Iterable[str]) -> str:
    """Replace every secret in `text` by asterisks.

    Also found: other cases of letters, the quoted forms of IMAP and of URLs, and any
    base64 that contains a secret, as in AUTH PLAIN, LOGIN and XOAUTH2 (RFC 4616).
    """
    known = sorted({s for s in secrets if s}, key=len, reverse=True)
    if not known:
        return text
    needles = [secret.encode("utf-8", "surrogatepass") for secret in known]
    text = _BASE64.sub(
        lambda match: MARK if _holds(match.group(), needles) else match.group(), text
    )
    for form in sorted({f for s in known for f in _forms(s)}, key=len, reverse=True):
        text = re.sub(re.escape(form), MARK, text, flags=re.IGNORECASE)
    return text


def _forms(secret: str) -> set[str]:
    data = secret.encode("utf-8", "surrogatepass")
    return {
        secret,
        secret.replace("\\", "\\\\").replace('"', '\\"'),
        quote(data, safe=""),
        quote_plus(data),
        base64.b64encode(data).decode(),
    }


def _holds(token: str, needles: list[bytes]) -> bool:
    """Whether base64 `token` decodes to something with a secret in it.

    Its beginning may be cut off or glued to other text: all four alignments count.
    """
    plain = token.rstrip("=").translate(_URL_SAFE)
    return any(
        needle in decoded
        for start in range(4)
        for decoded in (_decode(plain[start:]),)
        for needle in needles
    )


def _decode(text: str) -> bytes:
    if len(text) % 4 == 1:
        text = text[:-1]
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        return b""
