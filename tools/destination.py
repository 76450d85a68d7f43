"""Where mail goes to and a password may go: one rule for accounts and the window.

The settings of a connection come as what is read by ``settings["smtp_host"]``: a record
of ``mail.external.connection.mixin``, or a plain row of the account's columns. A stored
password opens only where both mean the same place, so that is spelled out once.
"""

import hashlib

from ..mailkit.connection.settings import Protocol, Security, Server

# What the connect window fills in and the account keeps.
CONNECTION = (
    "provider_id",
    "smtp_host",
    "smtp_port",
    "smtp_security",
    "smtp_login",
    "incoming_protocol",
    "incoming_host",
    "incoming_port",
    "incoming_security",
    "incoming_login",
    "ca_certificate",
)
# Incoming modes for which Odoo signs in somewhere.
READ_PROTOCOLS = ("imap", "pop3")


def server(settings, purpose, timeout):
    """Connection settings without secret.

    :param settings: a record or a row, see above; ``allow_private_host`` is in it, too
    :param str purpose: "smtp" or "incoming"
    :param float timeout: seconds of one whole operation
    :rtype: mailkit.connection.settings.Server
    :raise mailkit.errors.MailError: settings that cannot be right
    """
    return Server(
        protocol=Protocol(_protocol(settings, purpose)),
        host=settings[f"{purpose}_host"] or "",
        port=settings[f"{purpose}_port"] or 0,
        security=Security(settings[f"{purpose}_security"] or "ssl"),
        ca_pem=settings["ca_certificate"] or "",
        allow_private=bool(settings["allow_private_host"]),
        timeout=timeout,
    )


def secret_context(uuid, settings, purpose, holder):
    """Whose secret it is and the only place where it may go (see ``vault``).

    :param str uuid: the database's
    :param settings: a record or a row, see above
    :param str purpose: "smtp" or "incoming"
    :param holder: ids of (the account that holds the secret, its employee or nothing,
        its company or nothing, who opened a company's with their own sign-in or
        nothing)
    """
    account_id, user_id, company_id, sign_in_user_id = holder
    return (
        uuid,
        f"account:{account_id}",
        f"user:{user_id}" if user_id else "company",
        f"company:{company_id or False}",
        f"signed in by:{sign_in_user_id or False}",
        _protocol(settings, purpose),
        settings[f"{purpose}_host"] or "",
        settings[f"{purpose}_port"] or 0,
        settings[f"{purpose}_security"] or "",
        hashlib.sha256((settings["ca_certificate"] or "").encode()).hexdigest(),
        settings[f"{purpose}_login"] or "",
    )


def mailbox_server(row, timeout):
    """``server`` for reading, of a plain row of the account's columns."""
    return server(row, "incoming", timeout)


def mailbox_secret_context(uuid, row):
    """``secret_context`` for reading, of a plain row of the account's columns."""
    names = ("id", "user_id", "company_id", "sign_in_user_id")
    holder = tuple(row[name] for name in names)
    return secret_context(uuid, row, "incoming", holder)


def _protocol(settings, purpose):
    return "smtp" if purpose == "smtp" else settings["incoming_protocol"]
