"""Several addresses of one account, on Postfix and Dovecot: one password for all."""

import re
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import mailbox_steps
import pytest
import steps
from browser_steps import sign_in
from playwright.sync_api import Page, expect
from site_setup import Site

from devtools.rpc import OdooClient
from devtools.testbed.bed import PASSWORD, TestBed
from devtools.testbed.faults import FaultServer
from devtools.testbed.mailboxes import ReceivedMail

ANNA = "anna@brand-a.test"
SALES, BILLING, HELLO, TEAM = (
    f"{name}@brand-a.test" for name in ("sales", "billing", "hello", "team")
)
ALIASES = (SALES, BILLING, HELLO, TEAM)
ELSEWHERE = "elsewhere@brand-a.test"
FOREIGN = "support@brand-a.test"  # a mailbox of its own, with its own login
CLIENT = "client@customer.test"
SUPPORT, SHOP, CARE = (f"{n}@brand-b.test" for n in ("support", "shop", "care"))


@pytest.fixture
def aliases(clean: Site) -> Iterator[Site]:
    """The site, where mail to further addresses comes into Anna's mailbox."""
    bed = clean.bed
    steps.forget_tests(clean.odoo)
    for alias in ALIASES:
        bed.add_alias(alias, ANNA)
    for alias in (SHOP, CARE):
        bed.add_alias(alias, SUPPORT)
    bed.add_mailbox(ELSEWHERE, login=ANNA)
    bed.clear(ELSEWHERE)
    yield clean
    for alias in (*ALIASES, SHOP, CARE):
        bed.remove_alias(alias)


def window(client: OdooClient, address: int, email: str, **values: Any) -> steps.Window:
    """The window "Another address of this account", filled in."""
    [row] = client.call(steps.ADDRESS, "read", [address], ["account_id"])
    opened = steps.Window(client, default_account_id=row["account_id"][0])
    opened.type_address(email)
    opened.enter(**values)
    return opened


def add(client: OdooClient, address: int, email: str, **values: Any) -> int:
    """Add another address to the account of one; return its id."""
    opened = window(client, address, email, **values)
    lines = opened.test()
    assert lines[-1]["ok"], lines[-1]
    return opened.save()


def answer(bed: TestBed, mail: ReceivedMail, body: str, to: str = "") -> None:
    """The customer answers to whom the mail wants answers to."""
    reply = EmailMessage()
    reply["From"] = f"Clara <{CLIENT}>"
    reply["To"] = to or mail.message["Reply-To"]
    reply["Subject"] = f"Re: {mail.message['Subject']}"
    reply["Message-ID"] = f"<{abs(hash(body))}@customer.test>"
    reply["In-Reply-To"] = mail.message["Message-ID"]
    reply["References"] = mail.message["Message-ID"]
    reply.set_content(body)
    [address] = re.findall(r"[\w.+-]+@[\w.-]+", str(reply["To"]))[-1:]
    bed.deliver(CLIENT, address, reply)


def bodies(site: Site, task: int) -> list[str]:
    """What the chatter of a task shows, newest first."""
    domain = [("model", "=", "project.task"), ("res_id", "=", task)]
    rows = site.admin.call("mail.message", "search_read", domain, ["body"])
    return [row["body"] for row in rows]


def read(site: Site, address: int, *names: str) -> dict[str, Any]:
    [row] = site.admin.call(steps.ADDRESS, "read", [address], [*names])
    return dict(row)


def sign_ins(bed: TestBed, login: str) -> int:
    """How often Dovecot let somebody read a mailbox by IMAP."""
    return len(re.findall(rf"imap-login: (?:Info: )?Login: user=<{login}>", bed.log()))


def hold(site: Site, address: int) -> None:
    """Nothing leaves from the account for a while, so that mails gather."""
    steps.sql(
        site.odoo,
        "UPDATE mail_external_account SET delivery_next_try = now() + interval '1 day'"
        " WHERE id = %s",
        steps.account_of(site.odoo, address),
    )


