"""Servers and credentials are checked when they are made."""

import pytest

from devtools.testbed.ca import TestCA
from mailkit.connection.settings import (
    Credentials,
    Protocol,
    Security,
    Server,
)
from mailkit.errors import MailError


@pytest.mark.parametrize(
    ("typed", "host"),
    [
        (" Smtp.Brand-A.test. ", "smtp.brand-a.test"),
        ("пошта.test", "xn--80a1acn3a.test"),
        ("[::1]", "::1"),
        ("192.0.2.7", "192.0.2.7"),
        ("mail_1.brand-a.test", "mail_1.brand-a.test"),
    ],
)
def test_host(typed: str, host: str) -> None:
    assert Server(Protocol.SMTP, typed, 465, Security.SSL).host == host


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"host": ""}, "host"),
        ({"host": "smtp.brand-a.test\r\nX"}, "host"),
        ({"host": "http://smtp.brand-a.test/"}, "host"),
        ({"host": "smtp.brand-a.test:465"}, "host"),
        ({"host": "smtp brand"}, "host"),
        ({"port": 0}, "port"),
        ({"port": 65536}, "port"),
        ({"timeout": 0}, "timeout"),
        ({"ca_pem": "nonsense"}, "ca_pem"),
    ],
)
def test_impossible_server(changed: dict[str, object], field: str) -> None:
    values = {"host": "smtp.brand-a.test", "port": 465, **changed}
    with pytest.raises(MailError) as caught:
        Server(protocol=Protocol.SMTP, security=Security.SSL, **values)  # type: ignore[arg-type]
    assert caught.value.field == field


def test_ca_is_accepted(tmp_path) -> None:  # type: ignore[no-untyped-def]
    pem = TestCA(tmp_path).pem
    server = Server(Protocol.IMAP, "mail.brand-a.test", 993, Security.SSL, ca_pem=pem)
    assert server.ca_pem == pem


@pytest.mark.parametrize("bad", ["a\rb", "a\nb", "a\0b", "a\ud800b"])
def test_credentials_that_would_break_a_command(bad: str) -> None:
    for field, values in (("login", (bad, "x")), ("password", ("x", bad))):
        with pytest.raises(MailError) as caught:
            Credentials(*values)
        assert caught.value.field == field
        assert bad not in str(caught.value)


def test_password_is_not_shown() -> None:
    assert "hunter2" not in repr(Credentials("anna", "hunter2"))
