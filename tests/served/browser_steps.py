"""What an employee does in the browser before a test's own part begins."""

from playwright.sync_api import Page
from site_setup import Site


def sign_in(page: Page, site: Site, login: str) -> None:
    """Sign the page's browser in without the form, which ``test_first_mail`` fills."""
    # As the web client tells it: at the first sign-in it becomes the user's, and the
    # form of the preferences needs one.
    zone = {"name": "tz", "value": "Europe/Kyiv", "url": site.odoo.url}
    page.context.add_cookies([zone])
    params = {"db": site.odoo.database, "login": login, "password": login}
    answer = page.request.post(
        f"{site.odoo.url}/web/session/authenticate",
        data={"jsonrpc": "2.0", "method": "call", "params": params},
    )
    assert answer.json()["result"]["uid"], answer.text()
