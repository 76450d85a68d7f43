"""A test mail to oneself: on Postfix and Dovecot, and at services with habits."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from typing import Any

import mailbox_steps
import pytest
import steps
from browser_steps import sign_in
from playwright.sync_api import Page, expect
from site_setup import Site
from window_steps import fill_in, line, save

from devtools.testbed.bed import PASSWORD
from devtools.testbed.fault_habits import (
    Habit,
    changes,
    drops,
    gives_ids,
    removes,
    strips,
    together,
)
from devtools.testbed.faults import FaultServer
from devtools.testbed.name_server import NameServer

ANNA = "anna@brand-a.test"
CLIENT = "client@customer.test"
ZONE = """
brand-a.test. 60 IN TXT "v=spf1 ip4:198.51.100.7 -all"
_dmarc.brand-a.test. 60 IN TXT "v=DMARC1; p=reject"
"""


@pytest.fixture
def service(clean: Site) -> Iterator[FaultServer]:
    """A submission service in front of the bed, which delivers what it takes."""
    steps.forget_tests(clean.odoo)
    with FaultServer("smtp", "ssl", deliver=clean.bed.deliver) as running:
        yield running


def opened(site: Site, protocol: str = "imap", **values: Any) -> steps.Window:
    """Anna's window; its test has passed."""
    window = steps.Window(site.anna)
    window.type_address(ANNA)
    incoming = mailbox_steps.incoming(site, ANNA, protocol)
    window.enter(password=PASSWORD, **{**incoming, **values})
    lines = window.test()
    assert all(line["ok"] for line in lines), lines[-1]
    return window


def at(site: Site, service: FaultServer) -> dict[str, Any]:
    certificates = f"{service.ca_pem}\n{site.bed.ca_pem}"
    return {
        **steps.at(service),
        "smtp_login": ANNA,
        "ca_certificate": certificates,
    }


def notes(line: dict[str, Any]) -> list[str]:
    return [note["name"] for note in line["notes"]]


def mark_deleted(site: Site) -> None:
    """The owner's mail program has marked a mail, and not expunged it."""
    client = mailbox_steps.imap(site, ANNA)
    client.select("INBOX")
    client.uid("STORE", "1:1", "+FLAGS.SILENT", r"(\Deleted)")
    client.logout()


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_mailbox_is_as_it_was(clean: Site, protocol: str) -> None:
    """Found, compared, and taken out again; nothing else changes, marked or not."""
    site = clean
    steps.forget_tests(site.odoo)
    letters = [b"Subject: %d\r\n\r\nHello\r\n" % number for number in range(5)]
    site.bed.put(ANNA, letters)
    if protocol == "imap":
        mark_deleted(site)
    before = mailbox_steps.contents(site, ANNA)
    window = opened(site, protocol)
    line = window.check("round_trip")
    assert line["ok"] and not line["warns"], line
    assert "came back with this sender" in line["label"]
    assert notes(line) == ["removed"]
    assert mailbox_steps.contents(site, ANNA) == before
    assert "round_trip" not in window.steps()


def test_what_is_not_saved_for_it_is_not_needed(clean: Site) -> None:
    """Saving waits for no mail to oneself."""
    steps.forget_tests(clean.odoo)
    opened(clean).save()


def connected(site: Site, service: FaultServer, habit: Habit) -> tuple[int, Any]:
    """Anna's address at a service; what the mail to herself showed."""
    service.habit = habit
    window = opened(site, **at(site, service))
    line = window.check("round_trip")
    site.bed.clear(ANNA)
    window.press("action_send_code")
    [mail] = site.bed.wait_for(ANNA, 1)
    window.enter(code_entry=steps.code_in(mail))
    window.press("action_verify_code")
    address = window.save()
    mailbox_steps.fetch(site, address)
    return address, line


def answered(site: Site, address: int, **headers: str) -> str:
    """The customer's answer to a mail, as it comes into the task.

    Their program names what it saw, and quotes nothing.
    """
    customer = site.ids["customer"]
    task = steps.new_task(site.admin, site.ids["project_brand_a"], "X", (customer,))
    mail = mailbox_steps.ask(site, address, task, CLIENT)
    seen = re.search(rb"(?mi)^Message-ID: (\S+)", mail)
    subject = re.search(rb"(?mi)^Subject: (.*)\r?$", mail)
    assert seen and subject
    reply = EmailMessage()
    reply["From"] = CLIENT
    reply["To"] = ANNA
    reply["Subject"] = f"Re: {subject[1].decode().strip()}"
    reply["Message-ID"] = f"<{time.time_ns()}@customer.test>"
    reply["In-Reply-To"] = reply["References"] = seen[1].decode()
    for name, value in headers.items():
        del reply[name]
        reply[name] = value
    reply.set_content("Yes, gladly")
    site.bed.deliver(CLIENT, ANNA, reply)
    site.bed.wait_for(ANNA, 1)
    mailbox_steps.fetch(site, address)
    domain = [("model", "=", "project.task"), ("res_id", "=", task)]
    rows = site.admin.call("mail.message", "search_read", domain, ["body"])
    return " ".join(row["body"] for row in rows)


@pytest.mark.parametrize(
    "answer",
    ["250 Ok {local}", "250 2.0.0 OK {id} [Hostname=x.test]"],
    ids=["as Amazon SES", "as Exchange"],
)
def test_ids_that_the_service_tells(
    clean: Site, service: FaultServer, answer: str
) -> None:
    """The answer names nothing but the id that the service gave."""
    habit = gives_ids("eu-west-1.ses.test", answer=answer)
    address, line = connected(clean, service, habit)
    assert line["ok"] and "id_told" in notes(line), line
    # another subject, so that nothing else leads there
    assert "Yes, gladly" in answered(clean, address, Subject="About the other thing")


