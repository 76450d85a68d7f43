"""Mail through external addresses on real servers, on good days and bad ones."""

import re
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import steps
from delivery_steps import (
    ANNA,
    CLIENT,
    SECOND,
    SUPPORT,
    THIRD,
    all_sent,
    settled,
    status,
)
from site_setup import Site

from devtools.rpc import OdooClient
from devtools.testbed.bed import PASSWORD
from devtools.testbed.faults import (
    Action,
    Drop,
    FaultServer,
    Hang,
    InTurn,
)

LONG_NAME = "Ганна-Марія Коваленко-Задунайська, відділ обслуговування клієнтів «Сяйво»"
LONG_SUBJECT = "Пропозиція щодо співпраці на наступний рік: умови, строки, ціни"


@contextmanager
def refused(site: Site, address: str, reply: str) -> Iterator[None]:
    site.bed.set_recipient_refusal(address, reply)
    try:
        yield
    finally:
        site.bed.set_recipient_refusal(address, None)


def retry(site: Site, message: int) -> None:
    """Press "Retry" on the failed mails of a message, as the administrator."""
    mails = site.admin.call("mail.mail", "search", [("mail_message_id", "=", message)])
    site.admin.call("mail.mail", "action_retry", mails)


def attempts(site: Site, address: str) -> int:
    """How often Postfix was asked to take a mail for ``address`` and refused it."""
    return len(
        re.findall(rf"NOQUEUE: reject:.*to=<{re.escape(address)}>", site.bed.log())
    )


def pause(site: Site, address: int) -> None:
    """Let nothing leave through an address's account until time passes."""
    later = "now() AT TIME ZONE 'UTC' + interval '1 hour'"
    steps.sql(
        site.odoo,
        f"UPDATE mail_external_account SET delivery_next_try = {later}"  # noqa: S608
        " WHERE id = %s",
        steps.account_of(site.odoo, address),
    )


def after_the_test(action: Action) -> InTurn:
    """``action`` at the greeting, from the connection after those of the test on."""
    return InTurn(None, None, None, action)


def refused_sign_ins(site: Site) -> int:
    """How many attempts to sign in Postfix has refused so far."""
    return site.bed.log().count("SASL PLAIN authentication failed")


def shown_row(client: OdooClient, address: int) -> dict[str, object]:
    names = ["state", "failure_text", "failure_answer", "waiting_count"]
    [row] = client.call(steps.ADDRESS, "read", [address], names)
    return dict(row)


def test_one_refused_customer_of_three(
    clean: Site, three: Callable[[str], int]
) -> None:
    sender = steps.connect(clean.anna, ANNA)
    task = three("Three customers")
    before = attempts(clean, SECOND)
    with refused(clean, SECOND, "550 5.7.1 We take no mail from strangers"):
        message = steps.post(clean.anna, task, "<p>For all three</p>", sender)
        states = settled(clean, task, message)
    assert states == {
        "Clara Client": "sent",
        "Samuel Second": "exception",
        "Theo Third": "sent",
    }
    failed = steps.shown(clean.anna, task, message)["by_name"]["Samuel Second"]
    assert "We take no mail from strangers" in failed["failure_reason"]
    assert "550" in failed["failure_reason"]
    assert "refused this recipient" in failed["failure_reason"]
    assert "Ask the recipient" in failed["failure_reason"]
    assert attempts(clean, SECOND) == before + 1

    retry(clean, message)
    clean.bed.wait_for(SECOND, 1)
    all_sent(clean, task, message)
    for address in (CLIENT, SECOND, THIRD):
        [mail] = clean.bed.messages(address)
        assert mail.envelope_from == ANNA
        assert "For all three" in steps.html_text(mail)


