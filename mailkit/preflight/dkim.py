"""DKIM: whether the key of a signature is published (RFC 6376).

The signature itself is not computed again: the receiving server has done that.
"""

from __future__ import annotations

import base64
import binascii
import re
from enum import Enum

from . import tags
from .lookups import Lookups, Status
from .signatures import Signature

# Octets of a key in DER: 1024 bits of RSA take 162, and receivers refuse fewer.
_LEAST_RSA = 130


class KeyState(str, Enum):
    """What is published for a selector."""

    GOOD = "good"
    MISSING = "missing"
    REVOKED = "revoked"  # an empty p= (section 3.6.1)
    BROKEN = "broken"
    UNKNOWN = "unknown"  # DNS did not answer


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
