from odoo.exceptions import AccessError
from odoo.fields import Command
from odoo.tests import Form, new_test_user

from ..tools.notices import managers_of
from .common import ConnectCase

GROUPS = "base.group_user,project.group_project_manager"
MANAGER = f"{GROUPS},mail_external_account.group_manager"


class TestManagerCompanies(ConnectCase):
    """A manager of company B has no say over the addresses of A's employees."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other = cls.env["res.company"].create({"name": "Company B"})
        cls.stranger = cls.user("ext_b", cls.other)
        cls.both = cls.user("ext_both", cls.other | cls.company)
        cls.annas = cls.address(
            "anna@brand-a.example",
            cls.anna,
            [(cls.project_a, True)],
            proof="code",
            receive_replies=True,
            incoming_protocol="imap",
        )
        cls.annas.account_id._set_up_reading([("INBOX", False)], anew=True)
        cls.shared = cls.address("info@brand-a.example")
        cls.bs_project = cls.env["project.project"].create(
            {"name": "Of B", "company_id": cls.other.id}
        )

    @classmethod
    def user(cls, login, companies, groups=MANAGER, **values):
        return new_test_user(
            cls.env,
            login,
            groups,
            email=f"{login}@corp.example",
            company_id=companies[0].id,
            company_ids=[Command.set(companies.ids)],
            **values,
        )

    def variants(self):
        """Personal addresses of A: as usual, limited to a company, of one who left."""
        left = self.user("ext_left", self.company, GROUPS)
        lefts = self.address("left@brand-a.example", left)
        left.active = False
        return (
            self.annas
            | lefts
            | self.address(
                "anna@brand-b.example", self.anna, company_id=self.company.id
            )
        )

    def refused(self, call, *args, **kw):
        with self.assertRaises(AccessError):  # which rolls back
            call(*args, **kw)
        self.env.invalidate_all()

    def test_records_of_an_account(self):
        addresses = self.variants()
        ledger = self.env["mail.external.delivery"].create(
            [
                {
                    "message_id_header": f"<{address.id}@x.example>",
                    "recipient": "clara@customer.example",
                    "address_id": address.id,
                    "account_id": address.account_id.id,
                    "user_id": address.user_id.id,
                    "state": "sent",
                }
                for address in addresses
            ]
        )
        of_deleted = ledger.create(
            {
                "message_id_header": "<gone@x.example>",
                "recipient": "clara@customer.example",
                "user_id": self.anna.id,
                "state": "sent",
            }
        )
        everything = (
            addresses,
            addresses.account_id,
            addresses.binding_ids,
            addresses.account_id.mailbox_ids,
            addresses.account_id.folder_ids,
            ledger,
            of_deleted,
        )
        for records in everything:
            self.assertTrue(records)
            for user, seen in (
                (self.stranger, records.browse()),
                (self.manager, records),
                (self.both, records),
            ):
                found = records.with_user(user).search([("id", "in", records.ids)])
                with self.subTest(model=records._name, user=user.login):
                    self.assertEqual(found.sudo(), seen)
            # Who works in A and B sees what belongs to the company that is ticked.
            only_b = records.with_user(self.both).with_context(
                allowed_company_ids=self.other.ids
            )
            self.assertFalse(only_b.search([("id", "in", records.ids)]))

    def test_the_ledger_of_a_deleted_employee(self):
        [row, of_shared] = self.env["mail.external.delivery"].create(
            [
                {
                    "message_id_header": f"<{address.id}@x.example>",
                    "recipient": "clara@customer.example",
                    "address_id": address.id,
                    "account_id": address.account_id.id,
                    "company_id": address.company_id.id,
                    "state": "sent",
                }
                for address in (self.annas, self.shared)
            ]
        )
        self.anna.unlink()
        self.shared.unlink()
        for user, seen in ((self.stranger, False), (self.manager, True)):
            for each in (row, of_shared):
                self.assertFalse(each.address_id or each.account_id)
                self.assertEqual(each.with_user(user).has_access("read"), seen)

    def test_an_arrival_of_no_company_is_no_managers(self):
        """As what a deleted company leaves behind."""
        arrival = self.env["mail.external.arrival"].create(
            {"key": "orphan", "state": "quarantine", "raw": b"eA=="}
        )
        for user in (self.stranger, self.manager):
            self.assertFalse(arrival.with_user(user).search([("key", "=", "orphan")]))

    def test_nothing_is_changed_by_any_route(self):
        stranger = self.stranger
        for address in self.variants() | self.shared:
            own = address.with_user(stranger)
            in_both = own.with_context(
                allowed_company_ids=(self.other | self.company).ids
            )
            for foreign in (own, in_both):
                self.refused(lambda a=foreign: a.write({"sender_name": "x"}))
                self.refused(foreign.action_archive)
                self.refused(foreign.unlink)
                self.refused(foreign.action_connect)
                self.refused(foreign.action_fetch_now)
                self.refused(foreign.action_add_sibling)
                self.refused(foreign.action_move)
                self.refused(foreign.action_remove)
                self.refused(foreign.read, ["email"])
                account = foreign.with_env(self.env).account_id
                account = account.with_env(foreign.env)
                self.refused(lambda a=account: a.write({"keep_sent_copy": True}))
                self.refused(account.unlink)
                self.refused(account.action_add_address)
                self.refused(account.action_remove)
                self.refused(account.action_withdraw_sign_in)
                self.refused(account.read, ["smtp_login"])
        folder = {"account_id": self.annas.account_id.id, "name": "Private"}
        self.refused(
            self.env["mail.external.folder"].with_user(stranger).create, folder
        )
        self.refused(self.annas.account_id.folder_ids.with_user(stranger).unlink)
        self.refused(self.annas.binding_ids.with_user(stranger).unlink)

    def test_nothing_is_changed_through_other_records(self):
        """Commands inside the values of what the manager may write."""
        # As in a request: such commands are carried out by who made it.
        self.stranger.group_ids += self.env.ref("base.group_erp_manager")
        self.env.transaction.default_env = self.env(user=self.stranger)
        line = {"address_id": self.annas.id}
        project = self.bs_project.with_user(self.stranger)
        for commands in (
            [Command.create(line)],
            [Command.create({"address_id": self.shared.id})],
            [Command.delete(self.annas.binding_ids.id)],
            [Command.link(self.annas.binding_ids.id)],
        ):
            with self.subTest(commands=commands):
                self.refused(project.write, {"external_address_binding_ids": commands})
        draft = {"email": "anna@new.example", "user_id": self.anna.id}
        commands = (
            Command.update(self.annas.id, {"sender_name": "x"}),
            Command.delete(self.annas.id),
            Command.link(self.annas.id),
        )
        for record, some in (
            (self.other, (*commands, Command.create(draft))),
            (self.stranger, commands),
            (self.anna, commands),
        ):
            for command in some:
                values = {"external_address_ids": [command]}
                with self.subTest(record=record, command=command):
                    self.refused(record.with_user(self.stranger).write, values)
        self.assertEqual(self.annas.user_id, self.anna)
        self.assertTrue(self.annas.binding_ids)

    def test_no_window_for_an_account_of_the_other_company(self):
        windows = self.env["mail.external.account.connect"].with_user(self.stranger)
        addresses = self.variants() | self.shared
        for name, record in (
            *(("address_id", address) for address in addresses),
            *(("account_id", account) for account in addresses.account_id),
        ):
            values = {name: record.id, "email": "x@brand-a.example"}
            self.refused(windows.create, values)
            opened = windows.with_context(**{f"default_{name}": record.id})
            self.refused(opened.default_get, [name, "smtp_login"])
            self.refused(opened.create, {})
            self.refused(opened.onchange, values, [], {"email": {}})
            window = self.window(self.stranger)
            self.refused(window.write, {name: record.id})

    def test_no_address_for_an_employee_of_the_other_company(self):
        """Neither a new one nor a take-over by changing the window's owner."""
        steps = ("action_vouch", "action_save", "action_keep_draft", "action_send_code")
        own = self.address("b@brand-b.example", self.stranger, proof="code")
        for values in (
            {"user_id": self.anna.id},
            {"user_id": self.anna.id, "company_id": self.other.id},
            {"user_id": self.anna.id, "company_id": self.company.id},
            {"is_company": True, "user_id": False, "company_id": self.company.id},
            {"address_id": own.id, "user_id": self.anna.id},
            # not even to hide one's own from the managers of one's company
            {"user_id": self.stranger.id, "company_id": self.company.id},
        ):
            window = self.window(self.stranger, **values)
            self.passed(window)
            for step in steps:
                if step == "action_keep_draft" and "address_id" in values:
                    continue  # refused to everybody
                with self.subTest(values=values, step=step):
                    self.refused(getattr(window, step))
            self.refused(window.run_check, "smtp_host")
            self.assertFalse(window.proof == "manager")
        draft = {"email": "anna@new.example", "user_id": self.anna.id}
        addresses = self.env["mail.external.address"].with_user(self.stranger)
        self.refused(addresses.create, draft)

    def test_an_employee_does_not_hide_an_address_from_the_managers(self):
        window = self.window(company_id=self.other.id, email="x@brand-b.example")
        self.passed(window)
        with self.assertRaisesRegex(AccessError, "do not belong"):
            window.action_save()
        window = self.window(
            self.both,
            company_id=self.other.id,
            user_id=self.anna.id,
            email="x@brand-b.example",
        )
        with self.assertRaisesRegex(AccessError, "does not belong to Company B"):
            window.action_keep_draft()

    def test_only_a_manager_of_the_account_has_a_message_sent_again(self):
        self.task.project_id.company_id = False
        for address in (self.annas, self.shared):
            message = self.post(self.anna, external_address_id=address.id)
            self.assertTrue(self.external_mails(message))
            self.refused(message.with_user(self.stranger).action_external_send_again)
            message.with_user(self.manager).action_external_send_again()

    def test_a_project_manager_is_no_manager_of_another_companys_address(self):
        """Also when they are a manager elsewhere: the first binding is not theirs."""
        binding = self.env["mail.external.address.project"].with_user(self.stranger)
        self.stranger.company_ids += self.company  # sees what A's employees see
        self.env.invalidate_all()
        values = {"address_id": self.shared.id, "project_id": self.project_b.id}
        binding.create(values).unlink()
        self.stranger.company_ids -= self.company
        self.env.invalidate_all()
        self.refused(binding.create, values)

    def test_what_a_manager_of_the_company_still_does(self):
        """Also for who left, and who works in several companies."""
        for user in (self.manager, self.both):
            for address in self.variants().with_user(user):
                address.sender_name = "Changed"
                address.action_archive()
                self.refused(address.action_unarchive)  # the window tests it first
                action = address.action_connect()
                windows = self.env[action["res_model"]].with_user(user)
                window = windows.with_context(**action["context"]).create(
                    {"password": "hunter2"}
                )
                self.passed(window)
                if not window.proof:
                    window.action_vouch()
                window.action_save()
                self.assertTrue(address.active)
            self.env["mail.external.address"].search(
                [("email", "in", ["left@brand-a.example", "anna@brand-b.example"])]
            ).unlink()
            self.env["res.users"].with_context(active_test=False).search(
                [("login", "=", "ext_left")]
            ).login = f"left_{user.id}"
        self.annas.with_user(self.manager).action_fetch_now()

    def test_managers_of_the_company_are_told_of_its_addresses(self):
        nobody = self.env["res.users"]
        managers = managers_of(self.shared, nobody, self.shared.company_id)
        self.assertIn(self.manager, managers)
        self.assertNotIn(self.stranger, managers)
        self.assertIn(self.both, managers)

    def test_the_window_offers_colleagues_only(self):
        window = Form(
            self.env["mail.external.account.connect"].with_user(self.stranger)
        )
        self.assertEqual(window.user_id, self.stranger)
        field = self.env["mail.external.account.connect"]._fields["user_id"]
        self.assertIn("allowed_company_ids", field.domain)
