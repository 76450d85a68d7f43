"""Addresses whose mail service people sign in at: their life on real servers."""

from collections.abc import Iterator

import mailbox_steps as box
import oauth_steps
import pytest
import steps
from delivery_steps import settled
from oauth_scene import ANNA, PROVIDER, SignInSite

from devtools.testbed import clients
from devtools.testbed.authorization import AuthorizationServer
from devtools.testbed.bed import PASSWORD
from devtools.testbed.delay import DelayProxy

SUPPORT = "support@brand-a.test"
SALES = "sales@brand-a.test"
CLIENT = "client@customer.test"
OWNER = "anna@corp.test"
#: In the service's log, when Odoo gives tokens back.
REVOKED = "POST /token/revocation 200"


@pytest.fixture(scope="module", autouse=True)
def nothing_leaks(sign_in_service: AuthorizationServer, site: object) -> Iterator[None]:
    """No code and no token stands in a log, or in the open in the database."""
    yield
    given = sign_in_service.given()
    assert len(given) > 20
    log = site.odoo.log() + site.bed.log()  # type: ignore[attr-defined]
    assert not [secret for secret in given if secret in log]


def task_for_customer(oauth: SignInSite, name: str) -> int:
    site = oauth.site
    project = site.ids["project_brand_a"]
    return steps.new_task(site.admin, project, name, (site.ids["customer"],))


def answered(oauth: SignInSite, address: int, task: int, text: str) -> None:
    """Send from the task; the customer's answer is fetched into it."""
    site = oauth.site
    raw = box.ask(site, address, task, CLIENT)
    known = len(box.mails(site, task))
    before = len(site.bed.messages(ANNA))
    site.bed.deliver(CLIENT, ANNA, clients.answer("gmail", raw, text=text))
    site.bed.wait_for(ANNA, before + 1)
    box.fetch(site, address)
    mails = box.mails(site, task)
    assert len(mails) == known + 1 and text in mails[-1]["body"]


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_mail_goes_out_and_its_answer_comes_in(
    oauth: SignInSite, protocol: str
) -> None:
    site = oauth.site
    oauth.service.set(access_length=2500)  # as long as those of the large services
    address = oauth.connect(site.anna, **oauth.reading(ANNA, protocol))
    box.fetch(site, address)
    task = task_for_customer(oauth, f"Signed in, read by {protocol}")
    answered(oauth, address, task, f"An answer by {protocol}")
    assert steps.sender_of(site.bed.messages(CLIENT)[0]) == ("Anna Kovalenko", ANNA)
    assert oauth.account(address) == ("working", "")
    assert oauth.refreshes() == [], "it lasts for an hour"


def test_expired_in_the_middle_of_a_batch(oauth: SignInSite) -> None:
    """Twice: before the first mail, and when the connection breaks between mails."""
    site, service = oauth.site, oauth.service
    with DelayProxy(site.bed.smtp_ssl, speed=20_000) as proxy:
        port = {"smtp_port": proxy.port}
        site.admin.call(PROVIDER, "write", [oauth.preset], port)
        address = oauth.connect(site.anna)
        service.set(access_seconds=5)
        service.expire(ANNA)  # what Odoo has should be good for an hour
        task = task_for_customer(oauth, "A batch")
        for number in range(8):
            steps.post(site.anna, task, f"<p>Mail {number}</p>", address)
        site.bed.wait_for(CLIENT, 2, 40)
        service.expire(ANNA)
        proxy.drop()
        assert len(_ids(oauth)) < 8, "it is in the middle of the batch"
        proxy.speed = 0
        steps.until(
            lambda: _let_waiting_leave(oauth) or len(_ids(oauth)) == 8,
            "all of the batch has left",
            60,
        )
    assert oauth.account(address) == ("working", "")
    refreshes = oauth.refreshes()
    assert len(refreshes) >= 2 and set(refreshes) == {"ok"}, refreshes
    assert not site.bed.messages(OWNER), "nobody is told of what mended itself"


def _let_waiting_leave(oauth: SignInSite) -> None:
    steps.let_time_pass(oauth.site.odoo, oauth.site.admin)


def _ids(oauth: SignInSite) -> set[str]:
    """Message-IDs of what the customer got."""
    return {m.message["Message-ID"] for m in oauth.site.bed.messages(CLIENT)}


def test_revoked_told_once_and_signed_in_again(oauth: SignInSite) -> None:
    site, service = oauth.site, oauth.service
    address = oauth.connect(site.anna)
    box.fetch(site, address)
    task = task_for_customer(oauth, "Revoked")
    answered(oauth, address, task, "Before")
    site.bed.clear(OWNER)

    service.revoke(ANNA)
    message = steps.post(site.anna, task, "<p>It waits</p>", address)
    steps.until(lambda: oauth.account(address)[0] == "refused", "the account stops")
    assert oauth.account(address) == ("refused", "oauth_ended")
    [link] = oauth_steps.links_told(site, OWNER)
    account = steps.account_of(site.odoo, address)
    assert link == f"{site.odoo.url}/mail_external_account/sign_in/{account}"
    steps.let_time_pass(site.odoo, site.admin)
    asked = len(oauth.refreshes())
    steps.let_time_pass(site.odoo, site.admin)
    assert len(oauth.refreshes()) == asked, "the service is not asked in vain"

    page = oauth_steps.walk(site.anna, service, link, ANNA)
    assert ANNA in page
    window = oauth_steps.window_of(site.anna, page)
    lines = window.test()
    assert lines[-1]["ok"], lines[-1]
    assert window.save() == address
    assert set(settled(site, task, message).values()) == {"sent"}
    answered(oauth, address, task, "After")
    assert len(oauth_steps.links_told(site, OWNER)) == 1, "told once"


