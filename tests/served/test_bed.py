"""The test bed is real: Postfix and Dovecot do here what they do elsewhere."""

import base64
import email.policy
import imaplib
import os
import poplib
import signal
import smtplib
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import pytest

from devtools.testbed.bed import TestBed

ANNA = "anna@brand-a.test"
CLIENT = "client@customer.test"


@pytest.fixture(autouse=True)
def _empty_mailboxes(bed: TestBed) -> None:
    bed.clear()


@pytest.fixture
def trust(bed: TestBed) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=bed.ca_pem)


def letter(subject: str = "Hello") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = ANNA, CLIENT, subject
    message["Message-ID"] = f"<{time.time_ns()}@brand-a.test>"
    message.set_content("Добрий день")
    message.add_attachment(b"\0\1\2" * 100, "application", "x", filename="звіт.bin")
    return message


def wire(message: EmailMessage) -> bytes:
    return message.as_bytes(policy=email.policy.SMTP)


def starttls(bed: TestBed, trust: ssl.SSLContext) -> smtplib.SMTP:
    smtp = smtplib.SMTP(bed.host, bed.smtp_starttls, timeout=10)
    smtp.starttls(context=trust)
    return smtp


def over_tls(bed: TestBed, trust: ssl.SSLContext) -> smtplib.SMTP:
    return smtplib.SMTP_SSL(bed.host, bed.smtp_ssl, timeout=10, context=trust)


Connect = Callable[[TestBed, ssl.SSLContext], smtplib.SMTP]


@pytest.mark.parametrize("connect", [starttls, over_tls])
def test_submission_delivers_a_whole_mail(
    bed: TestBed, trust: ssl.SSLContext, connect: Connect
) -> None:
    with connect(bed, trust) as smtp:
        smtp.login(ANNA, bed.password(ANNA))
        smtp.send_message(letter("Звіт"))
    [mail] = bed.wait_for(CLIENT, 1)
    assert mail.message["Subject"] == "Звіт"
    assert (mail.envelope_from, mail.delivered_to) == (ANNA, CLIENT)
    [attachment] = mail.message.iter_attachments()
    assert attachment.get_filename() == "звіт.bin"
    assert attachment.get_content() == b"\0\1\2" * 100


@pytest.mark.parametrize("connect", [starttls, over_tls])
def test_sender_of_somebody_else_is_refused(
    bed: TestBed, trust: ssl.SSLContext, connect: Connect
) -> None:
    with connect(bed, trust) as smtp:
        smtp.login(ANNA, bed.password(ANNA))
        smtp.mail("support@brand-a.test")
        code, text = smtp.rcpt(CLIENT)
    assert code == 553
    assert b"5.7.1" in text and b"not owned by user" in text


def test_wrong_password_is_refused(bed: TestBed, trust: ssl.SSLContext) -> None:
    with (
        over_tls(bed, trust) as smtp,
        pytest.raises(smtplib.SMTPAuthenticationError, match=r"535.*5\.7\.8"),
    ):
        smtp.login(ANNA, "wrong")


def test_no_sign_in_before_starttls(bed: TestBed) -> None:
    with smtplib.SMTP(bed.host, bed.smtp_starttls, timeout=10) as smtp:
        smtp.ehlo()
        assert not smtp.has_extn("auth")
        assert smtp.mail(ANNA)[0] == 530
    with imaplib.IMAP4(bed.distant_host, bed.imap_starttls, timeout=10) as imap:
        assert "LOGINDISABLED" in imap.capabilities
        with pytest.raises(imaplib.IMAP4.error, match="PRIVACYREQUIRED"):
            imap.login(ANNA, bed.password(ANNA))
    pop = poplib.POP3(bed.distant_host, bed.pop3_starttls, timeout=10)
    with pytest.raises(poplib.error_proto, match="disallowed|disabled"):
        pop.user(ANNA)
    pop.close()


def test_submission_without_sign_in_is_refused(
    bed: TestBed, trust: ssl.SSLContext
) -> None:
    with starttls(bed, trust) as smtp:
        smtp.ehlo()
        smtp.mail(ANNA)
        assert smtp.rcpt(CLIENT)[0] == 554


def test_certificate_is_not_trusted_without_the_ca(bed: TestBed) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        smtplib.SMTP_SSL(
            bed.host, bed.smtp_ssl, timeout=10, context=ssl.create_default_context()
        )


@pytest.mark.parametrize(
    ("recipient", "code", "enhanced"),
    [
        ("refused@customer.test", 550, b"5.7.1"),
        ("busy@customer.test", 451, b"4.3.0"),
        ("unknown-person@customer.test", 550, b"5.1.1"),
        ("somebody@elsewhere.test", 554, b"5.7.1"),
    ],
)
def test_one_refused_recipient_leaves_the_session_usable(
    bed: TestBed, trust: ssl.SSLContext, recipient: str, code: int, enhanced: bytes
) -> None:
    with starttls(bed, trust) as smtp:
        smtp.login(ANNA, bed.password(ANNA))
        smtp.mail(ANNA)
        answer = smtp.rcpt(recipient)
        smtp.rset()
        smtp.send_message(letter())
    assert answer[0] == code
    assert answer[1].startswith(enhanced)
    assert len(bed.wait_for(CLIENT, 1)) == 1


