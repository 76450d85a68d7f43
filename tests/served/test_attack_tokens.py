"""Services that give access tokens on bad days, and everybody else."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import steps
import token_steps
from oauth_scene import ANNA, SignInSite

from devtools.served import ServedOdoo
from devtools.testbed.faults import FaultServer
from devtools.testbed.token_service import TokenService

# Many people of one firm, and some of another one.
MANY, SOME = 60, 6


@pytest.mark.parametrize("fault", ["hung", "slow body"])
def test_a_service_that_hangs_holds_up_no_others_mail(
    alone: ServedOdoo, fault: str
) -> None:
    """Those who wait for it would be served first: they have waited for longest."""
    mail_server = FaultServer("smtp", "ssl", features=["AUTH XOAUTH2"])
    with mail_server, TokenService() as dead, TokenService() as good:
        dead.misbehave(fault)
        many = [f"many{number}@{len(fault)}.test" for number in range(MANY)]
        some = [f"some{number}@{len(fault)}.test" for number in range(SOME)]
        accounts = token_steps.make(
            alone,
            [(dead, many), (good, some)],
            smtp_port=mail_server.port,
            ca_pem=mail_server.ca_pem,
            incoming_protocol="none",
        )
        token_steps.post(alone, accounts)
        seconds, ended = [0.0], threading.Event()
        began = time.monotonic()

        def watch() -> None:
            while len(mail_server.messages) < SOME and not ended.wait(0.1):
                seconds[0] = time.monotonic() - began

        watching = threading.Thread(target=watch)
        watching.start()
        found = token_steps.run(alone, accounts, "_cron_deliver")
        ended.set()
        watching.join()
        assert len(mail_server.messages) == SOME
        assert seconds[0] < 25, "with the start of a process"
        for account in accounts[:MANY]:
            told = found[account]
            assert (told["state"], told["waiting"], told["told"]) == ("working", 1, [])
            assert told["code"] in ("oauth_busy", "oauth_failed"), told


_IDLE = """
env.cr.execute(
    "UPDATE mail_external_secret SET token_ends = token_ends - interval '25d',"
    " renew_at = renew_at - interval '25d' WHERE account_id = ANY(%s)", [IDS])
env.cr.commit()
env["mail.external.application"]._cron_announce()
env.cr.commit()
"""


def test_a_sign_in_that_is_hardly_used_is_kept(
    alone: ServedOdoo, strict: TokenService
) -> None:
    """Services end those that are not used for months; what has ended is told."""
    logins = ["idle@sandbox.test", "gone@sandbox.test", "busy@sandbox.test"]
    accounts = token_steps.make(alone, [(strict, logins)])
    strict.end(logins[1])
    script = _IDLE.replace("IDS", repr(accounts[:2]))
    for _day in range(2):
        alone.shell(script)
        script = script[script.index("env[") :]
    assert strict.asked == {"refresh_token": 2}
    assert strict.refreshes == 1
    found = token_steps.run(alone, accounts)
    states = [found[account]["state"] for account in accounts]
    assert states == ["working", "refused", "working"]
    assert [len(found[account]["told"]) for account in accounts] == [0, 1, 0]


_AT_ONCE = """
import time
time.sleep(max(START - time.time(), 0))
env["mail.external.account"].RUN()
env.cr.commit()
"""
ENDED = 24


def test_sending_and_reading_notice_the_end_at_the_same_moment(
    alone: ServedOdoo, strict: TokenService
) -> None:
    """In two processes; each owner is told once, and nobody asks again."""
    logins = [f"ended{number}@sandbox.test" for number in range(ENDED)]
    accounts = token_steps.make(
        alone,
        [(strict, logins)],
        incoming_protocol="imap",
        incoming_host="localhost",
        incoming_port=1,
        incoming_security="ssl",
        incoming_login="mailbox",
    )
    token_steps.post(alone, accounts)
    for login in logins:
        strict.end(login)
    start = time.time() + 8
    scripts = [
        _AT_ONCE.replace("START", repr(start)).replace("RUN", name)
        for name in ("_cron_deliver", "_cron_fetch")
    ]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(alone.shell, scripts))
    found = token_steps.run(alone, accounts, "_cron_deliver", "_cron_fetch")
    for account in accounts:
        told = found[account]
        assert (told["state"], told["code"]) == ("refused", "oauth_ended"), told
        assert (len(told["told"]), told["waiting"]) == (1, 1), told
    assert strict.asked == {"refresh_token": ENDED}


def test_a_token_that_is_refused_is_renewed_in_the_window_too(
    oauth: SignInSite,
) -> None:
    """As sending and reading do it; else the window would say that it does not work."""
    address = oauth.connect(oauth.site.anna)
    oauth.service.expire(ANNA)  # what Odoo has should be good for an hour
    window = steps.Window(oauth.site.anna, default_address_id=address)
    window.enter()
    lines = window.test()
    assert all(line["ok"] for line in lines), lines
    assert oauth.refreshes() == ["ok"]


_WINDOW = """
import json, threading
from odoo.addons.mail_external_account.mailkit import oauth
from odoo.addons.mail_external_account.tools import vault
from odoo.addons.mail_external_account.tools.connect import sign_in

