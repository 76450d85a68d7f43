"""Prepares what ``./dev bench hostile`` measures: run in Odoo's shell.

BENCH_HOSTILE: {"accounts": [{"email", "customer", "smtp": port, "imap": port or 0}],
"ca": PEM, "password": of every mailbox}. All belong to the user "bench"; "colleague"
and "tester" are employees too. Prints {"accounts": [ids], "addresses": [ids], "tasks":
[ids]}, in the same
order: each account has an address
and a task that its customer follows.
"""

import json
import os

from odoo.addons.mail_external_account.tools import vault

given = json.loads(os.environ["BENCH_HOSTILE"])
for server in env["ir.mail_server"].search([]):  # noqa: F821
    server.active = False
env["mail.mail"].search([("state", "=", "outgoing")]).cancel()  # noqa: F821
env["ir.config_parameter"].set_param(  # noqa: F821
    "mail_external_account.allow_private_hosts", "1"
)
env["mail.alias.domain"].create({"name": "corp.test"})  # noqa: F821
groups = ("base.group_user", "project.group_project_user", "base.group_partner_manager")
bench, colleague, tester = (
    env["res.users"]  # noqa: F821
    .with_context(no_reset_password=True)
    .create(
        [
            {
                "name": login.title(),
                "login": login,
                "password": login,
                "email": f"{login}@corp.test",
                "tz": "UTC",
                "group_ids": [env.ref(name).id for name in groups],  # noqa: F821
            }
            for login in ("bench", "colleague", "tester")
        ]
    )
)
project = env["project.project"].create(  # noqa: F821
    {"name": "Bench", "privacy_visibility": "employees"}
)


def connected(email, smtp, imap, **_other):
    account = env["mail.external.account"].create(  # noqa: F821
        {
            "user_id": bench.id,
            "state": "working",
            "smtp_host": "localhost",
            "smtp_port": smtp,
            "smtp_security": "ssl",
            "smtp_login": email,
            "incoming_protocol": "imap" if imap else "none",
            "incoming_host": "localhost",
            "incoming_port": imap,
            "incoming_security": "ssl",
            "incoming_login": email,
            "ca_certificate": given["ca"],
            "allow_private_host": True,
        }
    )
    for purpose in ("smtp", "incoming") if imap else ("smtp",):
        vault.store_password(account, purpose, given["password"])
    return env["mail.external.address"].create(  # noqa: F821
        {
            "account_id": account.id,
            "email": email,
            "is_main": True,
            "receive_replies": bool(imap),
        }
    )


def followed(email, customer, **_other):
    partner = env["res.partner"].create({"name": customer, "email": customer})  # noqa: F821
    task = env["project.task"].create({"name": email, "project_id": project.id})  # noqa: F821
    task.message_unsubscribe(task.message_partner_ids.ids)
    task.message_subscribe(partner.ids)
    return task.id


addresses = [connected(**each) for each in given["accounts"]]
result = {
    "accounts": [address.account_id.id for address in addresses],
    "addresses": [address.id for address in addresses],
    "tasks": [followed(**each) for each in given["accounts"]],
}
env.cr.commit()  # noqa: F821
print(json.dumps(result))
