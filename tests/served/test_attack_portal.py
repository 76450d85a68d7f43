"""Portal users, and visitors with a link: a project's address speaks for them to its
followers only, and tells them nothing about itself."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import steps
from portal_scene import CLIENT, SECOND, SUPPORT, TARGET
from portal_scene import PortalScene as Scene
from secret_steps import ask

from devtools.rpc import OdooClient, OdooRpcError

COMMENT = {"message_type": "comment", "subtype_xmlid": "mail.mt_comment"}


@pytest.fixture
def scene(shared_task: Scene) -> Scene:
    shared_task.leave()
    shared_task.site.bed.clear()
    return shared_task


def by_rpc(scene: Scene, **values: Any) -> Any:
    """Post by a remote call; later, for at once core refuses that on tasks (who is
    notified depends on a field that no customer may read)."""
    later = {"scheduled_date": "2099-01-01 00:00:00"}
    everything = {"body": "his words", **COMMENT, **later, **values}
    return scene.portal.call("project.task", "message_post", [scene.task], **everything)


def by_route(
    client: OdooClient, scene: Scene, token: str = "", **data: Any
) -> dict[str, Any]:
    context = data.pop("context", None)
    values: dict[str, Any] = {
        "thread_model": "project.task",
        "thread_id": scene.task,
        "post_data": {"body": "his words", **COMMENT, **data},
    }
    if token:
        values["token"] = token
    if context:
        values["context"] = context
    return dict(client.post("/mail/message/post", values))


def later(scene: Scene) -> None:
    """Posted for later, and addressed meanwhile."""
    by_rpc(scene)
    [message] = own_messages(scene)
    scene.portal.call(
        "mail.message", "write", [message], {"partner_ids": [(4, scene.target)]}
    )


def made(scene: Scene) -> None:
    [message] = scene.portal.call(
        "mail.message",
        "create",
        [
            {
                "model": "project.task",
                "res_id": scene.task,
                "body": "his words",
                "external_address_id": scene.address_id,
                "external_origin": "project",
            }
        ],
    )
    change = {"partner_ids": [(4, scene.target)]}
    scene.portal.call("mail.message", "write", [message], change)
    scene.portal.call("mail.message.schedule", "create", [{"mail_message_id": message}])


def own_messages(scene: Scene) -> list[int]:
    """The newest message of the portal user."""
    domain = [("author_id.user_ids", "in", [scene.portal.uid])]
    found = scene.site.admin.call("mail.message", "search", domain, 0, 1, "id desc")
    return [int(each) for each in found]


WAYS: dict[str, Callable[[Scene], Any]] = {
    "partners": lambda s: by_rpc(s, partner_ids=[s.target]),
    "partners, of the project": lambda s: by_rpc(
        s,
        partner_ids=[s.target],
        external_address_id=s.address_id,
        external_origin="project",
    ),
    "partners, default": lambda s: by_rpc(
        s, context={"default_partner_ids": [(6, 0, [s.target])]}
    ),
    "partners, notification": lambda s: by_rpc(
        s, partner_ids=[s.target], message_type="notification"
    ),
    "partners, automatic": lambda s: by_rpc(
        s, partner_ids=[s.target], message_type="auto_comment"
    ),
    "partners, at once": lambda s: by_rpc(
        s, partner_ids=[s.target], scheduled_date=False
    ),
    "partners, added before it leaves": later,
    "partners, of a message of his own making": made,
    "partners, who shall follow": lambda s: by_rpc(
        s, partner_ids=[s.target], context={"mail_post_autofollow": True}
    ),
    "addresses": lambda s: by_rpc(s, outgoing_email_to=TARGET),
    "addresses, at once": lambda s: by_rpc(
        s, outgoing_email_to=TARGET, scheduled_date=False
    ),
    "addresses, of the project": lambda s: by_rpc(
        s,
        outgoing_email_to=TARGET,
        external_address_id=s.address_id,
        external_origin="project",
    ),
    "notify": lambda s: s.portal.call(
        "project.task",
        "message_notify",
        [s.task],
        partner_ids=[s.target],
        body="his words",
        external_address_id=s.address_id,
        external_origin="project",
    ),
    "follower": lambda s: s.portal.call(
        "project.task", "message_subscribe", [s.task], [s.target]
    ),
    "route, partners": lambda s: by_route(s.portal, s, partner_ids=[s.target]),
    "route, addresses": lambda s: by_route(s.portal, s, partner_emails=[TARGET]),
    "route, who shall follow": lambda s: by_route(
        s.portal, s, partner_ids=[s.target], context={"mail_post_autofollow": True}
    ),
    "visitor, partners": lambda s: by_route(
        s.visitor, s, s.token, partner_ids=[s.target], partner_emails=[TARGET]
    ),
    "visitor, picked": lambda s: by_route(
        s.visitor,
        s,
        s.token,
        partner_ids=[s.target],
        external_address_id=s.address_id,
        external_origin="project",
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_whom_he_addresses_himself_gets_nothing_from_the_project(
    scene: Scene, way: str
) -> None:
    try:
        WAYS[way](scene)
    except OdooRpcError as error:
        assert "Traceback" not in str(error)
        assert SUPPORT not in str(error)
    scene.leave()
    assert scene.through_support(TARGET) == []


def test_he_still_reaches_them_by_odoos_own_server(scene: Scene) -> None:
    address = "anna@brand-b.test"
    by_rpc(scene, partner_ids=[scene.target], outgoing_email_to=address)
    scene.leave()
    for each in (TARGET, address):
        [mail] = scene.site.bed.wait_for(each, 1)
        assert steps.sender_of(mail)[1] != SUPPORT
        assert mail.envelope_from != SUPPORT
    assert len(scene.through_support(CLIENT)) == 1


def test_the_followers_get_his_words_from_the_project(scene: Scene) -> None:
    by_rpc(scene)
    by_route(scene.portal, scene)
    by_route(scene.visitor, scene, scene.token)  # who speaks as the task's customer
    scene.leave()
    scene.site.bed.wait_for(SECOND, 3)
    texts = scene.through_support(SECOND)
    assert len(texts) == 3 and all("his words" in text for text in texts)


def test_no_other_sender_can_be_picked(scene: Scene) -> None:
    for client, token in ((scene.portal, ""), (scene.visitor, scene.token)):
        error = steps.refusal(
            by_route, client, scene, token, external_address_id=scene.address_id
        )
        assert "cannot send from this external address" in str(error)
    for origin in ("user", "mail", False):
        steps.refusal(
            by_rpc, scene, external_address_id=scene.address_id, external_origin=origin
        )


def test_a_visitor_needs_the_link(scene: Scene) -> None:
    for token in ("", "wrong"):
        steps.refusal(by_route, scene.visitor, scene, token)
    for model in (steps.ADDRESS, "mail.message", steps.WINDOW):
        answer = ask(scene.visitor, model, "search_read", [], [])
        assert "Session" in str(answer) and SUPPORT not in str(answer)
    scene.leave()
    assert scene.site.bed.messages(CLIENT) == []


def test_a_rating_is_passed_on_to_followers_only(scene: Scene) -> None:
    site = scene.site
    script = f"""
