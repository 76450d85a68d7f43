"""Reading on bad days: no failure but MailError, in time, and no message passed by."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime, timezone

import pytest

from devtools.testbed.faults import (
    Action,
    Drip,
    Drop,
    FaultServer,
    Flood,
    Garbage,
    Hang,
    InTurn,
    Raw,
    Reply,
)
from mailkit.errors import ErrorCode, MailError
from mailkit.imap_mailbox import ImapMailbox
from mailkit.imap_state import Batch, FolderState
from mailkit.pop3_mailbox import Entry, Pop3Mailbox
from mailkit.settings import Credentials, Protocol, Security, Server

TODAY = date(2024, 5, 6)
SECRET = "hunter22"
STATE = FolderState("INBOX", 1234, 3)
EXAMINED = "* 3 EXISTS\r\n* OK [UIDVALIDITY 1234] x\r\n* OK [UIDNEXT {next}] x\r\n"
FAST = ("IMAP4rev1", "AUTH=PLAIN")
PIPELINING = ("USER", "UIDL", "TOP", "PIPELINING")

Faults = Mapping[str, Action | InTurn]


def examined(uid_next: int) -> Reply:
    return Reply(EXAMINED.replace("{next}", str(uid_next)) + "{tag} OK done")


def server(faulty: FaultServer, timeout: float = 5.0) -> Server:
    return Server(
        Protocol(faulty.protocol),
        "localhost",
        faulty.port,
        Security(faulty.security),
        ca_pem=faulty.ca_pem,
        allow_private=True,
        timeout=timeout,
    )


def with_imap(
    faults: Faults,
    work: Callable[[ImapMailbox], object],
    timeout: float = 5.0,
) -> list[str]:
    """Do `work` signed in; return the commands that the server got after that."""
    with FaultServer("imap", "none", faults=faults) as faulty:
        with ImapMailbox(
            server(faulty, timeout), Credentials("anna", SECRET)
        ) as mailbox:
            mailbox.open()
            mailbox.login()
            before = len(faulty.commands)
            work(mailbox)
        return [line.partition(" ")[2] for line in faulty.commands[before:]]


def with_pop(
    faults: Faults,
    work: Callable[[Pop3Mailbox], object],
    timeout: float = 5.0,
    features: tuple[str, ...] | None = None,
) -> list[str]:
    with FaultServer("pop3", "none", faults=faults, features=features) as faulty:
        with Pop3Mailbox(
            server(faulty, timeout), Credentials("anna", SECRET)
        ) as mailbox:
            mailbox.open()
            mailbox.login()
            before = len(faulty.commands)
            work(mailbox)
        return faulty.commands[before:]


def scan(state: FolderState = STATE, count: int = 1000) -> Callable[..., list[Batch]]:
    return lambda mailbox: list(mailbox.scan(state, since=TODAY, count=count))


def fetch(mailbox: ImapMailbox) -> bytes:
    return mailbox.fetch("INBOX", 3, uid_validity=1234, max_octets=10**6)


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
POP_STEPS: dict[str, Callable[[Pop3Mailbox], object]] = {
    "stat": lambda mailbox: mailbox.status(),
    "uidl": lambda mailbox: mailbox.entries(),
    "list": lambda mailbox: mailbox.fetch(Entry(1, "id1"), max_octets=10**6),
    "top": lambda mailbox: list(mailbox.headers([Entry(1, "id1"), Entry(2, "id2")])),
}
BAD_DAYS: dict[str, tuple[Action, set[str]]] = {
    "hang": (Hang(), {"timeout"}),
    "drop": (Drop(), {"connection_lost"}),
    "drip": (Drip(0.7), {"timeout"}),
    "garbage": (Garbage(), {"protocol_error"}),
    "echo": (Garbage(b"what is hunter22?\r\n"), {"protocol_error"}),
    "line without end": (Flood(b"* X" * 20_000), {"protocol_error", "timeout"}),
    "no end": (Flood(b"* 3 EXISTS\r\n" * 5000), {"protocol_error", "timeout"}),
}


# A server that says nothing may cost this and two more, where it has to search.
TIMEOUT = 0.6


def fails_well(run: Callable[[], object], codes: set[str]) -> None:
    started = time.monotonic()
    with pytest.raises(MailError) as caught:
        run()
    error = caught.value
    assert error.code.value in codes, error
    assert SECRET not in f"{error} {error.reply!r} {error.args}"
    assert time.monotonic() - started < 3 * TIMEOUT + 1.5


@pytest.mark.parametrize("day", BAD_DAYS)
@pytest.mark.parametrize("step", IMAP_STEPS)
def test_imap_on_a_bad_day(step: str, day: str) -> None:
    action, codes = BAD_DAYS[day]
    fails_well(lambda: with_imap({step: action}, IMAP_STEPS[step], TIMEOUT), codes)


@pytest.mark.parametrize("day", BAD_DAYS)
@pytest.mark.parametrize("step", POP_STEPS)
def test_pop3_on_a_bad_day(step: str, day: str) -> None:
    action, codes = BAD_DAYS[day]
    fails_well(lambda: with_pop({step: action}, POP_STEPS[step], TIMEOUT), codes)


@pytest.mark.parametrize("step", IMAP_STEPS)
def test_server_says_goodbye_in_between(step: str) -> None:
    bye = Reply("* BYE Shutting down, hunter22")
    with pytest.raises(MailError) as caught:
        with_imap({step: bye}, IMAP_STEPS[step])
    assert caught.value.code is ErrorCode.CONNECTION_LOST
    assert str(caught.value.reply) == "Shutting down, ***"
    assert caught.value.transient
    assert caught.value.in_doubt == step.startswith("append")


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_message_larger_than_told_is_cut_off(protocol: str) -> None:
    endless = Flood(b"x" * 60_000)
    if protocol == "imap":
        literal = Raw(b"* 3 FETCH (UID 3 BODY[]<0> {900000000}\r\n")
        codes = {"protocol_error", "timeout"}
        fails_well(lambda: with_imap({"fetch": literal}, fetch, TIMEOUT), codes)
    else:
        work = POP_STEPS["list"]
        codes = {"protocol_error", "timeout"}
        fails_well(lambda: with_pop({"top": endless}, work, TIMEOUT), codes)


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
            assert "AUTH=PLAIN" in mailbox.open().capabilities
            mailbox.login()
            mailbox.status(["INBOX"])
        verbs = [line.split(" ")[1] for line in faulty.commands]
    assert verbs == ["AUTHENTICATE", "STATUS", "LOGOUT"]


def test_capabilities_told_in_plain_text_count_for_nothing() -> None:
    told = "* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=INJECTED] ready"
    with FaultServer("imap", "starttls", faults={"greeting": Reply(told)}) as faulty:
        with ImapMailbox(server(faulty), Credentials("anna", SECRET)) as mailbox:
            assert "AUTH=INJECTED" not in mailbox.open().capabilities


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


MEGABYTE = 1024 * 1024


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
        raw = mailbox.fetch("INBOX", 3, uid_validity=1234, max_octets=3 * MEGABYTE)
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
            mailbox.fetch("INBOX", 3, uid_validity=1, max_octets=10**6)
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


# POP3


def test_pop3_listing_that_breaks_the_rules() -> None:
    listing = (
        b"+OK\r\n1 same\r\n2 same\r\n3  with space \r\n4 a b\r\n5 \xff\r\n6\r\nx y\r\n"
        b"..7 z\r\n8 " + b"L" * 3000 + b"\r\n9 same\r\n.\r\n"
    )

    def work(mailbox: Pop3Mailbox) -> None:
        entries = mailbox.entries()
        assert [e.number for e in entries] == [1, 2, 3, 4, 5, 8, 9]
        known = [e.uidl for e in entries]
        assert known[:3] == ["same", "same 2", "with space"] or len(set(known)) == 7
        assert len(set(known)) == 7
        assert all(len(u) <= 80 and u.isascii() and u.isprintable() for u in known)
        assert mailbox.status().messages == 3

    with_pop({"uidl": Raw(listing)}, work)


@pytest.mark.parametrize("answer", ["-ERR unknown command", "-ERR [SYS/TEMP] later"])
def test_pop3_without_uidl(answer: str) -> None:
    with pytest.raises(MailError) as caught:
        with_pop({"uidl": Reply(answer)}, lambda mailbox: mailbox.entries())
    temporary = "SYS/TEMP" in answer
    expected = ErrorCode.TEMPORARY if temporary else ErrorCode.UIDL_MISSING
    assert caught.value.code in (expected, ErrorCode.UIDL_MISSING)


@pytest.mark.parametrize(
    ("features", "capa"), [(("USER", "UIDL"), None), ((), Reply("-ERR what?"))]
)
def test_pop3_without_top(features: tuple[str, ...], capa: Reply | None) -> None:
    faults: dict[str, Action | InTurn] = {"top": Reply("-ERR Unknown command")}
    if capa:
        faults["capa"] = capa
    for work in (POP_STEPS["top"], POP_STEPS["list"]):
        with pytest.raises(MailError) as caught:
            with_pop(faults, work, features=features)
        assert caught.value.code is ErrorCode.TOP_MISSING


ENTRIES = [Entry(number, f"id{number}") for number in range(1, 301)]


@pytest.mark.parametrize("features", [PIPELINING, ("USER", "TOP")])
def test_pop3_headers_in_step(features: tuple[str, ...]) -> None:
    def work(mailbox: Pop3Mailbox) -> None:
        batches = list(mailbox.headers(ENTRIES))
        headers = [header for batch in batches for header in batch.headers]
        assert [h.entry for h in headers] == [*ENTRIES[:7], *ENTRIES[8:]]
        assert all(
            h.raw == f"Subject: Letter {h.entry.number}\r\n\r\n".encode()
            for h in headers
        )
        assert [e for b in batches for e in b.unreadable] == [ENTRIES[7]]
        assert mailbox.status().messages == 3

    eighth = InTurn(*[None] * 7, Reply("-ERR Message is broken"))
    commands = with_pop({"top": eighth}, work, features=features)
    assert commands[:300] == [f"TOP {e.number} 0" for e in ENTRIES]
    assert commands[300:] == ["STAT", "QUIT"]


def test_pop3_trouble_in_the_middle_of_a_pipeline_ends_the_session() -> None:
    def work(mailbox: Pop3Mailbox) -> None:
        with pytest.raises(MailError) as caught:
            list(mailbox.headers(ENTRIES))
        assert caught.value.code is ErrorCode.TEMPORARY
        assert not mailbox.alive

    later = InTurn(None, Reply("-ERR [SYS/TEMP] later"))
    with_pop({"top": later}, work, features=PIPELINING)


@pytest.mark.parametrize(
    ("sent", "content"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"...\r\n..a\r\na..\r\n.\r\n", b"..\r\n.a\r\na..\r\n"),
        (b"a\n.\nb\r\n.\r\n", b"a\n.\nb\r\n"),
        (b"\0\xff\r\r\n.\r\n", b"\0\xff\r\r\n"),
    ],
)
def test_pop3_dots(sent: bytes, content: bytes) -> None:
    def work(mailbox: Pop3Mailbox) -> None:
        assert mailbox.fetch(Entry(1, "id1"), max_octets=1000) == content
        assert mailbox.status().messages == 3

    with_pop({"top": Raw(b"+OK\r\n" + sent)}, work)


def test_pop3_dots_across_pieces() -> None:
    """A doubled dot and the end at every place of a piece that is read."""
    for shift in range(8):
        start = b"x" * (MEGABYTE - 8 + shift)
        sent = start + b"\r\n..\r\n..." + b"y" * (MEGABYTE - 9) + b"\r\n..\r\n.\r\n"
        expected = start + b"\r\n.\r\n..." + b"y" * (MEGABYTE - 9) + b"\r\n.\r\n"
        expected = expected.replace(b"\r\n...", b"\r\n..")

        def work(mailbox: Pop3Mailbox, expected: bytes = expected) -> None:
            got = mailbox.fetch(Entry(1, "id1"), max_octets=3 * MEGABYTE)
            assert got == expected

        with_pop({"top": Raw(b"+OK\r\n" + sent)}, work)


def test_pop3_message_above_the_limit() -> None:
    for faults in (
        {"list": Reply("+OK 1 2000")},
        {"top": Raw(b"+OK\r\n" + b"x" * 1500 + b"\r\n.\r\n")},
    ):
        with pytest.raises(MailError) as caught:
            with_pop(
                faults, lambda mailbox: mailbox.fetch(Entry(1, "a"), max_octets=1000)
            )
        assert caught.value.code is ErrorCode.MESSAGE_OVERSIZED


def test_pop3_endless_header_is_cut() -> None:
    line = Raw(b"+OK\r\nSubject: a\r\nX: " + b"x" * (5 * MEGABYTE) + b"\r\n\r\n.\r\n")

    def work(mailbox: Pop3Mailbox) -> None:
        [batch] = mailbox.headers(ENTRIES[:2])
        cut, whole = batch.headers
        assert cut.truncated and cut.raw.startswith(b"Subject: a\r\nX: xx")
        assert len(cut.raw) < MEGABYTE
        assert not whole.truncated

    with_pop({"top": InTurn(line)}, work, features=PIPELINING)
