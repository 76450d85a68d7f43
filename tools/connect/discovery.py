"""The settings of a domain that no preset names: where they are looked for, and told.

What the network says is ``mailkit/discovery``; here is for whom it is asked, which
presets there are, and what the window shows.
"""

from typing import NamedTuple

from odoo.exceptions import AccessError, UserError

from ...mailkit import records
from ...mailkit.connection.settings import Protocol
from ...mailkit.discovery.found import Source
from ...mailkit.discovery.search import BY_RECORDS, SECONDS, Search
from ...mailkit.errors import ErrorCode

#: Off: "0". On is what holds when nothing is set.
ISPDB_PARAMETER = "mail_external_account.ispdb"
# Whom DNS is asked: addresses, and their port behind a "#"; none: whom the system asks.
_NAME_SERVERS = "mail_external_account.name_servers"
_KINDS = (Protocol.SMTP, Protocol.IMAP, Protocol.POP3)


class Asker(NamedTuple):
    """Who asks, for which address, and what they trust and may reach."""

    env: object
    email: str  # as it was typed
    search: Search


def asker(window, email, ca_pem):
    """
    :param window: model ``mail.external.account.connect``
    :return: an ``Asker``, or None: a preset names the domain, or it is no address of a
        domain whose servers could be found
    :raise AccessError: this user connects no addresses
    """
    env = window.env
    _check_allowed(window)
    presets = env["mail.external.provider"]
    if presets._find_for_address(email):
        return None
    try:
        search = Search(
            email,
            allow_private=window.new({}).allow_private_host,
            ca_pem=ca_pem or "",
            presets=presets._exchanger_patterns(),
            name_servers=name_servers(env),
        )
    except ValueError:
        return None
    return Asker(env, email, search)


def _check_allowed(window):
    window.check_access("create")
    account = window.env["mail.external.account"]
    if not (account._is_manager() or account._personal_allowed()):
        raise AccessError(
            window.env._(
                "Your administrator does not allow personal external addresses."
            )
        )


def ispdb_allowed(env):
    """Whether Mozilla's public directory is asked, which is told the domain."""
    value = env["ir.config_parameter"].sudo().get_param(ISPDB_PARAMETER, "1")
    return value not in ("0", "False", "")


def name_servers(env):
    """Those of a system parameter, such as "192.0.2.1 192.0.2.2#53": where the system's
    own tell the firm's network something else than the world. Else the system's.

    :rtype: mailkit.records.NameServers
    """
    text = env["ir.config_parameter"].sudo().get_param(_NAME_SERVERS) or ""
    addresses, _sign, port = text.partition("#")
    number = int(port) if port.isascii() and port.strip().isdigit() else 53
    if not addresses.split() or not 0 < number < 65536:
        return records.NameServers()
    return records.NameServers(tuple(addresses.split()), number)


def sources(env):
    """Those that are asked, in order."""
    return [s for s in Source if s is not Source.ISPDB or ispdb_allowed(env)]


def lines(asker):
    """What the window is going to do.

    :return: list of dict: source, label, and text where it is not asked, with why
    """
    skipped = "" if records.is_available() else _without_package(asker.env)
    names = _labels(asker)
    return [
        {
            "source": source.value,
            "label": names[source],
            "skipped": skipped if source in BY_RECORDS else "",
        }
        for source in sources(asker.env)
    ]


def source_of(asker, name):
    """:raise UserError: there is no such source, or it is not asked here"""
    for line in lines(asker):
        if line["source"] == name and not line["skipped"]:
            return Source(name)
    raise UserError(asker.env._("Settings are not looked for at %s here.", name))


def seconds(source):
    """How long a source takes at the most, Odoo's own part of it included."""
    return SECONDS[source] + 3.0


def told(asker, result):
    """What the window shows of one source.

    :param mailkit.discovery.search.Result result:
    :return: dict: source, text; ``found``: what the window keeps in
        ``found_settings``, or False
    """
    found = result.found
    data = {"source": result.source.value, "found": False}
    if not found:
        return {**data, "text": _nothing(asker.env, result.error)}
    preset = _preset(asker.env, found, asker.email)
    servers = _servers_of_preset(preset) if preset else _servers(found)
    text = _found(asker, found)
    if preset:
        text = asker.env._("%(how)s: %(service)s", how=text, service=preset.name)
    kept = {
        "email": asker.email,
        "source": result.source.value,
        "text": text,
        "summary": "" if preset else _summary(found),
        "provider_id": preset.id,
        **servers,
        "warning": _warning(asker.env, found, preset),
        # what only DNS says of strangers is the user's to confirm
        "confirm": bool(found.foreign and not preset.is_trusted),
    }
    return {**data, "text": text, "found": kept}


def _preset(env, found, email):
    """The preset that was found, or whose servers they are: it knows more of them."""
    presets = env["mail.external.provider"]
    if found.preset:
        return presets.browse(found.preset).exists()
    preset = presets._find_for_server(found.smtp.host, email)
    hosts = preset and preset._hosts()
    return (
        preset
        if hosts and all(each.host in hosts for each in found.offers)
        else presets
    )


def _servers(found):
    offers = {offer.protocol: offer for offer in found.offers}
    return {
        kind.value: kind in offers
        and {
            "host": offers[kind].host,
            "port": offers[kind].port,
            "security": offers[kind].security.value,
            "login": offers[kind].login,
        }
        for kind in _KINDS
    }


def _servers_of_preset(preset):
    return {
        kind.value: bool(preset[f"{kind.value}_host"])
        and {"host": preset[f"{kind.value}_host"]}
        for kind in _KINDS
    }


# Words


def _labels(asker):
    env, domain = asker.env, asker.email.strip().rpartition("@")[2]
    return {
        Source.MX: env._("Mail exchanger of %s", domain),
        Source.SRV: env._("DNS records of %s", domain),
        Source.AUTOCONFIG: env._("Autoconfig of %s", domain),
        Source.ISPDB: env._("Thunderbird's directory of mail services"),
        Source.NAMES: env._("Usual server names of %s", domain),
    }


def _found(asker, found):
    env, domain = asker.env, asker.email.strip().rpartition("@")[2]
    return {
        Source.MX: env._("Found by the mail exchanger of %s", domain),
        Source.SRV: env._("Found in the DNS records of %s", domain),
        Source.AUTOCONFIG: env._("Found by autoconfig of %s", domain),
        Source.ISPDB: env._(
            "Found in Thunderbird's directory of mail services, for %s", found.where
        ),
        Source.NAMES: env._("Found by trying the usual server names of %s", domain),
    }[found.source]


def _summary(found):
    return " · ".join(
        f"{offer.protocol.name} {offer.host}:{offer.port}" for offer in found.offers
    )


def _nothing(env, error):
    if error is ErrorCode.TIMEOUT:
        return env._("no answer in time")
    if error is ErrorCode.UNREACHABLE:
        return env._("cannot be reached")
    return env._("nothing found")


def _without_package(env):
    return env._(
        "not asked: the Python package %s is not installed on Odoo's server",
        "dnspython",
    )


def _warning(env, found, preset):
    if preset:
        return ""
    if found.foreign:
        return env._(
            "These servers are not of your own domain: %s. Only DNS names them, and "
            "its answers can be forged on the way. Use them if you know that they are "
            "those of your mail service.",
            ", ".join(found.foreign),
        )
    if found.smtp.oauth2 and not found.smtp.password:
        return env._(
            "This mail service takes no password, only a sign-in with the service. "
            "Choose it in the list if it is there, else ask your administrator."
        )
    return ""
