"""Signing in at a mail service, in the browser: set up, connected, used, ended."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import mailbox_steps as box
import oauth_steps
import pytest
import steps
from browser_steps import sign_in, speaking
from composer_steps import write
from oauth_scene import (
    ANNA,
    APPLICATION,
    PROVIDER,
    SERVICE_NAME,
    SignInSite,
    values_of_application,
)
from playwright.sync_api import BrowserContext, Locator, Page, expect
from site_setup import Site
from window_steps import line, save

from devtools.testbed import clients
from devtools.testbed.authorization import AuthorizationServer
from devtools.testbed.bed import TestBed

CLIENT = "client@customer.test"
DESK = {"width": 1400, "height": 900}
PHONE = {"width": 390, "height": 844}
#: Where pictures go that somebody wants to look at.
PICTURES = os.environ.get("MEA_PICTURES")


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.evaluate("document.querySelector('.o_content')?.scrollTo(0, 0)")
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


def fill(page: Page, name: str, value: object) -> None:
    """Fill in a field of the form that is open, of whatever kind."""
    field = page.locator(f".o_field_widget[name={name}]").first
    if isinstance(value, bool):
        field.locator("input[type=checkbox]").set_checked(value)
    else:
        field.locator("input, textarea").first.fill(str(value))


def choose(page: Page, name: str, label: str) -> None:
    """Choose from a selection, whichever widget shows it."""
    field = page.locator(f".o_field_widget[name={name}]").first
    if field.locator("input[type=radio]").count():
        field.get_by_label(label).check()
        return
    field.locator("input").first.click()
    page.locator(".o_select_menu_item", has_text=label).first.click()


def saved(page: Page) -> None:
    """Save the form that is open."""
    page.locator(".o_form_button_save").click()
    expect(page.locator(".o_form_button_save")).to_be_hidden()


def open_new(page: Page, site: Site, action: str) -> None:
    page.goto(f"{site.odoo.url}/odoo/action-mail_external_account.{action}/new")
    expect(page.locator(".o_form_view")).to_be_visible()


def register(page: Page, site: Site, service: AuthorizationServer) -> None:
    """The administrator registers Odoo at the service, and checks it."""
    open_new(page, site, "mail_external_application_action")
    values = values_of_application(site, service)
    choose(page, "kind", "Another service")
    for name in values.keys() - {"kind", "client_secret"}:
        fill(page, name, values[name])
    fill(page, "client_secret", "not the secret")
    saved(page)
    redirect = page.locator(".o_field_widget[name=redirect_uri]")
    expect(redirect).to_contain_text("/mail_external_account/oauth2/")
    service.allow_redirect(redirect.inner_text().strip())
    check(page, "danger", "The check failed")
    picture(page, "application-refused")
    fill(page, "client_secret", values["client_secret"])
    saved(page)
    check(page, "success", "The service accepts this application")
    picture(page, "application")
    assert values["client_secret"] not in page.content()


def check(page: Page, kind: str, told: str) -> None:
    """Press "Check" from far below; what comes of it is seen there, and stays above."""
    page.get_by_role("button", name="Check", exact=True).click()
    notice = page.locator(f".o_notification_bar.bg-{kind}")
    expect(notice).to_be_visible()
    expect(page.locator(".alert", has_text=told)).to_be_visible()
    page.locator(".o_notification_close").click()
    expect(notice).to_have_count(0)


def describe_mail_service(page: Page, site: Site) -> None:
    """The administrator says at which servers people of it have their mailboxes."""
    bed = site.bed
    open_new(page, site, "mail_external_provider_action")
    fill(page, "name", "Mail of Brand A")
    fill(page, "domains", "brand-a.test")
    for kind, port in (("smtp", bed.smtp_ssl), ("imap", bed.imap_ssl)):
        fill(page, f"{kind}_host", bed.host)
        fill(page, f"{kind}_port", port)
    choose(page, "oauth_kind", "Another service")
    field = page.locator(".o_field_widget[name=application_id] input")
    field.fill(SERVICE_NAME)
    page.locator(".o-autocomplete--dropdown-item", has_text=SERVICE_NAME).first.click()
    saved(page)
    picture(page, "mail-service")


def open_window(page: Page, site: Site, email: str) -> Locator:
    """Anna's connect window, with her address typed."""
    page.goto(f"{site.odoo.url}/odoo/my-preferences/{site.anna.uid}")
    page.locator(".nav-link[name=external_addresses]").click()
    page.locator("[name=action_add_external_address]").first.click()
    address = page.locator(".modal [name=email] input")
    address.fill(email)
    address.press("Tab")
    return page.locator(".modal")


def at_the_service(page: Page, button: Locator, *, agrees: bool = True) -> Page:
    """Press a button that opens the service's page; return the tab, back at Odoo."""
    with page.context.expect_page() as opening:
        button.click()
    tab = opening.value
    oauth_steps.sign_in_on_page(tab, ANNA, agrees=agrees)
    tab.wait_for_url("**/mail_external_account/signed_in/*")
    assert "code=" not in tab.url and "state=" not in tab.url
    return tab


