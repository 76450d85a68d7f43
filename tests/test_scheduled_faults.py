"""A scheduled message that is wrong, and who may send and change one."""

import json
from datetime import timedelta

from odoo import fields
from odoo.addons.mail.tools.discuss import Store
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user
from odoo.tools import mute_logger

from .composer_case import ScheduledCase

# No person's client writes these; a remote call of any employee can.
UNREADABLE = ("x", "[]", "7", "[" * 50_000)
NO_ACCOUNTS = ("abc", "7", 1.5, True, [7], {"id": 7}, 10**30, -7)


class TestScheduledFaults(ScheduledCase):
    def typed(self, parameters, user=None, **values):
        """A scheduled message as a remote call creates it."""
        user = user or self.anna
        return (
            self.env["mail.scheduled.message"]
            .with_user(user)
            .create(
                {
                    "model": "project.task",
                    "res_id": self.task.id,
                    "body": "<p>Typed</p>",
                    "scheduled_date": fields.Datetime.now() + timedelta(hours=1),
                    "author_id": user.partner_id.id,
                    "notification_parameters": parameters,
                    **values,
                }
            )
        )

    @mute_logger(
        "odoo.addons.mail.models.mail_scheduled_message",
        "odoo.addons.mail_external_account.models.mail_scheduled_message",
    )
    def assert_fails_alone(self, bad, told="Typed"):
        """The others leave, its creator gets its text back, and it is gone."""
        good = self.scheduled(self.bohdan, body="<p>Sound</p>")
        last = self.env["mail.message"].search([], order="id desc", limit=1)
        self.cron(bad | good)
        self.assertFalse((bad | good).exists())
        new = self.env["mail.message"].search([("id", ">", last.id)])
        posted = new.filtered(lambda message: message.message_type == "comment")
        self.assertEqual(len(posted), 1)
        self.assertIn("Sound", posted.body)
        if told is None:
            return
        notice = new.filtered(lambda m: m.partner_ids == self.anna.partner_id)
        self.assertEqual(notice.subject, "A scheduled message could not be sent")
        self.assertIn(told, notice.body)

    def test_one_that_cannot_be_read(self):
        self.address("a@x.example", self.anna)
        for parameters in UNREADABLE:
            with self.subTest(parameters=parameters[:5]):
                bad = self.typed(parameters)
                Store().add(bad.with_user(self.bohdan)).get_result()
                self.assertEqual(bad.external_sender, -1)
                self.assert_fails_alone(bad)

    def test_one_whose_sender_is_no_account(self):
        self.address("a@x.example", self.anna)
        for value in NO_ACCOUNTS:
            with self.subTest(value=value):
                bad = self.typed(json.dumps({"external_address_id": value}))
                Store().add(bad.with_user(self.bohdan)).get_result()
                self.assert_fails_alone(bad)

    def test_one_that_cannot_be_read_without_any_account(self):
        for parameters in UNREADABLE:
            with self.subTest(parameters=parameters[:5]):
                self.assert_fails_alone(self.typed(parameters))

    def test_an_edited_sender_mends_what_could_not_be_read(self):
        address = self.address("a@x.example", self.anna)
        bad = self.typed("[]")
        bad.external_sender = address.id
        self.cron(bad)
        message = self.task.message_ids.sudo()[0]
        self.assertEqual(message.external_address_id, address)

    def test_one_whose_record_is_gone(self):
        """Deleted by the database, past what deletes its messages with a record."""
        own = self.address("a@x.example", self.anna)
        for parameters in (
            {"external_address_id": own.id},
            {"external_address_id": -1, "external_signed_for": 0},
        ):
            project = self.env["project.project"].create({"name": "Short"})
            milestone = self.env["project.milestone"].create(
                {"name": "First", "project_id": project.id}
            )
            bad = self.typed(
                json.dumps(parameters), model=milestone._name, res_id=milestone.id
            )
            project.unlink()
            self.assertTrue(bad.exists())
            self.assert_fails_alone(bad)

    def test_one_whose_record_and_sender_are_gone(self):
        company = self.address("c@x.example")
        self.address("a@x.example", self.anna)
        channel = self.env["discuss.channel"].with_user(self.anna)
        channel = channel._create_group(self.bohdan.partner_id.ids)
        bad = self.typed(
            json.dumps({"external_address_id": company.id}),
            model="res.partner",
            res_id=self.second.id,
        )
        of_channel = bad.copy({"model": channel._name, "res_id": channel.id})
        company.unlink()
        self.env.cr.execute("DELETE FROM res_partner WHERE id = %s", self.second.ids)
        self.env.cr.execute("DELETE FROM discuss_channel WHERE id = %s", channel.ids)
        self.assert_fails_alone(bad)
        self.assert_fails_alone(of_channel)

    def test_one_whose_module_is_gone(self):
        own = self.address("a@x.example", self.anna)
        for parameters in (
            {"external_address_id": own.id},
            {"external_address_id": -1, "external_signed_for": 0},
        ):
            bad = self.typed(json.dumps(parameters))
            self.env.cr.execute(
                "UPDATE mail_scheduled_message SET model = 'no.such' WHERE id = %s",
                bad.ids,
            )
            self.assert_fails_alone(bad)

    def test_one_whose_author_cannot_be_told(self):
        """Otherwise all that was posted before would be posted again."""
        self.address("a@x.example", self.anna)
        company = self.address("c@x.example")
        bad = self.scheduled(self.anna, external_sender=company.id)
        company.allowed_user_ids = self.manager
        self.env.cr.execute(
            "UPDATE res_partner SET lang = 'xx_XX' WHERE id = %s",
            self.anna.partner_id.ids,
        )
        self.assert_fails_alone(bad, told=None)

    def test_a_sender_that_is_no_number_names_no_account(self):
        """The database reads more as a number than the check of the sender does."""
        address = self.address("hidden@x.example", self.anna)
        for value in (str(address.id), float(address.id)):
            for create in (
                lambda value: self.post(self.bohdan, external_address_id=value),
                lambda value: (
                    self.env["mail.message"]
                    .with_user(self.bohdan)
                    .create(
                        {
                            "model": "project.task",
                            "res_id": self.task.id,
                            "body": "x",
                            "external_address_id": value,
                        }
                    )
                ),
            ):
                with self.assertRaisesRegex(UserError, "Choose another sender"):
                    create(value)

    # Send Now

    def administrator(self, **values):
        groups = "base.group_user,base.group_system,project.group_project_user"
        return new_test_user(self.env, "ext_admin", groups, **values)

    def send_now(self, scheduled, user):
        """What the button of the chatter calls."""
        scheduled = scheduled.with_user(user)
        self.env.invalidate_all()
        problem = scheduled.external_sender_problem()
        if not problem:
            scheduled.post_message()
        return problem

    def test_an_administrator_sends_a_colleagues_now(self):
        self.address("a@x.example", self.anna)
        address = self.address("c@x.example")
        scheduled = self.scheduled(self.anna, external_sender=address.id)
        self.assertFalse(self.send_now(scheduled, self.administrator()))
        self.assertFalse(scheduled.exists())
        message = self.task.message_ids.sudo()[0]
        self.assertEqual(message.author_id, self.anna.partner_id)
        self.assertEqual(message.external_address_id, address)
        self.assertEqual(self.external_mails(message).create_uid, self.anna)

    def test_it_leaves_by_what_the_creator_may_use(self):
        admin = self.administrator()
        self.address("admin@x.example", admin)
        own = self.address("a@x.example", self.anna)
        company = self.address("c@x.example")
        scheduled = self.scheduled(self.anna, external_sender=company.id)
        company.allowed_user_ids = admin
        self.assertIn("Choose another sender", self.send_now(scheduled, admin))
        self.assertTrue(scheduled.exists())
        unpicked = self.typed(json.dumps({"external_address_id": -1}))
        self.assertFalse(self.send_now(unpicked, admin))
        message = self.task.message_ids.sudo()[0]
        self.assertEqual(message.external_address_id, own)

    def test_it_is_signed_for_what_it_leaves_from(self):
        """On a record of no company: by the companies that its creator worked in."""
        other = self.env["res.company"].create({"name": "Other"})
        self.anna.company_ids += other
        for company, name, sequence in ((other, "b", 1), (self.company, "c", 2)):
            self.address(
                f"{name}@x.example",
                company_id=company.id,
                sequence=sequence,
                signature=f"<p>Brand {name}</p>",
            )
        self.assertFalse(self.task.company_id)
        body = (
            '<div>Later</div><div class="o-signature-container">'
            '<div data-o-mail-quote="1"><br>-- <br><p>Brand c</p></div></div>'
        )
        composer = self.composer(self.anna).with_context(
            allowed_company_ids=self.company.ids
        )
        later = fields.Datetime.now() + timedelta(hours=1)
        composer = composer.create({"body": body, "scheduled_date": later})
        self.cron(composer._action_schedule_message())
        message = self.task.message_ids.sudo()[0]
        self.assertEqual(message.external_address_id.email, "c@x.example")
        self.assertIn("Brand c", message.body)

    def test_nobody_else_sends_it_now(self):
        company = self.address("c@x.example")
        scheduled = self.scheduled(self.anna, external_sender=company.id)
        with self.assertRaisesRegex(UserError, "not allowed to send"):
            self.send_now(scheduled, self.bohdan)
        company.allowed_user_ids = self.manager
        asked = scheduled.with_user(self.bohdan)
        self.assertFalse(asked.external_sender_problem(), "not their business")

    def test_what_was_sent_meanwhile_is_no_problem(self):
        company = self.address("c@x.example")
        scheduled = self.scheduled(self.anna, external_sender=company.id)
        self.cron(scheduled)
        asked = scheduled.with_user(self.anna)
        self.assertFalse(asked.external_sender_problem())

    # Changes

    def test_what_a_template_says_does_not_stop_its_creators_changes(self):
        self.address("b@x.example", self.bohdan)
        template = self.template(email_from="Bohdan <b@x.example>")
        scheduled = self.scheduled(self.anna, template_id=template.id)
        parameters = json.loads(scheduled.notification_parameters)
        self.assertIn("b@x.example", parameters["email_from"])
        scheduled = scheduled.with_user(self.anna)
        later = fields.Datetime.now() + timedelta(days=1)
        scheduled.write({"scheduled_date": later})
        scheduled.write({"body": "<p>Better</p>"})
        scheduled.external_sender = 0
        scheduled.write({"author_id": scheduled.author_id.id})
        self.assertIn("Better", scheduled.body)
        self.assertEqual(scheduled.scheduled_date, later)

    def test_nobody_types_a_from_later(self):
        self.address("b@x.example", self.bohdan)
        self.bohdan.email = "b@x.example"
        template = self.template(email_from="Bohdan <b@x.example>")
        of_template = self.scheduled(self.anna, template_id=template.id)
        own = self.scheduled(self.anna)
        typed = {"notification_parameters": '{"email_from": "x <b@x.example>"}'}
        for scheduled, changes in (
            (own, ({"author_id": self.bohdan.partner_id.id}, typed)),
            (of_template, (typed,)),
        ):
            for vals in changes:
                with self.assertRaises(AccessError, msg=str(vals)):
                    scheduled.with_user(self.anna).write(vals)

    def test_an_author_is_checked_however_he_is_typed(self):
        self.address("b@x.example", self.bohdan)
        self.bohdan.email = "b@x.example"
        partner = self.bohdan.partner_id.id
        for author in (partner, str(partner), float(partner)):
            with self.assertRaises(AccessError, msg=repr(author)):
                self.typed("{}", author_id=author)
