"""``./dev bench hostile``: what hostile mails, servers and users cost all others.

Twenty accounts send and get answers by real servers while a colleague opens a chatter,
without and with the hostile part, in one run: two mails that are hard to parse, a mail
service that is slow (both ways), a waiting message that is hard to send, and ninety
checks of one employee at a server that hangs. With threads, then with workers.
"""

import http.client
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from statistics import mean
from typing import Any

from .bench import Bench, Value
from .console import DevError, step
from .hostile_content import HARD_BODY, hard_mails, large_answer
from .rpc import OdooClient, OdooRpcError
from .served import ServedOdoo
from .state import REPOSITORY
from .testbed import clients
from .testbed.bed import PASSWORD, TestBed
from .testbed.delay import DelayProxy
from .testbed.faults import Drip, FaultServer, Hang

ACCOUNTS, CHECKS, LARGE, ROUNDS = 20, 90, 6, 2
#: A megabyte takes half a minute: each step keeps its limit.
SLOW_SPEED = 35_000.0
#: Seconds: for one round of mail, and for how long it is watched what Odoo does; it
#: ends a request or scheduled action of its own after 120.
ROUND_LIMIT, WATCHED = 180.0, 150.0
#: Seconds between two pages of the colleague.
PAUSE = 0.2
#: What Odoo writes when it gives up a process or itself (odoo/service/server.py).
RELOADS = re.compile(r"limit[^\n]*reached|timeout after|time limit exceeded")
#: Kind of server -> number of workers.
KINDS = {"threaded": 0, "workers": 2}
_INSIDE = REPOSITORY / "devtools" / "inside" / "bench_hostile.py"


def measure(bench: Bench) -> dict[str, Value]:
    """Return the content of the line: each figure, and the worse of both kinds."""
    reason = TestBed.missing()
    if reason:
        raise DevError(f"this bench needs the test bed: {reason}.")
    result: dict[str, Value] = {}
    with TestBed(bench.folder / "bed") as bed:
        for name, workers in KINDS.items():
            with Scene(bench, bed, name, workers) as scene:
                found = scene.measure()
            result.update({f"{key}_{name}": value for key, value in found.items()})
    for key in found:
        result[key] = max(result[f"{key}_{name}"] or 0 for name in KINDS)
    return result


