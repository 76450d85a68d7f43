"""Checks and codes of the connect window by every protocol, also while one waits."""

import json
import urllib.error
import urllib.request
import xmlrpc.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import steps
from site_setup import Site
from steps import Window

from devtools.rpc import OdooClient, OdooRpcError
from devtools.testbed.faults import FaultServer

CODE = "action_send_code"


def window_at(client: OdooClient, server: FaultServer, **values: Any) -> Window:
    window = Window(client)
    window.type_address("second@customer.test")
    own = {**steps.SEND_ONLY, **steps.at(server), "smtp_login": "x", "password": "q"}
    window.enter(**{**own, **values})
    return window


def session(client: OdooClient, window: Window) -> Window:
    """The same window, in another session of its user."""
    other = Window.__new__(Window)
    other.client, other.id, other.context = client, window.id, {}
    return other


def by_xmlrpc(site: Site, window: Window, method: str, *args: Any) -> Any:
    proxy = xmlrpc.client.ServerProxy(f"{site.odoo.url}/xmlrpc/2/object")
    who = (site.odoo.database, site.bohdan.uid, "bohdan")
    return proxy.execute_kw(*who, steps.WINDOW, method, [[window.id], *args])


def by_jsonrpc(site: Site, window: Window, method: str, *args: Any) -> Any:
    who = [site.odoo.database, site.bohdan.uid, "bohdan"]
    call = [*who, steps.WINDOW, method, [[window.id], *args]]
    params = {"service": "object", "method": "execute_kw", "args": call}
    return site.bohdan.post("/jsonrpc", params)


def by_json2(site: Site, key: str, window: Window, method: str, **more: Any) -> Any:
    request = urllib.request.Request(  # noqa: S310 (our own server's)
        f"{site.odoo.url}/json/2/{steps.WINDOW}/{method}",
        data=json.dumps({"ids": [window.id], **more}).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"bearer {key}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return json.load(answer)


def each_way(site: Site, key: str, window: Window) -> list[Callable[[], Any]]:
    """All the ways to a check and to a code."""
    step = "smtp_port"
    return [
        lambda: window.check(step),
        lambda: by_xmlrpc(site, window, "run_check", step),
        lambda: by_jsonrpc(site, window, "run_check", step),
        lambda: by_json2(site, key, window, "run_check", step=step),
        lambda: window.press(CODE),
        lambda: by_xmlrpc(site, window, CODE),
        lambda: by_json2(site, key, window, CODE),
    ]


def said(call: Callable[[], Any]) -> str:
    """The refusal, or nothing when it was done."""
    try:
        call()
    except OdooRpcError as error:
        return str(error)
    except xmlrpc.client.Fault as error:
        return str(error.faultString)
    except urllib.error.HTTPError as error:
        return f"{error.code} {json.load(error).get('message')}"
    return ""


@contextmanager
def under_way(site: Site, call: Callable[[], Any]) -> Iterator[list[str]]:
    """Inside, ``call`` waits for its server; then the list holds what it ``said``."""
    outcome: list[str] = []
    running = Thread(target=lambda: outcome.append(said(call)))
    running.start()
    try:
        steps.until(lambda: turns(site), "it is under way", 10)
        yield outcome
    finally:
        running.join()


def turns(site: Site) -> list[Any]:
    """For how many seconds each check that is under way may take."""
    rows = steps.sql(
        site.odoo,
        "SELECT extract(epoch FROM running_until - create_date)::float"
        " FROM mail_external_account_connect_check"
        " WHERE running_until > now() AT TIME ZONE 'UTC'",
    )
    return [row[0] for row in rows]


def counted(site: Site) -> int:
    statement = "SELECT count(*) FROM mail_external_account_connect_check"
    return int(steps.sql(site.odoo, statement)[0][0])


def waiting_connections(site: Site) -> list[Any]:
    """Connections whose transaction is open for longer than a moment."""
    return steps.sql(
        site.odoo,
        "SELECT query FROM pg_stat_activity WHERE datname = current_database()"
        " AND state LIKE 'idle in transaction%%'"
        " AND now() - state_change > interval '1 second'",
    )
