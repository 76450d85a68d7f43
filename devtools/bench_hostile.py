"""``./dev bench hostile``: what hostile mails, servers and users cost all others.

Twenty accounts send and get answers by real servers while a colleague opens a chatter,
without and with the hostile part, in one run: two mails that are hard to parse, a mail
service that is slow (both ways), a waiting message that is hard to send, and ninety
checks of one employee at a server that hangs. With threads, then with workers.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from statistics import mean

from .bench import Bench, Value
from .console import DevError, step
from .hostile_content import HARD_BODY, hard_mails, large_answer
from .hostile_mail import Mail, attempt, begin
from .rpc import OdooClient
from .served import ServedOdoo
from .state import REPOSITORY
from .testbed.bed import PASSWORD, TestBed
from .testbed.delay import DelayProxy
from .testbed.faults import Drip, FaultServer, Hang

ACCOUNTS, CHECKS, ROUNDS = 20, 90, 2
#: Messages of a megabyte, of which each takes half a minute: every step keeps its
#: limit, all of them together do not.
LARGE, SLOW_SPEED = 6, 35_000.0
#: Seconds for which it is watched what Odoo does: it ends a request or a scheduled
#: action of its own after 120.
WATCHED = 150.0
#: Seconds between two pages of the colleague.
PAUSE = 0.2
#: What Odoo writes when it gives up a process or itself (odoo/service/server.py).
RELOADS = re.compile(r"limit[^\n]*reached|timeout after|time limit exceeded")
#: Kind of server -> number of workers.
KINDS = {"threaded": 0, "workers": 2}
_INSIDE = REPOSITORY / "devtools" / "inside" / "bench_hostile.py"
_WINDOW = "mail.external.account.connect"


def measure(bench: Bench) -> dict[str, Value]:
    """Return the content of the line: each figure, and the worse of both kinds."""
    reason = TestBed.missing()
    if reason:
        raise DevError(f"this bench needs the test bed: {reason}.")
    found: dict[str, dict[str, float]] = {}
    with TestBed(bench.folder / "bed") as bed:
        for name, workers in KINDS.items():
            with Scene(bench, bed, name, workers) as scene:
                found[name] = scene.measure()
    result: dict[str, Value] = {}
    for key in found["threaded"]:
        result[key] = max(figures[key] for figures in found.values())
        result.update({f"{key}_{name}": found[name][key] for name in KINDS})
    return result


class Scene:
    """An Odoo with accounts, of which four are hostile, or have to do with it."""

    def __init__(self, bench: Bench, bed: TestBed, name: str, workers: int) -> None:
        self._bed, self._name = bed, name
        self._customers = {
            f"{name}{number}@brand-a.test": f"{name}{number}@customer.test"
            for number in range(ACCOUNTS)
        }
        self._hostile_customer = f"{name}@customer.test"
        self._hard_in, self._slow_in, self._slow_out, self._hard_out = (
            f"{name}-{kind}@brand-a.test"
            for kind in ("hard-in", "slow-in", "slow-out", "hard-out")
        )
        database = bench.database(bench.odoo.addon_template(), f"hostile-{name}")
        self._served = ServedOdoo(
            bench.odoo, database, bench.folder, smtp_port=bed.relay, workers=workers
        )
        self._servers = ExitStack()
        self._slow_way = DelayProxy(bed.imap_ssl, speed=SLOW_SPEED)
        self._dripping = FaultServer("smtp", "ssl", faults={"rcpt": Drip(1.2)})
        self._hanging = FaultServer("smtp", "ssl", faults={"greeting": Hang()})

    def __enter__(self) -> "Scene":
        hostile = (self._hard_in, self._slow_in, self._slow_out, self._hard_out)
        colleagues = (f"{who}@corp.test" for who in ("bench", "colleague", "tester"))
        self._bed.add_mailboxes([*self._customers, *self._customers.values()])
        self._bed.add_mailboxes([*hostile, self._hostile_customer, *colleagues])
        for server in (self._slow_way, self._dripping, self._hanging):
            self._servers.enter_context(server)
        self._servers.callback(self._served.kill)  # it may be busy for ever
        with step(f"Preparing ({self._name})"):
            made = self._set_up()
            self._served.start()
        self._mail = Mail(self._served, self._bed, made, self._customers)
        self._page = made["tasks"][next(iter(self._customers))]
        return self

    def __exit__(self, *_: object) -> None:
        self._servers.close()

    def _set_up(self) -> dict[str, dict[str, int]]:
        """Return the ids of accounts, addresses and tasks, each by the address."""
        bed, usual = self._bed, (self._bed.smtp_ssl, self._bed.imap_ssl)
        boxes = {email: (who, *usual) for email, who in self._customers.items()}
        hostile = {
            self._hard_in: usual,
            self._slow_in: (bed.smtp_ssl, self._slow_way.port),
            self._slow_out: (self._dripping.port, 0),
            self._hard_out: (bed.smtp_ssl, 0),
        }
        boxes |= {email: (self._hostile_customer, *at) for email, at in hostile.items()}
        names = ("customer", "smtp", "imap")
        wanted = {
            "accounts": [
                {"email": email, **dict(zip(names, box, strict=True))}
                for email, box in boxes.items()
            ],
            "ca": f"{bed.ca_pem}\n{self._dripping.ca_pem}",
            "password": PASSWORD,
        }
        printed = self._served.shell(
            _INSIDE.read_text(), env={"BENCH_HOSTILE": json.dumps(wanted)}
        )
        made: dict[str, list[int]] = json.loads(printed.splitlines()[-1])
        return {key: dict(zip(boxes, ids, strict=True)) for key, ids in made.items()}

    # -- measuring -------------------------------------------------------------

    def measure(self) -> dict[str, float]:
        """Return the figures of this kind of server."""
        colleague = self._served.rpc("colleague")
        with step(f"Mail without the hostile part ({self._name})"):
            self._mail.wait_for_first_look()
            self._mail.round()  # all is warm then
            attack = self._prepare_attack()
            with pages(colleague, self._page) as (clean_pages, _errors):
                clean = mean(self._mail.round() for _ in range(ROUNDS))
        log, began = len(self._served.log()), time.monotonic()
        with step(f"Mail with the hostile part ({self._name})"):
            with pages(colleague, self._page) as (hostile_pages, page_errors):
                attack()
                hostile = self._mail.round()
            unfinished = ACCOUNTS - self._mail.answers()
            time.sleep(max(began + WATCHED - time.monotonic(), 0))
        return {
            "mail_ratio": round(hostile / clean, 2),
            "page_ratio": round(mean(hostile_pages) / mean(clean_pages), 2),
            "page_worst_seconds": round(max(hostile_pages), 2),
            "reloads": len(RELOADS.findall(self._served.log()[log:])),
            "unfinished": unfinished,
            "errors": len(page_errors) + self._mail.errors,
        }

    def _prepare_attack(self) -> Callable[[], None]:
        """Return what lets it all loose."""
        tester = self._served.rpc("tester")
        self._mail.post(self._slow_in, "<p>What do you think?</p>")
        sent = self._bed.wait_for(self._hostile_customer, 1, 60)[0].raw
        large = [large_answer(sent, self._hostile_customer) for _ in range(LARGE)]
        hard = hard_mails(sent, self._hard_in)
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
        window = tester.call(_WINDOW, "create", [values])
        check = (tester.call, _WINDOW, "run_check", window, "smtp_port")

        def attack() -> None:
            self._bed.put(self._hard_in, hard)
            self._bed.put(self._slow_in, large)
            begin(self._mail.fetch, self._hard_in)
            begin(self._mail.fetch, self._slow_in)
            for _ in range(3):
                begin(self._mail.post, self._slow_out, "<p>Slow</p>")
            begin(self._mail.post, self._hard_out, HARD_BODY)
            for _ in range(CHECKS):
                begin(attempt, *check)

        return attack


@contextmanager
def pages(client: OdooClient, task: int) -> Iterator[tuple[list[float], list[float]]]:
    """Inside, somebody opens a chatter again and again.

    :return: the seconds that each time took, and those of errors among them; the last
        one counts as far as it came
    """
    seconds: list[float] = []
    errors: list[float] = []
    params = {"thread_model": "project.task", "thread_id": task}
    began = time.monotonic()
    stopped = threading.Event()

    def look() -> None:
        nonlocal began
        while not stopped.wait(PAUSE):
            began = time.monotonic()
            done = attempt(client.post, "/mail/thread/messages", params)
            if not stopped.is_set():
                seconds.append(time.monotonic() - began)
                errors.extend([] if done else seconds[-1:])

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seconds, errors
    finally:
        stopped.set()
        thread.join(PAUSE)
        if thread.is_alive():
            seconds.append(time.monotonic() - began)
