"""The pages of a sign-in with the mail service, as a browser gets them."""

import logging
from urllib.parse import urlsplit

from odoo.tests import HttpCase

from ..hooks import post_load
from ..tools.connect import sign_in
from ..tools.oauth2.quiet_logs import without_answer
from .oauth_case import WINDOW, OauthCase

PATH = "/mail_external_account"
SECRET = "c0de-that-nobody-logs"


class TestRoutes(OauthCase, HttpCase):
    def setUp(self):
        super().setUp()
        base = self.base_url()
        self.env["ir.config_parameter"].set_param("web.base.url", base)
        self.authenticate("ext_anna", "ext_anna")

    def get(self, path, **values):
        values.setdefault("allow_redirects", False)
        return self.url_open(path, **values)

    def start(self, window):
        """Press the button, and open what it opens.

        :return: address of the service's page
        """
        action = window.action_sign_in()
        self.assertEqual(
            (action["type"], action["target"]), ("ir.actions.act_url", "new")
        )
        answer = self.get(action["url"])
        self.assertEqual(answer.status_code, 303)
        return answer.headers["Location"]

    def come_back(self, answer, key=None):
        """:return: what the callback answers"""
        path = f"{PATH}/oauth2/{key or self.application.key}"
        return self.get(path, params=answer)

    def test_there_and_back(self):
        window = self.oauth_window()
        url = self.start(window)
        self.assertTrue(url.startswith(f"{self.service.url}/auth?"))
        answer = self.service.visit(url, window.email)
        back = self.come_back(answer)
        self.assertEqual(back.status_code, 303)
        self.assert_closed(back)
        page = self.get(back.headers["Location"])
        self.assertEqual(page.status_code, 200)
        self.assert_closed(page)
        for text in (answer["code"], answer["state"]):
            self.assertNotIn(text, page.text + back.text + page.url)
        self.assertIn("Signed in as anna@brand-a.example", page.text)
        self.assertIn(f'data-window="{window.id}"', page.text)
        self.assertIn(f"/odoo/external_account_go_on?window_id={window.id}", page.text)
        window.invalidate_recordset()
        self.assertTrue(window.is_signed_in)
        # a reload, and the back button
        for _again in range(2):
            again = self.come_back(answer)
            self.assertEqual(again.headers["Location"], back.headers["Location"])
        self.assertEqual(len(self.service.asked), 1)

    def assert_closed(self, answer):
        """Nothing of the page's address gets elsewhere, and nothing is loaded."""
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        self.assertEqual(answer.headers["Referrer-Policy"], "no-referrer")
        policy = answer.headers["Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertIn("frame-ancestors 'none'", policy)
        self.assertEqual(answer.headers["Cross-Origin-Opener-Policy"], "same-origin")

    def test_the_page_loads_what_it_may(self):
        window = self.oauth_window()
        answer = self.service.visit(self.start(window), window.email)
        page = self.get(self.come_back(answer).headers["Location"]).text
        for name in ("sign_in.css", "sign_in.js"):
            path = f"{PATH}/static/page/{name}"
            self.assertIn(path, page)
            self.assertEqual(self.get(path).status_code, 200)
        self.assertNotIn("<style", page)
        self.assertEqual(page.count("<script"), 1)

    def test_what_failed_is_told_there(self):
        window = self.oauth_window()
        state = self.question(self.start(window))["state"]
        words = "<b>Bad day</b>"
        back = self.come_back(
            {"state": state, "error": "server_error", "error_description": words}
        )
        page = self.get(back.headers["Location"])
        self.assertEqual(page.status_code, 200)
        self.assertNotIn(words, page.text)
        self.assertIn(f"{PATH}/sign_in/window/{window.id}", page.text)

    def test_nothing_leads_elsewhere(self):
        """Whatever the address has in it, it leads to a page of ours."""
        evil = "https://evil.example/"
        window = self.oauth_window()
        good = self.service.visit(self.start(window), window.email)
        more = {
            name: evil
            for name in ("redirect", "redirect_uri", "next", "url", "return", "iss")
        }
        for values in ({}, {"state": "x", **more}, {**good, **more}):
            back = self.come_back(values)
            parts = urlsplit(back.headers["Location"])
            self.assertRegex(parts.path, rf"^{PATH}/signed_in/\d+$")
            self.assertIn(parts.netloc, ("", urlsplit(self.base_url()).netloc))
            self.assertFalse(parts.query)
        for path in ("oauth2//evil.example", "oauth2/%2F%2Fevil.example", "oauth2/.."):
            location = self.get(f"{PATH}/{path}").headers.get("Location", "")
            self.assertIn(
                urlsplit(location).netloc, ("", urlsplit(self.base_url()).netloc)
            )

    def test_an_answer_that_belongs_to_nobody(self):
        back = self.come_back({"state": "x", "code": SECRET})
        page = self.get(back.headers["Location"])
        self.assertEqual(page.status_code, 404)
        self.assertIn("no sign-in that you have begun here", page.text)

    def test_nobody_reads_what_came_of_others(self):
        window = self.oauth_window()
        answer = self.service.visit(self.start(window), window.email)
        location = self.come_back(answer).headers["Location"]
        self.authenticate("ext_bohdan", "ext_bohdan")
        page = self.get(location)
        self.assertEqual(page.status_code, 404)
        self.assertNotIn("anna@", page.text)
        for path in (f"sign_in/window/{window.id}", "sign_in/window/0"):
            self.assertEqual(self.get(f"{PATH}/{path}").status_code, 403)

    def test_only_get_does_anything(self):
        window = self.oauth_window()
        answer = self.service.visit(self.start(window), window.email)
        path = f"{PATH}/oauth2/{self.application.key}"
        rows = self.env[sign_in.MODEL].search_count([])
        for target in (f"{PATH}/sign_in/window/{window.id}", f"{PATH}/sign_in/1"):
            self.assertEqual(self.get(target, method="HEAD").status_code, 405)
        self.assertEqual(self.get(path, params=answer, method="HEAD").status_code, 405)
        self.assertEqual(self.get(path, params=answer, method="POST").status_code, 405)
        self.assertFalse(self.service.asked)
        self.assertEqual(self.env[sign_in.MODEL].search_count([]), rows)

    def test_whoever_is_logged_in_no_more(self):
        """They log in, and are told to sign in once more: no code in any address."""
        window = self.oauth_window()
        answer = self.service.visit(self.start(window), window.email)
        self.logout()
        back = self.come_back(answer)
        self.assertEqual(back.status_code, 303)
        location = back.headers["Location"]
        self.assertTrue(urlsplit(location).path.endswith("/web/login"))
        for text in (answer["code"], answer["state"]):
            self.assertNotIn(text, location)
        login = self.get(location)
        self.assertEqual(login.status_code, 200)
        self.assertIn("signed_in", login.text)
        self.assertFalse(self.service.asked)
        self.authenticate("ext_anna", "ext_anna")
        row = self.env[sign_in.MODEL].search([("wizard_id", "=", window.id)])
        page = self.get(f"{PATH}/signed_in/{row.id}")
        self.assertIn("was not finished", page.text)
        self.assertIn(f"{PATH}/sign_in/window/{window.id}", page.text)
        # the answer is still good, for them
        self.come_back(answer)
        self.assertTrue(row.tokens_sealed)

    def test_in_ukrainian(self):
        self.env["res.lang"]._activate_lang("uk_UA")
        self.anna.lang = "uk_UA"
        self.authenticate("ext_anna", "ext_anna")
        page = self.get(f"{PATH}/signed_in/0")
        self.assertIn('lang="uk-UA"', page.text)

    # The link of the notice

    def test_signing_in_again(self):
        account = self.connected().sudo()
        answer = self.get(f"{PATH}/sign_in/{account.id}")
        self.assertEqual(answer.status_code, 303)
        url = answer.headers["Location"]
        self.assertEqual(self.question(url)["login_hint"], "anna@brand-a.example")
        back = self.come_back(self.service.visit(url, "anna@brand-a.example"))
        page = self.get(back.headers["Location"])
        self.assertIn("Go on in Odoo", page.text)
        window = self.env[WINDOW].search([], order="id desc", limit=1)
        self.assertEqual(window.account_id, account)
        behind, opened = window.with_user(self.anna).action_go_on()
        self.assertEqual(opened["res_id"], window.id)
        self.assertTrue(opened["context"]["starts_test"])
        self.assertEqual(behind["res_model"], "mail.external.address")
        window = window.with_user(self.anna)
        self.passed(window)
        window.action_save()
        self.assertEqual(account.state, "working")

    def test_only_for_who_may_connect_it(self):
        account = self.connected()
        before = self.env[WINDOW].search_count([])
        self.authenticate("ext_bohdan", "ext_bohdan")
        pages = [self.get(f"{PATH}/sign_in/{id_}") for id_ in (account.id, 0, 999999)]
        for page in pages:
            self.assertEqual(page.status_code, 403)
            self.assertNotIn("anna", page.text)
        self.assertEqual(len({page.text for page in pages}), 1)
        self.assertEqual(self.env[WINDOW].search_count([]), before)

    def test_of_an_account_with_a_password(self):
        window = self.window()
        self.passed(window)
        window.action_save()
        answer = self.get(f"{PATH}/sign_in/{window.address_id.account_id.id}")
        self.assertIn("/odoo/external_account_go_on?", answer.headers["Location"])

    def test_the_buttons_lead_there(self):
        account = self.connected()
        address = account.address_ids
        account.sudo().write({"state": "refused", "failure_code": "oauth_ended"})
        self.assertTrue(address.signs_in_again)
        action = address.action_sign_in_again()
        self.assertEqual(action["url"], f"{PATH}/sign_in/{account.id}")
        account.sudo().failure_code = "login_disabled"
        address.invalidate_recordset()
        self.assertFalse(address.signs_in_again)


class TestLogs(HttpCase):
    """No code and no state gets into Odoo's log, at whatever level."""

    LINE = f"/mail_external_account/oauth2/google?code={SECRET}&state={SECRET}"

    def records(self, name, message, *args):
        """What a handler gets of what is logged."""
        found = []

        class Handler(logging.Handler):
            def emit(self, record):
                found.append(record.getMessage())

        post_load()
        logger, handler = logging.getLogger(name), Handler()
        logger.addHandler(handler)
        self.addCleanup(logger.removeHandler, handler)
        logger.critical(message, *args)
        return "".join(found)

    def test_the_line_of_a_request(self):
        for name, message, args in (
            # werkzeug.serving, with threads and with workers
            (
                "werkzeug",
                '127.0.0.1 - - [now] "%s" %s %s',
                (f"GET {self.LINE} HTTP/1.1", 303, 1),
            ),
            # gevent.pywsgi
            ("longpolling", f'- - [now] "GET {self.LINE} HTTP/1.1" 303 1', ()),
            # odoo.tools.misc.dumpstacks
            (
                "odoo.tools.misc",
                f"# Thread: x (uid:2) (url:https://odoo.example{self.LINE})",
                (),
            ),
        ):
            told = self.records(name, message, *args)
            self.assertNotIn(SECRET, told)
            self.assertIn("/mail_external_account/oauth2/google?...", told)

    def test_as_a_parameter_of_another_address(self):
        for line in (
            "GET /web/login?redirect=%2Fmail_external_account%2Foauth2%2Fx%3Fcode%3D"
            + SECRET,
            "GET /web/login?redirect=/mail_external_account/oauth2/x%3Fcode=" + SECRET,
        ):
            self.assertNotIn(SECRET, without_answer(line))

    def test_other_lines_stay(self):
        for line in (
            "GET /mail_external_account/static/page/sign_in.js?x=1 HTTP/1.1",
            "GET /web?code=1 HTTP/1.1",
            "GET /mail_external_account/oauth2/google HTTP/1.1",
        ):
            self.assertEqual(without_answer(line), line)
