"""Mail programs' sessions with the sandbox: the standard library's clients."""

import email.policy
import imaplib
import poplib
import smtplib
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest

from devtools.console import DevError
from devtools.sandbox import reply, show
from devtools.sandbox.accounts import APP_PASSWORD, FULL, NOBODY, PASSWORD, SECURE_LOGIN
from devtools.sandbox.maildir import list_mailboxes, messages
from devtools.sandbox.service import authority

ROOT = Path(__file__).resolve().parents[3]
ANNA = "anna@brand-a.test"
CLIENT = "client@customer.test"
HOST = "localhost"


@dataclass(frozen=True)
class Sandbox:
    folder: Path
    ports: dict[str, int]

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=authority(self.folder).pem)

    def smtp(self) -> smtplib.SMTP:
        smtp = smtplib.SMTP(HOST, self.ports["smtp_starttls"], timeout=5)
        smtp.starttls(context=self.trust)
        return smtp

    def smtps(self) -> smtplib.SMTP:
        port = self.ports["smtp_ssl"]
        return smtplib.SMTP_SSL(HOST, port, timeout=5, context=self.trust)

    def relay(self) -> smtplib.SMTP:
        return smtplib.SMTP(HOST, self.ports["relay"], timeout=5)

    def imap(self) -> imaplib.IMAP4:
        imap = imaplib.IMAP4(HOST, self.ports["imap_starttls"], timeout=5)
        imap.starttls(self.trust)
        return imap

    def imaps(self) -> imaplib.IMAP4:
        port = self.ports["imap_ssl"]
        return imaplib.IMAP4_SSL(HOST, port, ssl_context=self.trust, timeout=5)

    def pop(self) -> poplib.POP3:
        pop = poplib.POP3(HOST, self.ports["pop3_starttls"], timeout=5)
        pop.stls(self.trust)
        return pop

    def pops(self) -> poplib.POP3:
        port = self.ports["pop3_ssl"]
        return poplib.POP3_SSL(HOST, port, context=self.trust, timeout=5)