def test_four_aliases_of_a_mailbox(aliases: Site) -> None:
    """One password, one look, one session; each answer to its own address."""
    site, bed = aliases, aliases.bed
    anna = mailbox_steps.connect(site, ANNA)
    siblings = [add(site.anna, anna, alias) for alias in ALIASES]
    addresses = dict(zip((ANNA, *ALIASES), (anna, *siblings), strict=True))
    accounts = {steps.account_of(site.odoo, each) for each in addresses.values()}
    assert len(accounts) == 1
    assert read(site, addresses[SALES], "proof")["proof"] == "code"
    [[secrets]] = steps.sql(site.odoo, "SELECT count(*) FROM mail_external_secret")
    assert secrets == 2  # of the one password: for sending and for reading

    project = site.ids["project_brand_a"]
    customer = site.ids["customer"]
    tasks = {
        email: steps.new_task(site.admin, project, f"About {email}", (customer,))
        for email in addresses
    }
    hold(site, anna)
    bed.clear(CLIENT)
    for email, task in tasks.items():
        steps.post(site.anna, task, f"From {email}", sender=addresses[email])
    sessions = bed.log().count("sasl_username=anna@brand-a.test")
    steps.let_time_pass(site.odoo, site.admin)
    mails = bed.wait_for(CLIENT, len(addresses))
    assert {steps.sender_of(mail)[1] for mail in mails} == {*addresses}
    assert {mail.envelope_from for mail in mails} == {*addresses}
    sent = bed.log().count("sasl_username=anna@brand-a.test") - sessions
    assert sent == len(addresses)
    connections = re.findall(
        r"submissions/smtpd\[(\d+)\]: \w+: client=.*sasl_username=anna@brand-a",
        bed.log(),
    )
    assert len(set(connections[-sent:])) == 1, "one session for all addresses"

    for mail in mails:
        answer(bed, mail, f"Answer to {steps.sender_of(mail)[1]}")
    looks = sign_ins(bed, ANNA)
    mailbox_steps.fetch(site, anna)
    assert sign_ins(bed, ANNA) - looks == 1, "one look for all addresses"
    for email, task in tasks.items():
        assert any(f"Answer to {email}" in body for body in bodies(site, task)), email

    # The customer wrote to this address: so it is picked for the answer to them.
    companies = site.admin.call("res.company", "search", [])
    policy = {"external_sender_policy": "customer"}
    site.admin.call("res.company", "write", companies, policy)
    bed.clear(CLIENT)
    for task in tasks.values():
        steps.post(site.anna, task, "And now?")
    again = bed.wait_for(CLIENT, len(addresses))
    site.admin.call(
        "res.company", "write", companies, {"external_sender_policy": "employee"}
    )
    by_task = {
        str(mail.message["Subject"]).removeprefix("Re: ").removeprefix("About "): (
            steps.sender_of(mail)[1]
        )
        for mail in again
    }
    assert by_task == {email: email for email in addresses}


def test_in_the_browser(aliases: Site, page: Page) -> None:
    """Another address in the preferences: no password, three lines, under the first."""
    site = aliases
    mailbox_steps.connect(site, ANNA)
    sign_in(page, site, "anna")
    page.goto(f"{site.odoo.url}/odoo/my-preferences/{site.anna.uid}")
    page.get_by_role("tab", name="External Addresses").click()
    row = page.locator("tr.o_data_row", has_text=ANNA)
    row.get_by_role("button", name="Another Address").click()
    dialog = page.locator(".modal")
    expect(dialog.locator("[name=password] input")).to_have_count(0)

    def test(email: str) -> None:
        address = dialog.locator("[name=email] input")
        address.fill(email)
        address.press("Tab")
        dialog.get_by_role("button", name="Test account").click()

    test(FOREIGN)
    line = dialog.locator("[data-step=smtp_sender]")
    expect(line).to_have_attribute("data-state", "failed", timeout=15_000)
    expect(line).to_contain_text("does not let this account send from this address")
    expect(dialog.locator("button[name=action_save]")).to_have_count(0)
    test(SALES)
    for step in ("smtp_sender", "arrival", "round_trip"):
        line = dialog.locator(f"[data-step={step}]")
        expect(line).to_have_attribute("data-state", "passed", timeout=40_000)
    dialog.locator("button[name=action_save]").click()
    expect(dialog).to_have_count(0, timeout=15_000)
    rows = page.locator(".o_field_widget[name=external_address_ids] tr.o_data_row")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text(ANNA)
    expect(rows.nth(1)).to_contain_text(f"↳ {SALES}")


