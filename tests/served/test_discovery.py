"""The settings of unknown domains, found while the user looks on, in the browser."""

import threading
import time
from typing import Any

import steps
from browser_steps import sign_in
from discovery_scene import DIRECTORY, OwnWorld, configuration
from playwright.sync_api import Locator, Page, expect
from site_setup import allow_private_hosts
from window_steps import line, type_password

from devtools.rpc import OdooClient
from devtools.testbed.bed import PASSWORD
from devtools.testbed.web_server import Page as WebPage

HOST = "mail.brand-a.test"
WINDOW = "mail.external.account.connect"


def open_window(page: Page, world: OwnWorld, login: str = "anna") -> Locator:
    site = world.site
    sign_in(page, site, login)
    user = getattr(site, login).uid
    page.goto(f"{site.odoo.url}/odoo/my-preferences/{user}")
    page.get_by_role("tab", name="External Addresses").click()
    page.get_by_role("button", name="Add External Address").click()
    return page.locator(".modal")


def type_address(dialog: Locator, email: str) -> None:
    address = dialog.locator("[name=email] input")
    address.fill(email)
    address.press("Tab")


def servers(dialog: Locator) -> Locator:
    dialog.get_by_role("tab", name="Server Settings").click()
    return dialog.locator("[name=smtp_host] input")


def test_a_domain_with_autoconfig(own_world: OwnWorld, page: Page) -> None:
    """Address, password, test: nothing of the servers is typed."""
    world = own_world
    world.configure("brand-a.test", configuration(world.site.bed, HOST))
    dialog = open_window(page, world)
    type_address(dialog, "anna@brand-a.test")
    found = dialog.locator(".o_external_account_found")
    expect(found).to_contain_text("Found by autoconfig of brand-a.test")
    expect(found).to_contain_text(f"SMTP {HOST}:{world.site.bed.smtp_ssl}")
    expect(servers(dialog)).to_have_value(HOST)
    expect(dialog.locator("[name=smtp_login] input")).to_have_value("anna@brand-a.test")
    expect(dialog.locator("[name=incoming_host] input")).to_have_value(HOST)
    type_password(page, PASSWORD)
    line(page, "incoming_listing", "passed")
    expect(found).to_contain_text("Found by autoconfig of brand-a.test")
    # it proves no more than servers that were typed
    expect(dialog.get_by_role("button", name="Send me a code")).to_be_visible()


def test_a_domain_without_anything(own_world: OwnWorld, page: Page) -> None:
    """Each source says what came of it; the user goes on by hand."""
    dialog = open_window(page, own_world)
    type_address(dialog, "anna@bare.test")
    for source in ("mx", "srv", "autoconfig", "ispdb", "names"):
        row = dialog.locator(f"[data-source={source}]")
        expect(row).to_contain_text("nothing found", timeout=20_000)
    expect(
        dialog.get_by_text("This mail service is not known here: choose")
    ).to_be_visible()
    servers(dialog).fill("typed.bare.test")
    dialog.locator("[name=smtp_port] input").click()
    expect(dialog.locator(".o_external_account_discovery .alert")).to_have_count(0)
    told = [path for host, path in own_world.web.asked if host == DIRECTORY]
    assert "/v1.1/bare.test" in told
    assert not [path for path in told if "anna" in path]


def test_a_firm_whose_mail_a_known_service_takes(
    own_world: OwnWorld, page: Page
) -> None:
    world = own_world
    [gmail] = world.site.admin.call(
        "mail.external.provider", "search", [("domains", "like", "gmail.com")]
    )
    world.site.admin.call(
        "mail.external.provider",
        "write",
        [gmail],
        {"mx_patterns": "aspmx.l.google.com, *.aspmx.l.google.com"},
    )
    world.names.add("firm.test. 60 IN MX 1 aspmx.l.google.com.")
    dialog = open_window(page, world)
    type_address(dialog, "anna@firm.test")
    found = dialog.locator(".o_external_account_found")
    expect(found).to_contain_text("Found by the mail exchanger of firm.test")
    expect(dialog.locator("[name=provider_id] input")).not_to_have_value("")
    expect(servers(dialog)).to_have_value("smtp.gmail.com")
    # another domain: what was found goes again
    type_address(dialog, "anna@bare.test")
    expect(dialog.locator("[name=provider_id] input")).to_have_value("")
    expect(dialog.locator("[name=smtp_host] input")).to_have_value("")


