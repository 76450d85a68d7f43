"""Anna, a task of a customer, and ways to make a message: for attacks on her name."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import steps
from site_setup import Attackers, Site

from devtools.rpc import OdooClient, OdooRpcError

ANNA = "anna@brand-a.test"
SPOOFED = f"Anna Kovalenko <{ANNA}>"
CLIENT = "client@customer.test"
COLLEAGUE = "olena@corp.test"
OWN = "notifications@corp.test"
VIEW = "attack.view"


@dataclass
class Scene:
    """Anna, whose own e-mail address is her connected one, and a task of a customer."""

    site: Site
    attackers: Attackers
    task: int
    partner: int  # Anna's
    message: int  # one of Anna's, sent through her address

    def received(self, address: str = CLIENT) -> list[str]:
        """The From addresses of what arrived."""
        return [steps.sender_of(mail)[1] for mail in self.site.bed.messages(address)]

    def leave(self) -> None:
        """Let all that waits leave, from Odoo's own server and from accounts."""
        steps.run_cron(self.site.admin, "mail.ir_cron_mail_scheduler_action")
        steps.let_time_pass(self.site.odoo, self.site.admin)

    def nothing_forged(self) -> None:
        self.leave()
        for address in (CLIENT, COLLEAGUE):
            for mail in self.site.bed.messages(address):
                assert steps.sender_of(mail)[1] != ANNA, mail.raw
                assert mail.envelope_from != ANNA, mail.raw


@pytest.fixture(scope="module")
def prepared(site: Site) -> Iterator[Scene]:
    site.bed.clear()
    site.remove_accounts()
    steps.forget_tests(site.odoo)
    site.admin.call("res.users", "write", [site.anna.uid], {"email": ANNA})
    steps.connect(site.anna, ANNA)
    users = site.admin.call("res.users", "read", [site.anna.uid], ["partner_id"])
    task = steps.new_task(
        site.admin,
        site.ids["project_brand_a"],
        "Attacked",
        (site.ids["customer"],),
    )
    message = steps.post(site.anna, task, "<p>mine</p>")
    site.bed.wait_for(CLIENT, 1)
    _make_view(site.admin)
    yield Scene(site, site.attackers, task, users[0]["partner_id"][0], message)
    site.admin.call("res.users", "write", [site.anna.uid], {"email": "anna@corp.test"})
    site.remove_accounts()


def _make_view(admin: OdooClient) -> None:
    module, _dot, name = VIEW.partition(".")
    named = [("module", "=", module), ("name", "=", name)]
    if admin.call("ir.model.data", "search_count", named):
        return  # another file of this run made it
    values = {"type": "qweb", "name": name, "arch": "<p>view</p>"}
    [view] = admin.call("ir.ui.view", "create", [values])
    reference = {"module": module, "name": name, "model": "ir.ui.view", "res_id": view}
    admin.call("ir.model.data", "create", [reference])


@pytest.fixture
def scene(prepared: Scene) -> Scene:
    prepared.leave()
    prepared.site.bed.clear()
    return prepared


# Ways to make a message


def composer(client: OdooClient, scene: Scene, **values: Any) -> int:
    context = {"default_model": "project.task", "default_res_ids": [scene.task]}
    everything = {"body": "<p>x</p>", "composition_mode": "comment", **values}
    [record] = client.call(
        "mail.compose.message", "web_save", [], everything, {}, context=context
    )
    return int(record["id"])


def compose_and_send(client: OdooClient, scene: Scene, **values: Any) -> None:
    wizard = composer(client, scene, **values)
    client.call("mail.compose.message", "action_send_mail", [wizard])


def compose_then_change(client: OdooClient, scene: Scene) -> None:
    wizard = composer(client, scene)
    client.call("mail.compose.message", "write", [wizard], {"email_from": SPOOFED})
    client.call("mail.compose.message", "action_send_mail", [wizard])


def on_task(client: OdooClient, scene: Scene, method: str, **values: Any) -> Any:
    return client.call("project.task", method, [scene.task], **values)


def message_values(scene: Scene, **values: Any) -> dict[str, Any]:
    return {
        "model": "project.task",
        "res_id": scene.task,
        "body": "x",
        "message_type": "comment",
        **values,
    }


def created_message(client: OdooClient, scene: Scene, **values: Any) -> Any:
    return client.call("mail.message", "create", [message_values(scene, **values)])


def scheduled(client: OdooClient, scene: Scene, **values: Any) -> Any:
    everything = {
        "model": "project.task",
        "res_id": scene.task,
        "body": "x",
        "scheduled_date": "2099-01-01 00:00:00",
        "author_id": client.call("res.users", "read", [client.uid], ["partner_id"])[0][
            "partner_id"
        ][0],
        **values,
    }
    return client.call("mail.scheduled.message", "create", [everything])


def imported(client: OdooClient, scene: Scene) -> None:
    answer = client.call(
        "mail.message",
        "load",
        ["model", "res_id", "body", "email_from"],
        [["project.task", str(scene.task), "x", SPOOFED]],
    )
    if not answer["ids"]:
        problem = answer["messages"][0]
        raise OdooRpcError({"data": {"name": "AccessError", **problem}})


def own_then_from(client: OdooClient, scene: Scene, **values: Any) -> None:
    [message] = created_message(client, scene)
    client.call("mail.message", "write", [message], values)


def address_id(scene: Scene) -> int:
    [found] = scene.site.admin.call(steps.ADDRESS, "search", [("email", "=", ANNA)])
    return int(found)


def template(scene: Scene, **values: Any) -> int:
    model = scene.site.admin.call(
        "ir.model", "search", [("model", "=", "project.task")]
    )
    [created] = scene.site.admin.call(
        "mail.template",
        "create",
        [
            {
                "name": "Attack",
                "model_id": model[0],
                "subject": "Hello",
                "body_html": "<p>template</p>",
                "email_from": SPOOFED,
                "email_to": CLIENT,
                **values,
            }
        ],
    )
    return int(created)
