"""Odoo's own mail servers: which mailboxes they have, taken over as drafts.

``ir.mail_server`` sends, ``fetchmail.server`` reads. What both have of one mailbox is
found here, and made a draft of an account with everything but the secret. Nothing of
Odoo's own is changed or switched off. And a mailbox that Odoo fetches is not read here
as well: it would be taken in twice, and Odoo marks or deletes what it fetched.

Plain functions. Servers are read in superuser mode: callers look at who asks.
"""

from typing import NamedTuple

from odoo.exceptions import AccessError, UserError
from odoo.fields import Domain
from odoo.tools import escape_psql

from ..mailkit.message.address import Address
from ..models.mail_external_connection_mixin import READ_PROTOCOLS
from . import notices
from .connect import rights

# How the connection is encrypted, as Odoo says it.
_SECURITY = {
    "none": "none",
    "starttls": "starttls",
    "starttls_strict": "starttls",
    "ssl": "ssl",
    "ssl_strict": "ssl",
}
# Servers that people sign in at with the mail service (google_gmail,
# microsoft_outlook); others than these and "login" have no user name and password.
_SIGNED_IN = ("gmail", "outlook")
FETCHED = "fetched_by_odoo"


# The same mailbox


def reading(env, host, login):
    """Odoo's incoming servers that fetch from a mailbox now.

    Not archived ones, nor those that were never confirmed: these fetch nothing.

    :return: fetchmail.server in superuser mode
    """
    return _reading(env, _fetching(env), host, login)


def _fetching(env):
    servers = env["fetchmail.server"].sudo().with_context(active_test=True)
    return servers.search([("state", "=", "done"), ("server_type", "!=", "local")])


def _reading(env, servers, host, login):
    return servers.filtered(
        lambda server: is_same(env, (server.server, server.user), (host, login))
    )


def is_same(env, one, other):
    """Whether two pairs of host and user name open one mailbox.

    Spelled differently: other letters, a final dot, the user name without its domain,
    another host of the service or of the same domain.
    """
    return _same_login(one[1], other[1]) and _same_place(env, one[0], other[0])


def _same_login(one, other):
    one, other = ((text or "").strip().lower() for text in (one, other))
    if not one or not other:
        return False
    if "@" in one and "@" in other:
        return Address.of(one).mailbox == Address.of(other).mailbox
    return one == other or (
        ("@" in one or "@" in other)
        and one.partition("@")[0] == other.partition("@")[0]
    )


def _same_place(env, one, other):
    one, other = ((text or "").strip().rstrip(".").lower() for text in (one, other))
    if not one or not other:
        return False
    if one == other:
        return True
    domains = [{host, _domain_above(host)} - {""} for host in (one, other)]
    if domains[0] & domains[1]:
        return True
    presets = env["mail.external.provider"].sudo()
    presets = presets.search([("smtp_host", "!=", False)])
    return any({one, other} <= preset._hosts() for preset in presets)


def _domain_above(host):
    """:return: what imap.example.com is a host of; "" for a number or a short name"""
    above = host.partition(".")[2]
    return above if "." in above and not above[-1].isdigit() else ""


def words_of_reader(env, servers):
    """Why a mailbox is not read here, for who connects it, and what to do."""
    # Only administrators see Odoo's servers.
    names = (
        ", ".join(servers.mapped("name"))
        if env.user.has_group("base.group_system")
        else env._("one of its incoming mail servers")
    )
    return env._(
        "Odoo fetches this mailbox already (%s): it is not read a second time, since "
        "Odoo marks or deletes what it has fetched. Let an administrator archive that "
        "server under Settings > Technical > Incoming Mail Servers. Or switch off "
        "“Receive replies”: then answers go to Odoo's own address.",
        names,
    )


def leave_to_odoo(env):
    """Mailboxes that Odoo fetches by now are read no more, visibly, until it stops.

    Called before mailboxes are read; a server may have been set up after the account.
    """
    mailboxes = env["mail.external.mailbox"].sudo()
    left = mailboxes.search([("failure_code", "=", FETCHED)])
    servers = _fetching(env)
    for mailbox in left | _perhaps_fetched(env, servers):
        account = mailbox.account_id
        if not account._reads_mailbox():
            continue
        found = _reading(env, servers, account.incoming_host, account.incoming_login)
        if found and mailbox not in left:
            mailbox.write({"next_look": False, "failure_code": FETCHED})
            _tell(account)
        elif not found and mailbox in left:
            mailboxes._begin(account, None)


