from odoo.tests import Form

from .composer_case import ComposerCase

FORM = "mail.email_compose_message_wizard_form"
TEXT = "<div>Hello</div>"


class TestWrittenSignature(ComposerCase):
    """The signature below the text in the full composer."""

    def chatters(self, sender, body=TEXT, signature=True):
        """The full composer as the chatter opens it.

        :param bool signature: False when the writer has deleted it
        """
        composer = self.composer(self.anna, body=body, email_add_signature=False)
        context = {
            "external_sender_id": sender.id if sender else 0,
            "external_sender_signature": signature,
        }
        return Form(composer.with_context(**context), FORM)

    def test_the_signature_in_the_text_follows_the_sender(self):
        self.anna.signature = "<p>Anna herself</p>"
        own = self.address("a@x.example", self.anna)
        brand = self.address("b@x.example", self.anna, signature="<p>Brand B</p>")
        body = (
            '<div>Hello</div><div class="o-signature-container">'
            '<div data-o-mail-quote="1"><br>-- <br><p>Anna herself</p></div></div>'
        )
        form = self.chatters(brand, body)
        self.assertIn("Brand B", form.body)
        self.assertNotIn("Anna herself", form.body)
        form.external_sender = own.id
        self.assertIn("Anna herself", form.body)
        self.assertNotIn("Brand B", form.body)
        form.body = "<div>Without a signature</div>"
        form.external_sender = brand.id
        self.assertNotIn("Brand B", form.body)

    def test_who_has_none_of_his_own_gets_the_addresss(self):
        """Core leaves the signature out then; the plain chatter adds the address's."""
        self.anna.signature = False
        own = self.address("a@x.example", self.anna)
        brand = self.address("b@x.example", self.anna, signature="<p>Brand B</p>")
        form = self.chatters(brand)
        self.assertEqual(form.body.count("Brand B"), 1)
        form.external_sender = own.id
        self.assertNotIn("Brand B", form.body)
        form.external_sender = brand.id
        self.assertEqual(form.body.count("Brand B"), 1)
        form = self.chatters(None)
        self.assertNotIn("Brand B", form.body)
        form.external_sender = brand.id
        self.assertEqual(form.body.count("Brand B"), 1)
        form.save().action_send_mail()
        message = self.task.message_ids.sudo()[0]
        self.assertEqual(message.body.count("Brand B"), 1)
        mail = self.external_mails(message)
        self.assertEqual(mail.body_html.count("Brand B"), 1)

    def test_what_the_writer_deleted_stays_deleted(self):
        self.anna.signature = False
        brand = self.address("b@x.example", self.anna, signature="<p>Brand B</p>")
        form = self.chatters(brand, signature=False)
        self.assertNotIn("Brand B", form.body)
        form.external_sender = 0
        form.external_sender = brand.id
        self.assertNotIn("Brand B", form.body)

    def test_without_any_signature_the_text_stays_as_it_is(self):
        self.anna.signature = False
        address = self.address("a@x.example", self.anna, signature="<p><br></p>")
        form = self.chatters(address)
        self.assertNotIn("signature", form.body)
        self.assertEqual(form.body, TEXT)
