import json
import time
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import SimpleNamespace
from xmlrpc.client import Fault

from markupsafe import Markup
from odoo.addons.rpc.controllers.xmlrpc import RPC_FAULT_CODE_WARNING
from odoo.tests import new_test_user
from odoo.tools import mute_logger

from ..tools.incoming import heavy
from ..tools.outgoing.message import build_messages
from .common import ExternalAccountCase, IntakeCase
from .remote_case import RemoteCase

CEO = "ceo@brand-a.example"
OWN = "notifications@corp.example"
SIZE = 60_000  # characters
HOSTILE = ("a", '"\\', '"', "(", "a@", "<", "a, ", "=?utf-8?q?a?= ", " ")


def long_texts():
    return [(unit * SIZE)[:SIZE] for unit in HOSTILE]


class Deadlines:
    @contextmanager
    def soon(self, seconds, what):
        """Processor time of this process: Odoo's own threads are in it."""
        begin = time.process_time()
        yield
        self.assertLess(time.process_time() - begin, seconds, what)


class TestTypedSender(RemoteCase, Deadlines):
    """What a remote caller types is not read before its length and their rights are."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.address(CEO, cls.anna)
        cls.portal = new_test_user(
            cls.env, "ext_portal", "base.group_portal", email="p@customer.example"
        )

    def assert_refused_soon(self, user, record, method, text, **values):
        with self.soon(5, f"{method} {text[:20]}"):
            code, told = self.refusal(user, record, method, **values)
        self.assertEqual(code, RPC_FAULT_CODE_WARNING)
        self.assertIn("email_from", told)
        self.assertIn("998", told)
        self.assertNotIn(CEO, told)

    def test_customer_without_a_record(self):
        nothing = self.env["project.task"]
        for method in ("message_post", "message_notify"):
            for text in long_texts():
                self.assert_refused_soon(
                    self.portal, nothing, method, text, email_from=text, body="x"
                )

    def test_employee(self):
        view = self.env.ref("mail.message_origin_link")
        for text in (long_texts()[0], long_texts()[1]):
            for method, values in (
                ("message_post", {"body": "x"}),
                ("message_notify", {"body": "x", "partner_ids": self.customer.ids}),
                ("message_post_with_source", {"source_ref": view.id}),
                ("message_mail_with_source", {"source_ref": view.id}),
            ):
                self.assert_refused_soon(
                    self.bohdan, self.task, method, text, email_from=text, **values
                )

    def test_records_that_are_written(self):
        text = long_texts()[1]
        place = {"model": self.task._name, "res_id": self.task.id}
        for model, values in (
            ("mail.message", {**place, "body": "x"}),
            ("mail.compose.message", {**place, "composition_mode": "comment"}),
            ("mail.compose.message", {**place, "composition_mode": "mass_mail"}),
        ):
            self.assert_not_created(model, {**values, "email_from": text})
            self.assert_not_created(model, values, default_email_from=text)
        self.assert_not_created(
            "mail.scheduled.message",
            {
                **place,
                "body": "x",
                "author_id": self.bohdan.partner_id.id,
                "scheduled_date": "2040-01-01 00:00:00",
                "notification_parameters": json.dumps({"email_from": text}),
            },
        )

    def assert_not_created(self, model, values, **context):
        with self.soon(5, model), self.assertRaisesRegex(Fault, "email_from"):
            self.xmlrpc_object.execute_kw(
                self.env.cr.dbname,
                self.bohdan.id,
                self.bohdan.login,
                model,
                "create",
                [values],
                {"context": context},
            )

    def test_rights_come_first(self):
        self.project_a.privacy_visibility = "followers"
        self.task.message_unsubscribe(self.bohdan.partner_id.ids)
        _code, told = self.refusal(
            self.bohdan, self.task, "message_post", body="x", email_from=CEO
        )
        self.assertNotIn(CEO, told)


class TestLongFrom(ExternalAccountCase, Deadlines):
    """What is too long to be read may name anybody."""

    def test_never_leaves(self):
        domain = self.env["mail.alias.domain"].create(
            {"name": "corp.example", "default_from": "notifications"}
        )
        self.company.alias_domain_id = domain
        self.address(CEO, self.anna)
        for name in ("x" * 1000, '"' * 1000, "x@y.example, " * 80, "(x)" * 400):
            message = EmailMessage()
            message["From"] = f"{name} <{CEO}>"
            message["To"] = "client@customer.example"
            session = SimpleNamespace(from_filter=False, smtp_from=False)
            server = self.env["ir.mail_server"]
            sender, _to, message = server._prepare_email_message__(message, session)
            self.assertEqual(message["From"].addresses[0].addr_spec, OWN)
            self.assertNotIn(CEO, str(message["From"]))
            self.assertEqual(sender, domain.bounce_email)


class TestHostileMail(IntakeCase, Deadlines):
    """Mail of strangers is taken in soon, and what lies behind it, too."""

    @mute_logger("odoo.addons.mail_external_account.models.mail_external_arrival")
    def test_fields(self):
        for number, text in enumerate(long_texts()):
            for name in ("sender", "To", "Cc", "Subject", "References", "Reply_To"):
                headers = {
                    name: f"{text} <clara@customer.example>",
                    "Message_ID": f"<{name}-{number}@customer.example>",
                }
                with self.soon(10, f"{name} {text[:20]}"):
                    self.take_in(self.mail(**headers))
        self.assertTrue(self.take_in(self.mail()))

    def test_address_of_an_image(self):
        for number, unit in enumerate(("a", "a.b", "%20")):
            address = "https://x.example/" + (unit * SIZE)[:SIZE]
            headers = {
                "Content_Type": "text/html",
                "Message_ID": f"<image-{number}@customer.example>",
            }
            body = f'<p>Hello</p><img src="{address}">'
            with self.soon(5, unit):
                posted = self.take_in(self.mail(body=body, **headers))
            self.assertIn("Hello", posted.body)

    def test_texts_of_many_lines(self):
        for unit in ("\n", "\n ", "\n\t\n", "\n>", "<style>", "<!--", "<b "):
            text = (unit * SIZE)[:SIZE]
            with self.soon(3, unit):
                heavy.beginning(text, True)
                heavy.count(text, True)


class TestHostileContent(ExternalAccountCase, Deadlines):
    """One message that is hard to build does not keep the others from leaving."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.address("anna@own.example", cls.anna)

    def build(self, body="Hello", in_row=False, **values):
        """:param in_row: core needs long for it when it is posted, too"""
        posted = "Hello" if in_row else Markup(body)  # noqa: S704
        message = self.post(self.anna, body=posted, **values)
        [mail] = self.external_mails(message).filtered(
            lambda mail: mail.recipient_ids == self.customer
        )
        if in_row:
            mail.body_html = body
        with self.soon(10, body[:40]):
            [(_partner, _addresses, built)] = build_messages(mail)
        return message_from_bytes(built.content, policy=policy.default)

    def test_addresses_of_images(self):
        for address in (
            "https://x.example/" + "a" * SIZE,
            "/web/image/1" * (SIZE // 12),
            "/web/image/" + "1" * SIZE,
            "cid:" + "a.b" * (SIZE // 3),
            "https://x.example/" + "a&amp;b" * (SIZE // 7),
        ):
            body = f'<p>Before</p><img src="{address}"><p>After</p>'
            sent = self.build(body, in_row=True)
            html = sent.get_body(("html",)).get_content()
            self.assertIn("After", html)
            self.assertTrue(address[-20:] in html)
            self.assertIn("After", sent.get_body(("plain",)).get_content())

    def test_tags_that_do_not_end(self):
        for unit in ("<a ", "<img ", "<", "<b\n"):
            for body in (f"<!--{unit * (SIZE // len(unit))}-->", unit * 20_000):
                sent = self.build(f"<p>Hello</p>{body}", in_row=True)
                html = sent.get_body(("html",)).get_content()
                self.assertIn("Hello", html)
        body = '<p>Hello</p><!-- <a <b <c> --><a href="/odoo/7">Link</a>'
        html = self.build(body, in_row=True).get_body(("html",)).get_content()
        self.assertIn("<!-- <a <b <c> -->", html)
        self.assertNotIn('href="/odoo/7"', html)

    def test_many_images(self):
        for unit in (
            '<img src="/web/image/7">',
            '<img src="https://x.example/%s.">' % ("a" * 990),
            '<img class="o_external_brand_logo">',
        ):
            sent = self.build("Hello" + unit * (SIZE // len(unit)))
            self.assertIn("Hello", sent.get_body(("html",)).get_content())

    def test_an_image_that_is_none(self):
        sent = self.build('<p>Hello</p><img src="/web/image/99999999999">')
        self.assertIn("Hello", sent.get_body(("html",)).get_content())

    def test_names(self):
        for text in long_texts():
            self.customer.name = text.strip() or "x"
            sent = self.build()
            self.assertEqual(sent["To"].addresses[0].domain, "customer.example")

    def test_subject_and_files(self):
        for text in long_texts():
            sent = self.build(
                subject=text.strip() or "x",
                attachments=[(f"{text.replace('/', '')}.txt", b"content")],
            )
            [part] = sent.iter_attachments()
            self.assertTrue(part.get_filename().endswith(".txt"))
            self.assertEqual(part.get_content().strip(), "content")
