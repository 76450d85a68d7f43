"""The requests that a browser makes to open a chatter, for ``./dev bench post``."""

import os
import shutil
from collections import Counter

from .served import ServedOdoo

_PASSING = ("/web/image", "/web/assets", "/web/static", "/websocket")


def chatter_requests(served: ServedOdoo, login: str, task: int) -> Counter[str] | None:
    """Return how often each route is called while a task's form is opened.

    The second opening counts: the first one also loads what is kept afterwards.

    :return: None without Chromium
    """
    executable = shutil.which("chromium")
    if not executable:
        return None
    from playwright.sync_api import Request, sync_playwright

    routes: Counter[str] = Counter()

    def note(request: Request) -> None:
        path = request.url.removeprefix(served.url).partition("?")[0]
        if request.url.startswith(served.url) and not path.startswith(_PASSING):
            routes[path] += 1

    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--headless=new", *arguments]
        )
        page = browser.new_page()
        page.goto(f"{served.url}/web/login")
        page.fill("[name=login]", login)
        page.fill("[name=password]", login)
        page.click("button[type=submit]")
        page.wait_for_selector(".o_main_navbar", timeout=120_000)
        for _ in range(2):
            routes.clear()
            page.on("request", note)
            page.goto(f"{served.url}/odoo/m-project.task/{task}")
            page.wait_for_selector(".o-mail-Message", timeout=120_000)
            page.click(".o-mail-Chatter-sendMessage")
            page.wait_for_selector(".o-mail-Composer-input")
            page.wait_for_timeout(5_000)  # the bus is never idle
            page.remove_listener("request", note)
        browser.close()
    return routes
