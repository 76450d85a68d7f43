"""The applications of Odoo's own Gmail and Outlook modules, as system parameters.

google_gmail/models/res_config_settings.py and microsoft_outlook/models/
res_config_settings.py keep them there; the latter's address is an option of
microsoft_outlook_mixin.py.
"""

import re

from odoo.exceptions import UserError

_PARAMETERS = {
    "google": ("google_gmail_client_id", "google_gmail_client_secret"),
    "microsoft": ("microsoft_outlook_client_id", "microsoft_outlook_client_secret"),
}
_ENDPOINT = "microsoft_outlook.endpoint"
_MICROSOFT = re.compile(
    r"https://login\.microsoftonline\.com/([^/?#]+)/oauth2/v2\.0/?", re.ASCII
)


def client_id(env, kind):
    """:return: the client id of Odoo's own module; None: there is none, or no secret"""
    parameters = env["ir.config_parameter"].sudo()  # sudo: nobody is shown the secret
    found = [parameters.get_param(name) for name in _PARAMETERS.get(kind, ())]
    return found[0] if found and all(found) else None


def take(application):
    """Enter them into an application that has none.

    :raise UserError: there are none, or it would be another application afterwards
    """
    env, kind = application.env, application.kind
    if application.client_id or not client_id(env, kind):
        raise UserError(
            env._(
                "Client ID: an application is entered here already, or Odoo's own "
                "module has none. Enter the client ID and the secret by hand."
            )
        )
    # sudo: from one sealed place into another; it is not shown
    parameters = env["ir.config_parameter"].sudo()
    own, secret = (parameters.get_param(name) for name in _PARAMETERS[kind])
    values = {"client_id": own, "client_secret": secret}
    endpoint = kind == "microsoft" and parameters.get_param(_ENDPOINT)
    if endpoint:
        known = _MICROSOFT.fullmatch(endpoint.strip())
        if not known:
            raise UserError(
                env._(
                    "Tenant: Odoo's Outlook module uses %(address)s (system parameter "
                    "%(name)s), which is not Microsoft's usual service. Make an "
                    "application of the kind “Another service”, with its addresses.",
                    address=endpoint,
                    name=_ENDPOINT,
                )
            )
        values["tenant"] = known[1]
    application.write(values)
