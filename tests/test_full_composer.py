from odoo.exceptions import UserError

from .composer_case import ComposerCase


class TestFullComposer(ComposerCase):
    def test_the_list_is_the_chatters(self):
        bound = self.address("a@x.example", self.anna, [(self.project_a, True)])
        company = self.address("c@x.example")
        self.address("b@x.example", self.anna, [(self.project_b, True)])
        composer = self.composer(self.anna).create({"body": "x"})
        self.assertEqual(self.senders(composer), [bound.id, company.id, 0])
        best = composer.external_sender_options[0]
        self.assertEqual(best["reason"], "personal default for “Brand A”")
        self.assertEqual(composer.external_sender, bound.id)

    def test_the_pick_is_used(self):
        address = self.address("a@x.example", self.anna)
        company = self.address("c@x.example")
        for picked, expected in (
            (company.id, company),
            (address.id, address),
            (0, address.browse()),
        ):
            composer = self.composer(self.anna).create({"body": "x"})
            composer.external_sender = picked
            composer._action_send_mail()
            message = self.task.message_ids.sudo()[0]
            self.assertEqual(message.external_address_id, expected)

    def test_nobody_sends_through_what_he_may_not_use(self):
        self.address("a@x.example", self.anna)
        bohdans = self.address("b@x.example", self.bohdan)
        composer = self.composer(self.anna).create({"body": "x"})
        composer.external_sender = bohdans.id
        with self.assertRaisesRegex(UserError, "Nothing was sent.*Market analysis"):
            composer._action_send_mail()

    def test_notes_and_what_has_its_own_server_have_no_from(self):
        address = self.address("a@x.example", self.anna)
        note = self.composer(self.anna, subtype_xmlid="mail.mt_note")
        composer = note.with_context(default_subtype_xmlid="mail.mt_note").create(
            {"body": "x", "subtype_id": self.env.ref("mail.mt_note").id}
        )
        self.assertFalse(composer.external_sender_options)
        composer._action_send_mail()
        self.assertFalse(self.task.message_ids.sudo()[0].external_address_id)
        server = self.env["ir.mail_server"].create(
            {"name": "Own", "smtp_host": "smtp.example.com"}
        )
        template = self.template(mail_server_id=server.id)
        composer = self.composer(self.anna).create({"body": "x"})
        self.assertEqual(composer.external_sender, address.id)
        composer.template_id = template
        self.assertFalse(composer.external_sender_options)
        composer._action_send_mail()
        message = self.task.message_ids.sudo()[0]
        self.assertEqual(message.mail_server_id, server)
        self.assertFalse(self.external_mails(message))

    def test_a_template_keeps_the_picked_sender(self):
        self.address("a@x.example", self.anna)
        company = self.address("c@x.example")
        template = self.template()
        composer = self.composer(self.anna).create({"body": "x"})
        composer.external_sender = company.id
        composer.template_id = template
        composer._action_send_mail()
        message = self.task.message_ids.sudo()[0]
        self.assertIn("From the template", message.body)
        self.assertEqual(message.external_address_id, company)

    def test_several_records_each_with_its_own_default(self):
        bound = self.address("a@x.example", self.anna, [(self.project_a, True)])
        elsewhere = self.address("b@x.example", self.anna, [(self.project_b, True)])
        other = self.task.create({"name": "Other", "project_id": self.project_b.id})
        other.message_subscribe(self.customer.ids)
        tasks = self.task | other
        composer = self.composer(self.anna, tasks).create({"body": "x", "subject": "S"})
        self.assertEqual(self.senders(composer)[0], -1)
        composer._action_send_mail()
        self.assertEqual(self.task.message_ids.sudo()[0].external_address_id, bound)
        self.assertEqual(other.message_ids.sudo()[0].external_address_id, elsewhere)
        before = len(tasks.message_ids)
        composer = self.composer(self.anna, tasks).create(
            {"body": "x", "subject": "S", "external_sender": bound.id}
        )
        with self.assertRaisesRegex(UserError, "Nothing was sent.*“Other”"):
            composer._action_send_mail()
        self.assertEqual(len(tasks.message_ids), before)

    def test_another_models_chatter(self):
        address = self.address("a@x.example", self.anna)
        composer = self.composer(self.anna, self.customer).create(
            {"body": "x", "partner_ids": self.second.ids}
        )
        self.assertEqual(self.senders(composer), [address.id, 0])
        composer._action_send_mail()
        message = self.customer.message_ids.sudo()[0]
        self.assertEqual(message.external_address_id, address)
        self.assertEqual(self.external_mails(message).recipient_ids, self.second)


