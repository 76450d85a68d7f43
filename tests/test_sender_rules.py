from odoo.exceptions import UserError
from odoo.tests import new_test_user

from .common import ExternalAccountCase


class TestSenderRules(ExternalAccountCase):
    """The precedence, through real posts: what mail leaves from, and why."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.own = cls.address("anna@own.example", cls.anna)
        cls.team = cls.address("team@brand-a.example", None, [(cls.project_a, True)])
        cls.desk = cls.address("desk@corp.example")

    def sender(self, user=None, thread=None, **values):
        return self.post(user or self.anna, thread, **values).external_address_id

    def reason(self, user=None, thread=None):
        thread = (thread or self.task).with_user(user or self.anna)
        return thread._external_senders_data()["externalSenders"][0]["reason"]

    def customer_writes_to(self, *addresses, task=None, **values):
        """A mail of the customer in the conversation, as the gateway keeps it."""
        return self.env["mail.message"].create(
            {
                "model": "project.task",
                "res_id": (task or self.task).id,
                "message_type": "email",
                "author_id": self.customer.id,
                "email_from": self.customer.email_formatted,
                "incoming_email_to": ",".join(f'"X" <{a}>' for a in addresses),
                "body": "Question",
                **values,
            }
        )

    def test_the_employee_first(self):
        self.assertEqual(self.sender(), self.own)
        self.assertEqual(self.reason(), "personal address")
        self.assertEqual(self.sender(self.bohdan), self.team)
        self.assertEqual(self.reason(self.bohdan), "company default for “Brand A”")
        # Where the mail was sent to does not matter here.
        self.customer_writes_to("desk@corp.example")
        self.assertEqual(self.sender(), self.own)

    def test_the_projects_default_first(self):
        self.company.external_sender_policy = "project"
        self.assertEqual(self.sender(), self.team)
        self.assertEqual(self.reason(), "company default for “Brand A”")
        # ... but not before an own address that is bound to the project
        bound = self.address("a@own.example", self.anna, [(self.project_a, False)])
        self.assertEqual(self.sender(), bound)
        bound.active = False
        # ... and in a project without one the employee's goes first again
        other = self.env["project.task"].create(
            {"name": "Other", "project_id": self.project_b.id}
        )
        other.message_subscribe(self.customer.ids)
        self.assertEqual(self.sender(thread=other), self.own)

    def test_the_address_that_the_customer_wrote_to(self):
        self.company.external_sender_policy = "customer"
        self.assertEqual(self.sender(), self.own)
        self.customer_writes_to("someone@else.example", "Desk@Corp.example")
        self.assertEqual(self.sender(), self.desk)
        self.assertEqual(self.reason(), "the customer wrote to this company address")
        # The newest mail counts, and an answer of ours in between does not matter.
        self.customer_writes_to("team@brand-a.example")
        self.assertEqual(self.sender(), self.team)
        self.assertEqual(self.sender(), self.team)
        # What they may not use is no option, wherever the customer wrote to.
        self.customer_writes_to("team@brand-a.example")
        self.team.allowed_user_ids = self.bohdan
        self.assertEqual(self.sender(), self.own)
        self.assertEqual(self.sender(self.bohdan), self.team)

    def test_an_absence_note_or_a_stranger_does_not_say_where_to_answer_from(self):
        self.company.external_sender_policy = "customer"
        self.customer_writes_to("desk@corp.example")
        for mark in ("auto_reply", "stranger"):
            self.customer_writes_to("team@brand-a.example", external_mark=mark)
            self.assertEqual(self.sender(), self.desk, mark)

    def test_the_mailbox_that_the_customers_mail_came_out_of(self):
        """Where the address is not in To: Bcc, an alias, a mailbox that redirects."""
        self.company.external_sender_policy = "customer"
        message = self.customer_writes_to("sales@alias.example")
        self.assertEqual(self.sender(), self.own)
        self.env["mail.external.arrival"].create(
            {
                "key": "k",
                "address_id": self.desk.id,
                "kind": "answer",
                "mail_message_id": message.id,
            }
        )
        self.assertEqual(self.sender(), self.desk)
        self.assertEqual(self.reason(), "the customer wrote to this company address")

    def test_what_was_picked_goes_before_every_policy(self):
        self.customer_writes_to("desk@corp.example")
        for policy in ("employee", "customer", "project"):
            self.company.external_sender_policy = policy
            for address in (self.own, self.team, self.desk):
                picked = self.sender(external_address_id=address.id)
                self.assertEqual(picked, address, policy)
            self.assertFalse(self.sender(external_address_id=False), policy)

    def test_sub_tasks_projects_updates_and_tasks_of_no_project(self):
        sub_task, private = self.env["project.task"].create(
            [
                {"name": "Detail", "parent_id": self.task.id},
                {"name": "Private", "project_id": False},
            ]
        )
        update = self.env["project.update"].create(
            {"name": "Week 1", "project_id": self.project_a.id, "status": "on_track"}
        )
        milestone = self.env["project.milestone"].create(
            {"name": "Launch", "project_id": self.project_a.id}
        )
        self.bohdan.group_ids += self.env.ref("project.group_project_manager")
        for thread in (sub_task, self.project_a, update, milestone):
            self.assertEqual(self.sender(self.bohdan, thread), self.team, thread)
        private.user_ids = self.bohdan
        self.assertEqual(self.sender(self.bohdan, private), self.desk)

    def test_a_sub_task_of_another_project(self):
        brand_b = self.address("team@brand-b.example", None, [(self.project_b, True)])
        sub_task = self.env["project.task"].create(
            {
                "name": "Detail",
                "parent_id": self.task.id,
                "project_id": self.project_b.id,
            }
        )
        self.assertEqual(self.sender(self.bohdan, sub_task), brand_b)

    def test_a_task_that_moves_gets_the_other_projects_senders(self):
        brand_b = self.address("team@brand-b.example", None, [(self.project_b, True)])
        self.task.project_id = self.project_b
        self.assertEqual(self.sender(self.bohdan), brand_b)

    def test_other_models_with_a_chatter(self):
        contact = self.env["res.partner"].create({"name": "Contact"})
        self.assertEqual(self.sender(thread=contact), self.own)
        self.assertEqual(self.sender(self.bohdan, contact), self.desk)
        with self.assertRaises(UserError):  # bound to a project only
            self.sender(thread=contact, external_address_id=self.team.id)

    def test_archived_things(self):
        self.own.active = False
        self.assertEqual(self.sender(), self.team)
        self.team.active = False
        self.assertEqual(self.sender(), self.desk)
        with self.assertRaises(UserError):
            self.sender(external_address_id=self.team.id)
        # An archived project's tasks are still written about.
        self.team.active = True
        self.project_a.active = False
        self.assertEqual(self.sender(), self.team)

    def test_several_companies(self):
        brand = self.env["res.company"].create({"name": "Brand"})
        user = new_test_user(
            self.env,
            "ext_both",
            "base.group_user,project.group_project_user,base.group_partner_manager",
            email="both@corp.example",
            company_id=self.company.id,
            company_ids=[(6, 0, (self.company | brand).ids)],
        )
        brands = self.address("hello@brand.example", None, company_id=brand.id)
        project = self.env["project.project"].create(
            {"name": "Of the brand", "company_id": brand.id}
        )
        task = self.env["project.task"].create(
            {"name": "Of the brand", "project_id": project.id}
        )
        self.assertEqual(self.sender(user, task), brands)
        self.assertEqual(self.sender(user), self.team)
        # The policy is that of the record's company.
        own = self.address("both@own.example", user)
        brand.external_sender_policy = "project"
        self.address("def@brand.example", None, [(project, True)], company_id=brand.id)
        self.assertEqual(self.sender(user, task).email, "def@brand.example")
        self.assertEqual(self.sender(user), own)
        # On a record of no company: those of the companies they work in now.
        contact = self.env["res.partner"].create(
            {"name": "Shared", "company_id": False}
        )
        own.active = False
        for company, expected in ((self.company, self.desk), (brand, brands)):
            thread = contact.with_context(allowed_company_ids=company.ids)
            self.assertEqual(self.sender(user, thread), expected)


class TestPrecedence(ExternalAccountCase):
    """The table of the README: the line that goes first is taken away each time."""

    def lines(self):
        """Line of the table -> its address."""
        lines = {}
        for first, owner in ((1, self.anna), (5, None)):
            for line, values in enumerate(
                (
                    {"bindings": [(self.project_a, True)]},
                    {"bindings": [(self.project_a, False)]},
                    {"is_default": True, "sequence": 20},
                    {"sequence": 5},
                ),
                start=first,
            ):
                name = f"line{line}@x.example"
                lines[line] = self.address(name, owner, **values)
        self.address("last@x.example", None, sequence=30)
        return lines

    def check(self, policy, expected):
        self.company.external_sender_policy = policy
        lines = self.lines()
        for line in expected:
            sent = self.post(self.anna).external_address_id.sudo()
            self.assertEqual(sent, lines[line], f"{policy}: {line} before {sent.email}")
            sent.active = False
        # the one at the end of the list, and then Odoo's own server
        last = self.post(self.anna).external_address_id.sudo()
        self.assertEqual(last.email, "last@x.example")
        last.active = False
        self.assertFalse(self.post(self.anna).external_address_id)

    def test_the_employees_own_address(self):
        self.check("employee", [1, 2, 3, 4, 5, 6, 7, 8])

    def test_the_projects_default_company_address(self):
        self.check("project", [1, 2, 5, 3, 4, 6, 7, 8])

    def test_the_address_that_the_customer_wrote_to(self):
        self.env["mail.message"].create(
            {
                "model": "project.task",
                "res_id": self.task.id,
                "message_type": "email",
                "author_id": self.customer.id,
                "incoming_email_to": "line7@x.example",
                "body": "Question",
            }
        )
        self.check("customer", [7, 1, 2, 3, 4, 5, 6, 8])
