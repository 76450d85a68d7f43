"""Crashes, several readers at once, and mailboxes that do not work."""

import os
import random
import re
import threading
import time
from collections.abc import Iterator

import mailbox_steps as box
import pytest
import steps
from site_setup import Site

from devtools.testbed import clients
from devtools.testbed.bed import PASSWORD
from devtools.testbed.faults import FaultServer, Hang

ANNA = "anna@brand-a.test"
BOHDAN = "bohdan@brand-b.test"
CLIENT = "client@customer.test"
#: How often Odoo is killed in the middle of reading; a multiple of 5.
CRASHES = int(os.environ.get("MEA_CRASHES", "5"))
#: For every five crashes: enough that the fifth is in the middle, too.
ANSWERS = 90


@pytest.fixture(scope="module")
def address_ids(site: Site) -> Iterator[dict[str, int]]:
    """Two connected mailboxes."""
    site.bed.clear()
    site.remove_accounts()
    steps.forget_tests(site.odoo)
    yield {
        ANNA: box.connect(site, ANNA),
        BOHDAN: box.connect(site, BOHDAN, client=site.bohdan),
    }
    site.remove_accounts()


@pytest.fixture
def task(site: Site) -> int:
    return new_task(site)


def new_task(site: Site) -> int:
    customers = (site.ids["customer"],)
    return steps.new_task(site.admin, site.ids["project_brand_a"], "Crash", customers)


def answers(original: bytes, count: int) -> list[bytes]:
    names = sorted(clients.CLIENTS)
    return [
        clients.answer(
            names[number % 8],
            original,
            to=f"{ANNA}, {BOHDAN}",
            text=f"Answer {number}.",
        )
        for number in range(count)
    ]


def numbers(site: Site, task: int) -> list[int]:
    """Which answers are in the task."""
    found = [re.search(r"Answer (\d+)\.", m["body"]) for m in box.mails(site, task)]
    return sorted(int(match[1]) for match in found if match)


def taken(site: Site) -> int:
    [[count]] = steps.sql(
        site.odoo, "SELECT count(*) FROM mail_external_arrival WHERE kind = 'answer'"
    )
    return int(count)