def test_refused_by_the_server(aliases: Site) -> None:
    """What Postfix does not let the account send from is told, and not saved."""
    site = aliases
    anna = mailbox_steps.connect(site, ANNA)
    opened = window(site.anna, anna, FOREIGN)
    assert opened.steps() == ["smtp_sender", "arrival", "round_trip"]
    line = opened.check("smtp_sender")
    assert not line["ok"]
    assert "does not let this account send from this address" in line["cause"]
    assert "not owned by user" in line["reply"]
    assert "Nothing was saved" in str(steps.refusal(opened.save))
    found = site.admin.call(steps.ADDRESS, "search", [("email", "=", FOREIGN)])
    assert not found


def test_mail_that_arrives_elsewhere(aliases: Site) -> None:
    """No Reply-To to a mailbox that is not read, and the window says so."""
    site, bed = aliases, aliases.bed
    anna = mailbox_steps.connect(site, ANNA)
    opened = window(site.anna, anna, ELSEWHERE)
    [sender, arrival] = opened.test()
    assert sender["ok"] and not arrival["ok"]
    assert "was not seen in the mailbox" in arrival["cause"]
    assert "switch off “Receive replies”" in arrival["remedy"]
    assert len(bed.messages(ELSEWHERE)) == 1
    opened.enter(receive_replies=False)
    lines = opened.test()
    assert [line["step"] for line in lines] == ["smtp_sender", "round_trip"]
    assert "Nothing was saved" in str(steps.refusal(opened.save))  # not proven yet
    prove(site, opened, ELSEWHERE)
    elsewhere = opened.save()
    customer = site.ids["customer"]
    task = steps.new_task(site.admin, site.ids["project_brand_a"], "X", (customer,))
    bed.clear(CLIENT)
    steps.post(site.anna, task, "Hello", sender=elsewhere)
    [mail] = bed.wait_for(CLIENT, 1)
    assert steps.sender_of(mail)[1] == ELSEWHERE
    assert "corp.test" in mail.message["Reply-To"]
    assert not re.search("mea[.]", mail.raw.decode())


@pytest.fixture
def service(aliases: Site) -> Iterator[FaultServer]:
    """A submission service in front of the bed, which delivers what it takes."""
    with FaultServer("smtp", "ssl", deliver=aliases.bed.deliver) as running:
        yield running


def connect_at(site: Site, service: FaultServer, *, read: bool) -> int:
    """Connect Anna's address at the service, her mailbox at the bed's Dovecot."""
    incoming = mailbox_steps.incoming(site, ANNA) if read else {}
    values = {**steps.at(service), "smtp_login": ANNA, **incoming}
    values["ca_certificate"] = f"{service.ca_pem}\n{site.bed.ca_pem}"
    opened = steps.Window(site.anna)
    opened.type_address(ANNA)
    opened.enter(password=PASSWORD, **{**steps.SEND_ONLY, **values})
    assert all(line["ok"] for line in opened.test())
    prove(site, opened, ANNA)
    return opened.save()


