"""Getting somebody else's address accepted, and a password sent elsewhere."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import steps
from site_setup import Site
from steps import Window, refusal

from devtools.rpc import OdooRpcError
from devtools.testbed.bed import PASSWORD
from devtools.testbed.faults import Delay, FaultServer

CEO = "ceo@brand-a.test"
ANNA = "anna@brand-a.test"
SPY = "spy@brand-a.test"


@pytest.fixture(autouse=True)
def _fresh_limit(clean: Site) -> Iterator[None]:
    steps.forget_tests(clean.odoo)
    yield
    steps.forget_tests(clean.odoo)


def accepting_all(site: Site, server: FaultServer, **context: Any) -> Window:
    """Bohdan's window for the director's address, at a server of his own."""
    window = Window(site.bohdan, **context)
    window.type_address(CEO)
    own = {**steps.SEND_ONLY, **steps.at(server), "smtp_login": CEO, "password": "q"}
    try:
        window.enter(**own)
    except OdooRpcError as error:
        assert context and "enough rights" in str(error)
        window.context = {}  # such a window cannot even be opened
        window.enter(**own)
    assert window.test()[-1]["ok"]
    return window


def test_own_server_proves_nothing(clean: Site) -> None:
    clean.bed.add_mailbox(CEO)
    with FaultServer("smtp", "ssl") as server:
        window = accepting_all(clean, server)
        assert window.read()["tested_ok"] and window.read()["proof"] is False
        assert "not shown yet" in str(refusal(window.press, "action_save"))
        refusal(window.press, "action_vouch")
        window.press("action_send_code")
        [mail] = clean.bed.wait_for(CEO, 1)
        assert mail.envelope_from.endswith("@corp.test")
        said = "".join(map(str, server.commands))
        assert "DATA" not in said, "the code goes to the real mailbox only"
        # the proper settings are proof only when they are tested themselves
        window.enter(smtp_port=clean.bed.smtp_ssl, ca_certificate=clean.bed.ca_pem)
        assert "Nothing was saved" in str(refusal(window.press, "action_save"))
    everything = {"active_test": False}
    assert not clean.admin.call(steps.ADDRESS, "search", [], context=everything)


#: What adds a recipient to a mail, or takes the only one away.
LEADS_ASTRAY: dict[str, Any] = {
    "default_email_cc": SPY,
    "default_email_to": SPY,
    "default_recipient_ids": [(0, 0, {"name": "Spy", "email": SPY})],
    "default_headers": repr({"Bcc": SPY, "Return-Path": SPY}),
    "default_reply_to": SPY,
    "default_model": "project.task",
    "default_scheduled_date": "2099-01-01 00:00:00",
    "send_validated_to": [SPY],
    "send_smtp_skip_to": [CEO],
    "domain_bounce_address": SPY,
    "domain_notifications_email": SPY,
}


def test_a_code_reaches_its_address_only(clean: Site) -> None:
    """Whatever the caller's context says, over every protocol."""
    bed, bohdan = clean.bed, clean.bohdan
    for address in (CEO, SPY):
        bed.add_mailbox(address)
    key = steps.api_key(clean, bohdan)
    action, context = (steps.WINDOW, "action_send_code"), LEADS_ASTRAY
    with FaultServer("smtp", "ssl") as server:
        window = accepting_all(clean, server)
        ids = [window.id]
        for number, send in enumerate(
            (
                lambda: bohdan.call(*action, ids, context=context),
                lambda: bohdan.call_xml(*action, ids, context=context),
                lambda: bohdan.call_json2(key, *action, ids, context=context),
            ),
            1,
        ):
            send()
            mail = bed.wait_for(CEO, number)[-1]
            assert mail.envelope_from == "bounce@corp.test"
            assert SPY not in mail.raw.decode() and "Bohdan" not in mail.raw.decode()
    assert bed.messages(SPY) == []


def test_codes_are_few(clean: Site) -> None:
    clean.bed.add_mailbox(CEO)
    with FaultServer("smtp", "ssl") as server:
        window = accepting_all(clean, server)
        for _ in range(10):
            window.press("action_send_code")
        steps.sql(  # as if more than ten minutes had passed
            clean.odoo,
            "UPDATE mail_external_account_connect_check"
            " SET create_date = create_date - interval '11 minutes'",
        )
        error = refusal(window.press, "action_send_code")
        assert "limit" in str(error) and "manager" in str(error)
        other = accepting_all(clean, server)
        assert "limit" in str(refusal(other.press, "action_send_code"))
    assert len(clean.bed.wait_for(CEO, 10)) == 10


