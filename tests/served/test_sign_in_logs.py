"""No code, state, verifier or token stands in Odoo's log, at its most talkative."""

import re
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import oauth_steps
import pytest
from oauth_scene import ANNA, APPLICATION, PROVIDER, SignInSite, values_of_application
from site_setup import prepare, preset

from devtools.served import ServedOdoo
from devtools.testbed.authorization import AuthorizationServer, sign_in
from devtools.testbed.bed import TestBed

SUPPORT = "support@brand-a.test"
CODE = "c0de-that-nobody-logs"


@pytest.fixture(scope="module", params=[0, 2], ids=["threads", "workers"])
def talkative(
    request: pytest.FixtureRequest,
    oauth_bed: TestBed,
    sign_in_service: AuthorizationServer,
    new_odoo: Callable[..., ServedOdoo],
) -> SignInSite:
    """An Odoo that logs whatever it can log."""
    odoo = new_odoo(
        smtp_port=oauth_bed.relay,
        workers=request.param,
        cron_threads=1,
        log_level="debug",
        options={"log_handler": ":DEBUG"},
    )
    site = prepare(odoo, oauth_bed)
    values = values_of_application(site, sign_in_service)
    [application] = site.admin.call(APPLICATION, "create", [values])
    [row] = site.admin.call(APPLICATION, "read", [application], ["redirect_uri"])
    sign_in_service.allow_redirect(row["redirect_uri"])
    values = {
        **preset(oauth_bed, "brand-a"),
        "sequence": 0,
        "oauth_kind": "other",
        "application_id": application,
    }
    [provider] = site.admin.call(PROVIDER, "create", [values])
    return SignInSite(site, sign_in_service, application, provider)


def get(url: str, **values: str) -> int:
    """Open a page without any session."""
    try:
        asked = f"{url}?{urlencode(values)}"
        with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_whole_sign_in(talkative: SignInSite) -> None:
    site, service = talkative.site, talkative.service
    known = set(service.given())
    address = talkative.connect(site.anna)
    assert address
    secrets = set(service.given()) - known
    assert len(secrets) >= 3, "a code and two tokens"
    log = site.odoo.log()
    assert " DEBUG " in log and "/mail_external_account/oauth2/" in log
    assert not [secret for secret in secrets if secret in log]
    assert not re.search(r"oauth2/\w+\?(?!\.\.\.)", log)


def test_one_answer_that_comes_many_times_at_the_same_moment(
    talkative: SignInSite,
) -> None:
    """It counts once, whichever workers serve it; the others wait, or see what came."""
    site, service = talkative.site, talkative.service
    client = site.bohdan
    window = talkative.window(client, SUPPORT)
    action = window.press("action_sign_in")
    _status, location, _page = oauth_steps.opened(client, action["url"])
    back = sign_in(service, location, SUPPORT)
    service.forget()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: oauth_steps.opened(client, back), range(8)))
    assert service.answered() == [("authorization_code", "ok")]
    places = {place for status, place, _page in answers if status == 303}
    assert len(places) == 1, answers
    assert {status for status, _place, _page in answers} <= {200, 303}
    assert not oauth_steps.query(places.pop())
    model = "mail.external.account.connect"
    [row] = client.call(model, "read", [window.id], ["is_signed_in"])
    assert row["is_signed_in"]


def test_answers_that_are_refused(talkative: SignInSite) -> None:
    odoo = talkative.site.odoo
    for url in (odoo.url, f"http://127.0.0.1:{odoo.gevent_port}"):
        path = f"{url}/mail_external_account/oauth2/google"
        try:
            get(path, code=CODE, state=CODE)
        except urllib.error.URLError:
            assert odoo.gevent_port, "there is none where Odoo runs with threads"
    client = talkative.site.anna
    for query in (f"code={CODE}&state={CODE}", f"error={CODE}&state={CODE}"):
        status, location, _page = oauth_steps.opened(
            client, f"/mail_external_account/oauth2/google?{query}"
        )
        assert status == 303 and CODE not in location
    assert CODE not in odoo.log()
    assert ANNA not in location
