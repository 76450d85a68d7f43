from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import new_test_user

from .common import ExternalAccountCase


class TestAutomaticMail(ExternalAccountCase):
    """Mail that no person writes, and customers' own words for other customers."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.own = cls.address("anna@own.example", cls.anna, [(cls.project_a, True)])
        # Nobody may write from it, but Odoo does in the project's name.
        cls.team = cls.address(
            "team@brand-a.example",
            None,
            [(cls.project_a, True)],
            allowed_user_ids=[Command.link(cls.manager.id)],
        )
        cls.template = cls.env["mail.template"].create(
            {
                "name": "Received",
                "model_id": cls.env["ir.model"]._get_id("project.task"),
                "subject": "We got your request",
                "body_html": "<p>Thank you.</p>",
                "partner_to": "{{ object.partner_id.id }}",
            }
        )
        cls.stage = cls.env["project.task.type"].create(
            {
                "name": "Received",
                "mail_template_id": cls.template.id,
                "project_ids": [Command.set((cls.project_a | cls.project_b).ids)],
            }
        )
        cls.task.partner_id = cls.customer
        cls.flush_tracking()

    @classmethod
    def flush_tracking(cls):
        cls.env.flush_all()
        cls.env.cr.precommit.run()

    def sent_of(self, records):
        return (
            self.env["mail.mail"]
            .search([("model", "=", "project.task"), ("res_id", "in", records.ids)])
            .filtered(lambda mail: mail.subject == "We got your request")
        )

    def move(self, tasks, user=None):
        tasks.with_user(user or self.anna).stage_id = self.stage
        self.flush_tracking()
        return self.sent_of(tasks)

    def test_a_stages_template_leaves_from_the_projects_default(self):
        mail = self.move(self.task)
        self.assertEqual(mail.sending_address_id, self.team)
        self.assertTrue(self.team._may_deliver(mail.mail_message_id))

    def test_of_several_tasks_at_once_too(self):
        tasks = self.task | self.env["project.task"].create(
            {
                "name": "Another",
                "project_id": self.project_a.id,
                "partner_id": self.second.id,
            }
        )
        self.flush_tracking()
        mails = self.move(tasks)
        self.assertEqual(len(mails), 2)
        self.assertEqual(mails.sending_address_id, self.team)
        self.assertEqual(mails.mapped("external_origin"), ["project", "project"])

    def test_without_a_default_it_stays_odoos(self):
        self.team.binding_ids.is_default = False
        self.assertFalse(self.move(self.task).sending_address_id)
        other = self.env["project.task"].create(
            {
                "name": "Other",
                "project_id": self.project_b.id,
                "partner_id": self.customer.id,
            }
        )
        self.flush_tracking()
        self.assertFalse(self.move(other).sending_address_id)

    def test_a_template_with_a_mail_server_of_its_own_keeps_it(self):
        server = self.env["ir.mail_server"].create(
            {"name": "Marketing", "smtp_host": "smtp.marketing.example"}
        )
        self.template.mail_server_id = server
        mail = self.move(self.task)
        self.assertFalse(mail.sending_address_id)
        self.assertEqual(mail.mail_server_id, server)

    def test_rules_and_server_actions(self):
        for method in ("email", "comment"):
            action = self.env["ir.actions.server"].create(
                {
                    "name": "Acknowledge",
                    "model_id": self.env["ir.model"]._get_id("project.task"),
                    "state": "mail_post",
                    "mail_post_method": method,
                    "template_id": self.template.id,
                }
            )
            known = self.sent_of(self.task)
            action.with_context(
                active_model="project.task",
                active_ids=self.task.ids,
                active_id=self.task.id,
            ).run()
            mails = self.sent_of(self.task) - known
            outside = mails.filtered(lambda m: m.recipient_ids <= self.customer)
            self.assertEqual(outside.sending_address_id, self.team, method)

    def test_who_runs_an_action_adds_nothing(self):
        """Core hands their context on to what the action makes in superuser mode."""
        context = {
            "active_model": "project.task",
            "active_ids": self.task.ids,
            "active_id": self.task.id,
            "default_body": "<p>evil</p>",
            "default_body_html": "<p>evil</p>",
            "default_subject": "evil",
            "default_partner_ids": self.second.ids,
            "default_email_cc": "evil@x.example",
            "default_headers": "{'Cc': 'evil@x.example'}",
        }
        for method in ("email", "comment"):
            action = self.env["ir.actions.server"].create(
                {
                    "name": "Acknowledge",
                    "model_id": self.env["ir.model"]._get_id("project.task"),
                    "state": "mail_post",
                    "mail_post_method": method,
                    "template_id": self.template.id,
                }
            )
            known = self.sent_of(self.task)
            action.with_user(self.bohdan).with_context(**context).run()
            for mail in self.sent_of(self.task) - known:
                self.assertIn("Thank you", mail.body_html)
                self.assertNotIn("evil", f"{mail.body}{mail.email_cc}{mail.headers}")
                self.assertNotIn(self.second, mail.recipient_ids)
            self.assertTrue(self.sent_of(self.task) - known, method)

    def test_a_template_that_a_scheduled_action_sends(self):
        bot = self.env.ref("base.user_root")
        known = self.sent_of(self.task)
        self.template.with_user(bot).send_mail(self.task.id)
        self.assertEqual(
            (self.sent_of(self.task) - known).sending_address_id, self.team
        )
        # ... but not what an employee sends
        known = self.sent_of(self.task)
        self.template.with_user(self.anna).send_mail(self.task.id)
        self.assertFalse((self.sent_of(self.task) - known).sending_address_id)

    def test_odoobot(self):
        bot = self.env.ref("base.user_root")
        message = self.post(bot, message_type="notification")
        self.assertEqual(message.external_address_id, self.team)
        self.assertEqual(message.external_origin, "project")

    def test_a_user_does_not_speak_for_the_project(self):
        """Everything that a remote caller can say about their message is no proof."""
        for values in (
            {"message_type": "auto_comment"},
            {"message_type": "notification"},
            {"message_type": "email"},
            {"message_type": "email_outgoing"},
        ):
            message = self.post(self.bohdan, **values)
            self.assertFalse(message.external_address_id, values)
        for claimed in ("project", "mail", "user"):
            with self.assertRaises(UserError):
                self.post(
                    self.bohdan,
                    external_address_id=self.team.id,
                    external_origin=claimed,
                )
        message = self.post(self.bohdan)
        with self.assertRaises(AccessError):
            message.external_origin = "project"

    def test_who_may_use_it_sends_automatic_mail_through_it(self):
        self.manager.group_ids += self.env.ref("project.group_project_user")
        message = self.post(self.manager, message_type="auto_comment")
        self.assertEqual(message.external_address_id, self.team)

    def test_a_customers_words_go_to_the_others_in_the_projects_name(self):
        portal = new_test_user(
            self.env, "ext_portal", "base.group_portal", email="portal@customer.example"
        )
        self.project_a.privacy_visibility = "portal"
        self.task.message_subscribe((portal.partner_id | self.second).ids)
        message = (
            self.task.with_user(portal)
            .sudo()
            .message_post(
                body="My own words",
                message_type="comment",
                subtype_xmlid="mail.mt_comment",
            )
        )
        self.assertEqual(message.external_address_id, self.team)
        mail = self.external_mails(message)
        self.assertNotIn(self.bohdan.partner_id, mail.recipient_ids)
        self.assertIn(self.second, mail.recipient_ids)
        # The project's address without a default will do as well.
        self.team.binding_ids.is_default = False
        again = (
            self.task.with_user(portal)
            .sudo()
            .message_post(
                body="Again", message_type="comment", subtype_xmlid="mail.mt_comment"
            )
        )
        self.assertEqual(again.external_address_id, self.team)
        self.team.active = False
        odoo = (
            self.task.with_user(portal)
            .sudo()
            .message_post(
                body="Once more",
                message_type="comment",
                subtype_xmlid="mail.mt_comment",
            )
        )
        self.assertFalse(odoo.external_address_id)


class TestGateway(ExternalAccountCase):
    """Who wrote a mail decides, not in whose name it came in."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.own = cls.address("anna@own.example", cls.anna, [(cls.project_a, True)])
        cls.team = cls.address("team@brand-a.example", None, [(cls.project_a, False)])
        cls.question = cls.post(cls, cls.anna)
        cls.env["ir.config_parameter"].set_param(
            "mail_external_account.trusted_authserv", "mx.corp.example"
        )

    def arrive(self, sender, results="", user=None):
        """A mail that answers in the task, as the gateway gets it; the message."""
        lines = [f"Authentication-Results: {results}"] if results else []
        lines += [
            f"From: {sender}",
            "To: catchall@corp.example",
            "Subject: Re: Market analysis",
            f"Message-ID: <m{len(self.task.message_ids)}@customer.example>",
            f"In-Reply-To: {self.question.message_id}",
            "",
            "An answer",
        ]
        thread = self.env["mail.thread"]
        thread = thread.with_user(user) if user else thread
        thread.message_process(None, "\n".join(lines))
        message = self.task.message_ids[0]
        self.assertEqual(message.message_type, "email")
        return message

    def test_a_customers_answer_is_relayed_in_the_projects_name(self):
        self.task.message_subscribe(self.second.ids)
        message = self.arrive("Clara <clara@customer.example>")
        self.assertEqual(message.external_address_id, self.team)
        self.assertEqual(self.external_mails(message).recipient_ids, self.second)
        self.team.active = False
        message = self.arrive("Clara <clara@customer.example>")
        self.assertFalse(message.external_address_id)

    def test_an_employees_answer_needs_a_proof(self):
        anna = "Anna <anna@corp.example>"
        self.assertFalse(self.arrive(anna).external_address_id)
        forged = "mx.evil.example; dmarc=pass header.from=corp.example"
        self.assertFalse(self.arrive(anna, forged).external_address_id)
        failed = "mx.corp.example; dmarc=fail header.from=corp.example"
        self.assertFalse(self.arrive(anna, failed).external_address_id)
        proven = "mx.corp.example; dmarc=pass header.from=corp.example"
        message = self.arrive(anna, proven)
        self.assertEqual(message.external_address_id, self.own)
        self.assertEqual(message.external_origin, "mail")
        self.assertTrue(self.own._may_deliver(message))
        # ... and their right still counts when it is delivered
        self.anna.active = False
        self.assertFalse(self.own._may_deliver(message))

    def test_a_remote_caller_of_the_gateway_proves_nothing(self):
        proven = "mx.corp.example; dmarc=pass header.from=corp.example"
        message = self.arrive("Anna <anna@corp.example>", proven, self.bohdan)
        self.assertFalse(message.external_address_id)

    def test_without_a_trusted_server_nothing_is_proven(self):
        self.env["ir.config_parameter"].set_param(
            "mail_external_account.trusted_authserv", ""
        )
        proven = "mx.corp.example; dmarc=pass header.from=corp.example"
        message = self.arrive("Anna <anna@corp.example>", proven)
        self.assertFalse(message.external_address_id)
