from unittest.mock import patch

from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.models import LOG_ACCESS_COLUMNS
from odoo.tests import new_test_user

from ..models import mail_message
from ..tools.trusted_context import Notified, notified, proven_writer
from .common import ExternalAccountCase

# What a mail takes from its message: when it is made, maybe later, or when it leaves.
OUTGOING_FIELDS = {
    *("attachment_ids", "author_guest_id", "author_id", "body", "email_from"),
    *("email_add_signature", "email_layout_xmlid", "incoming_email_cc"),
    *("incoming_email_to", "mail_server_id", "message_id", "message_type", "model"),
    *("outgoing_email_to", "parent_id", "partner_ids", "record_alias_domain_id"),
    *("record_company_id", "reply_to", "reply_to_force_new", "res_id", "subject"),
    *("subtype_id", "tracking_value_ids"),
}


class TestRowsGuard(ExternalAccountCase):
    """Rows of mail for a message that leaves from an external address."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.own = cls.address("anna@own.example", cls.anna)
        cls.message = cls.post(cls, cls.anna)

    def row(self, user=None, **values):
        rows = self.env["mail.mail"].with_user(user or self.bohdan).sudo()
        return rows.create({"body_html": "<p>evil</p>", **values})

    def test_superuser_mode_is_no_right(self):
        for values in (
            {"mail_message_id": self.message.id},
            {"mail_message_id": self.message.id, "subject": "evil"},
            {"sending_address_id": self.own.id},
        ):
            with self.assertRaises(AccessError):
                self.row(**values)
            defaults = {f"default_{name}": value for name, value in values.items()}
            with self.assertRaises(AccessError):
                self.env["mail.mail"].with_context(**defaults).create({})
        self.assertNotEqual(self.message.subject, "evil")

    def test_an_account_comes_with_a_message_of_its_own(self):
        values = {"sending_address_id": self.own.id, "external_address_id": self.own.id}
        values.update(model=self.task._name, res_id=self.task.id)
        with self.assertRaises(UserError):
            self.row(**values)
        row = self.row(self.anna, **values, external_origin="user")
        self.assertTrue(self.own._may_deliver(row.mail_message_id))
        self.assertTrue(row._is_of_its_writer())

    def test_only_the_notified_message_is_free(self):
        other = self.post(self.anna)
        with notified.during(Notified(other.id)):
            self.row(mail_message_id=other.id)
            with self.assertRaises(AccessError):
                self.row(mail_message_id=self.message.id)

    def test_who_made_a_row_counts_on_delivery(self):
        root = self.env.ref("base.user_root")
        for user, expected in ((self.anna, True), (self.bohdan, False), (root, True)):
            with notified.during(Notified(self.message.id)):
                row = self.row(user, mail_message_id=self.message.id)
            self.assertEqual(row._is_of_its_writer(), expected)

    def test_a_row_does_not_change_what_carries_her_address(self):
        """From Odoo's own server; a list's copies, which change nothing, are made."""
        message = self.post(
            self.anna, email_from="anna@own.example", external_address_id=False
        )
        same = {
            "mail_message_id": message.id,
            "subject": message.subject,
            "email_from": message.email_from,
            "reply_to": message.reply_to,
            "attachment_ids": message.attachment_ids.ids,
        }
        self.assertTrue(self.row(**same))
        attachment = self.env["ir.attachment"].create({"name": "x"})
        for change in (
            {"subject": "evil"},
            {"email_from": "anna@own.example, x@y.example"},
            {"attachment_ids": [Command.link(attachment.id)]},
            {"attachment_ids": [Command.create({"name": "y"})]},
        ):
            with self.assertRaises(AccessError):
                self.row(**{**same, **change})
        self.assertTrue(self.row(self.anna, **{**same, "subject": "mine"}))

    def test_an_administrator_makes_no_row_of_her_message(self):
        """One that Odoo's own server sends; nothing of the message would change."""
        message = self.post(
            self.anna, email_from="anna@own.example", external_address_id=False
        )
        admin = new_test_user(self.env, "ext_admin", "base.group_system")
        rows = self.env["mail.mail"].with_user(admin)
        values = {"mail_message_id": message.id, "body_html": "<p>evil</p>"}
        with self.assertRaisesRegex(AccessError, "write a new message"):
            rows.create(values)

    def test_a_personal_server_with_a_limit_divides_the_colleagues_mail(self):
        """Odoo's own feature: what is over the limit of a minute waits."""
        self.task.message_subscribe((self.manager | self.anna).partner_id.ids)
        message = self.post(self.anna)
        row = message.sudo().mail_ids.filtered(lambda m: not m.sending_address_id)
        self.assertEqual(len(row.recipient_ids), 2)
        server = self.env["ir.mail_server"].create(
            {"name": "Anna's", "smtp_host": "localhost", "owner_user_id": self.anna.id}
        )
        parameters = self.env["ir.config_parameter"].sudo()
        parameters.set_param("mail.server.personal.limit.minutes", 1)
        now = row._split_by_delayed_batch(server)
        self.assertEqual(len(now.recipient_ids), 1)
        self.assertEqual(len(row.recipient_ids), 1)
        self.assertTrue(row.scheduled_date)
        self.assertEqual(now.mail_message_id, message)

    def test_mail_that_the_queue_was_faster_with(self):
        [row] = self.external_mails(self.post(self.anna))
        gone = self.env["mail.mail"].create({"body_html": "of Odoo's own server"})
        gone.unlink()
        (gone | row).send()
        self.assertEqual(row.state, "outgoing", "delivery goes on with the others")

    def test_a_callers_context_chooses_no_account(self):
        team = self.address("team@own.example", None, [(self.project_a, True)])
        team.allowed_user_ids = self.manager
        context = {
            "external_address_id": team.id,
            "external_partner_ids": self.customer.ids,
        }
        message = self.post(self.bohdan, self.task.with_context(**context))
        self.assertTrue(message.sudo().mail_ids)
        self.assertFalse(self.external_mails(message))

    def test_every_field_of_a_message_was_thought_about(self):
        """One that core adds is guarded as if it left; readers may have to write it."""
        guarded = self.message._outgoing_among(self.message._fields)
        self.assertEqual(guarded - {"id", *LOG_ACCESS_COLUMNS}, OUTGOING_FIELDS)
        self.assertLessEqual(mail_message.SHOWN_FIELDS, self.message._fields.keys())

    def test_what_nobody_thought_about_is_guarded(self):
        groups = "base.group_system,project.group_project_manager"
        admin = new_test_user(self.env, "ext_admin", groups)
        message = self.message.with_user(admin)
        message.pinned_at = "2026-01-01 00:00:00"
        known = mail_message.SHOWN_FIELDS - {"pinned_at"}
        with (
            patch.object(mail_message, "SHOWN_FIELDS", known),
            self.assertRaisesRegex(AccessError, "Nobody else can change it"),
        ):
            message.pinned_at = False

    def test_commands_inside_other_values_are_the_callers(self):
        """Core carries them out in superuser mode where it has that mode."""
        tasks = self.env["project.task"].with_user(self.bohdan).sudo()
        inside = Command.update(self.message.id, {"body": "evil"})
        binding = Command.create({"address_id": self.own.id})
        projects = self.env["project.project"].with_user(self.bohdan).sudo()
        self.env.transaction.default_env = projects.sudo(False).env
        with self.assertRaises(AccessError):
            tasks.create({"name": "x", "message_ids": [inside]})
        with self.assertRaises(AccessError):
            projects.create({"name": "x", "external_address_binding_ids": [binding]})
        [row] = self.external_mails(self.message)
        waiting = Command.update(row.id, {"body_html": "evil"})
        messages = self.env["mail.message"].with_user(self.bohdan).sudo()
        with self.assertRaises(AccessError):
            messages.create({"mail_ids": [waiting]})