def test_from_password_to_sign_in_and_back_in_place(oauth: SignInSite) -> None:
    site = oauth.site
    address = box.connect(site, ANNA)
    account = steps.account_of(site.odoo, address)
    task = task_for_customer(oauth, "In place")
    answered(oauth, address, task, "With the password")

    for name in ("oauth2", "password"):
        folders = _folders(oauth, account)
        sequence = _waiting(oauth, account, task)
        window = steps.Window(site.anna, default_address_id=address)
        window.enter()
        if name == "oauth2":
            oauth_steps.sign_in_window(site.anna, oauth.service, window, ANNA)
        else:
            window.press("action_use_password")
            window.enter(password=PASSWORD)
        lines = window.test()
        assert lines[-1]["ok"], lines[-1]
        assert window.save() == address
        assert steps.account_of(site.odoo, address) == account
        [[method]] = steps.sql(
            site.odoo,
            "SELECT auth_method FROM mail_external_account WHERE id = %s",
            account,
        )
        assert method == name
        assert _folders(oauth, account) == folders, "positions are kept"
        assert set(settled(site, task, sequence).values()) == {"sent"}
        answered(oauth, address, task, f"After {name}")
    texts = [mail["body"] for mail in box.mails(site, task)]
    assert len(texts) == 3, "nothing is read twice"


def _folders(oauth: SignInSite, account: int) -> list[tuple[object, ...]]:
    return steps.sql(
        oauth.site.odoo,
        "SELECT * FROM mail_external_folder WHERE account_id = %s ORDER BY id",
        account,
    )


def _waiting(oauth: SignInSite, account: int, task: int) -> int:
    """Post while the account cannot send yet."""
    site = oauth.site
    steps.sql(
        site.odoo,
        "UPDATE mail_external_account SET delivery_next_try = now() AT TIME ZONE 'UTC'"
        " + interval '1 hour' WHERE id = %s",
        account,
    )
    [[address]] = steps.sql(
        site.odoo,
        "SELECT id FROM mail_external_address WHERE account_id = %s",
        account,
    )
    return steps.post(site.anna, task, "<p>Waits for the change</p>", address)


def test_shared_mailbox_with_a_persons_sign_in(oauth: SignInSite) -> None:
    """The administrator opens the company's mailbox as themselves, and withdraws."""
    site, bed = oauth.site, oauth.site.bed
    bed.share(SUPPORT, ANNA)
    try:
        address = oauth.connect(
            site.admin,
            SUPPORT,
            ANNA,
            default_is_company=True,
            is_own_sign_in=True,
        )
        box.fetch(site, address)
        task = task_for_customer(oauth, "Shared")
        steps.post(site.admin, task, "<p>From the team</p>", address)
        [mail] = bed.wait_for(CLIENT, 1)
        assert mail.envelope_from == SUPPORT
        raw = clients.answer("outlook_365", mail.raw, text="To the team")
        bed.deliver(CLIENT, SUPPORT, raw)
        bed.wait_for(SUPPORT, 1)
        box.fetch(site, address)
        assert "To the team" in box.mails(site, task)[-1]["body"]
        account = steps.account_of(site.odoo, address)
        site.admin.call("mail.external.account", "action_withdraw_sign_in", [account])
        assert oauth.account(address) == ("refused", "sign_in_withdrawn")
        steps.until(
            lambda: (
                not steps.sql(
                    site.odoo,
                    "SELECT FROM mail_external_secret WHERE account_id = %s",
                    account,
                )
            ),
            "the tokens are gone",
        )
    finally:
        bed.share(SUPPORT, ANNA, shared=False)


def test_alias_of_a_signed_in_account(oauth: SignInSite) -> None:
    site, bed = oauth.site, oauth.site.bed
    bed.add_alias(SALES, ANNA)
    try:
        address = oauth.connect(site.anna)
        account = steps.account_of(site.odoo, address)
        window = steps.Window(site.anna, default_account_id=account)
        window.type_address(SALES)
        window.enter(receive_replies=True)
        lines = window.test()
        assert lines[-1]["ok"], lines[-1]
        alias = window.save()
        assert steps.account_of(site.odoo, alias) == account
        task = task_for_customer(oauth, "Alias")
        steps.post(site.anna, task, "<p>From the alias</p>", alias)
        [mail] = bed.wait_for(CLIENT, 1)
        assert (mail.envelope_from, steps.sender_of(mail)[1]) == (SALES, SALES)
    finally:
        bed.remove_alias(SALES)


def test_person_who_presses_cancel_is_told_and_may_try_again(oauth: SignInSite) -> None:
    site = oauth.site
    window = oauth.window(site.anna, ANNA)
    page = oauth_steps.sign_in_window(
        site.anna, oauth.service, window, ANNA, agrees=False
    )
    assert "cancelled" in page and "Sign in again" in page, page
    assert "are signed in" not in page
    lines = window.test()
    assert not lines[-1]["ok"]
    assert not site.admin.call(steps.ADDRESS, "search_count", [])
    oauth_steps.sign_in_window(site.anna, oauth.service, window, ANNA)
    assert window.test()[-1]["ok"]
    assert oauth.account(window.save()) == ("working", "")
