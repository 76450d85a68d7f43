"""What services say when a sign-in with them fails, with its cause and remedy.

Much of it only stands on their own page, where people stay: Odoo never hears of it. So
an application's page shows these tables. Where Odoo is told such a word (by the token
endpoint, or when people come back), the same cause and remedy are shown for it.

Google: developers.google.com/identity/protocols/oauth2/web-server#errors. Microsoft:
learn.microsoft.com/entra/identity-platform/reference-error-codes. Others: RFC 6749
section 4.1.2.1 and 5.2.
"""

import re

from markupsafe import Markup
from odoo.tools.translate import LazyTranslate

from ...mailkit.errors import ErrorCode
from ..explanations import TEXTS, cause_and_remedy

_lt = LazyTranslate(__name__)

_COPY_REDIRECT = _lt(
    "Copy the redirect address from this page into the application at the service, "
    "letter by letter: https, host, port, and no slash at its end. Changes may take "
    "some minutes there."
)
_NEW_SECRET = _lt(
    "Make a new client secret at the service, enter its value here, and press “Check”."
)
_GOOGLE = {
    "redirect_uri_mismatch": (
        _lt("The redirect address of Odoo is not registered, or not exactly so."),
        _COPY_REDIRECT,
    ),
    "invalid_request": (
        _lt(
            "Google does not accept the redirect address: it is without https, or its "
            "host is an internal name or an IP address."
        ),
        _lt(
            "Give Odoo a public name with https, set web.base.url to it, and register "
            "the redirect address anew."
        ),
    ),
    "org_internal": (
        _lt(
            "The application is for members of one Google Workspace only, and this "
            "mailbox is none of them."
        ),
        _lt(
            "Sign in with a mailbox of that organization; or choose “External” in "
            "Google Auth Platform > Audience."
        ),
    ),
    "admin_policy_enforced": (
        _lt("The Google administrator of the mailbox does not allow this application."),
        _lt(
            "They add the client ID as trusted in admin.google.com: Security > Access "
            "and data control > API controls > App access control."
        ),
    ),
    "access_denied": (
        _lt(
            "The sign-in was cancelled; or the application is in testing, and this "
            "account is no test user of it."
        ),
        _lt(
            "Sign in again and allow everything; or publish the application (or add "
            "the test user) in Google Auth Platform > Audience."
        ),
    ),
    "Google hasn’t verified this app": (
        _lt(
            "An external application that reads mail shows this until Google verified "
            "it."
        ),
        _lt(
            "“Advanced” leads on. An internal application of a Google Workspace shows "
            "nothing of the kind."
        ),
    ),
    "invalid_client": (
        _lt("There is no application with this client ID, or its secret is another."),
        _lt("Copy client ID and client secret again from Google Auth Platform."),
    ),
    "deleted_client": (
        _lt("The application was deleted at Google."),
        _lt("Restore it in Google Auth Platform > Clients, or make a new one."),
    ),
    "disabled_client": (
        _lt("Google or an administrator has switched the application off."),
        _lt("Look for the reason in the Google Cloud console, or make a new one."),
    ),
    "unauthorized_client": (
        _lt("The application is of another type than “Web application”."),
        _lt("Create an OAuth client of that type, and enter its ID and secret here."),
    ),
}
_MICROSOFT = {
    "AADSTS50011": (
        _lt("The redirect address of Odoo is not registered, or not exactly so."),
        _COPY_REDIRECT,
    ),
    "AADSTS500113": (
        _lt("No redirect address is registered for the application."),
        _COPY_REDIRECT,
    ),
    "AADSTS500112": (
        _lt("The redirect address changed while somebody signed in."),
        _COPY_REDIRECT,
    ),
    "AADSTS700016": (
        _lt(
            "The tenant has no application with this client ID: perhaps the object ID "
            "was entered, or the application belongs to another tenant."
        ),
        _lt(
            "Enter the “Application (client) ID” of its overview; and as tenant the "
            "“Directory (tenant) ID” that stands there."
        ),
    ),
    "AADSTS90002": (
        _lt("There is no such tenant."),
        _lt(
            "Enter the “Directory (tenant) ID” of the application's overview as tenant."
        ),
    ),
    "AADSTS50194": (
        _lt("The application is for one tenant only, but “common” was entered."),
        _lt(
            "Enter the “Directory (tenant) ID” as tenant; or let the application "
            "support accounts in any directory."
        ),
    ),
    "AADSTS50020": (
        _lt("The account belongs to another tenant than the application is for."),
        _lt(
            "Sign in with an account of this tenant; or let the application support "
            "accounts in any directory, and enter “common” as tenant."
        ),
    ),
    "not enabled for consumers": (
        _lt(
            "A personal account (Outlook.com) was used, and the application is for "
            "work accounts only."
        ),
        _lt(
            "Choose “accounts in any organizational directory and personal accounts” "
            "under Authentication, and enter “common” as tenant."
        ),
    ),
    "AADSTS50105": (
        _lt("The application is for assigned people only, and this account is not."),
        _lt(
            "Assign it under Enterprise applications > Users and groups, or switch "
            "off “Assignment required” under its properties."
        ),
    ),
    "AADSTS65001": (
        _lt("Nobody has agreed yet that the application may do this."),
        _lt(
            "A Microsoft administrator presses “Grant admin consent” under API "
            "permissions; then people sign in again."
        ),
    ),
    "AADSTS90094": (
        _lt("“Need admin approval”: people may not allow applications themselves."),
        _lt(
            "A Microsoft administrator presses “Grant admin consent” under API "
            "permissions, or approves the request."
        ),
    ),
    "AADSTS65004": (
        _lt("The sign-in was cancelled, or not everything was allowed."),
        _lt("Sign in again and allow everything that is asked."),
    ),
    "AADSTS650053": (
        _lt("A scope is asked for that there is not."),
        _lt("Add the permissions named on this page under API permissions."),
    ),
    "AADSTS53003": (
        _lt("A rule of the firm (conditional access) does not allow this sign-in."),
        _lt(
            "The Microsoft administrator finds the rule in the sign-in logs of Entra, "
            "and excepts this application or this person."
        ),
    ),
    "AADSTS53000": (
        _lt("The firm's rules want a device that it manages."),
        _lt("Sign in from such a device, or let the administrator change the rule."),
    ),
    "AADSTS50076": (
        _lt("The firm's rules want a second factor."),
        _lt("Sign in again; Microsoft then asks for it."),
    ),
    "AADSTS50079": (
        _lt("A second factor has to be set up for the account first."),
        _lt("Set it up at aka.ms/mfasetup, and sign in again."),
    ),
    "AADSTS7000215": (
        _lt("The client secret is wrong: perhaps its ID was entered, not its value."),
        _NEW_SECRET,
    ),
    "AADSTS7000222": (_lt("The client secret has expired."), _NEW_SECRET),
    "AADSTS7000112": (
        _lt("The application is switched off in the tenant."),
        _lt(
            "Switch on “Enabled for users to sign-in” in the properties under "
            "Enterprise applications."
        ),
    ),
    "AADSTS7000218": (
        _lt(
            "Microsoft got no client secret, or takes the application for a public one."
        ),
        _lt(
            "Enter the secret's value here, and register the redirect address under "
            "the platform “Web”."
        ),
    ),
    "AADSTS9002327": (
        _lt("The redirect address is registered under “Single-page application”."),
        _lt("Remove it there, and add it under the platform “Web”."),
    ),
}
_OTHER = {
    "redirect_uri": (
        _lt("The redirect address of Odoo is not registered, or not exactly so."),
        _COPY_REDIRECT,
    ),
    "invalid_client": (
        _lt("The service does not know the client ID, or its secret is another."),
        _lt("Copy both again, and see in which way the service wants the secret told."),
    ),
    "unauthorized_client": (
        _lt("The application may not use this way to sign in."),
        _lt("Allow it the authorization code grant, with refresh tokens."),
    ),
    "access_denied": (
        _lt("The sign-in was cancelled, or the service refused it."),
        _lt("Sign in again and allow everything that is asked."),
    ),
    "invalid_scope": (
        _lt("One of the scopes is unknown, or the application may not ask for it."),
        _lt("Compare the scopes with the service's documentation."),
    ),
    "unsupported_response_type": (
        _lt("The service does not know the authorization code grant."),
        _lt("Look into its documentation: Odoo can sign in in this way only."),
    ),
}
_TITLES = (_lt("The service says"), _lt("Why"), _lt("What to do"))
WORDS = {"google": _GOOGLE, "microsoft": _MICROSOFT, "other": _OTHER}


