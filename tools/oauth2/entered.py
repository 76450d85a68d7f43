"""Whether what was entered for an application can be right; each refusal names the
field and the remedy."""

import ipaddress
import re
from urllib.parse import parse_qsl

from odoo.exceptions import ValidationError
from odoo.tools.translate import LazyTranslate

from ...mailkit import http
from ...mailkit.connection.network import is_public
from ...mailkit.connection.settings import Security
from ...mailkit.errors import MailError
from . import services, web_address

_lt = LazyTranslate(__name__)

# What the authorization request says itself (RFC 6749 section 4.1.1, RFC 7636), and
# what would have its answer come in another way.
_OWN_PARAMETERS = frozenset(
    {
        *("client_id", "client_secret", "redirect_uri", "response_type", "scope"),
        *("state", "code_challenge", "code_challenge_method", "login_hint"),
        *("response_mode", "nonce", "request", "request_uri", "code"),
    }
)
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*")


def refusal(application, name, text, **values):
    """:return: ValidationError that names the field"""
    label = application._fields[name]._description_string(application.env)
    sentence = application.env._(text)
    return ValidationError(f"{label}: {sentence % values}")


def check_client_id(application):
    """:raise ValidationError: something else was pasted there"""
    mistake = services.client_id_mistake(
        application.kind, application.client_id, application.tenant
    )
    if mistake:
        raise refusal(application, "client_id", mistake)


def check_client_secret(application, secret):
    """:raise ValidationError: something else was pasted there"""
    mistake = services.secret_mistake(application.kind, secret, application.client_id)
    if mistake:
        raise refusal(application, "client_secret", mistake)


def check_tenant(application):
    """:raise ValidationError: it could lead to somewhere else than a tenant"""
    if not services.is_tenant(application.tenant):
        raise refusal(
            application,
            "tenant",
            _lt(
                "“%(tenant)s” is no tenant. Enter the “Directory (tenant) ID” of the "
                "application's overview, a domain of the tenant, or common, "
                "organizations or consumers."
            ),
            tenant=application.tenant or "",
        )


def check_data(application):
    """:raise ValidationError: addresses, scopes or parameters that cannot be right"""
    if application.kind != "other":
        known = services.data_of(application.kind, application.tenant)
        for name, value in known.items():
            if (application[name] or False) != value:
                raise refusal(
                    application,
                    name,
                    _lt(
                        "It is known for this service, and cannot be changed. For a "
                        "service with other addresses make an application of the kind "
                        "“Another service”."
                    ),
                )
        return
    for name in ("authorization_endpoint", "token_endpoint", "revocation_endpoint"):
        if application[name]:
            _check_endpoint(application, name)
    if application.issuer and not _target(application.issuer):
        raise refusal(application, "issuer", _NO_ADDRESS, value=application.issuer)
    if application.scopes and not _SCOPE.fullmatch(application.scopes):
        raise refusal(
            application,
            "scopes",
            _lt("They are separated by single blanks, without quotation marks."),
        )
    if application.authorization_parameters:
        _check_parameters(application)


_NO_ADDRESS = _lt(
    "“%(value)s” is not the address of a web page. Enter it whole, beginning with "
    "https://, as the service's documentation has it."
)


def _check_endpoint(application, name):
    value = application[name]
    target = _target(value)
    if not target:
        raise refusal(application, name, _NO_ADDRESS, value=value)
    host, internal = target.host, application.allow_private_host
    is_plain = target.security is Security.NONE
    # Nobody else listens on the way inside a machine.
    if is_plain and not (internal and web_address.is_loopback(host)):
        raise refusal(
            application,
            name,
            _lt("It needs https, or secrets could be read on their way."),
        )
    if not internal and _is_internal(host):
        raise refusal(
            application,
            name,
            _lt(
                "%(host)s is in an internal network. Enter the service's public "
                "address, or tick “Internal Server”."
            ),
            host=host,
        )


def _target(text):
    """Where it leads, by the rules by which it is asked later; None: nowhere.

    :rtype: mailkit.http.Target | None
    """
    if not text.isascii() or re.search(r"[\"<>]", text):
        return None
    try:
        return http.parse(text, plain=True)
    except MailError:
        return None


def _is_internal(host):
    """By its look only: names are judged when they are contacted."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return web_address.is_loopback(host) or "." not in host.strip(".")
    return not is_public(str(address))


def _check_parameters(application):
    name = "authorization_parameters"
    try:
        pairs = parameters(application)
    except ValueError:
        pairs = ()
    if not pairs or not all(key and value for key, value in pairs):
        raise refusal(
            application,
            name,
            _lt("Enter them as name=value&name=value, for example prompt=consent."),
        )
    for key, _value in pairs:
        if key in _OWN_PARAMETERS:
            raise refusal(
                application,
                name,
                _lt("Odoo sets “%(key)s” itself: leave it out."),
                key=key,
            )


def parameters(application):
    """What is added to the authorization address.

    :return: tuple of (name, value)
    :raise ValueError: they cannot be read
    """
    text = application.authorization_parameters or ""
    pairs = parse_qsl(
        text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=20
    )
    return tuple(pairs)
