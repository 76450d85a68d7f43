from odoo.exceptions import AccessError, UserError
from odoo.tests import Form
from odoo.tools import SQL

from ..tools import odoo_servers
from .common import ConnectCase

SECRET = "hunter2-of-odoo"


class ServersCase(ConnectCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls.env.ref("base.user_admin")
        cls.env["ir.mail_server"].search([]).active = False
        cls.env["fetchmail.server"].search([]).active = False

    @classmethod
    def sends(cls, **values):
        return cls.env["ir.mail_server"].create(
            {
                "name": "Team",
                "smtp_host": "smtp.team.example",
                "smtp_port": 587,
                "smtp_encryption": "starttls_strict",
                "smtp_user": "team@team.example",
                "smtp_pass": SECRET,
                **values,
            }
        )

    @classmethod
    def fetches(cls, **values):
        state = values.pop("state", "done")
        server = cls.env["fetchmail.server"].create(
            {
                "name": "Team in",
                "server_type": "imap",
                "server": "imap.team.example",
                "port": 993,
                "is_ssl": True,
                "user": "team@team.example",
                "password": SECRET,
                **values,
            }
        )
        server.state = state
        return server


class TestTakingOver(ServersCase):
    """Odoo's own servers become drafts with everything but the secret."""

    def opened(self, user=None):
        action = self.env["mail.external.import"].with_user(user or self.admin)
        action = action._action_open()
        window = self.env["mail.external.import"].browse(action["res_id"])
        return window.with_user(user or self.admin)

    def taken(self, user=None):
        window = self.opened(user)
        window.action_take_over()
        return window.line_ids

    def accounts(self):
        return self.env["mail.external.account"].search([], order="id")

    def test_sending_and_reading_of_one_mailbox(self):
        server, incoming = self.sends(), self.fetches()
        before = [server.copy_data(), incoming.copy_data(), incoming.state]
        [line] = self.taken()
        account = self.accounts()
        self.assertEqual(len(account), 1)
        self.assertFalse(account.user_id)
        self.assertEqual(account.company_id, self.env.company)
        self.assertEqual(account.state, "draft")
        self.assertEqual(
            (account.smtp_host, account.smtp_port, account.smtp_security),
            ("smtp.team.example", 587, "starttls"),
        )
        self.assertEqual(
            (account.incoming_protocol, account.incoming_host, account.incoming_port),
            ("imap", "imap.team.example", 993),
        )
        self.assertEqual(account.incoming_security, "ssl")
        self.assertEqual(account.smtp_login, "team@team.example")
        self.assertEqual(account.incoming_login, "team@team.example")
        self.assertEqual(account.address_ids.email, "team@team.example")
        self.assertFalse(self.env["mail.external.secret"].search([]))
        self.assertIn("enter the password", line.result)
        self.assertIn("archive", line.result)
        now = [server.copy_data(), incoming.copy_data(), incoming.state]
        self.assertEqual(now, before, "nothing of Odoo's own is changed")
        self.assertTrue(server.active and incoming.active)

    def test_the_secret_is_nowhere(self):
        self.sends()
        self.fetches()
        lines = self.taken()
        shown = str([lines.read(), self.accounts().read(), lines.import_id.read()])
        self.assertNotIn(SECRET, shown)
        self.env.flush_all()
        for table in ("account", "address", "import", "import_line"):
            name = SQL.identifier(f"mail_external_{table}")
            [[rows]] = self.env.execute_query(
                SQL("SELECT string_agg(t::text, '') FROM %s t", name)
            )
            self.assertNotIn(SECRET, rows or "")

    def test_pressed_twice(self):
        self.sends()
        self.fetches(server="pop.other.example", user="info@other.example")
        self.taken()
        window = self.opened()
        self.assertFalse(any(window.line_ids.mapped("is_chosen")))
        window.line_ids.is_chosen = True
        window.action_take_over()
        window.action_take_over()
        self.assertEqual(len(self.accounts()), 2)
        self.assertIn("already", window.line_ids[0].result)

    def test_spellings_of_one_mailbox(self):
        self.sends(smtp_user="Team@Team.example")
        for values in (
            {"server": "IMAP.Team.Example.", "user": " team@team.example "},
            {"server": "team.example", "user": "team"},
            {"server": "mail.team.example", "user": "TEAM"},
        ):
            self.env["fetchmail.server"].search([]).active = False
            self.fetches(**values)
            with self.subTest(values):
                [found] = odoo_servers.mailboxes(self.env)
                self.assertTrue(found.sending and found.reading)

    def test_not_the_same_mailbox(self):
        self.sends()
        for values in (
            {"user": "other@team.example"},
            {"server": "imap.elsewhere.example", "user": "team"},
            {"server": "imap.elsewhere.example"},
        ):
            self.env["fetchmail.server"].search([]).active = False
            self.fetches(**values)
            with self.subTest(values):
                self.assertEqual(len(odoo_servers.mailboxes(self.env)), 2)

    def test_hosts_of_one_service(self):
        self.sends(smtp_host="smtp.gmail.com", smtp_user="a@firm.example")
        self.fetches(server="imap.gmail.com", user="a@firm.example")
        self.sends(smtp_host="smtp.outlook.com", smtp_user="b@firm.example")
        self.fetches(server="outlook.office365.com", user="b@firm.example")
        self.taken()
        gmail, microsoft = self.accounts()
        refs = "mail_external_account.provider_"
        self.assertEqual(gmail.provider_id, self.env.ref(f"{refs}gmail"))
        self.assertEqual(gmail.incoming_host, "imap.gmail.com")
        self.assertEqual(microsoft.provider_id, self.env.ref(f"{refs}microsoft365"))
        self.assertEqual(microsoft.incoming_host, "outlook.office365.com")

    def test_addresses_that_it_sends_for(self):
        self.sends(from_filter="sales@team.example, team.example, Info@team.example")
        [_line] = self.taken()
        account = self.accounts()
        self.assertEqual(
            account.address_ids.sorted("id").mapped("email"),
            ["sales@team.example", "Info@team.example"],
        )
        self.assertEqual(account._own_address().email, "sales@team.example")

    def test_one_sign_in_with_several_servers(self):
        relay = {"smtp_host": "smtp.relay.example", "smtp_user": "apikey"}
        self.sends(**relay, from_filter="a@team.example")
        self.sends(**relay, from_filter="b@team.example", sequence=20)
        self.taken()
        self.assertEqual(
            set(self.accounts().address_ids.mapped("email")),
            {"a@team.example", "b@team.example"},
        )
        self.sends(**relay, from_filter="c@team.example", sequence=30)
        window = self.opened()
        window.line_ids.is_chosen = True
        window.action_take_over()
        self.assertEqual(len(self.accounts().address_ids), 3)

    def test_how_it_is_encrypted(self):
        for number, (theirs, ours) in enumerate(
            (
                ("none", "none"),
                ("starttls", "starttls"),
                ("starttls_strict", "starttls"),
                ("ssl", "ssl"),
                ("ssl_strict", "ssl"),
            )
        ):
            self.sends(smtp_encryption=theirs, smtp_user=f"u{number}@team.example")
            self.taken()
            self.assertEqual(self.accounts()[-1].smtp_security, ours)
        self.fetches(server_type="pop", port=110, is_ssl=False, user="x@x.example")
        self.taken()
        account = self.accounts()[-1]
        self.assertEqual(
            (account.incoming_protocol, account.incoming_port),
            ("pop3", 110),
        )
        self.assertEqual(account.incoming_security, "none")

    def test_what_is_no_mailbox(self):
        self.sends(smtp_user=False, from_filter="a@team.example")
        self.sends(smtp_user="apikey", from_filter="team.example")
        self.sends(smtp_authentication="cli", smtp_user="c@team.example")
        self.fetches(user="login")
        lines = self.opened().line_ids
        self.assertEqual(len(lines), 4)
        for line in lines:
            self.assertTrue(line.result)
            self.assertFalse(line.can_choose)
        lines.is_chosen = True
        lines.import_id.action_take_over()
        self.assertFalse(self.accounts())

    def test_odd_values(self):
        """Whatever stands in a server, the others are taken over."""
        for values in (
            {"smtp_host": False, "smtp_authentication": "cli"},
            {"smtp_port": 0, "smtp_user": "port@odd.example"},
            {"smtp_port": 99999, "smtp_user": "port2@odd.example"},
            {"smtp_host": " smtp.gmail.com ", "smtp_user": " blank@odd.example "},
            {"smtp_host": "smtp odd", "smtp_user": "host@odd.example"},
            {"smtp_host": "x" * 300, "smtp_user": "long@odd.example"},
            {"smtp_user": "line\nbreak", "from_filter": "line@odd.example"},
            {"smtp_user": "quoted", "from_filter": '"a b"@odd.example, bad@'},
            {"smtp_user": "many", "from_filter": ", , m@odd.example,,M@odd.example;"},
            {"smtp_user": "анна@пошта.укр", "name": " "},
        ):
            self.sends(**values)
        self.fetches(server=False, user="nowhere@odd.example")
        self.fetches(user=False)
        self.fetches(user="pop@odd.example", server_type="pop", port=0)
        self.sends()
        window = self.opened()
        window.line_ids.is_chosen = True
        window.action_take_over()
        accounts = self.accounts()
        self.assertEqual(
            set(accounts.address_ids.mapped("email")),
            {
                *("port@odd.example", "port2@odd.example", "blank@odd.example"),
                *("host@odd.example", "long@odd.example", "line@odd.example"),
                *("m@odd.example", "анна@xn--80a1acn3a.xn--j1amh"),
                *("nowhere@odd.example", "pop@odd.example", "team@team.example"),
            },
        )
        blank = accounts.filtered(lambda each: "blank" in (each.smtp_login or ""))
        self.assertEqual(blank.smtp_host, "smtp.gmail.com")
        self.assertEqual(blank.smtp_login, "blank@odd.example")
        left = window.line_ids.filtered(lambda line: not line.address_id)
        self.assertTrue(all(line.result for line in left))

    def test_odoos_own_address(self):
        domain = self.env["mail.alias.domain"].create({"name": "corp.example"})
        self.sends(smtp_user=domain.default_from_email)
        [line] = self.opened().line_ids
        self.assertIn("Odoo itself", line.result)
        line.is_chosen = True
        line.import_id.action_take_over()
        self.assertFalse(self.accounts())

    def test_archived_and_local_servers(self):
        self.sends(active=False)
        self.fetches(active=False)
        self.fetches(server_type="local")
        self.assertFalse(self.opened().line_ids)

    def test_a_personal_server(self):
        self.sends(
            owner_user_id=self.anna.id,
            smtp_user="anna@team.example",
            from_filter="anna@team.example",
        )
        self.sends()
        [line] = self.taken(self.anna)
        account = self.accounts()
        self.assertEqual(account.user_id, self.anna)
        self.assertEqual(line.address_id.user_id, self.anna)
        action = line.action_connect()
        self.assertEqual(action["res_model"], "mail.external.account.connect")
        with Form(
            self.env[action["res_model"]]
            .with_user(self.anna)
            .with_context(**action["context"])
        ) as window:
            self.assertEqual(window.smtp_host, "smtp.team.example")
            self.assertEqual(window.email, "anna@team.example")
            window.sender_name = "Anna"

    def test_an_administrator_gives_it_to_an_employee(self):
        self.sends()
        window = self.opened()
        window.line_ids.user_id = self.bohdan
        window.action_take_over()
        self.assertEqual(self.accounts().user_id, self.bohdan)

    def test_whose_it_is_stays(self):
        self.sends(owner_user_id=self.anna.id, smtp_user="anna@team.example")
        window = self.opened()
        window.line_ids.user_id = self.bohdan
        window.action_take_over()
        self.assertEqual(self.accounts().user_id, self.anna)

    def test_what_others_may(self):
        self.sends()
        self.sends(owner_user_id=self.anna.id, smtp_user="anna@team.example")
        for user in (self.bohdan, self.manager):
            self.assertFalse(self.opened(user).line_ids, user.login)
        window = self.opened(self.anna)
        line = window.line_ids
        self.assertEqual(len(line), 1)
        for values in (
            {"key": self.opened().line_ids[0].key},
            {"emails": "ceo@team.example"},
            {"result": "x"},
            {"address_id": 1},
        ):
            with self.assertRaises(AccessError):
                line.write(values)
        line.user_id = self.bohdan
        window.action_take_over()
        self.assertEqual(self.accounts().user_id, self.anna)
        with self.assertRaises(AccessError):
            window.with_user(self.bohdan).action_take_over()
        with self.assertRaises(AccessError):
            self.env["mail.external.import.line"].with_user(self.anna).create(
                {"import_id": window.id, "key": "[1][]"}
            )

    def test_personal_addresses_are_forbidden(self):
        self.sends(owner_user_id=self.anna.id, smtp_user="anna@team.example")
        self.env["ir.config_parameter"].set_param(
            "mail_external_account.forbid_personal", "1"
        )
        with self.assertRaises(AccessError):
            self.opened(self.anna)

    def test_signed_in_with_the_mail_service(self):
        kinds = self.env["ir.mail_server"]._fields["smtp_authentication"]
        if "gmail" not in kinds.get_values(self.env):
            self.skipTest("google_gmail is not installed")
        server = self.sends(
            smtp_host="smtp.gmail.com",
            smtp_user="a@firm.example",
            smtp_pass=False,
            smtp_encryption="starttls",
            smtp_authentication="gmail",
        )
        [line] = self.taken()
        account = self.accounts()
        self.assertEqual(account.auth_method, "password", "no application is here yet")
        self.assertIn("Connect it", line.result)
        application = self.env["mail.external.application"].create(
            {
                "kind": "google",
                "client_id": f"{'1' * 12}-{'a' * 32}.apps.googleusercontent.com",
                "client_secret": "GOCSPX-abc",
            }
        )
        account.unlink()
        [line] = self.taken()
        account = self.accounts()
        self.assertEqual(account.auth_method, "oauth2")
        self.assertEqual(account.application_id, application)
        self.assertIn("sign in with Google", line.result)
        self.assertEqual(server.smtp_authentication, "gmail")


class TestNotReadTwice(ServersCase):
    """A mailbox that Odoo fetches is not read here as well."""

    def opens(self, user=None, **values):
        return self.window(
            user,
            email="team@team.example",
            smtp_host="smtp.team.example",
            receive_replies=True,
            incoming_protocol="imap",
            incoming_host="imap.team.example",
            incoming_port=993,
            incoming_login="team@team.example",
            is_company=True,
            user_id=False,
            company_id=self.env.company.id,
            **values,
        )

    def test_the_window_says_so_and_refuses(self):
        for values in (
            {},
            {"server": "Imap.TEAM.example."},
            {"user": "team"},
            {"user": "TEAM@team.example"},
            {"server_type": "pop", "server": "pop.team.example", "port": 995},
        ):
            server = self.fetches(**values)
            window = self.opens(self.manager)
            with self.subTest(values):
                self.assertIn("fetches this mailbox", window.fetched_problem)
                self.assertNotIn("Team in", window.fetched_problem)
                self.passed(window)
                with self.assertRaisesRegex(UserError, "archive"):
                    window.action_save()
            server.unlink()

    def test_administrators_are_told_which(self):
        self.fetches()
        self.assertIn("Team in", self.opens(self.admin).fetched_problem)

    def test_what_does_not_fetch_it(self):
        for values in (
            {"active": False},
            {"state": "draft"},
            {"server_type": "local"},
            {"user": "other@team.example"},
            {"server": "imap.elsewhere.example"},
        ):
            server = self.fetches(**values)
            with self.subTest(values):
                self.assertFalse(self.opens(self.manager).fetched_problem)
            server.unlink()

    def test_without_replies_it_can_be_connected(self):
        self.fetches()
        window = self.opens(self.manager)
        window.write({"receive_replies": False, "incoming_protocol": "none"})
        self.assertFalse(window.fetched_problem)
        self.passed(window)
        window.action_vouch()
        window.action_save()
        self.assertEqual(window.address_id.sudo().state, "working")

    def test_a_server_that_was_set_up_afterwards(self):
        address = self.address(
            "team@team.example",
            receive_replies=True,
            incoming_protocol="imap",
            incoming_host="imap.team.example",
            incoming_login="team@team.example",
        )
        account = address.account_id
        account._set_up_reading([("INBOX", False)], anew=True)
        mailbox = account.mailbox_ids
        odoo_servers.leave_to_odoo(self.env)
        self.assertTrue(mailbox.next_look)
        server = self.fetches(user="Team")
        odoo_servers.leave_to_odoo(self.env)
        self.assertFalse(mailbox.next_look)
        self.assertTrue(account.mailbox_failed)
        self.assertIn("Odoo's own incoming", account.mailbox_status)
        told = self.env["mail.message"].search(
            [("subject", "ilike", "team@team.example: Odoo fetches")]
        )
        odoo_servers.leave_to_odoo(self.env)
        self.assertEqual(len(told), 1)
        self.assertEqual(
            told,
            self.env["mail.message"].search(
                [("subject", "ilike", "team@team.example: Odoo fetches")]
            ),
        )
        since = mailbox.reading_since
        server.active = False
        odoo_servers.leave_to_odoo(self.env)
        self.assertTrue(mailbox.next_look)
        self.assertFalse(mailbox.failure_code)
        self.assertEqual(mailbox.reading_since, since, "it goes on where it was")
