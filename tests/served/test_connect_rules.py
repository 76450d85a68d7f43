"""What the connect window refuses over RPC, whatever a screen would offer."""

from collections.abc import Iterator
from typing import Any

import pytest
import steps
from site_setup import Site
from steps import Window, refusal
from window_cases import WORDS

from devtools.testbed.bed import PASSWORD
from devtools.testbed.ca import TestCA
from devtools.testbed.faults import FaultServer

ANNA = "anna@brand-a.test"
BOHDAN = "bohdan@brand-b.test"
ELSEWHERE = "second@customer.test"
INFO = "info@brand-c.test"


@pytest.fixture(autouse=True)
def _fresh_limit(clean: Site) -> Iterator[None]:
    steps.forget_tests(clean.odoo)
    yield
    steps.forget_tests(clean.odoo)


def opened(site: Site, **values: Any) -> Window:
    """Bohdan's window with all that is needed, tested."""
    window = Window(site.bohdan)
    window.type_address(BOHDAN)
    window.enter(password=PASSWORD, **values)
    assert window.test()[-1]["ok"]
    return window


def count(site: Site) -> int:
    everything = {"active_test": False}
    return int(site.admin.call(steps.ADDRESS, "search_count", [], context=everything))


# The stored password goes only where it was entered for


def needs_password(window: Window) -> None:
    """Every line with a sign-in says that the password is needed."""
    cause, remedy = WORDS["secret_needed"]
    for step in ("smtp_login", "smtp_sender"):
        line = window.check(step)
        assert not line["ok"]
        assert cause in line["cause"] and remedy in line["remedy"], line
    assert window.read()["needs_password"]
    assert "Nothing was saved" in str(refusal(window.press, "action_save"))


def test_stored_password_is_not_sent_to_another_server(clean: Site) -> None:
    address = steps.connect(clean.anna, ANNA)
    with FaultServer("smtp", "ssl") as server:
        authorities = f"{clean.bed.ca_pem}\n{server.ca_pem}"
        for host, port in (("127.0.0.1", server.port), ("localhost", server.port)):
            window = Window(clean.anna, default_address_id=address)
            window.enter(smtp_host=host, smtp_port=port, ca_certificate=authorities)
            assert window.check("smtp_port")["ok"]
            needs_password(window)
        assert server.logins == []
        assert not any("AUTH" in command for command in server.commands)


@pytest.mark.parametrize(
    "name", ["nothing", "host", "login", "security", "ca_certificate", "company"]
)
def test_stored_password_is_used_with_unchanged_settings_only(
    clean: Site, name: str, tmp_path: Any
) -> None:
    with FaultServer("smtp", "ssl") as server:
        address = steps.connect_to(clean.admin, server, INFO)
        received = len(server.logins)
        window = Window(clean.admin, default_address_id=address)
        another = f"{server.ca_pem}\n{TestCA(tmp_path).pem}"
        window.enter(
            **{
                "nothing": {},
                "host": {"smtp_host": "127.0.0.1"},
                "login": {"smtp_login": "somebody-else"},
                "security": {"smtp_security": "starttls"},
                "ca_certificate": {"ca_certificate": another},
                "company": {"is_company": False, "user_id": clean.anna.uid},
            }[name]
        )
        if name == "nothing":
            assert window.test()[-1]["ok"]
            assert server.logins[received:] == [(INFO, PASSWORD)] * 2
            assert window.save() == address
        else:
            needs_password(window)
            assert len(server.logins) == received


def test_stored_incoming_password_is_not_sent_to_another_server(clean: Site) -> None:
    bed = clean.bed
    settings = {
        "incoming_protocol": "imap",
        "incoming_host": bed.host,
        "incoming_port": bed.imap_ssl,
        "incoming_security": "ssl",
        "incoming_login": ANNA,
    }
    address = steps.connect(clean.anna, ANNA, **settings)
    with FaultServer("imap", "ssl") as server:
        window = Window(clean.anna, default_address_id=address)
        authorities = f"{bed.ca_pem}\n{server.ca_pem}"
        window.enter(incoming_port=server.port, ca_certificate=authorities)
        assert window.check("incoming_port")["ok"]
        for step in ("incoming_login", "incoming_listing"):
            line = window.check(step)
            assert WORDS["secret_needed"][0] in line["cause"], line
        assert server.logins == []


