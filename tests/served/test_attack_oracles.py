"""Names, states and settings of somebody else's address, by roundabout questions."""

import json
from typing import Any

import pytest
import steps
from hidden_scene import BOARD, HIDDEN, OUTSIDERS, SIGNS
from hidden_scene import HiddenScene as Scene
from secret_steps import ask
from steps import Window

from devtools.rpc import OdooClient

NAME = {"fields": {"display_name": {}}}
WHOLE = {
    "fields": {
        **{name: {} for name in ("display_name", "email", "smtp_login", "state")},
        **{name: {} for name in ("forward_address", "waiting_count", "failure_text")},
        **{name: {} for name in ("account_label", "connection", "sibling_count")},
        "user_id": NAME,
    }
}
EMPLOYEES = tuple(kind for kind in OUTSIDERS if kind != "portal")


@pytest.fixture
def scene(hidden: Scene) -> Scene:
    return hidden


def onchange(client: OdooClient, model: str, values: Any, asked: Any) -> Any:
    return ask(client, model, "onchange", [], values, [], asked)


def tells_nothing(scene: Scene, answer: Any, route: Any) -> None:
    text = json.dumps(answer, ensure_ascii=False)
    assert not any(sign in text for sign in SIGNS), (route, text)


@pytest.mark.parametrize("kind", OUTSIDERS)
def test_no_name_by_an_onchange(scene: Scene, kind: str) -> None:
    """A many2one of a new record shows the name of what it points to."""
    accounts = scene.accounts()
    client = scene.attackers.each()[kind]
    for model, name in (
        ("mail.message", "external_address_id"),
        ("mail.mail", "sending_address_id"),
        (f"{steps.ADDRESS}.project", "address_id"),
        (steps.ADDRESS, "account_id"),
        ("mail.external.folder", "account_id"),
        ("mail.external.delivery", "account_id"),
        ("mail.external.delivery", "address_id"),
        ("mail.external.arrival", "account_id"),
        ("mail.external.arrival", "address_id"),
        (steps.WINDOW, "account_id"),
        (steps.WINDOW, "address_id"),
    ):
        ids = accounts if name == "account_id" else (scene.hidden, scene.board)
        for record in ids:
            dicts = ({"id": record}, {"id": record, "user_id": client.uid})
            for value in (record, *dicts):
                for asked in (NAME, WHOLE):
                    route = (model, value, asked)
                    answer = onchange(client, model, {name: value}, {name: asked})
                    tells_nothing(scene, answer, route)


@pytest.mark.parametrize("kind", OUTSIDERS)
def test_no_name_by_a_made_up_message_on_the_address(scene: Scene, kind: str) -> None:
    client = scene.attackers.each()[kind]
    for address_id in (scene.hidden, scene.board):
        values = {"model": steps.ADDRESS, "res_id": address_id}
        answer = onchange(client, "mail.message", values, {"record_name": {}})
        tells_nothing(scene, answer, values)
        asked = ask(client, "mail.message", "create", [{**values, "body": "x"}])
        tells_nothing(scene, asked, values)


@pytest.mark.parametrize("kind", EMPLOYEES)
def test_no_address_of_somebody_elses_window(scene: Scene, kind: str) -> None:
    window = Window(scene.site.anna)
    window.type_address(HIDDEN)
    window.enter()
    client = scene.attackers.each()[kind]
    asked = {"fields": {name: {} for name in ("display_name", "email", "has_password")}}
    for value in (window.id, {"id": window.id}):
        for some in (NAME, asked):
            values = {"wizard_id": value}
            model = f"{steps.WINDOW}.project"
            answer = onchange(client, model, values, {"wizard_id": some})
            tells_nothing(scene, answer, values)


@pytest.mark.parametrize("kind", OUTSIDERS)
def test_no_owner_and_no_state_by_a_binding(scene: Scene, kind: str) -> None:
    client = scene.attackers.each()[kind]
    asked = {"address_user_id": NAME, "address_state": {}, "address_id": WHOLE}
    for value in (scene.hidden, {"id": scene.hidden}, scene.board):
        answer = onchange(
            client, f"{steps.ADDRESS}.project", {"address_id": value}, asked
        )
        tells_nothing(scene, answer, value)
        assert "Anna" not in str(answer) and "working" not in str(answer), answer


