"""Stored passwords, sealed for the one place where each may go; and what Odoo signs.

Deliberately no model: nothing here can be reached by RPC. The key comes from the
environment variable MAIL_EXTERNAL_ACCOUNT_KEY or from the option
``mail_external_account_key`` of Odoo's configuration file, never from the database.
Several keys may be given, separated by commas: the first one seals, all of them
unseal, so that a key can be replaced step by step.

The settings of a connection (``settings``) come as what is read by
``settings["smtp_host"]``: a record of ``mail.external.connection.mixin``, or a plain
row (dict) of the account's columns. ``purpose`` is "smtp" or "incoming".
"""

import base64
import hashlib
import hmac
import os

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from odoo.exceptions import UserError
from odoo.tools import config

from ..mailkit import oauth
from ..mailkit.answers.token import Signer
from ..mailkit.connection.settings import Credentials, Protocol, Security, Server

KEY_VARIABLE = "MAIL_EXTERNAL_ACCOUNT_KEY"
KEY_OPTION = "mail_external_account_key"
_MINIMUM_KEY_LENGTH = 32


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


# Passwords, and where they go


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
    account_id, user_id, company_id, sign_in_user_id = _holder(settings)
    return (
        env["ir.config_parameter"].sudo().get_param("database.uuid"),
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


def _holder(settings):
    """Ids of those that ``_secret_holder`` names, see ``mail.external.account``."""
    if isinstance(settings, dict):
        names = ("id", "user_id", "company_id", "sign_in_user_id")
        return [settings[name] for name in names]
    return [record._origin.id for record in settings._secret_holder()]


def _protocol(settings, purpose):
    return "smtp" if purpose == "smtp" else settings["incoming_protocol"]


def store_password(account, purpose, password):
    """Keep the password of an account, which has none for this purpose."""
    sealed = seal(account.env, password, secret_context(account.env, account, purpose))
    account.env["mail.external.secret"].sudo().create(
        {"account_id": account.id, "purpose": purpose, "sealed": sealed}
    )


def stored_credentials(env, account, purpose):
    """The sign-in of an account. Nothing else opens a stored password.

    :param account: mail.external.account, or a row with what is ``sealed``, too
    :rtype: mailkit.connection.settings.Credentials
    :raise UnsealError: there is none, or it is not for these settings
    :raise UserError: no usable key is configured
    """
    if isinstance(account, dict):
        sealed = account["sealed"]
    else:
        domain = [("account_id", "=", account.id), ("purpose", "=", purpose)]
        sealed = env["mail.external.secret"].sudo().search(domain).sealed
    password = unseal(env, sealed or "", secret_context(env, account, purpose))
    return Credentials(account[f"{purpose}_login"] or "", password)


# The firm's application at a mail service


def seal_application_secret(application, secret):
    """Keep the client secret of an application; "" or None: it has none.

    It opens for this client ID and this token endpoint only, so write those before.

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
    """What the client secret of an application is sealed for."""
    env = application.env
    return (
        "application",
        env["ir.config_parameter"].sudo().get_param("database.uuid"),
        f"application:{application._origin.id or False}",
        application.client_id or "",
        application.token_endpoint or "",
    )


# What Odoo signs


def fingerprint(env, context):
    """Keyed hash (hex) over ``context``: nobody without the key can make one.

    :raise UserError: no usable key is configured
    """
    key = _derive(_keys(env)[0], b"mail_external_account/fingerprint")
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
