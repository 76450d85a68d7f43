"""What a person types to send as somebody else: refused, whoever types it."""

from collections.abc import Callable
from typing import Any

import pytest
from attack_scene import (
    ANNA,
    SPOOFED,
    VIEW,
    Scene,
    address_id,
    compose_and_send,
    compose_then_change,
    created_message,
    imported,
    message_values,
    on_task,
    own_then_from,
    scheduled,
)
from site_setup import KINDS
from steps import refusal

from devtools.rpc import OdooClient, OdooRpcError

Attack = Callable[[OdooClient, Scene], Any]


TYPED: dict[str, Attack] = {
    "message_post, From": lambda c, s: on_task(c, s, "message_post", email_from=ANNA),
    "message_post, From with tricks": lambda c, s: on_task(
        c, s, "message_post", email_from='x <"anna"@Brand-A.test>'
    ),
    "message_post, author": lambda c, s: on_task(
        c, s, "message_post", author_id=s.partner, message_type="comment"
    ),
    "message_post, both": lambda c, s: on_task(
        c, s, "message_post", author_id=s.partner, email_from=SPOOFED
    ),
    "message_notify": lambda c, s: on_task(
        c, s, "message_notify", email_from=ANNA, partner_ids=[s.site.ids["customer"]]
    ),
    "message_post_with_source": lambda c, s: on_task(
        c,
        s,
        "message_post_with_source",
        source_ref=VIEW,
        email_from=ANNA,
    ),
    "message_mail_with_source": lambda c, s: on_task(
        c,
        s,
        "message_mail_with_source",
        source_ref=VIEW,
        email_from=ANNA,
    ),
    "mail.message create": lambda c, s: created_message(c, s, email_from=SPOOFED),
    "mail.message create, author": lambda c, s: created_message(
        c, s, author_id=s.partner
    ),
    "mail.message create by context": lambda c, s: c.call(
        "mail.message",
        "create",
        [message_values(s)],
        context={"default_email_from": ANNA, "default_author_id": s.partner},
    ),
    "mail.message web_save": lambda c, s: c.call(
        "mail.message", "web_save", [], message_values(s, email_from=SPOOFED), {}
    ),
    "mail.message import": imported,
    "mail.message write": lambda c, s: own_then_from(c, s, email_from=SPOOFED),
    "mail.message write author": lambda c, s: own_then_from(c, s, author_id=s.partner),
    "mail.message copy": lambda c, s: c.call("mail.message", "copy", [s.message]),
    "one2many command": lambda c, s: on_task(
        c,
        s,
        "write",
        vals={"message_ids": [(0, 0, message_values(s, email_from=SPOOFED))]},
    ),
    "one2many change": lambda c, s: on_task(
        c,
        s,
        "write",
        vals={"message_ids": [(1, s.message, {"reply_to": "evil@customer.test"})]},
    ),
    "Reply-To of Anna's message": lambda c, s: c.call(
        "mail.message", "write", [s.message], {"reply_to": "evil@customer.test"}
    ),
    "subject of Anna's message": lambda c, s: c.call(
        "mail.message", "write", [s.message], {"subject": "Pay here"}
    ),
    "author of Anna's message": lambda c, s: c.call(
        "mail.message",
        "write",
        [s.message],
        {
            "author_id": c.call("res.users", "read", [c.uid], ["partner_id"])[0][
                "partner_id"
            ][0]
        },
    ),
    "attachments of Anna's message": lambda c, s: c.call(
        "mail.message", "write", [s.message], {"attachment_ids": [(5, 0, 0)]}
    ),
    "sent through, later": lambda c, s: own_then_from(
        c, s, external_address_id=address_id(s)
    ),
    "sent through": lambda c, s: created_message(
        c, s, external_address_id=address_id(s)
    ),
    "message_post, sent through": lambda c, s: on_task(
        c,
        s,
        "message_post",
        external_address_id=address_id(s),
        message_type="comment",
        subtype_xmlid="mail.mt_comment",
    ),
    "composer, From": lambda c, s: compose_and_send(c, s, email_from=SPOOFED),
    "composer, author": lambda c, s: compose_and_send(c, s, author_id=s.partner),
    "composer, From later": compose_then_change,
    "composer, mass mode": lambda c, s: compose_and_send(
        c, s, email_from=SPOOFED, composition_mode="mass_mail"
    ),
    "scheduled, author": lambda c, s: scheduled(c, s, author_id=s.partner),
    "scheduled, From": lambda c, s: scheduled(
        c, s, notification_parameters=f'{{"email_from": "{ANNA}"}}'
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_typed_senders_are_refused(scene: Scene, kind: str) -> None:
    client = scene.attackers.each()[kind]
    if kind == "portal":  # the task is theirs to write on
        partner = client.call("res.users", "read", [client.uid], ["partner_id"])
        scene.site.admin.call(
            "project.task",
            "message_subscribe",
            [scene.task],
            [partner[0]["partner_id"][0]],
        )
    accepted = {}
    for name, attack in TYPED.items():
        try:
            accepted[name] = attack(client, scene)
        except OdooRpcError as error:
            assert "Error" in error.name or "nothing was" in str(error), error.name
            assert "Traceback" not in str(error)
    if kind == "portal":
        # Core leaves their From and author away, silently.
        allowed = {name for name in accepted if name.startswith("message_post")}
        accepted = {n: a for n, a in accepted.items() if n not in allowed}
    assert not accepted
    scene.nothing_forged()


def test_the_attacks_work_for_the_owner(scene: Scene) -> None:
    """Otherwise they might be refused for being made wrongly."""
    never = {"sent through, later"}  # chosen once
    for name, attack in TYPED.items():
        if name not in never:
            attack(scene.site.anna, scene)


def test_the_refusal_names_field_and_remedy(scene: Scene) -> None:
    client = scene.attackers.employee
    for name, field in (
        ("message_post, From", "email_from"),
        ("message_post, author", "author_id"),
        ("mail.message create", "email_from"),
        ("composer, From", "email_from"),
        ("scheduled, author", "author_id"),
        ("mail.message import", "email_from"),
    ):
        error = refusal(TYPED[name], client, scene)
        assert "AccessError" in error.name, name
        assert field in str(error) and ANNA in str(error), name
        assert "Leave this field out" in str(error), name


def test_other_rpc_protocols(scene: Scene) -> None:
    """XML-RPC's twin, and a method that is called by its model's button route."""
    client = scene.attackers.employee
    values = {"email_from": ANNA, "body": "x"}
    call = [scene.site.odoo.database, client.uid, "olena", "project.task"]
    with pytest.raises(OdooRpcError) as caught:
        client.post(
            "/jsonrpc",
            {
                "service": "object",
                "method": "execute_kw",
                "args": [*call, "message_post", [[scene.task]], values],
            },
        )
    assert "Leave this field out" in str(caught.value)
    with pytest.raises(OdooRpcError) as caught:
        client.post(
            "/web/dataset/call_button",
            {
                "model": "project.task",
                "method": "message_post",
                "args": [[scene.task]],
                "kwargs": values,
            },
        )
    assert "Leave this field out" in str(caught.value)
