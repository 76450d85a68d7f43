"""Sessions that send: what reaches the server, and what is left after a refusal."""

import base64
import hmac
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy

import pytest

from devtools.testbed.faults import Drop, FaultServer, Garbage, Hang, InTurn, Reply
from mailkit.connection.settings import Credentials, Protocol, Security, Server
from mailkit.errors import ErrorCode, MailError
from mailkit.smtp import SmtpSession

SENDER = "anna@brand-a.test"
PASSWORD = "correct horse"
MESSAGE = b"From: anna@brand-a.test\r\nSubject: Hello\r\n\r\nHello\r\n"
FEATURES = ("SIZE 1000", "8BITMIME", "SMTPUTF8")


@contextmanager
def session(
    faulty: FaultServer, password: str = PASSWORD, timeout: float = 2.0
) -> Iterator[SmtpSession]:
    server = Server(
        Protocol.SMTP,
        "localhost",
        faulty.port,
        Security(faulty.security),
        ca_pem=faulty.ca_pem,
        allow_private=True,
        timeout=timeout,
    )
    with SmtpSession(server, Credentials(SENDER, password)) as opened:
        opened.open()
        yield opened


def fail(action, *arguments: object) -> MailError:  # type: ignore[no-untyped-def]
    with pytest.raises(MailError) as caught:
        action(*arguments)
    return caught.value


def verbs(commands: list[str]) -> list[str]:
    return [line.split(" ")[0].upper() for line in commands]


def test_three_recipients_the_second_refused() -> None:
    faults = {"rcpt": InTurn(None, Reply("550 5.1.1 User unknown"))}
    with FaultServer("smtp", "ssl", faults=faults) as faulty:
        with session(faulty) as smtp:
            smtp.login()
            smtp.send(SENDER, "a@customer.test", MESSAGE)
            error = fail(smtp.send, SENDER, "b@customer.test", MESSAGE)
            assert smtp.alive
            reply = smtp.send(SENDER, "c@customer.test", MESSAGE)
        served = [(sent.sender, sent.recipients) for sent in faulty.messages]
        connections = faulty.connections
    assert error.code is ErrorCode.RECIPIENT_UNKNOWN
    assert error.field == "recipient"
    assert reply == "250 2.0.0 Ok: queued as 42"
    assert served == [(SENDER, ("a@customer.test",)), (SENDER, ("c@customer.test",))]
    assert connections == 1


@pytest.mark.parametrize(
    ("step", "reply"),
    [
        ("mail", "451 4.3.0 Later"),
        ("rcpt", "451 4.3.0 Later"),
        ("data", "451 4.3.0 Later"),
        ("body", "451 4.3.0 Later"),
    ],
)
def test_session_goes_on_after_a_refusal_anywhere(step: str, reply: str) -> None:
    faults = {step: InTurn(Reply(reply))}
    with FaultServer("smtp", "none", faults=faults) as faulty:
        with session(faulty) as smtp:
            error = fail(smtp.send, SENDER, "a@customer.test", MESSAGE)
            assert (error.code, error.transient) == (ErrorCode.TEMPORARY, True)
            smtp.send(SENDER, "b@customer.test", MESSAGE)
        served = [sent.recipients for sent in faulty.messages]
    assert served == [("b@customer.test",)]


@pytest.mark.parametrize("step", ["mail", "rcpt", "data", "body"])
@pytest.mark.parametrize("action", [Drop(), Hang(), Reply("421 4.3.2 Going down")])
def test_lost_connection(step: str, action: Drop | Hang | Reply) -> None:
    with FaultServer("smtp", "none", faults={step: action}) as faulty:
        with session(faulty, timeout=0.5) as smtp:
            error = fail(smtp.send, SENDER, "a@customer.test", MESSAGE)
            assert not smtp.alive
            later = fail(smtp.send, SENDER, "a@customer.test", MESSAGE)
    answered = isinstance(action, Reply)
    assert error.transient
    assert error.in_doubt is (step == "body" and not answered)
    assert later.code is ErrorCode.CONNECTION_LOST


