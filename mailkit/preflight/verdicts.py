"""What is found about an address, in words that the caller puts into sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Subject(str, Enum):
    """What was judged."""

    SPF = "spf"
    DKIM = "dkim"
    DMARC = "dmarc"


class Verdict(str, Enum):
    """How a receiver will judge."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    NEUTRAL = "neutral"  # neither for nor against
    NO_POLICY = "no_policy"  # the domain says nothing
    UNKNOWN = "unknown"  # cannot be judged from here


class Reason(str, Enum):
    """Why. The value is stable: it is translated."""

    DNS_FAILED = "dns_failed"
    # SPF (RFC 7208)
    SPF_AUTHORISED = "spf_authorised"
    SPF_AUTHORISED_LATE = "spf_authorised_late"  # but too many look-ups behind it
    SPF_MISSING = "spf_missing"
    SPF_NOT_AUTHORISED = "spf_not_authorised"
    SPF_NEUTRAL = "spf_neutral"
    SPF_SEVERAL = "spf_several"
    SPF_SYNTAX = "spf_syntax"
    SPF_LOOKUPS = "spf_lookups"  # more than ten
    SPF_VOID = "spf_void"  # more than two that find nothing
    SPF_LOOP = "spf_loop"
    SPF_TARGET = "spf_target"  # an include or redirect leads to no record
    SPF_SERVICE_UNKNOWN = "spf_service_unknown"  # nobody knows where it sends from
    SPF_OTHER_SENDER = "spf_other_sender"  # bounces go elsewhere: counts for no DMARC
    # DKIM (RFC 6376)
    DKIM_PASSED = "dkim_passed"  # the receiving server says so
    DKIM_SIGNED = "dkim_signed"  # the test mail was, and the key is there
    DKIM_KEY_FOUND = "dkim_key_found"  # a key of the service is there
    DKIM_FAILED = "dkim_failed"
    DKIM_OTHER_DOMAIN = "dkim_other_domain"  # signed, but by another domain
    DKIM_KEY_MISSING = "dkim_key_missing"
    DKIM_KEY_BROKEN = "dkim_key_broken"
    DKIM_KEY_REVOKED = "dkim_key_revoked"
    DKIM_NOT_SIGNED = "dkim_not_signed"
    DKIM_SELECTOR_UNKNOWN = "dkim_selector_unknown"
    # DMARC (RFC 7489)
    DMARC_PASSED = "dmarc_passed"
    DMARC_FAILED = "dmarc_failed"
    DMARC_OPEN = "dmarc_open"  # there is a policy; whether mail passes is not known
    DMARC_MISSING = "dmarc_missing"
    DMARC_SEVERAL = "dmarc_several"
    DMARC_SYNTAX = "dmarc_syntax"


@dataclass(frozen=True)
class Finding:
    """One of three. `values`: what the sentence names ("domain", "record", "term",
    "service", "policy", ...). `name`, `record`: what to publish in DNS as TXT, where
    that is known exactly, else "".
    """

    subject: Subject
    verdict: Verdict
    reason: Reason
    values: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    record: str = ""
