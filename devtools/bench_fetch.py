"""``./dev bench fetch``: reading mailboxes on a real Dovecot, beside imaplib and stock.

Runs what the scheduled action runs, in Odoo's shell, so that a look is a look and not
a wait for the cron. Needs the test bed (Postfix, Dovecot, root).
"""

import hashlib
import imaplib
import json
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from email.utils import format_datetime
from pathlib import Path
from statistics import median
from typing import Any

from mailkit.message.fields import FIELDS

from .bench import Bench, Value
from .console import DevError, step
from .state import REPOSITORY
from .testbed.bed import PASSWORD, TestBed
from .testbed.delay import DelayProxy

MANY, ANSWERS, STOCK_MESSAGES = 10_000, 50, 500
MAILBOXES, ONE_BY_ONE, ROUND_TRIP, THREADS = 200, 20, 0.05, 32
#: Scheduled actions that read side by side, as can be chosen in the settings.
RUNS = 2
#: The first of them lets Dovecot index the mailbox, and counts for nothing.
RAW_TURNS = 6
_INSIDE = REPOSITORY / "devtools" / "inside" / "bench_fetch.py"


def measure(bench: Bench) -> dict[str, Value]:
    """Return the content of the line."""
    reason = TestBed.missing()
    if reason:
        raise DevError(f"this bench needs the test bed: {reason}.")
    with TestBed(bench.folder / "bed") as bed:
        return Fetching(bench, bed).measure()


class Fetching:
    """The mailboxes, and the Odoo that reads them."""

    def __init__(self, bench: Bench, bed: TestBed) -> None:
        self._bed = bed
        self._odoo = bench.odoo
        database = bench.database(bench.odoo.addon_template(), "fetch")
        self._config = bench.odoo.write_config(bench.folder / "fetch.conf", database)
        self._accounts: dict[str, int] = {}
        self._ids: list[str] = []

    def measure(self) -> dict[str, Value]:
        """Return the content of the line."""
        bed = self._bed
        with (
            DelayProxy(bed.imap_starttls, keep_log=True) as imap,
            DelayProxy(bed.pop3_starttls, keep_log=True) as pop3,
            DelayProxy(bed.imap_ssl, round_trip=ROUND_TRIP) as far,
        ):
            with step(f"Connecting {MAILBOXES + ONE_BY_ONE + 3} mailboxes"):
                self._set_up(imap.port, pop3.port, far.port)
            result: dict[str, Value] = {}
            with step("Looking into quiet mailboxes"):
                result.update(self._idle(imap, pop3))
            with step(f"Looking through {MANY} messages"):
                result.update(self._many())
            with step(f"Reading {MAILBOXES} mailboxes, {ROUND_TRIP * 1000:.0f} ms off"):
                result.update(self._parallel())
        return result

    # -- preparing -------------------------------------------------------------

    def _set_up(self, imap: int, pop3: int, far: int) -> None:
        boxes = [_box("idle-imap", "imap", imap, "none")]
        boxes.append(_box("idle-pop3", "pop3", pop3, "none"))
        boxes.append(_box("many", "imap", self._bed.imap_ssl, "ssl", look_back=30))
        boxes += [
            _box(f"far{number}", "imap", far, "ssl")
            for number in range(MAILBOXES + ONE_BY_ONE)
        ]
        addresses = [box["email"] for box in boxes]
        self._bed.add_mailboxes([*addresses, _address("stock")])
        made = self._inside(
            step="set_up",
            mailboxes=boxes,
            tasks=MAILBOXES + ONE_BY_ONE,
            ca=self._bed.ca_pem,
            password=PASSWORD,
        )
        self._accounts = dict(zip(addresses, made["accounts"], strict=True))
        self._ids = made["ids"]

    def _inside(self, **wanted: Any) -> dict[str, Any]:
        printed = self._odoo.shell(
            self._config, _INSIDE.read_text(), env={"BENCH_FETCH": json.dumps(wanted)}
        )
        answer: dict[str, Any] = json.loads(printed.splitlines()[-1])
        if answer.get("failures"):
            raise DevError(f"mailboxes could not be read: {answer['failures']}")
        return answer

    def _look(
        self, *names: str, threads: int = THREADS, start: float = 0
    ) -> dict[str, Any]:
        ids = [self._accounts[_address(name)] for name in names]
        return self._inside(step="look", ids=ids, threads=threads, start=start)

    # -- measuring -------------------------------------------------------------

    def _idle(self, imap: DelayProxy, pop3: DelayProxy) -> dict[str, Value]:
        """The second look, when nothing came."""
        for name, proxy in (("idle-imap", imap), ("idle-pop3", pop3)):
            self._bed.put(_address(name), _unrelated(20))
            self._look(name)
            proxy.log.clear()
            proxy.sent = proxy.received = 0
        quiet = self._look("idle-imap")["queries"] - self._look()["queries"]
        self._look("idle-pop3")
        return {
            "imap_idle_commands": imap.log.count(b"\r\n"),
            "imap_idle_bytes": imap.octets,
            "idle_queries": quiet,
            "pop3_idle_bytes": pop3.octets,
        }

    def _many(self) -> dict[str, Value]:
        address = _address("many")
        self._bed.put(address, _unrelated(MANY))
        raw = _raw_seconds(self._bed, address)
        first = self._look("many")
        if first["unrelated"] != MANY:
            raise DevError(f"{first['unrelated']} of {MANY} messages were looked at")
        self._bed.put(address, _answers(self._ids[:1] * ANSWERS, "many"))
        _settle(self._bed, address)
        before = _fingerprint(self._bed.maildir(address))
        mails = first["mails"]
        second = self._look("many")
        changed = before ^ _fingerprint(self._bed.maildir(address))
        self._bed.put(_address("stock"), _unrelated(STOCK_MESSAGES))
        stock = self._inside(
            step="stock",
            email=_address("stock"),
            port=self._bed.imap_ssl,
            password=PASSWORD,
            messages=STOCK_MESSAGES,
        )["seconds"]
        return {
            "scan_ratio_raw": round(first["seconds"] / raw, 2),
            "scan_seconds": round(first["seconds"], 2),
            "speedup_stock": round(stock * MANY / STOCK_MESSAGES / first["seconds"], 1),
            "imported": second["messages"] - first["messages"],
            "mailbox_changed": len(changed),
            "mails_made": second["mails"] - mails,
        }

    def _parallel(self) -> dict[str, Value]:
        names = [f"far{number}" for number in range(MAILBOXES + ONE_BY_ONE)]
        self._look(*names)  # from now on
        for number, name in enumerate(names):
            self._bed.put(_address(name), _answers([self._ids[number]], name))
        few, all_others = names[:ONE_BY_ONE], names[ONE_BY_ONE:]
        one_by_one = self._look(*few, threads=1)
        with ThreadPoolExecutor(RUNS) as runs:
            start = time.time() + 15  # Odoo's shell is there by then
            at_once = list(
                runs.map(lambda _run: self._look(*all_others, start=start), range(RUNS))
            )
        answers = max(run["answers"] for run in at_once)
        if (one_by_one["answers"], answers) != (ONE_BY_ONE, MAILBOXES):
            raise DevError(f"not every answer was read: {one_by_one}, {at_once}")
        alone = one_by_one["seconds"] * MAILBOXES / ONE_BY_ONE
        together = max(run["seconds"] for run in at_once)
        return {"parallel_speedup": round(alone / together, 1)}


