"""The served Odoo as its administrator set it up, and the people who use it."""

from dataclasses import dataclass, field
from functools import cached_property

from devtools.rpc import OdooClient
from devtools.served import ServedOdoo
from devtools.testbed.bed import TestBed

KINDS = ("employee", "portal", "stranger", "project_manager", "manager", "admin")


@dataclass(frozen=True)
class Attackers:
    """A session of each kind; ``portal`` is no employee, ``stranger`` of another
    company, ``manager`` manages external addresses."""

    employee: OdooClient
    portal: OdooClient
    stranger: OdooClient
    project_manager: OdooClient
    manager: OdooClient
    admin: OdooClient

    def each(self) -> dict[str, OdooClient]:
        return {kind: getattr(self, kind) for kind in KINDS}


@dataclass
class Site:
    """Sessions of the demo users, and the ids of demo records by their name."""

    odoo: ServedOdoo
    bed: TestBed
    admin: OdooClient
    anna: OdooClient
    bohdan: OdooClient
    ids: dict[str, int] = field(default_factory=dict)

    @cached_property
    def attackers(self) -> Attackers:
        """Kinds of users who may attack somebody else's external address.

        Those whom the demo does not have are made and signed in: a second each.
        """
        return _sign_in(self)

    def customer(self, name: str, email: str) -> int:
        """A new contact."""
        values = {"name": name, "email": email}
        [partner] = self.admin.call("res.partner", "create", [values])
        return int(partner)

    def remove_accounts(self) -> None:
        """Delete every account with its addresses; as Odoo: no owner is told of it."""
        accounts = "env['mail.external.account'].with_context(active_test=False)"
        self.run_code(f"{accounts}.search([]).unlink()")

    def run_code(self, code: str) -> None:
        """Run code with ``env`` of the superuser: at once, where a shell takes 4 s."""
        admin, model = self.admin, "ir.actions.server"
        any_model = admin.call("ir.model", "search", [("model", "=", "res.users")])
        values = {
            "name": "Code of a test",
            "model_id": any_model[0],
            "state": "code",
            "code": f"env = env(user=1)\n{code}",
        }
        [action] = admin.call(model, "create", [values])
        admin.call(model, "run", [action])
        admin.call(model, "unlink", [action])


def prepare(odoo: ServedOdoo, bed: TestBed) -> Site:
    """Set up Odoo's own sender, the bed's authority, and presets of two brands."""
    _speak_english(odoo.rpc())
    site = Site(odoo, bed, odoo.rpc(), odoo.rpc("anna"), odoo.rpc("bohdan"))
    admin = site.admin
    rows = admin.call(
        "ir.model.data",
        "search_read",
        [("module", "=", "mail_external_account"), ("name", "like", "demo_")],
        ["name", "res_id"],
    )
    site.ids = {row["name"].removeprefix("demo_"): row["res_id"] for row in rows}
    [domain] = admin.call(
        "mail.alias.domain",
        "create",
        [{"name": "corp.test", "default_from": "notifications"}],
    )
    companies = admin.call("res.company", "search", [])
    admin.call(
        "res.company",
        "write",
        companies,
        {"alias_domain_id": domain, "external_ca_certificate": bed.ca_pem},
    )
    admin.call("res.users", "write", [admin.uid], {"email": "admin@corp.test"})
    allow_private_hosts(admin, True)
    # What the demo data queued would only delay the tests' own mails.
    waiting = admin.call("mail.mail", "search", [("state", "=", "outgoing")])
    admin.call("mail.mail", "cancel", waiting)
    # Due two hours after the template was made: a mail to every employee.
    digests = admin.call("digest.digest", "search", [])
    admin.call("digest.digest", "action_deactivate", digests)
    _leave_projects(site)
    for brand in ("brand-a", "brand-b"):
        admin.call("mail.external.provider", "create", [preset(bed, brand)])
    return site


def _speak_english(admin: OdooClient) -> None:
    """The texts that the tests compare are English."""
    domain, everything = [("code", "=", "en_US")], {"active_test": False}
    english = admin.call("res.lang", "search", domain, context=everything)
    admin.call("res.lang", "write", english, {"active": True})
    partners = admin.call("res.partner", "search", [], context={"active_test": False})
    admin.call("res.partner", "write", partners, {"lang": "en_US"})


def _leave_projects(site: Site) -> None:
    """Only those follow a task whom a test lets follow."""
    for name in ("project_brand_a", "project_brand_b", "project_support"):
        domain = [
            ("res_model", "=", "project.project"),
            ("res_id", "=", site.ids[name]),
        ]
        followers = site.admin.call("mail.followers", "search", domain)
        site.admin.call("mail.followers", "unlink", followers)


def allow_private_hosts(admin: OdooClient, allowed: bool) -> None:
    """Let every employee connect to servers on this machine, or not."""
    name = "mail_external_account.allow_private_hosts"
    admin.call("ir.config_parameter", "set_param", name, "1" if allowed else "")


def preset(bed: TestBed, brand: str) -> dict[str, object]:
    return {
        "name": f"{brand} mail",
        "sequence": 1,
        "domains": f"{brand}.test",
        "smtp_host": bed.host,
        "smtp_port": bed.smtp_ssl,
        "smtp_security": "ssl",
        "imap_host": bed.host,
        "imap_port": bed.imap_ssl,
        "imap_security": "ssl",
        "pop3_host": bed.host,
        "pop3_port": bed.pop3_ssl,
        "pop3_security": "ssl",
    }


def _sign_in(site: Site) -> Attackers:
    name = "Other company"
    [company] = site.admin.call("res.company", "create", [{"name": name}])
    own = {"company_id": company, "company_ids": [(6, 0, [company])]}
    return Attackers(
        employee=site.odoo.rpc("olena"),
        portal=_user(site, "visitor", ["base.group_portal"]),
        stranger=_user(site, "stranger", ["base.group_user"], **own),
        project_manager=site.bohdan,
        manager=_user(
            site,
            "postmaster",
            ["base.group_user", "mail_external_account.group_manager"],
        ),
        admin=site.admin,
    )


def _user(site: Site, login: str, groups: list[str], **values: object) -> OdooClient:
    ids = []
    for name in groups:
        module, _dot, xmlid = name.partition(".")
        domain = [("module", "=", module), ("name", "=", xmlid)]
        [row] = site.admin.call("ir.model.data", "search_read", domain, ["res_id"])
        ids.append(row["res_id"])
    site.admin.call(
        "res.users",
        "create",
        [
            {
                "name": login.title(),
                "login": login,
                "password": login,
                "email": f"{login}@corp.test",
                "lang": "en_US",
                "group_ids": [(6, 0, ids)],
                **values,
            }
        ],
        context={"no_reset_password": True},
    )
    return site.odoo.rpc(login)
