"""Stored secrets, sealed for the one place where each may go; and what Odoo signs.

Deliberately no model: nothing here can be reached by RPC. The key comes from the
environment variable MAIL_EXTERNAL_ACCOUNT_KEY or from the option
``mail_external_account_key`` of Odoo's configuration file, never from the database.
Several keys may be given, separated by commas: the first one seals, all of them
unseal, so that a key can be replaced step by step.

The settings of a connection (``settings``) come as what is read by
``settings["smtp_host"]``: a record of ``mail.external.connection.mixin``, or a plain
row (dict) of the account's columns. ``purpose`` is "smtp" or "incoming".

A password is kept for each purpose. What a sign-in with the mail service gave (access
and refresh token, RFC 6749) is kept once for both: rows of ``mail.external.secret``
with the purpose "oauth2". ``tools/oauth2/tokens.py`` renews it.
"""

import base64
import hashlib
import hmac
import json
import os
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from odoo.exceptions import UserError
from odoo.tools import SQL, config

from ..mailkit import oauth
from ..mailkit.answers.token import Signer
from ..mailkit.connection.settings import Credentials, Protocol, Security, Server

KEY_VARIABLE = "MAIL_EXTERNAL_ACCOUNT_KEY"
KEY_OPTION = "mail_external_account_key"
_MINIMUM_KEY_LENGTH = 32
# Seconds before its end from which on an access token is renewed, or half of its life
# where that is shorter: nobody notices that the service is away for some minutes.
_RENEW_BEFORE = 300.0
# Seconds that a token is taken to live at most, and where the service tells nonsense.
_LONGEST_LIFE, _SHORTEST_LIFE = 30 * 86400.0, 60.0


class UnsealError(Exception):
    """A sealed text does not open: other key, other destination, or altered."""


def _keys(env):
    """The master keys, the current one first.

    :raise UserError: when there is none, or one is too short to be random
    """
    text = os.environ.get(KEY_VARIABLE) or config.get(KEY_OPTION) or ""
    keys = [key.strip() for key in text.split(",") if key.strip()]
    if not keys:
        raise UserError(
            env._(
                "Passwords cannot be stored, because this Odoo has no encryption key. "
                "Your administrator sets one as %(option)s in Odoo's configuration "
                "file (or %(variable)s in the environment), at least %(length)s random "
                "characters, and restarts Odoo.",
                option=KEY_OPTION,
                variable=KEY_VARIABLE,
                length=_MINIMUM_KEY_LENGTH,
            )
        )
    if any(len(key) < _MINIMUM_KEY_LENGTH for key in keys):
        raise UserError(
            env._(
                "The encryption key in %(option)s is too short: it needs at least "
                "%(length)s random characters.",
                option=KEY_OPTION,
                length=_MINIMUM_KEY_LENGTH,
            )
        )
    return keys


def _info(purpose, context):
    """One unambiguous byte string for a purpose and the parts of a context."""
    digest = hashlib.sha256()
    for part in (purpose, *(str(item) for item in context)):
        data = part.encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return b"mail_external_account/" + digest.digest()


def _derive(key, info):
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(
        key.encode()
    )


def _fernet(key, context):
    return Fernet(base64.urlsafe_b64encode(_derive(key, _info("seal", context))))


def seal(env, secret, context):
    """Encrypt ``secret`` (str) so that it opens only with the same ``context``.

    :param context: sequence of values: whose secret it is and where it may go
    :return: str token
    :raise UserError: no usable key is configured
    """
    return _fernet(_keys(env)[0], context).encrypt(secret.encode()).decode()


def unseal(env, token, context):
    """Decrypt what ``seal`` returned.

    :raise UnsealError: the key, the destination or the owner is not that of ``seal``
    :raise UserError: no usable key is configured
    """
    for key in _keys(env):
        try:
            return _fernet(key, context).decrypt(token.encode()).decode()
        except InvalidToken:
            continue
    raise UnsealError


# Where a secret goes


