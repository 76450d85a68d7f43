"""The connect window against faulty servers, and against Postfix and Dovecot."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import steps
from site_setup import Site, allow_private_hosts
from steps import Window
from window_cases import CASES, SLOW_CASES, WORDS, Case

from devtools.rpc import OdooClient
from devtools.testbed.bed import PASSWORD
from devtools.testbed.faults import FaultServer

ANNA = "anna@brand-a.test"
BOHDAN = "bohdan@brand-b.test"
CHECK_SECONDS = 10


@pytest.fixture
def window(clean: Site) -> Iterator[Window]:
    """Bohdan's window for his address, filled in by the preset of his domain."""
    steps.forget_tests(clean.odoo)
    yield filled_in(clean)


def filled_in(site: Site, client: OdooClient | None = None) -> Window:
    opened = Window(client or site.bohdan)
    opened.type_address(BOHDAN)
    return opened


def incoming(site: Site, protocol: str) -> dict[str, Any]:
    """The settings of the bed's IMAP or POP3."""
    return {
        "receive_replies": True,
        "incoming_protocol": protocol,
        "incoming_host": site.bed.host,
        "incoming_port": getattr(site.bed, f"{protocol}_ssl"),
        "incoming_security": "ssl",
        "incoming_login": BOHDAN,
    }


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def failed_line(window: Window, step: str, kind: str) -> dict[str, Any]:
    """Test; the line of ``step`` has to fail, in time, with cause and remedy."""
    lines = []
    for each in window.steps():
        started = time.monotonic()
        lines.append(window.check(each))
        assert time.monotonic() - started <= CHECK_SECONDS + 1
        if not lines[-1]["ok"]:
            break
    *passed, failed = lines
    assert (failed["step"], failed["ok"]) == (step, False), failed
    assert all(line["ok"] for line in passed)
    cause, remedy = WORDS[kind]
    assert cause in failed["cause"], failed
    assert remedy in failed["remedy"], failed
    return failed


def nothing_is_saved(site: Site, window: Window) -> None:
    """The server refuses to save, whatever the screen shows."""
    error = steps.refusal(window.press, "action_save")
    assert "Nothing was saved" in str(error)
    assert not window.read()["tested_ok"]
    for model in (steps.ACCOUNT, steps.ADDRESS):
        everything = {"active_test": False}
        assert site.admin.call(model, "search_count", [], context=everything) == 0


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_right_line_fails_with_cause_and_remedy(
    clean: Site, window: Window, case: Case
) -> None:
    fails_as_it_should(clean, window, case)


def test_slow_servers_fail_in_time_with_cause_and_remedy(clean: Site) -> None:
    """At once, each for a user of their own: none waits for another one's server."""
    steps.forget_tests(clean.odoo)
    users = (clean.bohdan, clean.anna, clean.odoo.rpc("olena"))
    windows = [filled_in(clean, user) for user in users]
    sites = [clean] * len(windows)
    with ThreadPoolExecutor(len(windows)) as pool:
        list(pool.map(fails_as_it_should, sites, windows, SLOW_CASES))


def fails_as_it_should(site: Site, window: Window, case: Case) -> None:
    with case.server() as server:
        prefix = "smtp" if case.protocol == "smtp" else "incoming"
        settings = {} if prefix == "smtp" else incoming(site, case.protocol)
        settings.update(steps.at(server, prefix))
        settings["ca_certificate"] = f"{site.bed.ca_pem}\n{server.ca_pem}"
        settings[f"{prefix}_security"] = case.chosen or case.security
        window.enter(password=PASSWORD, **settings)
        line = failed_line(window, case.step, case.kind)
        assert case.reply in line["reply"]
        assert PASSWORD not in str(line)
        nothing_is_saved(site, window)


@pytest.mark.parametrize("protocol", ["smtp", "imap", "pop3"])
def test_closed_port(clean: Site, window: Window, protocol: str) -> None:
    prefix = "smtp" if protocol == "smtp" else "incoming"
    settings = {} if prefix == "smtp" else incoming(clean, protocol)
    settings[f"{prefix}_port"] = closed_port()
    window.enter(password=PASSWORD, **settings)
    failed_line(window, f"{prefix}_port", "port_refused")
    nothing_is_saved(clean, window)


@pytest.mark.parametrize("protocol", ["smtp", "imap", "pop3"])
def test_unknown_host(clean: Site, window: Window, protocol: str) -> None:
    prefix = "smtp" if protocol == "smtp" else "incoming"
    settings = {} if prefix == "smtp" else incoming(clean, protocol)
    settings[f"{prefix}_host"] = "mail.no-such-name.invalid"
    window.enter(password=PASSWORD, **settings)
    failed_line(window, f"{prefix}_host", "host_not_found")
    nothing_is_saved(clean, window)