def test_nonsense_after_the_message_leaves_doubt() -> None:
    with FaultServer("smtp", "none", faults={"body": Garbage()}) as faulty:
        with session(faulty) as smtp:
            error = fail(smtp.send, SENDER, "a@customer.test", MESSAGE)
    assert (error.code, error.in_doubt) == (ErrorCode.PROTOCOL_ERROR, True)


def test_message_arrives_as_it_is() -> None:
    body = b"From: a\r\n\r\n.\r\n..dots\r\nlone\rand\nmixed\r\nno end"
    with FaultServer("smtp", "none") as faulty:
        with session(faulty) as smtp:
            smtp.send(SENDER, "a@customer.test", body)
            smtp.send(SENDER, "b@customer.test", b"")
        first, second = [sent.data for sent in faulty.messages]
    assert first == b"From: a\r\n\r\n.\r\n..dots\r\nlone\r\nand\r\nmixed\r\nno end\r\n"
    assert second == b"\r\n"


def test_size_and_eight_bit_are_declared() -> None:
    message = "Subject: x\r\n\r\nпривіт\r\n".encode()
    with FaultServer("smtp", "none", features=FEATURES) as faulty:
        with session(faulty) as smtp:
            smtp.send(SENDER, "a@customer.test", message)
            too_large = fail(smtp.send, SENDER, "a@customer.test", b"x" * 1001)
        (sent,) = faulty.messages
        mails = [line for line in faulty.commands if line.startswith("MAIL")]
    assert sent.options == (f"SIZE={len(message)}", "BODY=8BITMIME")
    assert sent.data == message
    assert too_large.code is ErrorCode.MESSAGE_TOO_LARGE
    assert len(mails) == 1


def test_server_of_seven_bits_gets_seven_bits() -> None:
    message = (
        "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\nпривіт\r\n"
    ).encode()
    with FaultServer("smtp", "none", features=()) as faulty:
        with session(faulty) as smtp:
            smtp.send(SENDER, "a@customer.test", message)
        (sent,) = faulty.messages
    assert sent.data.isascii()
    assert sent.options == ()
    received = message_from_bytes(sent.data, policy=policy.default)
    assert received.get_content().strip() == "привіт"


def test_internationalised_addresses() -> None:
    with FaultServer("smtp", "none", features=FEATURES) as faulty:
        with session(faulty) as smtp:
            smtp.send("Anna@Пошта.test", "client@customer.test", MESSAGE)
            smtp.send(SENDER, "клієнт@пошта.test", MESSAGE)
        ascii_only, utf8 = faulty.messages
    assert ascii_only.sender == "Anna@xn--80a1acn3a.test"
    assert "SMTPUTF8" not in ascii_only.options
    assert utf8.recipients == ("клієнт@xn--80a1acn3a.test",)
    assert "SMTPUTF8" in utf8.options


def test_server_without_smtputf8() -> None:
    with FaultServer("smtp", "none", features=("SIZE 1000",)) as faulty:
        with session(faulty) as smtp:
            error = fail(smtp.send, SENDER, "клієнт@customer.test", MESSAGE)
            smtp.send(SENDER, "client@customer.test", MESSAGE)
    assert error.code is ErrorCode.SMTPUTF8_MISSING


@pytest.mark.parametrize(
    ("sender", "recipient", "field"),
    [
        (SENDER, "a@customer.test>\r\nRCPT TO:<b@customer.test", "recipient"),
        (SENDER, "a@customer.test SIZE=1", "recipient"),
        ("anna@brand-a.test\nX", "a@customer.test", "email"),
    ],
)
def test_no_command_can_be_slipped_in(sender: str, recipient: str, field: str) -> None:
    with FaultServer("smtp", "none") as faulty:
        with session(faulty) as smtp:
            error = fail(smtp.send, sender, recipient, MESSAGE)
        commands = list(faulty.commands)
    assert (error.code, error.field) == (ErrorCode.ADDRESS_INVALID, field)
    assert verbs(commands) == ["EHLO", "QUIT"]


