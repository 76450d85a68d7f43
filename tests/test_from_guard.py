from email import message_from_bytes
from email.message import EmailMessage
from types import SimpleNamespace

from odoo.exceptions import AccessError
from odoo.tests import new_test_user
from odoo.tools.mail import email_split

from ..tools.trusted_context import Carried, carried
from .common import ExternalAccountCase

CEO = "ceo@brand-a.example"
OWN = "notifications@corp.example"


class TestFromGuard(ExternalAccountCase):
    """The last place before SMTP: an external address leaves for its users only."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.domain = cls.env["mail.alias.domain"].create(
            {"name": "corp.example", "default_from": "notifications"}
        )
        cls.company.alias_domain_id = cls.domain

    def leave(self, email_from, session=None, server=None, **headers):
        """From and envelope of a mail that is handed to Odoo's own server."""
        message = EmailMessage()
        message["From"] = email_from
        message["To"] = "client@customer.example"
        message["Reply-To"] = email_from
        for name, value in headers.items():
            message[name.replace("_", "-")] = value
        session = session or SimpleNamespace(from_filter=False, smtp_from=False)
        if server is None:
            server = self.env["ir.mail_server"]
        sender, _to, message = server._prepare_email_message__(message, session)
        return message["From"], sender, message

    def test_without_accounts_nothing_changes(self):
        self.env["mail.external.address"].search([]).unlink()
        self.assertEqual(self.leave(CEO)[0], CEO)

    def test_a_draft_is_no_external_address(self):
        self.address(CEO, self.anna, state="draft")
        self.assertEqual(self.leave(CEO)[0], CEO)

    def test_every_spelling_is_replaced(self):
        self.address(CEO, self.anna)
        for spelling in (
            CEO,
            "CEO@Brand-A.example",
            f"The Boss <{CEO}>",
            '"ceo"@brand-a.example',
            f"x@customer.example, {CEO}",
            "ceo(hi)@brand-a.example",
        ):
            header, envelope, message = self.leave(spelling)
            self.assertEqual(message["From"].addresses[0].addr_spec, OWN, spelling)
            self.assertNotIn(CEO, header.lower(), spelling)
            self.assertEqual(envelope, self.domain.bounce_email)
            self.assertIn("@brand-a.example", message["Reply-To"].lower())

    def test_what_python_cannot_read_is_replaced_too(self):
        """Its parser shows nothing of these, and its generator writes them."""
        self.address(CEO, self.anna)
        line = "=?utf-8?q?x=0D=0AFrom:_ceo=40brand-a.example?="
        for spelling in (
            f"[{CEO}",
            f";{CEO}",
            f"){CEO}",
            f"{CEO}.",
            f">=?utf-8?q?=2C?={CEO}",
            '"ceo"@brand-a.example"a"',
            f"){line}",
            f"{line}: x;",
        ):
            with self.subTest(spelling):
                header, envelope, message = self.leave(spelling)
                self.assertNotIn(CEO, header.lower())
                self.assertEqual(envelope, self.domain.bounce_email)
                left = message_from_bytes(message.as_bytes())
                [told] = left.get_all("From")
                self.assertEqual(email_split(told), [OWN])

    def test_no_other_field_becomes_a_from(self):
        """A subject is anybody's; the field that follows would be theirs too."""
        self.address(CEO, self.anna)
        line = "=?utf-8?q?x=0D=0AFrom:_ceo=40brand-a.example=0D=0A=0D=0AHello?="
        for name in ("Subject", "References", "Cc", "X-Other"):
            with self.subTest(name):
                text = f"){line}" if name == "Cc" else line
                _header, _envelope, message = self.leave(OWN, **{name: text})
                left = message_from_bytes(message.as_bytes())
                self.assertEqual(left.get_all("From"), [OWN])
                self.assertFalse(left.get_payload().strip())

    def test_the_name_is_kept(self):
        self.address(CEO, self.anna)
        self.assertEqual(self.leave(f"The Boss <{CEO}>")[0], f"The Boss <{OWN}>")

    def test_a_session_forces_no_external_address(self):
        self.address(CEO, self.anna)
        session = SimpleNamespace(from_filter="brand-a.example", smtp_from=CEO)
        for email_from in (CEO, "Bohdan <bohdan@corp.example>"):
            header, envelope, _message = self.leave(email_from, session)
            self.assertNotIn(CEO, header)
            self.assertEqual(envelope, OWN)

    def test_envelope_and_sender_headers(self):
        self.address(CEO, self.anna)
        self.company.alias_domain_id = False
        _from, envelope, message = self.leave(
            "bohdan@corp.example", Return_Path=CEO, Sender=CEO, Resent_From=CEO
        )
        self.assertNotEqual(envelope, CEO)
        self.assertFalse(message["Sender"] or message["Resent-From"])

    def test_refused_and_archived_accounts(self):
        address = self.address(CEO, self.anna, state="refused")
        self.assertNotIn(CEO, self.leave(CEO)[0])
        address.active = False
        self.assertEqual(self.leave(CEO)[0], CEO)

    def test_who_may_use_it_carries_it(self):
        self.address(CEO, self.anna)
        with carried.during(Carried(frozenset({CEO}))):
            self.assertEqual(self.leave(CEO)[0], CEO)
        self.assertNotEqual(self.leave(CEO)[0], CEO)

    def carried(self, user, **values):
        message = self.post(user, email_from=CEO, external_address_id=False, **values)
        mail = self.env["mail.mail"].with_user(user).sudo()
        return mail.create({"mail_message_id": message.id})._carried_addresses()

    def test_what_counts_is_who_wrote_it(self):
        self.address(CEO, None, allowed_user_ids=[(4, self.anna.id)])
        self.assertEqual(self.carried(self.anna), {CEO})
        self.assertFalse(self.carried(self.bohdan))
        self.assertFalse(self.carried(self.env.ref("base.user_root")))
        self.assertFalse(self.carried(self.anna, message_type="email"))
        self.anna.active = False
        self.assertFalse(self.carried(self.anna))

    def test_a_row_made_by_somebody_else_proves_nothing(self):
        self.address(CEO, self.anna)
        message = self.post(self.anna, email_from=CEO, external_address_id=False)
        rows = self.env["mail.mail"].sudo()
        values = {"mail_message_id": message.id}
        for user, expected in (
            (self.anna, {CEO}),
            (self.bohdan, set()),
            (self.env.ref("base.user_root"), {CEO}),  # notified later, by the queue
        ):
            row = rows.with_user(user).sudo().create(values)
            self.assertEqual(row._carried_addresses(), expected)

    def test_portal_users_carry_nothing(self):
        address = self.address(CEO)
        self.assertTrue(address._may_send(self.bohdan))
        self.bohdan.group_ids = self.env.ref("base.group_portal")
        self.assertFalse(address._may_send(self.bohdan))
        self.assertFalse(self.env["mail.external.sender"]._addresses_of(self.bohdan.id))

    def test_without_an_address_of_its_own_odoo_fails_visibly(self):
        self.address(CEO, self.anna)
        self.company.alias_domain_id = False
        self.company.email = "info@corp.example"
        self.assertIn("info@corp.example", self.leave(CEO)[0])
        self.address("info@corp.example")
        with self.assertRaises(AssertionError) as caught:
            self.leave(CEO)
        code, text = caught.exception.args
        self.assertEqual(code, self.env["ir.mail_server"].NO_VALID_FROM)
        self.assertIn("Default From", text)

    def test_a_firm_with_a_single_mailbox_goes_on_writing(self):
        """Odoo's own mail leaves from it, as long as every employee may use it."""
        self.company.alias_domain_id = False
        self.company.email = "info@corp.example"
        address = self.address("info@corp.example", None)
        self.address("other@corp.example", self.anna)
        self.env["ir.config_parameter"].set_param("mail.default.from", False)
        values = {"email_from": self.company.email_formatted, "email_to": "x@y.example"}
        public = self.env.ref("base.public_user")
        stranger = new_test_user(
            self.env,
            "ext_stranger",
            company_id=self.env["res.company"].create({"name": "Other"}).id,
        )

        def sender(user):
            mail = self.env["mail.mail"].with_user(user).sudo().create(values)
            [may_carry] = mail._grouped_by_addresses()
            with carried.during(may_carry):
                return self.leave(mail.email_from)[0]

        for user in (self.env.user, public, self.bohdan):
            self.assertIn("info@corp.example", sender(user))
        # the company's e-mail is that of its contact
        self.company.partner_id.email = "other@corp.example"
        with self.assertRaises(AssertionError):
            sender(public)
        self.company.partner_id.email = "info@corp.example"
        self.assertIn("info@corp.example", sender(public))
        with self.assertRaises(AssertionError):
            sender(stranger)
        address.allowed_user_ids = self.anna
        with self.assertRaises(AssertionError):
            sender(public)

    def test_flows_are_not_stopped(self):
        """What Odoo's code posts in somebody's name is kept as it is."""
        self.address(CEO, self.anna)
        self.anna.partner_id.email = CEO
        for values in ({"email_from": CEO}, {"author_id": self.anna.partner_id.id}):
            message = self.post(self.bohdan, **values)
            self.assertIn(CEO, message.email_from)
        with self.assertRaises(AccessError):
            message.with_user(self.bohdan).copy()

    def test_other_rows_of_mail_stay_the_administrators(self):
        self.address(CEO, self.anna)
        admin = self.env.ref("base.user_admin")
        mail = (
            self.env["mail.mail"]
            .with_user(admin)
            .create({"email_from": "admin@corp.example", "body_html": "x"})
        )
        mail.write({"body_html": "y", "email_to": "a@customer.example"})
        self.assertEqual(mail.email_to, "a@customer.example")

    def test_guarding_costs_no_query(self):
        self.address(CEO, self.anna)
        self.leave("bohdan@corp.example")  # warm
        before = self.env.cr.sql_log_count
        self.leave("bohdan@corp.example")
        self.leave(CEO)
        self.assertEqual(self.env.cr.sql_log_count, before)

    def test_no_address_of_odoos_own_no_envelope(self):
        """A database as it is made: no alias domain, the company has no e-mail."""
        self.address(CEO, self.anna)
        self.env["res.company"].search([]).write(
            {"alias_domain_id": False, "email": False}
        )
        bohdan = "Bohdan <bohdan@corp.example>"
        session = SimpleNamespace(from_filter="brand-a.example", smtp_from=False)
        for kind, headers in (
            ("Return-Path", {"Return_Path": CEO}),
            ("name of the envelope", {"Return_Path": f"B <{CEO.upper()}>"}),
            ("context", {}),
        ):
            server = self.env["ir.mail_server"]
            if not headers:
                server = server.with_context(domain_bounce_address=CEO)
            with self.subTest(kind), self.assertRaisesRegex(AssertionError, "no addr"):
                self.leave(bohdan, session, server, **headers)
