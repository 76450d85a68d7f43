"""Uninstalled: Odoo works on, no secret is left, nothing leaves in another name."""

import json
import re
from collections.abc import Callable, Iterator

import pytest
import steps
from secret_steps import dump
from site_setup import Site, prepare

from devtools.odoo import Odoo
from devtools.rpc import OdooClient, OdooRpcError
from devtools.served import ServedOdoo
from devtools.testbed.bed import TestBed

ANNA = "anna@brand-a.test"
CLIENT = "client@customer.test"
SECOND = "second@customer.test"
WRITER = "postmaster@corp.test"
MODULE = "mail_external_account"
SOME_DAY = "2099-01-01 00:00:00"
REASON = (
    "SELECT n.failure_reason FROM mail_notification n JOIN res_partner p"
    " ON p.id = n.res_partner_id WHERE p.name = 'Cora' AND n.mail_message_id = {}"
)
GIVEN_BACK = (
    "SELECT body FROM mail_message WHERE body LIKE '%uninstalled while%'"
    " AND subject = 'A scheduled message could not be sent'"
)
ROWS_FOR_CUSTOMERS = (
    "SELECT m.id FROM mail_mail m"
    " JOIN mail_mail_res_partner_rel r ON r.mail_mail_id = m.id"
    " JOIN res_partner p ON p.id = r.res_partner_id"
    " WHERE p.name IN ('Cora', 'Sam')"
)
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


def tell_later(client: OdooClient, task: int) -> int:
    """A message that is there, and that people are told of some day."""
    values = {"body": "told later", "subtype_xmlid": "mail.mt_comment"}
    values |= {"message_type": "comment", "scheduled_date": SOME_DAY}
    answer = client.call("project.task", "message_post", [task], **values)
    return int(answer[0] if isinstance(answer, list) else answer)


def schedule(client: OdooClient, task: int, body: str, **parameters: int) -> None:
    """A message that is posted some day."""
    [user] = client.call("res.users", "read", [client.uid], ["partner_id"])
    values = {
        "model": "project.task",
        "res_id": task,
        "body": body,
        "author_id": user["partner_id"][0],
        "scheduled_date": SOME_DAY,
        "notification_parameters": json.dumps(parameters),
    }
    client.call("mail.scheduled.message", "create", [values])


def test_uninstalling(own_site: Site, bench: Odoo) -> None:
    site, odoo, bed = own_site, own_site.odoo, own_site.bed
    bed.clear()
    # what the demo made goes with the addon, so nothing here is from there
    writer = site.attackers.manager
    bed.add_mailbox(WRITER)
    [project] = site.admin.call("project.project", "create", [{"name": "Own"}])
    client, second = site.customer("Cora", CLIENT), site.customer("Sam", SECOND)
    address_id = steps.connect(writer, ANNA)
    steps.connect(site.admin, "support@brand-b.test", company=True)
    task = steps.new_task(site.admin, project, "Left", (client,))
    steps.post(writer, task, "<p>before</p>", address_id)
    bed.wait_for(CLIENT, 1)
    refused = steps.new_task(site.admin, project, "Refused", (second,))
    bed.set_recipient_refusal(SECOND, "550 5.7.1 Not today")
    steps.post(writer, refused, "<p>failed</p>", address_id)
    steps.until(
        lambda: steps.sql(odoo, "SELECT 1 FROM mail_mail WHERE state = 'exception'"),
        "the refused mail has failed",
    )
    bed.set_recipient_refusal(SECOND, None)
    pause(odoo)
    waiting = steps.post(writer, task, "<p>waiting</p>", address_id)
    deferred = tell_later(writer, task)
    schedule(writer, task, "by default")
    schedule(writer, task, "as picked", external_address_id=address_id)
    window = steps.Window(writer)  # left open, with a password typed
    window.type_address("bohdan@brand-b.test")
    window.enter(password="typed-and-left-3Kd")
    sealed = names(odoo, "SELECT sealed FROM mail_external_secret")
    columns = set(names(odoo, OWN_COLUMNS))
    assert "mail_message.external_address_id" in columns
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
    for message, words in (
        (waiting, "uninstalled while this mail was waiting"),
        (deferred, "not used any more"),
    ):
        shown = steps.shown(writer, task, message)["by_name"]["Cora"]
        assert shown["notification_status"] == "exception", "its author sees that"
        [reason] = names(odoo, REASON.format(message))
        assert words in reason
    given_back = names(odoo, GIVEN_BACK)
    assert len(given_back) == 2
    assert all("by default" in body or "as picked" in body for body in given_back)
    for table in ("mail_message_schedule", "mail_scheduled_message"):
        assert names(odoo, f"SELECT id FROM {table}") == []  # noqa: S608
    assert names(odoo, ROWS_FOR_CUSTOMERS) == [], "nothing could be sent again"
    assert "Traceback" not in log_since(odoo)
    admin.call("mail.mail", "process_email_queue")
    for name in ("mail_scheduler_action", "send_scheduled_message"):
        steps.run_cron(admin, f"mail.ir_cron_{name}")
    steps.run_cron(admin, "mail.ir_cron_post_scheduled_message")
    steps.post(writer, task, "<p>afterwards</p>")
    mails = bed.wait_for(CLIENT, 1)
    assert len(mails) == 1 and "afterwards" in steps.html_text(mails[0])
    assert steps.sender_of(mails[0])[1] == WRITER
    assert bed.messages(SECOND) == []
    told = [steps.html_text(mail) for mail in bed.messages(WRITER)]
    assert sum("uninstalled while" in text for text in told) == 2
    # Postfix may refuse what the demo's scheduled actions write to its employees
    assert not re.search("psycopg2|AttributeError|KeyError", log_since(odoo))


def log_since(odoo: ServedOdoo) -> str:
    """What was logged since the addon is gone."""
    return odoo.log().split("Reloading registry once more")[-1]


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
