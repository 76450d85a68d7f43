import base64
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import parseaddr

from odoo.exceptions import AccessError, ValidationError

from ..tools.outgoing.message import build_messages
from .common import ExternalAccountCase

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAA"
    "AABJRU5ErkJggg=="
)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'


class TestLayout(ExternalAccountCase):
    """What the customer gets: name, signature, layout."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.anna.signature = "<p>Anna's own signature</p>"

    def received(self, message):
        """The customer's mail as it goes out."""
        [mail] = self.external_mails(message).filtered(
            lambda m: m.recipient_ids == self.customer
        )
        [(_partner, _addresses, built)] = build_messages(mail)
        return message_from_bytes(built.content, policy=policy.default)

    def sender(self, message):
        # The header classes of Python set a space between two encoded words, against
        # RFC 2047 section 6.2; the older functions read them right.
        header = message_from_bytes(self.received(message).as_bytes())["From"]
        name, address = parseaddr(header)
        return str(make_header(decode_header(name))), address

    def html(self, mail):
        return mail.get_body(("html",)).get_content()

    def text(self, mail):
        return mail.get_body(("plain",)).get_content()

    # The name

    def test_names(self):
        cases = [
            # (owner, name of the address, what the customer sees)
            (self.anna, False, "Anna K"),
            (self.anna, "Anna of Brand A", "Anna of Brand A"),
            (self.anna, "{author} at {project}", "Anna K at Brand A"),
            (None, False, self.company.name),
            (None, "Brand A support", "Brand A support"),
            (None, "{author} at {company}", f"Anna K at {self.company.name}"),
            (None, "Служба підтримки «Сяйво»", "Служба підтримки «Сяйво»"),
            (None, 'Brand "A" <b@x.example>, Inc.', 'Brand "A" <b@x.example>, Inc.'),
        ]
        for owner, name, expected in cases:
            with self.subTest(owner=owner and owner.name, name=name):
                address = self.address("a@x.example", owner, sender_name=name)
                message = self.post(self.anna)
                self.assertEqual(self.sender(message), (expected, "a@x.example"))
                [row] = self.task.with_user(self.anna)._external_senders_data()[
                    "externalSenders"
                ]
                self.assertEqual(row["label"], f"{expected} <a@x.example>")
                address.unlink()

    def test_long_names(self):
        self.address("a@x.example", None, sender_name="{author} at Brand A")
        for name in ("Олександра-Вікторія " + "дуже " * 60, 'Alex "A" ' + "very " * 60):
            self.anna.name = name
            shown, address = self.sender(self.post(self.anna))
            self.assertEqual(address, "a@x.example")
            self.assertEqual(shown[:40], name[:40])
            self.assertTrue(shown.endswith("…"))

    def test_without_a_project_its_name_is_the_companys(self):
        self.address("a@x.example", self.anna, sender_name="{author} ({project})")
        self.env["mail.followers"].search([]).unlink()
        self.customer.message_subscribe(self.customer.ids)
        message = self.post(self.anna, self.customer)
        self.assertEqual(self.sender(message)[0], f"Anna K ({self.company.name})")

    def test_the_company_of_the_record_in_the_list_as_in_the_mail(self):
        """A personal address that belongs to no company, in several of them."""
        brand = self.env["res.company"].create({"name": "Second brand"})
        self.anna.company_ids += brand
        self.address("a@x.example", self.anna, sender_name="{author} at {company}")
        project = self.env["project.project"].create(
            {"name": "There", "company_id": brand.id, "privacy_visibility": "employees"}
        )
        task = self.env["project.task"].create(
            {"name": "There", "project_id": project.id}
        )
        task.message_subscribe(self.customer.ids)
        message = self.post(self.anna, task)
        self.assertEqual(self.sender(message)[0], "Anna K at Second brand")
        data = task.with_user(self.anna)._external_senders_data()
        [row] = data["externalSenders"]
        self.assertEqual(row["label"], "Anna K at Second brand <a@x.example>")

    def test_a_new_name_of_the_owner_is_in_the_list_at_once(self):
        self.address("a@x.example", self.anna)
        self.address("c@x.example", sequence=20)

        def labels():
            data = self.task.with_user(self.anna)._external_senders_data()
            return [row["label"] for row in data["externalSenders"]]

        labels()
        self.anna.partner_id.name = "Anna Married"
        self.company.name = "New Ltd"
        self.assertEqual(
            labels(), ["Anna Married <a@x.example>", "New Ltd <c@x.example>"]
        )

    def test_a_customers_words_do_not_look_like_the_brands(self):
        self.address(
            "team@x.example", None, [(self.project_a, True)], sender_name="Brand A"
        )
        for values, name in (
            ({"author_id": self.second.id}, "Samuel"),
            ({"author_id": False, "email_from": '"Sam" <sam@c.example>'}, "Sam"),
            ({"author_id": False, "email_from": "sam@c.example"}, "sam@c.example"),
        ):
            message = self.post(
                self.env.ref("base.user_root"), message_type="email", **values
            )
            shown = (f"{name} via Brand A", "team@x.example")
            self.assertEqual(self.sender(message), shown)
        # ... and what Odoo says is the brand's
        message = self.post(self.env.ref("base.user_root"))
        self.assertEqual(self.sender(message)[0], "Brand A")

    def test_unknown_placeholders_are_refused(self):
        address = self.address("a@x.example", self.anna)
        with self.assertRaisesRegex(ValidationError, r"Sender Name: \{brand\}"):
            address.with_user(self.anna).sender_name = "{author} at {brand}"

    def test_the_form_shows_the_line(self):
        address = self.address("a@x.example", None, sender_name="{author} at Brand A")
        preview = address.with_user(self.anna).from_preview
        self.assertEqual(preview, "Anna K at Brand A <a@x.example>")

    # Signature and layout

    def test_plain_with_the_authors_own_signature(self):
        self.address("a@x.example", self.anna)
        mail = self.received(self.post(self.anna))
        self.assertIn("Anna's own signature", self.html(mail).replace("&#39;", "'"))
        for foreign in ("<table", "/mail/unfollow", "Powered by", "View Task"):
            self.assertNotIn(foreign, self.html(mail))
        self.assertEqual(self.text(mail).split("--")[0].strip(), "Hello")

    def test_the_addresss_signature_is_for_external_contacts_only(self):
        self.address("a@x.example", self.anna, signature="<p>Brand A, Kyiv</p>")
        self.bohdan.notification_type = "email"
        message = self.post(self.anna)
        mail = self.received(message)
        self.assertIn("Brand A, Kyiv", self.html(mail))
        self.assertIn("Brand A, Kyiv", self.text(mail))
        self.assertNotIn("own signature", self.html(mail))
        colleagues = message.sudo().mail_ids.filtered(
            lambda m: m.recipient_ids == self.bohdan.partner_id
        )
        self.assertIn("own signature", colleagues.body_html)
        self.assertNotIn("Kyiv", colleagues.body_html)
        self.assertIn("Project: Brand A", colleagues.body_html)

    def test_a_message_without_signature_gets_none(self):
        self.address("a@x.example", self.anna, signature="<p>Brand A, Kyiv</p>")
        mail = self.received(self.post(self.anna, email_add_signature=False))
        self.assertNotIn("Kyiv", self.html(mail))

    def test_brand(self):
        self.address(
            "a@x.example",
            self.anna,
            layout="brand",
            brand_logo=base64.b64encode(PNG),
            brand_color="#1a73e8",
            signature="<p>Brand A, Kyiv</p>",
        )
        mail = self.received(self.post(self.anna))
        html = self.html(mail)
        self.assertIn("#1a73e8", html)
        self.assertIn("Brand A, Kyiv", html)
        related = [part for part in mail.walk() if part["Content-ID"]]
        self.assertEqual([part.get_content_type() for part in related], ["image/png"])
        self.assertIn(f'src="cid:{related[0]["Content-ID"][1:-1]}"', html)
        self.assertNotIn("/web/image", html)
        self.assertEqual(self.text(mail).split("--")[0].strip(), "Hello")

    def test_brand_without_logo_names_the_sender(self):
        self.address("a@x.example", None, layout="brand", sender_name="Brand A")
        mail = self.received(self.post(self.anna))
        self.assertNotIn("<img", self.html(mail))
        self.assertIn("Brand A", self.html(mail))

    def test_the_button_is_for_who_can_open_the_record(self):
        self.project_a.privacy_visibility = "portal"
        portal = self.env["res.users"].create(
            {
                "name": "Clara",
                "login": "clara_portal",
                "partner_id": self.customer.id,
                "group_ids": [(6, 0, self.env.ref("base.group_portal").ids)],
            }
        )
        self.assertTrue(portal.share)
        address = self.address("a@x.example", self.anna)
        self.assertNotIn("View Task", self.html(self.received(self.post(self.anna))))
        address.show_record_button = True
        self.assertIn("View Task", self.html(self.received(self.post(self.anna))))
        portal.active = False
        self.assertNotIn("View Task", self.html(self.received(self.post(self.anna))))

    def test_an_explicit_layout_stays(self):
        self.address("a@x.example", self.anna, layout="brand")
        message = self.post(
            self.anna, email_layout_xmlid="mail.mail_notification_light"
        )
        self.assertIn("Powered by", self.html(self.received(message)))

    def test_a_new_signature_or_layout_is_for_later_messages(self):
        address = self.address("a@x.example", self.anna, signature="<p>Old</p>")
        message = self.post(self.anna)
        address.signature = "<p>New</p>"
        self.assertIn("Old", self.html(self.received(message)))

    # Who may change them

    def test_owner_and_manager_change_them_nobody_else(self):
        personal = self.address("a@x.example", self.anna)
        company = self.address("c@x.example")
        values = {
            "signature": "<p>x</p>",
            "layout": "brand",
            "brand_color": "#000000",
            "show_record_button": True,
        }
        personal.with_user(self.anna).write(values)
        company.with_user(self.manager).write(values)
        for address in (personal, company):
            with self.assertRaises(AccessError):
                address.with_user(self.bohdan).write(values)

    def test_a_signature_is_sanitized(self):
        address = self.address("a@x.example", self.anna)
        address.with_user(self.anna).signature = "<p>x<script>alert(1)</script></p>"
        self.assertNotIn("script", address.signature)

    def test_colors_and_logos_that_mail_programs_do_not_know(self):
        address = self.address("a@x.example", self.anna)
        for color in ("red", "#12345", "#123456;background:url(//x.example)"):
            with self.assertRaisesRegex(ValidationError, "Brand Color"):
                address.brand_color = color
        with self.assertRaisesRegex(ValidationError, "Brand Logo"):
            address.with_user(self.env.user).brand_logo = base64.b64encode(SVG)