def test_servers_of_others_are_confirmed_by_a_click(
    own_world: OwnWorld, page: Page
) -> None:
    world = own_world
    world.names.add(
        f"_submissions._tcp.own-b.test. 60 IN SRV 0 1 465 {HOST}.\n"
        f"_imaps._tcp.own-b.test. 60 IN SRV 0 1 993 {HOST}."
    )
    dialog = open_window(page, world)
    type_address(dialog, "anna@own-b.test")
    use = dialog.get_by_role("button", name="Use these settings")
    expect(use).to_be_visible()
    offer = dialog.locator(".o_external_account_discovery .alert")
    expect(offer).to_contain_text(f"not of your own domain: {HOST}")
    expect(servers(dialog)).to_have_value("")
    use.click()
    expect(dialog.locator("[name=smtp_host] input")).to_have_value(HOST)
    expect(dialog.locator("[name=incoming_host] input")).to_have_value(HOST)
    expect(dialog.locator(".o_external_account_found")).to_contain_text("DNS records")


def test_a_slow_source_holds_up_nobody(own_world: OwnWorld, page: Page) -> None:
    """The window goes on; what is typed stays; the search can be stopped."""
    world = own_world
    world.configure("own-c.test", WebPage(hang=True))
    dialog = open_window(page, world)
    type_address(dialog, "anna@own-c.test")
    running = dialog.locator("[data-source=autoconfig]")
    expect(running).to_contain_text("…")
    host = servers(dialog)
    host.fill("typed.own-c.test")
    dialog.locator("[name=smtp_port] input").click()
    expect(running).to_contain_text("…")
    dialog.get_by_role("button", name="Stop looking").click()
    expect(dialog.locator(".o_external_account_discovery .alert")).to_have_count(0)
    time.sleep(5)  # the answer of what was under way comes meanwhile
    expect(host).to_have_value("typed.own-c.test")
    assert not dialog.locator(".o_external_account_found").count()


def test_what_is_found_too_late_is_only_offered(
    own_world: OwnWorld, page: Page
) -> None:
    world = own_world
    document = configuration(world.site.bed, HOST)
    world.configure("own-d.test", WebPage(document.encode(), delay=2.5))
    dialog = open_window(page, world)
    type_address(dialog, "anna@own-d.test")
    expect(dialog.locator("[data-source=autoconfig]")).to_contain_text("…")
    host = servers(dialog)
    host.fill("typed.own-d.test")
    dialog.locator("[name=smtp_port] input").click()
    use = dialog.get_by_role("button", name="Use these settings")
    expect(use).to_be_visible()
    expect(host).to_have_value("typed.own-d.test")


def test_a_known_domain_asks_nobody(own_world: OwnWorld, page: Page) -> None:
    world = own_world
    world.names.asked.clear()
    world.web.asked.clear()
    dialog = open_window(page, world)
    type_address(dialog, "anna@ukr.net")
    expect(dialog.locator("[name=provider_id] input")).to_have_value("ukr.net")
    expect(servers(dialog)).to_have_value("smtp.ukr.net")
    time.sleep(2)
    assert not [name for name, _kind in world.names.asked if "ukr.net" in name]
    assert world.web.asked == []


def ask(world: OwnWorld, client: OdooClient, email: str, source: str) -> dict[str, Any]:
    """What a source answers to a remote caller."""
    authority = world.site.bed.ca_pem
    answer = client.call(WINDOW, "find_settings", email, source, authority)
    return dict(answer)


def test_an_employee_reaches_no_internal_host_by_it(own_world: OwnWorld) -> None:
    """Neither found nor contacted, with what leads there from outside, too."""
    world, client = own_world, own_world.site.bohdan
    world.configure("own-a.test", configuration(world.site.bed, HOST))
    world.names.add(
        "_submissions._tcp.inside.test. 60 IN SRV 0 1 465 intranet.inside.test."
    )
    world.lead("intranet.inside.test", to="10.0.0.1")
    allow_private_hosts(world.site.admin, False)
    world.web.asked.clear()
    connections = world.web.connections
    try:
        for email in ("x@own-a.test", "x@inside.test", "x@absent.test"):
            for source in client.call(WINDOW, "find_settings", email):
                began = time.monotonic()
                told = ask(world, client, email, source["source"])
                assert (told["found"], told["text"]) == (False, "nothing found")
                assert time.monotonic() - began > 0.99
    finally:
        allow_private_hosts(world.site.admin, True)
    assert world.web.connections == connections


def test_one_search_of_a_user_at_a_time(own_world: OwnWorld) -> None:
    """As with tests, so that nobody takes all of Odoo's workers."""
    world = own_world
    world.configure("own-c.test", WebPage(hang=True))
    told: list[object] = []
    asking = threading.Thread(
        target=lambda: told.append(
            ask(world, world.site.anna, "anna@own-c.test", "autoconfig")
        )
    )
    other = world.site.odoo.rpc("anna")
    began = time.monotonic()
    asking.start()
    time.sleep(1)
    refused = steps.refusal(ask, world, other, "anna@own-c.test", "names")
    assert "under way already" in str(refused)
    asking.join()
    assert told == [
        {"source": "autoconfig", "text": "no answer in time", "found": False}
    ]
    assert time.monotonic() - began < 7
    assert ask(world, other, "anna@own-c.test", "names")