def server(settings, purpose, timeout):
    """Where a connection goes to, without secret.

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


def secret_context(env, settings, purpose):
    """Whose password it is, and the only place where it may go."""
    return (
        *_whose(env, settings),
        *_place(settings, purpose),
        _ca_hash(settings),
        settings[f"{purpose}_login"] or "",
    )


def token_context(env, settings):
    """Whose tokens they are, and the only places where they may go: the mail servers,
    as the mailbox that the logins name, and the service that renews them."""
    application = _application(env, settings)
    incoming = ("none",)
    if settings["incoming_protocol"] in {each.value for each in Protocol}:
        incoming = (*_place(settings, "incoming"), settings["incoming_login"] or "")
    return (
        "oauth2",
        *_whose(env, settings),
        *_application_parts(application),
        *_place(settings, "smtp"),
        settings["smtp_login"] or "",
        *incoming,
        _ca_hash(settings),
    )


def _whose(env, settings):
    account_id, user_id, company_id, sign_in_user_id = _holder(settings)
    return (
        _database(env),
        f"account:{account_id}",
        f"user:{user_id}" if user_id else "company",
        f"company:{company_id or False}",
        f"signed in by:{sign_in_user_id or False}",
    )


def _database(env):
    return env["ir.config_parameter"].sudo().get_param("database.uuid")


def _holder(settings):
    """Ids of those that ``_secret_holder`` names, see ``mail.external.account``."""
    if isinstance(settings, dict):
        names = ("id", "user_id", "company_id", "sign_in_user_id")
        return [settings[name] for name in names]
    return [record._origin.id for record in settings._secret_holder()]


def _place(settings, purpose):
    return (
        _protocol(settings, purpose),
        settings[f"{purpose}_host"] or "",
        settings[f"{purpose}_port"] or 0,
        settings[f"{purpose}_security"] or "",
    )


def _protocol(settings, purpose):
    return "smtp" if purpose == "smtp" else settings["incoming_protocol"]


def _ca_hash(settings):
    return hashlib.sha256((settings["ca_certificate"] or "").encode()).hexdigest()


# Stored sign-ins


def store_password(account, purpose, password):
    """Keep the password of an account, which has none for this purpose."""
    sealed = seal(account.env, password, secret_context(account.env, account, purpose))
    account.env["mail.external.secret"].sudo().create(
        {"account_id": account.id, "purpose": purpose, "sealed": sealed}
    )


def stored_credentials(env, account, purpose):
    """The sign-in of an account. Nothing else opens a stored password.

    With an access token, that is the one that is kept now, whether or not it is still
    good: see ``oauth2/tokens.py``.

    :param account: mail.external.account, or a row with what is ``sealed``, too
    :rtype: mailkit.connection.settings.Credentials
    :raise UnsealError: there is none, or it is not for these settings
    :raise UserError: no usable key is configured
    """
    login = account[f"{purpose}_login"] or ""
    if account["auth_method"] == "oauth2":
        tokens = stored_tokens(env, account)
        mechanism = _application(env, account).mechanism or ""
        return Credentials(login, access_token=tokens.access_token, mechanism=mechanism)
    sealed = _sealed(env, account, purpose)
    return Credentials(
        login, unseal(env, sealed, secret_context(env, account, purpose))
    )


def _sealed(env, account, purpose):
    if isinstance(account, dict):
        return account["sealed"] or ""
    domain = [("account_id", "=", account._origin.id), ("purpose", "=", purpose)]
    return env["mail.external.secret"].sudo().search(domain).sealed or ""


# Tokens of a sign-in with the mail service


@dataclass(frozen=True)
class StoredTokens:
    """What is sealed of one sign-in.

    `grant`: names the sign-in; it stays the same through all renewals. `scopes`: what
    was allowed. `subject`: who signed in, as far as the service said so; it proves
    nothing, and only says whose tokens end together.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    grant: str = ""
    scopes: tuple = ()
    subject: str = ""


def store_tokens(account, tokens, grant):
    """Keep what a sign-in gave, in place of whatever secrets the account has.

    :param account: mail.external.account with the settings that were tested
    :param mailkit.oauth.Tokens tokens:
    :param str grant: a random name of this sign-in
    :raise UserError: no usable key is configured
    """
    env, secrets = account.env, account.env["mail.external.secret"].sudo()
    kept = StoredTokens(
        tokens.access_token,
        tokens.refresh_token,
        grant,
        tuple(tokens.scopes),
        (tokens.hint or account.smtp_login or "").strip().lower(),
    )
    values = token_columns(env, kept, token_contexts(env, account))
    values.update(token_times(_database_time(env), tokens.expires_at))
    # Before there is another one: it is one of a purpose.
    secrets.search([("account_id", "=", account.id)]).unlink()
    secrets.create(
        {
            **values,
            "account_id": account.id,
            "purpose": "oauth2",
            "application_id": account.application_id.id,
        }
    )


