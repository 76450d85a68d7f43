"""Connects the poster's addresses for ``./dev bench post``: run in Odoo's shell.

BENCH_ACCOUNTS: {"ca": PEM, "projects": [ids], "ports": [of the SMTP servers]}. The
first address is the general default, each further one is the default of the project at
its place in the list.
"""

import json
import os

given = json.loads(os.environ["BENCH_ACCOUNTS"])
user = env["res.users"].search([("login", "=", "bench")])  # noqa: F821
user.company_id.external_ca_certificate = given["ca"]
env["ir.config_parameter"].set_param(  # noqa: F821
    "mail_external_account.allow_private_hosts", "1"
)
for number, port in enumerate(given["ports"]):
    provider = env["mail.external.provider"].create(  # noqa: F821
        {
            "name": f"Brand {number}",
            "sequence": 1,
            "domains": f"brand{number}.test",
            "smtp_host": "localhost",
            "smtp_port": port,
            "smtp_security": "ssl",
        }
    )
    bound = {"project_id": given["projects"][number], "is_default": True}
    window = (
        env["mail.external.account.connect"]  # noqa: F821
        .with_user(user)
        .create(
            {
                "email": f"bench@brand{number}.test",
                "user_id": user.id,
                "provider_id": provider.id,
                "smtp_host": provider.smtp_host,
                "smtp_port": provider.smtp_port,
                "smtp_login": f"bench@brand{number}.test",
                "password": "sandbox",
                "ca_certificate": given["ca"],
                "is_default": number == 0,
                "project_ids": [(0, 0, bound)] if number else [],
            }
        )
    )
    for step, label in window.get_steps():
        result = window.run_check(step)
        if not result["ok"]:
            raise SystemExit(f"{label}: {result['cause']} {result['reply']}")
    window.action_save()
env.cr.commit()  # noqa: F821
