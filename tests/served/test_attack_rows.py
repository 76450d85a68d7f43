"""Rows of mail for somebody else's message: nobody but Odoo's own code makes them.

``mail.template.send_mail`` and the mass mailing composer create rows in superuser mode,
of values that any employee writes. (Defaults in their context ``sudo()`` leaves out.)
"""

import json
from typing import Any

import pytest
import steps
from attack_scene import ANNA, CLIENT, Scene, address_id, composer, on_task, template

from devtools.rpc import OdooClient, OdooRpcError

EVIL = "Pay to another account"
CONTENT = {"subject": EVIL, "body": EVIL, "reply_to": "evil@customer.test"}


def targets(scene: Scene) -> dict[str, dict[str, Any]]:
    """What a row would have to say to leave through Anna's address."""
    own, message = address_id(scene), scene.message
    return {
        "her message": {"mail_message_id": message},
        "her message, her address": {
            "mail_message_id": message,
            "sending_address_id": own,
        },
        "as another mail": {
            "mail_message_id": message,
            "sending_address_id": own,
            "message_id": f"<new-{message}@evil.test>",
        },
        "her address": {"sending_address_id": own},
        "a message of its own": {"sending_address_id": own, "external_address_id": own},
        "for the project": {
            "sending_address_id": own,
            "external_address_id": own,
            "external_origin": "project",
        },
        "proven by mail": {
            "external_address_id": own,
            "external_origin": "mail",
            "author_id": scene.partner,
        },
        "inside of another row": {
            "mail_ids": [
                (0, 0, {"mail_message_id": message, "sending_address_id": own})
            ]
        },
        "a message inside": {"child_ids": [(1, message, CONTENT)]},
    }


def by_values(client: OdooClient, scene: Scene, values: dict[str, Any]) -> None:
    """``mail.template.send_mail`` with values of the caller's."""
    made = {**CONTENT, "body_html": EVIL, "email_to": CLIENT, **values}
    plain = template(scene, email_from="old@corp.test")
    client.call("mail.template", "send_mail", [plain], scene.task, email_values=made)


def by_values_in_batch(
    client: OdooClient, scene: Scene, values: dict[str, Any]
) -> None:
    """``mail.template.send_mail_batch``."""
    made = {**CONTENT, "body_html": EVIL, "email_to": CLIENT, **values}
    plain = template(scene, email_from="old@corp.test")
    client.call(
        "mail.template", "send_mail_batch", [plain], [scene.task], email_values=made
    )


def defaults(values: dict[str, Any]) -> dict[str, Any]:
    made = {**CONTENT, **values}
    return {f"default_{name}": value for name, value in made.items()}


def by_context(client: OdooClient, scene: Scene, values: dict[str, Any]) -> None:
    """A template whose row is completed by the caller's context."""
    plain = template(scene, email_from="old@corp.test", subject=EVIL, body_html=EVIL)
    client.call(
        "mail.template", "send_mail", [plain], scene.task, context=defaults(values)
    )


def by_composer(client: OdooClient, scene: Scene, values: dict[str, Any]) -> None:
    """A mailing of the caller's, which Odoo's own server is to send."""
    wizard = composer(
        client,
        scene,
        composition_mode="mass_mail",
        external_sender=0,
        partner_ids=[(6, 0, [scene.site.ids["customer"]])],
        body=EVIL,
        subject=EVIL,
    )
    client.call(
        "mail.compose.message", "action_send_mail", [wizard], context=defaults(values)
    )


WAYS = (by_values, by_values_in_batch, by_context, by_composer)


def content(scene: Scene) -> list[tuple[Any, ...]]:
    """Anna's message as it is stored."""
    return steps.sql(
        scene.site.odoo,
        "SELECT subject, body, reply_to, email_from, message_id, author_id, model,"
        " res_id, external_address_id, external_origin FROM mail_message WHERE id = %s",
        scene.message,
    )


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_no_row_for_somebody_elses_message(scene: Scene, way: Any) -> None:
    before = content(scene)
    for client in (scene.attackers.employee, scene.site.bohdan, scene.site.admin):
        for values in targets(scene).values():
            try:
                way(client, scene, values)
            except OdooRpcError as error:
                assert "Traceback" not in str(error)
            assert content(scene) == before, values
    scene.nothing_forged()


