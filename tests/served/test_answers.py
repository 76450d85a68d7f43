"""Answers come back out of real mailboxes, and the mailboxes stay as they were."""

from collections.abc import Iterator

import mailbox_steps as box
import pytest
import steps
from site_setup import Site

from devtools.testbed import clients
from mailkit.message.headers import parse_headers

ANNA = "anna@brand-a.test"
POP = "anna@brand-b.test"
BOHDAN = "bohdan@brand-b.test"
CLIENT = "client@customer.test"
SECOND = "second@customer.test"
INBOX, FILED, SENT = "INBOX", "Filed", "Copies"
PRIVATE = b"From: friend@customer.test\r\nSubject: private\r\n\r\nNot for Odoo\r\n"


@pytest.fixture(scope="module")
def site_with(site: Site) -> Iterator[dict[str, int]]:
    """Connected mailboxes of two employees, by their address."""
    site.bed.clear()
    site.remove_accounts()
    steps.forget_tests(site.odoo)
    for folder in (FILED, SENT):
        box.make_folder(site, ANNA, folder)
    folders = (INBOX, FILED, SENT)
    yield {
        ANNA: box.connect(site, ANNA, folders=folders),
        POP: box.connect(site, POP, "pop3"),
        BOHDAN: box.connect(site, BOHDAN, client=site.bohdan),
    }
    site.remove_accounts()
    client = box.imap(site, ANNA)
    for folder in (FILED, SENT, "Elsewhere"):
        client.delete(folder)
    client.logout()


@pytest.fixture
def task(site: Site) -> int:
    """A task that one customer follows, and Bohdan."""
    ids = site.ids
    task = steps.new_task(
        site.admin, ids["project_brand_a"], "Answer me", (ids["customer"],)
    )
    [bohdan] = site.admin.call("res.users", "read", [site.bohdan.uid], ["partner_id"])
    partner = bohdan["partner_id"][0]
    site.admin.call("project.task", "message_subscribe", [task], [partner])
    return task


def texts(site: Site, task: int) -> list[str]:
    """The beginnings of what came into the task by mail, sorted."""
    mails = box.mails(site, task)
    for mail in mails:
        assert mail["author_id"][0] == site.ids["customer"], mail
        assert not mail["external_mark"], mail
    return sorted(mail["body"].partition("Answer ")[2][:12] for mail in mails)


def everything(site: Site) -> list[object]:
    return [box.contents(site, ANNA, folder) for folder in (INBOX, FILED, SENT)]


def by_every_program(original: bytes, names: list[str]) -> dict[str, bytes]:
    """An answer of each program, to the mail as it was sent and with another id."""
    answers = {}
    for number, name in enumerate(names):
        for variant, mail in enumerate((original, clients.rewritten(original))):
            key = f"{number:02}{variant} {name}"[:12].ljust(12, ".")
            text = f"Answer {key} Дякуємо!"
            answers[key] = clients.answer(name, mail, text=text)
    return answers


def test_answers_of_every_mail_program_are_in_the_task_after_one_fetch(
    site: Site, site_with: dict[str, int], task: int
) -> None:
    original = box.ask(site, site_with[ANNA], task, CLIENT)
    answers = by_every_program(original, sorted(clients.CLIENTS))
    site.bed.put(ANNA, [PRIVATE])
    for message in answers.values():
        site.bed.deliver(CLIENT, ANNA, message)
    site.bed.wait_for(ANNA, len(answers) + 1)
    owner = box.imap(site, ANNA)  # he has read some, and filed others
    owner.select(INBOX)
    owner.store("2:5", "+FLAGS", r"(\Seen \Flagged)")
    owner.copy("4:6", FILED)
    owner.store("4:6", "+FLAGS", r"\Deleted")
    owner.expunge()
    owner.logout()
    before = everything(site)
    box.fetch(site, site_with[ANNA])
    assert texts(site, task) == sorted(answers)
    assert everything(site) == before
    assert box.quarantine(site) == []
    for mail in box.mails(site, task):
        assert box.told(site, mail["id"]) == ["Anna", "Bohdan"]
    box.fetch(site, site_with[ANNA])
    assert len(box.mails(site, task)) == len(answers)


def test_answers_by_pop3_also_after_it_was_renumbered(
    site: Site, site_with: dict[str, int], task: int
) -> None:
    original = box.ask(site, site_with[POP], task, CLIENT)
    answers = by_every_program(original, ["outlook", "ios_mail"])
    *early, last = answers
    for key in early:
        site.bed.deliver(CLIENT, POP, answers[key])
    site.bed.put(POP, [PRIVATE])
    site.bed.wait_for(POP, len(early) + 1)
    before = box.contents(site, POP)
    box.fetch(site, site_with[POP])
    assert texts(site, task) == early
    assert box.contents(site, POP) == before
    renumber(site, POP)
    site.bed.put(POP, [answers[last]])
    box.fetch(site, site_with[POP])
    assert texts(site, task) == sorted(answers)
    assert box.quarantine(site) == []


def renumber(site: Site, address: str) -> None:
    """Make Dovecot forget its UIDs, as a restored mailbox does."""
    for file in site.bed.maildir(address).glob("dovecot*"):
        if file.name.startswith(("dovecot-uidlist", "dovecot.index")):
            file.unlink()


