"""What becomes of tokens that are not needed any more, and where none may be found."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import steps
import token_steps
from secret_steps import dump, leaks

from devtools.odoo import Odoo
from devtools.served import ServedOdoo
from devtools.testbed.faults import FaultServer
from devtools.testbed.token_service import TokenService

_HEAD = """
import json, threading
account = env["mail.external.account"].browse(ID)
"""
# The thread that revokes is a daemon: a process that ends does not wait for it.
_TAIL = """
env.cr.commit()
for thread in threading.enumerate():
    if thread.name == "oauth2-revocation":
        thread.join(30)
print("LEFT", json.dumps(env["mail.external.secret"].search_count(
    [("account_id", "=", ID)])))
"""
WAYS = {
    "removed": "account.address_ids.action_remove()",
    "deleted": "account.unlink()",
    "address deleted": "account.address_ids.unlink()",
    "archived": "account.address_ids.active = False",
    "withdrawn": "account._withdraw_sign_in()",
    "back to a password": """
from odoo.addons.mail_external_account.tools import vault
account.write({"auth_method": "password", "application_id": False,
               "smtp_host": "another.example"})
env["mail.external.secret"].search([("account_id", "=", ID)]).unlink()
vault.store_password(account, "smtp", "hunter2")
""",
    "signed in by somebody else": """
from odoo.addons.mail_external_account.mailkit import oauth
from odoo.addons.mail_external_account.tools import vault
other = oauth.Tokens("at", "rt", None, (), "another@sandbox.test")
vault.store_tokens(account, other, "another grant")
""",
}
KEPT = {"back to a password", "signed in by somebody else"}


def end(odoo: ServedOdoo, account: int, how: str) -> int:
    """Do something with an account; return how many secrets it has then."""
    script = f"{_HEAD}\n{how}\n{_TAIL}".replace("ID", str(account))
    left: int = token_steps.answer(odoo.shell(script), "LEFT")
    return left


@pytest.mark.parametrize("way", WAYS)
def test_what_is_not_needed_any_more_ends_at_the_service(
    alone: ServedOdoo, strict: TokenService, way: str
) -> None:
    [account] = token_steps.make(alone, [(strict, [f"{len(way)}@sandbox.test"])])
    assert end(alone, account, WAYS[way]) == (way in KEPT)
    assert strict.asked == {"revocation": 1}


def test_a_sign_in_that_another_account_has_goes_on(
    alone: ServedOdoo, strict: TokenService
) -> None:
    """A service may end all that one person allowed to one application."""
    logins = ["ann@sandbox.test", "info@sandbox.test"]
    hint = "Ann@sandbox.test"
    first, second = token_steps.make(alone, [(strict, logins)], hint=hint)
    end(alone, first, WAYS["deleted"])
    assert not strict.asked
    end(alone, second, WAYS["deleted"])
    assert strict.asked == {"revocation": 1}


def test_signing_in_again_as_the_same_ends_nothing(
    alone: ServedOdoo, strict: TokenService
) -> None:
    [account] = token_steps.make(alone, [(strict, ["ann@sandbox.test"])])
    again = WAYS["signed in by somebody else"].replace("another@", "ann@")
    end(alone, account, again)
    assert not strict.asked


def test_what_is_rolled_back_ends_nothing(
    alone: ServedOdoo, strict: TokenService
) -> None:
    [account] = token_steps.make(alone, [(strict, ["stays@sandbox.test"])])
    assert end(alone, account, "account.unlink()\nenv.cr.rollback()") == 1
    assert not strict.asked


def test_nobody_waits_for_a_service_that_hangs(
    alone: ServedOdoo, strict: TokenService
) -> None:
    [account] = token_steps.make(alone, [(strict, ["hangs@sandbox.test"])])
    strict.misbehave("hung")
    timed = (
        "import time; began = time.monotonic()\naccount.unlink(); env.cr.commit()\n"
        "assert time.monotonic() - began < 8"
    )
    assert end(alone, account, timed) == 0


COPIES = {
    "a duplicate": "env['ir.config_parameter'].init(force=True)",
    "a neutralized copy": """
from odoo.modules.neutralize import neutralize_database
neutralize_database(env.cr)
env.invalidate_all()
assert not env["mail.external.secret"].search([])
assert not any(a.secret_sealed for a in env["mail.external.application"].search([]))
""",
}


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_neither_uses_nor_ends_them(
    new_odoo: Callable[..., ServedOdoo], strict: TokenService, copy: str
) -> None:
    odoo = new_odoo(cron_threads=0)
    [account] = token_steps.make(odoo, [(strict, ["real@sandbox.test"])])
    token_steps.post(odoo, [account])
    odoo.shell(f"{COPIES[copy]}\nenv.cr.commit()")
    told = token_steps.run(odoo, [account], "_cron_deliver")[account]
    assert told["state"] != "working"
    end(odoo, account, WAYS["deleted"])
    assert not strict.asked


_TALKATIVE = """
import logging
handler = logging.FileHandler(PATH)
handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
logging.getLogger().addHandler(handler)
for name in ("", "odoo", "odoo.sql_db", "odoo.addons", "oauthlib", "odoo.models"):
    logging.getLogger(name).setLevel(logging.DEBUG)
logging.getLogger().handlers[:] = [handler]
"""


def test_no_token_anywhere(
    alone: ServedOdoo, bench: Odoo, strict: TokenService, tmp_path: Path
) -> None:
    """Not in the log at its most talkative, nor in the database, nor in an answer."""
    mail_server = FaultServer("smtp", "ssl", features=["AUTH XOAUTH2"])
    with mail_server:
        [account] = token_steps.make(
            alone,
            [(strict, ["talks@sandbox.test"])],
            smtp_port=mail_server.port,
            ca_pem=mail_server.ca_pem,
        )
        token_steps.post(alone, [account])
        log = tmp_path / "talkative.log"
        talkative = _TALKATIVE.replace("PATH", repr(str(log)))
        deliver = 'env["mail.external.account"]._cron_deliver()'
        alone.shell(f"{talkative}\n{deliver}\nenv.cr.commit()")
        assert len(mail_server.messages) == 1
        # once more, with a service that repeats what it was told, in an error
        end(alone, account, f"{talkative}\n{WAYS['deleted']}")
    secrets = {strict.client_secret, *(token for _login, token in mail_server.tokens)}
    secrets |= {each.form.get("refresh_token", "") for each in strict.requests}
    secrets |= {each.form.get("token", "") for each in strict.requests} - {""}
    secrets -= {""}
    assert len(secrets) >= 4
    text = log.read_bytes()
    assert b"UPDATE mail_external_secret" in text and b"gAAAA" in text
    for where in (text, dump(bench, alone), alone.log_file.read_bytes()):
        for secret in secrets:
            assert not leaks(secret, where)


def test_no_answer_has_one(alone: ServedOdoo, strict: TokenService) -> None:
    token_steps.make(alone, [(strict, ["asks@sandbox.test"])])
    admin = alone.rpc()
    for model in (steps.ACCOUNT, steps.ADDRESS, "mail.external.application"):
        fields = sorted(admin.call(model, "fields_get"))
        ids = admin.call(model, "search", [])
        for question in (("read", ids, fields), ("export_data", ids, fields)):
            said = json.dumps(admin.call(model, *question))
            assert "gAAAA" not in said and strict.client_secret not in said
    steps.refusal(admin.call, "mail.external.secret", "search_read", [])
    steps.refusal(admin.call, "mail.external.secret", "unlink", [1])
