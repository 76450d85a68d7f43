"""Waiting for one message: where it is found, and what stops the waiting."""

import time
from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial

import pytest
from bad_days import BAD_DAYS, FLOODS, SECRET, TIMEOUT, Faults, all_at_once, server

from devtools.testbed.faults import (
    Action,
    Drop,
    FaultServer,
    Hang,
    InTurn,
    Raw,
    Reply,
)
from mailkit.connection.network import Deadline
from mailkit.connection.settings import Credentials
from mailkit.errors import ErrorCode, MailError
from mailkit.imap.folders import FolderUse, parse, where_mail_arrives
from mailkit.imap.grammar import Untagged
from mailkit.probe import Found, find

ID = "<probe.1@corp.test>"
HEAD = f"From: Anna <anna@brand-a.test>\r\nMessage-ID: {ID}\r\n\r\n".encode()
OTHER = b"Message-ID: <other@corp.test>\r\n\r\n"
ANNA = Credentials("anna", SECRET)
NOTHING = Reply("{tag} OK done")
NOT_FOUND = Reply("* SEARCH\r\n{tag} OK done")
FOLDERS = Reply(
    '* LIST () "/" INBOX\r\n* LIST () "/" Customers\r\n* LIST () "/" Sent\r\n'
    '* LIST () "/" "Folders/Spam"\r\n* LIST (\\All) "/" Everything\r\n{tag} OK done'
)


def fetched(*heads: tuple[int, bytes]) -> Raw:
    lines = [
        b"* %d FETCH (UID %d RFC822.SIZE 9 BODY[HEADER]<0> {%d}\r\n%b)\r\n"
        % (uid, uid, len(head), head)
        for uid, head in heads
    ]
    return Raw(b"".join(lines) + b"{tag} OK done\r\n")


def examined(uid_next: int) -> Reply:
    told = f"* OK [UIDVALIDITY 1234] x\r\n* OK [UIDNEXT {uid_next}] x"
    return Reply(f"* 3 EXISTS\r\n{told}\r\n{{tag}} OK done")


def look(
    protocol: str,
    faults: Faults,
    *,
    seconds: float = 5.0,
    timeout: float = 5.0,
    **options: object,
) -> tuple[Found | None, list[str]]:
    """Return what was found, and the commands after the sign-in."""
    with FaultServer(protocol, "none", faults=faults) as faulty:
        options.setdefault("pause", 0.05)
        found = find(
            server(faulty, timeout),
            ANNA,
            ID,
            Deadline(seconds),
            **options,  # type: ignore[arg-type]
        )
        commands = list(faulty.commands)
    if protocol == "imap":
        commands = [line.partition(" ")[2] for line in commands]
    return found, commands


def verbs(commands: list[str]) -> list[str]:
    return [line.removeprefix("UID ").split(" ")[0] for line in commands]


# IMAP


def test_imap_message_that_is_there() -> None:
    faults = {"fetch": fetched((2, OTHER), (3, HEAD))}
    found, commands = look("imap", faults)
    assert found is not None
    assert found.headers.message_id == ID
    assert found.headers.author.email == "anna@brand-a.test"
    assert (found.raw, found.folder) == (HEAD, "INBOX")
    assert {"SELECT", "STORE", "SEARCH"}.isdisjoint(verbs(commands))
    fetches = [line for line in commands if "FETCH" in line]
    assert len(fetches) == 2
    assert all("BODY.PEEK[HEADER" in line for line in fetches)
    assert commands[-1] == "LOGOUT"


def test_imap_message_that_comes_later_is_alone_read() -> None:
    faults: Faults = {
        "examine": InTurn(*[examined(3)] * 6),
        "fetch": InTurn(fetched((2, OTHER)), *[fetched((3, HEAD))] * 2),
        "search": NOT_FOUND,
    }
    found, commands = look("imap", faults)
    assert found is not None and found.raw == HEAD
    fetches = [line.split(" (")[0] for line in commands if "FETCH" in line]
    assert fetches == ["UID FETCH 1:2", "UID FETCH 3:3", "UID FETCH 3"]
    assert verbs(commands).count("SEARCH") == 1


@pytest.mark.parametrize(
    ("fetches", "folder"), [(3, "Folders/Spam"), (4, "Everything"), (2, "Customers")]
)
def test_imap_message_that_a_filter_took_elsewhere(fetches: int, folder: str) -> None:
    turns = [*[NOTHING] * (fetches - 1), *[fetched((3, HEAD))] * 2]
    faults: Faults = {"list": FOLDERS, "fetch": InTurn(*turns), "search": NOT_FOUND}
    found, commands = look("imap", faults, folders=["Customers"])
    assert found is not None
    assert found.folder == folder
    assert not any("Sent" in line for line in commands)


