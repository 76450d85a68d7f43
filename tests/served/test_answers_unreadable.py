"""Messages that the mail server itself cannot read: shown, and in nobody's way."""

from collections.abc import Iterator

import mailbox_steps as box
import pytest
import steps
from site_setup import Site

from devtools.testbed import clients
from devtools.testbed.faults import FaultServer, InTurn, Raw, Reply

ANNA = "anna@brand-a.test"
CLIENT = "client@customer.test"
BROKEN = Reply("{tag} NO [SERVERBUG] Cannot read the message")
OTHER = b"From: friend@customer.test\r\nSubject: private\r\n\r\n"


@pytest.fixture
def served(clean: Site) -> Iterator[Site]:
    clean.bed.clear(CLIENT)
    steps.forget_tests(clean.odoo)
    yield clean


def connect(site: Site, server: FaultServer) -> int:
    """Anna's address, which is sent through the bed and read at ``server``."""
    trusted = {"ca_certificate": server.ca_pem + site.bed.ca_pem}
    reading = box.incoming(site, ANNA, server.protocol)
    return box.connect(
        site,
        ANNA,
        server.protocol,
        **{**reading, "incoming_port": server.port, **trusted},
    )


def asked(site: Site, address_id: int) -> tuple[int, bytes]:
    """A task whose customer was written to, and their answer."""
    task = steps.new_task(
        site.admin, site.ids["project_brand_a"], "Answer me", (site.ids["customer"],)
    )
    return task, clients.answer("gmail", box.ask(site, address_id, task, CLIENT))


def head(raw: bytes) -> bytes:
    return raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


def fetched(uid: int, part: bytes, content: bytes) -> Raw:
    line = b"* 1 FETCH (UID %d RFC822.SIZE %d BODY[%b]<0> {%d}\r\n%b)\r\n"
    told = line % (uid, len(content), part, len(content), content)
    return Raw(told + b"{tag} OK done\r\n")


def listed(last: int) -> Reply:
    return Reply(
        f"* {last} EXISTS\r\n* OK [UIDVALIDITY 1234] valid\r\n"
        f"* OK [UIDNEXT {last + 1}] next\r\n{{tag}} OK done"
    )


def shown_once(site: Site, address_id: int, place: str) -> None:
    """What Anna sees of it, also after another look."""
    for _look in range(2):
        assert box.quarantine(site, address_id) == [("unreadable", "", place)]
        box.fetch(site, address_id)
    [row] = site.anna.call(
        "mail.external.arrival",
        "search_read",
        [("state", "=", "quarantine"), ("address_id", "=", address_id)],
        ["reason_text", "place"],
    )
    assert "could not hand this message out" in row["reason_text"]
    assert "move it to another folder and back" in row["reason_text"]
    told = site.anna.call("mail.external.arrival", "action_retry", [row["id"]])
    assert "can only be read in the mailbox" in told["params"]["message"]
    site.anna.call("mail.external.arrival", "action_dismiss", [row["id"]])


def test_imap(served: Site) -> None:
    with FaultServer("imap", "ssl") as server:
        address_id = connect(served, server)
        task, answer = asked(served, address_id)
        fields = b"HEADER.FIELDS (FROM)"
        answers = (
            *(BROKEN, BROKEN),  # all of them, with and without <0.n>
            fetched(4, fields, OTHER),
            *(BROKEN, BROKEN),  # 5 and 6, then 5
            fetched(6, fields, head(answer)),
            fetched(6, b"", answer),
        )
        server.misbehave({"examine": listed(6), "fetch": InTurn(*answers)})
        box.fetch(served, address_id)
        assert len(box.mails(served, task)) == 1
        shown_once(served, address_id, "INBOX 5")


def test_pop3(served: Site) -> None:
    with FaultServer("pop3", "ssl") as server:
        address_id = connect(served, server)
        task, answer = asked(served, address_id)
        names = "".join(f"{n} id{n}\r\n" for n in range(1, 6))
        answers = (
            Reply("-ERR Message is broken"),
            Raw(b"+OK\r\n" + head(answer) + b".\r\n"),
            Raw(b"+OK\r\n" + answer + b".\r\n"),
        )
        server.misbehave(
            {
                "stat": Reply("+OK 5 2000"),
                "uidl": Reply(f"+OK\r\n{names}."),
                "top": InTurn(*answers),
            }
        )
        box.fetch(served, address_id)
        assert len(box.mails(served, task)) == 1
        shown_once(served, address_id, "INBOX id4")
