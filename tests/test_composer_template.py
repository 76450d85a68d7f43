from odoo.exceptions import AccessError, UserError
from odoo.tests import Form

from .composer_case import ComposerCase


class TestTemplateWithFrom(ComposerCase):
    """A template's From changes the author; the sender stays the user's."""

    def setUp(self):
        super().setUp()
        self.company.email = "info@corp.example"
        self.own = self.address("a@x.example", self.anna)
        self.brand = self.address("c@x.example")
        self.with_from = self.template(
            email_from="{{ object.company_id.email_formatted or user.company_id."
            "email_formatted }}",
            partner_to="{{ object.partner_id.id }}",
        )

    def test_one_record(self):
        for picked, expected in (
            (self.brand.id, self.brand),
            (None, self.own),
            (0, self.own.browse()),
        ):
            composer = self.composer(self.anna).create({"body": "x"})
            if picked is not None:
                composer.external_sender = picked
            composer.template_id = self.with_from
            self.assertEqual(self.senders(composer), [self.own.id, self.brand.id, 0])
            composer._action_send_mail()
            message = self.task.message_ids.sudo()[0]
            self.assertIn("From the template", message.body)
            self.assertEqual(message.author_id, self.company.partner_id)
            self.assertEqual(message.external_address_id, expected)
            self.assertEqual(self.external_mails(message).sending_address_id, expected)

    def test_the_row_stays_in_the_window(self):
        form = Form(self.composer(self.anna), "mail.email_compose_message_wizard_form")
        form.external_sender = self.brand.id
        form.template_id = self.with_from
        self.assertEqual(form.author_id, self.company.partner_id)
        self.assertEqual(self.senders(form)[0], self.own.id)
        form.save().action_send_mail()
        message = self.task.message_ids.sudo()[0]
        self.assertEqual(message.external_address_id, self.brand)

    def test_it_was_there_from_the_start(self):
        composer = self.composer(self.anna, template_id=self.with_from.id).create({})
        self.assertEqual(composer.external_sender, self.own.id)
        composer._action_send_mail()
        message = self.task.message_ids.sudo()[0]
        self.assertEqual(message.author_id, self.company.partner_id)
        self.assertEqual(message.external_address_id, self.own)

    def test_a_server_that_was_taken_out_again(self):
        server = self.env["ir.mail_server"].create(
            {"name": "Own", "smtp_host": "smtp.example.com"}
        )
        other = self.template(mail_server_id=server.id)
        composer = self.composer(self.anna, template_id=other.id).create({})
        self.assertFalse(composer.external_sender_options)
        composer.write({"mail_server_id": False, "template_id": self.with_from.id})
        self.assertEqual(self.senders(composer)[0], self.own.id)
        composer._action_send_mail()
        message = self.task.message_ids.sudo()[0]
        self.assertEqual(message.external_address_id, self.own)

    def test_several_records(self):
        other = self.task.create({"name": "Other", "project_id": self.project_b.id})
        tasks = self.task | other
        for mode in ("comment", "mass_mail"):
            tasks.partner_id = self.customer
            composer = self.composer(
                self.anna, tasks, composition_mode=mode, template_id=self.with_from.id
            ).create({"external_sender": self.brand.id})
            composer._action_send_mail()
            for task in tasks:
                message = task.message_ids.sudo()[0]
                self.assertIn("From the template", message.body)
                self.assertEqual(message.external_address_id, self.brand)

    def test_what_a_caller_posts_in_another_name_stays_cores(self):
        bohdan = self.bohdan.partner_id
        for template in (self.with_from, self.template()):
            composer = self.composer(self.anna, template_id=template.id).create(
                {"author_id": bohdan.id, "email_from": bohdan.email_formatted}
            )
            self.assertFalse(composer.external_sender_options)
            composer._action_send_mail()
            message = self.task.message_ids.sudo()[0]
            self.assertEqual(message.author_id, bohdan)
            self.assertFalse(message.external_address_id)

    def test_nobody_sends_through_what_he_may_not_use(self):
        bohdans = self.address("b@x.example", self.bohdan)
        composer = self.composer(self.anna, template_id=self.with_from.id).create({})
        composer.external_sender = bohdans.id
        with self.assertRaisesRegex(UserError, "Nothing was sent"):
            composer._action_send_mail()

    def test_who_wrote_it_may_send_it_again(self):
        composer = self.composer(self.anna, template_id=self.with_from.id).create({})
        composer._action_send_mail()
        message = self.task.message_ids[0]
        data = message.with_user(self.anna)._external_sender_data()
        self.assertEqual(data["writer_id"], self.anna.id)
        message.with_user(self.anna).action_external_send_again()
        with self.assertRaises(AccessError):
            message.with_user(self.bohdan).action_external_send_again()
