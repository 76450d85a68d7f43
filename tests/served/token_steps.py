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
owner = env["res.users"].search([("login", "=", "owner")]) or env["res.users"].create(
    {
        "name": "Owner",
        "login": "owner",
        "email": "owner@corp.test",
        "notification_type": "inbox",
        "group_ids": [
            (4, env.ref(name).id)
            for name in ("base.group_user", "project.group_project_user")
        ],
    }
)
for values in json.loads(GIVEN):
    application = env["mail.external.application"].create(values["application"])
    vault.seal_application_secret(application, values["secret"])
    for sign_in in values["sign_ins"]:
        account = env["mail.external.account"].create(
            {
                "user_id": owner.id,
                "state": "working",
                "auth_method": "oauth2",
                "application_id": application.id,
                "smtp_host": "localhost",
                "smtp_port": values["smtp_port"],
                "smtp_security": "ssl",
                "smtp_login": sign_in["login"],
                "ca_certificate": values["ca_pem"],
                "allow_private_host": True,
                **values["more"],
            }
        )
        env["mail.external.address"].create(
            {
                "account_id": account.id,
                "email": sign_in["login"],
                "is_main": True,
                "receive_replies": account.incoming_protocol != "none",
            }
        )
        tokens = oauth.Tokens(
            sign_in["access"], sign_in["refresh"], sign_in["expires_at"], (), ""
        )
        vault.store_tokens(account, tokens, sign_in["grant"])
        account._set_up_reading([("INBOX", False)], anew=True)
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
    **more: Any,
) -> list[int]:
    """An application for each service, and an account for each login there.

    All tokens have just ended.

    :param smtp_port: of the mail server on localhost
    :param more: further fields of the accounts
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
            "more": more,
            "sign_ins": [signed_in(service, login) for login in logins],
        }
        for number, (service, logins) in enumerate(services)
    ]
    script = _MAKE.replace("GIVEN", repr(json.dumps(given)))
    made: list[int] = answer(odoo.shell(script), "MADE")
    return made


def signed_in(service: TokenService, login: str) -> dict[str, Any]:
    access, refresh = service.sign_in(login)
    return {
        "login": login,
        "access": access,
        "refresh": refresh,
        "expires_at": None,
        "grant": f"grant of {login}",
    }


_POST = """
customer = env["res.partner"].create({"name": "Clara", "email": "clara@customer.test"})
project = env["project.project"].create({"name": "P"})
owner = env["res.users"].search([("login", "=", "owner")])
for account in env["mail.external.account"].browse(IDS):
    task = env["project.task"].create({"name": "T", "project_id": project.id})
    task.message_unsubscribe(task.message_partner_ids.ids)
    task.message_subscribe(customer.ids)
    for number in range(COUNT):
        task.with_user(owner).message_post(
            body=f"Number {number}",
            message_type="comment",
            subtype_xmlid="mail.mt_comment",
            external_address_id=account.address_ids[:1].id,
        )
env.cr.commit()
"""


def post(odoo: ServedOdoo, accounts: Sequence[int], count: int = 1) -> None:
    """Mails that wait to leave from each of the accounts."""
    script = _POST.replace("IDS", repr(list(accounts)))
    odoo.shell(script.replace("COUNT", str(count)))


_RUN = """
import json
import time
accounts = env["mail.external.account"].browse(IDS)
began = time.monotonic()
for name in RUNS:
    # as if their time had come
    if name == "_cron_deliver":
        accounts.write({"delivery_next_try": False})
    else:
        accounts.mailbox_ids.write({"next_look": "2026-01-01 00:00:00"})
    env.cr.commit()
    getattr(env["mail.external.account"], name)()
    env.cr.commit()
    env.invalidate_all()
notice = [("message_type", "=", "user_notification")]
messages = env["mail.message"].search(notice, order="id")
mails = env["mail.mail"].search(
    [("sending_address_id.account_id", "in", accounts.ids)]
)
found = {
    "seconds": time.monotonic() - began,
    "accounts": {
        account.id: {
            "state": account.state,
            "code": account.failure_code,
            "text": account.failure_text,
            "reply": account.failure_reply,
            "next": str(account.delivery_next_try or ""),
            "reading": account.mailbox_ids.failure_code,
            "status": account.mailbox_status,
            "looked": bool(account.mailbox_ids.last_look),
            "waiting": len(mails.filtered(
                lambda m: m.sending_address_id.account_id == account
                and m.state == "outgoing"
            )),
            "told": [
                m.body for m in messages
                if m.model == "mail.external.address"
                and m.res_id == account.address_ids[:1].id
            ],
            "application": account.application_id.failure_code,
            "administrators": len(messages.filtered(
                lambda m: m.model == "mail.external.application"
                and m.res_id == account.application_id.id
            )),
        }
        for account in accounts
    },
}
print("FOUND", json.dumps(found))
"""


def run(odoo: ServedOdoo, accounts: Sequence[int], *runs: str) -> dict[int, Any]:
    """Run scheduled actions ("_cron_deliver", "_cron_fetch") one after the other.

    :return: how each account stands then
    """
    script = _RUN.replace("IDS", repr(list(accounts))).replace("RUNS", repr(runs))
    found = answer(odoo.shell(script), "FOUND")
    return {int(account): told for account, told in found["accounts"].items()}


def answer(said: str, word: str) -> Any:
    """What a script printed behind ``word``, as JSON."""
    [line] = [line for line in said.splitlines() if line.startswith(f"{word} ")]
    return json.loads(line.removeprefix(f"{word} "))
