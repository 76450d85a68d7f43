"""Every public function, method and property of mailkit, called with hostile text.

What a parameter is given follows from its annotation, so that a new function is
measured as soon as it is there.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import pkgutil
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from datetime import date, datetime, timezone
from functools import partial
from typing import Any, NamedTuple

import mailkit
from mailkit.answers.matching import Facts
from mailkit.answers.token import Signer
from mailkit.connection.network import Deadline
from mailkit.connection.replies import Stage
from mailkit.connection.session import Course, Mechanism
from mailkit.connection.settings import Credentials, Protocol, Security, Server
from mailkit.discovery.found import Found, Offer, Source
from mailkit.discovery.search import Search
from mailkit.errors import ErrorCode, MailError, ServerReply
from mailkit.given_ids import IdRule
from mailkit.http import Target
from mailkit.imap.folders import Folder
from mailkit.imap.grammar import Untagged
from mailkit.imap.session import Answer
from mailkit.message import fields, mime
from mailkit.message.address import Address
from mailkit.message.address_fields import parse
from mailkit.message.headers import Headers, parse_headers
from mailkit.message.lightening import HeavyPart
from mailkit.oauth import Client
from mailkit.preflight import spf
from mailkit.preflight.dmarc import Walks
from mailkit.preflight.evidence import Evidence, Result
from mailkit.preflight.judge import Case
from mailkit.preflight.lookups import Answer as DnsAnswer
from mailkit.preflight.lookups import Lookups, Status
from mailkit.preflight.signatures import Signature
from mailkit.round_trip import Sent

MOMENT = datetime(2026, 1, 1, tzinfo=timezone.utc)
SIGNER = Signer(b"k" * 32, "a")
# Fields that are read, each with the hostile text in it; of those that are read in the
# same way one.
_HEAD = "".join(
    f"{name.decode()}: %s\n"
    for name, known in fields._WANTED.items()
    if known not in ("cc", *fields.DELIVERY_FIELDS, *fields.OWN_ID_FIELDS[1:])
)


class Subject(NamedTuple):
    """`call` takes the values that `makers` make of a text, by parameter."""

    name: str
    call: Callable[..., object]
    makers: dict[str, Callable[[str], Any]]

    def cases(self) -> Iterator[tuple[str, Callable[[str], Any]]]:
        """(parameter, what makes its value): each hostile alone, then all of them."""
        for name in self.makers:
            if (self.name, name) in OURS:
                continue
            yield name, partial(self._values, [name])
        foreign = [name for name in self.makers if (self.name, name) not in OURS]
        if len(foreign) > 1:
            yield "all", partial(self._values, foreign)

    def _values(self, hostile: list[str], text: str) -> dict[str, Any]:
        return {
            name: make(text if name in hostile else "a@b.test")
            for name, make in self.makers.items()
        }


def modules() -> Iterator[types.ModuleType]:
    """Every module of mailkit, in its packages too."""
    for info in pkgutil.walk_packages(mailkit.__path__, "mailkit."):
        if not info.ispkg:
            yield importlib.import_module(info.name)


def public() -> dict[str, Any]:
    """Functions, methods and properties that mailkit offers, by name."""
    found: dict[str, Any] = {}
    for module in modules():
        short = module.__name__.removeprefix("mailkit.")
        for name, value in vars(module).items():
            if (
                name.startswith("_")
                or getattr(value, "__module__", "") != module.__name__
            ):
                continue
            if inspect.isfunction(value):
                found[f"{short}.{name}"] = value
            elif inspect.isclass(value) and not issubclass(value, enum.Enum):
                found.update(_members(f"{short}.{name}", value))
    return found


def _members(prefix: str, owner: type) -> dict[str, Any]:
    if owner is Headers:
        return {prefix: owner}  # all its properties together: they share their fields
    found: dict[str, Any] = {}
    if is_dataclass(owner) and "__post_init__" in vars(owner):
        found[prefix] = owner
    for name, value in vars(owner).items():
        plain = getattr(value, "__func__", value)  # of a classmethod
        if not name.startswith("_") and (
            inspect.isfunction(plain) or isinstance(plain, property)
        ):
            found[f"{prefix}.{name}"] = value
    return found


def subject(name: str, value: Any) -> Subject:
    """How to call one of `public` with texts.

    :raise KeyError: a parameter is of a kind that nobody makes here
    """
    if value is Headers:
        return Subject(name, _read_all, {"octets": _raw_headers})
    if not isinstance(value, type) and name.rpartition(".")[0] not in _module_names():
        return _method(name, value)
    return Subject(name, _used_up(value), _makers(value))


def _method(name: str, value: Any) -> Subject:
    *module, class_name, member = name.split(".")
    owner = getattr(importlib.import_module(".".join(["mailkit", *module])), class_name)
    make_owner = OWNERS[owner.__name__]
    if isinstance(value, property):
        return Subject(
            name, lambda owner: getattr(owner, member), {"owner": make_owner}
        )
    makers = _makers(getattr(value, "__func__", value))
    return Subject(
        name,
        lambda owner, **values: _exhaust(getattr(owner, member)(**values)),
        {"owner": make_owner, **makers},
    )


def _module_names() -> set[str]:
    return {module.__name__.removeprefix("mailkit.") for module in modules()}


def _read_all(octets: bytes) -> object:
    headers = parse_headers(octets)
    own = vars(Headers).items()
    return [getattr(headers, name) for name, each in own if isinstance(each, property)]


def _used_up(function: Callable[..., object]) -> Callable[..., object]:
    return lambda **values: _exhaust(function(**values))


def _exhaust(value: object) -> object:
    return list(value) if isinstance(value, Iterator) else value


def _makers(function: Any) -> dict[str, Callable[[str], Any]]:
    hints = typing.get_type_hints(
        getattr(function, "__init__", function)
        if isinstance(function, type)
        else function
    )
    parameters = inspect.signature(function).parameters
    found = {}
    for name, parameter in parameters.items():
        if name in ("self", "cls"):
            continue
        kind = hints.get(name)
        if parameter.default is not parameter.empty and kind not in (str, bytes):
            continue
        found[name] = KINDS[_plain(kind)]
    return found


def _plain(kind: Any) -> Any:
    """As a key of `KINDS`: Iterable, Sequence, Collection are one; None counts not."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is None:
        return kind
    arguments = tuple(_plain(each) for each in arguments if each is not type(None))
    if origin in (typing.Union, types.UnionType):
        return arguments[0]
    if origin in (dict, typing.get_origin(typing.Mapping)):
        return (dict, *arguments)
    return ("many", arguments[0])


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _raw_headers(text: str) -> bytes:
    return _octets(_HEAD.replace("%s", text.replace("\n", "\n ")))