def test_imap_copy_of_what_was_sent_has_not_arrived() -> None:
    """Gmail files it among all mail; the message did not come back."""
    turns = [NOTHING, NOTHING, *[fetched((3, HEAD))] * 20]
    faults: Faults = {"list": FOLDERS, "fetch": InTurn(*turns), "search": NOT_FOUND}
    faults = {**faults, "examine": examined(4)}
    found, commands = look("imap", faults, left_here=True, seconds=0.5)
    assert found is None
    assert not any("Everything" in line for line in commands)


def test_imap_folder_that_cannot_be_read_hides_no_other() -> None:
    closed = Reply("{tag} NO [NOPERM] closed")
    faults: Faults = {
        "list": FOLDERS,
        # INBOX twice, junk, all mail twice
        "examine": InTurn(examined(4), examined(4), closed, *[examined(4)] * 2),
        "fetch": InTurn(NOTHING, *[fetched((3, HEAD))] * 2),
    }
    found, _commands = look("imap", faults)
    assert found is not None and found.folder == "Everything"


def test_imap_server_that_refuses_to_list() -> None:
    faults = {"list": Reply("{tag} NO not you"), "fetch": fetched((3, HEAD))}
    found, _commands = look("imap", faults)
    assert found is not None and found.folder == "INBOX"


def test_imap_message_behind_the_newest_is_searched_for() -> None:
    faults: Faults = {
        "examine": examined(1000),
        "fetch": InTurn(NOTHING, fetched((7, HEAD))),
        "search": Reply("* SEARCH 7\r\n{tag} OK done"),
    }
    found, commands = look("imap", faults)
    assert found is not None and found.raw == HEAD
    [search] = [line for line in commands if "SEARCH" in line]
    assert search.startswith("UID SEARCH SINCE ")
    assert search.endswith(f'HEADER Message-ID "{ID}"')
    [first, _head] = [line for line in commands if "FETCH" in line]
    assert first.startswith("UID FETCH 950:999 ")


@pytest.mark.parametrize(
    "search",
    [
        Reply("* SEARCH 1 2 3\r\n{tag} OK done"),  # what was not asked for
        Reply("{tag} BAD what?"),
        Reply("{tag} NO [SERVERBUG] no index"),
        Hang(),
    ],
)
def test_imap_search_that_is_of_no_use(search: Action) -> None:
    """The message comes a moment later, and is found without it."""
    turns = [fetched((2, OTHER)), *[fetched((3, HEAD))] * 3]
    if isinstance(search, Reply) and "SEARCH" in search.text:
        turns[1:1] = [fetched((3, OTHER))]  # the head of what was found
    faults: Faults = {
        "examine": InTurn(*[examined(3)] * 3),
        "fetch": InTurn(*turns),
        "search": search,
    }
    found, _commands = look("imap", faults, timeout=0.3)
    assert found is not None and found.raw == HEAD


@pytest.mark.parametrize(
    "name",
    [
        "X-Microsoft-Original-Message-ID",
        "X-Google-Original-Message-ID",
        "X-Odoo-Message-Id",
    ],
)
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_message_that_was_given_another_id(protocol: str, name: str) -> None:
    head = f"Message-ID: <new@mx.test>\r\n{name}: {ID}\r\n\r\n".encode()
    faults: Faults = {
        "fetch": fetched((3, head)),
        "top": InTurn(None, Raw(b"+OK\r\n" + head + b".\r\n")),
    }
    found, _commands = look(protocol, faults)
    assert found is not None and found.headers.message_id == "<new@mx.test>"


def test_imap_message_that_is_moved_just_now() -> None:
    gone = Reply("{tag} OK done")
    turns = (fetched((3, HEAD)), gone, *[fetched((3, HEAD))] * 2)
    faults: Faults = {
        "examine": examined(4),
        "fetch": InTurn(*turns),
        "search": NOT_FOUND,
    }
    found, _commands = look("imap", faults)
    assert found is not None


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_endless_header_is_cut(protocol: str) -> None:
    head = f"Message-ID: {ID}\r\nX: ".encode() + b"x" * 200_000 + b"\r\n\r\n"
    faults: Faults = {
        "fetch": fetched((3, head)),
        "top": InTurn(Raw(b"+OK\r\n" + head + b".\r\n")),
    }
    found, _commands = look(protocol, faults)
    assert found is not None and len(found.raw) == 64 * 1024


# POP3


def top(head: bytes) -> Raw:
    return Raw(b"+OK\r\n" + head + b".\r\n")


