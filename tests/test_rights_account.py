"""Who may send from an address learns nothing of the account behind it."""

import itertools

from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user
from odoo.tools import mute_logger

from .common import ExternalAccountCase

# None of these may come out: they are the account's.
HOST = "smtp.inside.corp"
LOGIN = "robot-login"
SAID = "535 go away from kyiv-17.inside.corp"
BOSS = "boss@x.example"
SECRETS = (HOST, "imap.inside.corp", LOGIN, "kyiv-17", BOSS, "123456")
ACCOUNT_FIELDS = (
    *("smtp_host", "smtp_login", "incoming_host", "incoming_login", "failure_code"),
    *("failure_reply", "state", "incoming_protocol", "display_name", "look_back_days"),
)
OF_ACCOUNT = (
    *("connection", "failure_text", "failure_answer", "last_check"),
    *("sibling_count", "account_label", "mailbox_status", "mailbox_last_look"),
    *("mailbox_answer_count", "mailbox_unrelated_count", "can_fetch"),
    *("delivery_next_try", "mailbox_failed", "can_connect"),
)


class AccountRightsCase(ExternalAccountCase):
    """Two addresses of the company's one account: Bohdan may send from one of them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.boss = cls.address(
            BOSS,
            allowed_user_ids=[Command.link(cls.manager.id)],
            smtp_host=HOST,
            smtp_login=LOGIN,
            incoming_protocol="imap",
            incoming_host="imap.inside.corp",
            incoming_login=LOGIN,
            receive_replies=True,
            failure_code="refused",
            failure_reply=SAID,
        )
        cls.account = cls.boss.account_id
        cls.account.forward_notice = "Code 123456"
        cls.account.mailbox_ids.write({"answer_count": 3, "failure_reply": SAID})
        cls.sales = cls.address("sales@x.example", account_id=cls.account.id)
        cls.sales.write({"failure_code": "sender_refused", "failure_reply": SAID})
        cls.own = cls.address("bohdan@own.example", cls.bohdan)
        cls.annas = cls.address("anna@own.example", cls.anna, smtp_host=HOST)
        export = cls.env.ref("base.group_allow_export")
        people = cls.bohdan | cls.manager
        people.write({"group_ids": [Command.link(export.id)]})


class TestAccountIsHidden(AccountRightsCase):
    def assert_hidden(self, call):
        """Refused, or an answer without anything of the account."""
        try:
            with self.env.cr.savepoint():
                answer = str(call())
        except (UserError, ValueError, NotImplementedError):
            return
        finally:
            self.env.invalidate_all()
        for secret in SECRETS:
            self.assertNotIn(secret, answer)

    def assert_refused(self, call):
        try:
            with self.env.cr.savepoint():
                call()
        except (UserError, ValueError):
            return
        self.fail("Not refused")

    def test_reading(self):
        nested = {name: {} for name in ACCOUNT_FIELDS}
        paths = [f"account_id/{name}" for name in ACCOUNT_FIELDS]
        for address in (self.sales, self.annas, self.boss):
            own = address.with_user(self.bohdan)
            account = address.account_id.with_user(self.bohdan)
            for call in (
                lambda a=own: a.read(),
                lambda a=own: a.read(["failure_code"]),
                lambda a=own: a.read(["failure_reply"]),
                lambda a=own: a.web_read({"account_id": {"fields": nested}}),
                lambda a=own: a.web_read({"former_account_ids": {"fields": nested}}),
                *(lambda a=own, p=p: a.export_data([p]) for p in paths),
                lambda a=own: a.export_data(["failure_reply", "failure_code"]),
                lambda a=own: a.copy_data(),
                lambda a=own: a.action_mailbox(),
                lambda a=own: a.action_add_sibling(),
                lambda a=own: a.action_settings(),
                lambda a=account: a.read(),
                lambda a=account: a.display_name,
                lambda a=account: a.export_data(["smtp_host"]),
                lambda a=account: a.web_read(nested),
                lambda a=account: a.action_add_address(),
            ):
                self.assert_hidden(call)
        seen = self.sales.with_user(self.bohdan)
        self.assertEqual(seen.state, "stopped")
        self.assertFalse(any(seen[name] for name in OF_ACCOUNT))

    def test_who_manages_it_sees_it(self):
        seen = self.sales.with_user(self.manager)
        self.assertIn(HOST, seen.connection)
        self.assertEqual((seen.sibling_count, seen.account_label), (1, BOSS))
        self.assertEqual(seen.failure_answer, SAID)
        self.assertEqual(
            seen.account_id.web_read({"smtp_host": {}})[0]["smtp_host"], HOST
        )

    def test_searching(self):
        """Yes or no is an answer, too."""
        addresses = self.env["mail.external.address"].with_user(self.bohdan)
        messages = self.env["mail.message"].with_user(self.bohdan)
        message = self.post(self.anna, external_address_id=self.annas.id)
        for name, right, wrong in (
            ("smtp_host", HOST, "smtp.example.org"),
            ("smtp_login", LOGIN, "other"),
            ("failure_reply", "%kyiv%", "%lviv%"),
            ("address_ids.email", BOSS, "x@x.example"),
            ("user_id.login", "ext_anna", "ext_manager"),
            ("mailbox_ids.answer_count", 3, 4),
            ("incoming_protocol", "imap", "pop3"),
        ):
            operator = "like" if isinstance(right, str) else "="
            answers = []
            for value, sign in itertools.product((right, wrong), ("", "!")):
                leaf = (f"account_id.{name}", operator, value)
                domain = [*sign, leaf]
                past = [(f"external_address_id.{leaf[0]}", operator, value)]
                for call in (
                    lambda d=domain: addresses.search([*d, ("id", "in", self.all())]),
                    lambda d=past: messages.search([*d, ("id", "=", message.id)]),
                ):
                    try:
                        with self.env.cr.savepoint():
                            answers.append((sign, call().ids))
                    except UserError:
                        answers.append((sign, "refused"))
            half = len(answers) // 2
            self.assertEqual(answers[:half], answers[half:], name)

    def test_what_is_shown_of_it_cannot_be_searched_for(self):
        addresses = self.env["mail.external.address"].with_user(self.bohdan)
        for name, right, wrong in (
            ("connection", HOST, "smtp.example.org"),
            ("failure_answer", "kyiv", "lviv"),
            ("account_label", BOSS, "x@x.example"),
            ("sibling_count", 1, 7),
            ("mailbox_answer_count", 3, 4),
        ):
            operator = "ilike" if isinstance(right, str) else "="
            answers = []
            for value in (right, wrong):
                domain = [("id", "in", self.all()), (name, operator, value)]
                try:
                    with self.env.cr.savepoint(), mute_logger("odoo.domains"):
                        answers.append(addresses.search(domain).ids)
                except (UserError, ValueError) as error:
                    answers.append(type(error))
                self.env.invalidate_all()
            self.assertEqual(*answers, name)

    def all(self):
        return (self.sales | self.boss | self.annas).ids

    def test_own_facts_cannot_be_searched_for(self):
        """The server's words about an address are not for who only sends from it."""
        addresses = self.env["mail.external.address"].with_user(self.bohdan)
        for name in ("failure_reply", "failure_code"):
            for call in (
                lambda n=name: addresses.search([(n, "ilike", "e")]),
                lambda n=name: addresses._read_group([], [n]),
                lambda n=name: addresses.search([], order=n),
            ):
                self.assert_refused(call)

    def test_grouping_and_sorting(self):
        addresses = self.env["mail.external.address"].with_user(self.bohdan)
        for name in ("smtp_host", "smtp_login", "failure_reply", "display_name"):
            path = f"account_id.{name}"
            for call in (
                lambda p=path: addresses._read_group([], [p], ["__count"]),
                lambda p=path: addresses._read_group([], [], [f"{p}:max"]),
                lambda p=path: addresses.formatted_read_group([], [p], ["__count"]),
                lambda p=path: addresses.web_read_group([], [p]),
            ):
                self.assert_hidden(call)
            self.assert_refused(lambda p=path: addresses.search([], order=p))
        self.assert_hidden(
            lambda: addresses.formatted_read_group([], ["account_id"], ["__count"])
        )
        for call in (
            lambda: addresses.web_search_read([], {"account_id": {"fields": {}}}),
            lambda: addresses.search_panel_select_range("account_id"),
            lambda: addresses.name_search("inside"),
            lambda: addresses.name_search(""),
            lambda: addresses.search_read([], ["account_id", *OF_ACCOUNT]),
        ):
            self.assert_hidden(call)

    def test_names(self):
        accounts = self.env["mail.external.account"].with_user(self.bohdan)
        for text in ("", "inside", "boss", "robot", "sales"):
            found = {id_ for id_, _name in accounts.name_search(text)}
            self.assertNotIn(self.account.id, found)
            self.assertNotIn(self.annas.account_id.id, found)
        managed = accounts.with_user(self.manager)
        found = {id_ for id_, _name in managed.name_search("boss")}
        self.assertEqual(found, {self.account.id})
        self.assertFalse(managed.name_search("no such address"))

    def test_a_screen_that_is_filled_in(self):
        """An onchange says of a record whatever its caller wants."""
        fields = self.env["mail.external.address"].with_user(self.bohdan).fields_get()
        spec = dict.fromkeys(fields, {})
        spec["user_id"] = {"fields": {"display_name": {}}}
        spec["account_id"] = {"fields": {"display_name": {}, "smtp_host": {}}}
        lines = {"external_address_ids": {"fields": spec}}
        addresses = self.env["mail.external.address"].with_user(self.bohdan)
        own = self.own.with_user(self.bohdan)
        bindings = self.env["mail.external.address.project"].with_user(self.bohdan)
        bound = {
            "address_id": {"fields": spec},
            "address_user_id": {"fields": {"display_name": {}}},
            "address_state": {},
        }
        for account in (self.account, self.annas.account_id):
            for value in (account.id, {"id": account.id}, [account.id, "x"]):
                named = {"account_id": value, "email": "x@y.example"}
                for command in ([0, "virtual", named], [1, self.own.id, named]):
                    lined = {"external_address_ids": [command]}
                    for record in (self.bohdan, self.company):
                        self.assert_nothing_told(
                            lambda r=record, v=lined: r.with_user(self.bohdan).onchange(
                                v, ["external_address_ids"], lines
                            )
                        )
                for record in (addresses, own):
                    self.assert_nothing_told(
                        lambda r=record, v=named: r.onchange(v, ["account_id"], spec)
                    )
        for address in (self.boss, self.annas):
            for values in ({}, {"sender_name": "x"}, {"email": "x@y.example"}):
                self.assert_nothing_told(
                    lambda a=address, v=values: a.with_user(self.bohdan).onchange(
                        v, [*v], spec
                    )
                )
            for command in ([1, address.id, {}], [4, address.id], [6, 0, address.ids]):
                lined = {"external_address_ids": [command]}
                self.assert_nothing_told(
                    lambda v=lined: self.bohdan.with_user(self.bohdan).onchange(
                        v, ["external_address_ids"], lines
                    )
                )
            for value in (address.id, {"id": address.id}):
                self.assert_nothing_told(
                    lambda v=value: bindings.onchange(
                        {"address_id": v}, ["address_id"], bound
                    )
                )

    def test_what_is_not_saved(self):
        addresses = self.env["mail.external.address"].with_user(self.bohdan)
        for account in (self.account, self.annas.account_id):
            for value in (account.id, {"id": account.id}):
                new = addresses.new({"account_id": value, "email": "x@y.example"})
                self.assertFalse(new.user_id)
                self.assertEqual(new.state, "draft")
                self.assertFalse(any(new[name] for name in OF_ACCOUNT))
                of_manager = addresses.with_user(self.manager)
                new = of_manager.new({"account_id": value, "email": "x@y.example"})
                self.assertEqual(new.user_id, account.user_id)
                self.assertEqual(new.state, "working")
                self.assertIn(HOST, new.connection)

    def assert_nothing_told(self, call):
        """As ``assert_hidden``; neither the state nor whose it is."""
        self.account.state = "refused"
        self.env.flush_all()
        self.env.invalidate_all()
        try:
            with self.env.cr.savepoint():
                answer = str(call())
        except (UserError, ValueError, TypeError):
            return
        finally:
            self.env.invalidate_all()
        for word in (*SECRETS, "refused", "stopped", "Anna K", "anna@own"):
            self.assertNotIn(word, answer)

    def test_no_address_is_written_onto_somebodys_account(self):
        """That would be sending with their sign-in."""
        bohdan = self.env(user=self.bohdan)
        addresses = bohdan["mail.external.address"]
        own = self.own.with_user(self.bohdan)
        link = Command.link(self.own.id)
        for account in (self.account, self.annas.account_id):
            values = {"email": "bohdan@y.example", "account_id": account.id}
            create, move = (
                Command.create(values),
                Command.update(self.own.id, {"account_id": account.id}),
            )
            seen = account.with_user(self.bohdan)
            for call in (
                lambda v=values: addresses.create(v),
                lambda a=account: addresses.with_context(
                    default_account_id=a.id
                ).create({"email": "b@y.example"}),
                lambda a=account: own.write({"account_id": a.id}),
                lambda a=account: own.with_context(default_account_id=a.id).copy(),
                lambda a=account: own.copy({"account_id": a.id}),
                lambda: own.write({"email": "boss@x.example"}),
                lambda: own.write({"is_main": False}),
                lambda: own.write({"former_account_ids": [Command.clear()]}),
                lambda v=values: addresses.web_save(v, {}),
                lambda a=account: own.web_save({"account_id": a.id}, {}),
                lambda c=create: self.preferences([c]),
                lambda c=move: self.preferences([c]),
                lambda c=create, s=seen: s.write({"address_ids": [c]}),
                lambda s=seen: s.write({"address_ids": [link]}),
                lambda s=seen: s.write({"former_address_ids": [link]}),
                lambda s=seen: own.account_id.write({"sign_in_user_id": 2}),
            ):
                with self.assertRaises(UserError), self.env.cr.savepoint():
                    call()
                self.env.invalidate_all()
                self.env.transaction.clear()
            loaded = addresses.load(
                ["email", "account_id/.id"], [["bohdan@y.example", str(account.id)]]
            )
            self.assertFalse(loaded["ids"])
            loaded = own.load(
                [".id", "account_id/.id"], [[str(self.own.id), str(account.id)]]
            )
            self.assertFalse(loaded["ids"])
            self.assertNotEqual(self.own.account_id, account)
        self.assertEqual(self.account.address_ids, self.boss | self.sales)
        self.assertFalse(addresses.sudo().search([("email", "=", "b@y.example")]))

    def preferences(self, commands):
        """A user's own form is saved in superuser mode by core."""
        self.bohdan.with_user(self.bohdan).write({"external_address_ids": commands})

    def test_access_to_one_is_no_access_to_its_sibling(self):
        self.assertTrue(self.sales._may_send(self.bohdan))
        self.assertFalse(self.boss._may_send(self.bohdan))
        with self.assertRaises(UserError):
            self.post(self.bohdan, external_address_id=self.boss.id)
        senders = self.env["mail.external.sender"].with_user(self.bohdan)
        self.sales.write({"failure_code": False})
        usable = senders._usable_ids(self.task.sudo())
        self.assertIn(self.sales.id, usable)
        self.assertNotIn(self.boss.id, usable)
        self.assertNotIn(BOSS, senders._addresses_of(self.bohdan.id))
        message = self.post(self.bohdan, external_address_id=self.sales.id)
        with self.assertRaises(AccessError):
            message.with_user(self.bohdan).external_address_id = self.boss
        self.assertFalse(self.boss._may_deliver(message))


