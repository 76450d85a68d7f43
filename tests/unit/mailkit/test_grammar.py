"""What IMAP servers write, strange but seen, and what it is taken for."""

from datetime import date, datetime, timedelta, timezone

import pytest

from mailkit.imap import grammar
from mailkit.imap.folders import (
    Folder,
    FolderState,
    FolderStatus,
    FolderUse,
    follow,
    likely_first,
    parse,
    sent_folder,
)
from mailkit.imap.grammar import Literal, Untagged


def untagged(*texts: bytes, literals: tuple[bytes, ...] = ()) -> list[Untagged]:
    return [Untagged(text, literals) for text in texts]


@pytest.mark.parametrize(
    "text",
    [
        b"7 FETCH (UID 5 RFC822.SIZE 9 BODY[] {0})",
        b"7 FETCH (BODY[] {0} RFC822.SIZE 9 UID 5)",
        b"7 FETCH (FLAGS (\\Seen UID 8) UID 5 BODY[] {0} RFC822.SIZE 9)",
        b"7 fetch (uid 5 rfc822.size 9 body[HEADER.FIELDS (FROM TO)]<0> {0})",
        b'7 FETCH (MODSEQ (12) X-UID 3 UID 5 RFC822.SIZE 9 BODY[] "a\\"b\\\\ UID 4")',
    ],
)
def test_items_of_a_message_in_any_order(text: bytes) -> None:
    quoted = b'"' in text
    [found] = grammar.fetched(untagged(text, literals=(b"UID 4",)))
    assert (found.uid, found.size) == (5, 9)
    assert found.body == (b'a"b\\ UID 4' if quoted else b"UID 4")
    assert found.origin == (0 if b"<0>" in text else None)


def test_what_nobody_asked_for_is_no_message() -> None:
    noise = untagged(
        b"3 EXISTS",
        b"2 EXPUNGE",
        b"5 FETCH (FLAGS (\\Seen))",
        b"OK [UIDNEXT 3] 5 FETCH (UID 6)",
        b"6 FETCH (UID 6 FLAGS ())",
        b"6 FETCH (UID 6 BODY[] NIL)",
    )
    assert [(f.uid, f.body) for f in grammar.fetched(noise)] == [(6, None), (6, None)]


def test_numbers_of_a_search() -> None:
    told = untagged(
        b"SEARCH 5 3 3 (MODSEQ 917)", b"12 EXISTS", b"search 4294967295", b"SEARCH"
    )
    assert grammar.searched(told) == [3, 5, 4294967295]


def test_numbers_of_a_folder() -> None:
    told = untagged(
        b"FLAGS (\\Seen)",
        b"12 EXISTS",
        b"0 RECENT",
        b"OK [UIDVALIDITY 99] UIDs valid",
        b"ok [uidnext 13] predicted",
        b"OK [UNSEEN 3] EXISTS",
        b"13 EXISTS",
    )
    expected = {"MESSAGES": 13, "UIDVALIDITY": 99, "UIDNEXT": 13}
    assert grammar.examined_items(told) == expected
    status = untagged(b'STATUS "a (b) c" (UIDNEXT 3 messages 4)', b"1 EXISTS")
    assert grammar.status_items(status) == {"UIDNEXT": 3, "MESSAGES": 4}
    assert grammar.status_items(untagged(b'STATUS "INBOX" ()')) == {}