def _perhaps_fetched(env, servers):
    """Mailboxes with a user name like one of Odoo's incoming servers."""
    names = {(server.user or "").strip().partition("@")[0] for server in servers}
    mailboxes = env["mail.external.mailbox"].sudo()
    domains = [
        Domain("account_id.incoming_login", "=ilike", f"%{escape_psql(name)}%")
        for name in names - {""}
    ]
    if not domains:
        return mailboxes
    return mailboxes.search(Domain("run", "=", 0) & Domain.OR(domains))


def _tell(account):
    emails = account._emails_text()
    for told in notices.in_their_languages(account._people()):
        subject = told.env._("%s: Odoo fetches this mailbox itself", emails)
        text = account.mailbox_ids.with_env(told.env).failure_text
        notices.tell(account._own_address(), told, subject, text)


# Taking over


class Found(NamedTuple):
    """A mailbox as Odoo's own servers have it.

    ``sending``: ir.mail_server, one sign-in; ``reading``: fetchmail.server, one or
    none; ``owner``: the employee whose it is, or nobody; ``emails``: its addresses.
    """

    sending: object
    reading: object
    owner: object
    emails: tuple

    @property
    def key(self):
        return f"{self.sending.ids}{self.reading.ids}"

    @property
    def names(self):
        return ", ".join([*self.sending.mapped("name"), *self.reading.mapped("name")])


def mailboxes(env, user=None):
    """The mailboxes of Odoo's own servers that are in use.

    :param user: an employee: only those that are theirs
    :return: list of ``Found``
    """
    servers = env["ir.mail_server"].sudo()
    domain = [("owner_user_id", "=", user.id)] if user else []
    fetched = env["fetchmail.server"].sudo()
    waiting = fetched if user else fetched.search([("server_type", "!=", "local")])
    found = []
    for sending in _sign_ins(servers.search(domain)):
        first = sending[0]
        pair = waiting.filtered(
            lambda server, first=first: is_same(
                env, (server.server, server.user), (first.smtp_host, first.smtp_user)
            )
        )[:1]
        waiting -= pair
        emails = _emails(sending.mapped("from_filter"), first.smtp_user, pair.user)
        found.append(Found(sending, pair, first.owner_user_id, emails))
    nobody = env["res.users"]
    found += [
        Found(servers, server, nobody, _emails([], server.user)) for server in waiting
    ]
    return found


def _sign_ins(servers):
    """Servers with one sign-in together: they differ in what they send for."""
    found = {}
    for server in servers:
        login = (server.smtp_user or "").strip().lower()
        key = (server.owner_user_id, (server.smtp_host or "").lower(), login)
        found[key if login else server] = found.get(key, server.browse()) | server
    return list(found.values())


def _emails(filters, *logins):
    """Whole addresses, each once: those that it sends for, else its user name."""
    texts = [part for text in filters for part in (text or "").split(",")]
    for candidates in (texts, logins):
        found = {}
        for text in candidates:
            address = Address((text or "").strip())
            if address.envelope:
                found.setdefault(Address.of(address.envelope).mailbox, address.envelope)
        if found:
            return tuple(found.values())
    return ()


def problem(env, found, owner):
    """Why a mailbox cannot be taken over for an owner; "" when it can.

    :param owner: the employee whose it becomes; none: the company's
    """
    kind = found.sending[:1].smtp_authentication
    if found.sending and kind not in ("login", *_SIGNED_IN):
        return env._("Odoo signs in there with a certificate or without a password.")
    if found.sending and not found.sending[0].smtp_user:
        return env._("It has no user name: no mailbox, but a way for all mail.")
    if not found.emails:
        return env._(
            "It names no address: enter one as “FROM Filtering” of the server, or "
            "connect the mailbox by hand."
        )
    for email in found.emails:
        window = env["mail.external.account.connect"].new(
            {
                "email": email,
                "is_company": not owner,
                "user_id": owner.id,
                "company_id": False if owner else env.company.id,
            }
        )
        try:
            rights.check_owner(window)
            window._check_address()
        except (AccessError, UserError) as error:
            return error.args[0]
    return ""