def test_an_answer_that_the_mailbox_forwards_to_odoo(
    site: Site, site_with: dict[str, int], task: int
) -> None:
    token = "abcdefghijklmnopqrstuvwx23"
    forward = f"reply-{token}@corp.test"
    site.bed.add_mailbox(forward)
    account = steps.account_of(site.odoo, site_with[POP])
    steps.sql(
        site.odoo,
        "UPDATE mail_external_account SET incoming_protocol = 'forwarded',"
        " forward_token = %s WHERE id = %s",
        token,
        account,
    )
    try:
        original = box.ask(site, site_with[POP], task, CLIENT)
        log = len(site.bed.log())
        answers = by_every_program(original, ["gmail"])
        for message in [PRIVATE, *answers.values()]:
            site.bed.deliver(CLIENT, forward, message)
        for mail in site.bed.wait_for(forward, 1 + len(answers)):
            raw = mail.raw.decode()
            site.admin.call("mail.thread", "message_process", False, raw)
    finally:
        steps.sql(
            site.odoo,
            "UPDATE mail_external_account SET incoming_protocol = 'pop3' WHERE id = %s",
            account,
        )
    assert texts(site, task) == sorted(answers)
    for mail in box.mails(site, task):
        assert box.told(site, mail["id"]) == ["Anna", "Bohdan"]
    left = box.left_for(site, log) - {forward}
    assert {address.partition("@")[2] for address in left} <= {"corp.test"}, left


def test_one_answer_in_two_connected_mailboxes_is_one_message(
    site: Site, site_with: dict[str, int], task: int
) -> None:
    original = box.ask(site, site_with[ANNA], task, CLIENT)
    both = clients.answer(
        "thunderbird", original, to=f"{ANNA}, {BOHDAN}", text="Answer both"
    )
    for address in (ANNA, BOHDAN):
        site.bed.deliver(CLIENT, address, both)
        site.bed.wait_for(address, 1)
    box.fetch(site, site_with[BOHDAN])
    box.fetch(site, site_with[ANNA])
    assert len(texts(site, task)) == 1


def test_answers_are_found_whatever_happens_to_the_mailbox_meanwhile(
    site: Site, site_with: dict[str, int], task: int
) -> None:
    """New UIDVALIDITY, expunged messages, and one moved away in mid-fetch."""
    sender = site_with[ANNA]
    original = box.ask(site, sender, task, CLIENT)
    answers = by_every_program(original, ["gmail", "yahoo"])
    keys = sorted(answers)
    site.bed.put(ANNA, [answers[keys[0]], PRIVATE])
    box.fetch(site, sender)
    renumber(site, ANNA)
    site.bed.put(ANNA, [answers[keys[1]]])
    box.fetch(site, sender)
    assert texts(site, task) == keys[:2]
    owner = box.imap(site, ANNA)
    owner.select(INBOX)
    owner.store("1:*", "+FLAGS", r"\Deleted")
    owner.expunge()
    site.bed.put(ANNA, [answers[keys[2]]])
    box.fetch(site, sender)
    assert texts(site, task) == keys[:3]
    # The fetch has seen the headers, and waits for the database.
    site.bed.put(ANNA, [answers[keys[3]]])
    with steps.cursor(site.odoo) as holding:
        holding.execute("LOCK TABLE mail_external_delivery")
        site.admin.call(steps.ADDRESS, "action_fetch_now", [sender])
        steps.until(lambda: waits_for_lock(site), "the fetch waits", 40)
        owner.select(INBOX)
        owner.create("Elsewhere")
        owner.copy("1:*", "Elsewhere")
        owner.store("1:*", "+FLAGS", r"\Deleted")
        owner.expunge()
        owner.logout()
    steps.until(lambda: texts(site, task) == keys, "the moved one is found", 40)
    box.fetch(site, sender)
    assert texts(site, task) == keys
    assert box.quarantine(site) == []


def waits_for_lock(site: Site) -> bool:
    [[number]] = steps.sql(
        site.odoo,
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock'"
        " AND query LIKE '%%mail_external_delivery%%'",
    )
    return bool(number)


def in_copies(site: Site, original: bytes) -> int:
    """How many of the messages in the folder of sent mail are this one."""
    name = parse_headers(original).message_id
    found = box.contents(site, ANNA, SENT).values()
    return sum(parse_headers(content).message_id == name for _flags, content in found)


def test_the_owners_own_answer_and_copies_in_the_sent_folder(
    site: Site, site_with: dict[str, int], task: int
) -> None:
    sender = site_with[ANNA]
    steps.sql(
        site.odoo,
        "UPDATE mail_external_account SET keep_sent_copy = true WHERE id = %s",
        steps.account_of(site.odoo, sender),
    )
    site.admin.call("ir.config_parameter", "set_param", "test.cache", "copies")
    one = box.ask(site, sender, task, CLIENT)
    two = box.ask(site, sender, task, CLIENT)
    by_service = two.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    own = clients.answer(
        "apple_mail", one, sender=f"Anna <{ANNA}>", to=CLIENT, text="Answer by hand"
    )
    owner = box.imap(site, ANNA)
    for message in (by_service, own):
        owner.append(SENT, r"(\Seen)", None, message)
    owner.logout()
    box.fetch(site, sender)
    assert in_copies(site, one) == 0, "the service may put one there itself"
    steps.sql(
        site.odoo, "UPDATE mail_external_sent_copy SET sent = sent - interval '2 min'"
    )
    for _time in range(2):
        box.fetch(site, sender)
        assert [in_copies(site, one), in_copies(site, two)] == [1, 1]
    log = len(site.bed.log())
    [mail] = box.mails(site, task)
    assert mail["external_mark"] == "own_copy"
    assert "Answer by hand" in mail["body"]
    assert box.told(site, mail["id"]) == []
    assert box.left_for(site, log) == set()
