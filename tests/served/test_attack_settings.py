"""Anna's address entered where Odoo takes a sender from: servers, contacts, companies,
alias domains; and a company that somebody only claims to work in."""

import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import pytest
import steps
from attack_scene import ANNA, CLIENT, COLLEAGUE, OWN, Scene, on_task
from steps import refusal

from devtools.rpc import OdooClient

SUPPORT = "support@brand-b.test"


@contextmanager
def changed(
    client: OdooClient, model: str, record: int, **values: Any
) -> Iterator[None]:
    [before] = client.call(model, "read", [record], list(values), load=None)
    client.call(model, "write", [record], values)
    try:
        yield
    finally:
        del before["id"]
        client.call(model, "write", [record], before)


def in_odoos_name(scene: Scene, number: int = 1) -> None:
    """The customer got it, from Odoo's own address."""
    scene.leave()
    for mail in scene.site.bed.wait_for(CLIENT, number):
        assert steps.sender_of(mail)[1] == OWN, mail.raw
        assert mail.envelope_from != ANNA


def test_a_personal_server_of_odoo(scene: Scene) -> None:
    """Odoo's own feature: a server that takes the mail of one employee."""
    site, client = scene.site, scene.attackers.employee
    values = {
        "name": "Olena's own",
        "smtp_host": site.bed.host,
        "smtp_port": site.bed.relay,
        "smtp_encryption": "none",
        "smtp_user": ANNA,
        "smtp_authentication": "cli",
        "from_filter": ANNA,
        "owner_user_id": client.uid,
    }
    [server] = site.admin.call("ir.mail_server", "create", [values])
    try:
        with changed(site.admin, "res.users", client.uid, email=ANNA):
            steps.post(client, scene.task, "<p>as usual</p>")
            in_odoos_name(scene)
    finally:
        site.admin.call("ir.mail_server", "unlink", [server])


def test_the_contact_of_the_writer(scene: Scene) -> None:
    client = scene.attackers.employee
    [user] = client.call("res.users", "read", [client.uid], ["partner_id"])
    with changed(scene.site.admin, "res.partner", user["partner_id"][0], email=ANNA):
        steps.post(client, scene.task, "<p>as usual</p>")
        on_task(
            client, scene, "message_post", body="x", subtype_xmlid="mail.mt_comment"
        )
        in_odoos_name(scene, 2)


def test_another_contact_with_the_address(scene: Scene) -> None:
    site = scene.site
    twin = site.customer("Anna Kovalenko", ANNA)
    for kind in ("employee", "project_manager", "manager", "admin"):
        client = scene.attackers.each()[kind]
        error = refusal(on_task, client, scene, "message_post", author_id=twin)
        assert "author_id" in str(error)
    scene.nothing_forged()


def test_the_company_has_the_address(scene: Scene) -> None:
    site, client = scene.site, scene.attackers.employee
    [company] = site.admin.call("res.users", "read", [client.uid], ["company_id"])
    with changed(site.admin, "res.company", company["company_id"][0], email=ANNA):
        steps.post(client, scene.task, "<p>as usual</p>")
        scene.nothing_forged()
        [mail] = site.bed.wait_for(CLIENT, 1)
        assert steps.sender_of(mail)[1] in (OWN, COLLEAGUE), mail.raw


def test_the_alias_domain_sends_from_the_address(scene: Scene) -> None:
    """Odoo has no address of its own then: nothing leaves, and the reason is told."""
    site, client = scene.site, scene.attackers.employee
    [domain] = site.admin.call(
        "mail.alias.domain", "search", [("name", "=", "corp.test")]
    )
    [user] = site.admin.call("res.users", "read", [client.uid], ["company_id"])
    company = user["company_id"][0]  # whose own address would be the next best
    with (
        changed(site.admin, "mail.alias.domain", domain, default_from=ANNA),
        changed(site.admin, "res.company", company, email=ANNA),
    ):
        message = steps.post(client, scene.task, "<p>as usual</p>")
        with changed(site.admin, "res.users", client.uid, email=ANNA):
            other = steps.post(client, scene.task, "<p>as Anna</p>")
        scene.leave()
        scene.nothing_forged()
        rows = site.admin.call(
            "mail.mail",
            "search_read",
            [("mail_message_id", "in", [message, other]), ("state", "=", "exception")],
            ["failure_reason"],
        )
    assert rows
    for row in rows:
        assert "Default From" in row["failure_reason"], row
    waiting = [("mail_message_id", "in", [message, other])]
    site.admin.call(
        "mail.mail", "unlink", site.admin.call("mail.mail", "search", waiting)
    )