def _address(name: str) -> str:
    return f"{name}@brand-a.test"


def _box(
    name: str, protocol: str, port: int, security: str, look_back: int = 0
) -> dict[str, Any]:
    return {
        "email": _address(name),
        "protocol": protocol,
        "port": port,
        "security": security,
        "look_back": look_back,
    }


def _unrelated(count: int) -> Iterator[bytes]:
    for number in range(count):
        yield _message(f"u{number}", f"Newsletter {number}", "news@elsewhere.test")


def _answers(ids: list[str], mark: str) -> Iterator[bytes]:
    for number, answered in enumerate(ids):
        fields = f"In-Reply-To: {answered}\r\nReferences: {answered}\r\n"
        yield _message(f"{mark}-{number}", "Re: Task", "client@customer.test", fields)


def _message(name: str, subject: str, sender: str, fields: str = "") -> bytes:
    """A message of usual size: 4 kB."""
    return (
        f"From: Somebody <{sender}>\r\nTo: team@brand-a.test\r\nSubject: {subject}\r\n"
        f"Date: {format_datetime(datetime.now(timezone.utc))}\r\n"
        f"Message-ID: <{name}@elsewhere.test>\r\n{fields}"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        + "A line of the text of this message.\r\n"
        * 100
    ).encode()


def _client(bed: TestBed, address: str) -> imaplib.IMAP4_SSL:
    context = ssl.create_default_context(cadata=bed.ca_pem)
    client = imaplib.IMAP4_SSL(bed.host, bed.imap_ssl, ssl_context=context)
    client.login(address, PASSWORD)
    return client


def _settle(bed: TestBed, address: str) -> None:
    """Let Dovecot move what is new to where it keeps it, before files are compared."""
    client = _client(bed, address)
    client.select("INBOX", readonly=True)
    client.logout()


def _raw_seconds(bed: TestBed, address: str) -> float:
    """How long imaplib takes for the same headers, after Dovecot has indexed them.

    The median of some turns: a single one varies by three.
    """
    turns, fields = [], FIELDS.decode()
    for _turn in range(RAW_TURNS):
        client = _client(bed, address)
        client.select("INBOX", readonly=True)
        began = time.perf_counter()
        for first in range(1, MANY, 1000):
            client.uid(
                "FETCH",
                f"{first}:{first + 999}",
                f"(UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS ({fields})])",
            )
        turns.append(time.perf_counter() - began)
        client.logout()
    return median(turns[1:])


def _fingerprint(maildir: Path) -> set[tuple[str, str]]:
    """Names (they hold the flags) and contents of all messages."""
    return {
        (file.name, hashlib.sha256(file.read_bytes()).hexdigest())
        for folder in ("cur", "new")
        for file in (maildir / folder).iterdir()
    }
