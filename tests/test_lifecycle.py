from odoo.fields import Command
from odoo.tests import new_test_user

from .common import ExternalAccountCase


class TestLifecycle(ExternalAccountCase):
    """Waiting mail when its address, author, project or company goes."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.own = cls.address("anna@own.example", cls.anna, [(cls.project_a, True)])
        cls.team = cls.address("team@brand-a.example", None, [(cls.project_a, True)])

    def waiting(self, **values):
        message = self.post(self.anna, **values)
        mail = self.external_mails(message)
        self.assertEqual(mail.state, "outgoing")
        return message, mail

    def assert_failed(self, message, words):
        notification = message.sudo().notification_ids.filtered(
            lambda n: n.res_partner_id == self.customer
        )
        self.assertEqual(notification.notification_status, "exception")
        self.assertIn(words, notification.failure_reason)

    def assert_leaves_through(self, message, mail, address):
        self.assertEqual(mail.state, "outgoing")
        self.assertEqual(mail.sending_address_id, address)
        self.assertEqual(message.external_address_id, address)
        self.assertTrue(address._may_deliver(message))

    def test_archiving_an_address(self):
        message, mail = self.waiting()
        self.own.with_user(self.anna).active = False
        self.assertEqual(mail.state, "exception")
        self.assert_failed(message, "not used any more")
        # "Send again" says so once more, and does not wait for ever.
        message.with_user(self.anna).action_external_send_again()
        self.assertEqual(mail.state, "exception")

    def test_another_address_when_the_company_wants_that(self):
        self.company.external_orphan_policy = "next"
        message, mail = self.waiting()
        self.own.with_user(self.anna).active = False
        self.assert_leaves_through(message, mail, self.team)

    def test_another_address_only_when_its_author_may_use_it(self):
        self.company.external_orphan_policy = "next"
        self.team.allowed_user_ids = self.bohdan
        self.team.binding_ids.unlink()
        self.address("bohdan@own.example", self.bohdan)
        message, mail = self.waiting()
        self.own.active = False
        self.assertEqual(mail.state, "exception")
        self.assert_failed(message, "not used any more")

    def test_the_project_does_not_speak_for_who_gave_up_his_address(self):
        """They are not among those who may write in its name."""
        self.company.external_orphan_policy = "next"
        self.team.allowed_user_ids = self.manager
        bohdans = self.address("bohdan@own.example", self.bohdan)
        self.task.message_subscribe(self.customer.ids)
        message = self.post(self.bohdan)
        mail = self.external_mails(message)
        self.assertEqual(mail.sending_address_id, bohdans)
        bohdans.with_user(self.bohdan).active = False
        self.assertEqual(mail.state, "exception")
        self.assertEqual(message.external_address_id, bohdans)
        self.assert_failed(message, "not used any more")
        self.team.allowed_user_ids = self.bohdan
        bohdans.active = True
        message = self.post(self.bohdan)
        mail = self.external_mails(message)
        bohdans.with_user(self.bohdan).active = False
        self.assert_leaves_through(message, mail, self.team)
        self.assertEqual(message.external_origin, "user")

    def test_deleting_an_address(self):
        message, mail = self.waiting()
        self.own.unlink()
        self.assertFalse(mail.exists(), "nothing of it may leave, nor take it along")
        self.assert_failed(message, "deleted")
        self.company.external_orphan_policy = "next"
        own = self.address("anna@own.example", self.anna, [(self.project_a, True)])
        message, mail = self.waiting()
        own.unlink()
        self.assert_leaves_through(message, mail, self.team)

    def test_archiving_the_author(self):
        message, mail = self.waiting()
        through_team, team_mail = self.waiting(external_address_id=self.team.id)
        self.anna.active = False
        for each in (message, through_team):
            self.assert_failed(each, "may not (or no longer) send")
        self.assertEqual((mail | team_mail).mapped("state"), ["exception"] * 2)
        self.assertFalse(self.own._may_send(self.anna))

    def test_the_project_speaks_for_an_author_who_left(self):
        self.company.external_orphan_policy = "next"
        message, mail = self.waiting()
        self.anna.active = False
        self.assert_leaves_through(message, mail, self.team)
        self.assertEqual(message.external_origin, "project")

    def test_deleting_the_author(self):
        user = new_test_user(
            self.env,
            "ext_leaver",
            "base.group_user,project.group_project_user",
            email="leaver@corp.example",
        )
        address = self.address("leaver@own.example", user)
        message = self.post(user)
        mail = self.external_mails(message)
        user.unlink()
        self.assertFalse(address.exists())
        self.assertFalse(mail.exists())
        self.assert_failed(message, "deleted")

    def test_deleting_the_project(self):
        message, mail = self.waiting()
        self.task.project_id = self.project_b
        mail_b = self.external_mails(self.post(self.anna))
        self.assertFalse(mail_b, "bound to the other project only")
        self.project_a.unlink()
        self.assertFalse(self.own.active)
        self.assertEqual(mail.state, "exception")
        self.assert_failed(message, "not used any more")

    def test_archiving_and_deleting_a_company(self):
        brand = self.env["res.company"].create({"name": "Brand"})
        self.anna.company_ids += brand
        address = self.address("brand@x.example", None, company_id=brand.id)
        personal = self.address("anna@brand.example", self.anna, company_id=brand.id)
        project = self.env["project.project"].create(
            {"name": "Of the brand", "company_id": brand.id}
        )
        task = self.env["project.task"].create(
            {"name": "Of the brand", "project_id": project.id}
        )
        task.message_subscribe(self.customer.ids)
        message = self.post(self.anna, task, external_address_id=address.id)
        mail = self.external_mails(message)
        brand.active = False
        self.assertEqual(mail.state, "exception")
        self.assert_failed(message, "not used any more")
        self.assertFalse(address._may_send(self.anna))

        empty = self.env["res.company"].create({"name": "Empty"})
        shared = self.address("shared@x.example", None, company_id=empty.id)
        personal.company_id = empty
        empty.unlink()
        self.assertFalse(shared.exists())
        self.assertFalse(personal.active, "it would be usable in every company")

    def test_a_right_that_was_taken_away(self):
        message, mail = self.waiting(external_address_id=self.team.id)
        self.team.allowed_user_ids = [Command.set(self.bohdan.ids)]
        self.assertFalse(self.team._may_deliver(message))
        mail._release("sender_not_allowed")
        self.assert_failed(message, "may not (or no longer) send")
