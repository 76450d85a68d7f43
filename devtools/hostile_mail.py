"""The mail of ``./dev bench hostile``: accounts send, and get an answer each."""

import http.client
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from .console import DevError
from .rpc import OdooClient, OdooRpcError
from .served import ServedOdoo
from .testbed import clients
from .testbed.bed import TestBed

#: Seconds for one round.
ROUND_LIMIT = 180.0


class Mail:
    """The user "bench" writes from external addresses, each in a task of its own.

    :param made: "accounts", "addresses" and "tasks" (which its customer follows), each
        address -> id
    :param customers: address -> its customer's, of those that get answers
    """

    def __init__(
        self,
        served: ServedOdoo,
        bed: TestBed,
        made: Mapping[str, Mapping[str, int]],
        customers: Mapping[str, str],
    ) -> None:
        self._served, self._bed = served, bed
        self._accounts, self._tasks = made["accounts"], made["tasks"]
        self._addresses, self._customers = made["addresses"], customers
        self._user: OdooClient = served.rpc("bench")
        self._before = 0
        #: How often somebody who writes or fetches got an error instead.
        self.errors = 0

    def wait_for_first_look(self) -> None:
        """Wait until every mailbox was read: what came before stays out of Odoo.

        :raises DevError: when that takes too long
        """
        statement = (
            "SELECT count(*) FROM mail_external_mailbox"
            " WHERE last_look IS NULL AND account_id = ANY(%s)"
        )
        end = time.monotonic() + ROUND_LIMIT
        while self._count(statement, [*self._accounts.values()]):
            if time.monotonic() > end:
                raise DevError(f"mailboxes are not read: see {self._served.log_file}.")
            time.sleep(0.2)

    def round(self) -> float:
        """Each account sends, and the answer comes into its task; return the seconds.

        In a thread: a server that is busy for ever holds its clients too.
        """
        self._before += self.answers()
        began = time.monotonic()
        begin(self._send_and_answer)
        while self.answers() < len(self._customers):
            if time.monotonic() - began > ROUND_LIMIT:
                break
            time.sleep(0.1)
        return time.monotonic() - began

    def answers(self) -> int:
        """Return how many answers of this round are in their tasks."""
        statement = (
            "SELECT count(*) FROM mail_message WHERE model = 'project.task'"
            " AND message_type = 'email' AND res_id = ANY(%s)"
        )
        tasks = [self._tasks[address] for address in self._customers]
        return self._count(statement, tasks) - self._before

    def post(self, address: str, body: str) -> None:
        """Write to the customer from ``address``."""
        data = {
            "body": body,
            "message_type": "comment",
            "subtype_xmlid": "mail.mt_comment",
            "external_address_id": self._addresses[address],
        }
        thread = {"thread_model": "project.task", "thread_id": self._tasks[address]}
        post = self._user.post
        self._insist(post, "/mail/message/post", {**thread, "post_data": data})

    def fetch(self, address: str) -> None:
        """Press "Fetch now"."""
        ids = [self._addresses[address]]
        call = self._user.call
        self._insist(call, "mail.external.address", "action_fetch_now", ids)

    def _insist(self, call: Callable[..., Any], *args: Any) -> None:
        """As somebody who gets an error, and presses again a second later."""
        while not attempt(call, *args) and self._served.is_running():
            self.errors += 1
            time.sleep(1)

    def _send_and_answer(self) -> None:
        waiting = dict(self._customers)
        known = {who: len(self._bed.messages(who)) for who in waiting.values()}
        for address in waiting:
            self.post(address, "<p>What do you think?</p>")
        while waiting and self._served.is_running():
            for address, customer in list(waiting.items()):
                came = self._bed.messages(customer)[known[customer] :]
                if came:
                    self._answer(address, customer, came[0].raw)
                    del waiting[address]
            time.sleep(0.1)

    def _answer(self, address: str, customer: str, original: bytes) -> None:
        answer = clients.answer("gmail", original, sender=customer, text="Thank you")
        self._bed.put(address, [answer])
        self.fetch(address)

    def _count(self, statement: str, ids: list[int]) -> int:
        import psycopg2  # in the environment that provision() makes, not before it

        access = self._served.odoo.postgres.access
        connection = psycopg2.connect(
            host=access.host,
            port=access.port,
            user=access.user,
            password=access.password,
            dbname=self._served.database,
        )
        with closing(connection), connection.cursor() as cursor:
            cursor.execute(statement, [ids])
            return int(cursor.fetchone()[0])


def attempt(call: Callable[..., Any], *args: Any) -> bool:
    """Call the server, which may be too busy to answer, or gone: whether it did."""
    try:
        call(*args)
    except (OdooRpcError, OSError, http.client.HTTPException):
        return False
    return True


def begin(call: Callable[..., Any], *args: Any) -> None:
    """Call in a thread of its own."""
    threading.Thread(target=call, args=args, daemon=True).start()
