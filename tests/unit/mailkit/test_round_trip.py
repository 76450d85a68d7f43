"""A mail to oneself: what of it came back, its new id, and taking it away again."""

from dataclasses import replace
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from bad_days import SECRET, Faults, server
from hypothesis import given
from hypothesis import strategies as st

from devtools.testbed.fault_habits import (
    Habit,
    changes,
    gives_ids,
    removes,
    strips,
    together,
)
from devtools.testbed.faults import Drop, FaultServer, InTurn, Raw, Reply
from mailkit import given_ids, probe
from mailkit.connection.network import Deadline
from mailkit.connection.settings import Credentials
from mailkit.given_ids import IdRule
from mailkit.imap.mailbox import Place
from mailkit.message.headers import parse_headers
from mailkit.round_trip import Fate, Return, Sent, compare

ANNA = Credentials("anna", SECRET)
SENT = Sent(
    message_id="<mea.abc@brand-a.test>",
    sender="anna@brand-a.test",
    name="Odoo",
    reply_to="anna@brand-a.test",
    reference="<ref.1@brand-a.test>",
    thread_index="AAAA",
    mark="mea.abc",
    header="X-Odoo-Test",
    secret="5ecret",
)
MAIL = (
    b"From: Odoo <anna@brand-a.test>\r\nReply-To: anna@brand-a.test\r\n"
    b"Message-ID: <mea.abc@brand-a.test>\r\nX-Odoo-Test: 5ecret\r\n"
    b"X-Odoo-Message-Id: <mea.abc@brand-a.test>\r\n"
    b"References: <ref.1@brand-a.test> <mea.abc@brand-a.test>\r\n"
    b"Thread-Index: AAAA\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/alternative; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain\r\n\r\nRef: mea.abc\r\n"
    b"--b\r\nContent-Type: text/html\r\n\r\n<p>mea.abc</p>\r\n--b--\r\n"
)


def returned(habit: Habit) -> Return:
    mail, _answer = habit(MAIL)
    assert mail is not None
    return compare(SENT, mail.partition(b"\r\n\r\n")[0], mail)


PARTS = (
    *("message_id", "sender", "name", "reply_to", "references", "thread_index"),
    *("text_mark", "html_mark"),
)


@pytest.mark.parametrize(
    ("habit", "fates"),
    [
        (removes(), {}),
        (gives_ids("ses.test"), {"message_id": "changed"}),
        (removes("Message-ID"), {"message_id": "dropped"}),
        (removes("References"), {"references": "dropped"}),
        (changes("References", "<other@x>"), {"references": "changed"}),
        (changes("From", "Odoo <login@brand-a.test>"), {"sender": "changed"}),
        (removes("From"), {"sender": "changed", "name": "dropped"}),
        (changes("From", "Anna K. <anna@brand-a.test>"), {"name": "changed"}),
        (changes("From", "anna@brand-a.test"), {"name": "dropped"}),
        (changes("From", "Odoo <ANNA@brand-a.TEST>"), {}),
        (removes("Reply-To"), {"reply_to": "dropped"}),
        (changes("Reply-To", "login@brand-a.test"), {"reply_to": "changed"}),
        (removes("Thread-Index"), {"thread_index": "dropped"}),
        (strips(rb"<p>mea[.]abc</p>"), {"html_mark": "changed"}),
        (strips(rb"Ref: mea[.]abc"), {"text_mark": "changed"}),
        (
            together(removes("References"), gives_ids("x.test"), strips(rb"mea[.]\w+")),
            {
                **{"references": "dropped", "message_id": "changed"},
                **{"text_mark": "changed", "html_mark": "changed"},
            },
        ),
    ],
)
def test_what_became_of_it(habit: Habit, fates: dict[str, str]) -> None:
    found = returned(habit)
    told = {name: getattr(found, name).value for name in PARTS}
    assert told == {**dict.fromkeys(PARTS, "kept"), **fates}


def test_who_stands_in_from_instead() -> None:
    found = returned(changes("From", "Boss <boss@brand-a.test>, x@y.test"))
    assert found.sender is Fate.CHANGED
    assert found.senders == "boss@brand-a.test, x@y.test"


def test_what_was_not_looked_at_is_not_told() -> None:
    found = compare(SENT, MAIL.partition(b"\r\n\r\n")[0])
    assert found.text_mark is found.html_mark is Fate.UNKNOWN


@given(st.binary(max_size=2000))
def test_no_octets_are_an_error(data: bytes) -> None:
    compare(SENT, data, data)
    assert not SENT.is_ours(data)


# The id that a service gives

UUID = "0102018f5d3c1a2b-7f1e2d3c-000000"