def test_an_unknown_customer_can_be_sent_to_after_the_address_was_corrected(
    clean: Site, three: Callable[[str], int]
) -> None:
    sender = steps.connect(clean.anna, ANNA)
    task = three("A typing error in an address")
    wrong = clean.customer("Wilma Wrong", "nobody-at-all@customer.test")
    clean.admin.call("project.task", "message_subscribe", [task], [wrong])
    message = steps.post(clean.anna, task, "<p>Hello Wilma</p>", sender)
    assert settled(clean, task, message)["Wilma Wrong"] == "exception"
    reason = steps.shown(clean.anna, task, message)["by_name"]["Wilma Wrong"][
        "failure_reason"
    ]
    assert "no mailbox with this address" in reason
    clean.bed.add_mailbox("wilma@customer.test")
    clean.admin.call("res.partner", "write", [wrong], {"email": "wilma@customer.test"})
    retry(clean, message)
    [mail] = clean.bed.wait_for("wilma@customer.test", 1)
    assert "Hello Wilma" in steps.html_text(mail)
    all_sent(clean, task, message)
    assert len(clean.bed.messages(CLIENT)) == 1


def test_busy_server_is_tried_again_and_serves_once(
    clean: Site, three: Callable[[str], int]
) -> None:
    sender = steps.connect(clean.anna, ANNA)
    task = three("One is busy, one refuses")
    with (
        refused(clean, SECOND, "451 4.3.0 Busy, come back later"),
        refused(clean, THIRD, "550 5.7.1 Never"),
    ):
        message = steps.post(clean.anna, task, "<p>Patience</p>", sender)
        clean.bed.wait_for(CLIENT, 1)
        waiting = steps.until(
            lambda: (
                steps.shown(clean.anna, task, message)["by_name"]["Samuel Second"]
                if attempts(clean, SECOND)
                and attempts(clean, THIRD)
                and "Busy" in str(steps.shown(clean.anna, task, message)["by_name"])
                else None
            ),
            "the waiting recipient shows why",
        )
        assert waiting["notification_status"] == "ready"
        assert "Busy, come back later" in waiting["failure_reason"]
        line = steps.shown(clean.anna, task, message)["external_sender"]
        assert re.search(r"waiting until \d\d:\d\d", line["waiting"]), line
        assert status(clean, task, message)["Theo Third"] == "exception"
        busy, never = attempts(clean, SECOND), attempts(clean, THIRD)
        steps.let_time_pass(clean.odoo, clean.admin)
        assert attempts(clean, SECOND) == busy + 1
        assert attempts(clean, THIRD) == never, "a final refusal is not tried again"
        assert clean.bed.messages(SECOND) == []
    steps.let_time_pass(clean.odoo, clean.admin)
    clean.bed.wait_for(SECOND, 1)
    assert settled(clean, task, message) == {
        "Clara Client": "sent",
        "Samuel Second": "sent",
        "Theo Third": "exception",
    }
    assert [len(clean.bed.messages(a)) for a in (CLIENT, SECOND, THIRD)] == [1, 1, 0]
    assert not steps.shown(clean.anna, task, message)["external_sender"]["waiting"]


def test_refused_sign_in_stops_the_account_after_one_attempt(
    clean: Site, three: Callable[[str], int]
) -> None:
    sender = steps.connect(clean.anna, ANNA)
    new_password = "a new one; ключ 2"
    clean.bed.add_mailbox(ANNA, new_password)
    try:
        before = refused_sign_ins(clean)
        messages = []
        pause(clean, sender)
        for number in range(3):
            task = three(f"Task {number}")
            messages.append(
                (task, steps.post(clean.anna, task, f"<p>No {number}</p>", sender))
            )
        steps.let_time_pass(clean.odoo, clean.admin)
        stopped = steps.until(
            lambda: (
                shown_row(clean.anna, sender)["state"] == "refused"
                and shown_row(clean.anna, sender)
            ),
            "the account is stopped",
        )
        assert "user name or the password" in str(stopped["failure_text"])
        assert "535" in str(stopped["failure_answer"])
        steps.let_time_pass(clean.odoo, clean.admin)
        tried = refused_sign_ins(clean) - before
        assert tried == 1, "each attempt more brings the lock-out nearer"

        task, message = messages[0]
        line = steps.shown(clean.anna, task, message)["external_sender"]
        assert f"{ANNA} is stopped" in line["waiting"]
        assert "user name or the password" in line["waiting"]
        assert shown_row(clean.anna, sender)["waiting_count"]
        [told] = clean.bed.wait_for("anna@corp.test", 1)
        assert ANNA in told.message["Subject"] and "refused" in told.message["Subject"]
        assert told.envelope_from != ANNA

        window = steps.Window(clean.anna, default_address_id=sender)
        window.enter(password=new_password)
        assert window.test()[-1]["ok"]
        window.save()
        for address in (CLIENT, SECOND, THIRD):
            clean.bed.wait_for(address, 3)
        for task, message in messages:
            all_sent(clean, task, message)
        assert shown_row(clean.anna, sender)["state"] == "working"
        assert len(clean.bed.messages(CLIENT)) == 3
    finally:
        clean.bed.add_mailbox(ANNA, PASSWORD)


