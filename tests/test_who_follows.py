"""Who follows a task by what came out of a mailbox."""

from .hearers_case import STRANGER, HearersCase


class TestFollowers(HearersCase):
    """Nobody follows because a mail names them."""

    def test_who_is_named_is_suggested_and_does_not_follow(self):
        before, named = self.followers(), self.third | self.eve.partner_id
        forms = [
            {"Cc": f"Theo <{self.third.email}>, {self.eve.email}"},
            {"To": f"anna@own.example, {self.third.email}, {self.eve.email}"},
            {"Delivered_To": f"{self.third.email}, {self.eve.email}"},
            {"Cc": f"Group: {self.third.email}, {self.eve.email};"},
        ]
        for number, headers in enumerate(forms):
            raw = self.mail(Message_ID=f"<{number}@x.example>", **headers)
            message = self.take_in(raw)
            with self.subTest(headers):
                self.assertEqual(self.followers(), before)
                self.assertFalse(self.told(message) & named)
                self.assertFalse(message.partner_ids & self.third)
                self.assertGreaterEqual(
                    self.suggested(), {self.third.email, self.eve.email}
                )
        # and the next answer of the team does not reach them
        later = self.post(self.anna)
        self.assertFalse(self.told(later) & self.third)

    def test_resent_fields_name_nobody_either(self):
        before = self.followers()
        headers = {"Resent_To": self.third.email, "Resent_Cc": self.eve.email}
        message = self.take_in(self.mail(**headers))
        self.assertEqual(self.followers(), before)
        self.assertFalse(message.partner_ids)

    def test_who_took_part_follows_again(self):
        """Asked once, wrote once, or got one of its mails."""
        before = self.followers()
        fourth, fifth = self.env["res.partner"].create(
            [
                {"name": "Vera", "email": "vera@customer.example"},
                {"name": "Wim", "email": "wim@customer.example"},
            ]
        )
        self.post(self.anna, partner_ids=self.third.ids)
        self.task.message_post(
            body="Me too", author_id=fourth.id, message_type="comment"
        )
        self.ledger.copy({"recipient": fifth.email, "state": "sent"})
        named = self.third | fourth | fifth | self.second
        raw = self.mail(Cc=", ".join(named.mapped("email")))
        self.take_in(raw)
        self.assertEqual(self.followers(), before | self.third | fourth | fifth)

    def test_a_colleague_who_took_part_follows_while_they_may_read(self):
        self.post(self.anna, partner_ids=self.eve.partner_id.ids)
        self.project_a.privacy_visibility = "followers"
        self.project_a.message_subscribe(self.bohdan.partner_id.ids)
        raw = self.mail(Cc=self.eve.email)
        message = self.take_in(raw)
        self.assertNotIn(self.eve.partner_id, self.followers())
        self.assertFalse(message.with_user(self.eve).has_access("read"))
        self.project_a.privacy_visibility = "employees"
        self.take_in(self.mail(Message_ID="<2@x.example>", Cc=self.eve.email))
        self.assertIn(self.eve.partner_id, self.followers())

    def test_whom_a_forger_named_before_is_no_part_of_it(self):
        for number, sender in enumerate([STRANGER, "Clara <clara@customer.example>"]):
            self.take_in(
                self.mail(
                    sender, Message_ID=f"<{number}@x.example>", Cc=self.third.email
                )
            )
        before = self.followers()
        self.take_in(self.mail(Message_ID="<3@x.example>", Cc=self.third.email))
        self.assertEqual(self.followers(), before)

    def test_a_stranger_stays_one_however_often_they_write(self):
        """Also when they answer what they wrote themselves."""
        sender = f"Theo <{self.third.email}>"
        first = self.take_in(self.mail(sender, Message_ID="<1@x.example>"))
        self.assertEqual(first.external_mark, "stranger")
        for number, headers in enumerate(
            [
                {"In_Reply_To": "<1@x.example>"},
                {"References": f"{self.question.message_id} <1@x.example>"},
                {"In_Reply_To": "<1@x.example>", "Auto_Submitted": "auto-replied"},
            ]
        ):
            raw = self.mail(sender, Message_ID=f"<n{number}@x.example>", **headers)
            message = self.take_in(raw)
            self.assertTrue(message.external_mark)
            self.assertNotIn(self.customer, self.told(message))
        self.assertNotIn(self.third, self.followers())
        # an answer to the stranger's mail is not told to them, either
        self.take_in(self.mail(Message_ID="<c@x.example>", In_Reply_To="<1@x.example>"))
        self.assertFalse(
            self.task.message_ids.sudo().notification_ids.filtered(
                lambda n: n.res_partner_id == self.third
            )
        )

    def test_a_colleague_who_was_not_asked_does_not_follow_by_writing(self):
        self.project_a.privacy_visibility = "followers"
        before = self.followers()
        message = self.take_in(self.mail(f"Eve <{self.eve.email}>"))
        self.assertEqual(message.external_mark, "colleague")
        self.assertEqual(self.followers(), before)

    def test_a_colleague_who_was_asked_follows_by_answering(self):
        self.task.message_unsubscribe(self.bohdan.partner_id.ids)
        message = self.take_in(self.mail(f"Bohdan <{self.bohdan.email}>"))
        self.assertEqual(message.author_id, self.bohdan.partner_id)
        self.assertIn(self.bohdan.partner_id, self.followers())

    def test_new_mail_makes_nobody_a_follower_or_responsible(self):
        support = self.address(
            "support@own.example",
            receive_replies=True,
            new_mail="task",
            new_mail_project_id=self.project_b.id,
        )
        raw = self.mail(
            "New <new@customer.example>",
            In_Reply_To="",
            Subject="It is broken",
            To=f"support@own.example, {self.eve.email}, someone@else.example",
            Cc=f"{self.third.email}, {self.bohdan.email}",
        )
        self.take_in(raw, support)
        task = self.env["project.task"].search([("name", "=", "It is broken")])
        self.assertEqual(task.partner_id.email, "new@customer.example")
        named = self.third | self.eve.partner_id | self.bohdan.partner_id
        self.assertFalse(task.message_partner_ids & named)
        self.assertFalse(task.user_ids)
        self.assertNotIn("support@own.example", task.email_cc)
        suggested = {
            recipient["email"]
            for recipient in task._message_get_suggested_recipients(
                reply_discussion=True
            )
        }
        self.assertGreaterEqual(
            suggested, {*named.mapped("email"), "someone@else.example"}
        )