class TestAddressOfAnotherCompany(AccountRightsCase):
    """One account of the company, with an address for another one of the tenant's."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.brand = cls.env["res.company"].create({"name": "Brand"})
        cls.hello = cls.address(
            "hello@brand.example", account_id=cls.account.id, company_id=cls.brand.id
        )
        cls.brands_manager = new_test_user(
            cls.env,
            "ext_brands_manager",
            "base.group_user,mail_external_account.group_manager",
            company_id=cls.brand.id,
            company_ids=[Command.set(cls.brand.ids)],
        )

    def test_its_manager_changes_the_address_and_not_the_account(self):
        own = self.hello.with_user(self.brands_manager)
        own.sender_name = "Hello"
        self.assertEqual(own.search([]), own)
        self.assertEqual(own.account_id.display_name, "Mail account")
        self.assertFalse(any(own[name] for name in OF_ACCOUNT))
        for call in (
            lambda: own.account_id.read(["smtp_host"]),
            lambda: own.account_id.write({"look_back_days": 3}),
            lambda: own.account_id.unlink(),
            lambda: own.account_id.action_remove(),
            lambda: own.action_connect(),
            lambda: own.action_move(),
            lambda: own.action_add_sibling(),
            lambda: own.action_mailbox(),
            lambda: own.action_fetch_now(),
            lambda: self.sales.with_user(self.brands_manager).write({"sequence": 1}),
        ):
            with self.assertRaises(AccessError), self.env.cr.savepoint():
                call()
            self.env.invalidate_all()

    def test_its_people_use_it_and_the_accounts_do_not(self):
        both = new_test_user(
            self.env,
            "ext_both_companies",
            "base.group_user",
            company_id=self.company.id,
            company_ids=[Command.set((self.company | self.brand).ids)],
        )
        for user, may in (
            (self.brands_manager, True),
            (both, True),
            (self.bohdan, False),
            (self.manager, False),
        ):
            self.assertEqual(self.hello._may_send(user), may, user.login)
            self.assertEqual(self.hello.with_user(user).sudo().can_use, may)

    def test_the_accounts_manager_sees_how_many_there_are(self):
        seen = self.sales.with_user(self.manager)
        self.assertEqual(seen.sibling_count, 2)
        found = seen.search([("account_id", "=", self.account.id)])
        self.assertEqual(found.sudo(), self.boss | self.sales)
        with self.assertRaises(AccessError):
            self.hello.with_user(self.manager).read(["email"])


class TestSignedInByAPerson(AccountRightsCase):
    """Anna opened a mailbox of the company with a sign-in of her own."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.account.sign_in_user_id = cls.anna

    def test_she_sees_it_and_changes_nothing(self):
        account = self.account.with_user(self.anna)
        self.assertEqual(account.read(["smtp_host"])[0]["smtp_host"], HOST)
        for call in (
            lambda: account.write({"look_back_days": 3}),
            lambda: account.unlink(),
            lambda: account.action_connect(),
            lambda: account.action_add_address(),
            lambda: account.action_remove(),
            lambda: account.address_ids.action_remove(),
        ):
            with self.assertRaises(AccessError), self.env.cr.savepoint():
                call()
            self.env.invalidate_all()

    def test_she_sees_no_address_that_she_may_not_use(self):
        account = self.account.with_user(self.anna)
        seen = self.env["mail.external.address"].with_user(self.anna).search([])
        self.assertNotIn(self.boss, seen.sudo())
        self.assertIn(self.sales, seen.sudo())
        [read] = account.web_read({"address_ids": {"fields": {"email": {}}}})
        emails = [address["email"] for address in read["address_ids"]]
        self.assertEqual(emails, ["sales@x.example"])

    def test_she_withdraws_it_and_nobody_else_does(self):
        self.env["mail.external.secret"].create(
            {"account_id": self.account.id, "purpose": "smtp", "sealed": "sealed"}
        )
        for user in (self.bohdan, self.manager):
            with self.assertRaises(AccessError):
                self.account.with_user(user).action_withdraw_sign_in()
        self.account.with_user(self.anna).action_withdraw_sign_in()
        self.assertEqual(self.account.state, "refused")
        self.assertEqual(self.sales.state, "refused")
        self.assertFalse(self.account.sign_in_user_id)
        secrets = self.env["mail.external.secret"].search([])
        self.assertNotIn(self.account, secrets.account_id)