def test_sender_check_sends_nothing() -> None:
    with FaultServer("smtp", "ssl") as faulty:
        with session(faulty) as smtp:
            smtp.login()
            smtp.check_sender(SENDER)
        commands, messages = list(faulty.commands), list(faulty.messages)
    assert verbs(commands)[2:] == [
        "MAIL",
        "RCPT",
        "RSET",
        "QUIT",
    ]
    assert messages == []


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ("550 5.7.1 Sender denied", ErrorCode.SENDER_REFUSED),
        ("550 5.7.1 We don't like you", None),
        ("550 5.1.1 User unknown", None),
    ],
)
def test_sender_check_where_only_the_recipient_is_left_to_refuse(
    reply: str, code: ErrorCode | None
) -> None:
    with FaultServer("smtp", "none", faults={"rcpt": Reply(reply)}) as faulty:
        with session(faulty) as smtp:
            if code is None:
                smtp.check_sender(SENDER)
            else:
                assert fail(smtp.check_sender, SENDER).code is code


# Senders that are not the sign-in's own

ALIAS = "sales@brand-a.test"
AS_ALIAS = b"From: Anna\r\n <Sales@brand-a.test>\r\nSubject: Hello\r\n\r\nFrom: me\r\n"
STAGES = ("mail", "rcpt", "data", "body")


@pytest.mark.parametrize("step", STAGES)
@pytest.mark.parametrize(
    "reply",
    [
        "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
        "554 5.2.252 SendAsDenied; a@b.test not allowed to send as c@b.test",
        "553 5.7.1 <c@b.test>: Sender address rejected: not owned by user a@b.test",
    ],
)
def test_refused_sender_leaves_the_session_to_its_siblings(
    step: str, reply: str
) -> None:
    with FaultServer("smtp", "none", faults={step: InTurn(Reply(reply))}) as faulty:
        with session(faulty) as smtp:
            error = fail(smtp.send, ALIAS, "a@customer.test", AS_ALIAS)
            smtp.send(SENDER, "a@customer.test", MESSAGE)
        [sent] = faulty.messages
    assert (error.code, error.field) == (ErrorCode.SENDER_REFUSED, "email")
    assert not error.transient and not error.in_doubt
    assert sent.sender == SENDER


@pytest.mark.parametrize("envelope", [ALIAS, SENDER])
def test_server_that_lets_nobody_send_as_the_alias(envelope: str) -> None:
    """The test of the sender alone passes: Exchange refuses the message."""
    with FaultServer("smtp", "ssl", denied=[ALIAS]) as faulty:
        with session(faulty) as smtp:
            smtp.login()
            smtp.check_sender(envelope)
            error = fail(smtp.send, envelope, "a@customer.test", AS_ALIAS)
            smtp.send(SENDER, "a@customer.test", MESSAGE)
        assert [sent.data for sent in faulty.messages] == [MESSAGE]
    assert error.code is ErrorCode.SENDER_REFUSED
    assert error.reply is not None
    assert (error.reply.code, error.reply.enhanced) == (550, "5.7.60")


def test_server_that_replaces_the_alias() -> None:
    delivered: list[tuple[str, str, bytes]] = []

    def deliver(sender: str, recipient: str, message: bytes) -> None:
        delivered.append((sender, recipient, message))

    with FaultServer("smtp", "ssl", replaced=[ALIAS], deliver=deliver) as faulty:
        with session(faulty) as smtp:
            smtp.login()
            smtp.send(ALIAS, "a@customer.test", AS_ALIAS)
            smtp.send(SENDER, "b@customer.test", MESSAGE)
    (sender, recipient, message), other = delivered
    assert (sender, recipient) == (SENDER, "a@customer.test")
    received = message_from_bytes(message, policy=policy.default)
    assert received["From"] == f"Anna <{SENDER}>"
    assert received["X-Google-Original-From"] == "Anna <Sales@brand-a.test>"
    assert message.endswith(b"\r\nSubject: Hello\r\n\r\nFrom: me\r\n")
    assert other == (SENDER, "b@customer.test", MESSAGE)


# Signing in


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_any_password_arrives(mechanism: str) -> None:
    password = 'пароль "\\ ü'
    with FaultServer("smtp", "ssl", features=(f"AUTH {mechanism}",)) as faulty:
        with session(faulty, password) as smtp:
            smtp.login()
        assert faulty.logins == [(SENDER, password)]


