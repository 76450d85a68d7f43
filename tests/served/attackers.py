"""Kinds of users who may attack somebody else's external address."""

from dataclasses import dataclass

from site_setup import Site

from devtools.rpc import OdooClient

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


def gather(site: Site) -> Attackers:
    """Sign in, once for a site, with the users whom the demo does not have."""
    if site.attackers is None:
        site.attackers = _sign_in(site)
    return site.attackers


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
