"""Reports about sent mail: Postfix's own, other systems', receipts, absence notes."""

from collections.abc import Iterator
from typing import Any

import mailbox_steps as box
import pytest
import steps
from site_setup import Site

from devtools.cluster import free_port
from devtools.testbed import clients, system_mail
from devtools.testbed.faults import FaultServer, Reply

ANNA = "anna@brand-a.test"
CLIENT = "client@customer.test"
PRIVATE = (
    b"From: Anna <anna@brand-a.test>\r\nTo: client@customer.test\r\nSubject: x\r\n"
)


@pytest.fixture(scope="module")
def address_id(site: Site) -> Iterator[int]:
    """Anna's mailbox, connected."""
    site.bed.clear()
    site.remove_accounts()
    steps.forget_tests(site.odoo)
    yield box.connect(site, ANNA)
    site.remove_accounts()


def new_task(site: Site, *customers: int) -> int:
    return steps.new_task(
        site.admin, site.ids["project_brand_a"], "Reported", customers
    )


def states(site: Site, message: int) -> dict[str, tuple[str, str]]:
    """Status and reason of each recipient of a message."""
    rows = steps.sql(
        site.odoo,
        "SELECT p.email, n.notification_status, n.failure_reason"
        " FROM mail_notification n JOIN res_partner p ON p.id = n.res_partner_id"
        " WHERE n.mail_message_id = %s",
        message,
    )
    return {email: (status, reason or "") for email, status, reason in rows}


def last_message(site: Site, task: int) -> int:
    domain = [("model", "=", "project.task"), ("res_id", "=", task)]
    return int(site.admin.call("mail.message", "search", domain, order="id desc")[0])


def test_reports_that_postfix_makes_itself(site: Site, address_id: int) -> None:
    kept = box.quarantine(site)
    refused = {"rcpt": Reply("550 5.1.1 Nobody of this name")}
    spam = {"body": Reply("554 5.7.1 Looks like advertising")}
    with (
        FaultServer("smtp", "starttls", faults=refused) as at_rcpt,
        FaultServer("smtp", "starttls", faults=spam) as at_data,
    ):
        ports = {"rcpt.test": at_rcpt.port, "data.test": at_data.port}
        customers = [site.ids["customer"]]
        site.bed.set_routes(ports)
        customers += [site.customer(name, f"boss@{name}") for name in ports]
        task = new_task(site, *customers)
        message = steps.post(site.anna, task, "<p>Hello</p>", address_id)
        reports = site.bed.wait_for(ANNA, 2, seconds=40)
        assert {mail.envelope_from for mail in reports} == {""}
    before = box.contents(site, ANNA)
    box.fetch(site, address_id)
    found = states(site, message)
    assert found[CLIENT] == ("sent", "")
    for domain, said in (
        ("rcpt.test", "Nobody of this name"),
        ("data.test", "Looks like advertising"),
    ):
        status, reason = found[f"boss@{domain}"]
        assert status == "bounce" and said in reason, (domain, status, reason)
    assert box.mails(site, task) == []
    assert box.quarantine(site) == kept
    assert box.contents(site, ANNA) == before


def test_postfix_tries_again_warns_and_gives_up(site: Site, address_id: int) -> None:
    known = len(site.bed.messages(ANNA))
    later = {"rcpt": Reply("451 4.3.0 Come back later")}
    with FaultServer("smtp", "starttls", faults=later) as busy:
        ports = {"busy.test": busy.port, "down.test": free_port()}
        site.bed.set_routes(ports, lifetime=3600)
        customers = [site.customer(name, f"boss@{name}") for name in ports]
        task = new_task(site, *customers)
        message = steps.post(site.anna, task, "<p>Hello</p>", address_id)
        warnings = site.bed.wait_for(ANNA, known + 2)[known:]
        assert all("Action: delayed" in mail.raw.decode() for mail in warnings)
        box.fetch(site, address_id)
        assert set(states(site, message).values()) == {("sent", "")}
        steps.until(lambda: busy.connections >= 2, "it is tried again")
        site.bed.set_routes(ports, lifetime=1)  # as if the days were over
        site.bed.wait_for(ANNA, known + 4)
    assert site.bed.log().count("status=expired, returned to sender") >= 2
    box.fetch(site, address_id)
    found = states(site, message)
    for domain, said in (
        ("busy.test", "Come back later"),
        ("down.test", "Connection refused"),
    ):
        status, reason = found[f"boss@{domain}"]
        assert status == "bounce" and said in reason, (domain, status, reason)
    assert box.mails(site, task) == []