def prove(site: Site, opened: steps.Window, mailbox: str) -> None:
    """Enter the code that comes into a mailbox of the bed."""
    site.bed.clear(mailbox)
    opened.press("action_send_code")
    [mail] = site.bed.wait_for(mailbox, 1)
    opened.enter(code_entry=steps.code_in(mail))
    opened.press("action_verify_code")


def test_told_apart_in_the_window(aliases: Site, service: FaultServer) -> None:
    """Refused after the whole message, or replaced without a word: seen before saving
    where the mailbox is read."""
    site = aliases
    anna = connect_at(site, service, read=True)
    service.denied, service.replaced = [SALES], [BILLING]
    *_passed, line = window(site.anna, anna, SALES).test()
    assert (line["step"], line["ok"]) == ("round_trip", False)
    assert "5.7.60" in line["reply"]
    *_passed, line = window(site.anna, anna, BILLING).test()
    assert (line["step"], line["ok"]) == ("round_trip", False)
    assert "another address in From" in line["cause"]
    assert ANNA in line["reply"]
    *_passed, line = window(site.anna, anna, HELLO).test()
    assert line["ok"] and "came back with this sender" in line["label"]


def test_refused_after_the_whole_message(aliases: Site, service: FaultServer) -> None:
    """Where nothing is read nobody knows before: that address stops, others go on."""
    site, bed = aliases, aliases.bed
    anna = connect_at(site, service, read=False)
    opened = window(site.anna, anna, SALES)
    [line] = opened.test()
    assert line["label"] == f"The server accepts {SALES} as sender so far"
    prove(site, opened, ANNA)
    sales = opened.save()
    service.denied = [SALES]
    customer = site.ids["customer"]
    project = site.ids["project_brand_a"]
    first, second = (
        steps.new_task(site.admin, project, name, (customer,)) for name in ("1", "2")
    )
    bed.clear(CLIENT)
    hold(site, anna)
    waiting = steps.post(site.anna, first, "From sales", sender=sales)
    steps.post(site.anna, first, "From sales again", sender=sales)
    steps.post(site.anna, second, "From Anna", sender=anna)
    steps.let_time_pass(site.odoo, site.admin)
    [mail] = bed.wait_for(CLIENT, 1)
    assert steps.sender_of(mail)[1] == ANNA
    row = read(site, sales, "state", "failure_text", "failure_answer")
    assert row["state"] == "stopped"
    assert "5.7.60" in row["failure_answer"]
    assert read(site, anna, "state")["state"] == "working"
    notified = steps.shown(site.anna, first, waiting)["by_name"]
    assert {each["notification_status"] for each in notified.values()} == {"ready"}
    told = "SELECT count(*) FROM mail_message WHERE subject = %s"
    subject = f"{SALES}: the mail server refused this sender"
    assert steps.sql(site.odoo, told, subject) == [(1,)]
    # Tested again, what waited leaves.
    service.denied = []
    again = steps.Window(site.anna, default_address_id=sales)
    again.enter(sender_name="Anna, Sales")
    assert all(each["ok"] for each in again.test())
    again.save()
    mails = bed.wait_for(CLIENT, 3)
    assert [steps.sender_of(mail)[1] for mail in mails].count(SALES) == 2


@pytest.fixture
def sent_folder(aliases: Site) -> Iterator[str]:
    """A Sent folder in Anna's mailbox, which other tests do not find there."""
    client = mailbox_steps.imap(aliases, ANNA)
    client.create("Sent")
    yield "Sent"
    client.delete("Sent")
    client.logout()


