"""Prepares what ``./dev bench post`` posts to: run in Odoo's shell on every side.

Prints {"tasks": [ids]}: of four projects, with three external followers each.
"""

import json

LOGIN = "bench"

for server in env["ir.mail_server"].search([]):  # noqa: F821
    server.active = False
env["mail.mail"].search([("state", "=", "outgoing")]).cancel()  # noqa: F821
groups = ("base.group_user", "project.group_project_user", "base.group_partner_manager")
user = (
    env["res.users"]  # noqa: F821
    .with_context(no_reset_password=True)
    .create(
        {
            "name": "Bench",
            "login": LOGIN,
            "password": LOGIN,
            "email": "bench@corp.test",
            "tz": "UTC",
            "group_ids": [env.ref(name).id for name in groups],  # noqa: F821
        }
    )
)
customers = env["res.partner"].create(  # noqa: F821
    [
        {"name": f"Customer {number}", "email": f"customer{number}@customer.test"}
        for number in range(3)
    ]
)
projects = env["project.project"].create(  # noqa: F821
    [
        {"name": f"Project {number}", "privacy_visibility": "employees"}
        for number in range(4)
    ]
)
tasks = env["project.task"].create(  # noqa: F821
    [
        {"name": "Task", "project_id": project.id, "user_ids": [user.id]}
        for project in projects
    ]
)
for task in tasks:
    task.message_unsubscribe(task.message_partner_ids.ids)
    task.message_subscribe(customers.ids)
env.cr.commit()  # noqa: F821
print(json.dumps({"tasks": tasks.ids, "projects": projects.ids}))