def test_codes_that_are_asked_for_at_once_are_few_too(clean: Site) -> None:
    clean.bed.add_mailbox(CEO)
    windows = []
    for _ in range(30):
        window = Window(clean.bohdan)
        window.type_address(CEO)
        window.enter()
        windows.append(window)
    with ThreadPoolExecutor(len(windows)) as pool:
        said = list(pool.map(code_for, windows))
    sent = said.count("")
    assert sent and len(clean.bed.wait_for(CEO, sent)) == sent
    assert sent <= 10
    assert all("code" in text for text in said if text)


def code_for(window: Window) -> str:
    """Let a code be sent; the refusal, if it is one."""
    try:
        window.press("action_send_code")
    except OdooRpcError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "context",
    [
        {"default_proof_token": "x", "default_proof": "manager"},
        {"default_code_hash": "x", "default_code_tries": -1000},
        {"default_tested_ok": True, "default_allow_private_host": True},
        {"default_is_manager": True, "default_needs_password": False},
        {"default_password_sealed": "x", "default_create_uid": 2},
        {"default_state": "working", "default_verified_fingerprint": "x"},
    ],
    ids=lambda context: next(iter(context)),
)
def test_nothing_comes_in_by_the_context(clean: Site, context: dict[str, Any]) -> None:
    with FaultServer("smtp", "ssl") as server:
        window = accepting_all(clean, server, **context)
        call = (clean.bohdan.call, steps.WINDOW)
        error = refusal(*call, "action_save", [window.id], context=context)
        assert "not shown yet" in str(error)
        refusal(*call, "action_vouch", [window.id], context=context)
    everything = {"active_test": False}
    assert not clean.admin.call(steps.ADDRESS, "search", [], context=everything)


def test_settings_that_change_during_the_test_are_not_tested(clean: Site) -> None:
    """The slow test of one server is not taken for that of another one."""
    with (
        FaultServer("smtp", "ssl") as server,
        FaultServer("smtp", "ssl", faults={"greeting": Delay(1.5)}) as slow,
    ):
        window = accepting_all(clean, server)
        window.enter(**steps.at(slow), password="q")
        lines: list[dict[str, Any]] = []
        *early, last = window.steps()
        for step in early:
            assert window.check(step)["ok"]
        running = threading.Thread(target=lambda: lines.append(window.check(last)))
        running.start()
        other = Window(clean.odoo.rpc("bohdan"))
        other.id = window.id
        other.enter(smtp_login="somebody-else")
        running.join()
        assert lines and lines[0]["ok"]
        assert "Nothing was saved" in str(refusal(window.press, "action_save"))
        assert not window.read()["tested_ok"]


def test_duplicated_database_holds_no_usable_secret(clean: Site) -> None:
    address_id = steps.connect(clean.anna, ANNA)
    task = steps.new_task(
        clean.admin,
        clean.ids["project_brand_a"],
        "Copy",
        (clean.ids["customer"],),
    )
    parameter = ("ir.config_parameter", "set_param", "database.uuid")
    uuid = clean.admin.call("ir.config_parameter", "get_param", "database.uuid")
    clean.admin.call(*parameter, "another-database")
    try:
        window = Window(clean.anna, default_address_id=address_id)
        window.enter()
        assert window.read()["needs_password"]
        steps.post(clean.anna, task, "<p>from the copy</p>", address_id)
        steps.until(
            lambda: clean.admin.call(
                steps.ADDRESS,
                "search",
                [("id", "=", address_id), ("state", "=", "refused")],
            ),
            "the address stops",
        )
        assert clean.bed.messages("client@customer.test") == []
    finally:
        clean.admin.call(*parameter, uuid)


def test_new_owner_needs_password_and_proof(clean: Site) -> None:
    """A manager who takes an address over does not inherit what its owner had."""
    address_id = steps.connect(clean.anna, ANNA)
    clean.admin.call(
        "mail.external.provider",
        "write",
        clean.admin.call("mail.external.provider", "search", []),
        {"active": False},
    )
    try:
        window = Window(clean.admin, default_address_id=address_id)
        window.enter(user_id=clean.bohdan.uid)
        shown = window.read()
        assert shown["proof"] is False and shown["needs_password"]
        window.enter(password=PASSWORD)
        assert window.test()[-1]["ok"]
        assert "not shown yet" in str(refusal(window.press, "action_save"))
    finally:
        archived = [("active", "=", False)]
        providers = clean.admin.call("mail.external.provider", "search", archived)
        clean.admin.call("mail.external.provider", "write", providers, {"active": True})