def test_replaced_later(aliases: Site, service: FaultServer, sent_folder: str) -> None:
    """What lies in the Sent folder shows that the server sends under another name."""
    site, bed = aliases, aliases.bed
    anna = connect_at(site, service, read=True)
    sales = add(site.anna, anna, SALES)
    service.replaced = [SALES]
    customer = site.ids["customer"]
    task = steps.new_task(site.admin, site.ids["project_brand_a"], "X", (customer,))
    bed.clear(CLIENT)
    mailbox_steps.fetch(site, anna)
    steps.post(site.anna, task, "From sales", sender=sales)
    [mail] = bed.wait_for(CLIENT, 1)
    assert steps.sender_of(mail)[1] == ANNA
    # As the service does itself. In the inbox anybody could lay down such a mail.
    bed.put(ANNA, [mail.raw])
    mailbox_steps.fetch(site, anna)
    assert read(site, sales, "state")["state"] == "working"
    steps.sql(
        site.odoo,
        "INSERT INTO mail_external_folder (account_id, path, is_sent)"
        " VALUES (%s, %s, true) ON CONFLICT DO NOTHING",
        steps.account_of(site.odoo, anna),
        sent_folder,
    )
    mailbox_steps.fetch(site, anna)
    bed.put(ANNA, [mail.raw], folder=f".{sent_folder}")
    mailbox_steps.fetch(site, anna)
    row = read(site, sales, "state", "failure_text", "failure_answer")
    assert row["state"] == "stopped"
    assert "another address in From" in row["failure_text"]
    assert ANNA in row["failure_answer"]
    assert read(site, anna, "state")["state"] == "working"


def test_a_company_account_for_two_companies(aliases: Site) -> None:
    """Three addresses, one password; new mail goes into the project of the address."""
    site, bed = aliases, aliases.bed
    admin = site.admin
    [shop] = admin.call("res.company", "create", [{"name": "Shop Ltd"}])
    admin.call("res.users", "write", [admin.uid], {"company_ids": [[4, shop, 0]]})
    names = ("brand_a", "brand_b", "support")
    brand_a, brand_b, general = (site.ids[f"project_{name}"] for name in names)
    tasks = {"new_mail": "task"}
    support = mailbox_steps.connect(
        site,
        SUPPORT,
        client=admin,
        company=True,
        new_mail_project_id=general,
        **tasks,
    )
    care = add(admin, support, CARE, new_mail_project_id=brand_b, **tasks)
    [project] = admin.call("project.project", "create", [{"name": "Shop"}])
    admin.call("project.project", "write", [project], {"company_id": shop})
    sold = add(
        admin,
        support,
        SHOP,
        company_id=shop,
        new_mail_project_id=project,
        project_ids=[[0, 0, {"project_id": project, "is_default": True}]],
        **tasks,
    )
    assert read(site, sold, "company_id")["company_id"][0] == shop
    assert read(site, care, "company_id")["company_id"][0] != shop
    mailbox_steps.fetch(site, support)
    for number, recipient in enumerate((SUPPORT, CARE, SHOP.upper())):
        mail = EmailMessage()
        mail["From"], mail["To"] = f"Clara <{CLIENT}>", f"Us <{recipient}>"
        mail["Subject"], mail["Message-ID"] = f"To {recipient}", f"<{number}@c.test>"
        mail.set_content("Hello")
        bed.deliver(CLIENT, recipient.lower(), mail)
    hidden = EmailMessage()
    hidden["From"], hidden["To"] = CLIENT, "undisclosed-recipients:;"
    hidden["Subject"], hidden["Message-ID"] = "To nobody", "<9@c.test>"
    hidden.set_content("Hello")
    bed.deliver(CLIENT, SUPPORT, hidden)
    looks = sign_ins(bed, SUPPORT)
    mailbox_steps.fetch(site, support)
    assert sign_ins(bed, SUPPORT) - looks == 1
    domain = [("name", "like", "To ")]
    rows = admin.call("project.task", "search_read", domain, ["name", "project_id"])
    assert {row["name"]: row["project_id"][0] for row in rows} == {
        f"To {SUPPORT}": general,
        f"To {CARE}": brand_b,
        f"To {SHOP.upper()}": project,
        "To nobody": general,
    }
    assert brand_a not in {row["project_id"][0] for row in rows}
    admin.call("project.task", "unlink", [row["id"] for row in rows])