def connect(page: Page, site: Site) -> None:
    dialog = open_window(page, site, ANNA)
    button = dialog.get_by_role("button", name=f"Sign in with {SERVICE_NAME}")
    tab = at_the_service(page, button, agrees=False)
    expect(tab.locator("main:not(.good)")).to_contain_text("cancelled")
    picture(tab, "not-signed-in")
    tab.close()
    expect(dialog.locator(".o_external_account_sign_in")).to_contain_text("Sign in")
    picture(page, "window-cancelled")
    tab = at_the_service(page, button)
    expect(tab.locator("main.good")).to_contain_text(f"Signed in as {ANNA}")
    picture(tab, "signed-in")
    tab.close()
    for step in ("smtp_login", "smtp_sender", "incoming_login"):
        line(page, step, "passed")
    picture(page, "window-tested")
    save(page)
    row = page.locator("[name=external_address_ids] tr", has_text=ANNA)
    expect(row).to_contain_text("Working")


def converse(page: Page, site: Site, address: int, text: str) -> None:
    """Write to the customer from a task; the answer comes into it."""
    project = site.ids["project_brand_a"]
    task = steps.new_task(site.admin, project, text, (site.ids["customer"],))
    site.bed.clear(CLIENT)
    page.goto(f"{site.odoo.url}/odoo/project.task/{task}")
    write(page, f"Question {text}", f"Anna Kovalenko <{ANNA}>")
    page.locator(".o-mail-Composer-send").click()
    message = page.locator(".o-mail-Message", has_text=f"Question {text}")
    expect(message).to_contain_text(f"through {ANNA}")
    [mail] = site.bed.wait_for(CLIENT, 1)
    before = len(site.bed.messages(ANNA))
    raw = clients.answer("gmail", mail.raw, text=f"Answer {text}")
    site.bed.deliver(CLIENT, ANNA, raw)
    site.bed.wait_for(ANNA, before + 1)
    box.fetch(site, address)
    page.reload()
    expect(page.locator(".o-mail-Message", has_text=f"Answer {text}")).to_be_visible()
    picture(page, f"task-{text}")


@pytest.fixture
def set_up_in_browser(
    clean: Site, oauth_bed: TestBed, sign_in_service: AuthorizationServer
) -> Iterator[Site]:
    """What a test makes of applications and mail services goes at its end."""
    site = clean
    steps.forget_tests(site.odoo)
    known = {m: site.admin.call(m, "search", []) for m in (PROVIDER, APPLICATION)}
    ours = site.admin.call(PROVIDER, "search", [("domains", "=", "brand-a.test")])
    site.admin.call(PROVIDER, "write", ours, {"active": False})
    sign_in_service.forget()
    yield site
    site.admin.call(PROVIDER, "write", ours, {"active": True})
    site.remove_accounts()
    for model, ids in known.items():
        made = site.admin.call(model, "search", [("id", "not in", ids)])
        site.admin.call(model, "unlink", made)


def test_from_the_registration_to_signing_in_again(
    set_up_in_browser: Site,
    sign_in_service: AuthorizationServer,
    new_context: Callable[..., BrowserContext],
) -> None:
    site, service = set_up_in_browser, sign_in_service
    admins = new_context().new_page()
    sign_in(admins, site, "admin")
    register(admins, site, service)
    describe_mail_service(admins, site)

    annas = new_context(ignore_https_errors=True).new_page()
    sign_in(annas, site, "anna")
    connect(annas, site)
    [address] = site.admin.call(steps.ADDRESS, "search", [("email", "=", ANNA)])
    box.fetch(site, address)
    converse(annas, site, address, "signed in")

    service.revoke(ANNA)
    service.expire(ANNA)
    site.bed.clear("anna@corp.test")
    steps.sql(
        site.odoo,
        "UPDATE mail_external_secret SET renew_at = now() AT TIME ZONE 'UTC'",
    )
    site.admin.call(steps.ADDRESS, "action_fetch_now", [address])
    [link] = oauth_steps.links_told(site, "anna@corp.test")
    annas.goto(link)
    tab = annas
    oauth_steps.sign_in_on_page(tab, ANNA)
    expect(tab.locator("main.good")).to_contain_text(f"Signed in as {ANNA}")
    tab.get_by_role("link", name="Go on in Odoo").click()
    line(tab, "smtp_sender", "passed")
    line(tab, "incoming_login", "passed")
    picture(tab, "signed-in-again")
    save(tab)
    converse(annas, site, address, "again")


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_screens_in_ukrainian_and_on_a_phone(
    oauth: SignInSite,
    new_context: Callable[..., BrowserContext],
    viewport: dict[str, int],
) -> None:
    """The window and the page at the end fit, and nothing of them is English."""
    site = oauth.site
    name = f"uk-{viewport['width']}"
    context = new_context(ignore_https_errors=True, viewport=viewport)
    with speaking(site, site.anna, "uk_UA"):
        page = context.new_page()
        sign_in(page, site, "anna")
        dialog = open_window(page, site, ANNA)
        button = dialog.locator(".o_external_account_sign_in_button")
        expect(button).to_be_visible()
        picture(page, f"window-{name}")
        tab = at_the_service(page, button)
        expect(tab.locator("main.good")).to_be_visible()
        picture(tab, f"signed-in-{name}")
        text = tab.locator("main").inner_text()
        assert "igned in" not in text and ANNA in text, text
        for each in (page, tab):
            assert _fits(each), each.url
        line(page, "smtp_sender", "passed")
        picture(page, f"tested-{name}")
        text = dialog.locator(".o_external_account_sign_in").inner_text()
        assert "ign" not in text.replace(ANNA, "").replace(SERVICE_NAME, ""), text


def _fits(page: Page) -> bool:
    """Whether nobody has to scroll sideways."""
    return bool(
        page.evaluate(
            "({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth",
            page.evaluate_handle("document.documentElement"),
        )
    )
