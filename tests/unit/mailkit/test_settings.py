"""Addresses, servers and credentials are checked when they are made."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from devtools.testbed.ca import TestCA
from mailkit.connection.settings import (
    Credentials,
    Protocol,
    Security,
    Server,
    normalize_address,
    same_address,
)
from mailkit.errors import ErrorCode, MailError

atom = st.text("abcXYZ019!#$%&'*+-/=?^_`{|}~.йü", min_size=1, max_size=12)
label = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,8}[a-zA-Z0-9])?", fullmatch=True)
# A label like "ab--c" is kept for A-labels.
domain = st.lists(label.filter(lambda text: text[2:4] != "--"), min_size=1, max_size=4)


@given(atom, domain)
def test_normalized_address_is_stable_and_the_same(
    local: str, labels: list[str]
) -> None:
    typed = f"  {local}@{'.'.join(labels)} "
    address = normalize_address(typed)
    assert address == f"{local}@{'.'.join(labels).lower()}"
    assert normalize_address(address) == address
    assert same_address(typed.upper(), address) == (
        typed.upper().isascii() == address.isascii()
    )


@given(st.text(max_size=60))
@example("a@b.test\r\nRCPT TO:<c@d.test>")
@example("a@b.test>")
def test_result_can_be_put_into_a_command(text: str) -> None:
    try:
        address = normalize_address(text)
    except MailError as error:
        assert (error.code, error.field) == (ErrorCode.ADDRESS_INVALID, "email")
        return
    local, at, host = address.partition("@")
    assert at
    assert local
    assert host.isascii()
    assert not any(char in " <>,;\t\r\n\0" for char in address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "anna",
        "@brand-a.test",
        "anna@",
        "anna@@brand-a.test",
        "Anna <anna@brand-a.test>",
        "<anna@brand-a.test>",
        "anna@brand-a.test, bohdan@brand-b.test",
        "anna@brand-a.test;bohdan@brand-b.test",
        "an na@brand-a.test",
        "anna@brand-a.test\n",
        "anna@brand-a.test\r\nDATA",
        "anna\0@brand-a.test",
        "anna@[127.0.0.1]",
        '"anna b"@brand-a.test',
        "anna@brand..test",
        "anna@-brand.test",
        "anna@" + "a" * 64 + ".test",
        "a" * 65 + "@brand-a.test",
        "anna\u202e@brand-a.test",
        "anna@brand a.test",
    ],
)
def test_not_one_address(text: str) -> None:
    with pytest.raises(MailError) as caught:
        normalize_address(text)
    assert caught.value.code is ErrorCode.ADDRESS_INVALID


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("Anna@Brand-A.TEST", "Anna@brand-a.test"),
        ("анна@Пошта.test", "анна@xn--80a1acn3a.test"),
        ("x@straße.test", "x@xn--strae-oqa.test"),
        ("x@XN--80A1ACN3A.test", "x@xn--80a1acn3a.test"),
        ("o'brien+tag@brand-a.test", "o'brien+tag@brand-a.test"),
    ],
)
def test_address_is_normalized(typed: str, address: str) -> None:
    assert normalize_address(typed) == address


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("Anna@brand-a.test", "anna@BRAND-A.test ", True),
        ("anna@пошта.test", "anna@xn--80a1acn3a.test", True),
        ("Анна@brand-a.test", "анна@brand-a.test", True),
        ("anna@brand-a.test", "anna@brand-b.test", False),
        ("\N{KELVIN SIGN}im@brand-a.test", "kim@brand-a.test", False),
        ("nonsense", "nonsense", False),
    ],
)
def test_same_address(a: str, b: str, same: bool) -> None:
    assert same_address(a, b) is same


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
