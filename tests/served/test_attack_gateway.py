"""Mail with a forged From: what it sets off leaves in Odoo's name, not the victim's."""

from collections.abc import Iterator
from typing import Any

import pytest
import steps
from attack_scene import ANNA, COLLEAGUE, OWN, SPOOFED, Scene
from steps import refusal

from devtools.rpc import OdooClient, OdooRpcError

SUBJECT = "Pay to another account"
_COUNT = iter(range(1_000_000))


def raw(to: str = "z@z.test") -> str:
    return (
        f"From: {SPOOFED}\r\nTo: {to}\r\nSubject: {SUBJECT}\r\n"
        f"Message-ID: <gateway-{next(_COUNT)}@evil.test>\r\n\r\nPay\r\n"
    )


def assigned(scene: Scene) -> dict[str, Any]:
    """Values of a task whose assignee is told by mail."""
    return {
        "project_id": scene.site.ids["project_brand_a"],
        "user_ids": [(6, 0, [scene.attackers.employee.uid])],
        "partner_id": scene.site.ids["customer"],
    }


def told_in_odoos_name(scene: Scene, number: int) -> None:
    scene.leave()
    mails = scene.site.bed.wait_for(COLLEAGUE, number)
    told = [m for m in mails if "assigned" in m.message["Subject"].lower()]
    assert told, [m.message["Subject"] for m in mails]
    for mail in told:
        name, address = steps.sender_of(mail)
        assert address == OWN and "Anna" in name, mail.raw
    scene.nothing_forged()


@pytest.fixture(autouse=True, scope="module")
def project_alias(prepared: Scene) -> Iterator[None]:
    """Core's task cannot be made from a mail in a project without an alias."""
    admin, project = prepared.site.admin, prepared.site.ids["project_brand_a"]
    admin.call("project.project", "write", [project], {"alias_name": "brand-a"})
    yield
    admin.call("project.project", "write", [project], {"alias_name": False})


def test_fallback_model(scene: Scene) -> None:
    for number, client in enumerate((scene.attackers.employee, scene.site.admin), 1):
        client.call(
            "mail.thread", "message_process", "project.task", raw(), assigned(scene)
        )
        told_in_odoos_name(scene, number)


@pytest.fixture
def alias(scene: Scene) -> Iterator[str]:
    """An address that makes tasks for the colleague."""
    admin = scene.site.admin
    [model] = admin.call("ir.model", "search", [("model", "=", "project.task")])
    domains = admin.call("mail.alias.domain", "search", [("name", "=", "corp.test")])
    name = f"tasks{next(_COUNT)}"
    made = admin.call(
        "mail.alias",
        "create",
        [
            {
                "alias_name": name,
                "alias_domain_id": domains[0],
                "alias_model_id": model,
                "alias_contact": "everyone",
                "alias_defaults": repr(assigned(scene)),
            }
        ],
    )
    yield f"{name}@corp.test"
    admin.call("mail.alias", "unlink", made)


def test_alias(scene: Scene, alias: str) -> None:
    scene.site.admin.call("mail.thread", "message_process", False, raw(alias))
    told_in_odoos_name(scene, 1)


STAGE = "A stage that says so"


@pytest.fixture
def telling_stage(scene: Scene) -> Iterator[int]:
    """A stage whose template has the user's own From."""
    admin = scene.site.admin
    [model] = admin.call("ir.model", "search", [("model", "=", "project.task")])
    [template] = admin.call(
        "mail.template",
        "create",
        [
            {
                "name": STAGE,
                "model_id": model,
                "subject": STAGE,
                "body_html": "<p>{{ object.name }}</p>",
                "email_from": "{{ user.email_formatted }}",
                "email_to": COLLEAGUE,
            }
        ],
    )
    values = {
        "name": STAGE,
        "mail_template_id": template,
        "project_ids": [(4, scene.site.ids["project_brand_a"])],
    }
    [stage] = admin.call("project.task.type", "create", [values])
    yield int(stage)
    project = {"project_ids": [(5, 0, 0)], "mail_template_id": False}
    admin.call("project.task.type", "write", [stage], {**project, "active": False})


def test_template_of_a_stage(scene: Scene, telling_stage: int) -> None:
    """It is rendered as the user of the From, when the transaction ends."""
    values = {**assigned(scene), "stage_id": telling_stage}
    scene.attackers.employee.call(
        "mail.thread", "message_process", "project.task", raw(), values
    )
    told_in_odoos_name(scene, 1)


def test_steps_of_the_gateway_prove_nothing(scene: Scene) -> None:
    client = scene.attackers.employee
    parts = {
        "message_id": f"<gateway-{next(_COUNT)}@evil.test>",
        "email_from": SPOOFED,
        "from": SPOOFED,
        "author_id": scene.partner,
        "subject": SUBJECT,
        "body": "Pay",
        "to": COLLEAGUE,
        "cc": "",
        "recipients": "",
    }
    for method, arguments in (
        ("message_new", [parts, assigned(scene)]),
        ("message_update", [[scene.task], parts]),
    ):
        try_call(client, method, arguments)
    scene.nothing_forged()


def try_call(client: OdooClient, method: str, arguments: list[Any]) -> None:
    try:
        client.call("project.task", method, *arguments)
    except OdooRpcError as error:
        assert error.name.endswith("AccessError"), (method, error.name, str(error))


def test_custom_values_reach_no_address(scene: Scene) -> None:
    """They are written in superuser mode, whoever calls."""
    own = scene.site.admin.call(steps.ADDRESS, "search", [("email", "=", ANNA)])
    [message] = scene.site.admin.call(
        "mail.message", "read", [scene.message], ["body", "external_address_id"]
    )
    client = scene.attackers.employee
    change = {"body": "Pay", "partner_ids": [(5, 0, 0)]}
    for model, values in (
        ("project.task", {"message_ids": [(1, scene.message, change)]}),
        (
            "project.project",
            {"external_address_binding_ids": [(0, 0, {"address_id": own[0]})]},
        ),
    ):
        values = {"name": "Evil", **values}
        refusal(client.call, "mail.thread", "message_process", model, raw(), values)
    [after] = scene.site.admin.call(
        "mail.message", "read", [scene.message], ["body", "external_address_id"]
    )
    assert after == message
    bound = scene.site.admin.call(
        "mail.external.address.project", "search_count", [("address_id", "=", own[0])]
    )
    assert not bound


def test_what_everyday_flows_say_carries_nobody_elses_address(scene: Scene) -> None:
    """Activities and invitations: the context and the values are the caller's."""
    client, site = scene.attackers.employee, scene.site
    context = {
        "default_email_from": SPOOFED,
        "default_author_id": scene.partner,
        "default_mail_message_id": scene.message,
        "mail_notify_force_send": True,
    }
    [model] = site.admin.call("ir.model", "search", [("model", "=", "project.task")])
    client.call(
        "mail.activity",
        "create",
        [
            {
                "res_model_id": model,
                "res_id": scene.task,
                "summary": SUBJECT,
                "user_id": site.bohdan.uid,
            }
        ],
        context=context,
    )
    values = {
        "res_model": "project.task",
        "res_ids": str([scene.task]),
        "partner_ids": [(6, 0, [site.ids["customer"]])],
        "message": SUBJECT,
        "notify": True,
    }
    [wizard] = client.call("mail.followers.edit", "create", [values], context=context)
    client.call("mail.followers.edit", "edit_followers", [wizard], context=context)
    scene.nothing_forged()
    assert site.bed.messages("client@customer.test"), "the invitation did not leave"
