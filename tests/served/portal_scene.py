"""A task that is shared with a portal user, and by a link with whoever has it."""

import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import steps
from site_setup import Site

from devtools.rpc import OdooClient

SUPPORT = "support@brand-a.test"
CLIENT = "client@customer.test"
SECOND = "second@customer.test"
TARGET = "third@customer.test"


class Visitor(OdooClient):
    """Nobody has signed in."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self.uid, self.context = 0, {}


@dataclass
class PortalScene:
    site: Site
    portal: OdooClient
    visitor: Visitor
    address_id: int  # the project's, which only Anna may use
    task: int  # followed by two customers and the portal user
    token: str  # of the task's link
    target: int  # a contact of the portal user's, who does not follow it

    def leave(self) -> None:
        steps.sql(
            self.site.odoo,
            "UPDATE mail_message_schedule SET scheduled_datetime = create_date",
        )
        steps.run_cron(self.site.admin, "mail.ir_cron_send_scheduled_message")
        steps.run_cron(self.site.admin, "mail.ir_cron_mail_scheduler_action")
        steps.let_time_pass(self.site.odoo, self.site.admin)

    def through_support(self, address: str) -> list[str]:
        """The texts that came from the project's address."""
        return [
            steps.html_text(mail)
            for mail in self.site.bed.messages(address)
            if SUPPORT in (steps.sender_of(mail)[1], mail.envelope_from)
        ]


@pytest.fixture(scope="module")
def shared_task(site: Site) -> Iterator[PortalScene]:
    site.remove_accounts()
    steps.forget_tests(site.odoo)
    project = site.ids["project_brand_a"]
    site.admin.call(
        "project.project", "write", [project], {"privacy_visibility": "portal"}
    )
    address_id = steps.connect(
        site.admin,
        SUPPORT,
        company=True,
        projects=((project, True),),
        allowed_user_ids=[[6, 0, [site.anna.uid]]],
    )
    portal = site.attackers.portal
    [user] = site.admin.call("res.users", "read", [portal.uid], ["partner_id"])
    followers = (
        *(site.ids["customer"], site.ids["customer_second"]),
        user["partner_id"][0],
    )
    task = steps.new_task(site.admin, project, "Shared", followers)
    # the token is no field for RPC
    site.admin.call("project.task", "get_portal_url", [task])
    [(token,)] = steps.sql(
        site.odoo, "SELECT access_token FROM project_task WHERE id = %s", task
    )
    # they may read, and so name, the contacts below their own
    values = {"name": "Target", "email": TARGET, "parent_id": user["partner_id"][0]}
    [target] = site.admin.call("res.partner", "create", [values])
    visitor = Visitor(site.odoo.url)
    yield PortalScene(site, portal, visitor, address_id, task, token, target)
    site.admin.call(
        "project.project", "write", [project], {"privacy_visibility": "employees"}
    )
    site.remove_accounts()
