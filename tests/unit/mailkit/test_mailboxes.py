"""Sessions that read: how they sign in, and that they leave no trace."""

import pytest

from devtools.testbed.faults import FaultServer, Reply
from mailkit.connection.settings import Credentials, Protocol, Security, Server
from mailkit.errors import ErrorCode, MailError
from mailkit.imap.mailbox import ImapMailbox
from mailkit.pop3 import Pop3Mailbox

LOGIN = "anna@brand-a.test"
PASSWORDS = ["simple", 'quote " and \\', "пароль ü"]


def session(faulty: FaultServer, password: str) -> ImapMailbox | Pop3Mailbox:
    server = Server(
        Protocol(faulty.protocol),
        "localhost",
        faulty.port,
        Security(faulty.security),
        ca_pem=faulty.ca_pem,
        allow_private=True,
        timeout=2,
    )
    kind = ImapMailbox if faulty.protocol == "imap" else Pop3Mailbox
    return kind(server, Credentials(LOGIN, password))


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize(
    ("protocol", "features"),
    [
        ("imap", ("IMAP4rev1", "AUTH=PLAIN")),
        ("imap", ("IMAP4rev1",)),
        ("pop3", ("USER", "UIDL")),
        ("pop3", ("USER", "UIDL", "UTF8 USER")),
        ("pop3", ("UIDL", "SASL PLAIN")),
    ],
)
def test_any_password_arrives(
    protocol: str, features: tuple[str, ...], password: str
) -> None:
    with FaultServer(protocol, "starttls", features=features) as faulty:
        with session(faulty, password) as mailbox:
            mailbox.open()
            mailbox.login()
            count = mailbox.count_inbox()
        assert faulty.logins == [(LOGIN, password)]
    assert count == 3


def test_inbox_is_only_examined() -> None:
    with FaultServer("imap", "ssl") as faulty:
        with session(faulty, "simple") as mailbox:
            mailbox.open()
            mailbox.login()
            mailbox.count_inbox()
        verbs = [line.split(" ")[1] for line in faulty.commands]
    assert verbs == ["CAPABILITY", "AUTHENTICATE", "EXAMINE", "LOGOUT"]


def test_pop3_only_looks() -> None:
    with FaultServer("pop3", "ssl") as faulty:
        with session(faulty, "simple") as mailbox:
            mailbox.open()
            mailbox.login()
            mailbox.count_inbox()
        verbs = [line.split(" ")[0] for line in faulty.commands]
    assert verbs == ["CAPA", "USER", "PASS", "STAT", "UIDL", "QUIT"]


def test_pop3_server_without_capa_and_an_empty_mailbox() -> None:
    faults = {
        "capa": Reply("-ERR what?"),
        "stat": Reply("+OK 0 0"),
        "uidl": Reply("+OK\r\n."),
    }
    with FaultServer("pop3", "starttls", faults=faults) as faulty:
        with session(faulty, "simple") as mailbox:
            mailbox.open()
            mailbox.login()
            assert mailbox.count_inbox() == 0
            assert mailbox.tls_version


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_wrong_password_is_tried_once(protocol: str) -> None:
    with FaultServer(protocol, "ssl", password="other") as faulty:
        with session(faulty, "simple") as mailbox:
            mailbox.open()
            with pytest.raises(MailError) as caught:
                mailbox.login()
        attempts = len(faulty.logins)
    assert caught.value.code is ErrorCode.LOGIN_REFUSED
    assert attempts == 1


def test_imap_mechanism_that_is_offered_but_does_not_work() -> None:
    faults = {"authenticate": Reply("{tag} BAD Unsupported mechanism")}
    with FaultServer("imap", "ssl", faults=faults) as faulty:
        with session(faulty, "simple") as mailbox:
            mailbox.open()
            mailbox.login()
            assert mailbox.count_inbox() == 3


@pytest.mark.parametrize(
    ("protocol", "step", "reply"),
    [
        ("imap", "login", "{tag} NO [ALERT] hunter22 is wrong"),
        ("imap", "login", "{tag} BAD LOGIN anna hunter22 is wrong"),
        ("imap", "login", "hunter22 is wrong"),
        ("imap", "examine", "* BYE hunter22 is wrong"),
        ("pop3", "pass", "-ERR PASS hunter22 is wrong"),
        ("pop3", "pass", "PASS hunter22 is wrong"),
    ],
)
def test_echoed_secret_is_hidden(protocol: str, step: str, reply: str) -> None:
    with FaultServer(protocol, "ssl", faults={step: Reply(reply)}) as faulty:
        with session(faulty, "hunter22") as mailbox:
            mailbox.open()
            with pytest.raises(MailError) as caught:
                mailbox.login()
                mailbox.count_inbox()
    error = caught.value
    shown = f"{error} {error!r} {error.reply!r} {error.args}"
    assert "hunter22" not in shown
    assert "is wrong" in shown
    assert error.__suppress_context__ or error.__context__ is None


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_nothing_works_before_opening(protocol: str) -> None:
    with FaultServer(protocol, "ssl") as faulty, session(faulty, "x") as mailbox:
        with pytest.raises(MailError) as caught:
            mailbox.login()
    assert caught.value.code is ErrorCode.CONNECTION_LOST
