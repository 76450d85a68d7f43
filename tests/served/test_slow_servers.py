"""Servers that are slow without end: Odoo's limit is kept, and nobody else waits."""

import base64
import os
import re
import time
from collections.abc import Callable, Iterator

import mailbox_steps as box
import pytest
import steps
from site_setup import Site, prepare

from devtools.served import ServedOdoo
from devtools.testbed import clients
from devtools.testbed.bed import TestBed
from devtools.testbed.delay import DelayProxy
from devtools.testbed.faults import Drip, FaultServer, Hang

ANNA = "anna@brand-a.test"
BOHDAN = "bohdan@brand-b.test"
CLIENT = "client@customer.test"
#: Seconds that Odoo allows to a scheduled action.
LIMIT = 20
#: Octets a second: a megabyte takes half a minute.
SPEED = 35_000
SIZE = 400_000


@pytest.fixture(scope="module")
def hurried(bed: TestBed, new_odoo: Callable[..., ServedOdoo]) -> Site:
    """A site whose Odoo ends scheduled actions soon."""
    limits = {"limit_time_real_cron": str(LIMIT)}
    return prepare(new_odoo(smtp_port=bed.relay, options=limits), bed)


@pytest.fixture
def site(hurried: Site) -> Iterator[Site]:
    hurried.bed.clear()
    hurried.remove_accounts()
    steps.forget_tests(hurried.odoo)
    before = len(hurried.odoo.log())
    yield hurried
    hurried.remove_accounts()
    log = hurried.odoo.log()[before:]
    runs = re.findall(
        r"Job '[^']*(?:External|external)[^']*'.* duration ([\d.]+)s", log
    )
    assert runs and max(map(float, runs)) < LIMIT * 0.6, runs
    assert "real time limit" not in log and "hangs" not in log


def new_task(site: Site) -> int:
    customers = (site.ids["customer"],)
    return steps.new_task(site.admin, site.ids["project_brand_a"], "Slow", customers)


def large(original: bytes, size: int) -> bytes:
    reply = clients.answer("k9_mail", original, text="The large one.")
    head, _, body = reply.partition(b"\r\n\r\n")
    fields, _, kind = head.partition(b"Content-Type:")
    file = base64.encodebytes(os.urandom(size)).replace(b"\n", b"\r\n")
    return b"".join(
        (
            fields.rstrip(b"\r\n"),
            b'\r\nContent-Type: multipart/mixed; boundary="bb"\r\n\r\n',
            b"--bb\r\nContent-Type:" + kind + b"\r\n\r\n" + body + b"\r\n--bb\r\n",
            b'Content-Type: application/zip; name="a.zip"\r\n',
            b"Content-Transfer-Encoding: base64\r\n\r\n" + file + b"--bb--\r\n",
        )
    )


def small(original: bytes) -> bytes:
    return clients.answer("gmail", original, text="The small one.")


def texts(site: Site, task: int) -> list[str]:
    found = (re.search(r"The (\w+) one", m["body"]) for m in box.mails(site, task))
    return [match[1] for match in found if match]


def read_slowly(
    site: Site, protocol: str, proxy: DelayProxy, size: int = SIZE
) -> tuple[int, int, dict[bytes, object]]:
    """Anna's mailbox with a large answer and a small one behind it; then it gets slow.

    Return her account, the task, and what is in the mailbox.
    """
    port = {"incoming_port": proxy.port}
    address_id = box.connect(
        site, ANNA, protocol, **{**box.incoming(site, ANNA, protocol), **port}
    )
    task = new_task(site)
    original = box.ask(site, address_id, task, CLIENT)
    proxy.speed = SPEED
    site.bed.put(ANNA, [large(original, size)])
    box.contents(site, ANNA)  # now it has its number, the first one
    site.bed.put(ANNA, [small(original)])
    return address_id, task, box.contents(site, ANNA)


