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
        *_owner(account._origin.id, user._origin.id, record.company_id._origin.id),
        _protocol(record, purpose),
        record[f"{purpose}_host"] or "",
        record[f"{purpose}_port"],
        record[f"{purpose}_security"] or "",
        hashlib.sha256((record.ca_certificate or "").encode()).hexdigest(),
        record[f"{purpose}_login"] or "",
    )


def mailbox_server(row, timeout):
    """``server`` for reading, of a plain row of the account's columns."""
    return Server(
        protocol=Protocol(row["incoming_protocol"]),
        host=row["incoming_host"] or "",
        port=row["incoming_port"] or 0,
        security=Security(row["incoming_security"] or "ssl"),
        ca_pem=row["ca_certificate"] or "",
        allow_private=bool(row["allow_private_host"]),
        timeout=timeout,
    )


def mailbox_secret_context(uuid, row):
    """``secret_context`` for reading, of a plain row of the account's columns."""
    return (
        uuid,
        *_owner(row["id"], row["user_id"], row["company_id"]),
        row["incoming_protocol"],
        row["incoming_host"] or "",
        row["incoming_port"] or 0,
        row["incoming_security"] or "",
        hashlib.sha256((row["ca_certificate"] or "").encode()).hexdigest(),
        row["incoming_login"] or "",
    )


def _owner(account_id, user_id, company_id):
    return (
        f"account:{account_id}",
        f"user:{user_id}" if user_id else "company",
        f"company:{company_id or False}",
    )


def _protocol(record, purpose):
    return "smtp" if purpose == "smtp" else record.incoming_protocol