@pytest.mark.parametrize(
    ("answer", "message_id", "rule"),
    [
        (f"250 Ok {UUID}", f"<{UUID}@eu.ses.test>", IdRule(2, "eu.ses.test")),
        (
            "250 2.0.0 OK <AM0PR1234@AM0.prod.test> [Hostname=AM0.prod.test]",
            "<AM0PR1234@AM0.prod.test>",
            IdRule(3),
        ),
        ("250 2.0.0 Ok: queued as 4B1c2D3e4F", "<4B1c2D3e4F@x.test>", None),
        ("250 2.0.0 Ok: queued as 42", "<unrelated@x.test>", None),
        ("250 Ok queued", "<queued@x.test>", None),  # no id: it has no digit
        ("", "<a@x.test>", None),
    ],
)
def test_how_an_answer_tells_it(
    answer: str, message_id: str, rule: IdRule | None
) -> None:
    if "4B1c2D3e4F" in answer:
        rule = IdRule(5, "x.test")
    assert given_ids.learn(answer, message_id) == rule


@pytest.mark.parametrize(
    ("answer", "rule", "message_id"),
    [
        (f"250 Ok {UUID}", IdRule(2, "eu.ses.test"), f"<{UUID}@eu.ses.test>"),
        ("250 2.0.0 OK <B0PR77@b.test> [Hostname=b]", IdRule(3), "<B0PR77@b.test>"),
        ("250 2.0.0 OK <B0PR77@b.test> [Hostname=b]", None, "<B0PR77@b.test>"),
        ("250 Ok <a1@b.test> <c2@d.test>", None, ""),
        ("250 Ok", IdRule(2, "eu.ses.test"), ""),
        ("250 Ok Accepted!", IdRule(2, "eu.ses.test"), ""),
        (f"250 Ok {UUID}", None, ""),
        (f"250 Ok {UUID}", IdRule(2), ""),
    ],
)
def test_what_an_answer_tells(
    answer: str, rule: IdRule | None, message_id: str
) -> None:
    assert given_ids.given(answer, rule) == message_id


@given(st.text(max_size=300), st.integers(0, 9), st.sampled_from(["", "x.test"]))
def test_no_answer_is_an_error(answer: str, word: int, domain: str) -> None:
    found = given_ids.given(answer, IdRule(word, domain))
    assert found == "" or parse_headers(f"Message-ID: {found}".encode()).message_id


# Taking it away

HEAD = MAIL.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
FOUND = probe.Found(
    parse_headers(HEAD), HEAD, "INBOX", place=Place("INBOX", 1234, 3), uidl="id3"
)
UIDPLUS = ("IMAP4rev1", "AUTH=PLAIN", "SASL-IR", "UIDPLUS")


def fetched(head: bytes) -> Raw:
    line = b"* 3 FETCH (UID 3 RFC822.SIZE 9 BODY[HEADER] {%d}\r\n%b)\r\n"
    return Raw(line % (len(head), head) + b"{tag} OK done\r\n")


EMPTY = Reply("* SEARCH\r\n{tag} OK done")


def taken(
    protocol: str, faults: Faults, features: tuple[str, ...] | None = None
) -> tuple[bool, list[str]]:
    """Whether it was removed, and the commands after the sign-in."""
    with FaultServer(protocol, "none", faults=faults, features=features) as faulty:
        gone = probe.remove(
            server(faulty, 3.0), ANNA, FOUND, SENT.is_ours, Deadline(6.0)
        )
        lines = list(faulty.commands)
    if protocol == "imap":
        lines = [line.partition(" ")[2] for line in lines]
    return gone, lines


def writing(lines: list[str]) -> list[str]:
    verbs = ("SELECT", "UID STORE", "UID EXPUNGE", "EXPUNGE", "CLOSE", "DELE", "RSET")
    return [line for line in lines if line.startswith(verbs)]


def test_imap_by_its_own_uid_and_no_other() -> None:
    faults: Faults = {"fetch": fetched(HEAD), "search": EMPTY}
    gone, lines = taken("imap", faults, UIDPLUS)
    assert gone
    assert writing(lines) == [
        'SELECT "INBOX"',
        r"UID STORE 3 +FLAGS.SILENT (\Deleted)",
        "UID EXPUNGE 3",
    ]
    assert lines[-1] == "LOGOUT"


@pytest.mark.parametrize(
    "features", [UIDPLUS[:-1], (*UIDPLUS, "X-GM-EXT-1")], ids=["no UIDPLUS", "Gmail"]
)
def test_imap_where_it_is_not_opened_for_writing(features: tuple[str, ...]) -> None:
    gone, lines = taken("imap", {"fetch": fetched(HEAD)}, features)
    assert not gone and not writing(lines)


@pytest.mark.parametrize(
    "head",
    [
        HEAD.replace(b"5ecret", b"another"),
        HEAD.replace(b"mea.abc@", b"else@"),
        b"Subject: 5ecret mea.abc\r\n\r\n",
        b"",
    ],
)
def test_imap_another_message_at_this_place(head: bytes) -> None:
    gone, lines = taken("imap", {"fetch": fetched(head)}, UIDPLUS)
    assert not gone
    assert writing(lines) == ['SELECT "INBOX"']