@pytest.mark.parametrize("kind", OUTSIDERS)
def test_no_name_in_the_errors_of_debug_mode(scene: Scene, kind: str) -> None:
    """There, core's refusal lists the records by their names."""
    client = scene.site.odoo.rpc(
        {"employee": "olena", "portal": "visitor", "project_manager": "bohdan"}.get(
            kind, kind
        )
    )
    client.get("/web?debug=1")
    seen = []
    for address_id in (scene.hidden, scene.board):
        for method, *arguments in (
            ("read", ["email"]),
            ("write", {"sender_name": "x"}),
            ("unlink",),
            ("action_connect",),
        ):
            seen.append(ask(client, steps.ADDRESS, method, [address_id], *arguments))
            tells_nothing(scene, seen[-1], method)
    seen.append(ask(client, f"{steps.ADDRESS}.project", "read", [scene.binding]))
    tells_nothing(scene, seen[-1], "binding")
    if kind in EMPLOYEES:
        assert "Blame the following rules" in str(seen), "not in debug mode"


@pytest.mark.parametrize("kind", ["employee", "project_manager"])
def test_no_address_by_a_scheduled_message(scene: Scene, kind: str) -> None:
    """One's own message, which names somebody else's address as its sender."""
    client = scene.attackers.each()[kind]
    task = steps.new_task(
        scene.site.admin, scene.site.ids["project_brand_a"], "Planned"
    )
    [user] = client.call("res.users", "read", [client.uid], ["partner_id"])
    for address_id in (scene.hidden, scene.board):
        [planned] = client.call(
            "mail.scheduled.message",
            "create",
            [
                {
                    "model": "project.task",
                    "res_id": task,
                    "body": "x",
                    "scheduled_date": "2099-01-01 00:00:00",
                    "author_id": user["partner_id"][0],
                    "notification_parameters": json.dumps(
                        {"external_address_id": address_id}
                    ),
                }
            ],
        )
        for method in ("external_sender_problem", "post_message"):
            answer = ask(client, "mail.scheduled.message", method, [planned])
            assert "can no longer be used" in str(answer)
            tells_nothing(scene, answer, method)
        client.call("mail.scheduled.message", "unlink", [planned])


@pytest.mark.parametrize("kind", EMPLOYEES)
def test_no_guess_is_confirmed_by_a_window_within_an_onchange(
    scene: Scene, kind: str
) -> None:
    """One's own window, which a line of its projects says is somebody else's."""
    client, bed = scene.attackers.each()[kind], scene.site.bed
    window = Window(client)
    window.type_address("x@brand-a.test")
    window.enter()
    right = {
        "email": HIDDEN,
        "user_id": scene.site.anna.uid,
        "is_company": False,
        "company_id": False,
        "smtp_host": bed.host,
        "smtp_port": bed.smtp_ssl,
        "smtp_security": "ssl",
        "smtp_login": HIDDEN,
        "ca_certificate": bed.ca_pem,
        "incoming_protocol": "none",
    }
    board = {
        **{**right, "email": BOARD, "smtp_login": BOARD, "is_company": True},
        "user_id": False,
        "company_id": scene.site.admin.call(
            steps.ADDRESS, "read", [scene.board], ["company_id"], load=None
        )[0]["company_id"],
    }
    asked = {
        "wizard_id": {
            "fields": {
                **{name: {} for name in ("proof", "needs_password", "tested_ok")},
                **{name: {} for name in ("starts_reading", "forward_address")},
                **{name: NAME for name in ("account_id", "address_id")},
                "is_address_only": {},
            }
        }
    }
    own, shared = scene.accounts()
    for name, record, settings in (
        ("address_id", scene.hidden, right),
        ("address_id", scene.board, board),
        ("account_id", own, right),
        ("account_id", shared, board),
    ):
        elsewhere = {**settings, "smtp_host": "elsewhere.brand-a.test"}
        for value in (record, {"id": record, "user_id": client.uid}):
            for guess in (settings, elsewhere):
                line = {"id": window.id, name: value, **guess}
                answer = onchange(
                    client, f"{steps.WINDOW}.project", {"wizard_id": line}, asked
                )
                told = answer["value"]["wizard_id"]
                tells_nothing(scene, told, value)
                assert told["needs_password"] and not told["tested_ok"], guess
                # by its own server a guess is proof, whatever account there is
                assert told["proof"] is False or guess is settings, told


def test_whose_it_is_sees_the_name(scene: Scene) -> None:
    """What is hidden from others is shown to who may read the address."""
    for address_id, email in ((scene.hidden, HIDDEN), (scene.board, BOARD)):
        answer = onchange(
            scene.site.anna,
            f"{steps.ADDRESS}.project",
            {"address_id": address_id},
            {"address_id": NAME, "address_state": {}},
        )
        assert email in answer["value"]["address_id"]["display_name"]
        assert answer["value"]["address_state"] == "working"