def existing(env, found, owner):
    """Addresses of an owner that are one of these already, archived ones too."""
    addresses = env["mail.external.address"].sudo().with_context(active_test=False)
    whose = [("user_id", "=", owner.id)]
    if not owner:
        whose.append(("account_id.company_id", "=", env.company.id))
    keys = {Address.of(email).mailbox for email in found.emails}
    return addresses.search(whose).filtered(
        lambda address: Address.of(address.email).mailbox in keys
    )


def take_over(env, found, owner):
    """Make a draft of it, or add to the draft that is there what it does not have.

    :return: (addresses that are new, all of them) in superuser mode
    """
    known = existing(env, found, owner)
    keys = {Address.of(email).mailbox for email in known.mapped("email")}
    emails = [each for each in found.emails if Address.of(each).mailbox not in keys]
    account = known.account_id.filtered(lambda each: each.state == "draft")[:1]
    if not emails or (known and not account):
        return known.browse(), known
    # sudo: rights were checked by ``problem``; only windows and this write accounts
    if not account:
        values = _account_values(env, found, owner)
        account = env["mail.external.account"].sudo().create(values)
    made = account.address_ids.browse()
    for email in emails:
        made |= made.create(
            {
                "email": email,
                "account_id": account.id,
                "company_id": account.company_id.id,
                "is_main": not account.with_context(active_test=False).address_ids,
                "receive_replies": account.incoming_protocol in READ_PROTOCOLS,
            }
        )
    return made, known | made


def _account_values(env, found, owner):
    sending, server = found.sending[:1], found.reading
    company = env["res.company"] if owner else env.company
    provider = env["mail.external.provider"]._find_for_server(
        sending.smtp_host or server.server, found.emails[0]
    )
    values = {
        "user_id": owner.id,
        "company_id": company.id,
        "provider_id": provider.id,
        "state": "draft",
        "keep_sent_copy": not provider.saves_sent,
        **_sign_in_values(found, provider, company or owner.company_id),
    }
    if sending:
        values.update(
            smtp_host=(sending.smtp_host or "").strip(),
            smtp_port=sending.smtp_port,
            smtp_security=_SECURITY.get(sending.smtp_encryption, "none"),
            smtp_login=(sending.smtp_user or "").strip(),
        )
    elif provider.smtp_host:
        values.update(
            smtp_host=provider.smtp_host,
            smtp_port=provider.smtp_port,
            smtp_security=provider.smtp_security,
            smtp_login=(server.user or "").strip(),
        )
    if server:
        values.update(
            incoming_protocol="pop3"
            if server._get_connection_type() == "pop"
            else "imap",
            incoming_host=(server.server or "").strip(),
            incoming_port=server.port,
            incoming_security="ssl" if server.is_ssl else "none",
            incoming_login=(server.user or "").strip(),
        )
    return values


def _sign_in_values(found, provider, company):
    """Signed in with the mail service, where that is set up here as well."""
    kinds = (found.sending[:1].smtp_authentication, found.reading.server_type)
    application = provider._application(company)
    if not application or not set(kinds) & set(_SIGNED_IN):
        return {}
    return {"auth_method": "oauth2", "application_id": application.id}


def remains(env, account):
    """What is left to do with a draft, for who made it."""
    provider = account.provider_id
    if account.auth_method == "oauth2":
        text = env._(
            "Connect it: sign in with %s, then test.", provider._sign_in_name()
        )
    elif provider and not provider.password_works:
        text = env._(
            "Connect it: it takes no password; sign in with %s.",
            provider._sign_in_name() or provider.name,
        )
    elif provider.oauth_kind:
        text = env._(
            "Connect it: sign in with %s or enter the password, then test.",
            provider._sign_in_name(),
        )
    else:
        text = env._("Connect it: enter the password, then test.")
    if reading(env, account.incoming_host, account.incoming_login):
        text += " " + env._(
            "To read its answers here, archive Odoo's incoming server first."
        )
    return text