def test_each_answer_is_there_once_after_crashes(
    site: Site, address_ids: dict[str, int]
) -> None:
    tasks = [new_task(site) for _conversation in range(CRASHES // 5)]
    for task in tasks:
        sent = answers(box.ask(site, address_ids[ANNA], task, CLIENT), ANSWERS)
        site.bed.put(ANNA, sent[::2])
        site.bed.put(BOHDAN, sent[1::2])
    total = ANSWERS * len(tasks)
    seed = int(time.time())
    moments = random.Random(seed)  # noqa: S311 - no secret
    first = taken(site)
    reached = [0]
    site.admin.call(steps.ADDRESS, "action_fetch_now", list(address_ids.values()))
    for _crash in range(CRASHES):
        so_far = first + reached[-1]
        steps.until(lambda n=so_far: taken(site) > n, f"it goes on ({reached})", 90)
        time.sleep(moments.uniform(0.0, 0.5))
        site.odoo.kill()
        reached.append(taken(site) - first)
        site.odoo.start()
        steps.wake_crons(site.odoo)
    what = f"all ({seed}, {reached})"
    steps.until(lambda: taken(site) - first >= total, what, 60 + total / 5)
    for address_id in address_ids.values():
        box.fetch(site, address_id)
    for task in tasks:
        assert numbers(site, task) == list(range(ANSWERS)), (seed, reached)
    assert box.quarantine(site) == []
    assert reached[-1] < total, f"the last crash was in the middle ({reached})"


def test_each_answer_is_there_once_when_several_read_at_a_time(
    site: Site, address_ids: dict[str, int], task: int
) -> None:
    """The scheduled action of this Odoo, and two that other hosts' would be."""
    original = box.ask(site, address_ids[ANNA], task, CLIENT)
    both = answers(original, 20)
    for address in (ANNA, BOHDAN):
        site.bed.put(address, both)
    script = "env['mail.external.account']._cron_fetch()"
    others = [
        threading.Thread(target=site.odoo.shell, args=(script,)) for _ in range(2)
    ]
    for other in others:
        other.start()
    end = time.monotonic() + 60
    while any(other.is_alive() for other in others) and time.monotonic() < end:
        site.admin.call(steps.ADDRESS, "action_fetch_now", list(address_ids.values()))
        time.sleep(0.5)
    for other in others:
        other.join()
    for address_id in address_ids.values():
        box.fetch(site, address_id)
    assert numbers(site, task) == list(range(20))
    assert box.quarantine(site) == []


# Another run commits something about the mailbox after this one has begun to look.
SLOWER_RUN = """
due = "UPDATE mail_external_mailbox SET next_look = now() AT TIME ZONE 'UTC'"
env.cr.execute(due)
env.cr.commit()
env.cr.execute("SELECT 1")
with env.registry.cursor() as faster:
    faster.execute(due)
env["mail.external.account"]._cron_fetch()
"""


def test_a_run_goes_on_when_another_was_faster(
    site: Site, address_ids: dict[str, int], task: int
) -> None:
    original = box.ask(site, address_ids[ANNA], task, CLIENT)
    site.bed.put(ANNA, answers(original, 2))
    site.odoo.shell(SLOWER_RUN)  # raises when the run did
    assert numbers(site, task) == [0, 1]


MAKE_ACCOUNTS = """
from odoo.addons.mail_external_account.tools import vault

for values in VALUES:
    password = values.pop("password")
    email = values.pop("email")
    account = env["mail.external.account"].create(values)
    env["mail.external.address"].create(
        {
            "account_id": account.id,
            "email": email,
            "is_main": True,
            "receive_replies": True,
        }
    )
    vault.store_password(account, "incoming", password)
    print("made", account.id)
env.cr.commit()
"""


def many(site: Site, servers: list[tuple[str, int, str]]) -> list[int]:
    """Mailboxes of Anna's at (address, port, CA), due at once; return the accounts.

    Made behind the connect window, which would look at each of them first.
    """
    values = [
        {
            "email": address,
            "user_id": site.anna.uid,
            "state": "working",
            "incoming_protocol": "imap",
            "incoming_host": "localhost",
            "incoming_port": port,
            "incoming_security": "ssl",
            "incoming_login": address,
            "ca_certificate": ca,
            "allow_private_host": True,
            "password": PASSWORD,
        }
        for address, port, ca in servers
    ]
    said = site.odoo.shell(MAKE_ACCOUNTS.replace("VALUES", repr(values)))
    return [int(number) for number in re.findall(r"made (\d+)", said)]


def test_a_mailbox_that_hangs_and_one_that_refuses_delay_no_other(
    site: Site, address_ids: dict[str, int]
) -> None:
    addresses = [f"box{number}@brand-a.test" for number in range(10)]
    site.bed.add_mailboxes(addresses)
    good = [(address, site.bed.imap_ssl, site.bed.ca_pem) for address in addresses]
    with (
        FaultServer("imap", "ssl", faults={"greeting": Hang()}) as hanging,
        FaultServer("imap", "ssl", password="another") as refusing,
    ):
        hangs = ("hangs@brand-a.test", hanging.port, hanging.ca_pem)
        refused = ("refused@brand-a.test", refusing.port, refusing.ca_pem)
        made = many(site, [hangs, refused, *good])
        fetch_now(site, made)
        begun = time.monotonic()
        steps.until(lambda: len(looked_at(site, made)) == 10, "ten were read", 15)
        assert time.monotonic() - begun < 10
        assert set(looked_at(site, made)) == set(made[2:])
        steps.until(lambda: refusing.logins, "a sign-in was tried")
        steps.until(lambda: failure(site, made[1]), "it is stopped")
        for _again in range(2):  # the one that hangs would be waited for
            fetch_now(site, made[1:])
            steps.run_cron(site.admin, "mail_external_account.ir_cron_fetch")
        assert len(refusing.logins) == 1, "nobody locks the mailbox"
    assert failure(site, made[1]) == "login_refused"
    assert failure(site, made[0]) == "timeout"
    told = steps.sql(
        site.odoo,
        "SELECT n.res_partner_id FROM mail_notification n"
        "  JOIN mail_message m ON m.id = n.mail_message_id WHERE m.subject = %s",
        "refused@brand-a.test: the mail server refused the sign-in",
    )
    [anna] = site.admin.call("res.users", "read", [site.anna.uid], ["partner_id"])
    assert told == [(anna["partner_id"][0],)]


def fetch_now(site: Site, accounts: list[int]) -> None:
    domain = [("account_id", "in", accounts)]
    addresses = site.admin.call(steps.ADDRESS, "search", domain)
    site.admin.call(steps.ADDRESS, "action_fetch_now", addresses)


def looked_at(site: Site, accounts: list[int]) -> list[int]:
    rows = steps.sql(
        site.odoo,
        "SELECT account_id FROM mail_external_mailbox"
        " WHERE account_id = ANY(%s) AND last_look IS NOT NULL",
        accounts,
    )
    return [account for (account,) in rows]


def failure(site: Site, account: int) -> str | None:
    [[code]] = steps.sql(
        site.odoo,
        "SELECT failure_code FROM mail_external_mailbox WHERE account_id = %s",
        account,
    )
    return None if code is None else str(code)
