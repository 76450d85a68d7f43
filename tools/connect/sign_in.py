"""The sign-in with a mail service, as far as the connect window has it.

``window.auth_method`` is "oauth2" then. What a person got at the service's page
(``tools/oauth2/authorization.py``) lies sealed in the newest of the window's rows of
``mail.external.account.connect.sign.in``; a saved account has tokens of its own, which
its window uses as long as it means the same place.

An access token opens everything that its scope names to whoever has it. So it goes to
the servers of a trusted preset only (``check_places``), never to typed ones, encrypted,
and with no certificate authority but the administrator's.
"""

import json
import time
from dataclasses import asdict
from typing import NamedTuple

from odoo.exceptions import UserError

from ...mailkit import oauth
from ...mailkit.connection.network import Deadline
from ...mailkit.connection.settings import Credentials
from ...mailkit.errors import ErrorCode, MailError
from ...mailkit.message.address import Address
from ...models.mail_external_connection_mixin import READ_PROTOCOLS
from .. import vault
from ..oauth2 import revocation
from ..oauth2 import tokens as stored_tokens
from .turn import connection_returned, may_end_transaction

MODEL = "mail.external.account.connect.sign.in"
# Seconds that a service may take to give or renew tokens.
SERVICE_SECONDS = 10.0
# An access token that ends sooner is renewed before a check.
_SPARE_SECONDS = 60.0


class Grant(NamedTuple):
    """What the window signs in with; the tokens are not in here.

    ``id``: random, the same through all renewals. ``row``: where the window has its
    tokens; None: they are the account's own. ``hint``: the address of who signed in, as
    the service says; "" where that is not known.
    """

    id: str
    row: object
    hint: str


# What the mail service offers


def company_of(window):
    """The company as whose application people of the window sign in."""
    # sudo: where a colleague works, of whom this user connects an address
    return window.company_id or window._owner().sudo().company_id


def problem(window):
    """Why nobody can sign in at the window's mail service now; "" when they can.

    None of it is secret: which services are set up, everybody sees who connects.
    """
    env, provider = window.env, window.provider_id
    application = provider._application(company_of(window))
    name = provider._sign_in_name()
    if not provider.is_trusted:
        return env._(
            "Signing in with %(service)s is off: the servers or domains of "
            "“%(preset)s” were entered by somebody who is no administrator. Ask your "
            "administrator to look at this mail service and confirm it.",
            service=name,
            preset=provider.name,
        )
    if not application:
        return env._(
            "Signing in with %s is not set up yet: an administrator has to register "
            "Odoo there once.",
            name,
        )
    if not oauth.is_available():
        return env._(
            "Signing in with %s needs the Python package oauthlib, which is missing on "
            "this server. Ask your administrator to install it.",
            name,
        )
    return ""


def offered(window):
    """The application with which the window may sign in, or none (superuser mode)."""
    provider = window.provider_id
    none = window.env["mail.external.application"].sudo()
    if window.is_address_only or not provider.oauth_kind or problem(window):
        return none
    return provider._application(company_of(window))


def is_for_window(window, application):
    """Whether an application is that of the window's mail service, for its company.

    With one of another service its tokens would be told to these servers; with one of
    another company its people would sign in as that one.
    """
    provider = window.provider_id
    if provider.oauth_kind == "other":
        return application == provider.sudo().application_id
    company = application.company_id
    return application.kind == provider.oauth_kind and (
        not company or company == company_of(window)
    )


def check_offered(window):
    """:raise UserError: nobody can sign in at the service of the window"""
    env = window.env
    if window.is_address_only or not window.provider_id.oauth_kind:
        raise UserError(
            env._(
                "Mail Service: choose one where people can sign in, such as Google or "
                "Microsoft."
            )
        )
    if text := problem(window):
        raise UserError(text)


# Where a token may go


def places(provider):
    """The servers of a preset, in whatever order: list of ``Server``; of none: none,
    as in a window whose preset was deleted"""
    return sorted(set(provider._servers())) if provider else []


def _place(window, purpose):
    protocol = "smtp" if purpose == "smtp" else window.incoming_protocol
    return (
        protocol,
        (window[f"{purpose}_host"] or "").strip().rstrip(".").lower(),
        window[f"{purpose}_port"] or 0,
        window[f"{purpose}_security"] or "",
    )


def is_of_preset(window, purpose):
    """Whether the window's server of sending or reading is one of its preset, which is
    asked encrypted."""
    place = _place(window, purpose)
    encrypted = place[-1] in ("ssl", "starttls")
    return encrypted and place in places(window.provider_id)


def certificate_authority(application):
    """The only certificate authority besides the system's: an administrator's."""
    return (application.kind == "other" and application.ca_certificate) or ""


