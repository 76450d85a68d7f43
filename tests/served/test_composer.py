"""Writing: the sender in the chatter, the full composer, later, and to many at once."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import steps
from browser_steps import sign_in
from composer_steps import PICKER, write
from playwright.sync_api import Locator, Page, expect
from site_setup import Site

ANNA = "anna@brand-a.test"
SUPPORT = "support@brand-b.test"
BOHDAN = "bohdan@brand-b.test"
CLIENT = "client@customer.test"
SECOND = "second@customer.test"
#: A picture that mail programs show: one pixel.
LOGO = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJ"
    "RU5ErkJggg=="
)


@pytest.fixture
def address_ids(clean: Site) -> dict[str, int]:
    """Anna's own address, default of Brand A; the company's, with a look of its own."""
    site = clean
    project = site.ids["project_brand_a"]
    for address in (CLIENT, SECOND):
        site.bed.clear(address)
    anna = steps.connect(site.anna, ANNA, projects=((project, True),))
    support = steps.connect(
        site.admin, SUPPORT, company=True, sender_name="{author} at Brand B"
    )
    look = {
        "layout": "brand",
        "brand_logo": LOGO,
        "brand_color": "#1a73e8",
        "signature": "<p>Brand B, Kyiv</p>",
    }
    site.admin.call(steps.ADDRESS, "write", [support], look)
    site.anna.call(steps.ADDRESS, "write", [anna], {"signature": "<p>Brand A</p>"})
    return {ANNA: anna, SUPPORT: support}


@pytest.fixture
def task(clean: Site, address_ids: dict[str, int]) -> int:
    """A task of Brand A that the customer follows."""
    project, customer = clean.ids["project_brand_a"], clean.ids["customer"]
    return steps.new_task(clean.admin, project, "Written to", (customer,))


@pytest.fixture
def unsigned(clean: Site) -> Iterator[None]:
    """Anna has no signature of her own, her addresses have one."""
    uid = clean.anna.uid
    [anna] = clean.admin.call("res.users", "read", [uid], ["signature"])
    clean.admin.call("res.users", "write", [uid], {"signature": False})
    yield
    values = {"signature": anna["signature"]}
    clean.admin.call("res.users", "write", [uid], values)


def open_task(page: Page, site: Site, task: int) -> None:
    page.goto(f"{site.odoo.url}/odoo/project.task/{task}")
    expect(page.locator(".o-mail-Chatter")).to_be_visible(timeout=20_000)


def open_full_composer(page: Page) -> Locator:
    page.locator(".o-mail-Composer button[title='Open Full Composer']").click()
    dialog = page.locator(".modal")
    expect(dialog.locator(".odoo-editor-editable")).to_be_visible()
    return dialog


def chosen(select: Locator) -> Any:
    return select.evaluate("element => element.selectedOptions[0].text")


def received(site: Site, address: str, count: int = 1) -> list[Any]:
    site.bed.wait_for(address, count)
    return site.bed.messages(address)


def test_a_pick_goes_along_into_the_full_composer_and_to_the_customer(
    clean: Site, page: Page, task: int
) -> None:
    sign_in(page, clean, "anna")
    open_task(page, clean, task)
    label = f"Anna Kovalenko at Brand B <{SUPPORT}>"
    write(page, "From the chatter", label)
    dialog = open_full_composer(page)
    sender = dialog.locator("[name=external_sender] select")
    assert chosen(sender) == label
    editor = dialog.locator(".odoo-editor-editable")
    expect(editor).to_contain_text("Brand B, Kyiv")

    sender.select_option(label=f"Anna Kovalenko <{ANNA}>")
    expect(editor).to_contain_text("Brand A")
    expect(editor).not_to_contain_text("Kyiv")
    expect(editor).to_contain_text("From the chatter")
    expect(dialog.locator("[name=external_sender]")).to_contain_text(
        "personal default for “Brand A launch”"
    )
    sender.select_option(label=label)
    expect(editor).to_contain_text("Brand B, Kyiv")
    dialog.locator("button[name=action_send_mail]").first.click()
    expect(page.locator(".modal")).to_have_count(0)
    message = page.locator(".o-mail-Message", has_text="From the chatter")
    expect(message).to_contain_text(f"through {SUPPORT}")

    [mail] = received(clean, CLIENT)
    assert mail.envelope_from == SUPPORT
    assert steps.sender_of(mail) == ("Anna Kovalenko at Brand B", SUPPORT)
    html = steps.html_text(mail)
    assert "#1a73e8" in html
    assert html.count("Brand B, Kyiv") == 1
    [logo] = [part for part in mail.message.walk() if part["Content-ID"]]
    assert f'src="cid:{logo["Content-ID"][1:-1]}"' in html
    for odoos in ("View Task", "Powered by", "/mail/unfollow", "Project:"):
        assert odoos not in html, "what Odoo's own notifications have"


def test_what_is_picked_in_the_full_composer_stays_with_the_draft(
    clean: Site, page: Page, task: int
) -> None:
    sign_in(page, clean, "anna")
    open_task(page, clean, task)
    write(page, "Half a sentence")
    dialog = open_full_composer(page)
    label = f"Anna Kovalenko at Brand B <{SUPPORT}>"
    dialog.locator("[name=external_sender] select").select_option(label=label)
    expect(dialog.locator(".odoo-editor-editable")).to_contain_text("Kyiv")
    dialog.locator(".btn-close").click()
    expect(page.locator(".modal")).to_have_count(0)
    for _visit in range(2):
        picker = write(page, "")
        assert chosen(picker) == label
        text = page.locator(".o-mail-Composer-input")
        expect(text).to_have_value("Half a sentence")
        page.reload()


def test_who_has_no_signature_writes_with_that_of_the_address(
    clean: Site, page: Page, task: int, unsigned: None
) -> None:
    """Once, however often the full composer is opened; never what was deleted."""
    sign_in(page, clean, "anna")
    open_task(page, clean, task)
    write(page, "First", f"Anna Kovalenko at Brand B <{SUPPORT}>")
    for _visit in range(2):
        dialog = open_full_composer(page)
        editor = dialog.locator(".odoo-editor-editable")
        expect(editor).to_contain_text("Brand B, Kyiv")
        assert editor.inner_text().count("Kyiv") == 1
        dialog.locator(".btn-close").click()
        expect(page.locator(".modal")).to_have_count(0)
        write(page, "")
        expect(page.locator(".o-mail-Composer-input")).to_have_value("First")
    dialog = open_full_composer(page)
    expect(dialog.locator(".odoo-editor-editable")).to_contain_text("Brand B, Kyiv")
    dialog.locator("button[name=action_send_mail]:visible").click()
    expect(page.locator(".modal")).to_have_count(0)
    [mail] = received(clean, CLIENT)
    assert steps.html_text(mail).count("Brand B, Kyiv") == 1

    write(page, "Second", f"Anna Kovalenko at Brand B <{SUPPORT}>")
    dialog = open_full_composer(page)
    editor = dialog.locator(".odoo-editor-editable")
    expect(editor).to_contain_text("Brand B, Kyiv")
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    page.keyboard.type("Unsigned")
    dialog.locator(".btn-close").click()
    expect(page.locator(".modal")).to_have_count(0)
    write(page, "")
    expect(page.locator(".o-mail-Composer-input")).to_have_value("Unsigned")
    dialog = open_full_composer(page)
    editor = dialog.locator(".odoo-editor-editable")
    expect(editor).to_contain_text("Unsigned")
    expect(editor).not_to_contain_text("Kyiv")
    dialog.locator("button[name=action_send_mail]:visible").click()
    expect(page.locator(".modal")).to_have_count(0)
    mails = received(clean, CLIENT, 2)
    [mail] = [each for each in mails if "Unsigned" in steps.html_text(each)]
    assert "Kyiv" not in steps.html_text(mail)


def test_a_note_has_no_sender(clean: Site, page: Page, task: int) -> None:
    sign_in(page, clean, "anna")
    open_task(page, clean, task)
    page.get_by_role("button", name="Log note").click()
    page.locator(".o-mail-Composer-input").fill("For colleagues")
    expect(page.locator(PICKER)).to_have_count(0)
    dialog = open_full_composer(page)
    expect(dialog.locator("[name=external_sender] select")).to_have_count(0)
    dialog.locator("button[name=action_send_mail]:visible").click()
    expect(page.locator(".modal")).to_have_count(0)
    message = page.locator(".o-mail-Message", has_text="For colleagues")
    expect(message).not_to_contain_text("through")


def test_the_list_follows_the_record_and_the_pick_is_dropped_with_a_note(
    clean: Site, page: Page, task: int
) -> None:
    sign_in(page, clean, "anna")
    open_task(page, clean, task)
    own = f"Anna Kovalenko <{ANNA}>"
    picker = write(page, "Half a sentence", f"Anna Kovalenko at Brand B <{SUPPORT}>")
    picker.select_option(label=own)
    project = page.locator("[name=project_id] input")
    project.fill("Brand B shop")
    page.locator(".o-autocomplete--dropdown-item", has_text="Brand B shop").click()
    page.locator(".o_form_button_save").click()
    expect(page.locator(".o_notification")).to_contain_text("no longer be used here")
    expect(picker.locator("option", has_text=own)).to_have_count(0)
    assert chosen(picker) == f"Anna Kovalenko at Brand B <{SUPPORT}>"
    expect(page.locator(".o-mail-Composer-input")).to_have_value("Half a sentence")


def test_an_address_that_was_taken_away_meanwhile(
    clean: Site, page: Page, task: int, address_ids: dict[str, int]
) -> None:
    """The text stays, the list is fresh, and the next click sends it."""
    sign_in(page, clean, "anna")
    open_task(page, clean, task)
    write(page, "Important", f"Anna Kovalenko at Brand B <{SUPPORT}>")
    bohdan = [[4, clean.bohdan.uid]]
    clean.admin.call(
        steps.ADDRESS, "write", [address_ids[SUPPORT]], {"allowed_user_ids": bohdan}
    )
    page.locator(".o-mail-Composer-send").click()
    error = page.locator(".modal", has_text="Choose another sender")
    expect(error).to_be_visible()
    error.get_by_role("button", name="Close").last.click()
    expect(page.locator(".o_notification")).to_contain_text(
        f"will be sent from Anna Kovalenko <{ANNA}>"
    )
    expect(page.locator(".o-mail-Composer-input")).to_have_value("Important")
    page.locator(".o-mail-Composer-send").click()
    message = page.locator(".o-mail-Message", has_text="Important")
    expect(message).to_contain_text(f"through {ANNA}")
    [mail] = received(clean, CLIENT)
    assert mail.envelope_from == ANNA
    assert "Brand A" in steps.html_text(mail)
    assert "<table" not in steps.html_text(mail), "plain, as from a mail program"


def test_a_scheduled_message_keeps_its_sender(
    clean: Site, page: Page, task: int
) -> None:
    sign_in(page, clean, "anna")
    open_task(page, clean, task)
    write(page, "Tomorrow")
    dialog = open_full_composer(page)
    dialog.get_by_title("Send Later").click()
    page.locator(".modal").last.get_by_role("button", name="Save").click()
    expect(page.locator(".modal")).to_have_count(1)
    dialog.get_by_role("button", name="Schedule", exact=True).click()
    expect(page.locator(".modal")).to_have_count(0)

    planned = page.locator(".o-mail-Scheduled-Message", has_text="Tomorrow")
    planned.locator(".btn", has_text="Edit").click()
    edited = page.locator(".modal")
    sender = edited.locator("[name=external_sender] select")
    assert chosen(sender) == f"Anna Kovalenko <{ANNA}>"
    editor = edited.locator(".odoo-editor-editable")
    expect(editor).to_contain_text("Brand A")
    sender.select_option(label=f"Anna Kovalenko at Brand B <{SUPPORT}>")
    expect(editor).to_contain_text("Brand B, Kyiv")
    edited.get_by_role("button", name="Save").click()
    expect(page.locator(".modal")).to_have_count(0)

    due = datetime.now(timezone.utc) - timedelta(minutes=1)
    steps.sql(
        clean.odoo,
        "UPDATE mail_scheduled_message SET scheduled_date = %s"
        " WHERE create_uid = %s AND res_id = %s",  # not those of other tests
        due.replace(tzinfo=None),
        clean.anna.uid,
        task,
    )
    steps.run_cron(clean.admin, "mail.ir_cron_post_scheduled_message")
    [mail] = received(clean, CLIENT)
    assert mail.envelope_from == SUPPORT
    assert "Tomorrow" in steps.html_text(mail)
    assert steps.html_text(mail).count("Brand B, Kyiv") == 1
    assert "Brand A" not in steps.html_text(mail)


def test_a_scheduled_message_whose_address_was_taken_away(
    clean: Site, page: Page, task: int, address_ids: dict[str, int]
) -> None:
    """ "Send Now" says why not; when it is due, its author gets the text back."""
    site = clean
    sign_in(page, site, "anna")
    open_task(page, site, task)
    write(page, "Tomorrow", f"Anna Kovalenko at Brand B <{SUPPORT}>")
    dialog = open_full_composer(page)
    dialog.get_by_title("Send Later").click()
    page.locator(".modal").last.get_by_role("button", name="Save").click()
    dialog.get_by_role("button", name="Schedule", exact=True).click()
    planned = page.locator(".o-mail-Scheduled-Message", has_text="Tomorrow")
    expect(planned).to_be_visible()
    bohdan = [[4, site.bohdan.uid]]
    site.admin.call(
        steps.ADDRESS, "write", [address_ids[SUPPORT]], {"allowed_user_ids": bohdan}
    )
    planned.locator(".btn", has_text="Send Now").click()
    expect(page.locator(".o_notification")).to_contain_text("Choose another sender")
    expect(planned).to_be_visible()

    due = datetime.now(timezone.utc) - timedelta(minutes=1)
    steps.sql(
        site.odoo,
        "UPDATE mail_scheduled_message SET scheduled_date = %s"
        " WHERE create_uid = %s AND res_id = %s",  # not those of other tests
        due.replace(tzinfo=None),
        site.anna.uid,
        task,
    )
    steps.run_cron(site.admin, "mail.ir_cron_post_scheduled_message")
    [notice] = received(site, "anna@corp.test")
    assert "Choose another sender" in steps.html_text(notice)
    assert "Tomorrow" in steps.html_text(notice)
    assert not site.bed.messages(CLIENT)


def test_many_at_once(clean: Site, page: Page, address_ids: dict[str, int]) -> None:
    """Each task with its own default address, from the list of tasks."""
    site, default = clean, "The default address of each record"
    brand_b = site.ids["project_brand_b"]
    steps.connect(site.bohdan, BOHDAN, projects=((brand_b, True),))
    for project, customer, name in (
        (site.ids["project_brand_a"], "customer", "Offer one"),
        (brand_b, "customer_second", "Offer two"),
    ):
        task = steps.new_task(site.admin, project, name)
        values = {"partner_id": site.ids[customer]}
        site.admin.call("project.task", "write", [task], values)
    sign_in(page, site, "bohdan")
    page.goto(
        f"{site.odoo.url}/odoo/action-project.action_view_all_task?view_type=list"
    )
    for name in ("Offer one", "Offer two"):
        row = page.locator(".o_data_row", has_text=name)
        row.locator("input[type=checkbox]").first.check()
    page.locator(".o_cp_action_menus .dropdown-toggle", has_text="Actions").click()
    page.get_by_role("menuitem", name="Send Email").click()
    dialog = page.locator(".modal")
    sender = dialog.locator("[name=external_sender] select")
    assert chosen(sender) == default
    expect(dialog.locator("[name=email_from]")).to_have_count(0)
    dialog.locator("[name=subject] input").fill("An offer")
    dialog.locator(".odoo-editor-editable:visible").fill("For you")

    sender.select_option(label=f"Bohdan Melnyk <{BOHDAN}>")
    dialog.locator("button[name=action_send_mail]:visible").click()
    error = page.locator(".modal", has_text="Nothing was sent")
    expect(error).to_contain_text("“Offer one”")
    error.get_by_role("button", name="Close").last.click()
    assert not site.bed.messages(CLIENT)
    assert not site.bed.messages(SECOND)

    sender.select_option(label=default)
    dialog.locator("button[name=action_send_mail]:visible").click()
    expect(page.locator(".modal")).to_have_count(0, timeout=15_000)
    [first] = received(site, CLIENT)
    [second] = received(site, SECOND)
    assert steps.sender_of(first) == ("Bohdan Melnyk at Brand B", SUPPORT)
    assert steps.sender_of(second) == ("Bohdan Melnyk", BOHDAN)
    assert (first.envelope_from, second.envelope_from) == (SUPPORT, BOHDAN)
    assert "#1a73e8" in steps.html_text(first)
    for mail in (first, second):
        assert "For you" in steps.html_text(mail)
        assert "catchall@corp.test" in mail.message["Reply-To"]