account = env["mail.external.account"].browse(ID)
owner = account.user_id
preset = env["mail.external.provider"].search([], limit=1)
windows = env["mail.external.account.connect"].with_user(owner)
window = windows.create({"email": account.smtp_login, "provider_id": preset.id})
row = env[sign_in.MODEL].with_user(owner).sudo().create(
    {
        "wizard_id": window.id,
        "application_id": account.application_id.id,
        "grant": "grant of the window",
    }
)
tokens = oauth.Tokens("at", REFRESH, None, (), HINT)
sign_in.store(window, row, tokens)
env.cr.commit()
WAY
env.cr.commit()
for thread in threading.enumerate():
    if thread.name == "oauth2-revocation":
        thread.join(30)
print("LEFT", env[sign_in.MODEL].search_count([("id", "=", row.id)]))
"""
WAYS = {
    "thrown away": "sign_in.forget(window)",
    "left open": "window.sudo().unlink()",
    "left open, cleaned up by Odoo": """
env.cr.execute(
    "UPDATE mail_external_account_connect SET write_date = write_date - interval '9d',"
    " create_date = create_date - interval '9d'")
env.cr.execute(
    "UPDATE mail_external_account_connect_sign_in"
    " SET write_date = write_date - interval '9d',"
    " create_date = create_date - interval '9d'")
env.invalidate_all()
windows.sudo()._transient_vacuum()
""",
}
OTHER = "another@sandbox.test"
SAVED = """
vault.store_tokens(account, tokens, row.grant)
sign_in.forget(window)
"""


def end_window(
    odoo: ServedOdoo, account: int, refresh: str, way: str, hint: str
) -> None:
    script = _WINDOW.replace("REFRESH", repr(refresh)).replace("HINT", repr(hint))
    said = odoo.shell(script.replace("WAY", way).replace("ID", str(account)))
    assert "LEFT 0" in said


@pytest.mark.parametrize("way", WAYS)
def test_what_nobody_saved_ends_at_the_service(
    alone: ServedOdoo, strict: TokenService, way: str
) -> None:
    [account] = token_steps.make(alone, [(strict, [f"w{len(way)}@sandbox.test"])])
    _access, refresh = strict.sign_in(OTHER)
    end_window(alone, account, refresh, WAYS[way], OTHER)
    assert [request.form["token"] for request in strict.requests] == [refresh]


def test_what_an_account_has_goes_on(alone: ServedOdoo, strict: TokenService) -> None:
    """By the same person, perhaps by the very sign-in that was saved."""
    login = "saved@sandbox.test"
    [account] = token_steps.make(alone, [(strict, [login])])
    _access, refresh = strict.sign_in(login)
    end_window(alone, account, refresh, WAYS["left open"], login)
    assert not strict.asked
    end_window(alone, account, refresh, SAVED, login)
    assert not strict.asked
