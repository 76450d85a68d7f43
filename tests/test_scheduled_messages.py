from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form

from .composer_case import ScheduledCase


class TestScheduled(ScheduledCase):
    def test_the_pick_waits_with_the_message(self):
        self.address("a@x.example", self.anna)
        company = self.address("c@x.example")
        for picked, expected in ((company.id, company), (0, company.browse())):
            scheduled = self.scheduled(self.anna, external_sender=picked)
            self.assertEqual(scheduled.external_sender, picked)
            self.cron(scheduled)
            message = self.task.message_ids.sudo()[0]
            self.assertIn("Later", message.body)
            self.assertEqual(message.author_id, self.anna.partner_id)
            self.assertEqual(message.external_address_id, expected)

    def test_it_is_editable_before(self):
        address = self.address("a@x.example", self.anna)
        company = self.address("c@x.example")
        scheduled = self.scheduled(self.anna).with_user(self.anna)
        self.assertEqual(scheduled.external_sender, -1, "nobody picked one")
        self.assertEqual(self.senders(scheduled), [address.id, company.id, 0])
        scheduled.external_sender = company.id
        self.cron(scheduled)
        message = self.task.message_ids.sudo()[0]
        self.assertEqual(message.external_address_id, company)

    def test_an_address_that_stopped_being_usable(self):
        """It leaves in no other name; its author gets the text and the reason."""
        self.address("a@x.example", self.anna)
        company = self.address("c@x.example")
        for spoil in (
            lambda: company.write({"allowed_user_ids": [(4, self.bohdan.id)]}),
            lambda: company.unlink(),
        ):
            file = self.env["ir.attachment"].with_user(self.anna)
            file = file.create({"name": "offer.txt", "raw": b"Offer"})
            scheduled = self.scheduled(
                self.anna,
                external_sender=company.id,
                partner_ids=self.second.ids,
                attachment_ids=file.ids,
            )
            scheduled_subject = scheduled.subject
            spoil()
            with self.assertRaisesRegex(UserError, "was not sent.*Choose another"):
                scheduled.with_user(self.anna).post_message()
            self.cron(scheduled)
            self.assertFalse(scheduled.exists())
            notice = self.env["mail.message"].search([], order="id desc", limit=1)
            self.assertEqual(notice.partner_ids, self.anna.partner_id)
            self.assertEqual(
                (notice.model, notice.res_id),
                (
                    "project.task",
                    self.task.id,
                ),
            )
            self.assertIn("Choose another sender", notice.body)
            self.assertIn("Later", notice.body)
            self.assertIn("samuel@customer.example", notice.body)
            self.assertIn(scheduled_subject, notice.body)
            [back] = notice.attachment_ids
            self.assertEqual(back.with_user(self.anna).raw, b"Offer")
            self.assertFalse(back.with_user(self.bohdan).has_access("read"))
            self.assertFalse(
                self.task.message_ids.filtered(
                    lambda m: m.message_type == "comment" and "Later" in m.body
                )
            )
            company.exists().allowed_user_ids = False

    def test_nobody_else_changes_what_leaves_from_an_address(self):
        company = self.address("c@x.example")
        scheduled = self.scheduled(self.anna, external_sender=company.id)
        for user in (self.bohdan, self.manager, self.env.ref("base.user_admin")):
            for vals in (
                {"body": "Not Anna's"},
                {"notification_parameters": "{}"},
                {"external_sender": 0},
            ):
                with self.assertRaises(AccessError, msg=str(vals)):
                    scheduled.with_user(user).write(vals)

    def test_core_keeps_no_context_of_ours(self):
        scheduled = self.scheduled(self.anna)
        self.assertNotIn("external_sender_id", scheduled.send_context or {})

    def test_what_nobody_picked_is_chosen_when_it_is_posted(self):
        own = self.address("a@x.example", self.anna)
        company = self.address("c@x.example")
        self.company.email = "info@corp.example"
        template = self.template(email_from="Corp <info@corp.example>")
        scheduled = self.scheduled(self.anna)
        of_template = self.scheduled(self.anna, template_id=template.id)
        self.assertEqual(of_template.author_id, self.company.partner_id)
        self.assertEqual(
            self.senders(of_template.with_user(self.anna)), [own.id, company.id, 0]
        )
        own.state = "refused"
        self.cron(scheduled | of_template)
        messages = self.task.message_ids.sudo()[:2]
        self.assertEqual(
            messages.author_id, self.anna.partner_id | self.company.partner_id
        )
        for message in messages:
            self.assertEqual(message.external_address_id, company)
        last = self.scheduled(self.anna)
        (own | company).unlink()
        self.cron(last)
        message = self.task.message_ids.sudo()[0]
        self.assertIn("Later", message.body)
        self.assertFalse(message.external_address_id)

    def test_its_signature_goes_with_what_is_chosen_then(self):
        own = self.address("a@x.example", self.anna, signature="<p>Brand a</p>")
        self.address("c@x.example", signature="<p>Brand c</p>")
        body = (
            '<div>Later</div><div class="o-signature-container">'
            '<div data-o-mail-quote="1"><br>-- <br><p>Brand a</p></div>P.S.</div>'
        )
        self.cron(self.scheduled(self.anna, body=body))
        self.assertIn("P.S.", self.task.message_ids[0].body, "as it was written")
        scheduled = self.scheduled(self.anna, body=body)
        own.state = "refused"
        self.cron(scheduled)
        message = self.task.message_ids[0]
        self.assertEqual(message.body.count("Brand c"), 1)
        self.assertNotIn("Brand a", message.body)

    def test_what_was_picked_in_the_chatter_is_a_pick_though_it_is_the_default(self):
        own = self.address("a@x.example", self.anna)
        composer = self.composer(self.anna, external_sender_picked=True).with_context(
            external_sender_id=own.id, external_sender_signature=True
        )
        scheduled = composer.create(
            {
                "body": "<p>Later</p>",
                "scheduled_date": fields.Datetime.now() + timedelta(hours=1),
            }
        )._action_schedule_message()
        self.assertEqual(scheduled.external_sender, own.id)
        self.assertFalse(
            [key for key in scheduled.send_context if "external_sender" in key]
        )

    def test_a_pick_that_only_the_sign_in_stops_waits(self):
        """As a mail does that was written a minute before the refusal."""
        self.address("a@x.example", self.anna)
        for number, stop in enumerate(self.stops()):
            company = self.address(f"c{number}@x.example")
            scheduled = self.scheduled(self.anna, external_sender=company.id)
            stop(company)
            with self.assertRaises(UserError):
                self.post(self.anna, external_address_id=company.id)
            problem = scheduled.with_user(self.anna).external_sender_problem()
            self.assertFalse(problem)
            self.cron(scheduled)
            message = self.task.message_ids.sudo()[0]
            self.assertIn("Later", message.body)
            self.assertEqual(message.external_address_id, company)
            self.assertEqual(self.external_mails(message).state, "outgoing")
            self.assertIn("is stopped", message.external_waiting)

    def stops(self):
        """What stops an address: its account's sign-in, or that it may not send."""
        return (
            lambda address: address.account_id._stop("login_refused", "535 no"),
            lambda address: address._stop("sender_refused", "553 no"),
        )

    def test_a_stopped_pick_that_is_not_his_either_does_not_wait(self):
        self.address("a@x.example", self.anna)
        company = self.address("c@x.example")
        for spoil in (
            {"allowed_user_ids": [(4, self.bohdan.id)]},
            {"binding_ids": [(0, 0, {"project_id": self.project_b.id})]},
        ):
            scheduled = self.scheduled(self.anna, external_sender=company.id)
            company.account_id._stop("login_refused", "535 no")
            company.write(spoil)
            with self.assertRaisesRegex(UserError, "was not sent"):
                scheduled.with_user(self.anna).post_message()
            company.allowed_user_ids = company.binding_ids = False
            company.state = "working"

    def test_the_signature_follows_an_edited_sender(self):
        self.anna.signature = "<p>Anna herself</p>"
        brands = [
            self.address(
                f"{name}@x.example", self.anna, signature=f"<p>Brand {name}</p>"
            )
            for name in "ab"
        ]
        body = (
            '<div>Later</div><div class="o-signature-container">'
            '<div data-o-mail-quote="1"><br>-- <br><p>Brand a</p></div></div>'
        )
        scheduled = self.scheduled(self.anna, body=body)
        with Form(scheduled.with_user(self.anna)) as form:
            form.external_sender = brands[1].id
        self.assertIn("Brand b", scheduled.body)
        self.assertNotIn("Brand a", scheduled.body)
        self.assertIn("Later", scheduled.body)
        with Form(scheduled.with_user(self.anna)) as form:
            form.external_sender = 0
        self.assertIn("Anna herself", scheduled.body)
