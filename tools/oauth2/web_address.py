"""Odoo's own web address, to which a sign-in at a mail service comes back.

Services compare the registered redirect address letter by letter. Odoo makes it of the
system parameter web.base.url, which it changes by itself when an administrator signs in
under another address (base, ``res.users.authenticate``), unless web.base.url.freeze is
set.
"""

import ipaddress
from urllib.parse import urlsplit

from odoo.http import request
from odoo.tools import config

PATH = "/mail_external_account/oauth2/"
_PORTS = {"http": 80, "https": 443}


def base_url(env):
    """:return: web.base.url, without a slash at its end"""
    # sudo: where people come back to is no secret
    text = env["ir.config_parameter"].sudo().get_param("web.base.url") or ""
    return text.strip().rstrip("/")


def is_frozen(env):
    """Whether Odoo leaves web.base.url alone."""
    # sudo: see above
    return bool(env["ir.config_parameter"].sudo().get_param("web.base.url.freeze"))


def problems(env, is_public_only):
    """Why sign-ins would not come back, with the remedy.

    :param bool is_public_only: the service sends nobody to internal names (Google)
    :return: list of str, in the language of ``env``; none: nothing is known
    """
    base = base_url(env)
    origin = _origin(base)
    if not origin:
        return [
            env._(
                "The system parameter web.base.url is no web address: “%s”. Set it to "
                "the address under which people open Odoo, as https://odoo.example.com",
                base,
            )
        ]
    found = []
    if origin[0] != "https" and not is_loopback(origin[1]):
        found.append(
            env._(
                "Odoo's own address (system parameter web.base.url) is %s, without "
                "https: mail services send nobody back there. Let a web server with a "
                "certificate stand before Odoo, and set web.base.url to the address "
                "with https.",
                base,
            )
        )
    elif is_public_only and not is_public_name(origin[1]):
        found.append(
            env._(
                "Google sends people back to public names only, and “%s” is an "
                "internal one, or an IP address: give Odoo a public name, and set the "
                "system parameter web.base.url to it.",
                origin[1],
            )
        )
    return found + _proxy_problems(env, base, origin)


def _proxy_problems(env, base, origin):
    """Whether the browser uses another address, and Odoo takes itself for a third."""
    found = []
    browser, seen = _asked_under()
    if browser and browser != origin:
        found.append(
            env._(
                "You have opened Odoo as %(browser)s, but its own address (system "
                "parameter web.base.url) is %(base)s, where sign-ins come back to. Set "
                "web.base.url to the address that everybody uses, or open Odoo there.",
                browser=_text(browser),
                base=base,
            )
        )
    if browser and seen and browser != seen and not config["proxy_mode"]:
        found.append(
            env._(
                "Odoo takes itself to be at %(seen)s: it does not listen to the web "
                "server before it. Set proxy_mode = True in Odoo's configuration file, "
                "and let that server send X-Forwarded-Host and X-Forwarded-Proto.",
                seen=_text(seen),
            )
        )
    return found


def is_loopback(host):
    """Whether a host name is this machine's own, where services allow http."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_public_name(host):
    """Whether Google sends people to it: a public name, or this very machine."""
    if is_loopback(host):
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        ending = host.rpartition(".")[2]
        internal = ("local", "lan", "internal", "intranet", "corp", "home", "test")
        return "." in host and ending not in internal
    return False


def _asked_under():
    """What the browser has in its address bar, and what Odoo takes it to be.

    :return: two origins; None where that is not known
    """
    if not request:
        return None, None
    asked = request.httprequest
    seen = _origin(asked.host_url)
    # Browsers tell it with every POST; no web server in between changes it.
    return _origin(asked.headers.get("Origin") or "") or seen, seen


def _origin(url):
    """:return: (scheme, host, port) as RFC 6454 compares it, or None"""
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").rstrip(".")
        host = host if host.isascii() else host.encode("idna").decode()
    except (ValueError, UnicodeError):
        return None
    if parts.scheme not in _PORTS or not host:
        return None
    return parts.scheme, host, port or _PORTS[parts.scheme]


def _text(origin):
    scheme, host, port = origin
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}" + ("" if port == _PORTS[scheme] else f":{port}")
