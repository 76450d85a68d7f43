"""Questions to DNS: few, each with a deadline, and an answer that is never an error."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ..connection.network import Deadline, is_public
from ..errors import MailError
from ..message.address import ascii_domain
from ..records import NameServers

#: Questions for one address: SPF's ten look-ups with their addresses, and the rest.
MOST_QUESTIONS = 120
# Seconds for one of them.
_SECONDS = 4.0
# Records of one name, and octets of one text, that are read.
_MOST_RECORDS = 200
_MOST_OCTETS = 8192


class Status(str, Enum):
    """How DNS answered."""

    FOUND = "found"
    NOTHING = "nothing"  # the name has no record of this type, or is none
    FAILED = "failed"  # nobody answered (in time), or with an error


@dataclass(frozen=True)
class Answer:
    """`values`: TXT: each record's strings joined, undecodable octets as "\\ufffd".
    A, AAAA: addresses. MX, PTR: lower-case host names, MX by preference.
    """

    status: Status
    values: tuple[str, ...] = ()


_SYSTEM = NameServers()


class Lookups:
    """Asks, remembers, and stops asking when the time or the questions are used up.

    `allow_private`: whether an answer may be an address of an internal network; else
    there is none. `questions`: how many were asked.
    """

    def __init__(
        self,
        deadline: Deadline,
        servers: NameServers = _SYSTEM,
        *,
        allow_private: bool = False,
    ) -> None:
        self._deadline = deadline
        self._servers = servers
        self._allow_private = allow_private
        self._known: dict[tuple[str, str], Answer] = {}
        self.questions = 0

    def texts(self, name: str) -> Answer:
        """TXT records."""
        return self._ask(name, "TXT")

    def hosts(self, name: str) -> Answer:
        """MX records. A null MX (RFC 7505) is none."""
        return self._ask(name, "MX")

    def addresses(self, name: str, version: int) -> Answer:
        """A (4) or AAAA (6) records."""
        return self._ask(name, "A" if version == 4 else "AAAA")

    def names(self, address: str) -> Answer:
        """PTR records of an IP address."""
        return self._ask(ipaddress.ip_address(address).reverse_pointer, "PTR")

    def _ask(self, name: str, kind: str) -> Answer:
        name = _plain(name)
        if not name:
            return Answer(Status.NOTHING)
        key = (name, kind)
        if key not in self._known:
            self._known[key] = self._vetted(self._asked(name, kind), kind)
        return self._known[key]

    def _vetted(self, answer: Answer, kind: str) -> Answer:
        """Who may not reach the internal network is not told what is in it."""
        if kind not in ("A", "AAAA") or self._allow_private:
            return answer
        if all(map(is_public, answer.values)):
            return answer
        return Answer(Status.NOTHING)

    def _asked(self, name: str, kind: str) -> Answer:
        if self.questions >= MOST_QUESTIONS or self._deadline.over:
            return Answer(Status.FAILED)
        self.questions += 1
        try:
            limit = self._deadline.within(_SECONDS)
            records = self._servers.records(name, kind, limit)
        except MailError:
            return Answer(Status.FAILED)
        values = _values(list(records)[:_MOST_RECORDS], kind)
        return Answer(Status.FOUND if values else Status.NOTHING, values)


def _plain(name: str) -> str:
    """The name as it is asked for, "" for what is no name."""
    name = name.strip().rstrip(".").lower()
    try:
        labels = ascii_domain(name) if not name.isascii() else name
    except ValueError:
        return ""
    parts = labels.split(".")
    if len(labels) > 253 or not all(0 < len(part) < 64 for part in parts):
        return ""
    return labels if labels.isascii() and labels.isprintable() else ""


def _values(records: list[Any], kind: str) -> tuple[str, ...]:
    if kind == "TXT":
        joined = (b"".join(record.strings)[:_MOST_OCTETS] for record in records)
        return tuple(text.decode("utf-8", "replace") for text in joined)
    if kind == "MX":
        ranked = sorted(records, key=lambda record: int(record.preference))
        hosts = (str(record.exchange).rstrip(".").lower() for record in ranked)
        return tuple(filter(None, hosts))
    if kind == "PTR":
        return tuple(str(record.target).rstrip(".").lower() for record in records)
    return tuple(str(record.address) for record in records)
