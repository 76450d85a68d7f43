"""A right that was taken away is gone for all later requests, also when one that began
before is not over yet."""

import json

import pytest
import steps
from attack_scene import Scene

SUPPORT = "support@brand-b.test"
# What one request sees that began before a right was taken away, and what a later one
# sees: two threads of one server, with the timing of a busy one.
TWO_REQUESTS = """
import json
from odoo import api
address = env["mail.external.address"].browse(ADDRESS)
user = env["res.users"].browse(USER)
allowed = env["res.groups"].create({"name": "Allowed"})
SETUP
env.cr.commit()
def look(cr):
    senders = api.Environment(cr, 1, {})["mail.external.sender"]
    rows = senders._usable_rows(USER)
    return [row.id for row in rows] + list(senders._addresses_of(USER))
with env.registry.cursor() as older, env.registry.cursor() as later:
    older.execute("SELECT 1")
    CHANGE
    env.cr.commit()
    seen = [look(older), look(later)]
address.write({"allowed_user_ids": [OTHER], "allowed_group_ids": False})
allowed.unlink()
env.cr.commit()
print(json.dumps(seen))
"""
BY_GROUP = "address.allowed_group_ids = allowed; allowed.user_ids = user"
# How they got the right -> how they lose it
CHANGES = {
    "list": ("address.allowed_user_ids = user", "address.allowed_user_ids = [OTHER]"),
    "members": (BY_GROUP, "allowed.user_ids -= user"),
    "all members": (BY_GROUP, "allowed.all_user_ids -= user"),
    "his groups": (BY_GROUP, "user.group_ids -= allowed"),
}


@pytest.fixture(scope="module")
def address_id(prepared: Scene) -> int:
    allowed = [[6, 0, [prepared.site.bohdan.uid]]]
    return steps.connect(
        prepared.site.admin, SUPPORT, company=True, allowed_user_ids=allowed
    )


@pytest.mark.parametrize("change", CHANGES)
def test_a_right_that_was_taken_away(
    scene: Scene, address_id: int, change: str
) -> None:
    script = TWO_REQUESTS
    for name, value in (
        *zip(("SETUP", "CHANGE"), CHANGES[change], strict=True),
        ("ADDRESS", address_id),
        ("OTHER", scene.site.bohdan.uid),
        ("USER", scene.attackers.employee.uid),
    ):
        script = script.replace(name, str(value))
    older, later = json.loads(scene.site.odoo.shell(script).splitlines()[-1])
    assert address_id in older, "the case did not occur"
    assert address_id not in later
    assert SUPPORT not in later