def check_places(window):
    """A token goes to the servers of the trusted preset, whatever stands in the window.

    :raise UserError: the window's are others, or the preset is not trusted
    """
    env, application = window.env, window.application_id.sudo()
    if not window.is_address_only:
        check_offered(window)
        _check_application(window, application)
    if not window.provider_id.is_trusted or not application.active:
        raise UserError(
            env._(
                "Mail Service: its servers, or the application that people sign in "
                "with, are not those that an administrator set up. Ask them."
            )
        )
    purposes = ["smtp"]
    if window.incoming_protocol in READ_PROTOCOLS:
        purposes.append("incoming")
    differ = not all(is_of_preset(window, purpose) for purpose in purposes)
    if differ or (window.ca_certificate or "") != certificate_authority(application):
        raise UserError(
            env._(
                "Server Settings: whoever signs in with %s uses the servers of the "
                "mail service as they are set up. Choose the mail service again, or "
                "use a password.",
                window.provider_id._sign_in_name(),
            )
        )


def _check_application(window, application):
    """:raise UserError: it is another service's, or another company's"""
    if not is_for_window(window, application):
        raise UserError(
            window.env._(
                "Mail Service: people sign in there with another application than the "
                "one of this window. Choose “Sign in” again."
            )
        )


# What the window signs in with


def seal_context(window, application):
    """What the tokens in the window are bound to."""
    uuid = window.env["ir.config_parameter"].sudo().get_param("database.uuid")
    return (
        uuid,
        f"tokens of window:{window._origin.id}",
        f"user:{window.env.uid}",
        f"application:{application.id}",
        application.client_id or "",
        application.token_endpoint or "",
        certificate_authority(application),
        *(str(part) for server in places(window.provider_id) for part in server),
    )


def store(window, row, tokens):
    """Keep the tokens of a sign-in, sealed for this window of this user."""
    context = seal_context(window, row.application_id)
    row.tokens_sealed = _sealed(window, tokens, context)


def _sealed(window, tokens, context):
    return vault.seal(window.env, json.dumps(asdict(tokens)), context)


def newest(window):
    """The newest sign-in of the window that gave tokens (superuser mode)."""
    rows = window.env[MODEL].sudo()
    if window.auth_method != "oauth2" or window.is_address_only:
        return rows
    return rows.search(
        [
            ("wizard_id", "=", window._origin.id),
            ("create_uid", "=", window.env.uid),
            ("application_id", "=", window.application_id.id),
            ("tokens_sealed", "!=", False),
        ],
        order="id desc",
        limit=1,
    )


def tokens_of(window, row):
    """
    :return: mailkit.oauth.Tokens, or None when they are not for what stands in the
        window now
    """
    context = seal_context(window, row.application_id)
    try:
        values = json.loads(vault.unseal(window.env, row.tokens_sealed or "", context))
    except vault.UnsealError:
        return None
    return oauth.Tokens(**{**values, "scopes": tuple(values["scopes"])})


def current(window):
    """What the window signs in with now.

    :rtype: Grant or None
    """
    row = newest(window)
    if row:
        known = tokens_of(window, row)
        return known and Grant(row.grant, row, row.hint or "")
    return _of_account(window)


def _of_account(window):
    """The account's own sign-in, as long as the window means the same place."""
    account = window.account_id._origin.sudo()
    if (
        window.auth_method != "oauth2"
        or account.auth_method != "oauth2"
        or account.application_id != window.application_id
        or not (account and window._may_see())
        or vault.token_context(window.env, window)
        != vault.token_context(window.env, account)
    ):
        return None
    try:
        return Grant(vault.stored_tokens(window.env, account).grant, None, "")
    except vault.UnsealError:
        return None


def signer(window):
    """Who opens a mailbox of the company with a sign-in of their own.

    Only where the service names the mailbox itself is it the mailbox's own sign-in. No
    word of it counts as somebody's: they see it, and can take it back.

    :return: res.users, perhaps none
    """
    nobody = window.env["res.users"]
    if not window.is_company:
        return nobody
    row = newest(window)
    if not row:
        # sudo: of an account that this user may connect
        account = window.account_id._origin.sudo()
        return account.sign_in_user_id & window.env.user
    return nobody if names_mailbox(window, row.hint) else window.env.user


def names_mailbox(window, hint):
    """Whether who signed in is the mailbox itself, under each name that opens it."""
    logins = {window.smtp_login or ""}
    if window.incoming_protocol in READ_PROTOCOLS:
        logins.add(window.incoming_login or "")
    _local, at, domain = (window.email or "").rpartition("@")
    # With some services people sign in with the part before the @.
    whole = (each if "@" in each else f"{each}{at}{domain}" for each in logins)
    return all(is_same_name(login, hint) for login in whole)


