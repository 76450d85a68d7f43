"""How configuration files are got: over HTTPS only, from vetted addresses.

Thunderbird asks `http://` as well. Whoever is on the way could then name the server
that gets the password, with a certificate of its own: here it is not asked.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import quote, urljoin, urlsplit

from .. import http
from ..connection.network import Deadline
from ..errors import ErrorCode, MailError
from .autoconfig import MOST

#: Of a domain, the first that answers (Thunderbird's order). The address is told to
#: the domain's own server only, which knows it.
AUTOCONFIG = (
    "https://autoconfig.{domain}/mail/config-v1.1.xml?emailaddress={email}",
    "https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml",
)
#: Mozilla's public collection: it is told the domain, never the address.
ISPDB = "https://autoconfig.thunderbird.net/v1.1/{domain}"
_MOST_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_HEADERS = {"Accept": "text/xml, application/xml", "User-Agent": "Odoo"}


def address_of(pattern: str, domain: str, email: str) -> str:
    """The URL that `pattern` means for a domain and an address of it."""
    return pattern.format(domain=domain, email=quote(email, safe=""))


def fetch(url: str, deadline: Deadline, *, allow_private: bool, ca_pem: str) -> bytes:
    """What `url` answers, after three redirects at the most; b"" when it has nothing.

    Each redirect's host is resolved and vetted like the first one. Raises MailError as
    `http.request` does.
    """
    ports = {443, urlsplit(url).port}
    for _turn in range(_MOST_REDIRECTS + 1):
        answer = http.request(
            "GET",
            url,
            headers=_HEADERS,
            deadline=deadline,
            allow_private=allow_private,
            ca_pem=ca_pem,
            most=MOST,
        )
        if answer.status == 200:
            return answer.body
        if answer.status not in _REDIRECTS:
            return b""
        url = _target(url, answer.headers.get("location", ""), ports)
    return b""


def _target(url: str, location: str, ports: Collection[int | None]) -> str:
    """Where a redirect leads: never from HTTPS, nor to ports where no web server is.

    Raises MailError PROTOCOL_ERROR.
    """
    try:
        target = urlsplit(urljoin(url, location))
        usable = target.scheme == "https" and (target.port or 443) in ports
    except ValueError:
        usable = False
    if not location or not usable:
        raise MailError(ErrorCode.PROTOCOL_ERROR)
    return target._replace(fragment="").geturl()
