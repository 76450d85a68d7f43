"""One step of ``./dev bench fetch``, run in Odoo's shell; prints one JSON line.

BENCH_FETCH says what: {"step": "set_up" | "look" | "stock", ...}.
"""

import json
import os
import time
from datetime import timedelta

from odoo import fields, sql_db
from odoo.addons.mail_external_account.tools import vault

LATER = timedelta(days=1)
wanted = json.loads(os.environ["BENCH_FETCH"])
accounts = env["mail.external.account"].sudo()  # noqa: F821


def set_up(mailboxes, tasks, ca, password):
    """Accounts that are read, and tasks with a message that a customer got."""
    env["mail.mail"].search([("state", "=", "outgoing")]).cancel()  # noqa: F821
    project = env["project.project"].create({"name": "Bench"})  # noqa: F821
    customer = env["res.partner"].create(  # noqa: F821
        {"name": "Client", "email": "client@customer.test"}
    )
    made = env["project.task"].create(  # noqa: F821
        [{"name": f"Task {n}", "project_id": project.id} for n in range(tasks)]
    )
    made.message_subscribe(customer.ids)
    messages = [
        task.message_post(body="Hello", subtype_xmlid="mail.mt_comment")
        for task in made
    ]
    return {
        "accounts": [connect(ca, password, **each).id for each in mailboxes],
        "ids": [message.message_id for message in messages],
        "tasks": made.ids,
    }


def connect(ca, password, email, protocol, port, security, look_back=0):
    """An account with one address."""
    account = accounts.create(
        {
            "company_id": env.company.id,  # noqa: F821
            "state": "working",
            "incoming_protocol": protocol,
            "incoming_host": "localhost",
            "incoming_port": port,
            "incoming_security": security,
            "incoming_login": email,
            "ca_certificate": ca,
            "allow_private_host": True,
            "look_back_days": look_back,
        }
    )
    vault.store_password(account, "incoming", password)
    env["mail.external.address"].sudo().create(  # noqa: F821
        {
            "account_id": account.id,
            "email": email,
            "company_id": env.company.id,  # noqa: F821
            "is_main": True,
            "receive_replies": True,
        }
    )
    now = fields.Datetime.now()
    account.mailbox_ids.write(
        {"next_look": now + LATER, "reading_since": now - timedelta(days=look_back)}
    )
    return account


def look(ids, threads, start=0):
    """Read these mailboxes now, as the scheduled action does.

    :param float start: time.time() at which to begin, with others that do the same
    """
    due = make_due(ids, threads)
    if start:
        time.sleep(max(start - time.time(), 0))
    before, began = sql_db.sql_counter, time.time()
    accounts._cron_fetch()
    seconds, queries = time.time() - (start or began), sql_db.sql_counter - before
    env.invalidate_all()  # noqa: F821
    return {
        "seconds": seconds,
        "queries": queries,
        "failures": [m.failure_code for m in due if m.failure_code],
        "answers": sum(due.mapped("answer_count")),
        "unrelated": sum(due.mapped("unrelated_count")),
        "messages": env["mail.message"].search_count(  # noqa: F821
            [("message_type", "=", "email"), ("model", "=", "project.task")]
        ),
        "mails": env["mail.mail"].search_count([]),  # noqa: F821
    }


def make_due(ids, threads):
    """Let these mailboxes be looked into, and no other; all is warm then."""
    # One run at a time, each in a transaction that sees what the one before it wrote.
    env.cr.execute("SELECT pg_advisory_lock(1)")  # noqa: F821
    env.cr.commit()  # noqa: F821
    env["ir.config_parameter"].set_param(  # noqa: F821
        "mail_external_account.fetch_threads", threads
    )
    mailboxes = env["mail.external.mailbox"].sudo()  # noqa: F821
    mailboxes.search([]).next_look = fields.Datetime.now() + LATER
    due = mailboxes.search([("account_id", "in", ids)])
    due.next_look = fields.Datetime.now() - timedelta(minutes=1)
    env["ir.config_parameter"].get_param("database.uuid")  # noqa: F821
    env.cr.commit()  # noqa: F821
    env.cr.execute("SELECT pg_advisory_unlock(1)")  # noqa: F821
    env.cr.commit()  # noqa: F821
    return due


def stock(email, port, password, messages):
    """What Odoo's own fetching takes for the same kind of mailbox."""
    server = env["fetchmail.server"].create(  # noqa: F821
        {
            "name": "Bench",
            "server_type": "imap",
            "server": "localhost",
            "port": port,
            "is_ssl": True,
            "user": email,
            "password": password,
            "object_id": False,
            "state": "done",
        }
    )
    env.cr.commit()  # noqa: F821
    began = time.perf_counter()
    server._fetch_mail(batch_limit=messages)  # by itself it stops after 50
    return {"seconds": time.perf_counter() - began}


step = {"set_up": set_up, "look": look, "stock": stock}[wanted.pop("step")]
result = step(**wanted)
env.cr.commit()  # noqa: F821
print(json.dumps(result))