task = env["project.task"].browse({scene.task})
task.write({{"partner_id": {scene.target}}})
token = task._rating_get_access_token(task.partner_id)
public = env.ref("base.public_user")
task.with_user(public).sudo().rating_apply(
    5, token=token, feedback="his words", subtype_xmlid="mail.mt_comment"
)
task.write({{"partner_id": False}})
"""
    site.run_code(script)
    scene.leave()
    site.bed.wait_for(CLIENT, 1)
    assert scene.through_support(TARGET) == []


@pytest.fixture
def stopped(scene: Scene) -> Iterator[tuple[int, dict[str, Any]]]:
    """A message that left, and the answer to one that waits: the address is stopped."""
    by_route(scene.portal, scene)
    scene.leave()
    rows = steps.sql(
        scene.site.odoo,
        "SELECT max(id) FROM mail_message WHERE external_address_id IS NOT NULL",
    )
    become(scene, "refused")
    yield rows[0][0], by_route(scene.portal, scene)
    become(scene, "working")


def become(scene: Scene, state: str) -> None:
    """Behind the cache: the sender is still chosen as it was a moment ago."""
    for table in ("mail_external_account", "mail_external_address"):
        steps.sql(scene.site.odoo, f"UPDATE {table} SET state = %s", state)  # noqa: S608


def test_nothing_is_told_about_the_address(
    scene: Scene, stopped: tuple[int, dict[str, Any]]
) -> None:
    """Also while it is stopped, which the employees read under the message."""
    left, waiting = stopped
    names = ["external_address_id", "external_waiting", "external_origin"]
    relation = {"external_address_id": {"fields": {"display_name": {}}}}
    answers = [waiting]
    for message in (left, waiting["message_id"]):
        answers += [
            ask(scene.portal, "mail.message", *question)
            for question in (
                *(("read", [message], [name]) for name in names),
                ("web_read", [message], relation),
                ("read", [message]),
                ("export_data", [message], names),
                ("portal_message_format", [message]),
                ("action_external_send_again", [message]),
            )
        ]
    thread = {"thread_model": "project.task", "thread_id": scene.task}
    shown = (
        scene.portal.post("/mail/thread/messages", thread),
        scene.portal.post("/mail/chatter_fetch", thread),
        scene.visitor.post("/mail/chatter_fetch", {**thread, "token": scene.token}),
    )
    assert all("his words" in json.dumps(each) for each in shown)
    for answer in (*answers, *shown):
        assert SUPPORT not in str(answer), answer
        assert "is stopped" not in str(answer), answer
    [row] = scene.site.anna.call(
        "mail.message", "read", [waiting["message_id"]], ["external_waiting"]
    )
    assert SUPPORT in row["external_waiting"], "colleagues see why it waits"