def is_same_name(login, hint):
    """Whether a name that opens a mailbox is the address that the service named.

    Not by the mailbox of ``Address``: a service may give subaddresses to other people.
    """
    return Address(login or "").is_same(Address(hint or ""))


def proves(window):
    """Whether who signed in is the address itself, besides that its servers took it.

    With some services a token opens mailboxes of others, too, that they shared. Then
    only who is named by the service is no stranger. A claim alone proves nothing.
    """
    grant = current(window)
    if not grant:
        return False
    if grant.hint:
        return is_same_name(window.email, grant.hint)
    return window.application_id.sudo().kind == "google"  # opens one's own mailbox only


def credentials(window, purpose):
    """What a check signs in with; ``renew`` comes before.

    :raise MailError: nobody signed in for these settings
    """
    grant = current(window)
    if not grant:
        raise MailError(ErrorCode.LOGIN_REQUIRED, field="sign_in")
    if not grant.row:
        account = window.account_id.sudo()
        return vault.stored_credentials(window.env, account, purpose)
    tokens = tokens_of(window, grant.row)
    return Credentials(
        window[f"{purpose}_login"] or "",
        access_token=tokens.access_token,
        mechanism=grant.row.application_id.mechanism or "",
    )


def is_of_account(window):
    """Whether the window signs in with the tokens of its saved account."""
    grant = current(window)
    return bool(grant) and not grant.row


def renew(window, is_refused=False):
    """Have a new access token where the window's ends, before a check.

    Whoever calls this has the turn of the user, and looks at the window only
    afterwards: nobody holds a connection to the database meanwhile.

    :return: MailError, or None
    """
    grant = current(window)
    try:
        if grant and grant.row:
            _renew_row(window, grant.row)
        elif grant and may_end_transaction(window.env):
            env, account = window.env, window.account_id.sudo()
            refused = ""
            if is_refused:
                refused = vault.stored_tokens(env, account).access_token
            deadline = Deadline(SERVICE_SECONDS)
            with connection_returned(env):
                stored_tokens.usable(env, account, "smtp", refused, deadline)
    except MailError as error:
        return error
    return None


def _renew_row(window, row):
    """The new tokens are committed at once: many services take an old refresh token no
    more as soon as there is a new one."""
    tokens = tokens_of(window, row)
    ends = tokens.expires_at
    if ends is None or ends > time.time() + _SPARE_SECONDS:
        return
    context = seal_context(window, row.application_id)
    try:
        client = vault.application_client(row.application_id)
    except vault.UnsealError:
        raise MailError(ErrorCode.OAUTH_CLIENT) from None
    with connection_returned(window.env):
        deadline = Deadline(SERVICE_SECONDS)
        tokens = oauth.refresh(client, tokens.refresh_token, deadline)
    row.tokens_sealed = _sealed(window, tokens, context)
    if may_end_transaction(window.env):
        window.env.cr.commit()  # pylint: disable=invalid-commit


# What becomes of it


def failed(window):
    """The newest sign-in of the window, if it failed (superuser mode)."""
    rows = window.env[MODEL].sudo()
    domain = [
        ("wizard_id", "=", window._origin.id),
        ("create_uid", "=", window.env.uid),
        ("is_used", "=", True),
    ]
    newest = window._origin and rows.search(domain, order="id desc", limit=1)
    return newest.filtered("failure_text") if newest else rows


def forget(windows):
    """Drop what was signed in with in these windows: it was saved, or is not wanted."""
    rows = windows.env[MODEL].sudo()
    rows.search([("wizard_id", "in", windows.ids)]).unlink()


def revoke(rows):
    """What nobody saved ends at the mail service, too, once this is committed; see
    ``tools/oauth2/revocation.py``, which leaves alone what an account has.

    Google would end all that this person allowed to the application, in whatever
    window or database; what is not used there ends by itself.

    :param rows: about to be deleted
    """
    ended = []
    for row in rows.sudo().filtered("tokens_sealed"):
        # As whose window it was sealed: what is left open is deleted by Odoo itself.
        window = row.wizard_id.with_user(row.create_uid).sudo()
        application = row.application_id
        if application.kind == "google" or not window:
            continue
        try:
            if tokens := tokens_of(window, row):
                login = window.smtp_login
                ended.append(
                    vault.unsaved_tokens(application, tokens, row.grant, login)
                )
        except (vault.UnsealError, UserError):
            continue  # it does not open here, so it is not ours to end
    revocation.revoke_after_commit(rows.env, ended)
