"""What is known of Google and Microsoft as authorization servers (RFC 6749), and of the
mistakes that are made with what they give an application."""

import re

from odoo.tools.translate import LazyTranslate

_lt = LazyTranslate(__name__)

# What an application needs besides its id and secret; typed for "other" services only.
DATA = (
    "authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    "issuer",
    "scopes",
    "mechanism",
    "token_auth",
    "authorization_parameters",
)
SECRET_IN_BODY = "client_secret_post"  # noqa: S105 - RFC 7591 section 2
# What is longer than any id or secret is something else.
MOST_CHARACTERS = 2048
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})+", re.ASCII)
_COMMON_TENANTS = ("common", "organizations", "consumers")
_GOOGLE_CLIENT = re.compile(
    r"[0-9]{1,40}(-[a-z0-9]{1,80})?\.apps\.googleusercontent\.com"
)
# How consoles show a secret that they show no more.
_HIDDEN = re.compile(r"\*{3}|[\u2022\u25cf\u00b7]{3}|\.{3}|\u2026")
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"))


def data_of(kind, tenant):
    """The values of ``DATA`` for a service that is known.

    Google: developers.google.com/identity/protocols/oauth2/web-server. Microsoft:
    learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow, and for the
    scopes .../exchange/client-developer/legacy-protocols/
    how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth.

    :param str kind: "google" or "microsoft"
    :param str tenant: for Microsoft; without a valid one there are no addresses
    :return: dict
    """
    values = dict.fromkeys(DATA, False)
    values.update(mechanism="XOAUTH2", token_auth=SECRET_IN_BODY)
    if kind == "google":
        return {
            **values,
            "authorization_endpoint": "https://accounts.google.com/o/oauth2/v2/auth",
            "token_endpoint": "https://oauth2.googleapis.com/token",
            "revocation_endpoint": "https://oauth2.googleapis.com/revoke",
            "issuer": "https://accounts.google.com",
            "scopes": "https://mail.google.com/ openid email",
            # Without both there is no refresh token at a second sign-in.
            "authorization_parameters": "access_type=offline&prompt=consent",
        }
    if is_tenant(tenant):
        base = f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0"
        values["authorization_endpoint"] = f"{base}/authorize"
        values["token_endpoint"] = f"{base}/token"
    resource = "https://outlook.office.com"
    names = ("SMTP.Send", "IMAP.AccessAsUser.All", "POP.AccessAsUser.All")
    scopes = [f"{resource}/{name}" for name in names]
    values["scopes"] = " ".join([*scopes, "offline_access", "openid", "email"])
    # Who is signed in as somebody else there is asked which of them it is.
    values["authorization_parameters"] = "prompt=select_account"
    return values


def to_register(kind, scopes):
    """The scopes as they are entered in the service's console.

    :return: str
    """
    if kind == "google":  # the two others need not be registered
        return "https://mail.google.com/"
    if kind == "microsoft":  # permissions of Microsoft Graph have short names
        return ", ".join(scope.rpartition("/")[2] for scope in scopes.split())
    return scopes


def is_tenant(text):
    """Whether this may stand for the tenant in Microsoft's addresses."""
    return bool(
        text in _COMMON_TENANTS
        or _GUID.fullmatch(text or "")
        or (_DOMAIN.fullmatch(text or "") and len(text) <= 253)
    )


# What is pasted


def trimmed(text, kind="other"):
    """Pasted text without what comes along: blanks around it, line breaks, and what
    cannot be seen. Ids and secrets of Google and Microsoft have no blanks at all."""
    text = (text or "").translate(_INVISIBLE)
    if kind != "other":
        return "".join(text.split())
    return "".join(text.splitlines()).strip()


def tenant(text):
    """A tenant as it is compared and put into addresses; it may be none."""
    return trimmed(text, "microsoft").lower()


def client_id_mistake(kind, text, tenant=""):
    """What was entered in place of a client id.

    :return: a sentence (lazy translation) with its remedy, or None
    """
    if text.startswith("{"):
        return _lt(
            "This is the content of a file. Enter only the value of “client_id” in it."
        )
    if len(text) > MOST_CHARACTERS or not re.fullmatch(r"[\x21-\x7e]+", text):
        return _lt(
            "This is no client ID: it consists of letters, digits and signs, without "
            "blanks. Copy it again from the service's console."
        )
    if kind == "google":
        return _google_id_mistake(text)
    if kind == "microsoft":
        return _microsoft_id_mistake(text.lower(), tenant)
    return None


def _google_id_mistake(text):
    if _GOOGLE_CLIENT.fullmatch(text.lower()):
        return None
    if text.startswith("GOCSPX-"):
        return _lt(
            "This is the client secret. Enter it as “Client Secret”, and here the "
            "client ID, which ends with .apps.googleusercontent.com."
        )
    if text.startswith("AIza"):
        return _lt(
            "This is an API key. Create an “OAuth client ID” of the type “Web "
            "application”, and enter its client ID."
        )
    if "gserviceaccount.com" in text or text.isdigit():
        return _lt(
            "This names a project or a service account, as which nobody can sign in. "
            "Create an “OAuth client ID” of the type “Web application”, and enter its "
            "client ID."
        )
    return _lt(
        "This is no client ID of Google: one ends with .apps.googleusercontent.com. "
        "Copy it again from Google Auth Platform > Clients."
    )


def _microsoft_id_mistake(text, tenant):
    if text == (tenant or "").lower():
        return _lt(
            "This is the directory (tenant) ID. Enter the “Application (client) ID”, "
            "which stands above it on the application's overview."
        )
    if _GUID.fullmatch(text):
        return None
    if text.startswith("api://"):
        return _lt(
            "This is the Application ID URI. Enter the “Application (client) ID” from "
            "the application's overview."
        )
    if "~" in text:
        return _lt(
            "This is the value of the client secret. Enter it as “Client Secret”, and "
            "here the “Application (client) ID” from the application's overview."
        )
    return _lt(
        "This is no client ID of Microsoft: one looks like "
        "00000000-0000-0000-0000-000000000000. Copy the “Application (client) ID” from "
        "the application's overview."
    )


def secret_mistake(kind, text, client_id=""):
    """What was entered in place of a client secret.

    :return: a sentence (lazy translation) with its remedy, or None
    """
    if text.startswith("{"):
        return _lt(
            "This is the content of a file. Enter only the value of “client_secret” in "
            "it."
        )
    if _HIDDEN.search(text):
        return _lt(
            "This is a secret as the console shows it later, with most of it hidden. "
            "Make a new secret there, and copy its value before you leave the page."
        )
    if len(text) > MOST_CHARACTERS or not re.fullmatch(r"[\x20-\x7e]+", text):
        return _lt(
            "This is no client secret: it consists of letters, digits and signs. Copy "
            "it again from the service's console."
        )
    if client_id and text == client_id or _GOOGLE_CLIENT.fullmatch(text.lower()):
        return _lt("This is the client ID. The secret stands beside it in the console.")
    if kind == "microsoft" and _GUID.fullmatch(text.lower()):
        return _lt(
            "This is the secret's ID. Enter what stands in the column “Value” beside "
            "it; if it is hidden by now, make a new secret."
        )
    if kind == "google" and text.startswith("AIza"):
        return _lt(
            "This is an API key. Enter the client secret, which begins with GOCSPX- "
            "mostly."
        )
    return None
