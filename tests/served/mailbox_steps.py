"""Mailboxes that are read: connecting them, answering out of them, looking inside."""

import imaplib
import re
import ssl
from typing import Any

import steps
from site_setup import Site

from devtools.rpc import OdooClient
from devtools.testbed.bed import PASSWORD


def incoming(site: Site, email: str, protocol: str = "imap") -> dict[str, Any]:
    """The settings with which the bed's mailbox of ``email`` is read."""
    port = {"imap": site.bed.imap_ssl, "pop3": site.bed.pop3_ssl}[protocol]
    return {
        "receive_replies": True,
        "incoming_protocol": protocol,
        "incoming_host": site.bed.host,
        "incoming_port": port,
        "incoming_security": "ssl",
        "incoming_login": email,
    }


def connect(
    site: Site,
    email: str,
    protocol: str = "imap",
    client: OdooClient | None = None,
    **values: Any,
) -> int:
    """Connect a mailbox of the bed that is read from now on; return the address's id.

    ``values``: as for ``steps.connect``, also ``folders``.
    """
    address = steps.connect(
        client or site.anna, email, **{**incoming(site, email, protocol), **values}
    )
    fetch(site, address)  # from now on
    return address


def fetch(site: Site, address: int, seconds: float = 40.0) -> None:
    """Press "Fetch now" and wait until it is done."""
    account = steps.account_of(site.odoo, address)
    before = steps.until(lambda: _looks(site, account), "nobody reads it now", 40)
    site.admin.call(steps.ADDRESS, "action_fetch_now", [address])
    steps.until(
        lambda: _looks(site, account) not in (None, before),
        "the mailbox was read",
        seconds,
    )
    [[failure]] = steps.sql(
        site.odoo,
        "SELECT failure_code FROM mail_external_mailbox WHERE account_id = %s",
        account,
    )
    assert failure is None, failure


def _looks(site: Site, account: int) -> Any:
    """Changes with every look that ended."""
    rows = steps.sql(
        site.odoo,
        "SELECT last_look, attempts, failure_code, next_look IS NULL"
        " FROM mail_external_mailbox WHERE account_id = %s AND COALESCE(run, 0) = 0",
        account,
    )
    return rows or None


def imap(site: Site, email: str) -> imaplib.IMAP4_SSL:
    """Another client of the mailbox."""
    context = ssl.create_default_context(cadata=site.bed.ca_pem)
    client = imaplib.IMAP4_SSL(site.bed.host, site.bed.imap_ssl, ssl_context=context)
    client.login(email, PASSWORD)
    return client


def contents(site: Site, email: str, folder: str = "INBOX") -> dict[bytes, Any]:
    """Every message by UID, with its flags and bytes, as another client sees it."""
    client = imap(site, email)
    client.select(folder, readonly=True)
    _ok, data = client.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[])")
    client.logout()
    found = {}
    for part in data:
        if isinstance(part, tuple):
            head = part[0]
            uid = head.split(b"UID ")[1].split()[0].rstrip(b")")
            flags = set(imaplib.ParseFlags(head)) - {rb"\Recent"}
            found[uid] = (flags, part[1])
    return found


def make_folder(site: Site, email: str, folder: str) -> None:
    """A folder of the mailbox, if it is not there."""
    client = imap(site, email)
    client.create(folder)
    client.logout()


def ask(site: Site, sender: int, task: int, address: str, body: str = "") -> bytes:
    """Send from the task; return the mail as the customer got it."""
    known = len(site.bed.messages(address))
    steps.post(site.anna, task, f"<p>{body or 'What do you think?'}</p>", sender)
    return site.bed.wait_for(address, known + 1)[known].raw


def told(site: Site, message: int) -> list[str]:
    """Names of those who were notified of a message, in order."""
    rows = steps.sql(
        site.odoo,
        "SELECT p.name FROM mail_notification n JOIN res_partner p"
        " ON p.id = n.res_partner_id WHERE n.mail_message_id = %s ORDER BY p.name",
        message,
    )
    return [name.split()[0] for (name,) in rows]


def quarantine(site: Site, address: int | None = None) -> list[tuple[Any, ...]]:
    """(reason, subject, place) of what waits there, of one address or of all."""
    return steps.sql(
        site.odoo,
        "SELECT reason, subject, place FROM mail_external_arrival"
        " WHERE state = 'quarantine' AND (%s::int IS NULL OR address_id = %s)"
        " ORDER BY id",
        address,
        address,
    )


def left_for(site: Site, since: int) -> set[str]:
    """Whom Postfix took mail for since its log had that length."""
    return set(re.findall(r" to=<([^>]*)>", site.bed.log()[since:]))


def thread(client: OdooClient, task: int) -> list[dict[str, Any]]:
    """The messages of a task's chatter, newest first."""
    answer = client.post(
        "/mail/thread/messages", {"thread_model": "project.task", "thread_id": task}
    )
    return list(answer["data"].get("mail.message", []))


def mails(site: Site, task: int) -> list[dict[str, Any]]:
    """The messages of a task that came in by mail, oldest first."""
    names = ["body", "author_id", "email_from", "external_mark", "subject", "id"]
    return list(
        site.admin.call(
            "mail.message",
            "search_read",
            [
                ("model", "=", "project.task"),
                ("res_id", "=", task),
                ("message_type", "=", "email"),
            ],
            names,
            order="id",
        )
    )