def test_the_refusal_tells_what_to_do(scene: Scene) -> None:
    values = targets(scene)["her message"]
    error = steps.refusal(by_values, scene.attackers.employee, scene, values)
    assert "AccessError" in error.name
    assert "leaves from an external address" in str(error)
    assert "write a new message" in str(error)


def test_the_owner_may(scene: Scene) -> None:
    """Anna's template leaves through her address when she says so herself."""
    own = address_id(scene)
    values = {"sending_address_id": own, "external_address_id": own}
    by_values(scene.site.anna, scene, {**values, "external_origin": "user"})
    scene.leave()
    mail = scene.site.bed.wait_for(CLIENT, 1)[0]
    assert steps.sender_of(mail)[1] == ANNA == mail.envelope_from


def test_what_waits_at_odoos_own_server_keeps_its_subject(scene: Scene) -> None:
    """Anna's address leaves there, too, with what she wrote."""
    message = on_task(
        scene.site.anna,
        scene,
        "message_post",
        body="genuine",
        message_type="comment",
        subtype_xmlid="mail.mt_comment",
        external_address_id=False,
        force_send=False,
    )
    message = message[0] if isinstance(message, list) else message
    values = {"mail_message_id": message, "subject": EVIL, "body_html": EVIL}
    for way in (by_values, by_context):
        try:
            way(scene.attackers.employee, scene, values)
        except OdooRpcError as error:
            assert "AccessError" in error.name
    scene.leave()
    scene.site.bed.wait_for(CLIENT, 1)
    mails = scene.site.bed.messages(CLIENT)
    [genuine] = [mail for mail in mails if steps.sender_of(mail)[1] == ANNA]
    assert EVIL not in genuine.message["Subject"], genuine.raw
    assert "genuine" in steps.html_text(genuine)


# Rows that got into the database by some other way

FORGED_ROW = """
import json
from odoo.addons.mail_external_account.tools.trusted_context import Notified, notified
message = env["mail.message"].browse(MESSAGE)
rows = env["mail.mail"].with_user(USER).sudo()
with notified.during(Notified(message.id)):
    row = rows.create(
        {
            "mail_message_id": message.id,
            "sending_address_id": message.external_address_id.id,
            "body_html": "Pay to another account",
            "email_to": "client@customer.test",
        }
    )
env.cr.commit()
print(json.dumps(row.id))
"""


def test_delivery_looks_who_made_a_row(scene: Scene) -> None:
    script = FORGED_ROW.replace("MESSAGE", str(scene.message))
    script = script.replace("USER", str(scene.attackers.employee.uid))
    row = json.loads(scene.site.odoo.shell(script).splitlines()[-1])
    scene.nothing_forged()
    [[state, reason]] = steps.sql(
        scene.site.odoo,
        "SELECT state, failure_reason FROM mail_mail WHERE id = %s",
        row,
    )
    assert state == "exception"
    assert "may not (or no longer) send from this address" in reason


def test_notifications_lead_to_no_other_mail(scene: Scene) -> None:
    """A notification of one's own message that names Anna's mail tells nothing of it,
    and sends nothing again."""
    client = scene.attackers.employee
    steps.sql(
        scene.site.odoo,
        "UPDATE mail_external_account SET delivery_next_try = now() + '1 hour'",
    )
    message = steps.post(scene.site.anna, scene.task, "<p>genuine</p>")
    [row] = scene.site.admin.call(
        "mail.mail", "search", [("mail_message_id", "=", message)]
    )
    own = steps.post(client, scene.task, "<p>mine</p>", sender=0)
    for values in (
        {"mail_mail_id": row, "notification_status": "exception"},
        {"mail_mail_id": row, "notification_status": "ready"},
    ):
        domain = [("mail_message_id", "=", own)]
        found = client.call("mail.notification", "search", domain)
        try:
            client.call("mail.notification", "write", found, values)
            client.call("mail.message", "action_external_send_again", [own])
        except OdooRpcError:
            pass
        shown = client.call("mail.message", "read", [own], ["external_waiting"])
        assert ANNA not in str(shown[0]["external_waiting"])
    scene.leave()
    mails = [m for m in scene.site.bed.messages(CLIENT)]
    from_anna = [m for m in mails if steps.sender_of(m)[1] == ANNA]
    assert len(from_anna) == 1 and "genuine" in steps.html_text(from_anna[0])