def test_pop3_looks_anew_for_each_look_and_only_at_what_is_new() -> None:
    listing = "+OK\r\n1 id1\r\n2 id2\r\n.", "+OK\r\n1 id1\r\n2 id2\r\n3 id3\r\n."
    faults: Faults = {
        "uidl": InTurn(Reply(listing[0]), Reply(listing[0]), Reply(listing[1])),
        "top": InTurn(top(OTHER), top(OTHER), top(HEAD)),
    }
    found, commands = look("pop3", faults)
    assert found is not None
    assert (found.raw, found.folder) == (HEAD, "")
    session = ["CAPA", "USER", "PASS", "UIDL"]
    first = [*session, "TOP", "TOP", "QUIT"]
    assert verbs(commands) == [*first, *session, "QUIT", *session, "TOP", "QUIT"]
    assert [line for line in commands if "TOP" in line] == [
        *("TOP 1 0", "TOP 2 0"),
        "TOP 3 0",
    ]


def test_pop3_reads_the_newest_only() -> None:
    lines = "".join(f"{number} id{number}\r\n" for number in range(1, 301))
    faults: Faults = {"uidl": Reply(f"+OK\r\n{lines}.")}
    found, commands = look("pop3", faults, seconds=0.5, pause=1.0)
    assert found is None
    tops = [line for line in commands if line.startswith("TOP")]
    assert tops == [f"TOP {number} 0" for number in range(251, 301)]


def test_pop3_looks_become_rarer() -> None:
    started = time.monotonic()
    found, commands = look("pop3", {}, seconds=1.5, pause=0.1)
    assert found is None
    assert 1.4 < time.monotonic() - started < 3.0
    assert 2 < verbs(commands).count("UIDL") < 7


# Bad days

STEPS: Mapping[str, tuple[str, ...]] = {
    "imap": ("greeting", "login", "list", "examine", "fetch"),
    "pop3": ("greeting", "pass", "uidl", "top"),
}


@pytest.fixture(scope="module")
def bad_days() -> dict[object, Future[tuple[str, float]]]:
    return all_at_once(
        ((protocol, step, day), partial(look, protocol, {step: action}, timeout=0.5))
        for protocol, steps in STEPS.items()
        for step in steps
        for day, (action, _code) in BAD_DAYS.items()
    )


@pytest.mark.parametrize("day", BAD_DAYS)
@pytest.mark.parametrize(
    ("protocol", "step"), [(p, step) for p, steps in STEPS.items() for step in steps]
)
def test_server_that_has_only_bad_days(
    bad_days: dict[object, Future[tuple[str, float]]],
    protocol: str,
    step: str,
    day: str,
) -> None:
    code, seconds = bad_days[protocol, step, day].result()
    expected = {BAD_DAYS[day][1]}
    if step == "greeting":
        expected |= {"not_mail_server"}
    assert code in expected
    assert seconds < 5 + 1.5


@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize(
    ("protocol", "step"), [("imap", "fetch"), ("imap", "list"), ("pop3", "uidl")]
)
def test_what_never_ends_is_cut_off(protocol: str, step: str, flood: str) -> None:
    started = time.monotonic()
    with pytest.raises(MailError) as caught:
        look(protocol, {step: FLOODS[flood]}, timeout=TIMEOUT, seconds=4.0)
    assert caught.value.code in (ErrorCode.PROTOCOL_ERROR, ErrorCode.TIMEOUT)
    assert time.monotonic() - started < 4 + 1.5


@pytest.mark.parametrize(
    ("protocol", "step"), [(p, step) for p, steps in STEPS.items() for step in steps]
)
def test_server_that_drops_in_the_middle_is_asked_again(
    protocol: str, step: str
) -> None:
    faults: dict[str, Action | InTurn] = {
        "fetch": fetched((3, HEAD)),
        "top": top(HEAD),
        "search": NOT_FOUND,
    }
    regular = faults.get(step)
    turns = [Drop(), *([regular] * 3 if isinstance(regular, Raw) else [])]
    found, _commands = look(protocol, {**faults, step: InTurn(*turns)})
    assert found is not None and found.headers.message_id == ID


def test_server_that_drops_between_two_looks() -> None:
    """What was looked at before counts for the session that follows."""
    faults: Faults = {
        "examine": InTurn(*[examined(3)] * 3, Drop(), *[examined(4)] * 2),
        "fetch": InTurn(fetched((2, OTHER)), *[fetched((3, HEAD))] * 2),
        "search": NOT_FOUND,
    }
    found, commands = look("imap", faults)
    assert found is not None
    assert verbs(commands).count("AUTHENTICATE") == 2
    fetches = [line.split(" (")[0] for line in commands if "FETCH" in line]
    assert fetches == ["UID FETCH 1:2", "UID FETCH 3:3", "UID FETCH 3"]


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_no_message_until_the_time_is_over(protocol: str) -> None:
    started = time.monotonic()
    found, _commands = look(protocol, {"search": NOT_FOUND}, seconds=0.6)
    assert found is None
    assert 0.5 < time.monotonic() - started < 2.0


