"""Thunderbird's configuration files, those of honest people and others."""

import time

import pytest
from autoconfig_samples import EMAIL, GOOD, bomb, server

from mailkit.connection.settings import Protocol, Security
from mailkit.discovery import autoconfig
from mailkit.discovery.autoconfig import parse
from mailkit.discovery.found import Offer


def test_what_an_honest_file_says() -> None:
    assert parse(GOOD.encode(), EMAIL) == (
        Offer(Protocol.IMAP, "imap.brand-a.test", 993, Security.SSL, EMAIL, True, True),
        Offer(Protocol.POP3, "pop.brand-a.test", 110, Security.STARTTLS, "anna.k"),
        Offer(
            Protocol.SMTP, "smtp.brand-a.test", 587, Security.STARTTLS, "mail/anna.k"
        ),
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"hostname": "Mail.Brand-A.test"}, ("mail.brand-a.test", EMAIL)),
        ({"hostname": "пошта.укр"}, ("xn--80a1acn3a.xn--j1amh", EMAIL)),
        ({"username": "fixed"}, ("mail.brand-a.test", "fixed")),
        ({"username": ""}, ("mail.brand-a.test", "")),
        (
            {"username": "%EMAILLOCALPART%+%EMAILDOMAIN%"},
            ("mail.brand-a.test", "anna.k+brand-a.test"),
        ),
        ({"socketType": "ssl"}, ("mail.brand-a.test", EMAIL)),
        ({"authentication": "OAuth2"}, ("mail.brand-a.test", EMAIL)),
        ({"nonsense": "x"}, ("mail.brand-a.test", EMAIL)),
    ],
)
def test_taken(values: dict[str, str], expected: tuple[str, str]) -> None:
    [found] = parse(server(**values).encode(), EMAIL)
    assert (found.host, found.login) == expected


@pytest.mark.parametrize(
    "values",
    [
        {"socketType": "plain"},
        {"socketType": ""},
        {"socketType": "SSL2"},
        {"port": "0"},
        {"port": "65536"},
        {"port": "-465"},
        {"port": "4_65"},
        {"port": "٤٦٥"},
        {"port": "465.0"},
        {"port": ""},
        {"port": "9" * 5000},
        {"hostname": ""},
        {"hostname": "localhost"},
        {"hostname": "127.0.0.1"},
        {"hostname": "10.0.0.1"},
        {"hostname": "[::1]"},
        {"hostname": "2130706433"},
        {"hostname": "0x7f.1"},
        {"hostname": "mail.brand-a.test/evil"},
        {"hostname": "mail.brand-a.test\r\nX: y"},
        {"hostname": "a@b.test"},
        {"hostname": "%REALHOST%.test"},
        {"hostname": "a" * 900 + ".test"},
        {"username": "%REALNAME%"},
        {"username": "a\nb"},
        {"username": "a&#x202e;b"},
        {"username": "x" * 300},
        {"authentication": "NTLM"},
        {"authentication": "none"},
        {"authentication": "client-IP-address"},
    ],
    ids=str,
)
def test_left_out(values: dict[str, str]) -> None:
    assert parse(server(**values).encode(), EMAIL) == ()


@pytest.mark.parametrize("kind", ["exchange", "nntp", "", "SMTP2"])
def test_other_kinds_of_servers_are_left_out(kind: str) -> None:
    assert parse(server(kind).encode(), EMAIL) == ()


@pytest.mark.parametrize("kind", ["laughs", "quadratic", "file", "web", "parameter"])
def test_no_entities(kind: str) -> None:
    began = time.process_time()
    assert parse(bomb(kind).encode(), EMAIL) == ()
    assert time.process_time() - began < 1


HOSTILE = {
    "nothing": b"",
    "a page": b"<!DOCTYPE html><html><body>Not found</body></html>",
    "a page in XML": b'<html xmlns="http://www.w3.org/1999/xhtml"><body/></html>',
    "another root": server().replace("clientConfig", "config").encode(),
    "cut": GOOD.encode()[:400],
    "two roots": server().encode() * 2,
    "no XML": b"{}",
    "NUL": server().encode().replace(b"465", b"4\x0065"),
    "wrong UTF-8": server(hostname="caf\xe9.test").encode("latin-1"),
    "unknown encoding": b'<?xml version="1.0" encoding="x-nonsense"?>'
    + server().encode(),
    "UTF-7": b'<?xml version="1.0" encoding="utf-7"?>' + server().encode("utf-7"),
    "EBCDIC": ('<?xml version="1.0" encoding="cp037"?>' + server()).encode("cp037"),
    "deep": b"<clientConfig>" + b"<a>" * 9000 + b"</a>" * 9000 + b"</clientConfig>",
    "wide": b"<clientConfig>" + b"<a/>" * 20_000 + b"</clientConfig>",
    "5 MB": server(note="x" * 5_000_000).encode(),
    "doctype behind a comment": b"<!-- x --><!DOCTYPE clientConfig>"
    + server().encode(),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_configuration(name: str) -> None:
    began = time.process_time()
    assert parse(HOSTILE[name], EMAIL) == ()
    assert time.process_time() - began < 1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1", "windows-1251"])
def test_encodings(encoding: str) -> None:
    label = encoding.removesuffix("-sig")
    text = f'<?xml version="1.0" encoding="{label}"?>' + server(username="fixed")
    assert len(parse(text.encode(encoding), EMAIL)) == 1


def test_a_thousand_servers_are_cut() -> None:
    one = server().partition('id="x">')[2].partition("</emailProvider>")[0]
    text = server().replace(one, one * 400)
    assert len(text) < autoconfig.MOST
    assert len(parse(text.encode(), EMAIL)) <= 60


def test_long_texts_for_people_do_no_harm() -> None:
    text = GOOD.replace("Read me", "word " * 10_000)
    assert len(parse(text.encode(), EMAIL)) == 3


def test_a_name_space_is_passed_by() -> None:
    text = server().replace("<clientConfig", '<clientConfig xmlns="urn:x"')
    assert len(parse(text.encode(), EMAIL)) == 1
