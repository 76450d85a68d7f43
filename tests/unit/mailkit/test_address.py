"""The forms of one address."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailkit.message.address import Address

atom = st.text("abcXYZ019!#$%&'*+-/=?^_`{|}~.йü", min_size=1, max_size=12)
label = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,8}[a-zA-Z0-9])?", fullmatch=True)
# A label like "ab--c" is kept for A-labels.
domain = st.lists(label.filter(lambda text: text[2:4] != "--"), min_size=1, max_size=4)


@given(atom, domain)
def test_normalized_address_is_stable_and_the_same(
    local: str, labels: list[str]
) -> None:
    typed = f"  {local}@{'.'.join(labels)} "
    address = Address(typed).envelope
    assert address == f"{local}@{'.'.join(labels).lower()}"
    assert Address(address).envelope == address
    assert Address(typed.upper()).is_same(Address(address)) == (
        typed.upper().isascii() == address.isascii()
    )


@given(st.text(max_size=60))
@example("a@b.test\r\nRCPT TO:<c@d.test>")
@example("a@b.test>")
def test_result_can_be_put_into_a_command(text: str) -> None:
    address = Address(text).envelope
    if not address:
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
    assert Address(text).envelope == ""


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
    assert Address(typed).envelope == address


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("Anna@brand-a.test", "anna@BRAND-A.test ", True),
        ("anna@пошта.test", "anna@xn--80a1acn3a.test", True),
        ("Анна@brand-a.test", "анна@brand-a.test", True),
        ("anna@brand-a.test", "anna@brand-b.test", False),
        ("\N{KELVIN SIGN}im@brand-a.test", "kim@brand-a.test", False),
        ("nonsense", "nonsense", False),
        # Domains as some program takes them
        ("anna@brand-a.test.", "anna@brand-a\u3002test", True),
        ("anna@br\u00adand-a.test", "anna@brand\uff0da\uff61test", True),
    ],
)
def test_same_address(a: str, b: str, same: bool) -> None:
    assert Address(a).is_same(Address(b)) is same


@pytest.mark.parametrize(
    ("email", "mailbox"),
    [
        ("Anna+news@Brand-A.test", "anna@brand-a.test"),
        ("anna@GoogleMail.com", "anna@gmail.com"),
        ("+anna@brand-a.test", "+anna@brand-a.test"),
        ("nonsense", ""),
    ],
)
def test_addresses_of_one_mailbox(email: str, mailbox: str) -> None:
    assert Address(email).mailbox == mailbox
    assert Address.of(None).mailbox == ""
