"""DKIM: who signed a message, and whether the key for it is published (RFC 6376).

The signature itself is not computed again: the receiving server has done that.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from . import tags
from .lookups import Lookups, Status

_MOST_SIGNATURES = 10
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,250}[A-Za-z0-9])?")
# Octets of a key in DER: 1024 bits of RSA take 162, and receivers refuse fewer.
_LEAST_RSA = 130


class KeyState(str, Enum):
    """What is published for a selector."""

    GOOD = "good"
    MISSING = "missing"
    REVOKED = "revoked"  # an empty p= (section 3.6.1)
    BROKEN = "broken"
    UNKNOWN = "unknown"  # DNS did not answer


@dataclass(frozen=True)
class Signature:
    """What a DKIM-Signature field says of itself: d= and s=, in lower case."""

    domain: str
    selector: str

    @property
    def name(self) -> str:
        """Where its key is."""
        return f"{self.selector}._domainkey.{self.domain}"


def signatures(values: Sequence[str]) -> tuple[Signature, ...]:
    """Of DKIM-Signature fields; what is broken is left out."""
    found: dict[Signature, None] = {}
    for value in values[:_MOST_SIGNATURES]:
        try:
            said = tags.parse(re.sub(r"\s+", " ", value[:4096]))
        except tags.BadTags:
            continue
        domain, selector = said.get("d", "").lower(), said.get("s", "").lower()
        if _NAME.fullmatch(domain) and _NAME.fullmatch(selector):
            found[Signature(domain, selector)] = None
    return tuple(found)


def key_state(text: str) -> KeyState:
    """What one TXT record is as a key."""
    try:
        said = tags.parse(text)
    except tags.BadTags:
        return KeyState.BROKEN
    if "p" not in said or said.get("v", "DKIM1") != "DKIM1":
        return KeyState.BROKEN
    data = re.sub(r"\s+", "", said["p"])
    if not data:
        return KeyState.REVOKED
    try:
        key = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return KeyState.BROKEN
    kind = said.get("k", "rsa").lower()
    if kind == "ed25519":
        return KeyState.GOOD if len(key) == 32 else KeyState.BROKEN
    is_rsa = kind == "rsa" and key[:1] == b"\x30" and len(key) >= _LEAST_RSA
    return KeyState.GOOD if is_rsa else KeyState.BROKEN


def published(lookups: Lookups, signature: Signature) -> KeyState:
    """What DNS has for a signature. Of several records any good one will do."""
    found = lookups.texts(signature.name)
    if found.status is Status.FAILED:
        return KeyState.UNKNOWN
    states = [key_state(text) for text in found.values]
    for state in (KeyState.GOOD, KeyState.REVOKED, KeyState.BROKEN):
        if state in states:
            return state
    return KeyState.MISSING
