from odoo.exceptions import AccessError, UserError

from ..tools.outgoing.result import MailResult, RecipientResult
from .common import ExternalAccountCase


class TestPosting(ExternalAccountCase):
    def test_external_contacts_through_the_account_colleagues_as_before(self):
        address = self.address("anna@brand-a.example", self.anna)
        self.bohdan.notification_type = "email"
        message = self.post(self.anna)
        self.assertEqual(message.external_address_id, address)
        mails = {m.recipient_ids: m for m in message.sudo().mail_ids}
        self.assertEqual(mails[self.customer].sending_address_id, address)
        self.assertFalse(mails[self.bohdan.partner_id].sending_address_id)
        # The message itself stays as Odoo makes it: From and Reply-To are core's.
        self.assertEqual(message.email_from, '"Anna K" <anna@corp.example>')

    def test_default_by_project(self):
        company = self.address("support@x.example", None, [(self.project_a, True)])
        bound = self.address("a@x.example", self.anna, [(self.project_a, False)])
        elsewhere = self.address("b@x.example", self.anna, [(self.project_b, True)])
        self.assertEqual(self.post(self.anna).external_address_id, bound)
        # Bohdan has no address of his own here: the company's default applies.
        self.assertEqual(self.post(self.bohdan).external_address_id, company)
        bound.active = False
        self.assertEqual(self.post(self.anna).external_address_id, company)
        self.assertTrue(elsewhere.active)

    def test_sub_task_follows_its_parent(self):
        bound = self.address("a@x.example", self.anna, [(self.project_a, True)])
        sub_task = self.env["project.task"].create(
            {"name": "Detail", "parent_id": self.task.id}
        )
        sub_task.message_subscribe(self.customer.ids)
        self.assertEqual(self.post(self.anna, sub_task).external_address_id, bound)

    def test_picked_account_is_kept_and_odoo_can_be_picked(self):
        self.address("a@x.example", self.anna, is_default=True)
        other = self.address("b@x.example", self.anna)
        message = self.post(self.anna, external_address_id=other.id)
        self.assertEqual(message.external_address_id, other)
        message = self.post(self.anna, external_address_id=False)
        self.assertFalse(message.external_address_id)
        self.assertFalse(self.external_mails(message))

    def test_the_full_composer_keeps_what_was_picked(self):
        self.address("a@x.example", self.anna, is_default=True)
        other = self.address("b@x.example", self.anna)
        bohdans = self.address("bohdan@x.example", self.bohdan)
        composer = (
            self.env["mail.compose.message"]
            .with_user(self.anna)
            .with_context(
                default_model="project.task",
                default_res_ids=self.task.ids,
                default_subtype_xmlid="mail.mt_comment",
            )
        )
        for picked, expected in ((other.id, other), (0, other.browse())):
            opened = composer.with_context(external_sender_id=picked)
            opened.create({"body": f"picked {picked}"})._action_send_mail()
            sent = self.task.message_ids.sudo()[0]
            self.assertEqual(sent.external_address_id, expected)
        opened = composer.with_context(external_sender_id=bohdans.id)
        with self.assertRaises(UserError):
            opened.create({"body": "not mine"})._action_send_mail()

    def test_nobody_sends_through_what_he_may_not_use(self):
        bohdans = self.address("bohdan@x.example", self.bohdan)
        restricted = self.address(
            "board@x.example", None, allowed_user_ids=[(4, self.bohdan.id)]
        )
        elsewhere = self.address("a@x.example", self.anna, [(self.project_b, True)])
        draft = self.address("d@x.example", self.anna, state="draft")
        refused = self.address("r@x.example", self.anna, state="refused")
        for address in (bohdans, restricted, elsewhere, draft, refused):
            with self.assertRaises(UserError, msg=address.email):
                self.post(self.anna, external_address_id=address.id)
            with self.assertRaises(UserError, msg=address.email):
                # as the controller does it: sudo, but the real user
                self.task.with_user(self.anna).sudo().message_post(
                    body="x",
                    message_type="comment",
                    subtype_xmlid="mail.mt_comment",
                    external_address_id=address.id,
                )
        with self.assertRaises(UserError):
            self.env["mail.message"].with_user(self.anna).create(
                {
                    "model": "project.task",
                    "res_id": self.task.id,
                    "body": "x",
                    "external_address_id": bohdans.id,
                }
            )

    def test_the_choice_cannot_be_changed_afterwards(self):
        address = self.address("a@x.example", self.anna)
        message = self.post(self.anna, external_address_id=False)
        with self.assertRaises(AccessError):
            message.with_user(self.anna).external_address_id = address

    def test_notes_and_other_messages_have_no_account(self):
        self.address("a@x.example", self.anna)
        note = self.post(self.anna, subtype_xmlid="mail.mt_note")
        self.assertFalse(note.external_address_id)
        # A mail that came in in Anna's name is not sent on from her mailbox.
        incoming = self.post(self.anna, message_type="email")
        self.assertFalse(incoming.external_address_id)
        automatic = self.post(self.anna, message_type="auto_comment")
        self.assertFalse(automatic.external_address_id)
        # Written in somebody else's name: not Anna's own words either.
        other = self.post(self.anna, author_id=self.customer.id)
        self.assertFalse(other.external_address_id)

    def test_access_by_group_and_company(self):
        group = self.env["res.groups"].create({"name": "Support"})
        address = self.address(
            "support@x.example", None, allowed_group_ids=[(4, group.id)]
        )
        self.assertFalse(self.post(self.anna).external_address_id)
        self.anna.group_ids += group
        self.assertEqual(self.post(self.anna).external_address_id, address)
        other_company = self.env["res.company"].create({"name": "Other"})
        address.company_id = other_company
        self.assertFalse(self.post(self.anna).external_address_id)

    def test_access_by_a_group_that_is_made_or_deleted(self):
        group, outer = self.env["res.groups"].create(
            [{"name": "Support"}, {"name": "Managers", "user_ids": self.bohdan.ids}]
        )
        address = self.address(
            "support@x.example", None, allowed_group_ids=[(4, group.id)]
        )
        self.assertFalse(self.post(self.anna).external_address_id)
        made = self.env["res.groups"].create(
            {
                "name": "Team leaders",
                "user_ids": [(4, self.anna.id)],
                "implied_ids": [(4, group.id)],
            }
        )
        self.assertEqual(self.post(self.anna).external_address_id, address)
        self.assertFalse(self.post(self.bohdan).external_address_id)
        outer.implied_ids = group
        self.assertEqual(self.post(self.bohdan).external_address_id, address)
        (made | outer).unlink()
        for user in (self.anna, self.bohdan):
            self.assertFalse(self.post(user).external_address_id)

    def test_stock_queue_leaves_the_accounts_mail_alone(self):
        self.address("a@x.example", self.anna)
        mail = self.external_mails(self.post(self.anna))
        mail.send()
        self.env["mail.mail"].process_email_queue()
        self.assertEqual(mail.state, "outgoing")

    def test_picker_data_names_the_reason(self):
        self.address("a@x.example", self.anna, [(self.project_a, True)])
        self.address("c@x.example", None)
        data = self.task.with_user(self.anna)._external_senders_data()
        self.assertEqual(
            [(row["email"], row["reason"]) for row in data["externalSenders"]],
            [
                ("a@x.example", "personal default for “Brand A”"),
                ("c@x.example", "company address"),
            ],
        )

    def test_a_context_default_is_checked_too(self):
        bohdans = self.address("bohdan@x.example", self.bohdan)
        model = self.env["mail.message"].with_user(self.anna)
        with self.assertRaises(UserError):
            model.with_context(default_external_address_id=bohdans.id).create(
                {"model": "project.task", "res_id": self.task.id, "body": "x"}
            )
        with self.assertRaises(UserError):
            model.create(
                {
                    "model": "res.country",
                    "res_id": self.env.ref("base.ua").id,
                    "body": "x",
                    "external_address_id": bohdans.id,
                }
            )

    def test_the_worst_of_several_addresses_is_shown(self):
        self.address("a@x.example", self.anna)
        message = self.post(self.anna)
        MailResult(
            self.external_mails(message),
            [
                (
                    self.customer,
                    ["a@c.example"],
                    RecipientResult("failed", "mailbox_full"),
                ),
                (self.customer, ["b@c.example"], RecipientResult("sent")),
            ],
        ).apply()
        notification = message.sudo().notification_ids.filtered(
            lambda n: n.res_partner_id == self.customer
        )
        self.assertEqual(notification.notification_status, "exception")
        self.assertIn("mailbox is full", notification.failure_reason)