def test_imap_folder_that_was_made_anew() -> None:
    anew = Reply("* 1 EXISTS\r\n* OK [UIDVALIDITY 9] x\r\n{tag} OK done")
    faults: Faults = {"select": anew, "fetch": fetched(HEAD)}
    gone, lines = taken("imap", faults, UIDPLUS)
    assert not gone and writing(lines) == ['SELECT "INBOX"']


@pytest.mark.parametrize(
    "faults",
    [
        {"expunge": Reply("{tag} NO not you"), "search": EMPTY},
        {"search": Reply("* SEARCH 3\r\n{tag} OK done")},  # it says so, and lies
    ],
)
def test_imap_that_does_not_delete_leaves_no_mark(faults: Faults) -> None:
    gone, lines = taken("imap", {"fetch": fetched(HEAD), **faults}, UIDPLUS)
    assert not gone
    assert writing(lines)[-1] == r"UID STORE 3 -FLAGS.SILENT (\Deleted)"


@pytest.mark.parametrize("step", ["select", "fetch", "store", "expunge", "login"])
def test_imap_that_breaks_off(step: str) -> None:
    faults: Faults = {"fetch": fetched(HEAD), "search": EMPTY, step: Drop()}
    gone, lines = taken("imap", faults, UIDPLUS)
    assert not gone
    assert not any(line.startswith(("EXPUNGE", "CLOSE")) for line in lines)


TOP = Raw(b"+OK\r\n" + HEAD + b".\r\n")


def test_pop3_this_one_and_no_other() -> None:
    gone, lines = taken("pop3", {"top": TOP})
    assert gone
    assert writing(lines) == ["DELE 3"]
    assert lines[-1] == "QUIT"


@pytest.mark.parametrize(
    ("faults", "features"),
    [
        ({}, None),  # another message
        ({"top": Reply("-ERR no such message")}, None),
        ({"top": TOP, "uidl": Reply("+OK\r\n1 id1\r\n2 id2\r\n.")}, None),
        ({"top": TOP, "uidl": Reply("+OK\r\n1 id3\r\n3 id3\r\n.")}, None),
        ({"top": TOP}, ("USER", "UIDL", "TOP", "X-GOOGLE-RICO")),
    ],
)
def test_pop3_that_is_left(faults: Faults, features: tuple[str, ...] | None) -> None:
    gone, lines = taken("pop3", faults, features)
    assert not gone and not writing(lines)


@pytest.mark.parametrize(
    "faults",
    [
        {"dele": Reply("-ERR locked")},
        {"quit": Reply("-ERR some messages were not removed")},
        {"quit": Drop()},
        {"dele": Drop()},
    ],
)
def test_pop3_that_does_not_delete(faults: Faults) -> None:
    gone, _lines = taken("pop3", {"top": TOP, **faults})
    assert not gone


# Finding what a service has changed


@pytest.mark.parametrize(
    "subject",
    ["Odoo tests (12ab)", "Odoo перевіряє надсилання з цієї адреси, довгої (12ab)"],
)
def test_found_by_its_subject(subject: str) -> None:
    def letter(message_id: str, text: str) -> bytes:
        message = EmailMessage(policy=SMTP)
        message["Message-ID"] = message_id
        message["Subject"] = text
        return message.as_bytes()

    head = letter("<new@x.test>", subject)
    answer = letter("<a@x.test>", f"Re: {subject}")

    def mail(uid: int, raw: bytes) -> bytes:
        line = b"* 3 FETCH (UID %d RFC822.SIZE 9 BODY[HEADER]<0> {%d}\r\n%b)\r\n"
        return line % (uid, len(raw), raw)

    faults: Faults = {
        "examine": Reply(
            "* 3 EXISTS\r\n* OK [UIDVALIDITY 1] x\r\n* OK [UIDNEXT 4] x\r\n{tag} OK x"
        ),
        "fetch": InTurn(
            Raw(mail(2, head) + mail(3, answer) + b"{tag} OK done\r\n"),
            *[Raw(mail(2, head) + b"{tag} OK done\r\n")] * 3,
        ),
    }
    with FaultServer("imap", "none", faults=faults) as faulty:
        found = probe.find(
            *(server(faulty, 3.0), ANNA, "<mine@x.test>", Deadline(3.0)),
            subject=subject,
            whole=True,
        )
    assert found is not None and found.place == Place("INBOX", 1, 2)


def test_nobody_waits_any_more() -> None:
    asked: list[int] = []

    def is_cancelled() -> bool:
        asked.append(1)
        return len(asked) > 2

    faults: Faults = {"search": EMPTY, "fetch": Reply("{tag} OK done")}
    with (
        FaultServer("imap", "none", faults=faults) as faulty,
        pytest.raises(probe.Cancelled),
    ):
        probe.find(
            *(server(faulty, 3.0), ANNA, "<mine@x.test>", Deadline(9.0)),
            pause=0.1,
            is_cancelled=is_cancelled,
        )
    assert len(asked) == 3


def test_a_secret_is_not_shown() -> None:
    assert "5ecret" not in repr(replace(SENT, name="x"))
