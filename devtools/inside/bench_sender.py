"""Measures the choice of the sender for ``./dev bench sender``: run in Odoo's shell.

BENCH_SITES: {name: {"database": ..., "usable": n, "addresses": n, "accounts":
n, "bindings": n}}. Fills
each database, then chooses in all of them in turns, in this one process. Prints
{name: {"cold": [queries, seconds], "warm": [queries, seconds]}}, medians.
"""

import json
import os
import time
from statistics import median

from odoo import api
from odoo.modules.registry import Registry

ROUNDS = 60
PROJECTS = 100
OTHERS = 50

# Of each of the accounts about the same number of addresses.
ACCOUNTS = """
    INSERT INTO mail_external_account
        (active, user_id, company_id, state, incoming_protocol,
         auth_method)
    SELECT true,
           CASE WHEN n %% 3 > 0 THEN (%(users)s::int[])[1 + n %% %(others)s] END,
           %(company)s, 'working', 'none',
           'password'
      FROM generate_series(1, %(accounts)s) n
 RETURNING id
"""
ADDRESSES = """
    INSERT INTO mail_external_address
        (email, account_id, is_main, active, sequence, user_id, company_id, state,
         layout, new_mail)
    SELECT 'a' || n || '@scale.test', account.id, n <= %(number)s, true, 10,
           account.user_id, account.company_id, 'working', 'plain', 'ignore'
      FROM generate_series(1, %(addresses)s) n
      JOIN mail_external_account account
        ON account.id = (%(accounts)s::int[])[1 + (n - 1) %% %(number)s]
 RETURNING id, user_id
"""
BINDINGS = """
    INSERT INTO mail_external_address_project (address_id, project_id, is_default)
    SELECT (%(addresses)s::int[])[1 + n / 2], (%(projects)s::int[])[
               1 + (n %% 2 * 50 + n / 2) %% %(number)s], false
      FROM generate_series(0, %(bindings)s - 1) n
"""
ALLOWED = """
    INSERT INTO mail_external_address_user_rel
        (mail_external_address_id, res_users_id)
    SELECT address, %(user)s FROM unnest(%(addresses)s::int[]) address
"""


def fill(env, usable, addresses, accounts, bindings):
    """Return the user, a task whose project one of their addresses is bound to, and
    the addresses that they may use."""
    user, *others = env["res.users"].create(
        [
            {
                "name": f"Scale {number}",
                "login": f"scale{number}",
                "email": f"scale{number}@corp.test",
                "group_ids": [
                    env.ref("base.group_user").id,
                    env.ref("project.group_project_user").id,
                ],
            }
            for number in range(1 + OTHERS)
        ]
    )
    projects = env["project.project"].create(
        [{"name": f"Project {number}"} for number in range(PROJECTS)]
    )
    task = env["project.task"].create({"name": "Task", "project_id": projects[0].id})
    env.flush_all()
    own = usable_addresses(env, user, usable, addresses // accounts)
    values = {
        "users": [other.id for other in others],
        "others": OTHERS,
        "company": env.company.id,
        "accounts": accounts - len(own.account_id),
    }
    env.cr.execute(ACCOUNTS, values)
    made = [account for (account,) in env.cr.fetchall()]
    values = {"accounts": made, "number": len(made), "addresses": addresses - usable}
    env.cr.execute(ADDRESSES, values)
    rows = env.cr.fetchall()
    shared = [address for address, owner in rows if not owner]
    env.cr.execute(ALLOWED, {"addresses": shared, "user": others[0].id})
    values = {"number": PROJECTS, "projects": projects.ids, "bindings": bindings - 1}
    env.cr.execute(BINDINGS, {**values, "addresses": [address for address, _ in rows]})
    own[0].binding_ids = [(0, 0, {"project_id": projects[0].id, "is_default": True})]
    env.cr.commit()
    env.cr.execute("ANALYZE")
    env.cr.commit()
    return user, task, own


def usable_addresses(env, user, usable, of_account):
    """One personal address; the rest are the company's, some of each account."""
    working = {"state": "working", "company_id": env.company.id}
    shared = -(-(usable - 1) // of_account)
    accounts = env["mail.external.account"].create(
        [{**working, "user_id": user.id}, *[working] * shared]
    )
    owners = [0, *(1 + number // of_account for number in range(usable - 1))]
    own = env["mail.external.address"].create(
        [
            {
                "email": f"own{number}@scale.test",
                "account_id": accounts[owner].id,
                "company_id": env.company.id,
                "is_main": owner not in owners[:number],
            }
            for number, owner in enumerate(owners)
        ]
    )
    env.flush_all()
    return own


class Site:
    """One database with its accounts and addresses."""

    def __init__(self, database, **numbers):
        self.registry = Registry(database)
        with self.registry.cursor() as cr:
            env = api.Environment(cr, api.SUPERUSER_ID, {})
            user, task, own = fill(env, **numbers)
            self.user, self.task, self.own = user.id, task.id, own.ids
        self.found = {"cold": [], "warm": []}

    def choose(self, kind):
        """Choose once as the user does, in a new transaction."""
        if kind == "cold":
            self.registry.clear_cache()
            self.registry.clear_cache("stable")
        with self.registry.cursor() as cr:
            env = api.Environment(cr, self.user, {})
            task = env["project.task"].browse(self.task).sudo()
            # What posting knows already, whoever chooses the sender.
            task._external_sender_project_id()
            task._external_sender_company_id()
            before = cr.sql_log_count
            began = time.perf_counter()
            options = env["mail.external.sender"]._sender_options(task)
            seconds = time.perf_counter() - began
            assert sorted(row.id for row, _ in options) == self.own  # noqa: S101
            assert options[0][0].id == self.own[0]  # noqa: S101
            self.found[kind].append((cr.sql_log_count - before, seconds))

    def medians(self):
        """Return {kind: [queries, seconds]}."""
        return {
            kind: [median(column) for column in zip(*found, strict=True)]
            for kind, found in self.found.items()
        }


sites = {
    name: Site(**site) for name, site in json.loads(os.environ["BENCH_SITES"]).items()
}
for number in range(ROUNDS):
    names = list(sites)
    shift = number % len(names)
    for name in names[shift:] + names[:shift]:
        for kind in ("cold", "warm"):
            sites[name].choose(kind)
print(json.dumps({name: site.medians() for name, site in sites.items()}))
