"""No password can be found anywhere: database, log, answers.

Named so that it runs last: it looks for every password that any test has typed.
"""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import steps
from secret_steps import MODELS, PASSWORD, ask, assert_clean, dump, leaks
from site_setup import Site, prepare
from steps import Window, refusal

from devtools.odoo import Odoo
from devtools.rpc import OdooClient
from devtools.served import ServedOdoo

ANNA = "anna@brand-a.test"
SUPPORT = "support@brand-b.test"


@pytest.mark.parametrize("offset", range(3))
def test_the_search_would_find_a_leak(offset: int) -> None:
    inside = base64.b64encode(b"x" * offset + f"\0{ANNA}\0{PASSWORD}\0end".encode())
    for leak in (PASSWORD.encode(), json.dumps(PASSWORD).encode(), inside):
        assert leaks(PASSWORD, b"before " + leak + b" after")


@pytest.fixture(scope="module")
def connected(site: Site) -> Iterator[Site]:
    """Anna's and the company's address, with a password of their own."""
    bed = site.bed
    site.remove_accounts()
    for address in (ANNA, SUPPORT):
        bed.add_mailbox(address, PASSWORD)
    steps.forget_tests(site.odoo)
    incoming = {
        "incoming_protocol": "imap",
        "incoming_host": bed.host,
        "incoming_port": bed.imap_ssl,
        "incoming_security": "ssl",
        "incoming_login": ANNA,
        "incoming_password": PASSWORD,
    }
    steps.connect(site.anna, ANNA, PASSWORD, **incoming)
    steps.connect(site.admin, SUPPORT, PASSWORD, company=True)
    yield site
    site.remove_accounts()
    for address in (ANNA, SUPPORT):
        bed.add_mailbox(address)


def test_database_and_log_hold_no_password(connected: Site, bench: Odoo) -> None:
    site = connected
    window = Window(site.anna)
    window.type_address("second@customer.test")
    window.enter(password=PASSWORD)  # typed, and the window left open
    failed = Window(site.bohdan)
    failed.type_address("bohdan@brand-b.test")
    failed.enter(password=PASSWORD)
    assert not failed.test()[-1]["ok"]
    text = dump(bench, site.odoo)
    assert b"mail_external_secret" in text and ANNA.encode() in text
    assert_clean(text, "the database")
    assert_clean(site.odoo.log_file.read_bytes(), "the log")


def test_log_at_its_most_talkative_holds_no_password(
    connected: Site, new_odoo: Callable[..., ServedOdoo]
) -> None:
    bed = connected.bed
    odoo = new_odoo(smtp_port=bed.relay, log_level="debug_rpc_answer")
    try:
        site = prepare(odoo, bed)
        address_id = steps.connect(site.anna, ANNA, PASSWORD)
        client = (site.ids["customer"],)
        task = steps.new_task(site.admin, site.ids["project_brand_a"], "Log", client)
        bed.clear()
        steps.post(site.anna, task, "<p>logged</p>", address_id)
        bed.wait_for("client@customer.test", 1)
        wrong = Window(site.anna, default_address_id=address_id)
        wrong.enter(password=f"not {PASSWORD}")
        assert not wrong.test()[-1]["ok"]
        text = odoo.log_file.read_bytes()
        assert b"call mail.external.account.connect(" in text
        assert b"web_save(...)" in text
        assert_clean(text, "the talkative log")
    finally:
        odoo.stop()


def answers(client: OdooClient, model: str) -> Iterator[Any]:
    """All that the web client, an export and a copy can ask of a model."""
    fields = client.call(model, "fields_get")
    yield fields
    names = sorted(fields)
    questions: list[tuple[Any, ...]] = [("default_get", names)]
    ids = ask(client, model, "search", [])
    if isinstance(ids, list):
        exportable = [n for n in names if fields[n].get("exportable", True)]
        questions += [
            ("read", ids, names),
            ("web_read", ids, {name: {} for name in names}),
            ("export_data", ids, exportable),
        ]
    for question in questions:
        yield ask(client, model, *question)


@pytest.mark.parametrize("model", MODELS)
def test_no_answer_holds_a_password(connected: Site, model: str) -> None:
    for client in (connected.anna, connected.admin):
        for answer in answers(client, model):
            text = json.dumps(answer, ensure_ascii=False)
            assert not leaks(PASSWORD, text.encode())
            # Fernet tokens begin so: not even what is sealed leaves the server
            assert "gAAAA" not in text
    if model in (steps.ACCOUNT, steps.ADDRESS):
        assert ANNA in text and SUPPORT in text, "the export was made"


def test_the_window_gives_no_password_back(connected: Site) -> None:
    site = connected
    [address_id] = site.anna.call(steps.ADDRESS, "search", [("email", "=", ANNA)])
    window = Window(site.anna, default_address_id=address_id)
    assert not leaks(PASSWORD, json.dumps(window.values).encode())
    typed = window.enter(password=PASSWORD, incoming_password=PASSWORD)
    for record in (typed, window.read()):
        assert record["password"] is False and record["incoming_password"] is False
        assert record["has_password"] is True
    values = {**window.values, "password": PASSWORD, "smtp_port": 1}
    changed = window._onchange(values, ["smtp_port"])
    assert not leaks(PASSWORD, json.dumps(changed, ensure_ascii=False).encode())
    for line in window.test():
        assert not leaks(PASSWORD, json.dumps(line, ensure_ascii=False).encode())


def test_nobody_reaches_the_sealed_secrets(connected: Site) -> None:
    secrets = "mail.external.secret"
    for client in (connected.anna, connected.admin):
        refusal(client.call, secrets, "search_read", [], ["sealed"])
        refusal(client.call, secrets, "read", [1], ["purpose"])
        refusal(client.call, secrets, "search_count", [("sealed", "like", "g")])
        refusal(client.call, secrets, "create", [{"account_id": 1, "sealed": "x"}])
        path = "account_id.id"
        refusal(client.call, secrets, "export_data", [1], [path, "sealed"])
        refusal(
            client.call, steps.WINDOW, "search", [("password_sealed", "like", "gAAAA")]
        )
    for model in (steps.ACCOUNT, steps.ADDRESS):
        [record, *_] = connected.anna.call(model, "search", [])
        refusal(connected.anna.call, model, "copy", [record])
