"""Sending as somebody else, by what nobody typed: templates, actions, rows of mail,
mail that comes in. Postfix counts what leaves."""

import pytest
import steps
from attack_scene import (
    ANNA,
    CLIENT,
    COLLEAGUE,
    OWN,
    SPOOFED,
    Scene,
    address_id,
    compose_and_send,
    created_message,
    on_task,
    scheduled,
    template,
)
from steps import refusal

from devtools.rpc import OdooRpcError

# The owner, and what is nobody's


def test_the_owner_may(scene: Scene) -> None:
    anna = scene.site.anna
    on_task(anna, scene, "message_post", email_from=SPOOFED, author_id=scene.partner)
    created_message(anna, scene, email_from=SPOOFED)
    compose_and_send(anna, scene, email_from=SPOOFED)
    # a note to a colleague leaves as without the addon, from Odoo's own server
    olena = scene.attackers.employee
    [user] = anna.call("res.users", "read", [olena.uid], ["partner_id"])
    on_task(
        anna,
        scene,
        "message_post",
        body="for you",
        partner_ids=user["partner_id"][:1],
        subtype_xmlid="mail.mt_note",
    )
    mail = scene.site.bed.wait_for(COLLEAGUE, 1)[0]
    assert steps.sender_of(mail) == ("Anna Kovalenko", ANNA)
    assert mail.envelope_from == "bounce@corp.test"


def test_addresses_of_others_are_free(scene: Scene) -> None:
    client = scene.attackers.employee
    on_task(client, scene, "message_post", email_from="old@corp.test")
    created_message(client, scene, author_id=scene.site.ids["customer"])


# What nobody typed is kept, and leaves with Odoo's own address


def replaced(scene: Scene, number: int = 1, address: str = CLIENT) -> None:
    """The newest mail has Odoo's address with Anna's name, nothing else is forged."""
    scene.leave()
    mails = scene.site.bed.wait_for(address, number)
    for mail in mails:
        name, sender = steps.sender_of(mail)
        assert sender == OWN and "anna" in name.lower(), mail.raw
        assert mail.envelope_from != ANNA


def test_template_sent_by_another(scene: Scene) -> None:
    employee = scene.attackers.employee
    employee.call("mail.template", "send_mail", [template(scene)], scene.task)
    values = {"email_from": SPOOFED, "reply_to": "evil@customer.test"}
    plain = template(scene, email_from="old@corp.test")
    employee.call(
        "mail.template", "send_mail", [plain], scene.task, email_values=values
    )
    replaced(scene, 2)


def test_own_outgoing_server_frees_nobody(scene: Scene) -> None:
    admin, employee = scene.site.admin, scene.attackers.employee
    [server] = admin.call(
        "ir.mail_server",
        "create",
        [
            {
                "name": "Relay",
                "smtp_host": scene.site.bed.host,
                "smtp_port": scene.site.bed.relay,
                "smtp_encryption": "none",
                "from_filter": "brand-a.test",
            }
        ],
    )
    try:
        # chosen; and found by its filter
        made = [template(scene, mail_server_id=server), template(scene)]
        for each in made:
            employee.call("mail.template", "send_mail", [each], scene.task)
        replaced(scene, 2)
    finally:
        admin.call("mail.template", "unlink", made)
        admin.call("ir.mail_server", "unlink", [server])


def test_server_action(scene: Scene) -> None:
    admin = scene.site.admin
    [model] = admin.call("ir.model", "search", [("model", "=", "project.task")])
    code = (
        f"record.message_post(body='x', email_from='{ANNA}', author_id={scene.partner},"
        " message_type='comment', subtype_xmlid='mail.mt_comment')"
    )
    [action] = admin.call(
        "ir.actions.server",
        "create",
        [{"name": "A", "model_id": model, "state": "code", "code": code}],
    )
    context = {"active_model": "project.task", "active_id": scene.task}
    scene.attackers.employee.call("ir.actions.server", "run", [action], context=context)
    replaced(scene)


def test_mail_that_came_in_with_a_forged_from(scene: Scene) -> None:
    """The gateway cannot know who wrote it; the customer gets it in Odoo's name."""
    [row] = scene.site.admin.call(
        "mail.message", "read", [scene.message], ["message_id"]
    )
    raw = (
        f"From: {SPOOFED}\r\nTo: catchall@corp.test\r\nSubject: Re: forged\r\n"
        f"Message-ID: <forged-{scene.task}@evil.test>\r\n"
        f"In-Reply-To: {row['message_id']}\r\n\r\nPay to another account\r\n"
    )
    for client in (scene.attackers.employee, scene.site.admin):
        raw = raw.replace("<forged-", "<forged-more-")
        client.call("mail.thread", "message_process", False, raw)
    replaced(scene, 2)


def test_own_address_taken_from_somebody_else(scene: Scene) -> None:
    """Who enters Anna's address as his own can work, but does not send as Anna."""
    client = scene.attackers.employee
    client.call("res.users", "write", [client.uid], {"email": ANNA})
    try:
        steps.post(client, scene.task, "<p>as usual</p>")
        scene.leave()
        mail = scene.site.bed.wait_for(CLIENT, 1)[0]
        assert steps.sender_of(mail)[1] == OWN
    finally:
        client.call("res.users", "write", [client.uid], {"email": COLLEAGUE})