def stored_tokens(env, account):
    """What is kept of an account's sign-in with the mail service, as it is now.

    :param account: as for ``stored_credentials``
    :rtype: StoredTokens
    :raise UnsealError: there is none, or it is not for these settings
    :raise UserError: no usable key is configured
    """
    sealed = _sealed(env, account, "oauth2")
    return opened_tokens(env, sealed, token_contexts(env, account)[0])


def opened_tokens(env, sealed, context):
    """:raise UnsealError, UserError: as ``unseal``"""
    data = json.loads(unseal(env, sealed or "", context))
    return StoredTokens(**{**data, "scopes": tuple(data["scopes"])})


def renewed_tokens(kept, tokens):
    """What to keep after a renewal.

    :param StoredTokens kept: what it was renewed with
    :param mailkit.oauth.Tokens tokens: what the service answered
    :rtype: StoredTokens
    """
    return replace(
        kept,
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token or kept.refresh_token,
        scopes=tuple(tokens.scopes) or kept.scopes,
    )


def token_contexts(env, settings):
    """What tokens are bound to while they are used, and when they are to be revoked.

    The latter does not know the mail servers: whoever goes back to a password, or to
    another server, ends the sign-in at the service that gave it, and nowhere else.
    """
    application = _application(env, settings)
    account_id = _holder(settings)[0]
    return token_context(env, settings), _end_context(env, account_id, application)


def _end_context(env, account_id, application):
    return (
        "end of oauth2",
        _database(env),
        f"account:{account_id}",
        *_application_parts(application),
        application.revocation_endpoint or "",
    )


def token_columns(env, kept, contexts):
    """What a row of mail.external.secret has sealed, and what it is found by.

    :param StoredTokens kept:
    :param contexts: see ``token_contexts``
    :return: dict: name of a column -> value
    """
    end = replace(kept, access_token="")
    grants, subjects = token_keys(env, kept, contexts[1])
    return {
        "sealed": seal(env, json.dumps(vars(kept)), contexts[0]),
        "sealed_end": seal(env, json.dumps(vars(end)), contexts[1]),
        "grant_key": grants[0],
        "subject_key": subjects[0],
    }


def token_keys(env, kept, end_context):
    """Keyed hashes by which rows of the same sign-in, or of the same person at the same
    application, are found: with each of the keys, the current one first.

    :return: (list of str, list of str)
    """
    application = end_context[3:]
    parts = ("grant", kept.grant), ("subject", kept.subject)
    return tuple(
        [_hash(key, (*part, *application)) for key in _keys(env)] for part in parts
    )


def token_times(now, expires_at):
    """When an access token ends, and from when on it is renewed.

    :param now: the database's time, UTC without a time zone
    :param expires_at: as mailkit.oauth.Tokens has it, by the clock of this process
    :return: dict, as ``token_columns``; nothing is known where the service said nothing
    """
    if expires_at is None:
        return {"token_ends": None, "renew_at": None}
    life = min(expires_at - time.time(), _LONGEST_LIFE)
    if life < 1:  # nonsense, or the clock was set meanwhile: the mail server decides
        life = _SHORTEST_LIFE
    margin = min(_RENEW_BEFORE, life / 2)
    return {
        "token_ends": now + timedelta(seconds=life),
        "renew_at": now + timedelta(seconds=life - margin),
    }


def _database_time(env):
    [[now]] = env.execute_query(SQL("SELECT clock_timestamp() AT TIME ZONE 'UTC'"))
    return now