class TestUnproven(ExternalAccountCase):
    """What a mail with an unproven From sets off, as the user of its From."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.own = cls.address("anna@corp.example", cls.anna)

    def carried(self, message):
        rows = self.env["mail.mail"].with_user(self.anna).sudo()
        with notified.during(Notified(message.id)):
            row = rows.create({"mail_message_id": message.id})
        return row._carried_addresses()

    def test_nothing_leaves_from_her_address(self):
        for writer in (0, self.bohdan.id):
            with proven_writer.during(writer):
                message = self.post(self.anna)
            self.assertFalse(message.external_address_id)
            self.assertEqual(message.external_mark, "unproven")
            self.assertFalse(self.carried(message))

    def test_proven_it_does(self):
        with proven_writer.during(self.anna.id):
            message = self.post(self.anna)
        self.assertEqual(message.external_address_id, self.own)
        self.assertFalse(message.external_mark)

    def test_who_has_no_address_is_not_marked(self):
        with proven_writer.during(0):
            self.assertFalse(self.post(self.bohdan).external_mark)

    def test_tracking_belongs_to_the_mail(self):
        """Core posts it just before the commit."""
        self.task.message_subscribe(self.bohdan.partner_id.ids)
        question = self.post(self.anna)
        self.env.flush_all()
        self.env.cr.precommit.run()

        class_ = type(self.env["project.task"])
        update = class_.message_update

        def message_update(task, msg_dict, update_vals=None):
            task.name = "Changed by mail"
            return update(task, msg_dict, update_vals)

        self.patch(class_, "message_update", message_update)
        self.env["mail.thread"].message_process(
            None,
            "From: Anna <anna@corp.example>\nTo: x@corp.example\nSubject: Re\n"
            f"Message-ID: <tracking@x.example>\nIn-Reply-To: {question.message_id}\n\n",
        )
        tracking = self.task.message_ids.filtered("tracking_value_ids")[:1]
        self.assertEqual(tracking.create_uid, self.anna)
        self.assertEqual(tracking.external_mark, "unproven")

    def test_a_claim_without_an_account_is_refused_too(self):
        for claimed in ("mail", "project"):
            with self.assertRaises(UserError):
                self.post(
                    self.bohdan, external_address_id=False, external_origin=claimed
                )

    def test_a_deleted_writer_sends_nothing(self):
        message = self.post(self.anna)
        self.env.cr.execute(
            "UPDATE mail_message SET create_uid = NULL WHERE id = %s", [message.id]
        )
        message.invalidate_recordset()
        company = self.address("team@corp.example")
        self.assertFalse(self.own._may_deliver(message))
        self.assertFalse(company._may_send(message.create_uid))
        self.assertFalse(message._external_from_writers())
