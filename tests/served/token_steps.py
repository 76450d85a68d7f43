"""Accounts that sign in with a mail service, made behind the connect window."""

import json
from collections.abc import Sequence
from typing import Any

from devtools.served import ServedOdoo
from devtools.testbed.token_service import TokenService

_MAKE = """
import json
from odoo.addons.mail_external_account.mailkit import oauth
from odoo.addons.mail_external_account.tools import vault

made = []
for values in json.loads(GIVEN):
    application = env["mail.external.application"].create(values["application"])
    vault.seal_application_secret(application, values["secret"])
    for sign_in in values["sign_ins"]:
        account = env["mail.external.account"].create(
            {
                "user_id": env.ref("base.user_admin").id,
                "state": "working",
                "auth_method": "oauth2",
                "application_id": application.id,
                "smtp_host": "localhost",
                "smtp_port": values["smtp_port"],
                "smtp_security": "ssl",
                "smtp_login": sign_in["login"],
                "ca_certificate": values["ca_pem"],
                "allow_private_host": True,
            }
        )
        env["mail.external.address"].create(
            {"account_id": account.id, "email": sign_in["login"], "is_main": True}
        )
        tokens = oauth.Tokens(
            sign_in["access"], sign_in["refresh"], sign_in["expires_at"], (), ""
        )
        vault.store_tokens(account, tokens, sign_in["login"])
        made.append(account.id)
# the last moment of a token, whatever the clocks say
env.cr.execute(
    "UPDATE mail_external_secret SET token_ends = now() AT TIME ZONE 'UTC',"
    " renew_at = now() AT TIME ZONE 'UTC' WHERE account_id = ANY(%s)", [made]
)
env.cr.commit()
print("MADE", json.dumps(made))
"""


def make(
    odoo: ServedOdoo,
    services: Sequence[tuple[TokenService, Sequence[str]]],
    *,
    smtp_port: int = 1,
    ca_pem: str = "",
) -> list[int]:
    """An application for each service, and an account for each login there.

    All tokens have just ended.

    :param smtp_port: of the mail server on localhost
    :return: ids of the accounts, in order
    """
    given = [
        {
            "application": {
                "name": f"Application {number}",
                "kind": "other",
                "client_id": service.client_id,
                "authorization_endpoint": f"{service.url}/auth",
                "token_endpoint": f"{service.url}/token",
                "revocation_endpoint": f"{service.url}/revoke",
                "scopes": service.scope,
                "allow_private_host": True,
                "ca_certificate": service.ca_pem,
            },
            "secret": service.client_secret,
            "smtp_port": smtp_port,
            "ca_pem": ca_pem,
            "sign_ins": [signed_in(service, login) for login in logins],
        }
        for number, (service, logins) in enumerate(services)
    ]
    script = _MAKE.replace("GIVEN", repr(json.dumps(given)))
    made: list[int] = answer(odoo.shell(script), "MADE")
    return made


def signed_in(service: TokenService, login: str) -> dict[str, Any]:
    access, refresh = service.sign_in(login)
    return {"login": login, "access": access, "refresh": refresh, "expires_at": None}


def answer(said: str, word: str) -> Any:
    """What a script printed behind ``word``, as JSON."""
    [line] = [line for line in said.splitlines() if line.startswith(f"{word} ")]
    return json.loads(line.removeprefix(f"{word} "))
