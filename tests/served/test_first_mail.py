"""From nothing to a first real mail, in the browser, as an employee does it."""

from collections.abc import Callable
from pathlib import Path

import steps
from playwright.sync_api import BrowserContext, Page, expect
from site_setup import Site
from window_steps import fill_in, line, save, type_password

from devtools.testbed.bed import PASSWORD

ANNA = "anna@brand-a.test"
SUPPORT = "support@brand-b.test"
CLIENT = "client@customer.test"
COLLEAGUE = "olena@corp.test"
FILE_NAME = "Комерційна пропозиція для компанії «Сяйво» на наступний рік, остаточна.txt"
FILE_CONTENT = "Ціни у гривнях\n".encode() * 500


def sign_in(page: Page, site: Site, login: str) -> None:
    page.goto(f"{site.odoo.url}/web/login")
    page.fill("input[name=login]", login)
    page.fill("input[name=password]", login)
    page.click("button[type=submit]")
    page.wait_for_selector(".o_main_navbar", timeout=60_000)


def connect_own_address(page: Page, site: Site) -> None:
    page.goto(f"{site.odoo.url}/odoo/my-preferences/{site.anna.uid}")
    page.get_by_role("tab", name="External Addresses").click()
    page.get_by_role("button", name="Add External Address").click()
    fill_in(page, ANNA, "not-the-password")
    line(page, "smtp_port", "passed")
    line(page, "smtp_login", "failed")
    failed = page.locator("[data-step=smtp_login]")
    expect(failed).to_contain_text("Why: The mail server refused the user name")
    expect(failed).to_contain_text("What to do: Type both again")
    expect(page.locator("[data-step=smtp_sender]")).to_contain_text("not tried")
    expect(page.locator(".modal button[name=action_save]")).to_have_count(0)
    assert not site.admin.call(steps.ADDRESS, "search_count", [])

    type_password(page, PASSWORD)
    line(page, "smtp_sender", "passed")
    save(page)
    row = page.locator("[name=external_address_ids] tr", has_text=ANNA)
    expect(row).to_contain_text("Working")


def bind_own_address(page: Page, project: str) -> None:
    """The employee marks her address as the project's default."""
    row = page.locator("[name=external_address_ids] tr", has_text=ANNA)
    row.get_by_role("button", name="Settings").click()
    dialog = page.locator(".modal")
    dialog.get_by_role("button", name="Add a line").click()
    pick(page, dialog.locator("[name=project_id] input"), project)
    dialog.locator("[name=is_default] input").last.check()
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator(".modal")).to_have_count(0)
    expect(row).to_contain_text(f"* {project}")


def pick(page: Page, field: object, name: str) -> None:
    field.fill(name)  # type: ignore[attr-defined]
    page.locator(".o-autocomplete--dropdown-item", has_text=name).first.click()


def connect_company_address(page: Page, site: Site, project: str) -> None:
    """The administrator connects it, and binds it on the project's own form."""
    page.goto(
        f"{site.odoo.url}/odoo/action-mail_external_account"
        ".mail_external_address_action_company"
    )
    page.get_by_role("button", name="Add External Address").first.click()
    page.locator(".modal [name=sender_name] input").fill("Brand B Support")
    fill_in(page, SUPPORT, PASSWORD)
    line(page, "smtp_sender", "passed")
    save(page)
    expect(page.locator(".o_list_view tr", has_text=SUPPORT)).to_contain_text("Working")

    project_id = site.ids["project_brand_a"]
    page.goto(f"{site.odoo.url}/odoo/project.project/{project_id}")
    page.get_by_role("tab", name="External Addresses").click()
    page.get_by_role("button", name="Add a line").click()
    pick(page, page.locator("[name=address_id] input"), SUPPORT)
    page.locator(".o_form_button_save").click()
    expect(page.locator(".o_form_button_save")).to_be_hidden()


def write_to_customer(page: Page, text: str, sender: str, file: Path) -> None:
    page.get_by_role("button", name="Send message").click()
    picker = page.locator(".o-mail-ExternalSenderPicker select")
    expect(picker).to_be_visible()
    picker.select_option(label=sender)
    page.locator(".o-mail-Composer-input").fill(text)
    page.locator(".o-mail-Composer input[type=file]").first.set_input_files(file)
    expect(page.locator(".o-mail-Composer .o-mail-AttachmentCard")).to_have_count(1)
    expect(
        page.locator(".o-mail-Composer .o-mail-AttachmentCard.o-isUploading")
    ).to_have_count(0)
    page.locator(".o-mail-Composer-send").click()
    message = page.locator(".o-mail-Message", has_text=text)
    expect(message).to_contain_text("through", timeout=15_000)


def test_from_nothing_to_a_first_real_mail(
    clean: Site, new_context: Callable[..., BrowserContext], tmp_path: Path
) -> None:
    site, project = clean, "Brand A launch"
    for address in (CLIENT, COLLEAGUE):
        site.bed.clear(address)
    olena = site.admin.call(
        "res.partner", "search", [("email", "=", COLLEAGUE), ("user_ids", "!=", False)]
    )
    task = steps.new_task(
        site.admin,
        site.ids["project_brand_a"],
        "First mail",
        (site.ids["customer"], *olena),
    )
    file = tmp_path / FILE_NAME
    file.write_bytes(FILE_CONTENT)

    annas, admins = new_context().new_page(), new_context().new_page()
    sign_in(annas, site, "anna")
    connect_own_address(annas, site)
    bind_own_address(annas, project)
    sign_in(admins, site, "admin")
    connect_company_address(admins, site, project)

    annas.goto(f"{site.odoo.url}/odoo/project.task/{task}")
    annas.get_by_role("button", name="Send message").click()
    default = annas.locator(".o-mail-ExternalSenderPicker")
    expect(default).to_contain_text("personal default for “Brand A launch”")
    expect(default.locator("select option")).to_contain_text(
        [f"Anna Kovalenko <{ANNA}>", f"Brand B Support <{SUPPORT}>", "Odoo"]
    )
    annas.get_by_role("button", name="Send message").click()
    write_to_customer(annas, "Personally yours", f"Anna Kovalenko <{ANNA}>", file)
    write_to_customer(annas, "From the team", f"Brand B Support <{SUPPORT}>", file)

    site.bed.wait_for(CLIENT, 2)
    site.bed.wait_for(COLLEAGUE, 2)
    customers = {m.envelope_from: m for m in site.bed.messages(CLIENT)}
    assert len(site.bed.messages(CLIENT)) == 2, "one copy of each"
    assert customers.keys() == {ANNA, SUPPORT}
    for address, name, text in (
        (ANNA, "Anna Kovalenko", "Personally yours"),
        (SUPPORT, "Brand B Support", "From the team"),
    ):
        mail = customers[address]
        assert steps.sender_of(mail) == (name, address)
        assert text in steps.html_text(mail)
        replies = mail.message["Reply-To"] or mail.message["From"]
        assert address in replies and "corp.test" not in replies, "answers go to it"
        [attachment] = mail.message.iter_attachments()
        assert attachment.get_filename() == FILE_NAME
        assert attachment.get_payload(decode=True) == FILE_CONTENT

    colleagues = site.bed.messages(COLLEAGUE)
    assert len(colleagues) == 2
    for mail in colleagues:
        assert steps.sender_of(mail)[1] == "anna@corp.test", "Odoo's own From"
        assert mail.envelope_from not in (ANNA, SUPPORT)
