"""What waits for an address that is archived, deleted or uninstalled."""

from datetime import timedelta

from odoo import fields
from odoo.tests import new_test_user

from ..hooks import uninstall_hook
from .composer_case import ScheduledCase

GONE = "not used any more"


class TestWaitingWhenGone(ScheduledCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.own = cls.address("anna@own.example", cls.anna)
        cls.env["mail.alias.domain"].search([]).unlink()

    def deferred(self, **values):
        """A message of which nobody is told yet."""
        later = fields.Datetime.now() + timedelta(days=1)
        message = self.post(self.anna, scheduled_date=later, **values)
        schedule = self.env["mail.message.schedule"].search(
            [("mail_message_id", "=", message.id)]
        )
        self.assertTrue(schedule)
        return message.sudo(), schedule

    def tell(self, schedule):
        """It is due."""
        schedule.scheduled_datetime = fields.Datetime.now() - timedelta(minutes=1)
        self.env.flush_all()
        self.env.invalidate_all()
        self.env["mail.message.schedule"]._send_notifications_cron()
        self.assertFalse(schedule.exists())

    def state_of(self, message, partner):
        message.invalidate_recordset(["notification_ids"])
        [one] = message.notification_ids.filtered(lambda n: n.res_partner_id == partner)
        return one.notification_status

    def assert_only_the_team_is_told(self, message, reason=GONE):
        """No mail to Clara is there, nor can one be made of what is."""
        self.env.flush_all()
        self.env.invalidate_all()
        rows = message.mail_ids
        self.assertEqual(rows.recipient_ids, self.bohdan.partner_id, rows)
        self.assertFalse(rows.sending_address_id)
        self.assertEqual(self.state_of(message, self.customer), "exception")
        self.assertEqual(self.state_of(message, self.bohdan.partner_id), "ready")
        [missed] = message.notification_ids.filtered("failure_reason")
        self.assertIn(reason, missed.failure_reason)

    def test_deferred_notifications_of_a_gone_address(self):
        user = new_test_user(
            self.env,
            "ext_leaver",
            "base.group_user,project.group_project_user",
            email="leaver@corp.example",
        )
        for name, way in {
            "archived": lambda: self.own.with_user(self.anna).write({"active": False}),
            "deleted": lambda: self.own.with_user(self.anna).unlink(),
            "deleted, and another is there": lambda: (
                self.address("leaver@own.example", user),
                self.own.unlink(),
            ),
        }.items():
            with self.subTest(name), self.env.cr.savepoint() as savepoint:
                message, schedule = self.deferred()
                way()
                self.tell(schedule)
                self.assert_only_the_team_is_told(message)
                savepoint.rollback()
            self.env.invalidate_all()
            self.env.registry.clear_cache("stable")
            self.env.registry.clear_cache()

    def test_a_picked_address_too(self):
        company = self.address("c@x.example")
        message, schedule = self.deferred(external_address_id=company.id)
        company.unlink()
        self.own.unlink()
        self.tell(schedule)
        self.assert_only_the_team_is_told(message)

    def test_addresses_without_a_contact(self):
        message, schedule = self.deferred(
            outgoing_email_to="Nobody <nobody@customer.example>"
        )
        self.own.unlink()
        self.tell(schedule)
        missed = message.notification_ids.filtered("mail_email_address")
        self.assertEqual(missed.mail_email_address, "nobody@customer.example")
        self.assertEqual(missed.notification_status, "exception")
        self.assertFalse(message.mail_ids.filtered("email_to"))

    def test_through_another_address_where_the_company_wants_that(self):
        self.company.external_orphan_policy = "next"
        team = self.address("team@brand-a.example", None, [(self.project_a, True)])
        message, schedule = self.deferred(external_address_id=self.own.id)
        self.own.unlink()
        self.tell(schedule)
        self.assertEqual(message.external_address_id, team)
        mail = self.external_mails(message)
        self.assertEqual(mail.sending_address_id, team)
        self.assertEqual(mail.recipient_ids, self.customer)

    def test_taken_up_again_in_time_it_leaves(self):
        message, schedule = self.deferred()
        self.own.active = False
        self.own.active = True
        self.tell(schedule)
        self.assertEqual(self.external_mails(message).sending_address_id, self.own)

    def test_an_owner_or_company_that_is_archived(self):
        brand = self.env["res.company"].create({"name": "Brand"})
        self.anna.company_ids += brand
        companys = self.address("brand@x.example", company_id=brand.id)
        project = self.env["project.project"].create(
            {"name": "Of the brand", "company_id": brand.id}
        )
        task = self.env["project.task"].create(
            {"name": "Of the brand", "project_id": project.id}
        )
        task.message_subscribe((self.customer | self.bohdan.partner_id).ids)
        for address, on, owner in (
            (companys, task, brand),
            (self.own, self.task, self.anna),
        ):
            message, schedule = self.deferred(task=on, external_address_id=address.id)
            owner.active = False
            self.tell(schedule)
            self.assert_only_the_team_is_told(message)

    def test_an_author_who_may_not_use_it_any_more(self):
        """The delivery looks once more who may send."""
        company = self.address("c@x.example")
        message, schedule = self.deferred(external_address_id=company.id)
        company.allowed_user_ids = self.bohdan
        self.tell(schedule)
        self.assertEqual(self.external_mails(message).sending_address_id, company)
        self.assertFalse(company._may_deliver(message))

    def test_sending_again_after_the_address_is_gone(self):
        """By whatever button: nothing waits for ever, nothing leaves in Odoo's name."""
        for way in ("archive", "delete"):
            own = self.address(f"{way}@own.example", self.bohdan)
            self.task.message_subscribe(self.customer.ids)
            message = self.post(self.bohdan, external_address_id=own.id).sudo()
            mail = self.external_mails(message)
            mail.state = "exception"
            if way == "archive":
                own.active = False
            else:
                own.unlink()
            for press in ("action_retry", "mark_outgoing"):
                getattr(mail.exists(), press)()
            message.with_user(self.bohdan).action_external_send_again()
            self.assertFalse(
                message.mail_ids.filtered(
                    lambda row: (
                        row.state == "outgoing" and row.recipient_ids == self.customer
                    )
                )
            )
            self.assertEqual(self.state_of(message, self.customer), "exception")

    def test_a_mail_of_a_template_says_that_it_failed(self):
        team = self.address("team@brand-a.example", None, [(self.project_a, True)])
        values = {
            "use_default_to": False,
            "partner_to": str(self.customer.id),
            "email_cc": "boss@customer.example",
            "auto_delete": False,
        }
        template = self.template(**values)
        mail_id = template.with_user(self.env.ref("base.user_root")).send_mail(
            self.task.id
        )
        mail = self.env["mail.mail"].browse(mail_id)
        self.assertEqual(mail.sending_address_id, team)
        message = mail.mail_message_id
        team.unlink()
        self.assertFalse(mail.exists())
        self.assertIn(message, self.task.message_ids)
        self.assertEqual(self.state_of(message, self.customer), "exception")
        by_address = message.notification_ids.filtered("mail_email_address")
        self.assertEqual(by_address.mail_email_address, "boss@customer.example")
        self.assertIn("deleted", by_address.failure_reason)

    # Uninstalling

    def uninstall(self):
        uninstall_hook(self.env(su=True))
        self.env.flush_all()
        self.env.invalidate_all()

    def test_uninstalling_deferred_notifications(self):
        message, schedule = self.deferred()
        self.uninstall()
        self.assertFalse(schedule.exists())
        self.assert_only_the_team_is_told(message)

    def test_uninstalling_what_failed_and_what_waits(self):
        message = self.post(self.anna).sudo()
        failed = self.post(self.anna).sudo()
        self.external_mails(failed)._fail_external("Not today")
        archived = self.address("c@x.example", self.bohdan)
        old = self.post(self.bohdan, external_address_id=archived.id).sudo()
        self.env.cr.execute(
            "UPDATE mail_external_address SET active = FALSE WHERE id = %s",
            archived.ids,
        )
        self.env.invalidate_all()
        self.uninstall()
        for each in (message, failed):
            self.assert_only_the_team_is_told(each, "uninstalled while")
        self.assertEqual(self.state_of(old, self.customer), "exception")
        self.assertFalse(old.mail_ids)

    def test_uninstalling_gives_scheduled_messages_back(self):
        """Picked or by default; what leaves from Odoo's own server anyway stays."""
        picked = self.scheduled(self.anna, external_sender=self.own.id)
        default = self.scheduled(self.anna, body="<p>By default</p>")
        odoo = self.scheduled(self.anna, external_sender=0, body="<p>By Odoo</p>")
        other = self.scheduled(self.bohdan, body="<p>He has none</p>")
        last = self.env["mail.message"].search([], order="id desc", limit=1)
        self.uninstall()
        self.assertFalse((picked | default).exists())
        self.assertEqual((odoo | other).exists(), odoo | other)
        notices = self.env["mail.message"].search([("id", ">", last.id)])
        self.assertEqual(notices.partner_ids, self.anna.partner_id)
        self.assertEqual(len(notices), 2)
        for words in ("By default", "Later"):
            [notice] = notices.filtered(lambda n, words=words: words in n.body)
            self.assertIn("uninstalled while", notice.body)

    def test_uninstalling_one_that_cannot_be_told(self):
        """A record whose module is gone does not stop it, and does not leave later."""
        message, schedule = self.deferred()
        self.env.cr.execute(
            "UPDATE mail_message SET model = 'no.such' WHERE id = %s", message.ids
        )
        self.env.invalidate_all()
        with self.assertLogs("odoo.addons.mail_external_account", "WARNING"):
            self.uninstall()
        self.assertFalse(schedule.exists())

    # Cancelled by a user

    def test_a_cancelled_mail_leaves_its_message_alone(self):
        """As its row would be at "cancel", Email Marketing would delete the message."""
        message = self.post(self.anna).sudo()
        mail = self.external_mails(message)
        colleagues = message.mail_ids - mail
        admin = self.env.ref("base.user_admin")
        action = mail.with_user(admin).cancel()
        self.assertEqual(action["res_model"], "mail.mail")
        self.assertFalse(mail.exists())
        self.assertEqual(self.state_of(message, self.customer), "canceled")
        self.assertEqual(self.state_of(message, self.bohdan.partner_id), "ready")
        self.assertFalse(message._may_leave_again() and not colleagues)
        colleagues.with_user(admin).cancel()
        self.assertFalse(message.mail_ids)
        self.assertFalse(message._may_leave_again())
        self.assertEqual(self.state_of(message, self.bohdan.partner_id), "canceled")
        self.assertIn("Cancelled by", message.notification_ids[0].failure_reason)

    def test_whoever_was_served_stays_so_when_the_rest_is_cancelled(self):
        self.task.message_subscribe(self.second.ids)
        message = self.post(self.anna).sudo()
        mail = self.external_mails(message)
        self.env["mail.external.delivery"].create(
            {
                "message_id_header": message.message_id,
                "recipient": "clara@customer.example",
                "account_id": self.own.account_id.id,
                "address_id": self.own.id,
                "mail_message_id": message.id,
                "state": "sent",
                "date": fields.Datetime.now(),
            }
        )
        mail.cancel()
        self.assertEqual(self.state_of(message, self.customer), "sent")
        self.assertEqual(self.state_of(message, self.second), "canceled")

    def test_what_is_told_anew(self):
        """As mail_post_defer does with a message that is edited before it left."""
        message = self.post(self.anna).sudo()
        for gone in (False, True):
            message.mail_ids.write({"state": "cancel"})
            message.notification_ids.unlink()
            message.body = "<p>Edited</p>"
            if gone:
                self.own.unlink()
            schedule = self.env["mail.message.schedule"].create(
                {
                    "mail_message_id": message.id,
                    "scheduled_datetime": fields.Datetime.now(),
                }
            )
            self.tell(schedule)
            if not gone:
                mail = self.external_mails(message)
                self.assertEqual(mail.recipient_ids, self.customer)
                self.assertIn("Edited", mail.body_html)
        self.assert_only_the_team_is_told(message)

    def test_odoos_own_mail_is_cancelled_as_ever(self):
        mail = self.env["mail.mail"].create(
            {"subject": "Own", "email_to": "clara@customer.example"}
        )
        self.assertIs(mail.cancel(), True)
        self.assertEqual(mail.state, "cancel")