def test_new_settings_replace_the_old_ones_only_after_they_passed(clean: Site) -> None:
    address = steps.connect(clean.anna, ANNA)
    window = Window(clean.anna, default_address_id=address)
    window.enter(smtp_port=clean.bed.smtp_starttls, smtp_security="starttls")
    window.enter(password="mistyped-7Kv")
    assert not window.test()[-1]["ok"]
    refusal(window.press, "action_save")
    names = ["state", "smtp_port", "smtp_security"]
    read = (steps.ACCOUNT, "read", [steps.account_of(clean.odoo, address)], names)
    [row] = clean.anna.call(*read)
    assert (row["smtp_port"], row["state"]) == (clean.bed.smtp_ssl, "working")
    window.enter(password=PASSWORD)
    assert window.test()[-1]["ok"]
    assert window.save() == address
    [row] = clean.anna.call(*read)
    assert row["smtp_port"] == clean.bed.smtp_starttls


# Nothing untested


def test_connection_fields_cannot_be_written_directly(clean: Site) -> None:
    address = steps.connect(clean.anna, ANNA)
    account = steps.account_of(clean.odoo, address)
    bohdans = steps.account_of(clean.odoo, steps.connect(clean.bohdan, BOHDAN))

    def stored() -> list[Any]:
        return [
            clean.admin.call(model, "read", [record])
            for model, record in ((steps.ACCOUNT, account), (steps.ADDRESS, address))
        ]

    before = stored()
    for model, record, values in (
        (steps.ACCOUNT, account, {"smtp_host": "mail.elsewhere.test"}),
        (steps.ACCOUNT, account, {"smtp_port": 25}),
        (steps.ACCOUNT, account, {"smtp_security": "none"}),
        (steps.ACCOUNT, account, {"smtp_login": "somebody"}),
        (steps.ACCOUNT, account, {"ca_certificate": False}),
        (steps.ACCOUNT, account, {"user_id": clean.bohdan.uid}),
        (steps.ACCOUNT, account, {"company_id": 1}),
        (steps.ACCOUNT, account, {"state": "working"}),
        (steps.ACCOUNT, account, {"allow_private_host": True}),
        (steps.ACCOUNT, account, {"failure_code": False}),
        (steps.ACCOUNT, account, {"address_ids": [(1, address, {"email": "x@y.z"})]}),
        (steps.ACCOUNT, bohdans, {"address_ids": [(4, address)]}),
        (steps.ADDRESS, address, {"account_id": bohdans}),
        (steps.ADDRESS, address, {"email": "ceo@brand-a.test"}),
        (steps.ADDRESS, address, {"user_id": clean.bohdan.uid}),
        (steps.ADDRESS, address, {"company_id": 1}),
        (steps.ADDRESS, address, {"state": "working"}),
        (steps.ADDRESS, address, {"proof": "manager"}),
        (steps.ADDRESS, address, {"failure_code": False}),
        (steps.ADDRESS, address, {"receive_replies": True}),
    ):
        for client in (clean.anna, clean.bohdan, clean.admin):
            for method, more in (("write", ()), ("web_save", ({},))):
                error = refusal(client.call, model, method, [record], values, *more)
                assert "AccessError" in error.name, values
        assert stored() == before, values


def test_working_account_cannot_be_created_directly(clean: Site) -> None:
    values = {
        "user_id": clean.anna.uid,
        "smtp_host": "localhost",
        "smtp_port": clean.bed.smtp_ssl,
        "smtp_security": "ssl",
        "state": "working",
    }
    for client in (clean.anna, clean.admin):
        refusal(client.call, steps.ACCOUNT, "create", [values])
        refusal(client.call, steps.ACCOUNT, "web_save", [], values, {})
    foreign = {"user_id": clean.bohdan.uid}
    refusal(clean.anna.call, steps.ACCOUNT, "create", [foreign])
    address = steps.connect(clean.bohdan, BOHDAN)
    for account in (False, steps.account_of(clean.odoo, address)):
        values = {"email": ANNA, "account_id": account}
        for client in (clean.anna, clean.bohdan, clean.admin):
            refusal(client.call, steps.ADDRESS, "create", [values])
            refusal(client.call, steps.ADDRESS, "web_save", [], values, {})
            defaults = {f"default_{name}": value for name, value in values.items()}
            refusal(client.call, steps.ADDRESS, "create", [{}], context=defaults)
    assert count(clean) == 1