def test_mailbox_and_refusal_made_while_it_runs(
    bed: TestBed, trust: ssl.SSLContext
) -> None:
    new = "new-person@brand-b.test"
    bed.add_mailbox(new, "ключ:з:двокрапками", login="personal-login")
    bed.set_recipient_refusal(CLIENT, "552 5.2.2 The mailbox is full")
    try:
        with starttls(bed, trust) as smtp:
            smtp.ehlo()
            secret = "\0personal-login\0ключ:з:двокрапками"
            smtp.docmd("AUTH PLAIN", base64.b64encode(secret.encode()).decode())
            smtp.mail(new)
            code, text = smtp.rcpt(CLIENT)
            smtp.rset()
            smtp.sendmail(new, ["second@customer.test", new], wire(letter()))
    finally:
        bed.set_recipient_refusal(CLIENT, None)
    assert (code, text.split()[0]) == (552, b"5.2.2")
    assert bed.wait_for("second@customer.test", 1)[0].envelope_from == new
    assert len(bed.wait_for(new, 1)) == 1


def test_smtputf8_and_international_domain(bed: TestBed, trust: ssl.SSLContext) -> None:
    bed.add_mailbox("олена@brand-a.test")
    with starttls(bed, trust) as smtp:
        smtp.login(ANNA, bed.password(ANNA))
        options = ["SMTPUTF8", "BODY=8BITMIME"]
        smtp.sendmail(ANNA, ["олена@brand-a.test"], wire(letter()), options)
        smtp.sendmail(ANNA, ["anna@xn--80a1acny.test"], wire(letter()), options)
    assert len(bed.wait_for("олена@brand-a.test", 1)) == 1
    assert len(bed.wait_for("anna@xn--80a1acny.test", 1)) == 1


def read_imap(imap: imaplib.IMAP4, bed: TestBed) -> bytes:
    imap.login(CLIENT, bed.password(CLIENT))
    imap.select("INBOX", readonly=True)
    assert imap.untagged_responses["UIDVALIDITY"]
    _, data = imap.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")
    part = data[0]
    assert isinstance(part, tuple)
    imap.logout()
    return part[1]


def read_pop(pop: poplib.POP3, bed: TestBed) -> bytes:
    assert "UIDL" in pop.capa()
    pop.user(CLIENT)
    pop.pass_(bed.password(CLIENT))
    assert len(pop.uidl()[1]) == 1
    content = b"\r\n".join(pop.top(1, 10_000)[1])
    pop.quit()
    return content


def test_mail_is_read_in_all_four_ways_and_stays_unread(
    bed: TestBed, trust: ssl.SSLContext
) -> None:
    bed.deliver(ANNA, CLIENT, letter("Read me"))
    bed.wait_for(CLIENT, 1)
    imap = imaplib.IMAP4(bed.host, bed.imap_starttls, timeout=10)
    imap.starttls(trust)
    imaps = imaplib.IMAP4_SSL(bed.host, bed.imap_ssl, ssl_context=trust, timeout=10)
    pop = poplib.POP3(bed.host, bed.pop3_starttls, timeout=10)
    pop.stls(trust)
    pops = poplib.POP3_SSL(bed.host, bed.pop3_ssl, context=trust, timeout=10)
    for content in (
        read_imap(imap, bed),
        read_imap(imaps, bed),
        read_pop(pop, bed),
        read_pop(pops, bed),
    ):
        assert b"Subject: Read me" in content
    [mail] = bed.messages(CLIENT)
    assert not mail.seen


RUN = """
import sys
from pathlib import Path
from devtools.testbed.bed import TestBed
bed = TestBed(Path(sys.argv[1])).start()
print(bed.relay, flush=True)
sys.stdin.read()
"""


def processes_of(runtime: str) -> list[str]:
    listing = subprocess.run(
        ["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True
    )
    return [line for line in listing.stdout.splitlines() if runtime in line]


def test_killed_run_leaves_nothing_running_and_can_start_again(tmp_path: Path) -> None:
    """Its own bed, so that the session's stays."""
    if reason := TestBed.missing():
        pytest.skip(reason)
    root = Path(__file__).resolve().parents[2]
    child = subprocess.Popen(
        [sys.executable, "-c", RUN, str(tmp_path)],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert int(child.stdout.readline()) > 0
    runtime = os.readlink(tmp_path / "runtime")
    assert processes_of(runtime)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    deadline = time.monotonic() + 10
    while processes_of(runtime) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes_of(runtime) == []
    with TestBed(tmp_path) as again:
        again.deliver(ANNA, CLIENT, letter())
        again.wait_for(CLIENT, 1)
    assert not Path(runtime).exists()
