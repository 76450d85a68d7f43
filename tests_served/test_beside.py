"""Beside addons of others: what they do with our messages, and when.

Without ``--test-enable``, which switches ``mail_post_defer`` off.
"""

from collections.abc import Iterator
from pathlib import Path

import mailbox_steps as box
import pytest
import steps
from site_setup import Site, prepare

from devtools.odoo import Odoo
from devtools.provision import BESIDE, beside_addons
from devtools.served import ServedOdoo
from devtools.testbed import clients
from devtools.testbed.bed import TestBed

MODULES = ("helpdesk_mgmt_merge", "mail_post_defer", "mass_mailing")
ANNA, TEAM = "anna@brand-a.test", "support@brand-b.test"
CLIENT, SECOND = "client@customer.test", "second@customer.test"
STRANGER = "stranger@customer.test"
TICKET = "helpdesk.ticket"
DEFERRED = "mail.ir_cron_send_scheduled_message"
CLEAN_UP = """
env["mail.mail"].flush_model()
env.cr.execute("UPDATE mail_mail SET write_date = write_date - interval '7 months'")
env.invalidate_all()
env["mail.mail"]._gc_canceled_mail_mail()
"""


@pytest.fixture(scope="module")
def site(bench: Odoo, bed: TestBed, folder: Path) -> Iterator[Site]:
    """An Odoo that has the addons of others installed besides this one."""
    addons = beside_addons(bench.state)
    beside = Odoo(bench.state, bench.postgres, [addons])
    template = beside.beside_template(MODULES, BESIDE.read_text())
    database = beside.clone(template, f"{folder.name}-served-beside")
    with ServedOdoo(beside, database, folder, smtp_port=bed.relay) as odoo:
        yield prepare(odoo, bed)
    beside.drop(database)


def follow(site: Site, task: int, *logins: int) -> None:
    """Let employees follow a task."""
    users = site.admin.call("res.users", "read", list(logins), ["partner_id"])
    partners = [user["partner_id"][0] for user in users]
    site.admin.call("project.task", "message_subscribe", [task], partners)


def tell_deferred(site: Site) -> int:
    """As if half a minute had passed: what waits to be told is told.

    :return: how many messages waited
    """
    due = "UPDATE mail_message_schedule SET scheduled_datetime = '2020-01-01'"
    rows = steps.sql(site.odoo, f"{due} RETURNING id")
    steps.run_cron(site.admin, DEFERRED)
    steps.run_cron(site.admin, "mail.ir_cron_mail_scheduler_action")
    steps.run_cron(site.admin, "mail_external_account.ir_cron_deliver")
    return len(rows)


def ask(site: Site, account: int, task: int, body: str) -> bytes:
    """Send from the task, and let it leave; return the mail as the customer got it."""
    known = len(site.bed.messages(CLIENT))
    steps.post(site.anna, task, f"<p>{body}</p>", account)
    assert tell_deferred(site), "mail_post_defer defers it"
    return site.bed.wait_for(CLIENT, known + 1)[known].raw


def received(site: Site, address: str) -> list[str]:
    return [steps.html_text(mail) for mail in site.bed.messages(address)]


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_a_strangers_mail_goes_to_the_team_only_whenever_it_is_told(
    clean: Site, protocol: str
) -> None:
    """And an answer of a customer, to whom the question went, to all who follow."""
    site, ids = clean, clean.ids
    site.bed.add_mailbox(STRANGER)
    second = site.customer("Sam", SECOND)
    task = steps.new_task(
        site.admin, ids["project_brand_a"], "Ask", (ids["customer"], second)
    )
    follow(site, task, site.bohdan.uid)
    project = ((ids["project_brand_a"], True),)
    steps.connect(site.admin, TEAM, company=True, projects=project)
    account = box.connect(site, ANNA, protocol)
    question = ask(site, account, task, "What do you think?")
    site.bed.wait_for(SECOND, 1)
    for address in (CLIENT, SECOND):
        site.bed.clear(address)

    strange = clients.answer("outlook", question, text="Odd words of a stranger")
    strange = strange.replace(CLIENT.encode(), STRANGER.encode())
    site.bed.deliver(STRANGER, ANNA, strange)
    site.bed.wait_for(ANNA, 1)
    box.fetch(site, account)
    [mail] = box.mails(site, task)
    assert mail["external_mark"] == "stranger"
    tell_deferred(site)
    told = steps.until(lambda: box.told(site, mail["id"]), "the team is told")
    assert told == ["Anna", "Bohdan"]
    assert received(site, CLIENT) == received(site, SECOND) == []

    site.bed.deliver(CLIENT, ANNA, clients.answer("outlook", question, text="Agreed"))
    site.bed.wait_for(ANNA, 2)
    box.fetch(site, account)
    answer = box.mails(site, task)[-1]
    assert not answer["external_mark"] and "Agreed" in answer["body"]
    tell_deferred(site)
    [relayed] = site.bed.wait_for(SECOND, 1)
    assert "Agreed" in steps.html_text(relayed) and "Odd" not in str(relayed.raw)
    assert steps.sender_of(relayed)[1] == TEAM
    assert box.told(site, answer["id"]) == ["Anna", "Bohdan", "Sam"]
    assert received(site, CLIENT) == [], "whose words they are"