def _headers(text: str) -> Headers:
    return parse_headers(_raw_headers(text))


def _pieces(text: str) -> list[str]:
    return [text, *(text[at : at + 40] for at in range(0, len(text), 40))]


def _untagged(text: str) -> list[Untagged]:
    octets = _octets(text)
    many = [octets[at : at + 80] for at in range(0, len(octets), 80)]
    return [
        Untagged(begin + part, (octets,))
        for begin in (b"", b"1 FETCH (", b'LIST () "/" ', b"STATUS a (", b"SEARCH ")
        for part in (octets, *many)
    ]


def _offers(text: str) -> list[Offer]:
    kinds = list(Protocol)
    return [
        Offer(kinds[number % 3], each, 465, Security.SSL, each, number % 2 == 0)
        for number, each in enumerate(_pieces(text))
    ]


def _found(text: str) -> Found:
    server = Offer(Protocol.SMTP, text, 465, Security.SSL, text)
    return Found(Source.SRV, text, server, server, server)


class _Zone(Lookups):
    """DNS that has the hostile text in every record."""

    def __init__(self, text: str) -> None:
        super().__init__(Deadline(3600), allow_private=True)
        self._text = text

    def _asked(self, name: str, kind: str) -> DnsAnswer:
        begin = "v=spf1 "
        if "_domainkey" in name:
            begin = "v=DKIM1; p="
        elif name.startswith("_dmarc."):
            begin = "v=DMARC1; p=none; "
        values = {
            "TXT": (begin + self._text,),
            "A": ("192.0.2.1",),
            "AAAA": ("2001:db8::1",),
        }
        found = values.get(kind, tuple(_pieces(self._text)))
        return DnsAnswer(Status.FOUND, found)


def _evidence(text: str) -> Evidence:
    pieces = _pieces(text)
    return Evidence(
        "192.0.2.1",
        text,
        tuple(Signature(each, each) for each in pieces[:10]),
        tuple(Result("dkim", each, each) for each in pieces),
    )


def _sent(text: str) -> Sent:
    return Sent("<a@b.test>", text, text, text, text, text, text, "X-Odoo-Test", "c")


