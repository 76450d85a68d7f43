"""What a message that came back tells: who signed it, which server handed it over, and
what the receiving server found.

All of it is read from above: a server writes its fields on top, and what stands below
may come from the sender (RFC 8601 section 5).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..connection.network import is_public
from ..message import fields
from ..message.address_fields import parse
from .signatures import Signature, signatures

_MOST_HOPS = 30
_ADDRESS = re.compile(r"[\[(](?:IPv6:)?([0-9a-f:.]{3,45})[\])]", re.IGNORECASE)
_WITH = re.compile(r" with ([A-Za-z0-9]{1,40})", re.IGNORECASE)
# A sign-in stands in RFC 3848's names: ESMTPA, ESMTPSA, LMTPSA, UTF8SMTPSA ...
_SUBMITTED = re.compile(r".{0,40}SMTPS?A|HTTP.{0,40}|MAPI|LMTP.{0,40}", re.IGNORECASE)
_COMMENT = re.compile(r"\([^()]*\)")
_RESULT = re.compile(r"\A\s*(spf|dkim|dmarc)\s*=\s*([a-z]+)(.*)", re.I | re.DOTALL)
_PROPERTY = re.compile(
    r"\b([a-z]{1,20})\.([a-z]{1,20})\s{0,20}=\s{0,20}\"?([^\s\";]{1,255})",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Result:
    """One result of the receiving server: "dkim", "pass", and the domain it is for
    (header.d, smtp.mailfrom, header.from), "" when it is not told.
    """

    method: str
    value: str
    domain: str = ""


@dataclass(frozen=True)
class Evidence:
    """`address`: of the server that handed the message over to the receiving one, ""
    when it never left the service, or none is told. `return_path`: the domain that
    bounces go to. `signatures`: who signed. `results`: of the receiving server.
    """

    address: str = ""
    return_path: str = ""
    signatures: tuple[Signature, ...] = ()
    results: tuple[Result, ...] = ()

    def result(self, method: str, domains: Sequence[str]) -> str:
        """What the receiving server says, "" nothing. `domains`: for one of these."""
        values = [
            result.value
            for result in self.results
            if result.method == method and result.domain in domains
        ]
        return "pass" if "pass" in values else next(iter(values), "")


def read(head: bytes, own_hosts: Sequence[str]) -> Evidence:
    """Of a header block. `own_hosts`: servers that receive for the mailbox: its MX and
    the server that it is read from; nobody else's Authentication-Results count.
    """
    found = fields.split(head, every=True)

    def texts(name: str) -> list[str]:
        return [fields.text(value) for value in found.get(name, ())]

    paths = parse(texts("return-path"))
    return Evidence(
        _handed_over(texts("received")),
        next((each.email.rpartition("@")[2].lower() for each in paths), ""),
        signatures(texts("dkim-signature")),
        _results(texts("authentication-results"), own_hosts),
    )


def _handed_over(hops: Sequence[str]) -> str:
    """The topmost public address that mail came from without a sign-in."""
    for hop in hops[:_MOST_HOPS]:
        client = _client(hop)
        for text in _ADDRESS.findall(client):
            try:
                address = str(ipaddress.ip_address(text))
            except ValueError:
                continue
            if is_public(address):
                return address
    return ""


def _client(hop: str) -> str:
    """What a Received field says of who handed the message over without a sign-in:
    "from NAME (OTHER [1.2.3.4]) by ... with ESMTP" (Postfix, Exim, Exchange, Gmail).
    """
    words = hop.split()
    lower = [word.lower() for word in words]
    if lower[:1] != ["from"] or "by" not in lower[2:-1]:
        return ""
    way = _WITH.search(" ".join(words))
    if way and _SUBMITTED.fullmatch(way[1]):
        return ""
    return " ".join(words[1 : lower.index("by", 2)])


def _results(values: Sequence[str], own_hosts: Sequence[str]) -> tuple[Result, ...]:
    """Of the topmost field, if the receiving server wrote it."""
    for value in values[:1]:
        plain = _COMMENT.sub(" ", _COMMENT.sub(" ", value[:10_000]))
        server, *parts = plain.split(";")
        words = server.split()
        name = words[0].lower() if words else ""
        if any(is_related(name, host) for host in own_hosts):
            return tuple(filter(None, map(_result, parts)))
    return ()


def _result(part: str) -> Result | None:
    found = _RESULT.match(part)
    if not found:
        return None
    method = found[1].lower()
    wanted = {
        "spf": ("smtp.mailfrom", "smtp.mail"),
        "dkim": ("header.d", "header.i"),
        "dmarc": ("header.from",),
    }[method]
    said = {f"{a}.{b}".lower(): value for a, b, value in _PROPERTY.findall(found[3])}
    values = (said[name] for name in wanted if name in said)
    domain = next(values, "").rpartition("@")[2].lower()
    return Result(method, found[2].lower(), domain)


def is_related(name: str, host: str) -> bool:
    """Whether two servers are of one operator: the same name, one below the other, or
    both below one that is no mere suffix like "co.uk".
    """
    first, second = (each.lower().rstrip(".").split(".") for each in (name, host))
    if len(first) < 2 or len(second) < 2:
        return False
    common = 0
    while (
        common < min(len(first), len(second))
        and first[-1 - common] == second[-1 - common]
    ):
        common += 1
    if common in (len(first), len(second)):
        return True
    return common > 2 or (common == 2 and len(first[-2]) > 3)
