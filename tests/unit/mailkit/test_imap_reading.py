"""Reading IMAP on bad days: only MailError, in time, and no message passed by."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from datetime import date, datetime, timezone
from functools import partial

import pytest
from bad_days import (
    BAD_DAYS,
    FLOODS,
    MEGABYTE,
    SECRET,
    TIMEOUT,
    Faults,
    all_at_once,
    failure,
    server,
    whole,
    with_imap,
)

from devtools.testbed.faults import FaultServer, InTurn, Raw, Reply
from mailkit.connection.settings import Credentials
from mailkit.errors import ErrorCode, MailError
from mailkit.imap.folders import FolderState
from mailkit.imap.mailbox import ImapBatch, ImapMailbox

TODAY = date(2024, 5, 6)
FAST = ("IMAP4rev1", "AUTH=PLAIN")
STATE = FolderState("INBOX", 1234, 3)
EXAMINED = "* 3 EXISTS\r\n* OK [UIDVALIDITY 1234] x\r\n* OK [UIDNEXT {next}] x\r\n"


def examined(uid_next: int) -> Reply:
    return Reply(EXAMINED.replace("{next}", str(uid_next)) + "{tag} OK done")


def scan(
    state: FolderState = STATE, count: int = 1000
) -> Callable[..., list[ImapBatch]]:
    return lambda mailbox: list(mailbox.scan(state, since=TODAY, count=count))


def fetch(mailbox: ImapMailbox) -> bytes:
    return whole(mailbox, "INBOX", 3, uid_validity=1234, max_octets=10**6)


def append(mailbox: ImapMailbox) -> None:
    mailbox.append_sent("Sent", b"a\nb\r\n", datetime.now(timezone.utc))


IMAP_STEPS: dict[str, Callable[[ImapMailbox], object]] = {
    "status": lambda mailbox: mailbox.status(["INBOX", "Sent"]),
    "list": lambda mailbox: mailbox.folders(),
    "examine": scan(),
    "search": lambda mailbox: mailbox.has_message("INBOX", "<a@b>"),
    "fetch": fetch,
    "append": append,
    "appended": append,
}


@pytest.fixture(scope="module")
def bad_days() -> dict[object, Future[tuple[str, float]]]:
    return all_at_once(
        ((step, day), partial(with_imap, {step: action}, work, TIMEOUT))
        for step, work in IMAP_STEPS.items()
        for day, (action, _code) in BAD_DAYS.items()
    )


@pytest.mark.parametrize("day", BAD_DAYS)
@pytest.mark.parametrize("step", IMAP_STEPS)
def test_imap_on_a_bad_day(
    bad_days: dict[object, Future[tuple[str, float]]], step: str, day: str
) -> None:
    code, seconds = bad_days[step, day].result()
    assert code == BAD_DAYS[day][1]
    assert seconds < 3 * TIMEOUT + 1.5


@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize("step", IMAP_STEPS)
def test_imap_cuts_off_what_never_ends(step: str, flood: str) -> None:
    faults = {step: FLOODS[flood]}
    code, seconds = failure(lambda: with_imap(faults, IMAP_STEPS[step], TIMEOUT))
    assert code in ("protocol_error", "timeout")
    assert seconds < 3 * TIMEOUT + 1.5


def test_literal_larger_than_it_may_be() -> None:
    literal = Raw(b"* 3 FETCH (UID 3 BODY[]<0> {900000000}\r\n")
    code, _seconds = failure(lambda: with_imap({"fetch": literal}, fetch, TIMEOUT))
    assert code in ("protocol_error", "timeout")


@pytest.mark.parametrize("step", IMAP_STEPS)
def test_server_says_goodbye_in_between(step: str) -> None:
    bye = Reply("* BYE Shutting down, hunter22")
    with pytest.raises(MailError) as caught:
        with_imap({step: bye}, IMAP_STEPS[step])
    assert caught.value.code is ErrorCode.CONNECTION_LOST
    assert str(caught.value.reply) == "Shutting down, ***"
    assert caught.value.transient
    assert caught.value.in_doubt == step.startswith("append")


def test_one_command_for_a_look_and_one_for_the_headers() -> None:
    def work(mailbox: ImapMailbox) -> None:
        [batch] = mailbox.scan(STATE, since=TODAY)
        assert [header.raw for header in batch.headers] == [b'From: a"b']
        assert batch.state == replace(STATE, next_uid=4)

    commands = with_imap({"examine": examined(4)}, work)
    verbs = [line.split(" (")[0] for line in commands]
    assert verbs == ['EXAMINE "INBOX"', "UID FETCH 3:3", "LOGOUT"]


def test_told_capabilities_are_not_asked_for() -> None:
    told = "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready"
    with FaultServer("imap", "ssl", faults={"greeting": Reply(told)}) as faulty:
        with ImapMailbox(server(faulty), Credentials("anna", SECRET)) as mailbox:
            mailbox.open()
            assert "AUTH=PLAIN" in mailbox.capabilities
            mailbox.login()
            mailbox.status(["INBOX"])
        verbs = [line.split(" ")[1] for line in faulty.commands]
    assert verbs == ["AUTHENTICATE", "STATUS", "LOGOUT"]


def test_capabilities_told_in_plain_text_count_for_nothing() -> None:
    told = "* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=INJECTED] ready"
    with FaultServer("imap", "starttls", faults={"greeting": Reply(told)}) as faulty:
        with ImapMailbox(server(faulty), Credentials("anna", SECRET)) as mailbox:
            mailbox.open()
            assert "AUTH=INJECTED" not in mailbox.capabilities


def test_server_that_never_tells_uidnext() -> None:
    """As mail.163.com: neither by EXAMINE nor by STATUS."""
    faults: Faults = {
        "status": Reply('* STATUS "INBOX" ()\r\n{tag} OK done'),
        "search": InTurn(Reply("* SEARCH 3\r\n{tag} OK"), Reply("{tag} OK")),
    }

    def work(mailbox: ImapMailbox) -> None:
        status = mailbox.status(["INBOX"])["INBOX"]
        assert not isinstance(status, MailError)
        assert not STATE.is_current(status)
        [batch] = mailbox.scan(STATE, since=TODAY)
        assert batch.state.next_uid == 4
        # Now the highest UID is lower: it was deleted, and nothing is new.
        assert list(mailbox.scan(batch.state, since=TODAY)) == []

    with_imap(faults, work)


def test_uidnext_that_only_status_tells() -> None:
    commands = with_imap({}, lambda mailbox: mailbox.start("INBOX"))
    assert commands[:2] == ['EXAMINE "INBOX"', 'STATUS "INBOX" (UIDNEXT)']


HEADER = (
    b"* 1 FETCH (UID %d RFC822.SIZE 5 BODY[HEADER.FIELDS (TO)]<0> {4}\r\nTo:\n)\r\n"
)


def test_noise_between_headers() -> None:
    noise = (
        b"* 9 EXISTS\r\n* 2 EXPUNGE\r\n* 1 FETCH (FLAGS (\\Seen) UID 3)\r\n"
        b"* OK [ALERT] Disk is {4}\r\n* 5 FETCH (UID 77 BODY[] {2}\r\nno)\r\n"
        + HEADER % 4
        + b"* 3 RECENT\r\n"
        + HEADER % 3
        + b"* 1 FETCH (FLAGS (\\Seen) UID 3)\r\n{tag} OK [X] {9}\r\n"
    )
    faults: Faults = {"examine": examined(9), "fetch": Raw(noise)}

    def work(mailbox: ImapMailbox) -> None:
        [batch] = mailbox.scan(STATE, since=TODAY)
        assert [header.uid for header in batch.headers] == [3, 4]
        assert batch.state.next_uid == 9
        assert mailbox.status(["INBOX"])  # the answers are still in step

    with_imap(faults, work)


REFUSED = Reply("{tag} NO [SERVERBUG] Cannot read the message")


def test_message_that_the_server_cannot_read_stops_no_other() -> None:
    both = Raw(HEADER % 3 + HEADER % 4 + b"{tag} OK done\r\n")
    faults: Faults = {
        "examine": examined(7),
        # 3 to 6 with and without <0.n>; then 3 and 4; 5 and 6; 5; 6.
        "fetch": InTurn(
            REFUSED,
            REFUSED,
            both,
            REFUSED,
            REFUSED,
            Raw(HEADER % 6 + b"{tag} OK done\r\n"),
        ),
    }

    def work(mailbox: ImapMailbox) -> None:
        [batch] = mailbox.scan(STATE, since=TODAY)
        assert [header.uid for header in batch.headers] == [3, 4, 6]
        assert (batch.unreadable, batch.state.next_uid) == ((5,), 7)

    with_imap(faults, work)


@pytest.mark.parametrize("count", [1, 2, 400])
def test_server_that_reads_nothing_just_now_passes_nothing_by(count: int) -> None:
    faults: Faults = {"examine": examined(3 + count), "fetch": REFUSED}
    with pytest.raises(MailError) as caught:
        with_imap(faults, scan())
    assert caught.value.code is ErrorCode.TEMPORARY


def test_server_without_parts_of_headers() -> None:
    plain = Raw(HEADER.replace(b"<0>", b"") % 3 + b"{tag} OK done\r\n")
    faults: Faults = {
        "examine": examined(4),
        "fetch": InTurn(Reply("{tag} BAD what?"), plain, plain),
    }

    def work(mailbox: ImapMailbox) -> None:
        for _ in range(2):
            [batch] = mailbox.scan(STATE, since=TODAY)
            assert len(batch.headers) == 1

    commands = with_imap(faults, work)
    fetches = [line for line in commands if "FETCH" in line]
    assert ["<0." in line for line in fetches] == [True, False, False]


def body(data: bytes, origin: bytes = b"<0>", size: int = 0) -> Raw:
    told = b"RFC822.SIZE %d " % size if size else b""
    item = b"UID 3 %bBODY[]%b {%d}\r\n%b" % (told, origin, len(data), data)
    return Raw(b"* 1 FETCH (%b)\r\n{tag} OK done\r\n" % item)


@pytest.mark.parametrize(
    "parts",
    [
        [body(b"\0\xff", size=2)],
        [body(b"")],
        [body(b"short", size=99), body(b"", b"<5>", 99)],  # Exchange counts wrong
        [body(b"long", size=1)],
        [body(b"x" * (MEGABYTE + 5), b"", MEGABYTE + 5)],  # knows no parts
        [body(b"x" * MEGABYTE, size=MEGABYTE), body(b"", b"<1048576>", MEGABYTE)],
        [body(b"x" * MEGABYTE), Raw(b"* 1 FETCH (UID 3 BODY[] NIL)\r\n{tag} OK x\r\n")],
    ],
)
def test_whole_message(parts: list[Raw]) -> None:
    expected = parts[0].data.split(b"}\r\n", 1)[1].rsplit(b")\r\n", 1)[0]

    def work(mailbox: ImapMailbox) -> None:
        raw = whole(mailbox, "INBOX", 3, uid_validity=1234, max_octets=3 * MEGABYTE)
        assert raw == expected

    with_imap({"examine": examined(4), "fetch": InTurn(*parts)}, work)


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        ({"fetch": Reply("{tag} OK done")}, "message_gone"),
        ({"fetch": Reply("{tag} NO [EXPUNGEISSUED] gone")}, "message_gone"),
        (
            {"fetch": Reply("* 1 FETCH (UID 4 BODY[] {0}\r\n)\r\n{tag} OK")},
            "message_gone",
        ),
        ({"fetch": Reply("* 1 FETCH (UID 3)\r\n{tag} OK done")}, "fetch_failed"),
        ({"fetch": Reply("{tag} NO broken")}, "fetch_failed"),
        ({"fetch": body(b"x", size=10**6 + 1)}, "message_oversized"),
        ({"fetch": body(b"x" * (10**6 + 1), b"")}, "message_oversized"),
        ({"examine": Reply("{tag} NO No such mailbox")}, "folder_missing"),
        ({"examine": Reply("* 3 EXISTS\r\n{tag} OK no UIDs")}, "listing_failed"),
    ],
)
def test_why_a_message_is_not_read(faults: Faults, code: str) -> None:
    with pytest.raises(MailError) as caught:
        with_imap({"examine": examined(4), **faults}, fetch)
    assert caught.value.code.value == code


def test_uids_of_another_validity_are_not_read() -> None:
    def work(mailbox: ImapMailbox) -> None:
        with pytest.raises(MailError) as caught:
            whole(mailbox, "INBOX", 3, uid_validity=1, max_octets=10**6)
        assert caught.value.code is ErrorCode.MESSAGE_GONE

    assert not any("FETCH" in line for line in with_imap({}, work))


def test_copy_is_sent_with_line_ends_of_mail() -> None:
    with FaultServer("imap", "none", features=FAST) as faulty:
        with ImapMailbox(server(faulty), Credentials("anna", SECRET)) as mailbox:
            mailbox.open()
            mailbox.login()
            append(mailbox)
            assert mailbox.status(["INBOX"])
        [accepted] = faulty.messages
    assert accepted.data == b"a\r\nb\r\n"
    assert accepted.recipients[0].startswith('"Sent" (\\Seen) "')


def test_refused_copy_is_not_in_doubt() -> None:
    refused = Reply("{tag} NO [OVERQUOTA] Mailbox is full")
    for step in ("append", "appended"):
        with pytest.raises(MailError) as caught:
            with_imap({step: refused}, append)
        assert caught.value.code is ErrorCode.APPEND_REFUSED
        assert not caught.value.in_doubt


def test_name_with_line_breaks_is_no_command() -> None:
    path = "a\r\nR9 DELETE INBOX"
    with pytest.raises(MailError):
        with_imap({}, lambda mailbox: mailbox.start(path))
    with FaultServer("imap", "none", faults={"examine": Reply("+ ok")}) as faulty:
        with ImapMailbox(server(faulty, 0.5), Credentials("anna", SECRET)) as mailbox:
            mailbox.open()
            mailbox.login()
            with pytest.raises(MailError):
                mailbox.start(path)
        assert any(line.endswith("EXAMINE {18}") for line in faulty.commands)
