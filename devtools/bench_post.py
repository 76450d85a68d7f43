"""``./dev bench post``: a comment to three external contacts, as a browser posts it.

Four Odoo servers, one request at a time, in turns: stock Odoo, twice; the addon without
any account; the addon with accounts, of which the poster's default is picked by itself.
The second stock server tells what two servers differ by that are the same: a ratio
means nothing that is not further from 1 than ``time_ratio_noise``.
Stock sends its mail at the end of the request and the addon never does. So with
accounts the comparison that counts is the stricter one, where stock only queues its
mail too (``queries_with``, ``time_ratio_with``); ``time_ratio_with_sending`` is against
a stock Odoo that sends, to a server that answers at once. What is done after the answer
(waking the cron workers) is not part of it.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median_low

from .bench import Bench, Value, in_turns, ratio
from .bench_browser import chatter_requests
from .console import say, step
from .rpc import OdooClient
from .served import ServedOdoo
from .state import REPOSITORY
from .testbed.fault_actions import Delay, Hang
from .testbed.faults import FaultServer

STOCK, AGAIN, WITHOUT, WITH = "stock", "again", "without", "with"
WARM_UP, ROUNDS, CHATTER_ROUNDS, SLOW_ROUNDS = 10, 120, 40, 90
SLOW_SECONDS, PAUSE_SECONDS = 0.02, 0.2
LOGIN = "bench"
POST, DATA = "/mail/message/post", "/mail/data"
MESSAGES = "/mail/thread/messages"
#: As static/src/chatter/web/chatter_patch.js of mail asks for.
REQUEST_LIST = [
    *("activities", "attachments", "contact_fields", "followers"),
    *("scheduledMessages", "suggestedRecipients"),
]
_DELIVER = """
while env["mail.mail"].search_count(
    [("state", "=", "outgoing"), ("sending_address_id", "!=", False)]
):
    env["mail.external.account"]._cron_deliver()
    env.cr.commit()
"""
_INSIDE = REPOSITORY / "devtools" / "inside"
_PERFORMANCE = re.compile(r'"POST (/mail/\S+) HTTP/[\d.]+" 200 - (\d+) [\d.]+ [\d.]+')


@dataclass
class Site:
    """One of the servers, and the poster's session."""

    served: ServedOdoo
    client: OdooClient
    tasks: list[int]

    def post(self, task: int = 0, *, sending: bool = False) -> float:
        """Post a comment; return the request's seconds.

        :param sending: as users do; else mail of Odoo's own server only queues
        """
        params = {
            "thread_model": "project.task",
            "thread_id": self.tasks[task],
            "post_data": {
                "body": "<p>Hello</p>",
                "message_type": "comment",
                "subtype_xmlid": "mail.mt_comment",
                "email_add_signature": True,
            },
            "context": {} if sending else {"mail_notify_force_send": False},
        }
        seconds = self._timed(POST, params)
        time.sleep(PAUSE_SECONDS)  # what goes on after the answer is over
        return seconds

    def open_chatter(self) -> float:
        """Make the two requests of a chatter that is opened; return their seconds."""
        thread = {"thread_model": "project.task", "thread_id": self.tasks[0]}
        data = ["mail.thread", {**thread, "request_list": REQUEST_LIST}]
        return self._timed(DATA, {"fetch_params": [data]}) + self._timed(
            MESSAGES, {**thread, "fetch_params": {"limit": 30}}
        )

    def _timed(self, route: str, params: dict[str, object]) -> float:
        began = time.perf_counter()
        self.client.post(route, params)
        return time.perf_counter() - began

    def queries(self, route: str, latest: int) -> int:
        """Return the queries of the middle one of the ``latest`` requests of a route.

        Odoo counts those of all cursors, also after the commit (odoo/netsvc.py).
        """
        numbers = [
            int(queries)
            for path, queries in _PERFORMANCE.findall(self.served.log())
            if path == route
        ]
        return median_low(numbers[-latest:])


def measure(bench: Bench) -> dict[str, Value]:
    """Return the content of the line."""
    with ExitStack() as stack:
        relay = stack.enter_context(FaultServer("smtp", "none"))
        servers = [stack.enter_context(FaultServer("smtp", "ssl")) for _ in range(4)]
        with step("Making four databases"):
            databases = _databases(bench, servers)
            delivering = bench.odoo.clone(databases[WITH][0], "bench-delivering")
        result: dict[str, Value] = {}
        with _served(bench, databases, relay.port, cron_threads=0) as sites:
            with step(f"Posting {ROUNDS} comments a side, queued and sent"):
                result.update(_posting(sites))
            with step("Opening chatters"):
                waiting = _chatters(sites)
                sites[WITH].served.shell(_DELIVER)
                result.update(_chatters(sites))
                result["chatter_queries_waiting"] = waiting["chatter_queries"]
                result["chatter_requests"] = _requests(sites)
        with step(f"Posting {SLOW_ROUNDS} comments a server, answering, slow and hung"):
            tasks = databases[WITH][1]
            only = {WITH: (delivering, tasks)}
            with _served(bench, only, relay.port, cron_threads=2) as sites:
                result.update(_slow_servers(sites[WITH], servers))
        bench.odoo.drop(delivering)
    return result


