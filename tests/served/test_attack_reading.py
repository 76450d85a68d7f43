"""Finding out about, using and changing somebody else's external address."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import steps
import window_steps as screens
from browser_steps import sign_in
from hidden_scene import BOARD, HIDDEN, MANAGERS, OUTSIDERS, PASSWORD, SIGNS
from hidden_scene import HiddenScene as Scene
from playwright.sync_api import Page, Route
from secret_steps import MODELS, ask, leaks
from site_setup import KINDS
from steps import Window

from devtools.rpc import OdooClient, OdooRpcError

ONE_BY_ONE = (steps.ACCOUNT, steps.ADDRESS)


@pytest.fixture
def scene(hidden: Scene) -> Scene:
    return hidden


def without_traceback(error: OdooRpcError) -> str:
    return f"{error.name} {error} {error.debug}"


def answers(
    client: OdooClient, model: str, ids: list[int]
) -> Iterator[tuple[str, Any]]:
    """Every way to read records of a model, also such as one cannot find."""
    fields = ask(client, model, "fields_get")
    if not isinstance(fields, dict):
        yield "fields_get", fields
        return
    names = sorted(fields)
    relations = {
        name: {"fields": {"display_name": {}}}
        for name in names
        if fields[name]["type"] in ("many2one", "one2many", "many2many")
    }
    specification = {**{name: {} for name in names}, **relations}
    stored = [
        f"{n}:day" if fields[n]["type"] in ("date", "datetime") else n
        for n in names
        if fields[n].get("store") and fields[n].get("groupable")
    ]
    found = ask(client, model, "search", [])
    yield "search", found
    for some in (ids, found if isinstance(found, list) else []):
        yield "read", ask(client, model, "read", some, names)
        yield "web_read", ask(client, model, "web_read", some, specification)
        yield "export_data", ask(client, model, "export_data", some, names)
        yield "get_metadata", ask(client, model, "get_metadata", some)
        yield "copy", ask(client, model, "copy", some)
    yield "search_read", ask(client, model, "search_read", [], names)
    yield "web_search_read", ask(client, model, "web_search_read", [], specification)
    yield "name_search", ask(client, model, "name_search", "hidden")
    # one by one where it matters: one refused field would hide the others
    groups = [[name] for name in stored] if model in ONE_BY_ONE else [stored]
    for names_of_group in groups:
        yield (
            f"formatted_read_group {names_of_group}",
            ask(client, model, "formatted_read_group", [], names_of_group, ["__count"]),
        )
    yield "default_get", ask(client, model, "default_get", names)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_read(scene: Scene, kind: str) -> None:
    client = scene.attackers.each()[kind]
    before = scene.stored()
    ids = {steps.ACCOUNT: [*scene.accounts()]}
    for model in (*MODELS, "mail.external.secret"):
        some = ids.get(model, [scene.hidden, scene.board])
        for route, answer in answers(client, model, some):
            text = json.dumps(answer, ensure_ascii=False)
            assert not leaks(PASSWORD, text.encode()), (model, route)
            assert "gAAAA" not in text, (model, route)
            if kind not in MANAGERS:
                assert not any(sign in text for sign in SIGNS), (model, route, text)
    assert scene.stored() == before


@pytest.mark.parametrize("kind", OUTSIDERS)
def test_nothing_is_found_by_asking_around(scene: Scene, kind: str) -> None:
    """Paths over other models, and yes-or-no questions about single values."""
    client = scene.attackers.each()[kind]
    questions = [
        (steps.ADDRESS, [("email", "=", HIDDEN)]),
        (steps.ACCOUNT, [("smtp_login", "=", BOARD)]),
        (steps.ACCOUNT, [("address_ids.email", "=", HIDDEN)]),
        (steps.ACCOUNT, [("active", "in", [True, False])]),
        (steps.ADDRESS, [("account_id.smtp_login", "=", BOARD)]),
        (steps.ADDRESS, [("account_id", "any", [("smtp_login", "=", BOARD)])]),
        (steps.ADDRESS, [("active", "in", [True, False]), ("email", "like", "board")]),
        (steps.ADDRESS, ["|", ("email", "=", BOARD), ("id", "=", scene.hidden)]),
        (f"{steps.ADDRESS}.project", [("address_id.email", "=", HIDDEN)]),
        (f"{steps.ADDRESS}.project", [("id", "=", scene.binding)]),
        (f"{steps.ADDRESS}.project", [("address_state", "=", "working")]),
        ("res.users", [("external_address_ids.email", "=", HIDDEN)]),
        ("res.users", [("external_address_ids", "any", [("email", "=", HIDDEN)])]),
        ("res.company", [("external_address_ids.email", "=", BOARD)]),
        (
            "project.project",
            [("external_address_binding_ids.address_id.email", "=", HIDDEN)],
        ),
        ("mail.message", [("external_address_id.email", "=", HIDDEN)]),
        ("mail.mail", [("sending_address_id.email", "=", HIDDEN)]),
        ("mail.external.delivery", [("address_email", "=", HIDDEN)]),
        ("mail.external.secret", [("account_id.smtp_login", "=", HIDDEN)]),
    ]
    for model, domain in questions:
        answer = ask(client, model, "search_count", domain)
        if isinstance(answer, int):
            assert answer == 0, (model, domain)
        else:
            assert not any(
                sign in str(answer) for sign in SIGNS if sign not in str(domain)
            )
    for model, name in (
        ("res.users", "external_address_ids"),
        ("res.company", "external_address_ids"),
        ("project.project", "external_address_binding_ids"),
        ("res.config.settings", "external_address_ids"),
    ):
        some = ask(client, model, "search", [], 0, 50)
        ids = some if isinstance(some, list) and some else [1, 2]
        if model == "res.users":
            ids = sorted({*ids, scene.site.anna.uid})
        specification = {name: {"fields": {"display_name": {}}}}
        for answer in (
            ask(client, model, "read", ids, [name]),
            ask(client, model, "web_read", ids, specification),
            ask(client, model, "export_data", ids, [f"{name}/display_name"]),
        ):
            assert not any(sign in str(answer) for sign in SIGNS), (model, answer)


@pytest.mark.parametrize("kind", OUTSIDERS)
def test_the_connect_window_tells_nothing(scene: Scene, kind: str) -> None:
    """Also not whether guessed settings are those of the account (stored password)."""
    account_ids = scene.accounts()
    client, bed = scene.attackers.each()[kind], scene.site.bed
    guessed = {
        "email": HIDDEN,
        "smtp_host": bed.host,
        "smtp_port": bed.smtp_ssl,
        "smtp_security": "ssl",
        "smtp_login": HIDDEN,
        "incoming_protocol": "none",
        "ca_certificate": bed.ca_pem,
        "is_company": False,
        "user_id": scene.site.anna.uid,
        "company_id": False,
    }
    asked = {
        name: {} for name in ("has_password", "needs_password", "proof", "tested_ok")
    }
    whole = {"fields": {name: {} for name in ("email", "smtp_login", "sender_name")}}
    foreign = [
        *(("address_id", address_id) for address_id in (scene.hidden, scene.board)),
        *(("account_id", account_id) for account_id in account_ids),
    ]
    for name, record in foreign:
        for attempt in (
            ("onchange", [], {**guessed, name: record}, [], asked),
            ("onchange", [], {name: record}, [], {name: whole}),
            ("web_save", [], {**guessed, name: record}, {name: whole}),
            ("create", [{**guessed, name: record}]),
        ):
            with pytest.raises(OdooRpcError) as caught:
                client.call(steps.WINDOW, *attempt)
            assert caught.value.name.endswith("AccessError"), caught.value
            assert "hidden" not in str(caught.value)
    if kind == "portal":
        return
    window = Window(client)
    window.type_address("x@brand-a.test")
    window.enter(password="q")
    for name, record in foreign:
        steps.refusal(window.enter, **{name: record})


Change = Callable[[OdooClient, Scene], Any]
CHANGES: dict[str, Change] = {
    "write": lambda c, s: c.call(
        steps.ADDRESS, "write", [s.hidden], {"sender_name": "x"}
    ),
    "web_save": lambda c, s: c.call(
        steps.ADDRESS, "web_save", [s.hidden], {"active": False}, {}
    ),
    "unlink": lambda c, s: c.call(steps.ADDRESS, "unlink", [s.hidden]),
    "archive": lambda c, s: c.call(steps.ADDRESS, "action_archive", [s.hidden]),
    "resequence": lambda c, s: c.call(
        steps.ADDRESS, "web_resequence", [s.hidden], {"sequence": {}}
    ),
    "connect": lambda c, s: c.call(steps.ADDRESS, "action_connect", [s.hidden]),
    "access": lambda c, s: c.call(
        steps.ADDRESS, "write", [s.board], {"allowed_user_ids": [(4, c.uid)]}
    ),
    "access opened": lambda c, s: c.call(
        steps.ADDRESS, "write", [s.board], {"allowed_user_ids": [(5, 0, 0)]}
    ),
    "access by group": lambda c, s: c.call(
        steps.ADDRESS, "write", [s.board], {"allowed_group_ids": [(4, 1)]}
    ),
    "binding": lambda c, s: c.call(
        f"{steps.ADDRESS}.project", "write", [s.binding], {"is_default": False}
    ),
    "binding taken": lambda c, s: c.call(
        f"{steps.ADDRESS}.project", "write", [s.binding], {"address_id": s.board}
    ),
    "binding removed": lambda c, s: c.call(
        f"{steps.ADDRESS}.project", "unlink", [s.binding]
    ),
    "binding added": lambda c, s: c.call(
        f"{steps.ADDRESS}.project",
        "create",
        [{"address_id": s.board, "project_id": s.site.ids["project_brand_b"]}],
    ),
    "binding of the address": lambda c, s: c.call(
        steps.ADDRESS, "write", [s.hidden], {"binding_ids": [(5, 0, 0)]}
    ),
    "binding of the project": lambda c, s: c.call(
        "project.project",
        "write",
        [s.site.ids["project_brand_a"]],
        {"external_address_binding_ids": [(2, s.binding)]},
    ),
    "own list": lambda c, s: c.call(
        "res.users", "write", [c.uid], {"external_address_ids": [(4, s.hidden)]}
    ),
    "changed in own list": lambda c, s: c.call(
        "res.users",
        "write",
        [c.uid],
        {"external_address_ids": [(1, s.hidden, {"sender_name": "x"})]},
    ),
    "import": lambda c, s: loaded(
        c.call(
            steps.ADDRESS,
            "load",
            [".id", "email", "sender_name"],
            [[str(s.hidden), HIDDEN, "changed"]],
        )
    ),
    "connection": lambda c, s: c.call(
        steps.ACCOUNT, "write", [s.accounts()[0]], {"smtp_host": "localhost"}
    ),
    "account removed": lambda c, s: c.call(
        steps.ACCOUNT, "action_remove", [s.accounts()[0]]
    ),
    "account deleted": lambda c, s: c.call(steps.ACCOUNT, "unlink", [s.accounts()[0]]),
    "address removed": lambda c, s: c.call(steps.ADDRESS, "action_remove", [s.hidden]),
    "sibling window": lambda c, s: c.call(
        steps.ACCOUNT, "action_add_address", [s.accounts()[0]]
    ),
    "sibling": lambda c, s: c.call(
        steps.ADDRESS,
        "create",
        [{"account_id": s.accounts()[1], "email": "sibling@brand-b.test"}],
    ),
    "sibling of the account": lambda c, s: c.call(
        steps.ACCOUNT,
        "write",
        [s.accounts()[1]],
        {"address_ids": [(0, 0, {"email": "sibling@brand-b.test"})]},
    ),
    "moved": lambda c, s: c.call(
        steps.ADDRESS, "write", [s.hidden], {"account_id": s.accounts()[1]}
    ),
    "secret": lambda c, s: c.call(
        "mail.external.secret",
        "create",
        [{"account_id": s.accounts()[0], "sealed": "x"}],
    ),
    "ledger": lambda c, s: c.call(
        "mail.external.delivery",
        "create",
        [{"message_id_header": "<x@y>", "recipient": "a@b.test", "state": "sent"}],
    ),
}


def loaded(answer: dict[str, Any]) -> None:
    if not answer["ids"]:
        raise OdooRpcError({"data": answer["messages"][0]})


@pytest.mark.parametrize("kind", OUTSIDERS)
def test_nothing_is_changed(scene: Scene, kind: str) -> None:
    client = scene.attackers.each()[kind]
    before = scene.stored()
    accepted = []
    for name, change in CHANGES.items():
        try:
            change(client, scene)
        except OdooRpcError as error:
            assert not leaks(PASSWORD, without_traceback(error).encode())
        else:
            accepted.append(name)
        assert scene.stored() == before, name
    assert not accepted


@pytest.mark.parametrize("kind", MANAGERS)
def test_managers_reach_no_connection_and_no_secret(scene: Scene, kind: str) -> None:
    client = scene.attackers.each()[kind]
    before = scene.stored()
    for name in (
        *("connection", "own list", "secret", "ledger", "binding taken"),
        *("sibling", "sibling of the account", "moved"),
    ):
        with pytest.raises(OdooRpcError):
            CHANGES[name](client, scene)
        assert scene.stored() == before, name


def test_what_is_said_to_the_browser_holds_no_password(
    scene: Scene, page: Page, tmp_path: Path
) -> None:
    """All that the server answers while an address is connected and used."""
    site, texts = scene.site, []

    def keep(route: Route) -> None:
        answer = route.fetch()
        texts.append(route.request.url.encode() + answer.body())
        route.fulfill(response=answer)

    sign_in(page, site, "anna")
    page.route(re.compile(r"/(web/dataset|web/action|mail|bus)/"), keep)
    page.goto(f"{site.odoo.url}/odoo/my-preferences/{site.anna.uid}")
    page.get_by_role("tab", name="External Addresses").click()
    page.get_by_role("button", name="Add External Address").click()
    page.locator(".modal [name=email] input").fill("anna@brand-a.test")
    page.locator(".modal [name=email] input").press("Tab")
    screens.type_password(page, PASSWORD)
    screens.line(page, "smtp_login", "failed")
    page.locator(".modal .btn-close").click()
    task = steps.new_task(site.admin, site.ids["project_brand_a"], "Traffic")
    page.goto(f"{site.odoo.url}/odoo/project.task/{task}")
    page.get_by_role("button", name="Send message").click()
    page.locator(".o-mail-ExternalSenderPicker select").wait_for()
    text = b"".join(texts)
    assert b"run_check" in text
    assert HIDDEN.encode() in text, "Anna sees her own address"
    assert not leaks(PASSWORD, text)
    for (sealed,) in steps.sql(site.odoo, "SELECT sealed FROM mail_external_secret"):
        assert sealed.encode() not in text
