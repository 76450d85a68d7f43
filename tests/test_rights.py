from odoo.addons.mail.tools.discuss import Store
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user

from .common import ExternalAccountCase


class TestRights(ExternalAccountCase):
    """First lines of defence; each kind of user against each kind of address."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.annas = cls.address("anna@x.example", cls.anna)
        cls.shared = cls.address("support@x.example")
        cls.board = cls.address(
            "board@x.example", None, allowed_user_ids=[(4, cls.bohdan.id)]
        )
        cls.project_manager = new_test_user(
            cls.env,
            "ext_pm",
            "base.group_user,project.group_project_manager",
            email="pm@corp.example",
        )
        cls.portal = new_test_user(
            cls.env, "ext_portal", "base.group_portal", email="portal@x.example"
        )

    def visible_to(self, user):
        addresses = self.annas | self.shared | self.board
        return (
            self.env["mail.external.address"]
            .with_user(user)
            .search([("id", "in", addresses.ids)])
            .sudo()
        )

    def test_who_sees_what(self):
        self.assertEqual(self.visible_to(self.anna), self.annas | self.shared)
        self.assertEqual(self.visible_to(self.bohdan), self.shared | self.board)
        self.assertEqual(
            self.visible_to(self.manager), self.annas | self.shared | self.board
        )
        with self.assertRaises(AccessError):
            self.visible_to(self.portal)

    def test_a_restricted_address_stays_so_when_its_only_user_is_no_employee(self):
        for change in (
            {"group_ids": [(6, 0, self.env.ref("base.group_portal").ids)]},
            {"active": False},
        ):
            with self.subTest(change=change):
                self.bohdan.write(change)
                self.assertEqual(self.visible_to(self.anna), self.annas | self.shared)
                senders = self.env["mail.external.sender"]
                rows = senders._usable_rows(self.anna.id)
                self.assertNotIn(self.board.id, [row.id for row in rows])
                self.assertFalse(self.board._may_send(self.anna))
                self.assertNotIn("board@x.example", senders._addresses_of(self.anna.id))

    def test_who_changes_what(self):
        self.annas.with_user(self.anna).sender_name = "Anna"
        self.annas.with_user(self.manager).sender_name = "Anna K."
        self.shared.with_user(self.manager).sender_name = "Support"
        for address, user in (
            (self.annas, self.bohdan),
            (self.shared, self.anna),
            (self.board, self.bohdan),
            (self.shared, self.project_manager),
        ):
            with self.assertRaises(AccessError):
                address.with_user(user).sender_name = "X"
            with self.assertRaises(AccessError):
                address.with_user(user).unlink()
            with self.assertRaises(AccessError):
                address.with_user(user).action_connect()

    def test_a_copied_project_has_the_addresses_that_who_copies_may_bind(self):
        for address in (self.shared, self.board, self.annas):
            self.env["mail.external.address.project"].create(
                {
                    "address_id": address.id,
                    "project_id": self.project_b.id,
                    "is_default": address == self.annas,
                }
            )
        self.anna.group_ids += self.env.ref("project.group_project_manager")
        for user, expected in (
            (self.project_manager, self.shared),
            (self.anna, self.shared | self.annas),
        ):
            # by their rights also where Odoo's code copies in superuser mode
            for project in (
                self.project_b.with_user(user),
                self.project_b.with_user(user).sudo(),
            ):
                copied = project.copy().sudo()
                bound = copied.external_address_binding_ids
                self.assertEqual(bound.address_id, expected, user.name)
                defaults = bound.filtered("is_default").address_id
                self.assertEqual(defaults, expected & self.annas)
        self.assertEqual(len(self.project_b.external_address_binding_ids), 3)

    def test_project_managers_bind_company_addresses_that_they_may_use(self):
        self.shared.binding_ids = [(0, 0, {"project_id": self.project_a.id})]
        binding = self.env["mail.external.address.project"]
        for user, address, allowed in (
            (self.project_manager, self.shared, True),
            (self.project_manager, self.board, False),
            (self.project_manager, self.annas, False),
            (self.anna, self.annas, True),
            (self.anna, self.shared, False),
        ):
            values = {"address_id": address.id, "project_id": self.project_b.id}
            if allowed:
                binding.with_user(user).create(values).unlink()
            else:
                with self.assertRaises(AccessError):
                    binding.with_user(user).create(values)

    def test_project_managers_take_no_address_away_from_other_projects(self):
        """Bound to one project it would be gone from all the others."""
        project = self.project_b.with_user(self.project_manager)
        values = {"address_id": self.shared.id, "project_id": project.id}
        task = self.task.with_user(self.anna)

        def offered():
            senders = self.env["mail.external.sender"].with_user(self.anna)
            return [row.id for row, _c in senders._sender_options(task)]

        self.assertIn(self.shared.id, offered())
        with self.assertRaises(AccessError):  # which rolls back
            project.external_address_binding_ids.create(values)
        self.env.invalidate_all()
        self.assertIn(self.shared.id, offered())
        # Nor do they give one to all projects that is for some.
        binding = self.shared.binding_ids.with_user(self.manager).create(values)
        self.assertNotIn(self.shared.id, offered())
        binding = binding.with_user(self.project_manager)
        with self.assertRaises(AccessError):  # which rolls back
            binding.unlink()
        more = binding.create({**values, "project_id": self.project_a.id})
        self.assertIn(self.shared.id, offered())
        more.unlink()
        self.assertNotIn(self.shared.id, offered())

    def test_personal_addresses_that_are_not_allowed_stay_archived(self):
        self.annas.with_user(self.manager).active = False
        own = self.annas.with_user(self.anna)
        own.action_connect()  # allowed, so hers to do, after a test
        self.env["ir.config_parameter"].set_param(
            "mail_external_account.forbid_personal", "1"
        )
        for change in (
            lambda: own.action_connect(),
            lambda: own.action_unarchive(),
            lambda: own.write({"active": True}),
            lambda: own.write({"active": True, "sender_name": "A"}),
        ):
            with self.assertRaises(AccessError):
                change()
        self.assertFalse(self.annas.active)
        self.annas.with_user(self.manager).action_connect()

    def test_nobody_takes_up_an_address_without_its_test(self):
        """Its account may be gone for good, and its password is."""
        self.annas.active = False
        self.assertFalse(self.annas.account_id.active)
        for user in (self.anna, self.manager):
            for record in (self.annas, self.annas.account_id):
                with self.assertRaisesRegex(AccessError, "connect window"):
                    record.with_user(user).action_unarchive()
        self.assertFalse(self.annas.active or self.annas.account_id.active)

    def test_the_name_is_for_who_may_see_the_address(self):
        """Core asks for it in superuser mode, whoever wants to know."""
        for user in (self.bohdan, self.portal, self.project_manager):
            hidden = self.annas.with_user(user).sudo()
            self.assertEqual(hidden.display_name, "External address")
        for user in (self.anna, self.manager, self.env.ref("base.user_root")):
            seen = self.annas.with_user(user).sudo()
            self.assertIn("anna@x.example", seen.display_name)

    def test_a_message_shows_its_address_to_its_readers(self):
        message = self.post(self.anna, external_address_id=self.annas.id)
        own = message.with_user(self.bohdan)
        self.assertEqual(own.external_address_id.display_name, "External address")
        [row] = own.read(["external_address_id"])
        self.assertNotIn("anna@x.example", str(row))
        store = Store(bus_channel=self.bohdan).add(own).get_result()
        [data] = [m for m in store["mail.message"] if m["id"] == message.id]
        self.assertEqual(data["external_sender"]["label"], "anna@x.example")

    def test_other_companies_see_nothing(self):
        other = self.env["res.company"].create({"name": "Other"})
        stranger = new_test_user(
            self.env,
            "ext_other",
            "base.group_user,mail_external_account.group_manager",
            company_id=other.id,
            company_ids=[(6, 0, other.ids)],
            email="other@x.example",
        )
        self.assertFalse(self.visible_to(stranger) & (self.shared | self.board))

    def test_sealed_secrets_are_nobodys(self):
        secret = self.env["mail.external.secret"].create(
            {
                "account_id": self.annas.account_id.id,
                "purpose": "smtp",
                "sealed": "sealed",
            }
        )
        admin = self.env.ref("base.user_admin")
        for user in (self.anna, self.manager, admin):
            for call in (
                lambda s: s.read(["sealed"]),
                lambda s: s.search([]).ids,
                lambda s: s.export_data(["sealed"]),
                lambda s: s.write({"sealed": "x"}),
                lambda s: s.unlink(),
            ):
                with self.assertRaises(UserError):
                    call(secret.with_user(user))

    def test_the_ledger_is_for_managers_and_written_by_nobody(self):
        row = self.env["mail.external.delivery"].create(
            {"message_id_header": "<1@x>", "recipient": "a@x.example", "state": "sent"}
        )
        self.assertTrue(row.with_user(self.manager).read(["state"]))
        with self.assertRaises(AccessError):
            row.with_user(self.anna).read(["state"])
        for user in (self.anna, self.manager):
            with self.assertRaises(AccessError):
                row.with_user(user).write({"state": "failed"})
            with self.assertRaises(AccessError):
                row.with_user(user).unlink()

    def test_own_addresses_in_preferences(self):
        listed = self.anna.with_user(self.anna).read(["external_address_ids"])[0]
        self.assertEqual(listed["external_address_ids"], self.annas.ids)

    def test_context_defaults_do_not_bypass_the_connect_window(self):
        forged = {
            "default_state": "working",
            "default_proof": "manager",
            "default_smtp_host": "10.0.0.5",
            "default_allow_private_host": True,
            "default_sign_in_user_id": self.bohdan.id,
            "default_forward_token": "a" * 26,
            "default_failure_reply": "x",
        }
        context = self.env(user=self.anna, context=forged)
        accounts, addresses = (
            context[name] for name in ("mail.external.account", "mail.external.address")
        )
        own = {"user_id": self.anna.id}
        named = {"email": "ceo@corp.example", "account_id": self.annas.account_id.id}
        for refused in (
            lambda: accounts.create(own),
            lambda: addresses.create(named),
            lambda: addresses.name_create("ceo@corp.example"),
        ):
            with self.assertRaises(AccessError):
                refused()
        # as the connect window does it, which is called with the same context
        account = accounts.sudo().create(own)
        address = addresses.sudo().create({**named, "account_id": account.id})
        self.assertEqual(address.state, "draft")
        for name in ("smtp_host", "allow_private_host", "sign_in_user_id"):
            self.assertFalse(account[name], name)
        self.assertFalse(account.forward_token or account.failure_reply)
        self.assertFalse(address.proof or address.failure_reply)

    def test_a_binding_is_not_moved_to_somebody_elses_address(self):
        own = self.address("anna@y.example", self.anna, [(self.project_b, True)])
        binding = own.binding_ids.with_user(self.anna)
        for other in (self.shared, self.address("b@y.example", self.bohdan)):
            with self.assertRaisesRegex(UserError, "stays with its address"):
                binding.address_id = other.id
        private = self.env["project.project"].create(
            {"name": "Board", "privacy_visibility": "followers"}
        )
        with self.assertRaises(AccessError):
            binding.project_id = private
        with self.assertRaises(AccessError):
            binding.create({"address_id": own.id, "project_id": private.id})

    def test_deleting_the_only_allowed_opens_nothing(self):
        """Nobody in the list means everybody: that must not come about by accident."""
        with self.assertRaisesRegex(UserError, "board@x.example"):
            self.bohdan.unlink()
        group = self.env["res.groups"].create({"name": "Board"})
        self.board.allowed_group_ids = group
        other = new_test_user(self.env, "ext_other_board", "base.group_user")
        self.board.allowed_user_ids = other
        other.unlink()  # the group is left
        self.assertEqual(self.board.allowed_group_ids, group)
        with self.assertRaisesRegex(UserError, "board@x.example"):
            group.unlink()
        self.assertNotIn(self.board, self.visible_to(self.anna))

    def test_managers_and_administrators_have_the_menus(self):
        admin = self.env.ref("base.user_admin")
        menus = self.env["ir.ui.menu"]
        actions = {
            self.env.ref(f"mail_external_account.{name}").id
            for name in (
                "mail_external_address_action_personal",
                "mail_external_address_action_company",
                "mail_external_provider_action",
                "mail_external_delivery_action",
                "mail_external_arrival_action",
                "mail_external_arrival_action_quarantine",
            )
        }
        for user, expected in ((self.manager, True), (admin, True), (self.anna, False)):
            shown = menus.with_user(user).load_menus(False).values()
            found = actions & {menu.get("action_id") for menu in shown}
            self.assertEqual(found, actions if expected else set(), user.name)
