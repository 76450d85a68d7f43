"""Uninstalled: Odoo works on, no secret is left, nothing leaves in another name."""

from collections.abc import Callable, Iterator

import pytest
import steps
from attackers import gather
from site_setup import Site, prepare
from test_secrets import dump

from devtools.odoo import Odoo
from devtools.rpc import OdooRpcError
from devtools.served import ServedOdoo
from devtools.testbed.bed import TestBed

ANNA = "anna@brand-a.test"
CLIENT = "client@customer.test"
SECOND = "second@customer.test"
MODULE = "mail_external_account"
OWN_COLUMNS = """
SELECT replace(f.model, '.', '_') || '.' || f.name
  FROM ir_model_fields f
  JOIN ir_model_data d ON d.model = 'ir.model.fields' AND d.res_id = f.id
 GROUP BY f.id HAVING array_agg(d.module::text) = ARRAY['mail_external_account']
"""


@pytest.fixture
def own_site(new_odoo: Callable[..., ServedOdoo], bed: TestBed) -> Iterator[Site]:
    """A database that may lose the addon."""
    odoo = new_odoo(smtp_port=bed.relay)
    yield prepare(odoo, bed)
    odoo.stop()


def names(odoo: ServedOdoo, statement: str) -> list[str]:
    return [str(row[0]) for row in steps.sql(odoo, statement)]


def pause(odoo: ServedOdoo) -> None:
    steps.sql(
        odoo,
        "UPDATE mail_external_account"
        " SET delivery_next_try = now() AT TIME ZONE 'UTC' + interval '1 hour'",
    )


def test_uninstalling(own_site: Site, bench: Odoo) -> None:
    site, odoo, bed = own_site, own_site.odoo, own_site.bed
    bed.clear()
    # what the demo made goes with the addon, so nothing here is from there
    writer = gather(site).manager
    [project] = site.admin.call("project.project", "create", [{"name": "Own"}])
    client, second = site.customer("Cora", CLIENT), site.customer("Sam", SECOND)
    account = steps.connect(writer, ANNA)
    steps.connect(site.admin, "support@brand-b.test", company=True)
    task = steps.new_task(site.admin, project, "Left", (client,))
    steps.post(writer, task, "<p>before</p>", account)
    bed.wait_for(CLIENT, 1)
    refused = steps.new_task(site.admin, project, "Refused", (second,))
    bed.set_recipient_refusal(SECOND, "550 5.7.1 Not today")
    steps.post(writer, refused, "<p>failed</p>", account)
    steps.until(
        lambda: steps.sql(odoo, "SELECT 1 FROM mail_mail WHERE state = 'exception'"),
        "the refused mail has failed",
    )
    bed.set_recipient_refusal(SECOND, None)
    pause(odoo)
    waiting = steps.post(writer, task, "<p>waiting</p>", account)
    window = steps.Window(writer)  # left open, with a password typed
    window.type_address("bohdan@brand-b.test")
    window.enter(password="typed-and-left-3Kd")
    sealed = names(odoo, "SELECT sealed FROM mail_external_secret")
    columns = set(names(odoo, OWN_COLUMNS))
    assert "mail_message.external_account_id" in columns
    bed.clear()

    [module] = site.admin.call("ir.module.module", "search", [("name", "=", MODULE)])
    steps.until(lambda: uninstalled(site, module), "no scheduled action runs", 60)

    state = "SELECT state FROM ir_module_module WHERE name = 'mail_external_account'"
    assert names(odoo, state) == ["uninstalled"]
    nothing_is_left(odoo, columns)
    text = dump(bench, odoo)
    assert sealed and not any(secret.encode() in text for secret in sealed)
    assert b"gAAAA" not in text

    admin, writer = odoo.rpc(), odoo.rpc("postmaster")
    rows = admin.call(
        "mail.mail",
        "search_read",
        [("mail_message_id", "in", [waiting])],
        ["state", "failure_reason"],
    )
    assert {row["state"] for row in rows} == {"cancel"}
    assert "uninstalled while this mail was waiting" in rows[0]["failure_reason"]
    shown = steps.shown(writer, task, waiting)["by_name"]["Cora"]
    assert shown["notification_status"] == "exception", "the author sees that it failed"

    admin.call("mail.mail", "process_email_queue")
    steps.run_cron(admin, "mail.ir_cron_mail_scheduler_action")
    steps.post(writer, task, "<p>afterwards</p>")
    mails = bed.wait_for(CLIENT, 1)
    assert len(mails) == 1 and "afterwards" in steps.html_text(mails[0])
    assert steps.sender_of(mails[0])[1] == "postmaster@corp.test"
    assert bed.messages(SECOND) == []
    assert "Traceback" not in odoo.log().split("Reloading registry once more")[-1]


def uninstalled(site: Site, module: int) -> bool:
    try:
        site.admin.call("ir.module.module", "button_immediate_uninstall", [module])
    except OdooRpcError as error:
        if "processing a scheduled action" in str(error):
            return False
        raise
    return True


def nothing_is_left(odoo: ServedOdoo, own_columns: set[str]) -> None:
    """No table, column, setting, scheduled action, right, view or file of the addon."""
    tables = "SELECT tablename FROM pg_tables WHERE tablename LIKE '%external%'"
    assert names(odoo, tables) == []
    columns = names(
        odoo,
        "SELECT table_name || '.' || column_name FROM information_schema.columns"
        " WHERE table_schema = 'public'",
    )
    assert not own_columns.intersection(columns)
    for table, column in (
        ("ir_config_parameter", "key"),
        ("ir_attachment", "res_model"),
        ("ir_attachment", "url"),
        ("ir_cron", "cron_name"),
        ("ir_model", "model"),
        ("ir_model_data", "module"),
        ("ir_act_window", "res_model"),
        ("ir_ui_view", "arch_fs"),
        ("mail_message", "model"),
        ("ir_rule", "domain_force"),
    ):
        statement = (
            f"SELECT {column} FROM {table}"  # noqa: S608
            f" WHERE {column}::text ~ 'mail[._]external|External Addresses:'"
        )
        assert names(odoo, statement) == [], (table, column)
