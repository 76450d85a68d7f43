from datetime import timedelta

from odoo import fields
from odoo.addons.rpc.controllers.xmlrpc import (
    RPC_FAULT_CODE_ACCESS_ERROR,
    RPC_FAULT_CODE_WARNING,
)
from odoo.http import Request
from odoo.tests import new_test_user

from .remote_case import RemoteCase

ANNA = "anna@own.example"
SUPPORT = "support@brand-a.example"
RATED = "/rate/{}/submit_feedback"


class TestAbsenceNotes(RemoteCase):
    """What Odoo itself posts, because of a remote call, is not its caller's."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.address(ANNA, cls.anna)
        cls.anna.write(
            {
                "email": ANNA,
                "out_of_office_from": fields.Datetime.now() - timedelta(days=1),
                "out_of_office_message": "<p>Back on Monday</p>",
            }
        )

    def ask_anna(self, **values):
        return self.call(
            self.bohdan,
            self.task,
            "message_post",
            **{
                "body": "A question",
                "message_type": "comment",
                "partner_ids": self.anna.partner_id.ids,
                **values,
            },
        )

    def assert_answered(self):
        messages = self.task.message_ids
        self.assertIn("A question", str(messages.mapped("body")))
        [note] = messages.filtered(lambda m: m.message_type == "out_of_office")
        self.assertEqual(note.author_id, self.anna.partner_id)
        self.assertFalse(note.external_address_id)
        rows = note.sudo().mail_ids
        self.assertFalse(rows.sending_address_id)
        for row in rows:
            self.assertFalse(row._carried_addresses())

    def test_who_is_away_can_be_written_to(self):
        self.ask_anna()
        self.assert_answered()

    def test_also_in_the_web_client(self):
        self.authenticate(self.bohdan.login, self.bohdan.login)
        self.make_jsonrpc_request(
            "/web/dataset/call_kw",
            {
                "model": "project.task",
                "method": "message_post",
                "args": [self.task.ids],
                "kwargs": {
                    "body": "A question",
                    "message_type": "comment",
                    "partner_ids": self.anna.partner_id.ids,
                },
            },
        )
        self.assert_answered()

    def test_nobody_types_her_name_meanwhile(self):
        """Not after another post either."""
        self.ask_anna()
        for values in (
            {"email_from": ANNA},
            {"author_id": self.anna.partner_id.id},
            {"email_from": ANNA, "message_type": "out_of_office"},
        ):
            code, told = self.refusal(
                self.bohdan, self.task, "message_post", body="Pay", **values
            )
            self.assertEqual(code, RPC_FAULT_CODE_ACCESS_ERROR)
            self.assertIn(ANNA, told)
        self.assertNotIn("Pay", str(self.task.message_ids.mapped("body")))


class TestDeleting(RemoteCase):
    def test_a_customer_is_told_no_address_of_the_company(self):
        portal = new_test_user(
            self.env, "ext_portal_deletes", "base.group_portal", email="p@x.example"
        )
        group = self.env["res.groups"].create({"name": "Board"})
        self.address(SUPPORT, allowed_user_ids=[(4, self.anna.id)])
        self.address("board@brand-a.example", allowed_group_ids=[(4, group.id)])
        for records in (self.anna, group):
            code, told = self.refusal(portal, records, "unlink")
            self.assertEqual(code, RPC_FAULT_CODE_ACCESS_ERROR)
            self.assertNotIn("@brand-a.example", told)
            self.assertTrue(records.exists())
        # who may delete them reads why not
        admin = self.env.ref("base.user_admin")
        for records in (self.anna, group):
            code, told = self.refusal(admin, records, "unlink")
            self.assertEqual(code, RPC_FAULT_CODE_WARNING)
            self.assertIn("@brand-a.example", told)


class TestRatings(RemoteCase):
    """A customer rates from the link in a mail, whether signed in or not."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.address(SUPPORT, None, [(cls.project_a, True)])
        cls.clara, cls.other = (
            new_test_user(
                cls.env, login, "base.group_portal", name=login, email=f"{login}@x.test"
            )
            for login in ("ext_clara", "ext_other")
        )
        cls.task.partner_id = cls.clara.partner_id
        cls.task.message_subscribe(
            cls.second.ids, cls.env.ref("project.mt_task_rating").ids
        )
        cls.token = cls.task._rating_get_access_token(cls.clara.partner_id)

    def rate(self, user, feedback):
        if user:
            self.authenticate(user.login, user.login)
        else:
            self.authenticate(None, None)
        answer = self.url_open(
            RATED.format(self.token),
            data={
                "rate": 5,
                "feedback": feedback,
                "csrf_token": Request.csrf_token(self),
            },
        )
        self.env.invalidate_all()
        return answer.status_code

    def rated(self):
        """The message of the rating, which waits to be told to the other customers."""
        rating = self.env["rating.rating"].search([("access_token", "=", self.token)])
        message = rating.message_id
        self.assertTrue(self.external_mails(message))
        self.assertEqual(message.external_origin, "project")
        return message

    def test_rating_again_when_signed_in(self):
        self.assertEqual(self.rate(None, "Good"), 200)
        self.assertIn("Good", self.rated().body)
        self.assertEqual(self.rate(self.clara, "Very good"), 200)
        self.assertIn("Very good", self.rated().body)

    def test_nobody_else_changes_it_before_it_left(self):
        self.rate(None, "Good")
        for user in (self.other, self.bohdan):
            self.assertNotEqual(self.rate(user, "Bad"), 200)
            self.assertNotIn("Bad", self.rated().body)