def test_nothing_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever looks for a fault elsewhere may have smtplib print all that is said."""
    monkeypatch.setattr(smtplib.SMTP, "debuglevel", 1)
    with FaultServer("smtp", "ssl") as faulty, session(faulty) as smtp:
        smtp.login()
    assert not capsys.readouterr().err


def test_clear_text_prefers_not_to_give_the_password_away() -> None:
    features = ("AUTH PLAIN LOGIN CRAM-MD5",)
    with FaultServer("smtp", "none", features=features) as faulty:
        with session(faulty) as smtp:
            smtp.login()
        ((_login, digest),) = faulty.logins
    expected = hmac.new(PASSWORD.encode(), b"<1.1@test>", "md5")  # RFC 2195
    assert digest == expected.hexdigest()


def test_wrong_password_is_tried_once() -> None:
    features = ("AUTH CRAM-MD5 LOGIN PLAIN",)
    with FaultServer("smtp", "ssl", features=features, password="other") as faulty:
        with session(faulty) as smtp:
            error = fail(smtp.login)
        attempts = len(faulty.logins)
    assert error.code is ErrorCode.LOGIN_REFUSED
    assert attempts == 1


def test_mechanism_that_is_offered_but_does_not_work() -> None:
    faults = {"auth-plain": Reply("504 5.5.4 Unrecognized authentication type")}
    with FaultServer("smtp", "ssl", faults=faults) as faulty:
        with session(faulty) as smtp:
            smtp.login()
        assert faulty.logins == [(SENDER, PASSWORD)]


@pytest.mark.parametrize(
    ("login", "password", "field"), [("", "x", "login"), (SENDER, "", "password")]
)
def test_missing_credentials(login: str, password: str, field: str) -> None:
    with FaultServer("smtp", "none") as faulty:
        server = Server(
            Protocol.SMTP,
            "localhost",
            faulty.port,
            Security.NONE,
            allow_private=True,
        )
        with SmtpSession(server, Credentials(login, password)) as smtp:
            smtp.open()
            error = fail(smtp.login)
    assert (error.code, error.field) == (ErrorCode.SETTINGS_INVALID, field)


def test_password_goes_out_over_tls_only() -> None:
    with FaultServer("smtp", "none") as stripped:
        server = Server(
            Protocol.SMTP,
            "localhost",
            stripped.port,
            Security.STARTTLS,
            allow_private=True,
        )
        with SmtpSession(server, Credentials(SENDER, PASSWORD)) as smtp:
            error = fail(smtp.open)
            assert fail(smtp.login).code is ErrorCode.CONNECTION_LOST
        assert verbs(stripped.commands) == ["EHLO"]
    assert error.code is ErrorCode.STARTTLS_MISSING


# What is told


def test_echoed_secret_is_hidden_everywhere() -> None:
    token = base64.b64encode(f"\0{SENDER}\0{PASSWORD}".encode()).decode()
    echo = Reply(f"535 5.7.8 {PASSWORD} / {token} / {PASSWORD.upper()} is wrong")
    with FaultServer("smtp", "ssl", faults={"auth": echo}) as faulty:
        with session(faulty) as smtp:
            error = fail(smtp.login)
    shown = f"{error} {error!r} {error.reply!r} {error.args}"
    assert PASSWORD not in shown.lower()
    assert token not in shown
    assert "is wrong" in shown
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None


def test_introduction() -> None:
    with FaultServer("smtp", "none") as faulty:
        with session(faulty):
            [command] = [line for line in faulty.commands if line[:4].lower() == "ehlo"]
    assert command.split(" ")[1] == "[127.0.0.1]"


def test_facts() -> None:
    with FaultServer("smtp", "starttls") as faulty, session(faulty) as smtp:
        facts, tls_version = smtp.facts, smtp.tls_version
    assert tls_version == "TLSv1.3"
    assert facts.max_size == 10_000_000
    assert facts.smtputf8
    assert facts.auth == ("PLAIN", "LOGIN")