def test_folders() -> None:
    told = untagged(
        rb'LIST (\HasNoChildren \Sent) "/" "Gesendet"',
        rb'LIST () "/" inbox',
        rb'LIST (\Noselect) "/" "[Gmail]"',
        rb'list (\NonExistent \Subscribed) "/" gone',
        rb"LIST (\Junk) NIL {0}",
        rb'LIST () "/" "a \"b\" \\ c"',
        rb'LIST () "/" Sent Items',
        rb'LIST () "/" atom ("CHILDINFO" ("SUBSCRIBED"))',
        rb'LIST (\All) "\\" "&BB0EMAQ0-&-\\x"',
        b'LIST () "/" "nul\0"',
        b"LIST nonsense",
        literals=(b'lit"eral\\',),
    )
    names = {f.path: (f.name, f.use, f.delimiter) for f in parse(told)}
    assert next(iter(names)) == "INBOX"
    assert names == {
        "INBOX": ("INBOX", FolderUse.INBOX, "/"),
        "Gesendet": ("Gesendet", FolderUse.SENT, "/"),
        'lit"eral\\': ('lit"eral\\', FolderUse.JUNK, ""),
        'a "b" \\ c': ('a "b" \\ c', FolderUse.NONE, "/"),
        "Sent Items": ("Sent Items", FolderUse.NONE, "/"),
        "atom": ("atom", FolderUse.NONE, "/"),
        "&BB0EMAQ0-&-\\x": ("Над&\\x", FolderUse.ALL, "\\"),
    }


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"&AOQ-&-&APw-", "ä&ü"),
        (b"&2D3eAA-", "😀"),
        ("Надіслані".encode(), "Надіслані"),
        (b"R&D", "R&D"),
        (b"&2D0-", "&2D0-"),
        (b"&!!-", "&!!-"),
        (b"\xff", "�"),
    ],
)
def test_names_for_people(raw: bytes, name: str) -> None:
    assert grammar.readable_name(raw) == name


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("INBOX/Customers", b"INBOX/Customers"),
        ("ä&ü", b"&AOQ-&-&APw-"),
        ("😀", b"&2D3eAA-"),
        ("Надіслані", b"&BB0EMAQ0BFYEQQQ7BDAEPQRW-"),
        ("R&D", b"R&-D"),
    ],
)
def test_names_as_written(name: str, raw: bytes) -> None:
    assert grammar.written_name(name) == raw
    assert grammar.readable_name(raw) == name


def test_paths_go_back_as_they_came() -> None:
    assert grammar.string(b'a "b" \\ {5}') == b'"a \\"b\\" \\\\ {5}"'
    assert grammar.string(b"\xd0\x9d") == Literal(b"\xd0\x9d")
    assert grammar.string(b"a\r\nb LOGOUT") == Literal(b"a\r\nb LOGOUT")


def test_folder_of_sent_mail_by_name() -> None:
    def named(*names: str) -> list[Folder]:
        return [Folder(name, name, delimiter="/") for name in names]

    found = sent_folder(named("INBOX", "[Gmail]/Sent Mail", "absent"))
    assert found is not None and found.path == "[Gmail]/Sent Mail"
    found = sent_folder(named("INBOX.Sent", "Archive/Gesendet", "Надіслані"))
    assert found is not None and found.path == "Archive/Gesendet"
    assert sent_folder(named("INBOX", "sentinel")) is None


def test_likely_folders_come_first() -> None:
    folders = [
        Folder("Trash", "Trash", FolderUse.TRASH),
        Folder("x", "x"),
        Folder("Sent", "Sent"),
        Folder("INBOX", "INBOX", FolderUse.INBOX),
    ]
    assert [f.path for f in likely_first(folders)] == ["INBOX", "Sent", "x", "Trash"]


def test_dates_are_written_in_english() -> None:
    moment = datetime(2024, 3, 5, 7, 8, 9, tzinfo=timezone(timedelta(hours=-3)))
    assert grammar.date_time(moment) == b'"05-Mar-2024 07:08:09 -0300"'
    assert grammar.day(date(2024, 5, 6)) == b"6-May-2024"


def test_sets_of_uids() -> None:
    assert grammar.uid_set([1, 2, 3, 7, 9, 10]) == b"1:3,7,9:10"
    assert grammar.uid_set(range(5, 8)) == b"5:7"
    parts = list(grammar.sets(list(range(1, 8)), 3, 100))
    assert parts == [[1, 2, 3], [4, 5, 6], [7]]
    sparse = list(range(10**9, 10**9 + 4000, 2))
    parts = list(grammar.sets(sparse, 1000, 700))
    assert [uid for part in parts for uid in part] == sparse
    assert max(len(grammar.uid_set(part)) for part in parts) <= 700


STATE = FolderState("INBOX", 7, 50)


@pytest.mark.parametrize(
    ("status", "begins_again"),
    [
        (FolderStatus(7, 50, 3), False),
        (FolderStatus(7, 80, 3), False),
        (FolderStatus(7, 0, 3), False),  # the server tells no UIDNEXT
        (FolderStatus(8, 50, 3), True),
        (FolderStatus(7, 40, 3), True),  # restored from a backup
    ],
)
def test_begins_again_where_uids_are_others(
    status: FolderStatus, begins_again: bool
) -> None:
    after = follow(STATE, status, 81, date(2024, 5, 6))
    if not begins_again:
        assert after is STATE
        return
    expected = FolderState("INBOX", status.uid_validity, 1, 81, "2024-05-06")
    assert after == expected
    assert after.advanced(80).backlog_end == 81
    assert after.advanced(81) == FolderState("INBOX", status.uid_validity, 81)