def test_wrong_password_at_postfix(clean: Site, window: Window) -> None:
    window.enter(password="wrong, at Postfix")
    line = failed_line(window, "smtp_login", "login_refused")
    assert "535 5.7.8" in line["reply"]
    nothing_is_saved(clean, window)


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_wrong_password_at_dovecot(clean: Site, window: Window, protocol: str) -> None:
    window.enter(
        password=PASSWORD,
        incoming_password="wrong, at Dovecot",
        **incoming(clean, protocol),
    )
    failed_line(window, "incoming_login", "login_refused")
    nothing_is_saved(clean, window)


def test_address_of_somebody_else_at_postfix(clean: Site, window: Window) -> None:
    window.enter(password=PASSWORD, smtp_login=ANNA)
    line = failed_line(window, "smtp_sender", "sender_refused")
    assert "not owned by user" in line["reply"]
    nothing_is_saved(clean, window)


def test_without_the_authority_the_beds_certificate_is_refused(
    clean: Site, window: Window
) -> None:
    window.enter(password=PASSWORD, ca_certificate=False)
    failed_line(window, "smtp_port", "cert_untrusted")
    nothing_is_saved(clean, window)


@pytest.mark.parametrize("protocol", ["none", "imap", "pop3"])
@pytest.mark.parametrize("security", ["ssl", "starttls"])
def test_right_settings_pass_and_are_saved(
    clean: Site, window: Window, protocol: str, security: str
) -> None:
    bed = clean.bed
    settings = {**steps.SEND_ONLY}
    if protocol != "none":
        settings = incoming(clean, protocol)
    if security == "starttls":
        settings["smtp_port"] = bed.smtp_starttls
        settings["smtp_security"] = "starttls"
        if protocol != "none":
            settings["incoming_port"] = getattr(bed, f"{protocol}_starttls")
            settings["incoming_security"] = "starttls"
    window.enter(password=PASSWORD, **settings)
    lines = window.test()
    assert [line["step"] for line in lines] == window.steps()
    assert all(line["ok"] for line in lines)
    assert "TLSv1.3, certificate valid" in lines[1]["label"]
    assert window.read()["tested_ok"]
    if security == "starttls":
        # another port than the preset's: who signs in there proves nothing
        assert not window.read()["proof"]
        assert "not shown yet" in str(steps.refusal(window.press, "action_save"))
    else:
        address_id = window.save()
        names = ["state", "proof", "account_id"]
        [row] = clean.bohdan.call(steps.ADDRESS, "read", [address_id], names)
        assert (row["state"], row["proof"]) == ("working", "provider")
        [account] = clean.bohdan.call(
            steps.ACCOUNT, "read", [row["account_id"][0]], ["incoming_protocol"]
        )
        assert account["incoming_protocol"] == protocol


def test_ordinary_users_cannot_reach_internal_hosts(
    clean: Site, window: Window
) -> None:
    allow_private_hosts(clean.admin, False)
    try:
        with FaultServer("smtp", "ssl") as server:
            for host in ("localhost", "127.0.0.1", "::1", "2130706433", "0"):
                window.enter(
                    **{**steps.at(server), "smtp_host": host}, password=PASSWORD
                )
                window.enter(allow_private_host=True)
                for step in window.steps():
                    line = window.check(step)
                    assert not line["ok"], line
                assert server.connections == 0, host
            window.enter(smtp_host="localhost")
            failed_line(window, "smtp_host", "host_private")
            nothing_is_saved(clean, window)
            mine = Window(clean.admin, default_is_company=True)
            mine.type_address("info@brand-c.test")
            mine.enter(**steps.at(server), smtp_login="info", password=PASSWORD)
            assert mine.test()[-1]["ok"], "managers may"
    finally:
        allow_private_hosts(clean.admin, True)


def test_tests_are_limited_also_for_who_closes_the_window(clean: Site) -> None:
    steps.forget_tests(clean.odoo)
    tried = 0
    try:
        for _ in range(14):
            window = Window(clean.bohdan)
            window.type_address(BOHDAN)
            window.enter(smtp_host="127.0.0.1")
            for _ in range(10):
                window.check("smtp_host")
                tried += 1
            clean.bohdan.call(steps.WINDOW, "unlink", [window.id])
    except steps.OdooRpcError as error:
        assert "Too many tests" in str(error)
        assert "Wait ten minutes" in str(error)
    assert tried == 120
    other = Window(clean.anna)
    other.type_address(ANNA)
    other.enter(password=PASSWORD)
    assert other.check("smtp_host")["ok"], "others may still test"
    steps.forget_tests(clean.odoo)