class TestMayUse(ExternalAccountCase):
    """One rule: what is read, searched for, picked and delivered."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        brand, other = cls.env["res.company"].create(
            [{"name": "Brand"}, {"name": "Other"}]
        )
        base = "base.group_user,project.group_project_user"
        both, gone = (cls.company | brand).ids, cls.env["res.company"]
        gone = gone.create({"name": "Gone"})
        cls.group = cls.env["res.groups"].create({"name": "Sales"})
        make = new_test_user
        cls.people = {
            "anna": cls.anna,
            "bohdan": cls.bohdan,
            "manager": cls.manager,
            "admin": cls.env.ref("base.user_admin"),
            "both": make(
                cls.env,
                "use_both",
                base,
                company_id=cls.company.id,
                company_ids=[Command.set(both)],
            ),
            "grouped": make(cls.env, "use_grouped", base),
            "stranger": make(
                cls.env,
                "use_other",
                f"{base},mail_external_account.group_manager",
                company_id=other.id,
                company_ids=[Command.set(other.ids)],
            ),
            "portal": make(cls.env, "use_portal", "base.group_portal"),
            "public": cls.env.ref("base.public_user"),
            "left": make(cls.env, "use_left", base),
            "of a gone company": make(
                cls.env,
                "use_gone",
                base,
                company_id=cls.company.id,
                company_ids=[Command.set((cls.company | gone).ids)],
            ),
        }
        cls.people["grouped"].group_ids += cls.group
        left, portal = cls.people["left"], cls.people["portal"]
        everybody = cls.address("everybody@x.example")
        cls.addresses = everybody
        for name, owner, values in (
            ("anna", cls.anna, {}),
            ("left", left, {}),
            ("annas", None, {"allowed_user_ids": [Command.link(cls.anna.id)]}),
            ("only-left", None, {"allowed_user_ids": [Command.link(left.id)]}),
            ("only-portal", None, {"allowed_user_ids": [Command.link(portal.id)]}),
            ("sales", None, {"allowed_group_ids": [Command.link(cls.group.id)]}),
            ("brand", None, {"company_id": brand.id}),
            ("gone", None, {"company_id": gone.id}),
            ("archived", None, {}),
            ("refused", None, {"state": "refused"}),
            ("draft", None, {"state": "draft"}),
        ):
            cls.addresses |= cls.address(f"{name}@x.example", owner, **values)
        # siblings: of the same account, for another company and for others
        account = everybody.account_id.id
        for name, values in (
            ("sibling", {"allowed_user_ids": [Command.link(cls.bohdan.id)]}),
            ("siblings-brand", {"company_id": brand.id}),
        ):
            email = f"{name}@x.example"
            cls.addresses |= cls.address(email, account_id=account, **values)
        cls.addresses.filtered(lambda a: a.email.startswith("archived")).active = False
        gone.active = False
        left.active = False
        cls.env.flush_all()
        cls.env.invalidate_all()

    def names(self, addresses):
        return {email.partition("@")[0] for email in addresses.sudo().mapped("email")}

    def test_who_may_use_which(self):
        common = {"everybody", "archived", "refused", "draft"}
        expected = {
            "anna": common | {"anna", "annas"},
            "bohdan": common | {"sibling"},
            "manager": common,
            "both": common | {"brand", "siblings-brand"},
            "grouped": common | {"sales"},
            "stranger": set(),
            "portal": set(),
            "public": set(),
            "left": set(),
            "of a gone company": common,
        }
        for name, found in expected.items():
            with self.subTest(name):
                user = self.people[name]
                seen = self.addresses.with_user(user).sudo()
                usable = seen.filtered("can_use")
                self.assertEqual(self.names(usable), found)

    def test_search_compute_and_delivery_agree(self):
        """By turns first, so that nothing is answered out of the cache."""
        for name, user in self.people.items():
            for first in ("search", "compute"):
                self.env.invalidate_all()
                seen = self.addresses.with_user(user).sudo()
                everything = seen.with_context(active_test=False)
                domain = [("id", "in", seen.ids)]

                def computed(seen=seen):
                    return seen.filtered("can_use")

                def found(everything=everything, domain=domain):
                    return everything.search([*domain, ("can_use", "=", True)])

                if first == "compute":
                    usable, searched = computed(), found()
                else:
                    searched, usable = found(), computed()
                with self.subTest(name, first=first):
                    self.assertEqual(self.names(usable), self.names(searched))
                    for negative in (
                        [("can_use", "=", False)],
                        [("can_use", "!=", True)],
                        [("can_use", "not in", [True])],
                        ["!", ("can_use", "=", True)],
                    ):
                        rest = everything.search([*domain, *negative])
                        self.assertEqual(
                            self.names(rest),
                            self.names(seen) - self.names(usable),
                            negative,
                        )
                    both = everything.search([*domain, ("can_use", "in", [1, 0])])
                    self.assertEqual(self.names(both), self.names(seen))
                    sends = seen.filtered(lambda a, u=user: a._may_send(u))
                    active = usable.filtered("active")
                    self.assertEqual(self.names(sends), self.names(active))

    def test_the_picker_and_the_record_rules_agree(self):
        for name, user in self.people.items():
            seen = self.addresses.with_user(user)
            usable = seen.sudo().filtered("can_use")
            working = usable.filtered(lambda a: a.active and a.state == "working")
            rows = self.env["mail.external.sender"]._usable_rows(user.id)
            picked = self.env["mail.external.address"].browse(row.id for row in rows)
            with self.subTest(name):
                self.assertEqual(
                    self.names(picked & self.addresses), self.names(working)
                )
            if user.share:
                with self.subTest(name), self.assertRaises(AccessError):
                    self.env["mail.external.address"].with_user(user).search([])
                continue
            # rules show what may be used in the ticked companies, and managers more
            companies = user.company_ids.ids
            own = seen.with_context(allowed_company_ids=companies, active_test=False)
            found = own.search([("id", "in", seen.ids)])
            allowed = self.names(found)
            with self.subTest(name):
                self.assertLessEqual(self.names(usable), allowed)
                if name not in ("manager", "admin", "stranger"):
                    self.assertEqual(allowed, self.names(usable))
            for first in ("has_access", "read"):
                self.env.invalidate_all()
                for address in own:
                    with self.subTest(name, address=address.sudo().email, first=first):
                        may = address.sudo().email.partition("@")[0] in allowed
                        if first == "has_access":
                            self.assertEqual(address.has_access("read"), may)
                        elif not may:
                            with self.assertRaises(AccessError):
                                address.read(["email"])
