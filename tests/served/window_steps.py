"""The connect window in the browser."""

import steps
from playwright.sync_api import Page, expect


def line(page: Page, step: str, state: str) -> None:
    """Wait for one line of the test to be in a state."""
    found = page.locator(f"[data-step={step}]")
    expect(found).to_have_attribute("data-state", state, timeout=15_000)


def fill_in(page: Page, email: str, password: str) -> None:
    dialog = page.locator(".modal")
    address = dialog.locator("[name=email] input")
    address.fill(email)
    address.press("Tab")
    expect(dialog.locator("[name=provider_id] input")).to_have_value(
        f"{email.partition('@')[2].removesuffix('.test')} mail"
    )
    type_password(page, password)


def type_password(page: Page, password: str) -> None:
    steps.TYPED.add(password)
    page.locator(".modal [name=password] input").fill(password)
    page.get_by_role("button", name="Test account").click()


def save(page: Page) -> None:
    page.locator(".modal button[name=action_save]").click()
    expect(page.locator(".modal")).to_have_count(0, timeout=15_000)
