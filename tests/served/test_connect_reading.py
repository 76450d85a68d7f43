"""Receiving replies, switched on in the connect window, on real Dovecot."""

import imaplib
from collections.abc import Iterator
from typing import Any

import mailbox_steps as box
import pytest
import steps
from site_setup import Site
from steps import Window

from devtools.testbed import clients
from devtools.testbed.bed import PASSWORD

ANNA = "anna@brand-a.test"
CLIENT = "client@customer.test"


KUNDEN = '"Kunden &- &BCM-"'  # "Kunden & У", as it is written on the wire


@pytest.fixture
def mailbox(clean: Site) -> Iterator[imaplib.IMAP4_SSL]:
    """Another client of Anna's mailbox, with folders beside the inbox."""
    client = box.imap(clean, ANNA)
    names = ("Copies", "Spam", KUNDEN)  # the server says what the first two are for
    for name in names:
        client.create(name)
    yield client
    for name in names:
        client.delete(name)
    client.logout()


@pytest.fixture(autouse=True)
def _fresh_limit(clean: Site) -> Iterator[None]:
    steps.forget_tests(clean.odoo)
    yield


def opened(site: Site, **values: Any) -> Window:
    """Anna's window with her address typed, all that it needs, and tested."""
    window = Window(site.anna)
    window.type_address(ANNA)
    window.enter(password=PASSWORD, **values)
    line = window.test()[-1]
    assert line["ok"], line
    return window


def answered(site: Site, address_id: int) -> tuple[int, bytes]:
    """A task whose customer was written to, and an answer by Thunderbird."""
    site.bed.clear(CLIENT)
    project, customer = site.ids["project_brand_a"], site.ids["customer"]
    task = steps.new_task(site.admin, project, "Answer me", (customer,))
    steps.post(site.anna, task, "<p>What do you think?</p>", address_id)
    [mail] = site.bed.wait_for(CLIENT, 1)
    replies = str(mail.message["Reply-To"] or mail.message["From"])
    assert ANNA in replies and "corp.test" not in replies
    return task, clients.answer("thunderbird", mail.raw)


def folders(site: Site, address_id: int) -> dict[str, bool]:
    rows = site.anna.call(
        "mail.external.folder",
        "search_read",
        [("account_id", "=", steps.account_of(site.odoo, address_id))],
        ["path", "is_sent"],
    )
    return {row["path"]: row["is_sent"] for row in rows}


@pytest.mark.usefixtures("mailbox")
def test_a_known_service_is_read_without_further_choice(clean: Site) -> None:
    """The address and its password are all that has to be typed."""
    window = opened(clean)
    shown = window.read()
    assert shown["receive_replies"] and shown["incoming_protocol"] == "imap"
    listed = {f["name"]: f["is_read"] for f in shown["folder_ids"]}
    assert listed == {
        "INBOX": True,
        "Copies": True,
        "Spam": False,
        "Kunden & У": False,
    }
    address_id = window.save()
    assert folders(clean, address_id) == {"INBOX": False, "Copies": True}
    box.fetch(clean, address_id)
    task, answer = answered(clean, address_id)
    clean.bed.deliver(CLIENT, ANNA, answer)
    clean.bed.wait_for(ANNA, 1)
    box.fetch(clean, address_id)
    assert len(box.mails(clean, task)) == 1


def test_an_answer_filed_in_a_chosen_folder_is_found(
    clean: Site, mailbox: imaplib.IMAP4_SSL
) -> None:
    window = opened(clean)
    window.choose_folders("INBOX", "Kunden & У")
    address_id = window.save()
    assert folders(clean, address_id) == {"INBOX": False, KUNDEN.strip('"'): False}
    box.fetch(clean, address_id)
    task, answer = answered(clean, address_id)
    mailbox.append(KUNDEN, "", "", answer)
    box.fetch(clean, address_id)
    assert len(box.mails(clean, task)) == 1


def test_pop3(clean: Site) -> None:
    window = opened(clean, **box.incoming(clean, ANNA, "pop3"))
    assert not window.read()["folder_ids"]
    address_id = window.save()
    assert folders(clean, address_id) == {"INBOX": False}
    box.fetch(clean, address_id)
    task, answer = answered(clean, address_id)
    clean.bed.deliver(CLIENT, ANNA, answer)
    clean.bed.wait_for(ANNA, 1)
    box.fetch(clean, address_id)
    assert len(box.mails(clean, task)) == 1


def test_looking_back_finds_what_came_before(clean: Site) -> None:
    address_id = steps.connect(clean.anna, ANNA)
    task, answer = _before_reading(clean, address_id)
    clean.bed.deliver(CLIENT, ANNA, answer)
    clean.bed.wait_for(ANNA, 1)
    window = Window(clean.anna, default_address_id=address_id)
    window.enter(
        password=PASSWORD, look_back_days=2, **box.incoming(clean, ANNA, "imap")
    )
    assert window.test()[-1]["ok"]
    window.save()
    box.fetch(clean, address_id)
    assert len(box.mails(clean, task)) == 1


def _before_reading(site: Site, address_id: int) -> tuple[int, bytes]:
    site.bed.clear(CLIENT)
    project, customer = site.ids["project_brand_a"], site.ids["customer"]
    task = steps.new_task(site.admin, project, "Before", (customer,))
    steps.post(site.anna, task, "<p>And now?</p>", address_id)
    [mail] = site.bed.wait_for(CLIENT, 1)
    assert "catchall@corp.test" in str(mail.message["Reply-To"])
    return task, clients.answer("thunderbird", mail.raw)


def test_forwarded(clean: Site) -> None:
    window = Window(clean.anna)
    window.type_address(ANNA)
    window.enter(password=PASSWORD, receive_replies=True, incoming_protocol="forwarded")
    assert window.steps() == ["smtp_host", "smtp_port", "smtp_login", "smtp_sender"]
    assert window.test()[-1]["ok"]
    shown = window.read()
    secret = shown["forward_address"]
    assert secret.endswith("@corp.test") and not shown["forward_problem"]
    address_id = window.save()

    code = (
        f"From: Forwarding <noreply@brand-a.test>\r\nTo: {secret}\r\n"
        "Subject: Confirm forwarding\r\nMessage-ID: <confirm@brand-a.test>\r\n\r\n"
        "Your code is 4711-0815.\r\n"
    )
    gateway(clean, code.encode())
    again = Window(clean.anna, default_address_id=address_id)
    again.enter()
    assert again.read()["forward_address"] == secret, "the same one"
    assert "4711-0815" in again.read()["forward_confirmation"]

    task, answer = answered(clean, address_id)
    gateway(clean, f"Delivered-To: {secret}\r\n".encode() + answer)
    assert len(box.mails(clean, task)) == 1


def gateway(site: Site, raw: bytes) -> None:
    """Hand a mail to Odoo, as the script of its own mail server does."""
    site.admin.call("mail.thread", "message_process", False, raw.decode())


def test_what_was_not_tested_is_not_read(clean: Site) -> None:
    window = opened(clean, **steps.SEND_ONLY)
    for values in (
        {"receive_replies": True},
        {"receive_replies": True, "incoming_protocol": "imap"},
        {"receive_replies": True, "incoming_protocol": "forwarded"},
    ):
        window.enter(**values)
        text = str(steps.refusal(window.press, "action_save"))
        assert "Nothing was saved" in text or "how they come in" in text
    assert clean.admin.call(steps.ADDRESS, "search_count", []) == 0