class Scene:
    """An Odoo with the accounts; the hostile ones come last."""

    def __init__(self, bench: Bench, bed: TestBed, name: str, workers: int) -> None:
        self._bench, self._bed, self._name = bench, bed, name
        self._addresses = [f"{name}{number}@brand-a.test" for number in range(ACCOUNTS)]
        self._customers = [
            f"{name}{number}@customer.test" for number in range(ACCOUNTS)
        ]
        self._hard_in, self._slow_in, self._slow_out, self._hard_out = (
            f"{name}-{kind}@brand-a.test"
            for kind in ("hard-in", "slow-in", "slow-out", "hard-out")
        )
        database = bench.database(bench.odoo.addon_template(), f"hostile-{name}")
        self._served = ServedOdoo(
            bench.odoo, database, bench.folder, smtp_port=bed.relay, workers=workers
        )
        self._slow_way = DelayProxy(bed.imap_ssl, speed=SLOW_SPEED)
        self._dripping = FaultServer("smtp", "ssl", faults={"rcpt": Drip(1.2)})
        self._hanging = FaultServer("smtp", "ssl", faults={"greeting": Hang()})
        self._before = 0

    def __enter__(self) -> "Scene":
        self._bed.add_mailboxes(
            [*self._addresses, *self._customers, self._hard_in, self._slow_in]
            + [self._slow_out, self._hard_out, f"{self._name}@customer.test"]
            + [f"{login}@corp.test" for login in ("bench", "colleague", "tester")]
        )
        self._slow_way.start()
        self._dripping.start()
        self._hanging.start()
        with step(f"Preparing ({self._name})"):
            self._set_up()
            self._served.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._served.kill()  # it may be busy for ever
        self._hanging.stop()
        self._dripping.stop()
        self._slow_way.stop()

    def _set_up(self) -> None:
        bed, hostile = self._bed, f"{self._name}@customer.test"
        boxes = [
            {
                "email": email,
                "customer": who,
                "smtp": bed.smtp_ssl,
                "imap": bed.imap_ssl,
            }
            for email, who in zip(self._addresses, self._customers, strict=True)
        ]
        for email, smtp, imap in (
            (self._hard_in, bed.smtp_ssl, bed.imap_ssl),
            (self._slow_in, bed.smtp_ssl, self._slow_way.port),
            (self._slow_out, self._dripping.port, 0),
            (self._hard_out, bed.smtp_ssl, 0),
        ):
            box = {"email": email, "customer": hostile, "smtp": smtp, "imap": imap}
            boxes.append(box)
        ca = f"{bed.ca_pem}\n{self._dripping.ca_pem}\n{self._hanging.ca_pem}"
        wanted = {"accounts": boxes, "ca": ca, "password": PASSWORD}
        printed = self._served.shell(
            _INSIDE.read_text(), env={"BENCH_HOSTILE": json.dumps(wanted)}
        )
        made = json.loads(printed.splitlines()[-1])
        emails = [box["email"] for box in boxes]
        self._accounts = dict(zip(emails, made["accounts"], strict=True))
        self._tasks = dict(zip(emails, made["tasks"], strict=True))

    # -- measuring -------------------------------------------------------------

    def measure(self) -> dict[str, Value]:
        """Return the figures of this kind of server."""
        self._user, colleague = self._served.rpc("bench"), self._served.rpc("colleague")
        shown = self._tasks[self._addresses[0]]
        with step(f"Mail without the hostile part ({self._name})"):
            self._round()  # all is warm then
            attack = self._prepare_attack()
            with pages(colleague, shown) as clean_pages:
                clean = mean(self._round() for _ in range(ROUNDS))
        log, began = len(self._served.log()), time.monotonic()
        with step(f"Mail with the hostile part ({self._name})"):
            with pages(colleague, shown) as hostile_pages:
                attack()
                hostile = self._round()
            unfinished = ACCOUNTS - self._answers()
            time.sleep(max(began + WATCHED - time.monotonic(), 0))
        return {
            "mail_ratio": round(hostile / clean, 2),
            "page_ratio": round(mean(hostile_pages) / mean(clean_pages), 2),
            "page_worst_seconds": round(max(hostile_pages), 2),
            "reloads": len(RELOADS.findall(self._served.log()[log:])),
            "unfinished": unfinished,
        }

    # -- mail ------------------------------------------------------------------

    def _round(self) -> float:
        """Each account sends, and the answer comes into its task; return the seconds.

        In a thread: a server that is busy for ever holds its clients too.
        """
        self._before += self._answers()
        began = time.monotonic()
        threading.Thread(target=self._send_and_answer, daemon=True).start()
        while self._answers() < ACCOUNTS and time.monotonic() - began < ROUND_LIMIT:
            time.sleep(0.1)
        return time.monotonic() - began

    def _answers(self) -> int:
        """How many answers of this round are in the tasks of the accounts."""
        tasks = [self._tasks[address] for address in self._addresses]
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM mail_message WHERE model = 'project.task'"
                " AND message_type = 'email' AND res_id = ANY(%s)",
                [tasks],
            )
            return int(cursor.fetchone()[0]) - self._before

    def _connect(self) -> Any:
        import psycopg2  # in the environment that provision() makes, not before it

        access = self._bench.odoo.postgres.access
        return psycopg2.connect(
            host=access.host,
            port=access.port,
            user=access.user,
            password=access.password,
            dbname=self._served.database,
        )

    def _send_and_answer(self) -> None:
        known = {who: len(self._bed.messages(who)) for who in self._customers}
        for address in self._addresses:
            self._post(address, "<p>What do you think?</p>")
        waiting = dict(zip(self._customers, self._addresses, strict=True))
        while waiting and self._served.is_running():
            for customer in list(waiting):
                came = self._bed.messages(customer)[known[customer] :]
                if came:
                    self._answer(waiting.pop(customer), customer, came[0].raw)
            time.sleep(0.1)

    def _answer(self, address: str, customer: str, original: bytes) -> None:
        answer = clients.answer("gmail", original, sender=customer, text="Thank you")
        self._bed.put(address, [answer])
        self._fetch(address)

    def _fetch(self, address: str) -> None:
        ids = [self._accounts[address]]
        attempt(self._user.call, "mail.external.account", "action_fetch_now", ids)

    def _post(self, address: str, body: str) -> None:
        data = {
            "body": body,
            "message_type": "comment",
            "subtype_xmlid": "mail.mt_comment",
            "external_account_id": self._accounts[address],
        }
        thread = {"thread_model": "project.task", "thread_id": self._tasks[address]}
        post = self._user.post
        attempt(post, "/mail/message/post", {**thread, "post_data": data})

    # -- the hostile part ------------------------------------------------------

    def _prepare_attack(self) -> Callable[[], None]:
        """Return what lets it all loose."""
        customer, tester = f"{self._name}@customer.test", self._served.rpc("tester")
        self._post(self._slow_in, "<p>What do you think?</p>")
        [sent] = self._bed.wait_for(customer, 1, 60)
        large = [large_answer(sent.raw, customer) for _ in range(LARGE)]
        model = "mail.external.account.connect"
        values = {
            "email": "tester@elsewhere.test",
            "smtp_host": "localhost",
            "smtp_port": self._hanging.port,
            "smtp_security": "ssl",
            "smtp_login": "tester",
            "password": PASSWORD,
            "ca_certificate": self._hanging.ca_pem,
            "user_id": tester.uid,
        }
        window = tester.call(model, "create", [values])
        check = (tester.call, model, "run_check", window, "smtp_port")

        def attack() -> None:
            self._bed.put(self._hard_in, hard_mails(self._hard_in))
            self._bed.put(self._slow_in, large)
            begin(self._fetch, self._hard_in)
            begin(self._fetch, self._slow_in)
            for _ in range(3):
                begin(self._post, self._slow_out, "<p>Slow</p>")
            begin(self._post, self._hard_out, HARD_BODY)
            for _ in range(CHECKS):
                begin(attempt, *check)

        return attack


def attempt(call: Callable[..., Any], *args: Any) -> None:
    """Call the server, which may be too busy to answer, or gone."""
    try:
        call(*args)
    except (OdooRpcError, OSError, http.client.HTTPException):
        return  # what did not arrive is missed where it is counted


def begin(call: Callable[..., Any], *args: Any) -> None:
    """Call in a thread of its own."""
    threading.Thread(target=call, args=args, daemon=True).start()


@contextmanager
def pages(client: OdooClient, task: int) -> Iterator[list[float]]:
    """Inside, somebody opens a chatter again and again; the seconds that each took.

    The last one counts as far as it came.
    """
    seconds: list[float] = []
    params = {"thread_model": "project.task", "thread_id": task}
    began = time.monotonic()
    stopped = threading.Event()

    def look() -> None:
        nonlocal began
        while not stopped.wait(PAUSE):
            began = time.monotonic()
            attempt(client.post, "/mail/thread/messages", params)
            seconds.append(time.monotonic() - began)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seconds
    finally:
        stopped.set()
        thread.join(PAUSE)
        if thread.is_alive():
            seconds.append(time.monotonic() - began)
