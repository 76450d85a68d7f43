"""What `reports.classify` finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..message.headers import Headers


class Kind(str, Enum):
    """What a message is."""

    DELIVERY_REPORT = "delivery_report"
    READ_RECEIPT = "read_receipt"  # says nothing about delivery: never a bounce
    OTHER_REPORT = "other_report"  # spam complaints, DMARC and TLS statistics
    AUTO_REPLY = "auto_reply"
    AUTO_GENERATED = "auto_generated"
    BULK = "bulk"
    ORDINARY = "ordinary"


class Action(str, Enum):
    """What became of the mail to one recipient (RFC 3464, 2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"  # still trying: no bounce
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Recipient:
    """One recipient of a delivery report; what is unknown is "".

    `final`, `original`: normalised addresses; `original` is the one we wrote to when
    the mail was forwarded. `status`: RFC 3463. `diagnostic`: the server's own words,
    one line of at most 1,000 characters, not to be trusted as HTML.
    """

    final: str
    original: str = ""
    action: Action = Action.UNKNOWN
    status: str = ""
    diagnostic: str = ""
    remote_mta: str = ""


@dataclass(frozen=True)
class Original:
    """The message that is reported about.

    `ids`: where to look it up, the surest first: its Message-ID, the one before a
    server changed it, its References (which hold our mark). `headers`: when they were
    returned, for `Signer.in_headers` and the addressees.
    """

    ids: tuple[str, ...]
    headers: Headers | None = None


@dataclass(frozen=True)
class Report:
    """A classified message. `evidence`: what it was told by, for the log.

    `disposition`: of a receipt, "displayed", "deleted", ...; `text`: what the mail
    system says to people, at most 1,000 characters.
    """

    kind: Kind
    evidence: tuple[str, ...] = ()
    recipients: tuple[Recipient, ...] = ()
    original: Original | None = None
    reporting_mta: str = ""
    disposition: str = ""
    text: str = ""

    @property
    def failed(self) -> tuple[Recipient, ...]:
        """Those the mail didn't reach and won't."""
        return tuple(r for r in self.recipients if r.action is Action.FAILED)