def test_a_company_that_is_only_claimed(scene: Scene) -> None:
    """Records of no company take the companies that the user works in now."""
    site, stranger = scene.site, scene.attackers.stranger
    shared = steps.connect(site.admin, SUPPORT, company=True)
    companies = site.admin.call("res.company", "search", [])
    [group] = site.admin.call(
        "ir.model.data",
        "search_read",
        [("module", "=", "base"), ("name", "=", "group_partner_manager")],
        ["res_id"],
    )
    may_write = {"group_ids": [(4, group["res_id"])]}
    site.admin.call("res.users", "write", [stranger.uid], may_write)
    record = site.customer("Of no company", "nobody@customer.test")
    site.admin.call(
        "res.partner", "message_subscribe", [record], [site.ids["customer"]]
    )
    claimed = {"allowed_company_ids": companies}
    picked = {"external_address_id": shared}
    for context, more in ((claimed, picked), (claimed, {}), ({}, picked)):
        error = refusal(post_on, stranger, record, context, **more)
        assert "unauthorized" in str(error) or "cannot send from" in str(error)
    post_on(stranger, record, {})
    scene.leave()
    [mail] = site.bed.wait_for(CLIENT, 1)
    assert steps.sender_of(mail)[1] != SUPPORT
    site.admin.call(steps.ADDRESS, "unlink", [shared])


def post_on(
    client: OdooClient, partner: int, context: dict[str, Any], **more: Any
) -> None:
    comment = {"message_type": "comment", "subtype_xmlid": "mail.mt_comment"}
    client.post(
        "/mail/message/post",
        {
            "thread_model": "res.partner",
            "thread_id": partner,
            "context": context,
            "post_data": {"body": "x", **comment, **more},
        },
    )


def test_a_project_manager_keeps_no_company_address_for_his_project(
    scene: Scene,
) -> None:
    """The others would not have it any more."""
    site = scene.site
    shared = steps.connect(site.admin, SUPPORT, company=True)
    try:
        error = refusal(
            scene.attackers.project_manager.call,
            "project.project",
            "write",
            [site.ids["project_brand_a"]],
            {"external_address_binding_ids": [(0, 0, {"address_id": shared})]},
        )
        assert "only a manager of external addresses" in str(error)
    finally:
        site.admin.call(steps.ADDRESS, "unlink", [shared])


def ask_for_a_new_password(url: str, login: str) -> None:
    """As somebody does who is not signed in."""
    cookies = urllib.request.HTTPCookieProcessor()
    browser = urllib.request.build_opener(urllib.request.ProxyHandler({}), cookies)
    page = f"{url}/web/reset_password"
    with browser.open(page, timeout=60) as form:
        [token] = re.findall(rb'name="csrf_token" value="(\w+)"', form.read())
    values = {"csrf_token": token.decode(), "login": login}
    with browser.open(page, urlencode(values).encode(), timeout=60) as answer:
        assert b"instructions sent to your email" in answer.read()


@pytest.mark.parametrize("everybody", [True, False])
def test_a_firm_with_a_single_mailbox(scene: Scene, everybody: bool) -> None:
    """Odoo wrote from it before it was connected, and goes on if everybody may."""
    site = scene.site
    shared = steps.connect(site.admin, SUPPORT, company=True)
    if not everybody:
        only = {"allowed_user_ids": [(6, 0, [site.anna.uid])]}
        site.admin.call(steps.ADDRESS, "write", [shared], only)
    [olena] = site.admin.call(
        "res.users", "search_read", [("email", "=", COLLEAGUE)], ["login", "company_id"]
    )
    [domain] = site.admin.call(
        "mail.alias.domain", "search", [("name", "=", "corp.test")]
    )
    with (
        changed(site.admin, "res.company", olena["company_id"][0], email=SUPPORT),
        changed(site.admin, "mail.alias.domain", domain, default_from=SUPPORT),
    ):
        ask_for_a_new_password(site.odoo.url, olena["login"])
        scene.leave()
    sent = [SUPPORT] if everybody else []
    assert scene.received(COLLEAGUE) == sent
    site.admin.call(steps.ADDRESS, "unlink", [shared])