def _databases(
    bench: Bench, servers: list[FaultServer]
) -> dict[str, tuple[str, list[int]]]:
    """Make the sides' databases; side -> (database, its tasks)."""
    odoo, site = bench.odoo, (_INSIDE / "bench_site.py").read_text()
    templates = {
        STOCK: odoo.stock_template(),
        AGAIN: odoo.stock_template(),
        WITHOUT: odoo.addon_template(),
        WITH: odoo.addon_template(),
    }
    made = {}
    for side, template in templates.items():
        database = bench.database(template, side)
        config = odoo.write_config(bench.folder / f"{side}.conf", database)
        ids = json.loads(odoo.shell(config, site).splitlines()[-1])
        made[side] = (database, ids["tasks"])
        if side == WITH:
            accounts = {
                "ca": servers[0].ca_pem,
                "projects": ids["projects"],
                "ports": [server.port for server in servers],
            }
            script = (_INSIDE / "bench_accounts.py").read_text()
            odoo.shell(config, script, env={"BENCH_ACCOUNTS": json.dumps(accounts)})
    return made


@contextmanager
def _served(
    bench: Bench,
    databases: dict[str, tuple[str, list[int]]],
    smtp_port: int,
    cron_threads: int,
) -> Iterator[dict[str, Site]]:
    """Serve the databases; side -> its server, warm."""
    with ExitStack() as stack:
        sites = {}
        for side, (database, tasks) in databases.items():
            served = ServedOdoo(
                bench.odoo,
                database,
                bench.folder,
                smtp_port=smtp_port,
                cron_threads=cron_threads,
            )
            stack.enter_context(served)
            sites[side] = Site(served, served.rpc(LOGIN), tasks)
        for site in sites.values():
            for _ in range(WARM_UP):
                site.post()
                site.post(sending=True)
                site.open_chatter()
        yield sites


def _posting(sites: dict[str, Site]) -> dict[str, Value]:
    tasks: dict[str, Callable[[], float]] = {s: sites[s].post for s in sites}
    queued = in_turns(tasks, ROUNDS)
    queries = {side: sites[side].queries(POST, ROUNDS) for side in sites}
    tasks = {side: partial(sites[side].post, sending=True) for side in sites}
    sent = in_turns(tasks, ROUNDS)
    queries_sent = {side: sites[side].queries(POST, ROUNDS) for side in sites}
    return {
        "queries_with": queries[WITH] - queries[STOCK],
        "queries_without": max(
            queries[WITHOUT] - queries[STOCK],
            queries_sent[WITHOUT] - queries_sent[STOCK],
            key=abs,
        ),
        "time_ratio_with": ratio(queued[WITH], queued[STOCK]),
        "time_ratio_without": ratio(sent[WITHOUT], sent[STOCK]),
        "time_ratio_noise": ratio(queued[AGAIN], queued[STOCK]),
        "time_ratio_noise_sending": ratio(sent[AGAIN], sent[STOCK]),
        "queries_stock": queries[STOCK],
        "queries_with_sending": queries_sent[WITH] - queries_sent[STOCK],
        "time_ratio_with_sending": ratio(sent[WITH], sent[STOCK]),
    }


def _chatters(sites: dict[str, Site]) -> dict[str, Value]:
    tasks = {side: sites[side].open_chatter for side in (STOCK, WITHOUT, WITH)}
    seconds = in_turns(tasks, CHATTER_ROUNDS)
    queries = {
        side: sum(sites[side].queries(r, CHATTER_ROUNDS) for r in (DATA, MESSAGES))
        for side in tasks
    }
    return {
        "chatter_queries": queries[WITH] - queries[STOCK],
        "chatter_queries_without": queries[WITHOUT] - queries[STOCK],
        "chatter_time_ratio_with": ratio(seconds[WITH], seconds[STOCK]),
    }


def _requests(sites: dict[str, Site]) -> Value:
    """Return how many more requests a browser makes with the addon."""
    found = {}
    for side in (STOCK, WITH):
        site = sites[side]
        routes = chatter_requests(site.served, LOGIN, site.tasks[0])
        if routes is None:
            return None
        found[side] = routes
        say(f"  {side}: {dict(sorted(routes.items()))}")
    return found[WITH].total() - found[STOCK].total()


def _slow_servers(site: Site, servers: list[FaultServer]) -> dict[str, Value]:
    """Post by accounts whose servers misbehave while Odoo is sending to them."""
    _default, answering, slow, hung = servers
    slow.misbehave({name: Delay(SLOW_SECONDS) for name in ("greeting", *_SMTP_STEPS)})
    hung.misbehave({"greeting": Hang()})
    numbers = {"answering": 1, "slow": 2, "hung": 3}
    seconds = in_turns(
        {name: partial(site.post, task) for name, task in numbers.items()}, SLOW_ROUNDS
    )
    return {
        "request_ratio_slow": ratio(seconds["slow"], seconds["answering"]),
        "request_ratio_hung": ratio(seconds["hung"], seconds["answering"]),
        "request_seconds_worst": round(max(map(max, seconds.values())), 2),
    }


_SMTP_STEPS = ("ehlo", "auth", "mail", "rcpt", "data", "body", "rset", "quit")