def test_results_and_proofs_cannot_be_written(clean: Site) -> None:
    window = Window(clean.bohdan)
    window.type_address(BOHDAN)
    window.enter(password=PASSWORD)
    for name, value in {
        "proof_token": "x",
        "code_hash": "x",
        "code_tries": -1000,
        "code_expires": "2099-01-01 00:00:00",
        "password_sealed": "x",
        "incoming_password_sealed": "x",
    }.items():
        for method in ("write", "web_save"):
            error = refusal(
                window.client.call,
                steps.WINDOW,
                method,
                [window.id],
                {name: value},
                *([{}] if method == "web_save" else []),
            )
            assert "AccessError" in error.name, name
        refusal(window.client.call, steps.WINDOW, "read", [window.id], [name])
        refusal(window.client.call, steps.WINDOW, "search", [(name, "!=", False)])
    checks = f"{steps.WINDOW}.check"
    passed = {"wizard_id": window.id, "step": "smtp_login", "ok": True}
    for client in (clean.bohdan, clean.admin):
        refusal(client.call, checks, "create", [{**passed, "fingerprint": "x"}])
    line = window.check("smtp_host")
    assert line["ok"]
    [own] = clean.bohdan.call(checks, "search", [("wizard_id", "=", window.id)])
    refusal(clean.bohdan.call, checks, "write", [own], {"step": "smtp_login"})
    refusal(clean.bohdan.call, checks, "read", [own], ["fingerprint"])
    # what is only computed may be sent along, and changes nothing
    window.enter(tested_ok=True, proof="manager")
    assert "Nothing was saved" in str(refusal(window.press, "action_save"))
    assert count(clean) == 0


@pytest.mark.parametrize(
    "values",
    [
        {"smtp_host": "127.0.0.1"},
        {"smtp_port": 25},
        {"smtp_security": "starttls"},
        {"smtp_login": ANNA},
        {"email": ANNA},
        {"password": "never-tested-8Qx"},
        {"incoming_protocol": "pop3"},
        {"receive_replies": False},
        {"ca_certificate": False},
    ],
    ids=lambda values: next(iter(values)),
)
def test_what_changes_after_the_test_is_not_saved(
    clean: Site, values: dict[str, Any]
) -> None:
    window = opened(clean)
    assert window.read()["tested_ok"]
    window.enter(**values)
    assert not window.read()["tested_ok"]
    error = refusal(window.press, "action_save")
    assert "Nothing was saved" in str(error)
    assert count(clean) == 0


def test_one_step_left_out_is_not_enough(clean: Site) -> None:
    window = Window(clean.bohdan)
    window.type_address(BOHDAN)
    window.enter(password=PASSWORD)
    refusal(window.press, "action_save")
    *early, last = window.steps()
    for step in early:
        assert window.check(step)["ok"]
    assert "IMAP: list of messages" in str(refusal(window.press, "action_save"))
    assert window.check(last)["ok"]
    window.save()
    assert count(clean) == 1


def test_window_of_another_user_is_closed(clean: Site) -> None:
    window = opened(clean)
    for client in (clean.anna, clean.admin):
        other = Window(client)
        other.id = window.id
        for action in ("action_save", "action_keep_draft", "action_send_code"):
            refusal(other.press, action)
        refusal(other.check, "smtp_login")
        refusal(other.steps)
        refusal(other.read)
        refusal(other.enter, smtp_host="127.0.0.1")
    assert count(clean) == 0
    window.save()


def test_account_of_another_owner_is_out_of_reach(clean: Site) -> None:
    address = steps.connect(clean.anna, ANNA)
    refusal(Window, clean.bohdan, default_address_id=address)
    account = steps.account_of(clean.odoo, address)
    refusal(Window, clean.bohdan, default_account_id=account)
    refusal(clean.bohdan.call, steps.ACCOUNT, "action_add_address", [account])
    refusal(clean.bohdan.call, steps.ADDRESS, "action_connect", [address])
    window = Window(clean.bohdan)
    window.type_address(BOHDAN)
    window.enter(password=PASSWORD)
    for values in (
        {"address_id": address},
        {"account_id": account},
        {"user_id": clean.anna.uid},
    ):
        try:
            window.enter(**values)
        except steps.OdooRpcError:
            continue
        refusal(window.check, "smtp_login")
        refusal(window.press, "action_save")
        refusal(window.press, "action_send_code")
    company = Window(clean.bohdan, default_is_company=True)
    company.type_address(BOHDAN)
    company.enter(password=PASSWORD)
    refusal(company.check, "smtp_login")
    refusal(company.press, "action_save")
    [row] = clean.anna.call(steps.ADDRESS, "read", [address], ["email", "state"])
    assert (row["email"], row["state"]) == (ANNA, "working")
    assert count(clean) == 1