class TestMassMode(ComposerCase):
    def setUp(self):
        super().setUp()
        self.other = self.task.create(
            {
                "name": "Other",
                "project_id": self.project_b.id,
                "partner_id": self.second.id,
            }
        )
        self.task.partner_id = self.customer
        self.tasks = self.task | self.other

    def mass(self, user, **values):
        composer = self.composer(user, self.tasks, composition_mode="mass_mail")
        return composer.create({"subject": "S", "body": "<p>Offer</p>", **values})

    def test_each_record_resolves_its_own_default(self):
        bound = self.address("a@x.example", self.anna, [(self.project_a, True)])
        mails, _messages = self.mass(self.anna)._action_send_mail()
        by_task = {mail.res_id: mail for mail in mails}
        mail = by_task[self.task.id]
        self.assertEqual(mail.sending_address_id, bound)
        self.assertEqual(mail.mail_message_id.external_address_id, bound)
        self.assertEqual(mail.recipient_ids, self.customer)
        self.assertEqual(mail.state, "outgoing", "only queued, whatever is forced")
        other = by_task[self.other.id]
        self.assertFalse(other.sending_address_id)
        self.assertFalse(other.mail_message_id.external_address_id)

    def test_the_picked_one_for_all_or_a_clear_refusal(self):
        bound = self.address("a@x.example", self.anna, [(self.project_a, True)])
        company = self.address("c@x.example")
        mails, _m = self.mass(self.anna, external_sender=company.id)._action_send_mail()
        self.assertEqual(mails.sending_address_id, company)
        self.assertEqual(len(mails), 2)
        composer = self.mass(self.anna, external_sender=bound.id)
        count = self.env["mail.mail"].search_count([])
        with self.assertRaisesRegex(UserError, "Nothing was sent.*“Other”.*Choose"):
            composer._action_send_mail()
        self.assertEqual(self.env["mail.mail"].search_count([]), count)

    def test_odoos_own_server(self):
        self.address("c@x.example")
        mails, _m = self.mass(self.anna, external_sender=0)._action_send_mail()
        self.assertFalse(mails.sending_address_id)
        self.assertFalse(mails.mail_message_id.external_address_id)

    def test_colleagues_get_a_mail_of_their_own(self):
        address = self.address("c@x.example", layout="brand", brand_color="#1a73e8")
        composer = self.mass(self.anna, auto_delete=False)
        composer.partner_ids = self.customer | self.bohdan.partner_id
        composer._action_send_mail()
        message = self.task.message_ids.sudo()[0]
        mails = {mail.recipient_ids: mail for mail in message.mail_ids}
        self.assertEqual(mails[self.customer].sending_address_id, address)
        self.assertIn("#1a73e8", mails[self.customer].body_html)
        colleagues = mails[self.bohdan.partner_id]
        self.assertFalse(colleagues.sending_address_id)
        self.assertNotIn("#1a73e8", colleagues.body_html)
        self.assertIn("Offer", colleagues.body_html)
        self.assertEqual(
            message.notification_ids.res_partner_id,
            self.customer | self.bohdan.partner_id,
        )

    def test_only_colleagues_need_no_account(self):
        self.address("c@x.example")
        composer = self.mass(self.anna)
        composer.partner_ids = self.bohdan.partner_id
        mails, _m = composer._action_send_mail()
        self.assertFalse(mails.sending_address_id)
        self.assertFalse(mails.mail_message_id.external_address_id)

    def test_reply_to_stays_cores(self):
        without, _m = self.mass(self.anna)._action_send_mail()
        expected = without.mapped("reply_to")
        self.address("c@x.example")
        mails, _m = self.mass(self.anna)._action_send_mail()
        self.assertEqual(mails.mapped("reply_to"), expected)