# No text of others reaches these, or only by what is measured: why.
_NUMBERS = "numbers and moments only"
_SPEAKS = "what a server says comes through Wire and Dialog to imap.grammar and replies"
_ASKS = "what a service says comes through http.client to oauth_answers and _refusals"
NOT_MEASURED = {
    "checks.run": _SPEAKS,
    "imap.session.ImapSession": _SPEAKS,
    "imap.session.Dialog": "measured with a server that talks, see test_growth",
    "imap.session.Spill": "a file",
    "imap.mailbox.ImapMailbox": _SPEAKS,
    "imap.mailbox.ImapBatch": _NUMBERS,
    "imap.folders.FolderStatus": _NUMBERS,
    "imap.folders.FolderState": _NUMBERS,
    "imap.folders.follow": _NUMBERS,
    "connection.network.Deadline": _NUMBERS,
    "connection.network.connect": "addresses that were resolved",
    "connection.network.resolve": "the host of a Server, which was checked",
    "pop3.Pop3Mailbox": _SPEAKS,
    "probe.find": _SPEAKS,
    "probe.remove": _SPEAKS,
    "connection.session.Session": _SPEAKS,
    "smtp.SmtpSession": _SPEAKS,
    "connection.network.speaks_tls": "a socket",
    "connection.network.conceal": "it waits",
    "records.is_available": "no parameters",
    "records.NameServers": "what a name server says, dnspython reads",
    "discovery.web.fetch": "what a web server says comes through Wire and http.client",
    "discovery.guessing.answering": _SPEAKS,
    "discovery.services.ask": "names and numbers of records",
    "discovery.search.Search.ask": "what others say comes from the functions around it",
    "connection.network.Wire": "measured with a server that talks, see test_growth",
    "http.request": _ASKS,
    "oauth.redeem": _ASKS,
    "oauth.refresh": _ASKS,
    "oauth.revoke": _ASKS,
    "oauth.check": _ASKS,
}


# Parameters that get no foreign text, but one of ours.
OURS = {
    ("message.author.dmarc_passed", "authserv_id"),
    ("message.author.dmarc_passed", "domain"),
    ("message.mime.without_tags", "instead"),
    ("connection.replies.redact", "secrets"),
    ("oauth_refusals.refusal", "secrets"),
    ("oauth_refusals.no_answer", "secrets"),
}
KINDS: dict[Any, Callable[[str], Any]] = {
    str: str,
    bytes: _octets,
    int: lambda text: 100,
    float: lambda text: 1.0,
    bool: bool,
    datetime: lambda text: MOMENT,
    date: lambda text: MOMENT,
    Address: Address,
    Headers: _headers,
    Stage: lambda text: Stage.BODY,
    ServerReply: lambda text: ServerReply(550, "5.7.1", text),
    ErrorCode: lambda text: ErrorCode.REFUSED,
    Facts: lambda text: Facts(correspondents={"a@b.test": {text}}, own={text}),
    Protocol: lambda text: Protocol.IMAP,
    Security: lambda text: Security.SSL,
    Credentials: lambda text: Credentials("anna", "secret"),
    Server: lambda text: Server(Protocol.SMTP, "b.test", 465, Security.SSL),
    Client: lambda text: Client(
        "a", "b", f"https://b.test/?{text}", "", scopes=(text,)
    ),
    object: lambda text: text,
    (dict, str, object): lambda text: {
        "error": text,
        "error_description": text,
        "access_token": text,
        "refresh_token": text,
    },
    (dict, str, str): lambda text: {"retry-after": text, "date": text},
    Mechanism: lambda text: Mechanism("", b"", course=Course(True, _octets(text))),
    MailError: lambda text: MailError(
        ErrorCode.LOGIN_REFUSED, reply=ServerReply(535, "5.7.8", text)
    ),
    Source: lambda text: Source.SRV,
    Lookups: _Zone,
    Signature: lambda text: Signature(text, text),
    Evidence: _evidence,
    IdRule: lambda text: IdRule(1, text),
    Sent: _sent,
    spf.Client: lambda text: spf.Client(service=frozenset({text})),
    Found: lambda text: _found(text),
    ("many", Offer): lambda text: _offers(text),
    ("many", int): lambda text: range(0, 3 * len(text), 3)[:],
    ("many", str): _pieces,
    ("many", Address): lambda text: parse(_pieces(text)),
    ("many", Untagged): _untagged,
    ("many", Folder): lambda text: [
        Folder(each, each, delimiter="/") for each in _pieces(text)
    ],
}
OWNERS: dict[str, Callable[[str], Any]] = {
    "Target": lambda text: Target(text, 1, Security.SSL, text),
    "Found": _found,
    "Walks": lambda text: Walks(_Zone(text)),
    "Lookups": _Zone,
    "Evidence": _evidence,
    "Signature": lambda text: Signature(text, text),
    "Case": lambda text: Case(text, text, _evidence(text)),
    "Term": lambda text: spf.Term(text, value=text, text=text),
    "Sent": _sent,
    "Search": lambda text: Search("anna@b.test", ca_pem=text),
    "Address": Address,
    "Headers": _headers,
    "Signer": lambda text: SIGNER,
    "Answer": lambda text: Answer(b"OK", _octets(text), ()),
    "Mechanism": lambda text: Mechanism("PLAIN", _octets(text)),
    "HeavyPart": lambda text: HeavyPart(b"", 0, len(text), "base64", ""),
    "Part": lambda text: mime.message(_octets(text)),
}
