"""Messages are moved to another record: what has left for good, by who may."""

from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import new_test_user

from .common import IntakeCase


class TestMovedMessages(IntakeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        groups = "base.group_system,project.group_project_manager"
        cls.merger = new_test_user(
            cls.env, "ext_merger", groups, email="merger@corp.example"
        )
        cls.target = cls.env["project.task"].create(
            {"name": "Merged into", "project_id": cls.project_a.id}
        )
        cls.target.message_subscribe(cls.bohdan.partner_id.ids)
        cls.question.sudo().mail_ids.unlink()  # as they are after they left

    def move(self, message, user=None, **values):
        message = message.with_user(user or self.merger)
        message.write({"res_id": self.target.id, **values})
        self.assertEqual(message.res_id, self.target.id)

    def assert_stays(self, message, user=None, words="moved|move it", **values):
        with self.assertRaisesRegex(AccessError, words), self.env.cr.savepoint():
            self.move(message, user, **values)
        self.env.invalidate_all()
        self.assertEqual(message.res_id, self.task.id)

    def test_what_has_left_moves_and_answers_follow(self):
        self.move(self.question, model="project.task", parent_id=False)
        self.assertEqual(self.question.external_address_id, self.own)
        self.take_in(self.mail())
        [answer] = self.target.message_ids.filtered(
            lambda message: message.message_type == "email"
        )
        self.assertEqual(answer.author_id, self.customer)
        self.assertFalse(answer.external_mark)
        self.move_back_and_forth(answer)

    def move_back_and_forth(self, answer):
        """What came in moves, too, and its row in "Received" shows where it is."""
        arrival = self.env["mail.external.arrival"].search(
            [("mail_message_id", "=", answer.id)]
        )
        answer.with_user(self.merger).res_id = self.task.id
        self.assertEqual(arrival.mail_message_id, answer)
        self.assertIn(answer, self.task.message_ids)

    def test_what_waits_or_failed_or_is_told_later_stays(self):
        waiting = self.post(self.anna)
        failed = self.post(self.anna)
        self.external_mails(failed)._fail_external("Not today")
        later = self.post(
            self.anna, scheduled_date=fields.Datetime.now() + timedelta(days=1)
        )
        for message in (waiting, failed, later):
            self.assert_stays(message, words="Anna K.*wait, or cancel")
        self.external_mails(waiting).cancel()
        waiting.sudo().mail_ids.unlink()
        self.move(waiting)

    def test_a_project_speaks(self):
        """Nobody's own message, and one of all at once."""
        team = self.address("team@brand-a.example", None, [(self.project_a, True)])
        customer = new_test_user(
            self.env, "ext_customer", "base.group_portal", email="portal@x.example"
        )
        self.task.message_subscribe(customer.partner_id.ids)
        self.project_a.privacy_visibility = "portal"
        # as the route of the portal posts it
        words = (
            self.task.with_user(customer)
            .sudo()
            .message_post(
                body="Hello",
                message_type="comment",
                subtype_xmlid="mail.mt_comment",
            )
        )
        self.assertEqual(words.sudo().external_address_id, team)
        self.assert_stays(words)
        with self.assertRaises(AccessError), self.env.cr.savepoint():
            (self.question | words).with_user(self.merger).res_id = self.target.id
        self.env.invalidate_all()
        self.assertEqual(self.question.res_id, self.task.id, "all or none")
        words.sudo().mail_ids.unlink()
        self.move(words)

    def test_nothing_else_is_changed_on_the_way(self):
        for name, value in {
            "body": "<p>Other words</p>",
            "email_from": "merger@corp.example",
            "author_id": self.merger.partner_id.id,
            "partner_ids": [(4, self.second.id)],
            "subject": "Other",
            "reply_to": "merger@corp.example",
        }.items():
            with self.subTest(name):
                self.assert_stays(self.question, words="Nobody else", **{name: value})

    def test_only_who_may_write_on_both_and_administers(self):
        self.assert_stays(self.question, self.manager, words="Nobody else")
        for name in ("parent_id", "record_company_id"):
            with self.assertRaises(AccessError), self.env.cr.savepoint():
                self.question.with_user(self.manager).write({name: False})
        self.assert_stays(self.question, self.anna, words="Only administrators")
        brand = self.env["res.company"].create({"name": "Brand"})
        project = self.env["project.project"].create(
            {"name": "Of the brand", "company_id": brand.id}
        )
        self.target.project_id = project
        self.assert_stays(self.question, words="mail.message|Message")

    def test_superuser_mode_moves_as_ever(self):
        """As crm does."""
        waiting = self.post(self.anna)
        waiting.with_user(self.merger).sudo().write({"res_id": self.target.id})
        self.assertEqual(waiting.res_id, self.target.id)
