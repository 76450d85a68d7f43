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
# Email Marketing's daily clean-up, half a year later: mass_mailing/models/mail_mail.py.
CLEAN_UP = """
env.cr.execute("UPDATE mail_mail SET write_date = write_date - interval '7 months'")
env.invalidate_all()
env["mail.mail"]._gc_canceled_mail_mail()
"""
CANCELLED = "SELECT count(*) FROM mail_mail WHERE state = 'cancel'"


@pytest.fixture(scope="module")
def site(bench: Odoo, bed: TestBed, folder: Path, run_name: str) -> Iterator[Site]:
    """An Odoo that has the addons of others installed besides this one."""
    addons = beside_addons(bench.state)
    beside = Odoo(bench.state, bench.postgres, [addons])
    template = beside.beside_template(MODULES, BESIDE.read_text())
    database = beside.clone(template, f"{run_name}-beside")
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


def ask(site: Site, address_id: int, task: int, body: str) -> bytes:
    """Send from the task, and let it leave; return the mail as the customer got it."""
    known = len(site.bed.messages(CLIENT))
    steps.post(site.anna, task, f"<p>{body}</p>", address_id)
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
    address_id = box.connect(site, ANNA, protocol)
    question = ask(site, address_id, task, "What do you think?")
    site.bed.wait_for(SECOND, 1)
    for address in (CLIENT, SECOND):
        site.bed.clear(address)

    strange = clients.answer("outlook", question, text="Odd words of a stranger")
    strange = strange.replace(CLIENT.encode(), STRANGER.encode())
    site.bed.deliver(STRANGER, ANNA, strange)
    site.bed.wait_for(ANNA, 1)
    box.fetch(site, address_id)
    [mail] = box.mails(site, task)
    assert mail["external_mark"] == "stranger"
    tell_deferred(site)
    told = steps.until(lambda: box.told(site, mail["id"]), "the team is told")
    assert told == ["Anna", "Bohdan"]
    assert received(site, CLIENT) == received(site, SECOND) == []

    site.bed.deliver(CLIENT, ANNA, clients.answer("outlook", question, text="Agreed"))
    site.bed.wait_for(ANNA, 2)
    box.fetch(site, address_id)
    answer = box.mails(site, task)[-1]
    assert not answer["external_mark"] and "Agreed" in answer["body"]
    tell_deferred(site)
    [relayed] = site.bed.wait_for(SECOND, 1)
    assert "Agreed" in steps.html_text(relayed) and "Odd" not in str(relayed.raw)
    assert steps.sender_of(relayed)[1] == TEAM
    assert box.told(site, answer["id"]) == ["Anna", "Bohdan", "Sam"]
    assert received(site, CLIENT) == [], "whose words they are"


def chatter(site: Site, task: int) -> dict[int, str]:
    """What a task's chatter shows: the messages by id."""
    return {message["id"]: message["body"] for message in box.thread(site.admin, task)}


def test_the_clean_up_of_email_marketing_takes_no_message(clean: Site) -> None:
    """Of an address that is deleted, and of mail that a user cancels in the list."""
    site = clean
    second = site.customer("Sam", SECOND)
    task = steps.new_task(
        site.admin, site.ids["project_brand_a"], "Keep", (site.ids["customer"], second)
    )
    follow(site, task, site.bohdan.uid)
    address_id = steps.connect(site.anna, ANNA)
    site.bed.set_recipient_refusal(SECOND, "550 5.7.1 Not today")
    ask(site, address_id, task, "Left, but for one")
    site.bed.set_recipient_refusal(SECOND, None)
    pause = "UPDATE mail_external_account SET delivery_next_try = '2100-01-01'"
    steps.sql(site.odoo, pause)
    cancelled = steps.post(site.anna, task, "<p>Cancelled</p>", address_id)
    deleted = steps.post(site.anna, task, "<p>Deleted</p>", address_id)
    tell_deferred(site)
    later = steps.post(site.anna, task, "<p>Told later</p>", address_id)
    shown = chatter(site, task)
    rows = site.admin.call("mail.mail", "search", [("mail_message_id", "=", cancelled)])
    old = steps.sql(site.odoo, CANCELLED)
    site.admin.call("mail.mail", "cancel", rows)
    site.admin.call(steps.ADDRESS, "unlink", [address_id])
    tell_deferred(site)
    assert steps.sql(site.odoo, CANCELLED) == old

    site.run_code(CLEAN_UP)
    assert chatter(site, task) == shown
    for message, status in (
        (cancelled, "canceled"),
        (deleted, "exception"),
        (later, "exception"),
    ):
        told = steps.shown(site.anna, task, message)["by_name"]
        assert told["Sam"]["notification_status"] == status, message
    assert len(site.bed.messages(CLIENT)) == 1, "what had left before"
    assert site.bed.messages(SECOND) == []


def new_tickets(site: Site, *names: str) -> list[int]:
    """Tickets that the customer follows."""
    values = [{"name": name, "description": name} for name in names]
    tickets = list(site.admin.call(TICKET, "create", values))
    customer = [site.ids["customer"]]
    site.admin.call(TICKET, "message_subscribe", tickets, customer)
    return tickets


def write_on(site: Site, ticket: int, body: str, sender: int) -> int:
    """Post a message to the followers of a ticket, as Anna; return its id."""
    message = {
        "body": body,
        "message_type": "comment",
        "subtype_xmlid": "mail.mt_comment",
        "external_address_id": sender,
    }
    place = {"thread_model": TICKET, "thread_id": ticket, "post_data": message}
    return int(site.anna.post("/mail/message/post", place)["message_id"])


def merge(site: Site, tickets: list[int]) -> None:
    """Merge tickets into the first one, with helpdesk_mgmt_merge's window."""
    context = {"active_ids": tickets}
    [window] = site.admin.call(TICKET + ".merge", "create", [{}], context=context)
    site.admin.call(TICKET + ".merge", "merge_tickets", [window])


def test_tickets_are_merged_when_their_mail_has_left(clean: Site) -> None:
    site = clean
    group = site.admin.call(
        "ir.model.data",
        "search_read",
        [("name", "=", "group_helpdesk_user")],
        ["res_id"],
    )
    site.admin.call(
        "res.users", "write", [site.anna.uid], {"group_ids": [[4, group[0]["res_id"]]]}
    )
    address_id = box.connect(site, ANNA)
    first, other, third = new_tickets(site, "First", "Other", "Third")
    tell_deferred(site)
    site.bed.clear(CLIENT)
    left = write_on(site, other, "Left long ago", address_id)
    tell_deferred(site)
    [question] = site.bed.wait_for(CLIENT, 1)
    waiting = write_on(site, third, "Waits", address_id)

    told = str(steps.refusal(merge, site, [first, third]))
    assert "Anna" in told and "wait, or cancel" in told
    merge(site, [first, other])
    [row] = site.admin.call("mail.message", "read", [left], ["res_id", "author_id"])
    assert row["res_id"] == first and "Anna" in row["author_id"][1]
    tell_deferred(site)
    merge(site, [first, third])
    [row] = site.admin.call("mail.message", "read", [waiting], ["res_id"])
    assert row["res_id"] == first

    answer = clients.answer("outlook", question.raw, text="Yes, please")
    site.bed.deliver(CLIENT, ANNA, answer)
    site.bed.wait_for(ANNA, 1)
    box.fetch(site, address_id)
    domain = [("message_type", "=", "email"), ("model", "=", TICKET)]
    [came] = site.admin.call("mail.message", "search_read", domain, ["res_id", "body"])
    assert came["res_id"] == first and "Yes, please" in came["body"]