def test_a_large_message_comes_over_several_visits(site: Site) -> None:
    with DelayProxy(site.bed.imap_ssl) as proxy:
        other = box.connect(site, BOHDAN, client=site.bohdan)
        quick = new_task(site)
        known = len(site.bed.messages(CLIENT))
        steps.post(site.bohdan, quick, "<p>What do you think?</p>", other)
        question = site.bed.wait_for(CLIENT, known + 1)[known].raw
        address_id, task, before = read_slowly(site, "imap", proxy)
        site.admin.call(steps.ADDRESS, "action_fetch_now", [address_id])
        steps.until(lambda: parts(site), "the first part is kept", 60)
        # Nobody else waits for it.
        site.bed.put(BOHDAN, [small(question)])
        box.fetch(site, other, 10)
        assert texts(site, quick) == ["small"]
        assert texts(site, task) == []
        steps.until(lambda: texts(site, task) == ["large", "small"], "both came", 120)
        assert proxy.received < 3 * SIZE, "it goes on where it stopped"
    [[size]] = steps.sql(
        site.odoo,
        "SELECT file_size FROM ir_attachment WHERE res_model = 'project.task'"
        " AND res_id = %s",
        task,
    )
    assert size == SIZE
    assert not parts(site)
    assert box.contents(site, ANNA) == before
    assert box.quarantine(site, address_id) == []


def parts(site: Site) -> int:
    [[count]] = steps.sql(site.odoo, "SELECT count(*) FROM mail_external_part")
    return int(count)


def test_what_cannot_be_gone_on_with_is_shown_by_its_place(site: Site) -> None:
    """POP3 begins at the beginning. Of another size: its mailbox may look the same as
    that of the test before."""
    with DelayProxy(site.bed.pop3_ssl) as proxy:
        address_id, task, before = read_slowly(site, "pop3", proxy, SIZE + 99)
        assert texts(site, task) == []

        def looked_again() -> bool:
            site.admin.call(steps.ADDRESS, "action_fetch_now", [address_id])
            time.sleep(2)
            return texts(site, task) == ["small"]

        steps.until(looked_again, "what lies behind it comes", 90)
    [(reason, subject, place)] = box.quarantine(site, address_id)
    assert reason == "too_slow" and subject and place.startswith("INBOX ")
    [row] = site.anna.call(
        "mail.external.arrival",
        "search_read",
        [("state", "=", "quarantine"), ("address_id", "=", address_id)],
        ["reason_text"],
    )
    assert "too slow" in row["reason_text"]
    assert box.contents(site, ANNA) == before
    assert not parts(site)


def attempts(site: Site, address_id: int) -> int:
    [[count]] = steps.sql(
        site.odoo,
        "SELECT attempts FROM mail_external_mailbox WHERE account_id = %s"
        " AND COALESCE(run, 0) = 0",
        steps.account_of(site.odoo, address_id),
    ) or [[0]]
    return int(count or 0)


@pytest.mark.parametrize("step", ["rcpt", "body"])
def test_mail_to_a_server_that_drips_holds_up_no_other(site: Site, step: str) -> None:
    with FaultServer("smtp", "ssl") as server:
        slow = steps.connect_to(site.admin, server, "info@brand-c.test")
        other = steps.connect(site.bohdan, BOHDAN)
        task = new_task(site)
        known = len(site.bed.messages(CLIENT))
        server.misbehave({step: Drip(3.0)})
        message = steps.post(site.anna, task, "<p>slowly</p>", slow)
        steps.until(lambda: "RCPT" in " ".join(server.commands[-2:]), "it is begun")
        for number in range(1, 4):
            steps.post(site.bohdan, task, "<p>at once</p>", other)
            site.bed.wait_for(CLIENT, known + number)
        state = "SELECT state FROM mail_external_delivery WHERE mail_message_id = %s"
        steps.until(
            lambda: steps.sql(site.odoo, state, message) == [("retry",)],
            "it ends before Odoo's limit",
            LIMIT + 15,
        )
        server.misbehave({})

        def sent() -> bool:
            steps.let_time_pass(site.odoo, site.admin)
            return steps.sql(site.odoo, state, message) == [("sent",)]

        steps.until(sent, "then it leaves", 60)
        assert len(server.messages) == 1


def test_a_server_that_says_nothing_any_more_keeps_what_was_read(site: Site) -> None:
    with FaultServer("imap", "ssl") as server:
        trusted = {"ca_certificate": server.ca_pem + site.bed.ca_pem}
        reading = box.incoming(site, ANNA)
        address_id = box.connect(
            site, ANNA, **{**reading, "incoming_port": server.port, **trusted}
        )
        for step in ("greeting", "login", "examine"):
            before = attempts(site, address_id)
            server.misbehave({step: Drip(0.7) if step == "login" else Hang()})
            site.admin.call(steps.ADDRESS, "action_fetch_now", [address_id])
            steps.until(
                lambda n=before: attempts(site, address_id) > n,
                f"{step} ends",
                LIMIT * 1.5,
            )
        server.misbehave({})
        box.fetch(site, address_id)