def ended_tokens(secret):
    """What is needed to revoke the tokens of a row of mail.external.secret.

    :return: (mailkit.oauth.Client, StoredTokens without access token, their
        ``token_keys``)
    :raise UnsealError: they are not for this database and this application
    :raise UserError: no usable key is configured
    """
    secret = secret.sudo()
    env, application = secret.env, secret.application_id
    context = _end_context(env, secret.account_id.id, application)
    kept = opened_tokens(env, secret.sealed_end, context)
    return application_client(application), kept, token_keys(env, kept, context)


def unsaved_tokens(application, tokens, grant, login):
    """The same for tokens that a connect window has, and no account.

    :param mailkit.oauth.Tokens tokens:
    :param str login: the mailbox that the window is about
    """
    subject = (tokens.hint or login or "").strip().lower()
    kept = StoredTokens("", tokens.refresh_token, grant or "", (), subject)
    context = _end_context(application.env, False, application)
    return (
        application_client(application),
        kept,
        token_keys(application.env, kept, context),
    )


# The firm's application at a mail service


def seal_application_secret(application, secret):
    """Keep the client secret of an application; "" or None: it has none.

    It opens for this client ID and these endpoints only, so write those before.

    :raise UserError: no usable key is configured
    """
    application = application.sudo()
    context = application_context(application)
    sealed = secret and seal(application.env, secret, context)
    application.secret_sealed = sealed or False


def move_application_secret(application, former):
    """Seal the client secret of an application anew, for what it is bound to now.

    Where it does not open, there is none any more.

    :param former: its ``application_context`` until now
    :raise UserError: no usable key is configured
    """
    application = application.sudo()
    try:
        secret = unseal(application.env, application.secret_sealed or "", former)
    except UnsealError:
        secret = ""
    seal_application_secret(application, secret)


def application_client(application):
    """The application, as the mail service knows it, with its secret opened.

    :rtype: mailkit.oauth.Client
    :raise UnsealError: its secret is not for its client ID, or not of this database
    :raise UserError: no usable key is configured
    """
    application = application.sudo()
    secret = ""
    if sealed := application.secret_sealed:
        context = application_context(application)
        secret = unseal(application.env, sealed, context)
    return oauth.Client(
        client_id=application.client_id or "",
        client_secret=secret,
        authorization_endpoint=application.authorization_endpoint or "",
        token_endpoint=application.token_endpoint or "",
        revocation_endpoint=application.revocation_endpoint or "",
        scopes=tuple((application.scopes or "").split()),
        parameters=application._parameters(),
        token_auth=application.token_auth or "client_secret_post",
        ca_pem=application.ca_certificate or "",
        allow_private=bool(application.allow_private_host),
        issuer=application.issuer or "",
    )


def application_context(application):
    """What the client secret of an application is sealed for: where it is told."""
    env = application.env
    return (
        "application",
        env["ir.config_parameter"].sudo().get_param("database.uuid"),
        f"application:{application._origin.id or False}",
        application.client_id or "",
        application.token_endpoint or "",
        application.revocation_endpoint or "",
    )


def _application(env, settings):
    """The application of an account, of a window or of a row, in superuser mode."""
    found = settings["application_id"]
    if isinstance(settings, dict):
        found = env["mail.external.application"].browse(found)
    return found.sudo()


def _application_parts(application):
    """What makes it the same application: another one's tokens mean nothing to it."""
    return (
        f"application:{application._origin.id or False}",
        application.client_id or "",
        application.token_endpoint or "",
    )


# What Odoo signs


def fingerprint(env, context):
    """Keyed hash (hex) over ``context``: nobody without the key can make one.

    :raise UserError: no usable key is configured
    """
    return _hash(_keys(env)[0], context)


def _hash(key, context):
    key = _derive(key, b"mail_external_account/fingerprint")
    return hmac.new(key, _info("fingerprint", context), hashlib.sha256).hexdigest()


def same_fingerprint(left, right):
    """Compare in constant time; an absent one equals nothing."""
    return bool(left and right) and hmac.compare_digest(left, right)


def signers(env):
    """What signs and checks the marks in sent mail, the current key first.

    :rtype: list[mailkit.answers.token.Signer]
    :raise UserError: no usable key is configured
    """
    uuid = env["ir.config_parameter"].sudo().get_param("database.uuid")
    info = b"mail_external_account/token"
    return [Signer(_derive(key, info), uuid) for key in _keys(env)]
