"""Reading POP3 on bad days, and what servers do with dots, UIDLs and TOP."""

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

import pytest
from bad_days import (
    BAD_DAYS,
    FLOODS,
    MEGABYTE,
    TIMEOUT,
    all_at_once,
    failure,
    whole,
    with_pop,
)

from devtools.testbed.faults import Action, Flood, InTurn, Raw, Reply
from mailkit.errors import ErrorCode, MailError
from mailkit.pop3 import Entry, Pop3Mailbox

PIPELINING = ("USER", "UIDL", "TOP", "PIPELINING")
POP_STEPS: dict[str, Callable[[Pop3Mailbox], object]] = {
    "stat": lambda mailbox: mailbox.status(),
    "uidl": lambda mailbox: mailbox.entries(),
    "list": lambda mailbox: whole(mailbox, Entry(1, "id1"), max_octets=10**6),
    "top": lambda mailbox: list(mailbox.headers([Entry(1, "id1"), Entry(2, "id2")])),
}


@pytest.fixture(scope="module")
def bad_days() -> dict[object, Future[tuple[str, float]]]:
    return all_at_once(
        ((step, day), partial(with_pop, {step: action}, work, TIMEOUT))
        for step, work in POP_STEPS.items()
        for day, (action, _code) in BAD_DAYS.items()
    )


@pytest.mark.parametrize("day", BAD_DAYS)
@pytest.mark.parametrize("step", POP_STEPS)
def test_pop3_on_a_bad_day(
    bad_days: dict[object, Future[tuple[str, float]]], step: str, day: str
) -> None:
    code, seconds = bad_days[step, day].result()
    assert code == BAD_DAYS[day][1]
    assert seconds < 3 * TIMEOUT + 1.5


@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize("step", POP_STEPS)
def test_pop3_cuts_off_what_never_ends(step: str, flood: str) -> None:
    faults = {step: FLOODS[flood]}
    code, seconds = failure(lambda: with_pop(faults, POP_STEPS[step], TIMEOUT))
    assert code in ("protocol_error", "timeout")
    assert seconds < 3 * TIMEOUT + 1.5


def test_message_without_end_is_cut_off() -> None:
    endless = {"top": Flood(b"x" * 60_000)}
    code, _seconds = failure(lambda: with_pop(endless, POP_STEPS["list"]))
    assert code == "protocol_error"


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


@pytest.mark.parametrize("count", [2, 300])
def test_pop3_server_that_reads_nothing_passes_nothing_by(count: int) -> None:
    def work(mailbox: Pop3Mailbox) -> None:
        with pytest.raises(MailError) as caught:
            list(mailbox.headers(ENTRIES[:count]))
        assert caught.value.code is ErrorCode.FETCH_FAILED

    with_pop({"top": Reply("-ERR Disk is broken")}, work, features=PIPELINING)


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
        assert whole(mailbox, Entry(1, "id1"), max_octets=1000) == content
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
            got = whole(mailbox, Entry(1, "id1"), max_octets=3 * MEGABYTE)
            assert got == expected

        with_pop({"top": Raw(b"+OK\r\n" + sent)}, work)


def test_pop3_message_above_the_limit() -> None:
    for faults in (
        {"list": Reply("+OK 1 2000")},
        {"top": Raw(b"+OK\r\n" + b"x" * 1500 + b"\r\n.\r\n")},
    ):
        with pytest.raises(MailError) as caught:
            with_pop(
                faults, lambda mailbox: whole(mailbox, Entry(1, "a"), max_octets=1000)
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