# Nothing unproven


def unproven(site: Site) -> Window:
    """Anna's window for an address of a service that no preset knows."""
    bed = site.bed
    window = Window(site.anna)
    window.type_address(ELSEWHERE)
    window.enter(
        smtp_host=bed.host,
        smtp_port=bed.smtp_ssl,
        smtp_security="ssl",
        smtp_login=ELSEWHERE,
        password=PASSWORD,
    )
    assert window.test()[-1]["ok"]
    return window


def newest_code(site: Site, number: int) -> str:
    """The code in the newest of ``number`` mails at the address."""
    mail = site.bed.wait_for(ELSEWHERE, number)[-1]
    assert mail.envelope_from.endswith("@corp.test"), "through Odoo's own server"
    return steps.code_in(mail)


def verify(window: Window, code: str) -> Any:
    window.enter(code_entry=code)
    return window.press("action_verify_code")


def test_code_from_the_mailbox_proves_an_address(clean: Site) -> None:
    window = unproven(clean)
    assert window.read()["proof"] is False
    error = refusal(window.press, "action_save")
    assert "not shown yet" in str(error) and "code" in str(error)
    refusal(window.press, "action_vouch")

    window.press("action_send_code")
    code = newest_code(clean, 1)
    wrong = "000000" if code != "000000" else "111111"
    for _ in range(5):
        answer = verify(window, wrong)
        assert "not the code" in answer["params"]["message"]
        refusal(window.press, "action_save")
    assert "Too many wrong codes" in str(refusal(verify, window, code))
    refusal(window.press, "action_save")

    window.press("action_send_code")
    new_code = newest_code(clean, 2)
    if new_code != code:
        verify(window, code)
        refusal(window.press, "action_save")
    verify(window, f" {new_code} ")
    assert window.read()["proof"] == "code"
    address = window.save()
    [row] = clean.anna.call(steps.ADDRESS, "read", [address], ["proof", "state"])
    assert (row["proof"], row["state"]) == ("code", "working")


def test_code_for_one_address_proves_no_other(clean: Site) -> None:
    window = unproven(clean)
    window.press("action_send_code")
    verify(window, newest_code(clean, 1))
    window.enter(email="third@customer.test", smtp_login="third@customer.test")
    window.enter(password=PASSWORD)
    assert window.test()[-1]["ok"]
    assert window.read()["proof"] is False
    assert "not shown yet" in str(refusal(window.press, "action_save"))


def test_the_word_of_a_manager_is_recorded(clean: Site) -> None:
    with FaultServer("smtp", "ssl") as server:
        address = steps.connect_to(clean.admin, server, INFO)
    names = ["proof", "proof_user_id", "proof_date"]
    [row] = clean.admin.call(steps.ADDRESS, "read", [address], names)
    assert row["proof"] == "manager"
    assert row["proof_user_id"][0] == clean.admin.uid
    assert row["proof_date"]


@pytest.mark.parametrize(
    "address",
    ["notifications@corp.test", "catchall@corp.test", "bounce@corp.test"],
)
def test_odoos_own_addresses_are_refused(clean: Site, address: str) -> None:
    window = Window(clean.admin, default_is_company=True)
    window.type_address(address)
    window.enter(password=PASSWORD, smtp_host="localhost", smtp_login=address)
    for action in ("action_save", "action_keep_draft", "action_vouch"):
        assert "used by Odoo itself" in str(refusal(window.press, action))
    assert count(clean) == 0


def test_same_address_twice_for_one_owner_is_refused(clean: Site) -> None:
    address = steps.connect(clean.bohdan, BOHDAN)
    again = opened(clean)
    error = refusal(again.press, "action_save")
    assert "is connected already" in str(error) and "add this one" in str(error)
    account = steps.account_of(clean.odoo, address)
    another = Window(clean.bohdan, default_account_id=account)
    another.type_address(BOHDAN)
    another.enter()
    assert another.test()[-1]["ok"]
    assert "already has this address" in str(refusal(another.press, "action_save"))
    steps.connect(clean.admin, BOHDAN, company=True)
    assert count(clean) == 2