@pytest.mark.parametrize(
    "headers",
    [
        {"Return-Path": ANNA},
        {"return-path": ANNA},
        {"Sender": SPOOFED},
        {"Resent-From": SPOOFED, "Resent-Sender": SPOOFED},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_headers_of_a_posted_message(scene: Scene, headers: dict[str, str]) -> None:
    post_with(scene, headers)
    scene.nothing_forged()
    for mail in scene.site.bed.wait_for(CLIENT, 1):
        for name in ("Sender", "Resent-From", "Resent-Sender"):
            assert ANNA not in str(mail.message.get(name, ""))


def post_with(scene: Scene, headers: dict[str, str]) -> int:
    message = on_task(
        scene.attackers.employee,
        scene,
        "message_post",
        mail_headers=headers,
        body="x",
        message_type="comment",
        subtype_xmlid="mail.mt_comment",
    )
    return int(message[0] if isinstance(message, list) else message)


def test_another_from_in_the_headers_of_a_posted_message(scene: Scene) -> None:
    """Odoo itself makes no mail with two of them, and says so."""
    message = post_with(scene, {"From": SPOOFED})
    scene.nothing_forged()
    assert scene.site.bed.messages(CLIENT) == []
    rows = steps.sql(
        scene.site.odoo,
        "SELECT state, failure_reason FROM mail_mail WHERE mail_message_id = %s",
        message,
    )
    assert rows, "it waits to be seen"
    for state, reason in rows:
        assert state == "exception" and "at most 1 From" in reason


# Rows of mail, which only administrators reach


def test_administrator_writes_no_mail_in_another_name(scene: Scene) -> None:
    admin = scene.site.admin
    own_id = address_id(scene)
    values = {"email_to": CLIENT, "body_html": "x", "subject": "x"}
    forged = [
        {"email_from": SPOOFED},
        {"author_id": scene.partner},
        {"sending_address_id": own_id},
        {"mail_message_id": scene.message},
        {"mail_message_id": scene.message, "sending_address_id": own_id},
    ]
    for more in forged:
        refusal(admin.call, "mail.mail", "create", [{**values, **more}])
        defaults = {f"default_{name}": value for name, value in more.items()}
        refusal(admin.call, "mail.mail", "create", [values], context=defaults)
    [own] = admin.call("mail.mail", "create", [{**values, "state": "cancel"}])
    for more in forged:
        refusal(admin.call, "mail.mail", "write", [own], more)
    commands = {"mail_ids": [(0, 0, values)]}
    refusal(admin.call, "mail.message", "write", [scene.message], commands)
    scene.nothing_forged()


def test_waiting_mail_is_changed_by_nobody(scene: Scene) -> None:
    site, admin = scene.site, scene.site.admin
    later = "now() AT TIME ZONE 'UTC' + interval '1 hour'"
    steps.sql(
        site.odoo,
        f"UPDATE mail_external_account SET delivery_next_try = {later}",  # noqa: S608
    )
    message = steps.post(site.anna, scene.task, "<p>genuine</p>")
    row = admin.call("mail.mail", "search", [("mail_message_id", "=", message)])[0]
    for change in (
        {"body_html": "<p>forged</p>"},
        {"email_to": "evil@customer.test"},
        {"recipient_ids": [(5, 0, 0)]},
        {"headers": "{'Sender': 'x@y.z'}"},
        {"sending_address_id": False},
        {"subject": "forged"},
        {"email_from": "x@customer.test"},
    ):
        refusal(admin.call, "mail.mail", "write", [row], change)
    refusal(admin.call, "mail.mail", "copy", [row])
    admin.call("mail.mail", "send", [row])  # queues it again, no more
    admin.call("mail.mail", "mark_outgoing", [row])
    scene.leave()
    mail = site.bed.wait_for(CLIENT, 1)[-1]
    assert "genuine" in steps.html_text(mail)
    assert steps.sender_of(mail)[1] == ANNA and mail.envelope_from == ANNA


def test_scheduled_message_is_changed_by_nobody_else(scene: Scene) -> None:
    anna = scene.site.anna
    [planned] = scheduled(anna, scene)
    for client in (scene.attackers.employee, scene.site.bohdan, scene.site.admin):
        for change in ({"body": "forged"}, {"author_id": 1}, {"partner_ids": []}):
            error = refusal(
                client.call, "mail.scheduled.message", "write", [planned], change
            )
            assert "in the name of Anna" in str(error)
    anna.call("mail.scheduled.message", "write", [planned], {"body": "mine"})
    anna.call("mail.scheduled.message", "unlink", [planned])


def test_context_of_templates_chooses_no_account(scene: Scene) -> None:
    context = {
        "default_sending_address_id": address_id(scene),
        "default_external_address_id": address_id(scene),
        "external_address_id": address_id(scene),
        "external_partner_ids": [scene.site.ids["customer"]],
        "external_sender_id": address_id(scene),
    }
    client = scene.attackers.employee
    plain = template(scene, email_from="old@corp.test")
    for each in (
        lambda: client.call(
            "mail.template", "send_mail", [plain], scene.task, context=context
        ),
        lambda: on_task(
            client,
            scene,
            "message_post",
            message_type="comment",
            subtype_xmlid="mail.mt_comment",
            context=context,
        ),
    ):
        try:
            each()
        except OdooRpcError as error:
            assert error.name.endswith("AccessError"), (error.name, str(error))
        else:
            scene.leave()
            assert scene.site.bed.wait_for(CLIENT, 1)
    scene.nothing_forged()


def test_create_uid_cannot_be_claimed(scene: Scene) -> None:
    anna = {"create_uid": scene.site.anna.uid, "write_uid": scene.site.anna.uid}
    for client in (scene.attackers.employee, scene.site.admin):
        [message] = created_message(client, scene, **anna)
        client.call("mail.message", "write", [message], anna)
        rows = steps.sql(
            scene.site.odoo,
            "SELECT create_uid FROM mail_message WHERE id = %s",
            message,
        )
        assert rows == [(client.uid,)]
