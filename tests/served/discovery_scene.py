"""An Odoo whose whole world of names is ours: its resolver, and the web servers there.

Odoo runs as customers run it, with the places that it asks in production. It is the
machine's own settings that differ: in a mount namespace of its own, `/etc/resolv.conf`
names a DNS server on loopback, which leads every name to a web server there.
"""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from site_setup import Site, prepare

from devtools.console import under_ci
from devtools.served import ServedOdoo
from devtools.testbed.bed import TestBed
from devtools.testbed.ca import TestCA
from devtools.testbed.name_server import NameServer
from devtools.testbed.web_server import Page, WebServer

AUTOCONFIG = "/mail/config-v1.1.xml"
DIRECTORY = "autoconfig.thunderbird.net"
_IN_NAMESPACE = (
    'mount --bind "$1" /etc/resolv.conf && mount --bind "$2" /etc/hosts'
    ' && shift 2 && exec "$@"'
)


@dataclass
class OwnWorld:
    """The site, the name server and the web server that it is led to.

    `address`: that of both, on loopback.
    """

    site: Site
    names: NameServer
    web: WebServer
    address: str

    def lead(self, *names: str, to: str = "") -> None:
        """Let names have an address: the web server's, or another one."""
        self.names.add("\n".join(f"{n}. 60 IN A {to or self.address}" for n in names))

    def configure(self, domain: str, document: str | Page) -> None:
        """Let a domain have an autoconfig."""
        host = f"autoconfig.{domain}"
        page = Page(document.encode()) if isinstance(document, str) else document
        self.lead(host)
        self.web.pages.setdefault(host, {})[AUTOCONFIG] = page


def configuration(bed: TestBed, host: str) -> str:
    """An autoconfig that leads to the bed."""
    servers = (
        ("incomingServer", "imap", bed.imap_ssl),
        ("outgoingServer", "smtp", bed.smtp_ssl),
    )
    inside = "".join(
        f'<{name} type="{kind}"><hostname>{host}</hostname><port>{port}</port>'
        "<socketType>SSL</socketType><username>%EMAILADDRESS%</username>"
        f"<authentication>password-cleartext</authentication></{name}>"
        for name, kind, port in servers
    )
    return (
        '<clientConfig version="1.1"><emailProvider id="x">'
        f"{inside}</emailProvider></clientConfig>"
    )


@pytest.fixture(scope="module")
def own_world(
    bed: TestBed, new_odoo: Callable[..., ServedOdoo], folder: Path
) -> Iterator[OwnWorld]:
    """Without accounts and presets of its own; nobody's autoconfig is there yet."""
    if os.geteuid() or not shutil.which("unshare"):
        reason = "a resolver of one's own needs root and unshare (util-linux)"
        (pytest.fail if under_ci() else pytest.skip)(reason)
    octets = [random.randint(2, 250) for _octet in range(3)]  # noqa: S311
    address = ".".join(map(str, (127, *octets)))
    authority = TestCA(bed.folder / "ca")
    with ExitStack() as stack:
        names = stack.enter_context(NameServer(address=address, port=53))
        pages: dict[str, dict[str, Page]] = {DIRECTORY: {}}
        web = WebServer(pages, address=address, port=443, authority=authority)
        stack.enter_context(web)
        resolv, hosts = folder / "resolv.conf", folder / "hosts"
        resolv.write_text(f"nameserver {address}\noptions timeout:1 attempts:1\n")
        hosts.write_text("127.0.0.1 localhost\n")
        command = ("unshare", "--mount", "sh", "-c", _IN_NAMESPACE, "sh")
        odoo = new_odoo(
            smtp_port=bed.relay, through=(*command, str(resolv), str(hosts))
        )
        site = prepare(odoo, bed)
        presets = site.admin.call(
            "mail.external.provider", "search", [("domains", "like", "brand-")]
        )
        site.admin.call("mail.external.provider", "unlink", presets)
        world = OwnWorld(site, names, web, address)
        world.lead(DIRECTORY)
        world.lead("mail.brand-a.test", "mail.corp.test", to="127.0.0.1")
        yield world