@pytest.mark.parametrize(("protocol", "step"), [("imap", "examine"), ("pop3", "uidl")])
def test_time_that_is_over_while_the_server_answers(protocol: str, step: str) -> None:
    """It had been looked for, so nobody says that the server hangs."""
    regular: list[Action | None] = [None] * (3 if protocol == "imap" else 1)
    faults: Faults = {step: InTurn(*regular, *[Hang()] * 9), "search": NOT_FOUND}
    found, _commands = look(protocol, faults, seconds=1.0)
    assert found is None


def test_time_that_is_over_before_it_begins() -> None:
    with pytest.raises(MailError) as caught:
        look("imap", {}, seconds=0.0)
    assert caught.value.code is ErrorCode.TIMEOUT


@pytest.mark.parametrize(
    ("protocol", "step", "reply", "code"),
    [
        ("imap", "login", "{tag} NO [AUTHENTICATIONFAILED] no", "login_refused"),
        ("imap", "examine", "{tag} NO [NONEXISTENT] Unknown mailbox", "folder_missing"),
        ("imap", "fetch", "{tag} NO broken", "fetch_failed"),
        ("pop3", "pass", "-ERR [AUTH] no", "login_refused"),
        ("pop3", "uidl", "-ERR what?", "uidl_missing"),
    ],
)
def test_refusal_that_would_only_come_again(
    protocol: str, step: str, reply: str, code: str
) -> None:
    with FaultServer(protocol, "none", faults={step: Reply(reply)}) as faulty:
        with pytest.raises(MailError) as caught:
            find(server(faulty), ANNA, ID, Deadline(5), pause=0.05)
        assert len(faulty.logins) == 1
    assert caught.value.code.value == code


@pytest.mark.parametrize(
    ("protocol", "step", "reply"),
    [
        ("imap", "login", "{tag} NO [UNAVAILABLE] later"),
        ("pop3", "pass", "-ERR [IN-USE] another session"),
    ],
)
def test_busy_server_is_asked_three_times(protocol: str, step: str, reply: str) -> None:
    with FaultServer(protocol, "none", faults={step: Reply(reply)}) as faulty:
        with pytest.raises(MailError) as caught:
            find(server(faulty), ANNA, ID, Deadline(5), pause=0.05)
        assert len(faulty.logins) == 3
    assert caught.value.transient


@pytest.mark.parametrize("message_id", ["", "two words", "<a@b> <c@d>"])
def test_what_is_no_message_id(message_id: str) -> None:
    with FaultServer("imap", "none") as faulty:
        with pytest.raises(ValueError, match="Message-ID"):
            find(server(faulty), ANNA, message_id, Deadline(1))
        assert not faulty.connections


def test_nothing_is_looked_for_over_smtp() -> None:
    with FaultServer("smtp", "none") as faulty, pytest.raises(ValueError, match="smtp"):
        find(server(faulty), ANNA, ID, Deadline(1))


# Folders


def test_where_mail_arrives() -> None:
    listed = (
        b'LIST (\\HasNoChildren) "/" Inbox',
        b'LIST (\\All) "/" "[Gmail]/All Mail"',
        b'LIST () "/" "Junk"',
        b'LIST (\\Junk) "/" "[Gmail]/Spam"',
        b'LIST () "/" "Todos"',
        b'LIST () "/" "Sent"',
    )
    found = where_mail_arrives(parse(map(Untagged, listed)))
    assert [folder.path for folder in found] == [
        "INBOX",
        "[Gmail]/Spam",
        "[Gmail]/All Mail",
    ]


def test_where_mail_arrives_by_name() -> None:
    listed = (
        b'LIST () "." INBOX',
        b'LIST () "." "INBOX.spam"',
        b'LIST () "." "INBOX.Junk E-mail"',
        b'LIST () "." "INBOX.&BBIEQQRP- &BD8EPgRHBEIEMA-"',
        b'LIST () "." "INBOX.spam.of 2024"',
    )
    found = where_mail_arrives(parse(map(Untagged, listed)))
    assert [(folder.name, folder.use) for folder in found] == [
        ("INBOX", FolderUse.INBOX),
        ("INBOX.spam", FolderUse.JUNK),
        ("INBOX.Junk E-mail", FolderUse.JUNK),
        ("INBOX.Вся почта", FolderUse.ALL),
    ]
