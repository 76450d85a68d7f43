"""Answers come back out of real mailboxes, and the mailboxes stay as they were."""

from collections.abc import Callable

import mailbox_steps as box
import pytest
import steps
from site_setup import Site

from devtools.testbed import clients

ANNA = "anna@brand-a.test"
CLIENT = "client@customer.test"
SECOND = "second@customer.test"


@pytest.fixture
def task(clean: Site) -> int:
    """A task that one customer follows, and Bohdan."""
    task = steps.new_task(
        clean.admin,
        clean.ids["project_brand_a"],
        "Answer me",
        (clean.ids["customer"],),
    )
    bohdan = clean.admin.call("res.users", "read", [clean.bohdan.uid], ["partner_id"])
    partner = bohdan[0]["partner_id"][0]
    clean.admin.call("project.task", "message_subscribe", [task], [partner])
    return task


@pytest.fixture
def sent(clean: Site, task: int) -> Callable[..., bytes]:
    """Send from the task; return the mail as the customer got it."""

    def send(account: int, address: str = CLIENT) -> bytes:
        clean.bed.clear(address)
        steps.post(clean.anna, task, "<p>What do you think?</p>", account)
        [mail] = clean.bed.wait_for(address, 1)
        return mail.raw

    return send


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
@pytest.mark.parametrize("program", sorted(clients.CLIENTS))
def test_an_answer_of_every_mail_program_is_in_the_task(
    clean: Site, task: int, sent: Callable[..., bytes], protocol: str, program: str
) -> None:
    steps.forget_tests(clean.odoo)
    account = box.connect(clean, ANNA, protocol)
    original = sent(account)
    clean.bed.deliver(CLIENT, ANNA, b"Subject: private\r\n\r\nNot for Odoo\r\n")
    clean.bed.deliver(CLIENT, ANNA, clients.answer(program, original))
    clean.bed.wait_for(ANNA, 2)
    before = box.contents(clean, ANNA)
    box.fetch(clean, account)
    [answer] = box.mails(clean, task)
    assert "Дякуємо" in answer["body"]
    assert answer["author_id"][0] == clean.ids["customer"]
    assert not answer["external_mark"]
    assert box.contents(clean, ANNA) == before
    told = steps.sql(
        clean.odoo,
        "SELECT p.name FROM mail_notification n JOIN res_partner p"
        " ON p.id = n.res_partner_id WHERE n.mail_message_id = %s ORDER BY p.name",
        answer["id"],
    )
    names = [name for (name,) in told]
    assert len(names) == 2 and "Anna" in names[0] and "Bohdan" in names[1], names
    box.fetch(clean, account)
    assert len(box.mails(clean, task)) == 1