def test_what_is_over_the_services_limit_waits_and_does_not_fail(
    clean: Site, three: Callable[[str], int]
) -> None:
    sender = steps.connect(clean.anna, ANNA)
    provider = clean.admin.call(
        "mail.external.provider", "search", [("domains", "=", "brand-a.test")]
    )
    clean.admin.call("mail.external.provider", "write", provider, {"limit_hour": 2})
    try:
        task = three("Over the limit")
        message = steps.post(clean.anna, task, "<p>two an hour</p>", sender)
        waiting = steps.until(
            lambda: (
                "limit is reached"
                in steps.shown(clean.anna, task, message)["external_sender"]["waiting"]
            ),
            "the message shows that the limit is reached",
        )
        assert waiting
        states = sorted(status(clean, task, message).values())
        assert states == ["ready", "sent", "sent"]
        steps.sql(
            clean.odoo,
            "UPDATE mail_external_delivery SET date = date - interval '61 minutes'",
        )
        steps.let_time_pass(clean.odoo, clean.admin)
        all_sent(clean, task, message)
        received = [len(clean.bed.messages(a)) for a in (CLIENT, SECOND, THIRD)]
        assert received == [1, 1, 1]
    finally:
        clean.admin.call("mail.external.provider", "write", provider, {"limit_hour": 0})


def test_hanging_server_delays_neither_posting_nor_other_accounts(
    clean: Site, three: Callable[[str], int]
) -> None:
    with FaultServer(
        "smtp", "ssl", faults={"greeting": after_the_test(Hang())}
    ) as server:
        broken = steps.connect_to(clean.admin, server, "info@brand-c.test")
        good = steps.connect(clean.admin, SUPPORT, company=True)
        connections = server.connections
        first, second = three("Through the hanging one"), three("Through the good one")
        stuck = steps.post(clean.anna, first, "<p>stuck</p>", broken)
        steps.until(lambda: server.connections > connections, "the delivery tries it")
        started = time.monotonic()
        message = steps.post(clean.anna, second, "<p>goes</p>", good)
        assert time.monotonic() - started < 2, "posting waits for no mail server"
        clean.bed.wait_for(CLIENT, 1)
        all_sent(clean, second, message)
        still = shown_row(clean.admin, broken)
        assert not still["failure_text"], "the other one hangs all this time"
        waiting = steps.until(
            lambda: shown_row(clean.admin, broken)["failure_text"],
            "the reason is shown",
        )
        assert "did not answer in time" in str(waiting)
        line = steps.shown(clean.anna, first, stuck)["external_sender"]["waiting"]
        assert re.match(r"waiting until \d\d:\d\d: .*not answer in time", line), line
        assert shown_row(clean.admin, broken)["state"] == "working"