def start(folder: Path, base_port: int = 0) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "devtools.sandbox", "--folder", str(folder)]
        + ["--base-port", str(base_port)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def opened(process: "subprocess.Popen[str]") -> dict[str, int]:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("ready "):
            pairs = (word.split("=") for word in line.split()[1:])
            return {name: int(port) for name, port in pairs}
    raise AssertionError("the sandbox ended before it was ready")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("sandbox")
    process = start(folder)
    try:
        yield Sandbox(folder, opened(process))
    finally:
        process.terminate()
        process.communicate(timeout=5)


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    """With empty mailboxes."""
    for file in running.folder.glob("mail/*/[nc][eu][wr]/*"):
        file.unlink()
    return running


def letter(body: str = "Добрий день\n") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = ANNA, CLIENT, "Новини"
    message["Message-ID"] = "<1@brand-a.test>"
    message.set_content(body)
    message.add_attachment(b"%PDF-" * 9, "application", "pdf", filename="рахунок.pdf")
    return message


def wire(message: EmailMessage) -> bytes:
    return message.as_bytes(policy=email.policy.SMTP)


Smtp = Callable[[Sandbox], smtplib.SMTP]


@pytest.mark.parametrize("connect", [Sandbox.smtp, Sandbox.smtps])
def test_submitted_mail_arrives_whole(sandbox: Sandbox, connect: Smtp) -> None:
    with connect(sandbox) as smtp:
        smtp.login(ANNA, PASSWORD)
        smtp.send_message(letter())
    [mail] = messages(sandbox.folder, CLIENT)
    assert mail["Subject"] == "Новини"
    assert (mail["Return-Path"], mail["Delivered-To"]) == (f"<{ANNA}>", CLIENT)
    [attachment] = mail.iter_attachments()
    assert attachment.get_content() == b"%PDF-" * 9


def test_relay_wants_no_sign_in_and_makes_the_mailbox(sandbox: Sandbox) -> None:
    with sandbox.relay() as smtp:
        smtp.sendmail("", ["new.one@elsewhere.test"], wire(letter()))
    [mail] = messages(sandbox.folder, "new.one@elsewhere.test")
    assert mail["Return-Path"] == "<>"
    assert ("new.one@elsewhere.test", 1) in list_mailboxes(sandbox.folder)


def test_mailbox_with_another_address(sandbox: Sandbox) -> None:
    alias = "hello@brand-a.test"
    with sandbox.smtp() as smtp:
        smtp.login(ANNA, PASSWORD)
        smtp.sendmail(alias, [alias], wire(letter()))
    mail = messages(sandbox.folder, ANNA)[-1]
    assert (mail["Return-Path"], mail["Delivered-To"]) == (f"<{alias}>", alias)
    with sandbox.smtp() as smtp, pytest.raises(smtplib.SMTPAuthenticationError):
        smtp.login(alias, PASSWORD)


def test_sender_of_somebody_else_is_refused(sandbox: Sandbox) -> None:
    with sandbox.smtp() as smtp:
        smtp.login(ANNA, PASSWORD)
        code, text = smtp.mail("support@brand-a.test")
    assert code == 553
    assert b"5.7.1" in text and b"not owned by user anna@brand-a.test" in text


@pytest.mark.parametrize("connect", [Sandbox.smtp, Sandbox.smtps])
@pytest.mark.parametrize(
    ("login", "password", "code", "text"),
    [
        (ANNA, "wrong", 535, "5.7.8"),
        ("stranger@elsewhere.test", PASSWORD, 535, "5.7.8"),
        (SECURE_LOGIN, PASSWORD, 534, "Application-specific password required"),
    ],
)
def test_submission_refuses_sign_in(
    sandbox: Sandbox, connect: Smtp, login: str, password: str, code: int, text: str
) -> None:
    with connect(sandbox) as smtp:
        with pytest.raises(smtplib.SMTPAuthenticationError, match=text) as refused:
            smtp.login(login, password)
        assert refused.value.smtp_code == code
        assert smtp.mail(login)[0] == 530


def test_app_password_opens_everything(sandbox: Sandbox) -> None:
    with sandbox.smtps() as smtp:
        smtp.login(SECURE_LOGIN, APP_PASSWORD)
    sandbox.imaps().login(SECURE_LOGIN, APP_PASSWORD)
    pop = sandbox.pops()
    pop.user(SECURE_LOGIN)
    pop.pass_(APP_PASSWORD)
    with pytest.raises(imaplib.IMAP4.error, match="Application-specific password"):
        sandbox.imap().login(SECURE_LOGIN, PASSWORD)
    pop = sandbox.pop()
    pop.user(SECURE_LOGIN)
    with pytest.raises(poplib.error_proto, match="Application-specific password"):
        pop.pass_(PASSWORD)


def test_no_sign_in_without_encryption(sandbox: Sandbox) -> None:
    with smtplib.SMTP(HOST, sandbox.ports["smtp_starttls"], timeout=5) as smtp:
        smtp.ehlo()
        assert not smtp.has_extn("auth")
        assert smtp.docmd("AUTH PLAIN", "AGEAYg==")[0] == 530
        assert smtp.mail(ANNA)[0] == 530
    imap = imaplib.IMAP4(HOST, sandbox.ports["imap_starttls"], timeout=5)
    assert "LOGINDISABLED" in imap.capabilities
    with pytest.raises(imaplib.IMAP4.error):
        imap.login(ANNA, PASSWORD)
    pop = poplib.POP3(HOST, sandbox.ports["pop3_starttls"], timeout=5)
    with pytest.raises(poplib.error_proto, match="disallowed before STLS"):
        pop.user(ANNA)


@pytest.mark.parametrize(
    ("recipient", "answer"), [(NOBODY, (550, b"5.1.1")), (FULL, (452, b"4.2.2"))]
)
def test_refused_recipient_does_not_stop_the_others(
    sandbox: Sandbox, recipient: str, answer: tuple[int, bytes]
) -> None:
    with sandbox.smtp() as smtp:
        smtp.login(ANNA, PASSWORD)
        refused = smtp.sendmail(ANNA, [recipient, CLIENT], wire(letter()))
    code, text = refused[recipient]
    assert (code, text.split()[0]) == answer
    assert len(messages(sandbox.folder, CLIENT)) == 1


def test_size_beyond_the_limit_is_refused(sandbox: Sandbox) -> None:
    with sandbox.relay() as smtp:
        smtp.ehlo()
        too_much = int(smtp.esmtp_features["size"]) + 1
        assert smtp.mail(ANNA, [f"SIZE={too_much}"])[0] == 552


def fill(sandbox: Sandbox, *bodies: str) -> None:
    with sandbox.relay() as smtp:
        for body in bodies:
            smtp.sendmail(ANNA, [CLIENT], wire(letter(body)))


@pytest.mark.parametrize("connect", [Sandbox.imap, Sandbox.imaps])
def test_imap_examine_reads_and_leaves_unread(
    sandbox: Sandbox, connect: Callable[[Sandbox], imaplib.IMAP4]
) -> None:
    fill(sandbox, "one\n", "two\n")
    imap = connect(sandbox)
    imap.login(CLIENT, PASSWORD)
    assert imap.select("INBOX", readonly=True)[1] == [b"2"]
    uids = imap.uid("SEARCH", "ALL")[1][0].split()
    validity = imap.untagged_responses["UIDVALIDITY"]
    fields = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"
    _, data = imap.uid("FETCH", uids[0].decode(), f"({fields} RFC822.SIZE)")
    assert data[0][1] == b"Message-ID: <1@brand-a.test>\r\n\r\n"
    _, data = imap.uid("FETCH", f"{uids[1].decode()}:*", "(FLAGS BODY[])")
    assert b"\r\n\r\ntwo\r\n" in data[0][1]
    assert b"Seen" not in data[0][0] + data[1]
    _, data = imap.fetch("1", "(BODY.PEEK[TEXT]<0.10>)")
    assert len(data[0][1]) == 10
    with pytest.raises(imaplib.IMAP4.error, match="read-only"):
        imap.store("1", "+FLAGS", r"(\Seen)")
    for hit in ("HEADER Message-ID 1@brand-a", "SINCE 1-Jan-2020", f"FROM {ANNA}"):
        assert imap.uid("SEARCH", *hit.split())[1][0].split() == uids
    for miss in ("HEADER Message-ID 2@brand-a", "BEFORE 1-Jan-2020", "FROM bohdan"):
        assert imap.uid("SEARCH", *miss.split())[1] == [None]
    imap.logout()
    again = connect(sandbox)
    again.login(CLIENT, PASSWORD)
    assert b"UNSEEN 2" in again.status("INBOX", "(UNSEEN)")[1][0]
    again.select("INBOX", readonly=True)
    assert again.uid("SEARCH", "ALL")[1][0].split() == uids
    assert again.untagged_responses["UIDVALIDITY"] == validity


def test_imap_select_marks_as_read_and_sees_what_arrives(sandbox: Sandbox) -> None:
    fill(sandbox, "one\n")
    imap = sandbox.imap()
    imap.login(CLIENT, PASSWORD)
    imap.select("INBOX")
    imap.fetch("1", "(BODY[TEXT])")
    assert imap.search(None, "UNSEEN")[1] == [None]
    fill(sandbox, "two\n")
    imap.noop()
    assert imap.untagged_responses["EXISTS"][-1] == b"2"
    assert imap.search(None, "UNSEEN")[1] == [b"2"]
    imap.store("1", "+FLAGS", r"(\Deleted)")
    imap.expunge()
    [left] = messages(sandbox.folder, CLIENT)
    assert left.get_body().get_content() == "two\n"


@pytest.mark.parametrize("connect", [Sandbox.pop, Sandbox.pops])
def test_pop3_reads_by_uidl_and_top(
    sandbox: Sandbox, connect: Callable[[Sandbox], poplib.POP3]
) -> None:
    dots = "".join(f".line {number}\n" for number in range(5000))
    fill(sandbox, dots, "two\n")
    pop = connect(sandbox)
    assert {"UIDL", "TOP"} <= set(pop.capa())
    pop.user(CLIENT)
    pop.pass_(PASSWORD)
    assert pop.stat()[0] == 2
    identifiers = [line.split()[1] for line in pop.uidl()[1]]
    assert pop.uidl(2).split()[2] == identifiers[1]
    whole = b"\n".join(pop.top(1, 100_000)[1]).decode()
    assert dots in whole
    assert pop.retr(1)[1] == pop.top(1, 100_000)[1]
    assert pop.top(1, 0)[1][-1] == b""
    pop.dele(2)
    pop.quit()
    again = connect(sandbox)
    again.user(CLIENT)
    again.pass_(PASSWORD)
    assert [line.split()[1] for line in again.uidl()[1]] == identifiers[:1]


@pytest.mark.parametrize("user", [ANNA, NOBODY])
def test_reading_refuses_a_wrong_password(sandbox: Sandbox, user: str) -> None:
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        sandbox.imaps().login(user, "wrong")
    pop = sandbox.pops()
    pop.user(user)
    with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
        pop.pass_("wrong")


def test_mails_are_shown(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    fill(sandbox, "one\n", "Добрий вечір\n")
    show.main(sandbox.folder, [])
    listing = capsys.readouterr().out
    assert any(line.split() == [CLIENT, "2"] for line in listing.splitlines())
    show.main(sandbox.folder, [CLIENT])
    assert capsys.readouterr().out.count("Новини") == 2
    show.main(sandbox.folder, [CLIENT, "2"])
    shown = capsys.readouterr().out
    for expected in (f"<{ANNA}>", "Добрий вечір", "рахунок.pdf", "45 bytes"):
        assert expected in shown
    for wrong in ([CLIENT, "3"], [CLIENT, "x"], ["absent@brand-a.test"]):
        with pytest.raises(DevError, match="There is no"):
            show.main(sandbox.folder, wrong)


def test_a_mail_is_answered_by_its_receiver(sandbox: Sandbox) -> None:
    message = letter()
    message["Reply-To"] = f"Brand A <{ANNA}>"
    message["References"] = "<0@brand-a.test>"
    with sandbox.relay() as smtp:
        smtp.sendmail("bounce@corp.test", [CLIENT], wire(message))
    relay = sandbox.ports["relay"]
    reply.main(sandbox.folder, relay, [CLIENT, "1", "Дякую"])
    [answer] = messages(sandbox.folder, ANNA)
    assert answer["From"] == CLIENT
    assert answer["Return-Path"] == f"<{CLIENT}>"
    assert answer["Subject"] == "Re: Новини"
    assert answer["In-Reply-To"] == "<1@brand-a.test>"
    assert answer["References"].split() == ["<0@brand-a.test>", "<1@brand-a.test>"]
    body = answer.get_body(("plain",))
    assert body is not None
    assert "Дякую" in body.get_content() and "> Добрий день" in body.get_content()


def test_what_cannot_be_answered_is_told(sandbox: Sandbox) -> None:
    fill(sandbox, "one\n")
    for words, told in (
        ([CLIENT, "2", "Yes"], "There is no mail 2"),
        (["absent@brand-a.test", "1", "Yes"], "There is no mailbox"),
        ([CLIENT, "1"], "mail reply ADDRESS NUMBER"),
        ([CLIENT, "1", " "], "mail reply ADDRESS NUMBER"),
    ):
        with pytest.raises(DevError, match=told):
            reply.main(sandbox.folder, sandbox.ports["relay"], words)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(DevError, match="./dev run"):
            port = nobody.getsockname()[1]
            reply.main(sandbox.folder, port, [CLIENT, "1", "Yes"])


def test_taken_port_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start(tmp_path, port - 525)
        output, _ = process.communicate(timeout=10)
    assert process.returncode == 1
    assert f"Port {port} is taken" in output
    assert "Traceback" not in output
