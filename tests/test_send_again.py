from odoo.exceptions import AccessError

from ..tools.outgoing.result import MailResult, RecipientResult
from .common import ExternalAccountCase


class TestSendAgain(ExternalAccountCase):
    def setUp(self):
        super().setUp()
        self.address("a@x.example", self.anna)
        self.task.message_subscribe(self.second.ids)
        self.message = self.post(self.anna)
        mail = self.external_mails(self.message)
        MailResult(
            mail,
            [
                (self.customer, [self.customer.email], RecipientResult("sent")),
                (
                    self.second,
                    [self.second.email],
                    RecipientResult("failed", "recipient_refused", "550 5.7.1 go away"),
                ),
            ],
        ).apply()

    def status(self):
        return {
            n.res_partner_id: n.notification_status
            for n in self.message.sudo().notification_ids
            if n.res_partner_id in (self.customer, self.second)
        }

    def test_each_recipient_has_his_own_result(self):
        self.assertEqual(
            self.status(), {self.customer: "sent", self.second: "exception"}
        )
        failed = self.message.sudo().notification_ids.filtered(
            lambda n: n.res_partner_id == self.second
        )
        self.assertIn("550 5.7.1 go away", failed.failure_reason)
        self.assertIn("refused this recipient", failed.failure_reason)

    def test_the_author_sends_again(self):
        self.message.with_user(self.anna).action_external_send_again()
        self.assertEqual(self.status(), {self.customer: "sent", self.second: "ready"})
        self.assertEqual(self.external_mails(self.message).state, "outgoing")

    def test_others_do_not(self):
        with self.assertRaises(AccessError):
            self.message.with_user(self.bohdan).action_external_send_again()
        self.assertEqual(self.status()[self.second], "exception")