def test_dropping_server_harms_nobody_and_its_mail_leaves_later(
    clean: Site, three: Callable[[str], int]
) -> None:
    with FaultServer(
        "smtp", "starttls", faults={"greeting": after_the_test(Drop())}
    ) as server:
        broken = steps.connect_to(clean.admin, server, "info@brand-c.test")
        good = steps.connect(clean.anna, ANNA)
        first, second = three("Dropped"), three("Fine")
        lost = steps.post(clean.anna, first, "<p>later</p>", broken)
        steps.post(clean.anna, second, "<p>now</p>", good)
        for address in (CLIENT, SECOND, THIRD):
            assert len(clean.bed.wait_for(address, 1)) == 1
        assert set(status(clean, first, lost).values()) == {"ready"}
        steps.let_time_pass(clean.odoo, clean.admin)
        all_sent(clean, first, lost)
        assert sorted(r for m in server.messages for r in m.recipients) == sorted(
            [CLIENT, SECOND, THIRD]
        )


def test_server_that_never_confirms_gets_each_mail_twice_at_most(
    clean: Site, three: Callable[[str], int]
) -> None:
    """The mail may have arrived each time: better a doubt shown than eleven copies."""
    with FaultServer("smtp", "ssl", faults={"body": Drop()}) as server:
        sender = steps.connect_to(clean.admin, server, "info@brand-c.test")
        account = steps.account_of(clean.odoo, sender)
        task = three("Doubt")
        message = steps.post(clean.anna, task, "<p>perhaps</p>", sender)

        def handed_over() -> int:
            return sum(command == "DATA" for command in server.commands)

        def delayed() -> bool:
            [row] = clean.admin.call(
                steps.ACCOUNT, "read", [account], ["delivery_next_try", "failure_code"]
            )
            return bool(row["delivery_next_try"]) and bool(row["failure_code"])

        steps.until(delayed, "two broken connections stop the account for a while")
        assert handed_over() == 2
        steps.let_time_pass(clean.odoo, clean.admin)
        steps.until(delayed, "it is stopped again")
        assert handed_over() == 4
        doubtful = steps.shown(clean.anna, task, message)["by_name"]["Clara Client"]
        assert doubtful["notification_status"] == "exception"
        assert "It has probably arrived" in doubtful["failure_reason"]


def png(colour: bytes) -> bytes:
    """A picture of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" + colour)
    parts = [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def test_long_names_pictures_and_international_domains_arrive_whole(
    clean: Site,
) -> None:
    domain = b"xn--80a1acny.test".decode("idna")
    sender = steps.connect(clean.anna, ANNA, sender_name=LONG_NAME)
    reader = clean.customer("Оксана Пошта", f"anna@{domain}")
    task = steps.new_task(
        clean.admin,
        clean.ids["project_brand_a"],
        LONG_SUBJECT,
        (clean.ids["customer"], reader),
    )
    picture = steps.upload(clean.anna, task, "малюнок.png", png(b"\x10\x20\x30"))
    name = "Дуже довга назва файлу " * 6 + "– кошторис.bin"
    content = bytes(range(256)) * 200
    file = steps.upload(clean.anna, task, name, content)
    source = f"/web/image/{picture['id']}?access_token={picture['token']}"
    steps.post(
        clean.anna,
        task,
        f'<p>Добрий день, <b>Ґанно</b>! <img src="{source}"/></p>',
        sender,
        attachment_ids=[file["id"]],
    )
    for address in (CLIENT, "anna@xn--80a1acny.test"):
        [mail] = clean.bed.wait_for(address, 1)
        assert steps.sender_of(mail) == (LONG_NAME, ANNA)
        assert LONG_SUBJECT in mail.message["Subject"]
        assert max(map(len, mail.raw.splitlines())) <= 998
        html = steps.html_text(mail)
        assert "Добрий день, <b>Ґанно</b>!" in html
        parts = list(mail.message.walk())
        [image] = [part for part in parts if part.get_content_type() == "image/png"]
        assert f'src="cid:{image["Content-ID"][1:-1]}"' in html
        assert image.get_content() == png(b"\x10\x20\x30")
        [attached] = [part for part in parts if part.get_filename() == name]
        assert attached.get_content() == content
    assert mail.delivered_to == "anna@xn--80a1acny.test"
