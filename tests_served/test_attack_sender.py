"""Sending as somebody else, by every route there is; Postfix counts what leaves."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import steps
from attackers import KINDS, Attackers, gather
from site_setup import Site
from steps import refusal

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
    yield Scene(site, gather(site), task, users[0]["partner_id"][0], message)
    site.admin.call("res.users", "write", [site.anna.uid], {"email": "anna@corp.test"})
    site.remove_accounts()


def _make_view(admin: OdooClient) -> None:
    module, _dot, name = VIEW.partition(".")
    values = {"type": "qweb", "name": name, "arch": "<p>view</p>"}
    [view] = admin.call("ir.ui.view", "create", [values])
    reference = {"module": module, "name": name, "model": "ir.ui.view", "res_id": view}
    admin.call("ir.model.data", "create", [reference])


@pytest.fixture
def scene(prepared: Scene) -> Scene:
    prepared.leave()
    prepared.site.bed.clear()
    return prepared


# What a person types is refused

Attack = Callable[[OdooClient, Scene], Any]


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
        c, s, external_account_id=account(s)
    ),
    "sent through": lambda c, s: created_message(c, s, external_account_id=account(s)),
    "message_post, sent through": lambda c, s: on_task(
        c,
        s,
        "message_post",
        external_account_id=account(s),
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


def account(scene: Scene) -> int:
    [found] = scene.site.admin.call(steps.ACCOUNT, "search", [("email", "=", ANNA)])
    return int(found)


@pytest.mark.parametrize("kind", KINDS)
def test_typed_senders_are_refused(scene: Scene, kind: str) -> None:
    client = scene.attackers.each()[kind]
    if kind == "portal":  # the task is his to write on
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
        # Core leaves his From and author away, silently.
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


# The owner himself, and what is nobody's


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
        {"From": SPOOFED},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_headers_of_a_posted_message(scene: Scene, headers: dict[str, str]) -> None:
    on_task(
        scene.attackers.employee,
        scene,
        "message_post",
        mail_headers=headers,
        body="x",
        message_type="comment",
        subtype_xmlid="mail.mt_comment",
    )
    scene.nothing_forged()
    for mail in scene.site.bed.messages(CLIENT):
        for name in ("Sender", "Resent-From", "Resent-Sender"):
            assert ANNA not in str(mail.message.get(name, ""))


# Rows of mail, which only administrators reach


def test_administrator_writes_no_mail_in_another_name(scene: Scene) -> None:
    admin = scene.site.admin
    [account_id] = [account(scene)]
    values = {"email_to": CLIENT, "body_html": "x", "subject": "x"}
    forged = [
        {"email_from": SPOOFED},
        {"author_id": scene.partner},
        {"sending_account_id": account_id},
        {"mail_message_id": scene.message},
        {"mail_message_id": scene.message, "sending_account_id": account_id},
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
        {"sending_account_id": False},
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
        "default_sending_account_id": account(scene),
        "default_external_account_id": account(scene),
        "external_account_id": account(scene),
        "external_partner_ids": [scene.site.ids["customer"]],
        "external_sender_id": account(scene),
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
        except OdooRpcError:
            continue
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


# What one request sees that began before a right was taken away, and what a later one
# sees: two threads of one server, with the timing of a busy one.
TWO_REQUESTS = """
import json
from odoo import api
account = env["mail.external.account"].browse(ACCOUNT)
with env.registry.cursor() as older, env.registry.cursor() as later:
    older.execute("SELECT 1")
    account.allowed_user_ids = [OTHER]
    env.cr.commit()
    seen = []
    for cr in (older, later):
        accounts = api.Environment(cr, 1, {})["mail.external.account"]
        rows = accounts._usable_rows(USER)
        seen.append([row.id for row in rows] + list(accounts._addresses_of(USER)))
print(json.dumps(seen))
"""


def test_a_right_that_was_taken_away_is_gone_for_all_later_requests(
    scene: Scene,
) -> None:
    site = scene.site
    account = steps.connect(site.admin, "support@brand-b.test", company=True)
    script = TWO_REQUESTS.replace("ACCOUNT", str(account))
    script = script.replace("OTHER", str(site.bohdan.uid))
    script = script.replace("USER", str(scene.attackers.employee.uid))
    older, later = json.loads(site.odoo.shell(script).splitlines()[-1])
    assert account in older, "the case did not occur"
    assert account not in later
    assert "support@brand-b.test" not in later
