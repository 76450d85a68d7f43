from odoo.fields import Command

from .common import ExternalAccountCase


class TestSenderNotes(ExternalAccountCase):
    """What is no message to the followers, and reaches a customer all the same."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.own = cls.address("anna@own.example", cls.anna)
        cls.team = cls.address(
            "team@brand-a.example",
            None,
            [(cls.project_a, True)],
            allowed_user_ids=[Command.link(cls.manager.id)],
        )

    def mail_to(self, partner):
        """The newest mail that the partner gets."""
        domain = [("recipient_ids", "in", partner.ids)]
        return self.env["mail.mail"].search(domain, order="id desc", limit=1)

    def test_a_customer_who_is_mentioned_in_a_note(self):
        note = self.post(
            self.anna, subtype_xmlid="mail.mt_note", partner_ids=self.second.ids
        )
        self.assertEqual(note.external_address_id, self.own)
        self.assertEqual(self.external_mails(note).recipient_ids, self.second)

    def test_a_colleague_who_is_mentioned_in_a_note(self):
        self.bohdan.notification_type = "email"
        for user in (self.anna, self.env.ref("base.user_root")):
            note = self.post(
                user,
                subtype_xmlid="mail.mt_note",
                partner_ids=self.bohdan.partner_id.ids,
            )
            self.assertFalse(note.external_address_id)
            self.assertTrue(note.sudo().mail_ids)

    def test_a_log_note_of_odoobot_was_not_sent_through_anything(self):
        note = self.task.with_user(self.env.ref("base.user_root"))._message_log(
            body="Something happened"
        )
        self.assertFalse(note.external_address_id)

    def test_an_invitation_to_the_portal(self):
        self.project_a.privacy_visibility = "portal"
        wizard = (
            self.env["portal.share"]
            .with_user(self.anna)
            .create(
                {
                    "res_model": "project.task",
                    "res_id": self.task.id,
                    "partner_ids": [Command.link(self.second.id)],
                    "note": "Have a look",
                }
            )
        )
        wizard.action_send_mail()
        mail = self.mail_to(self.second)
        self.assertIn("Have a look", mail.body_html)
        self.assertEqual(mail.sending_address_id, self.own)
        self.assertTrue(self.own._may_deliver(mail.mail_message_id))

    def test_a_notification_of_its_own(self):
        """As the invitation of a new follower is one."""
        self.task.with_user(self.anna).message_notify(
            partner_ids=self.second.ids, subject="Invited", body="Anna invited you"
        )
        self.assertEqual(self.mail_to(self.second).sending_address_id, self.own)
        self.bohdan.notification_type = "email"
        self.task.with_user(self.anna).message_notify(
            partner_ids=self.bohdan.partner_id.ids, subject="Hi", body="Hi"
        )
        self.assertFalse(self.mail_to(self.bohdan.partner_id).sending_address_id)

    def test_a_change_that_customers_follow_is_told_by_the_project(self):
        """No person writes it, whoever changed the stage."""
        subtype = self.env.ref("project.mt_task_stage")
        self.task.message_subscribe(self.customer.ids, subtype_ids=subtype.ids)
        self.env.flush_all()
        self.env.cr.precommit.run()
        stage = self.env["project.task.type"].create(
            {"name": "Next", "project_ids": [Command.link(self.project_a.id)]}
        )
        self.task.with_user(self.anna).stage_id = stage
        self.env.flush_all()
        self.env.cr.precommit.run()
        mail = self.mail_to(self.customer)
        self.assertEqual(mail.mail_message_id.subtype_id, subtype)
        self.assertEqual(mail.sending_address_id, self.team)
        self.assertTrue(self.team._may_deliver(mail.mail_message_id))


class TestAutomaticLook(ExternalAccountCase):
    """Core's code asks for a layout of Odoo's where nobody chose one."""

    def test_a_stages_template_has_the_addresss_look(self):
        self.project_a.privacy_visibility = "portal"
        address = self.address("team@x.example", None, [(self.project_a, True)])
        template = self.env["mail.template"].create(
            {
                "name": "Received",
                "model_id": self.env["ir.model"]._get_id("project.task"),
                "subject": "We got your request",
                "body_html": "<p>Thank you.</p>",
                "partner_to": "{{ object.partner_id.id }}",
            }
        )
        stage = self.env["project.task.type"].create(
            {
                "name": "Received",
                "mail_template_id": template.id,
                "project_ids": [Command.set(self.project_a.ids)],
            }
        )
        self.task.partner_id = self.customer
        self.env.flush_all()
        self.env.cr.precommit.run()
        self.task.with_user(self.anna).stage_id = stage
        self.env.flush_all()
        self.env.cr.precommit.run()
        mail = self.env["mail.mail"].search(
            [("subject", "=", "We got your request")], order="id desc", limit=1
        )
        self.assertEqual(mail.sending_address_id, address)
        self.assertIn("Thank you.", mail.body_html)
        for foreign in ("Powered by", "View Task", "/mail/view", "<table"):
            self.assertNotIn(foreign, mail.body_html)
