from unittest.mock import patch

from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, new_test_user

from ..mailkit import records
from ..mailkit.connection import network
from ..mailkit.connection.settings import Protocol, Security
from ..mailkit.discovery.found import Found, Offer, Source
from ..mailkit.discovery.search import Result
from ..tools.connect import discovery
from .common import ConnectCase

EMAIL = "anna@own.example"
PROTOCOLS = {"smtp": Protocol.SMTP, "imap": Protocol.IMAP, "pop3": Protocol.POP3}


def offer(kind, port=465, security=Security.SSL, **values):
    host = values.pop("host", f"{kind}.own.example")
    return Offer(PROTOCOLS[kind], host, port, security, **values)


class TestDiscovery(ConnectCase):
    """What the window makes of what was found; the finding is tested in tests/unit and,
    through a browser, in tests/served."""

    def setUp(self):
        super().setUp()
        self.windows = self.env["mail.external.account.connect"].with_user(self.anna)

    def told(self, found, email=EMAIL):
        asker = discovery.asker(self.windows, email, "")
        return discovery.told(asker, Result(found.source, found, None, 0.1))["found"]

    def form(self, found, **typed):
        """The window as it is once that was found."""
        form = Form(self.windows)
        form.email = EMAIL
        for name, value in typed.items():
            setattr(form, name, value)
        self.put(form, found)
        return form

    def put(self, form, found):
        """What the screen does with a field that nobody sees; ``Form`` refuses that."""
        form._values["found_settings"] = found
        form._perform_onchange("found_settings")

    def test_the_servers_are_filled_in(self):
        found = self.told(
            Found(
                Source.AUTOCONFIG,
                "own.example",
                offer("smtp", 587, Security.STARTTLS, login="anna"),
                offer("imap", 143, Security.STARTTLS),
                offer("pop3", 995),
            )
        )
        self.assertEqual(found["text"], "Found by autoconfig of own.example")
        self.assertFalse(found["confirm"])
        form = self.form(found)
        self.assertEqual(form.smtp_host, "smtp.own.example")
        self.assertEqual((form.smtp_port, form.smtp_security), (587, "starttls"))
        self.assertEqual(form.smtp_login, "anna")
        self.assertTrue(form.receive_replies)
        self.assertEqual(form.incoming_protocol, "imap")
        self.assertEqual(form.incoming_host, "imap.own.example")
        self.assertEqual(
            (form.incoming_port, form.incoming_security), (143, "starttls")
        )
        self.assertEqual(form.incoming_login, EMAIL)
        form.incoming_protocol = "pop3"
        self.assertEqual(
            (form.incoming_host, form.incoming_port), ("pop3.own.example", 995)
        )
        form.incoming_protocol = "imap"
        self.assertEqual(
            (form.incoming_host, form.incoming_port), ("imap.own.example", 143)
        )
        self.assertEqual(form.save().found_settings["text"], found["text"])

    def test_what_was_typed_meanwhile_stays(self):
        found = self.told(
            Found(Source.SRV, "own.example", offer("smtp"), offer("imap", 993))
        )
        form = self.form(found, smtp_host="typed.example", smtp_port=25)
        self.assertEqual((form.smtp_host, form.smtp_port), ("typed.example", 25))
        self.assertFalse(form.incoming_host)
        form = self.form(found, provider_id=self.provider)
        self.assertEqual(form.smtp_host, "smtp.brand-a.example")
        form = self.form(found, smtp_login="own login")
        self.assertEqual(form.smtp_host, "smtp.own.example")
        self.assertEqual(form.smtp_login, "own login")
        form.email = "bohdan@elsewhere.example"
        found = {**found, "email": EMAIL}
        self.put(form, found)  # of the address that stood there before
        self.assertFalse(form.smtp_host)

    def test_a_click_takes_it_all_the_same(self):
        found = self.told(Found(Source.SRV, "own.example", offer("smtp")))
        form = self.form({**found, "replace": True}, smtp_host="typed.example")
        self.assertEqual(form.smtp_host, "smtp.own.example")

    def test_another_address_takes_back_what_was_found(self):
        found = self.told(
            Found(Source.NAMES, "own.example", offer("smtp"), offer("imap", 993))
        )
        form = self.form(found)
        form.email = "anna@elsewhere.example"
        self.assertFalse(form.smtp_host)
        self.assertFalse(form.incoming_host)
        self.assertFalse(form.found_settings)
        self.assertEqual(form.smtp_login, "anna@elsewhere.example")
        form = self.form(found)
        form.smtp_host = "typed.example"
        form.email = "anna@elsewhere.example"
        self.assertEqual(form.smtp_host, "typed.example")
        form = self.form(found)
        form.email = "anna@brand-a.example"  # that one is known
        self.assertEqual(form.provider_id, self.provider)
        self.assertEqual(form.smtp_host, "smtp.brand-a.example")

    def test_a_preset_by_exchanger_proves_nothing(self):
        self.provider.mx_patterns = "*.in.brand-a.example"
        found = self.told(
            Found(Source.MX, "mx.in.brand-a.example", preset=self.provider.id)
        )
        self.assertEqual(
            found["text"], "Found by the mail exchanger of own.example: Example Mail"
        )
        form = self.form(found)
        self.assertEqual(form.provider_id, self.provider)
        self.assertEqual(form.smtp_host, "smtp.brand-a.example")
        self.assertEqual(form.smtp_login, EMAIL)
        form.password = "hunter2"
        window = form.save()
        self.passed(window)
        self.assertTrue(window.tested_ok)
        self.assertFalse(window.proof)
        with self.assertRaisesRegex(UserError, "not shown yet"):
            window.action_save()
        form.email = "anna@elsewhere.example"
        self.assertFalse(form.provider_id)
        self.assertFalse(form.smtp_host)

    def test_servers_of_a_preset_are_that_preset(self):
        servers = (
            offer("smtp", host="smtp.brand-a.example"),
            offer("imap", 993, host="imap.brand-a.example"),
        )
        foreign = tuple(each.host for each in servers)
        found = Found(Source.SRV, "own.example", *servers, foreign=foreign)
        told = self.told(found)
        self.assertEqual(told["provider_id"], self.provider.id)
        self.assertFalse(told["confirm"])
        # an administrator answers for it no more
        self.provider.with_user(self.manager).smtp_port = 2525
        self.assertTrue(self.told(found)["confirm"])
        other = offer("imap", 993, host="imap.elsewhere.example")
        mixed = Found(Source.SRV, "own.example", servers[0], other, foreign=foreign)
        self.assertFalse(self.told(mixed)["provider_id"])

    def test_what_only_dns_says_is_to_be_confirmed(self):
        host = "mail.hoster.example"
        found = Found(
            Source.SRV, "own.example", offer("smtp", host=host), foreign=(host,)
        )
        told = self.told(found)
        self.assertTrue(told["confirm"])
        self.assertIn(host, told["warning"])
        self.assertIn("forged", told["warning"])

    def test_a_known_domain_costs_no_network(self):
        refuse = AssertionError("the network was asked")
        with (
            patch.object(network.socket, "getaddrinfo", side_effect=refuse),
            patch.object(network.socket, "socket", side_effect=refuse),
        ):
            for email in ("x@gmail.com", "x@ukr.net", "anna@BRAND-a.example"):
                self.assertEqual(self.windows.find_settings(email), [])
                for source in Source:
                    told = self.windows.find_settings(email, source.value)
                    self.assertFalse(told["found"])

    def test_a_known_domain_in_every_spelling(self):
        """What would be asked for, were it not known, is asked for nobody."""
        self.provider.domains = "brand-a.example, пошта.укр, *.MÜNCHEN.example"
        for email in (
            "x@ukr.net ",
            "X@UKR.NET",
            "x+y@ukr.net",
            "x@\uff55kr.net",
            "x@ukr\u3002net",
            "ганна@ukr.net",
            "x@пошта.укр",
            "x@ПОШТА.УКР",
            "x@xn--80a1acn3a.xn--j1amh",
            "x@XN--80A1ACN3A.xn--j1amh",
            "x@a.münchen.example",
            "x@a.xn--mnchen-3ya.example",
            "x'y@brand-a.example",
            "x..y@brand-a.example",
        ):
            with self.subTest(email):
                self.assertEqual(self.windows.find_settings(email), [])
        for email in ("x@münchen.example", "x@mail.ukr.net", "x@ukr.net.example"):
            with self.subTest(email):
                self.assertTrue(self.windows.find_settings(email))

    def test_what_is_no_public_domain_is_not_looked_for(self):
        for email in ("", False, "anna", "anna@localhost", "anna@10.0.0.1", "a@b@c d"):
            self.assertEqual(self.windows.find_settings(email), [])
            self.assertFalse(self.windows.find_settings(email, "names")["found"])

    def sources(self):
        return [line["source"] for line in self.windows.find_settings(EMAIL)]

    def test_the_public_directory_can_be_switched_off(self):
        self.assertEqual(self.sources(), ["mx", "srv", "autoconfig", "ispdb", "names"])
        settings = self.env["res.config.settings"]
        for allowed in (False, True, False):
            page = settings.create({})
            page.external_ispdb = allowed
            page.set_values()
            self.assertEqual(settings.create({}).external_ispdb, allowed)
            self.assertEqual("ispdb" in self.sources(), allowed)
        with self.assertRaises(UserError):
            self.windows.find_settings(EMAIL, "ispdb")

    def test_without_the_package_dns_is_left_out_and_said_so(self):
        with patch.object(records, "is_available", lambda: False):
            lines = {line["source"]: line for line in self.windows.find_settings(EMAIL)}
            self.assertIn("dnspython is not installed", lines["mx"]["skipped"])
            self.assertIn("dnspython is not installed", lines["srv"]["skipped"])
            self.assertFalse(lines["autoconfig"]["skipped"])
            for source in ("mx", "srv", "nonsense"):
                with self.assertRaises(UserError):
                    self.windows.find_settings(EMAIL, source)

    def test_who_connects_nothing_looks_for_nothing(self):
        portal = new_test_user(self.env, "ext_portal", "base.group_portal")
        with self.assertRaises(AccessError):
            self.windows.with_user(portal).find_settings(EMAIL)
        parameters = self.env["ir.config_parameter"]
        parameters.set_param("mail_external_account.forbid_personal", "True")
        for source in (None, "names"):
            with self.assertRaises(AccessError):
                self.windows.find_settings(EMAIL, source)
        managers = self.windows.with_user(self.manager)
        self.assertTrue(managers.find_settings(EMAIL))

    def test_every_question_counts_as_a_test(self):
        """Nobody looks around with it, however often they ask."""
        with (
            patch.object(network.socket, "getaddrinfo", side_effect=OSError),
            patch.object(network, "_WHOLE_SECOND", 0.001),
        ):
            for _turn in range(120):
                self.windows.find_settings(EMAIL, "names")
            with self.assertRaisesRegex(UserError, "Too many tests"):
                self.windows.find_settings(EMAIL, "names")

    def test_internal_hosts_are_for_those_who_may_reach_them(self):
        for user, expected in ((self.anna, False), (self.manager, True)):
            asker = discovery.asker(self.windows.with_user(user), EMAIL, "")
            self.assertEqual(asker.search.allow_private, expected)
