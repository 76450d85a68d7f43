"""From the chatter to the customer and back, as an employee sees it."""

from collections.abc import Iterator

import mailbox_steps as box
import pytest
import steps
from browser_steps import sign_in
from composer_steps import write
from playwright.sync_api import Page, expect
from site_setup import Site

from devtools.testbed import clients

IMAP, POP3 = "anna@brand-a.test", "anna@brand-b.test"
FORWARDED = "support@brand-a.test"
CLIENT = "client@customer.test"
PROGRAMS = ("thunderbird", "gmail", "outlook", "apple_mail")


@pytest.fixture
def address_ids(clean: Site) -> Iterator[dict[str, int]]:
    """Anna's addresses, each read in another way; she is told of answers in Odoo."""
    site = clean
    steps.forget_tests(site.odoo)
    site.admin.call(
        "res.users", "write", [site.anna.uid], {"notification_type": "inbox"}
    )
    yield {
        IMAP: box.connect(site, IMAP),
        POP3: box.connect(site, POP3, "pop3"),
        FORWARDED: steps.connect(
            site.anna, FORWARDED, receive_replies=True, incoming_protocol="forwarded"
        ),
    }
    site.admin.call(
        "res.users", "write", [site.anna.uid], {"notification_type": "email"}
    )


@pytest.fixture
def task(site: Site) -> int:
    """A task that a customer follows, and Bohdan."""
    [bohdan] = site.admin.call("res.users", "read", [site.bohdan.uid], ["partner_id"])
    followers = (site.ids["customer"], bohdan["partner_id"][0])
    return steps.new_task(
        site.admin, site.ids["project_brand_a"], "From chatter to chatter", followers
    )


def ask(page: Page, site: Site, address: str, number: int) -> bytes:
    """Write from the chatter with the picker; return what the customer got."""
    text = f"What do you think? Answer to {address}"
    write(page, text, f"Anna Kovalenko <{address}>")
    page.locator(".o-mail-Composer-send").click()
    message = page.locator(".o-mail-Message", has_text=text)
    expect(message).to_contain_text(f"through {address}")
    [mail] = [
        mail
        for mail in site.bed.wait_for(CLIENT, number)
        if mail.envelope_from == address
    ]
    return mail.raw


def answer(site: Site, address: str, original: bytes) -> list[str]:
    """Answer with every mail program, to where it says; return the texts."""
    texts = [f"Answer of {name} to {address}" for name in PROGRAMS]
    for name, text in zip(PROGRAMS, texts, strict=True):
        site.bed.deliver(CLIENT, address, clients.answer(name, original, text=text))
    site.bed.wait_for(address, len(PROGRAMS))
    return texts


def forward(site: Site, address_id: int, address: str) -> None:
    """The mailbox redirects what came to Odoo's gateway, whose script hands it over."""
    [[token]] = steps.sql(
        site.odoo,
        "SELECT forward_token FROM mail_external_account WHERE id = %s",
        steps.account_of(site.odoo, address_id),
    )
    for mail in site.bed.messages(address):
        raw = f"Delivered-To: reply-{token}@corp.test\r\n" + mail.raw.decode()
        site.admin.call("mail.thread", "message_process", False, raw)


def test_answers_of_the_customer_are_in_the_chatter(
    clean: Site, page: Page, address_ids: dict[str, int], task: int
) -> None:
    site = clean
    sign_in(page, site, "anna")
    page.goto(f"{site.odoo.url}/odoo/project.task/{task}")
    originals = {
        address: ask(page, site, address, number)
        for number, address in enumerate(address_ids, 1)
    }
    page.goto("about:blank")  # what she looks at counts as read
    texts = [
        text
        for address, original in originals.items()
        for text in answer(site, address, original)
    ]
    for address in (IMAP, POP3):
        box.fetch(site, address_ids[address])
    forward(site, address_ids[FORWARDED], FORWARDED)

    page.goto(f"{site.odoo.url}/odoo")
    page.locator(".o_menu_systray [aria-label=Messages]").click()
    notice = page.locator(".o-mail-NotificationItem", has_text="From chatter to")
    expect(notice.locator(".o-mail-NotificationItem-counter")).to_have_text("12")
    notice.click()
    for text in texts:
        message = page.locator(".o-mail-Message", has_text=text)
        expect(message).to_have_count(1)
        expect(message).to_contain_text("Clara Client")
    expect(page.locator(".o-mail-Message", has_text="Answer of")).to_have_count(12)
    for mail in box.mails(site, task):
        assert box.told(site, mail["id"]) == ["Anna", "Bohdan"]
        assert not mail["external_mark"]
    assert len(site.bed.wait_for("bohdan@corp.test", 12 + 3)) == 12 + 3
