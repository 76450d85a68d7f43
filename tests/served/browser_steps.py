"""What an employee does in the browser before a test's own part begins."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page
from site_setup import Site

from devtools.rpc import OdooClient


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


@contextmanager
def speaking(site: Site, client: OdooClient, language: str) -> Iterator[None]:
    """Inside, Odoo's screens speak to this user in a language ("uk_UA")."""
    if language != "en_US":
        # only our own texts: those of all modules take half a minute
        site.run_code(
            f"env['res.lang']._activate_lang({language!r})\n"
            "env.ref('base.module_mail_external_account')._update_translations("
            f"[{language!r}], overwrite=True)"
        )
    site.admin.call("res.users", "write", [client.uid], {"lang": language})
    try:
        yield
    finally:
        site.admin.call("res.users", "write", [client.uid], {"lang": "en_US"})
