"""What the user sees who enters an address, for domains of each kind, in two languages.

With MEA_PICTURES set to a folder the pictures of docs/connecting.md are put there:

    MEA_PICTURES=$PWD/docs/connecting ./dev test tests/served -k user_sees
"""

import os
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import pytest
from browser_steps import sign_in
from discovery_scene import OwnWorld, configuration
from PIL import Image
from playwright.sync_api import BrowserContext, Locator, Page, expect

LANGUAGES = ("en_US", "uk_UA")
HOST = "mail.brand-a.test"
ZONE = """
workspace.test. 60 IN MX 1 aspmx.l.google.com.
workspace.test. 60 IN MX 5 alt1.aspmx.l.google.com.
firm365.test. 60 IN MX 0 firm365-test.mail.protection.outlook.com.
brand-a.test. 60 IN MX 10 mail.brand-a.test.
"""


CLIENTS = {
    "google": "123456789012-firm.apps.googleusercontent.com",
    "microsoft": "11111111-2222-3333-4444-555555555555",
}


class Case(NamedTuple):
    """An address; which service is chosen by itself; where what was found is from;
    whom one signs in with, instead of a password."""

    name: str
    email: str
    service: str = ""
    source: str = ""
    signs_in: str = ""


CASES = (
    Case("gmail", "anna@gmail.com", "gmail", "", "Google"),
    Case("workspace", "anna@workspace.test", "gmail", "mx", "Google"),
    Case("outlook", "anna@outlook.com", "outlook", "", "Microsoft"),
    Case("microsoft365", "anna@firm365.test", "microsoft365", "mx", "Microsoft"),
    Case("ukrnet", "anna@ukr.net", "ukrnet"),
    Case("icloud", "anna@icloud.com", "icloud"),
    Case("autoconfig", "anna@brand-a.test", "", "autoconfig"),
    Case("nothing", "anna@bare.test"),
)


@pytest.fixture(scope="module")
def firm(own_world: OwnWorld) -> Iterator[OwnWorld]:
    """With applications of Google and Microsoft, as an administrator enters them."""
    world, admin = own_world, own_world.site.admin
    world.names.add(ZONE)
    world.configure("brand-a.test", configuration(world.site.bed, HOST))
    applications = [
        {"name": kind, "kind": kind, "client_id": client, "client_secret": "not-real"}
        for kind, client in CLIENTS.items()
    ]
    made = admin.call("mail.external.application", "create", applications)
    yield world
    admin.call("mail.external.application", "unlink", made)


def speak(world: OwnWorld, language: str) -> None:
    admin, anna = world.site.admin, world.site.anna.uid
    domain = [("code", "=", language)]
    found = admin.call("res.lang", "search", domain, context={"active_test": False})
    admin.call("res.lang", "write", found, {"active": True})
    admin.call("res.users", "write", [anna], {"lang": language})


def open_window(page: Page, world: OwnWorld) -> Locator:
    sign_in(page, world.site, "anna")
    page.goto(f"{world.site.odoo.url}/odoo/my-preferences/{world.site.anna.uid}")
    page.locator("[role=tab][name=external_addresses]").click()
    page.locator("button[name=action_add_external_address]").click()
    return page.locator(".modal")


def service_name(world: OwnWorld, xmlid: str, language: str) -> str:
    admin = world.site.admin
    domain = [
        ("module", "=", "mail_external_account"),
        ("name", "=", f"provider_{xmlid}"),
    ]
    [row] = admin.call("ir.model.data", "search_read", domain, ["res_id"])
    [preset] = admin.call(
        "mail.external.provider",
        "read",
        [row["res_id"]],
        ["display_name"],
        context={"lang": language},
    )
    return str(preset["display_name"])


def take(dialog: Locator, name: str) -> None:
    """The window down to what it says of the service, when pictures are wanted."""
    folder = os.environ.get("MEA_PICTURES")
    if not folder:
        return
    page = dialog.page
    page.wait_for_timeout(500)  # what fades in
    Path(folder).mkdir(parents=True, exist_ok=True)
    top = dialog.locator(".modal-content").bounding_box()
    end = dialog.locator(".o_external_account_test").bounding_box()
    assert top and end
    clip = {
        "x": top["x"],
        "y": top["y"],
        "width": top["width"],
        "height": end["y"] - top["y"],
    }
    octets = page.screenshot(clip=clip)  # type: ignore[arg-type]
    picture = Image.open(BytesIO(octets)).convert("RGB").quantize(64)
    picture.save(Path(folder) / f"{name}.png", optimize=True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_the_user_sees(
    firm: OwnWorld, language: str, new_context: Callable[..., BrowserContext]
) -> None:
    speak(firm, language)
    page = new_context(viewport={"width": 760, "height": 1600}).new_page()
    for case in CASES:
        dialog = open_window(page, firm)
        address = dialog.locator("[name=email] input")
        address.fill(case.email)
        address.press("Tab")
        found = dialog.locator(".o_external_account_found")
        service = dialog.locator("[name=provider_id] input")
        if case.source:
            expect(found).to_contain_text(case.email.partition("@")[2])
        if case.service:
            expect(service).to_have_value(service_name(firm, case.service, language))
        if case.signs_in:
            button = dialog.locator("button", has_text=case.signs_in)
            expect(button.first).to_be_visible()
        # nothing is said of a service that nobody knows
        told = dialog.locator("[name=guidance], [name=provider_note]")
        seen = told.filter(visible=True)
        if case.service:
            expect(seen.first).to_be_visible()
        else:
            expect(seen).to_have_count(0)
        if case.name == "nothing":
            told = dialog.locator("[data-source=names]")
            expect(told).not_to_contain_text("…", timeout=20_000)
            expect(
                dialog.locator(".o_external_account_discovery .alert")
            ).to_be_visible()
        take(dialog, f"{case.name}_{language[:2]}")
