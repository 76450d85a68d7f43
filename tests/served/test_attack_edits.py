"""What waits, or is sent again, in Anna's name is what Anna wrote."""

from typing import Any

import pytest
import steps
from attack_scene import ANNA, CLIENT, Scene, on_task
from steps import refusal

from devtools.rpc import OdooClient

EVIL = "Pay to another account"
LATER = "2099-01-01 00:00:00"


def schedule(scene: Scene, client: OdooClient) -> int:
    """A message of which everybody is told later."""
    posted = on_task(
        client,
        scene,
        "message_post",
        body="genuine",
        message_type="comment",
        subtype_xmlid="mail.mt_comment",
        scheduled_date=LATER,
    )
    return int(posted[0] if isinstance(posted, list) else posted)


def schedules(scene: Scene, message: int) -> list[int]:
    domain = [("mail_message_id", "=", message)]
    return list(scene.site.admin.call("mail.message.schedule", "search", domain))


def others(scene: Scene) -> tuple[OdooClient, ...]:
    return scene.attackers.employee, scene.site.bohdan, scene.site.admin


def evil_contact(scene: Scene) -> int:
    return scene.site.customer("Evil", "third@customer.test")


def changes(scene: Scene) -> tuple[dict[str, Any], ...]:
    return (
        {"body": EVIL},
        {"partner_ids": [(4, evil_contact(scene))]},
        {"outgoing_email_to": "third@customer.test"},
        {"incoming_email_to": "third@customer.test"},
        {"email_layout_xmlid": "mail.mail_notification_light"},
        {"model": "project.project"},
        {"res_id": scene.site.ids["project_brand_b"]},
        {"parent_id": scene.message},
        {"subtype_id": False},
        {"create_uid": 1, "body": EVIL},
    )


def genuine(scene: Scene) -> None:
    """One mail of Anna's arrived, with her words, and nothing at the attacker's."""
    scene.leave()
    mails = [m for m in scene.site.bed.messages(CLIENT)]
    [mail] = [m for m in mails if steps.sender_of(m)[1] == ANNA]
    assert "genuine" in steps.html_text(mail)
    for mail in mails:
        assert EVIL not in steps.html_text(mail)
    assert not scene.site.bed.messages("third@customer.test")


def test_nobody_changes_what_is_told_later(scene: Scene) -> None:
    message = schedule(scene, scene.site.anna)
    for client in others(scene):
        for change in changes(scene):
            error = refusal(client.call, "mail.message", "write", [message], change)
            assert "AccessError" in error.name
    commands = {"message_ids": [(1, message, {"body": EVIL})]}
    refusal(on_task, scene.site.bohdan, scene, "write", vals=commands)
    # an administrator may say that it is time now
    scene.site.admin.call(
        "mail.message.schedule", "force_send", schedules(scene, message)
    )
    genuine(scene)


def test_the_writer_changes_it_himself(scene: Scene) -> None:
    message = schedule(scene, scene.site.anna)
    anna = scene.site.anna
    anna.call("mail.message", "write", [message], {"body": "genuine, and better"})
    update(anna, message, "genuine, and best")
    scene.site.admin.call(
        "mail.message.schedule", "force_send", schedules(scene, message)
    )
    genuine(scene)


def test_nobody_has_it_told_once_more(scene: Scene) -> None:
    """Text that was changed as history does not leave again in Anna's name."""
    admin = scene.site.admin
    values = {"mail_message_id": scene.message, "scheduled_datetime": LATER}
    refusal(admin.call, "mail.message.schedule", "create", [values])
    [waiting] = schedules(scene, schedule(scene, admin))
    for change in (
        {"mail_message_id": scene.message},
        {"notification_parameters": "{}", "mail_message_id": scene.message},
    ):
        refusal(admin.call, "mail.message.schedule", "write", [waiting], change)
    [theirs] = schedules(scene, schedule(scene, scene.site.anna))
    headers = '{"mail_headers": {"Cc": "third@customer.test"}}'
    change = {"notification_parameters": headers}
    refusal(admin.call, "mail.message.schedule", "write", [theirs], change)
    later = {"scheduled_datetime": "2098-01-01 00:00:00"}
    admin.call("mail.message.schedule", "write", [theirs], later)
    admin.call("mail.message.schedule", "unlink", [theirs, waiting])
    scene.nothing_forged()


def update(client: OdooClient, message: int, body: str | None, **values: Any) -> None:
    """Edit a message in the chatter."""
    client.post(
        "/mail/message/update_content",
        {"message_id": message, "update_data": {"body": body, **values}},
    )


@pytest.fixture
def held(scene: Scene) -> Scene:
    """Anna's server is not asked for an hour."""
    later = "now() AT TIME ZONE 'UTC' + interval '1 hour'"
    steps.sql(
        scene.site.odoo,
        f"UPDATE mail_external_account SET delivery_next_try = {later}",  # noqa: S608
    )
    return scene


def test_an_administrator_edits_nothing_that_waits(held: Scene) -> None:
    admin, scene = held.site.admin, held
    message = steps.post(scene.site.anna, scene.task, "<p>genuine</p>")
    evil = steps.upload(admin, scene.task, "invoice.txt", EVIL.encode())
    tokens = [evil["token"]]
    for values in (
        {"attachment_ids": [evil["id"]], "attachment_tokens": tokens},
        {"attachment_ids": []},
        {"partner_ids": [evil_contact(scene)]},
    ):
        error = refusal(update, admin, message, EVIL, **values)
        assert "has not left yet" in str(error), error
    update(scene.site.anna, message, "genuine, with an attachment")
    scene.leave()
    [mail] = scene.site.bed.wait_for(CLIENT, 1)
    assert not list(mail.message.iter_attachments())
    genuine(scene)
    # what has left is history, which administrators may edit as ever
    update(admin, message, "edited by the administrator")
    [shown] = admin.call("mail.message", "read", [message], ["body"])
    assert "edited by the administrator" in shown["body"]


def test_what_failed_can_be_sent_again_so_it_waits_too(held: Scene) -> None:
    scene, admin = held, held.site.admin
    message = steps.post(scene.site.anna, scene.task, "<p>genuine</p>")
    steps.sql(
        scene.site.odoo,
        "UPDATE mail_mail SET state = 'exception' WHERE mail_message_id = %s",
        message,
    )
    evil = steps.upload(admin, scene.task, "invoice.txt", EVIL.encode())
    attached = {"attachment_ids": [evil["id"]], "attachment_tokens": [evil["token"]]}
    refusal(update, admin, message, None, **attached)
    scene.site.anna.call("mail.message", "action_external_send_again", [message])
    genuine(scene)


def test_strangers_do_not_send_again(held: Scene) -> None:
    scene = held
    message = steps.post(scene.site.anna, scene.task, "<p>genuine</p>")
    attackers = scene.attackers
    for client in (
        attackers.employee,
        attackers.portal,
        attackers.stranger,
        attackers.project_manager,
    ):
        error = refusal(
            client.call, "mail.message", "action_external_send_again", [message]
        )
        assert "AccessError" in error.name
    genuine(scene)
