"""Connects the demo's mailboxes: run by ``./dev run`` in the Odoo shell, once.

It goes through the connect window as a person does, so the accounts hold tested
settings and sealed passwords. ``env`` is given by the shell; MEA_MAIL_FOLDER and
MEA_MAIL_BASE say where the sandbox mail server is.
"""

import os
from pathlib import Path

PASSWORD = "sandbox"  # noqa: S105 - of every sandbox mailbox
folder = Path(os.environ["MEA_MAIL_FOLDER"])
base = int(os.environ["MEA_MAIL_BASE"])


def record(name):
    return env.ref(f"mail_external_account.{name}")  # noqa: F821


def prepare():
    """Odoo's own sender, the sandbox's authority, and presets for the two brands."""
    # Loading the Ukrainian translation made it the default of new contacts.
    env["ir.default"].set("res.partner", "lang", "en_US")  # noqa: F821
    everybody = env["res.partner"].with_context(active_test=False)  # noqa: F821
    everybody.search([]).lang = "en_US"
    # Due two hours after the database was made: a mail to every employee.
    env["digest.digest"].search([]).action_deactivate()  # noqa: F821
    company = record("demo_user_anna").company_id
    domain = env["mail.alias.domain"].create({"name": "corp.test"})  # noqa: F821
    company.write(
        {
            "name": "Corp",
            "email": "info@corp.test",
            "alias_domain_id": domain.id,
            "external_ca_certificate": (folder / "ca" / "ca.pem").read_text(),
        }
    )
    domain.default_from = "notifications"
    env.ref("base.user_admin").email = "admin@corp.test"  # noqa: F821
    env["ir.config_parameter"].set_param(  # noqa: F821
        "mail_external_account.allow_private_hosts", "1"
    )
    env["mail.external.provider"].create(  # noqa: F821
        [
            {
                "name": f"{brand} (sandbox)",
                "sequence": 1,
                "domains": domain_name,
                "smtp_host": "localhost",
                "smtp_port": base + 465,
                "smtp_security": "ssl",
                "imap_host": "localhost",
                "imap_port": base + 993,
                "imap_security": "ssl",
                "pop3_host": "localhost",
                "pop3_port": base + 995,
                "pop3_security": "ssl",
                "note": f"Every mailbox of the sandbox has the password “{PASSWORD}”.",
            }
            for brand, domain_name in (
                ("Brand A", "brand-a.test"),
                ("Brand B", "brand-b.test"),
            )
        ]
    )


def connect(user, email, projects, **values):
    """Connect one mailbox as ``user``.

    :param projects: list of (project, whether the address is its default)
    """
    model = env["mail.external.account.connect"].with_user(user)  # noqa: F821
    provider = env["mail.external.provider"]._find_for_address(email)  # noqa: F821
    window = model.create(
        {
            "email": email,
            "user_id": user.id,
            "sender_name": user.name,
            "provider_id": provider.id,
            "smtp_host": provider.smtp_host,
            "smtp_port": provider.smtp_port,
            "smtp_login": email,
            "password": PASSWORD,
            "ca_certificate": user.company_id.external_ca_certificate,
            "project_ids": lines(projects),
            **values,
        }
    )
    test(window)
    window.action_save()
    print(f"  {email} connected")
    return window.address_id


def add(user, account, email, projects, **values):
    """Connect another address of an account that ``user`` may connect: no password."""
    model = env["mail.external.account.connect"].with_user(user)  # noqa: F821
    window = model.with_context(default_account_id=account.id).create(
        {"email": email, "project_ids": lines(projects), **values}
    )
    test(window)
    if not window.proof:
        window.action_vouch()
    window.action_save()
    print(f"  {email} added")


def lines(projects):
    return [
        (0, 0, {"project_id": project.id, "is_default": default})
        for project, default in projects
    ]


def test(window):
    for step, label in window.get_steps():
        result = window.run_check(step)
        if not result["ok"]:
            said = f"{result['cause']} {result['reply']}"
            raise SystemExit(f"{window.email}: {label}: {said}")


prepare()
admin = env.ref("base.user_admin")  # noqa: F821
brand_a, brand_b = record("demo_project_brand_a"), record("demo_project_brand_b")
support = record("demo_project_support")
annas = connect(
    record("demo_user_anna"),
    "anna@brand-a.test",
    [(brand_a, True)],
    receive_replies=True,
    incoming_protocol="imap",
    incoming_host="localhost",
    incoming_port=base + 993,
    incoming_security="ssl",
    incoming_login="anna@brand-a.test",
)
add(
    record("demo_user_anna"),
    annas.account_id,
    "hello@brand-a.test",
    [],
    sender_name="Brand A",
    receive_replies=True,
)
connect(
    record("demo_user_bohdan"),
    "bohdan@brand-b.test",
    [(brand_b, True), (support, False)],
)
shared = {"is_company": True, "user_id": False, "company_id": admin.company_id.id}
supports = connect(
    admin,
    "support@brand-a.test",
    [(brand_a, False), (support, True)],
    sender_name="Brand A Support",
    **shared,
)
add(
    admin,
    supports.account_id,
    "sales@brand-a.test",
    [(brand_a, False)],
    sender_name="Brand A Sales",
)
connect(
    admin,
    "support@brand-b.test",
    [(brand_b, True), (support, False)],
    sender_name="Brand B Support",
    **shared,
)
env.cr.commit()  # noqa: F821