def test_ids_that_the_service_hides_with_all_else(
    clean: Site, service: FaultServer
) -> None:
    """What is left is who writes, and about what."""
    habit = together(
        gives_ids("hidden.test"),
        removes("References", "Thread-Index", "X-Odoo-Message-Id"),
        strips(rb"mea[.][a-z2-7]+"),
    )
    address, line = connected(clean, service, habit)
    assert line["ok"] and line["warns"]
    assert notes(line) == ["all_lost", "left"], line
    assert "Yes, gladly" in answered(clean, address)


@pytest.mark.parametrize(
    ("habit", "found"),
    [
        (changes("From", f"The Boss <{ANNA}>"), ["name", "removed"]),
        (removes("Reply-To"), ["reply_to", "removed"]),
        (removes("References"), ["references", "removed"]),
        (
            gives_ids("x.test", keeps="X-Microsoft-Original-Message-ID"),
            ["id_hidden", "removed"],
        ),
    ],
    ids=["name", "Reply-To", "References", "Outlook"],
)
def test_habits_are_told(
    clean: Site, service: FaultServer, habit: Habit, found: list[str]
) -> None:
    service.habit = habit
    line = opened(clean, **at(clean, service)).check("round_trip")
    assert line["ok"] and notes(line) == found, line


def test_a_sender_that_is_replaced(clean: Site, service: FaultServer) -> None:
    """Customers would see it, so it is told plainly."""
    service.habit = changes("From", "Odoo <boss@brand-a.test>")
    line = opened(clean, **at(clean, service)).check("round_trip")
    assert not line["ok"]
    assert "another address in From" in line["cause"]
    assert "boss@brand-a.test" in line["reply"]


def test_mail_that_is_dropped(clean: Site, service: FaultServer) -> None:
    """Accepted, and never seen: no pass, and nobody is kept from saving."""
    service.habit = drops
    window = opened(clean, **at(clean, service))
    started = time.monotonic()
    line = window.check("round_trip")
    assert 55 < time.monotonic() - started < 90
    assert not line["ok"]
    assert "not seen in the mailbox within a minute" in line["cause"]
    assert "spam" in line["remedy"]
    assert window.read()["tested_ok"]


def test_nobody_waits_any_more(clean: Site, service: FaultServer) -> None:
    """Cancelled, it ends soon, and the next test may come."""
    service.habit = drops
    window = opened(clean, **at(clean, service))
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(window.check, "round_trip")
        steps.until(lambda: service.messages, "it was sent", 20)
        started = time.monotonic()
        window.press("cancel_check")
        line = waiting.result(timeout=30)
    assert time.monotonic() - started < 15
    assert not line["ok"] and "cancelled" in line["cause"]
    service.habit = None
    assert window.check("round_trip")["ok"]


@pytest.fixture
def names(site: Site) -> Iterator[NameServer]:
    """A name server of the test's own, which Odoo asks."""
    key = "mail_external_account.name_servers"
    with NameServer(ZONE) as running:
        value = f"{running.address}#{running.port}"
        site.admin.call("ir.config_parameter", "set_param", key, value)
        yield running
    site.admin.call("ir.config_parameter", "set_param", key, False)


def test_how_receivers_judge(clean: Site, names: NameServer) -> None:
    """Told in three lines, with what to publish; the test has to pass first."""
    steps.forget_tests(clean.odoo)
    untested = steps.Window(clean.anna)
    untested.type_address(ANNA)
    untested.enter(password=PASSWORD, **mailbox_steps.incoming(clean, ANNA))
    assert "test pass first" in str(steps.refusal(untested.press, "run_preflight"))
    assert not names.asked
    window = opened(clean)
    window.check("round_trip")
    found = {line["step"]: line for line in window.press("run_preflight")}
    assert [*found] == ["spf", "dkim", "dmarc"]
    assert found["spf"]["verdict"] in ("fail", "unknown")
    assert found["dkim"]["verdict"] == "unknown"
    assert found["dmarc"]["label"] == "DMARC: cannot be judged"
    names.add('brand-a.test. 60 IN TXT "v=spf1 mx -all"\n')
    found = {line["step"]: line for line in window.press("run_preflight")}
    assert found["spf"]["verdict"] == "fail"
    assert "several SPF records" in found["spf"]["text"]
    assert found["spf"]["record"] == "v=spf1 ip4:198.51.100.7 mx -all"
    assert ("brand-a.test", "TXT") in names.asked


def test_in_the_browser(clean: Site, names: NameServer, page: Page) -> None:
    """Two buttons below the test; their lines have marks; saving waits for none."""
    site = clean
    steps.forget_tests(site.odoo)
    sign_in(page, site, "anna")
    page.goto(f"{site.odoo.url}/odoo/my-preferences/{site.anna.uid}")
    page.get_by_role("tab", name="External Addresses").click()
    page.get_by_role("button", name="Add external address").click()
    fill_in(page, ANNA, PASSWORD)
    line(page, "incoming_listing", "passed")
    page.get_by_role("button", name="Send a test mail to myself").click()
    found = page.locator(".o_external_account_advice [data-step=round_trip]")
    expect(found).to_have_attribute("data-mark", "good", timeout=40_000)
    expect(found).to_contain_text("taken the test mail out of the mailbox again")
    page.get_by_role("button", name="How will receivers judge my mail?").click()
    dmarc = page.locator(".o_external_account_advice [data-step=dmarc]")
    expect(dmarc).to_have_attribute("data-mark", "hint", timeout=30_000)
    save(page)