# General words that count only where they mean the same as the code that was found.
_ONLY_WITH = {
    "invalid_client": ErrorCode.OAUTH_CLIENT,
    "unauthorized_client": ErrorCode.OAUTH_CLIENT,
    "access_denied": ErrorCode.OAUTH_DENIED,
    "invalid_request": ErrorCode.OAUTH_REDIRECT,
    "invalid_scope": ErrorCode.OAUTH_CONSENT,
    "redirect_uri": ErrorCode.OAUTH_REDIRECT,
}


def explained(env, kind, code, reply):
    """What a service's words mean, where they say more than their code.

    :param str kind: of the application
    :param str code: of ``mailkit.errors.ErrorCode``
    :param reply: what the service said, str
    :return: (cause, remedy) in the language of ``env``, or None
    """
    # Microsoft's services of some countries are entered as other ones.
    known = {word: texts for word, texts in _MICROSOFT.items() if word[-1].isdigit()}
    for word, texts in {**known, **WORDS[kind]}.items():
        if _ONLY_WITH.get(word, code) != code:
            continue
        # no part of a longer one: AADSTS50011 is none of AADSTS500112
        if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", reply or ""):
            return tuple(env._(text) for text in texts)
    return None


def unreached(env, code, reply):
    """What kept Odoo from reaching the service, where that is known.

    :param reply: of ``mailkit.oauth``: "host: code of the failure"
    :return: a sentence that begins with the host, or None
    """
    found = re.match(r"\A([\w.:-]{1,300}): (\w{1,60})(?![^:])", str(reply or ""))
    if code != ErrorCode.OAUTH_FAILED or not found or found[2] not in TEXTS:
        return None
    return f"{found[1]}: {cause_and_remedy(env, found[2])[0]}"


def table(env, kind):
    """What may stand on the service's page, as HTML that fits a phone."""
    head = Markup(
        '<div class="row py-2 d-none d-md-flex text-muted">'
        '<div class="col-md-3">{}</div>'
        '<div class="col-md-4">{}</div>'
        '<div class="col-md-5">{}</div></div>'
    ).format(*(env._(title) for title in _TITLES))
    row = Markup(
        '<div class="row border-top py-2">'
        '<div class="col-12 col-md-3 text-break"><strong>{}</strong></div>'
        '<div class="col-12 col-md-4">{}</div>'
        '<div class="col-12 col-md-5 text-muted">{}</div></div>'
    )
    return head + Markup("").join(
        row.format(word, env._(cause), env._(remedy))
        for word, (cause, remedy) in WORDS[kind].items()
    )