@pytest.mark.parametrize("system", ["exchange", "gmail"])
def test_reports_of_other_systems(site: Site, address_id: int, system: str) -> None:
    task = new_task(site, site.ids["customer"])
    original = box.ask(site, address_id, task, CLIENT)
    message = last_message(site, task)
    report = system_mail.delivery_report(system, crlf(original), CLIENT)
    stranger = system_mail.delivery_report(system, crlf(original), "x@customer.test")
    site.bed.put(ANNA, [report, stranger])
    box.fetch(site, address_id)
    status, reason = states(site, message)[CLIENT]
    assert status == "bounce" and "5.1.1" in reason, (status, reason)
    assert box.mails(site, task) == []


def crlf(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def test_what_is_no_failure_marks_nobody(site: Site, address_id: int) -> None:
    """Receipts, delays, and absence notes, which alone are shown; nothing is sent."""
    task = new_task(site, site.ids["customer"])
    original = crlf(box.ask(site, address_id, task, CLIENT))
    message = last_message(site, task)
    log = len(site.bed.log())
    notes = [
        system_mail.absence_note(name, original, CLIENT)
        for name in ("exchange", "gmail")
    ]
    receipts = [
        system_mail.read_receipt(name, original, CLIENT)
        for name in system_mail.READ_RECEIPTS
    ]
    delayed = system_mail.delivery_report("postfix_delayed", original, CLIENT)
    site.bed.put(ANNA, [*notes, *receipts, delayed])
    box.fetch(site, address_id)
    assert states(site, message)[CLIENT] == ("sent", "")
    mails = box.mails(site, task)
    assert [mail["external_mark"] for mail in mails] == ["auto_reply", "auto_reply"]
    assert [box.told(site, mail["id"]) for mail in mails] == [[], []]
    assert box.left_for(site, log) == set()


def test_reports_about_private_mail_do_nothing(site: Site, address_id: int) -> None:
    original = PRIVATE + b"Message-ID: <dinner@brand-a.test>\r\n\r\nDinner?\r\n"
    log = len(site.bed.log())
    before = counters(site)
    about = system_mail.About(original, CLIENT)
    kinds = {**system_mail.DELIVERY_REPORTS, **system_mail.ABSENCE_NOTES}
    site.bed.put(ANNA, [make(about) for make in kinds.values()])
    box.fetch(site, address_id)
    assert counters(site) == before
    assert box.left_for(site, log) == set()


def counters(site: Site) -> list[tuple[Any, ...]]:
    """Messages, bounced notifications, and the customers' bounce counters."""
    return steps.sql(
        site.odoo,
        "SELECT (SELECT count(*) FROM mail_message),"
        " (SELECT count(*) FROM mail_notification"
        "   WHERE notification_status = 'bounce'),"
        " (SELECT sum(message_bounce) FROM res_partner)",
    )


def test_an_answer_and_a_report_about_one_mail(site: Site, address_id: int) -> None:
    """Who answers is not the one whose address failed."""
    second = site.ids.get("second") or site.customer("Second", "second@customer.test")
    task = new_task(site, site.ids["customer"], second)
    original = box.ask(site, address_id, task, CLIENT)
    message = last_message(site, task)
    report = system_mail.delivery_report(
        "exchange", crlf(original), "second@customer.test"
    )
    site.bed.put(ANNA, [clients.answer("outlook", original), report])
    box.fetch(site, address_id)
    assert len(box.mails(site, task)) == 1
    found = states(site, message)
    assert found[CLIENT] == ("sent", "")
    status, reason = found["second@customer.test"]
    assert status == "bounce" and "5.1.1" in reason, (status, reason)
