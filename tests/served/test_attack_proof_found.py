"""Guessing the code that was mailed to somebody else."""

import xmlrpc.client
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import steps
from site_setup import Site
from steps import Window, refusal

from devtools.rpc import OdooRpcError

CEO = "ceo@brand-a.test"
#: Texts cannot be shown in it: whatever is called fails where it says something.
NO_LANGUAGE = {"lang": "xx_XX"}
VERIFY = (steps.WINDOW, "action_verify_code")


@pytest.fixture(autouse=True)
def _fresh_limit(clean: Site) -> Iterator[None]:
    steps.forget_tests(clean.odoo)
    yield
    steps.forget_tests(clean.odoo)


@pytest.fixture(params=["web client", "XML-RPC", "JSON-2"])
def verify(request: pytest.FixtureRequest, clean: Site) -> Callable[..., Any]:
    """``action_verify_code`` with ids and a context, by one of the protocols."""
    bohdan = clean.bohdan
    ways: dict[str, Callable[..., Any]] = {
        "web client": partial(bohdan.call, *VERIFY),
        "XML-RPC": partial(bohdan.call_xml, *VERIFY),
        "JSON-2": partial(bohdan.call_json2, steps.api_key(clean, bohdan), *VERIFY),
    }
    return ways[request.param]


def test_a_try_counts_whatever_fails_afterwards(
    clean: Site, verify: Callable[..., Any]
) -> None:
    clean.bed.add_mailbox(CEO)
    window = Window(clean.bohdan)
    window.type_address(CEO)
    window.enter(smtp_host="smtp.customer.test")
    window.press("action_send_code")
    [mail] = clean.bed.wait_for(CEO, 1)
    code = steps.code_in(mail)
    window.enter(code_entry=f"{(int(code) + 1) % 1_000_000:06d}")
    for _ in range(7):
        with pytest.raises((OdooRpcError, xmlrpc.client.Fault)):
            verify([window.id], context=NO_LANGUAGE)
    window.enter(code_entry=code)
    assert "Too many wrong codes" in str(refusal(window.press, "action_verify_code"))
    assert window.read()["proof"] is False
    window.press("action_send_code")
    window.enter(code_entry=steps.code_in(clean.bed.wait_for(CEO, 2)[-1]))
    window.press("action_verify_code")
    assert window.read()["proof"] == "code"
