"""Where mail goes to and a password may go: one rule for accounts and the window.

Accounts and the connect window have the same connection fields; a stored password
opens only where both mean the same place, so that is spelled out once.
"""

import hashlib

from ..mailkit.settings import Protocol, Security, Server


def server(record, purpose):
    """Connection settings without secret.

    :param record: an account or a connect window
    :param str purpose: "smtp" or "incoming"
    :rtype: mailkit.settings.Server
    :raise mailkit.errors.MailError: settings that cannot be right
    """
    return Server(
        protocol=Protocol(_protocol(record, purpose)),
        host=record[f"{purpose}_host"] or "",
        port=record[f"{purpose}_port"],
        security=Security(record[f"{purpose}_security"] or "ssl"),
        ca_pem=record.ca_certificate or "",
        allow_private=record.allow_private_host,
    )


def secret_context(record, purpose, account, user):
    """Whose secret it is and the only place where it may go (see ``vault``).

    :param account: the account that holds the secret
    :param user: its employee; none for a company's
    """
    return (
        record.env["ir.config_parameter"].sudo().get_param("database.uuid"),
        f"account:{account._origin.id}",
        f"user:{user._origin.id}" if user else "company",
        f"company:{record.company_id._origin.id}",
        _protocol(record, purpose),
        record[f"{purpose}_host"] or "",
        record[f"{purpose}_port"],
        record[f"{purpose}_security"] or "",
        hashlib.sha256((record.ca_certificate or "").encode()).hexdigest(),
        record[f"{purpose}_login"] or "",
    )


def _protocol(record, purpose):
    return "smtp" if purpose == "smtp" else record.incoming_protocol
