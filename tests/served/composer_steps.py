"""Writing in the chatter, in the browser."""

from playwright.sync_api import Locator, Page, expect

PICKER = ".o-mail-ExternalSenderPicker"


def write(page: Page, text: str, sender: str | None = None) -> Locator:
    """Open the chatter's composer, pick ``sender`` and type; return the picker."""
    page.get_by_role("button", name="Send message").click()
    picker = page.locator(f"{PICKER} select")
    expect(picker).to_be_visible()
    if sender:
        picker.select_option(label=sender)
    if text:
        page.locator(".o-mail-Composer-input").fill(text)
    return picker
