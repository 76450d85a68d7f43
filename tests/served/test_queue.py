"""What waits for a stopped account stands in nobody's way."""

import steps
from site_setup import Site

WAITING = 1500
QUEUE = "mail.ir_cron_mail_scheduler_action"

MAKE_ROWS = f"""
address = env["mail.external.address"].browse(ADDRESS)
address.account_id.write({{"state": "refused", "failure_code": "login_refused"}})
env["mail.mail"].create(
    [
        {{
            "subject": f"waits {{number}}",
            "body_html": "<p>waits</p>",
            "email_to": "client@customer.test",
        }}
        for number in range({WAITING})
    ]
).write({{"sending_address_id": address.id}})
"""


def own_mail(site: Site, recipient: str) -> list[int]:
    """A mail of Odoo's own, cancelled: it waits when it is marked as outgoing."""
    values = {
        "subject": "Own",
        "body_html": "<p>own</p>",
        "email_to": recipient,
        "state": "cancel",
    }
    return list(site.admin.call("mail.mail", "create", [values]))


def rows(site: Site, address_id: int) -> list[tuple[object, ...]]:
    statement = (
        "SELECT id, state, write_date, failure_reason, external_next_try"
        " FROM mail_mail WHERE sending_address_id = %s ORDER BY id"
    )
    return steps.sql(site.odoo, statement, address_id)


def test_1500_waiting_rows_delay_no_mail_of_odoos_own_queue(clean: Site) -> None:
    address_id = steps.connect(clean.anna, "anna@brand-a.test")
    # one is older, one is newer than the rows: core takes 1,000 in its own order
    own = own_mail(clean, "second@customer.test")
    clean.run_code(MAKE_ROWS.replace("ADDRESS", str(address_id)))
    own += own_mail(clean, "third@customer.test")
    clean.admin.call("mail.mail", "mark_outgoing", own)
    before = rows(clean, address_id)
    assert len(before) == WAITING

    steps.run_cron(clean.admin, QUEUE)
    for address in ("second@customer.test", "third@customer.test"):
        [mail] = clean.bed.wait_for(address, 1, seconds=5)
        assert "own" in steps.html_text(mail)
    steps.run_cron(clean.admin, "mail_external_account.ir_cron_deliver")
    assert rows(clean, address_id) == before
    assert clean.bed.messages("client@customer.test") == []
