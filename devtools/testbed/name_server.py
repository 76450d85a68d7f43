"""A DNS server on loopback with zones of a test's own, and its bad days.

    with NameServer(ZONE, faults={"hung.test": "hang"}) as names:
        ... names.address, names.port, names.asked ...

Like a resolver it follows CNAMEs inside its zones. Faults are by domain, its names
below included: "hang" (no answer), "servfail", "refused", "garbage" (octets that are no
answer), "liar" (an answer to another question).
"""

import contextlib
import socket
import threading
from collections.abc import Mapping

from dnslib import QTYPE, RCODE, DNSError, DNSLabel, DNSRecord
from dnslib.server import DNSHandler, DNSLogger, DNSServer, TCPServer, UDPServer
from dnslib.zoneresolver import ZoneResolver

from ..running import Running

_POLL = 0.05  # seconds until a server notices that it is stopped
_CODES = {"servfail": RCODE.SERVFAIL, "refused": RCODE.REFUSED}
_MOST_ALIASES = 20
_MOST_UDP = 1232  # what resolvers use without fragments; the rest comes over TCP


class NameServer(Running):
    """DNS over UDP and TCP; a context manager.

    `zone`: in the form of zone files, every name with its dot. It may be added to while
    the server runs (`add`). `port`: 0 for a free one. `asked`: (name, type) of each
    question so far, names in lower case without the last dot.
    """

    def __init__(
        self,
        zone: str = "",
        *,
        faults: Mapping[str, str] | None = None,
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.address = address
        self.asked: list[tuple[str, str]] = []
        self.faults = dict(faults or {})
        self._resolver = _Resolver(zone, self)
        self._servers = _servers(address, port, self._resolver)
        self.port: int = self._servers[0].server.server_address[1]

    def add(self, zone: str) -> None:
        """Take in further records."""
        self._resolver.zone += ZoneResolver(zone).zone

    def start(self) -> None:
        """Answer."""
        for each in self._servers:
            serve = each.server.serve_forever
            threading.Thread(target=serve, args=(_POLL,), daemon=True).start()

    def stop(self) -> None:
        """Answer no more."""
        for each in self._servers:
            each.stop()
            each.server.server_close()


class _Resolver(ZoneResolver):
    def __init__(self, zone: str, owner: NameServer) -> None:
        super().__init__(zone)
        self._owner = owner
        self._lock = threading.Lock()

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        name = str(request.q.qname).lower().removesuffix(".")
        kind = QTYPE[request.q.qtype]
        with self._lock:
            self._owner.asked.append((name, kind))
        fault = self._fault(name)
        if fault == "hang":
            raise DNSError("no answer")  # dnslib then sends none
        if fault == "liar":
            request = DNSRecord.question("lie.test", kind)
        reply = request.reply()
        if fault in _CODES:
            reply.header.rcode = _CODES[fault]
            return reply
        self._answer(reply, request.q.qname, kind)
        return reply

    def _fault(self, name: str) -> str:
        for domain, fault in self._owner.faults.items():
            if name == domain or name.endswith(f".{domain}"):
                return fault
        return ""

    def _answer(self, reply: DNSRecord, name: DNSLabel, kind: str) -> None:
        """What there is; dnslib's own calls a name without this type no name."""
        for _turn in range(_MOST_ALIASES):
            here = [(each, record) for of, each, record in self.zone if of == name]
            aliases = [record for each, record in here if each == "CNAME"]
            for each, record in here:
                if each == kind:
                    reply.add_answer(record)
            if not aliases or kind == "CNAME":
                if not here and not reply.rr:
                    reply.header.rcode = RCODE.NXDOMAIN
                return
            reply.add_answer(aliases[0])
            name = DNSLabel(str(aliases[0].rdata))


class _Handler(DNSHandler):
    def get_reply(self, data: bytes) -> bytes:
        request = DNSRecord.parse(data)
        name = str(request.q.qname).lower().removesuffix(".")
        if self.server.resolver._fault(name) == "garbage":
            return data[:2] + b"\xff" * 30
        reply = bytes(self.server.resolver.resolve(request, self).pack())
        if self.protocol == "udp" and len(reply) > _MOST_UDP:
            # dnslib's own truncation leaves out the question, too
            cut = request.reply()
            cut.header.tc = 1
            return bytes(cut.pack())
        return reply


class _Udp(UDPServer):
    def __init__(self, address: tuple[str, int], handler: type[DNSHandler]) -> None:
        self.allow_reuse_address = False
        super().__init__(address, handler)


class _Silent(DNSLogger):
    def __init__(self) -> None:
        super().__init__(log="-request,-reply,-truncated,-error")


def _servers(address: str, port: int, resolver: _Resolver) -> list[DNSServer]:
    """One for UDP and one for TCP, at the same port."""
    while True:
        with contextlib.closing(socket.socket()) as probe:
            probe.bind((address, port))
            wanted = probe.getsockname()[1]
        made: list[DNSServer] = []
        try:
            for tcp in (False, True):
                server = TCPServer if tcp else _Udp
                made.append(
                    DNSServer(
                        resolver,
                        address=address,
                        port=wanted,
                        tcp=tcp,
                        logger=_Silent(),
                        handler=_Handler,
                        server=server,
                    )
                )
        except OSError:
            for each in made:
                each.server.server_close()
            if port:
                raise
            continue
        return made
