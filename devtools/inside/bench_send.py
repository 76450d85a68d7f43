"""What ``./dev bench send`` does in Odoo's shell.

BENCH_SEND: {"accounts": n, "mails": for each of them, "port": of the SMTP server, "ca":
its authority's PEM}. Prints {"one": seconds, "all": seconds}: one address at a time,
and the usual number.
"""

import json
import os
import time

from odoo.addons.mail_external_account.tools import vault
from odoo.addons.mail_external_account.tools.outgoing.run import due_accounts

given = json.loads(os.environ["BENCH_SEND"])
PARAMETER = "mail_external_account.deliver_threads"
customer = env["res.partner"].create(  # noqa: F821
    {"name": "Customer", "email": "customer@customer.test"}
)
task = env["project.task"].create(  # noqa: F821
    {"name": "Task", "project_id": env["project.project"].create({"name": "P"}).id}  # noqa: F821
)
task.message_unsubscribe(task.message_partner_ids.ids)
task.message_subscribe(customer.ids)
user = env.ref("base.user_admin")  # noqa: F821
accounts = env["mail.external.account"].create(  # noqa: F821
    [
        {
            "company_id": env.company.id,  # noqa: F821
            "state": "working",
            "smtp_host": "localhost",
            "smtp_port": given["port"],
            "smtp_security": "ssl",
            "smtp_login": f"sender{number}@brand.test",
            "ca_certificate": given["ca"],
            "allow_private_host": True,
        }
        for number in range(given["accounts"])
    ]
)
for account in accounts:
    vault.store_password(account, "smtp", "sandbox")
addresses = env["mail.external.address"].create(  # noqa: F821
    [
        {
            "email": account.smtp_login,
            "account_id": account.id,
            "company_id": account.company_id.id,
            "is_main": True,
        }
        for account in accounts
    ]
)
seconds = {}
for name, threads in (("one", "1"), ("all", "")):
    env["ir.config_parameter"].set_param(PARAMETER, threads)  # noqa: F821
    for number in range(given["mails"]):
        for address in addresses:
            task.with_user(user).message_post(
                body=f"Number {number}",
                message_type="comment",
                subtype_xmlid="mail.mt_comment",
                external_address_id=address.id,
            )
    env.cr.commit()  # noqa: F821
    began = time.perf_counter()
    while due_accounts(env):  # noqa: F821
        env["mail.external.account"]._cron_deliver()  # noqa: F821
        env.cr.commit()  # noqa: F821
    seconds[name] = time.perf_counter() - began
print(json.dumps(seconds))
