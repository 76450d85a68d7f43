import base64

from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.tests import HttpCase, new_test_user

from .common import ExternalAccountCase

RAW = b"From: clara@customer.example\r\nSubject: A secret\r\n\r\nPrivate\r\n"
FACTS = (
    "mailbox_status",
    "mailbox_last_look",
    "mailbox_answer_count",
    "mailbox_unrelated_count",
    "mailbox_failed",
    "quarantine_count",
    "can_fetch",
)
# What the account behind says besides.
FORWARDING = ("forward_confirmation", "forward_address")


class ReadingRightsCase(ExternalAccountCase):
    """Anna's mailbox and the company's, each with something in quarantine."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        reading = {"receive_replies": True, "incoming_protocol": "imap"}
        cls.annas = cls.address("anna@x.example", cls.anna, **reading)
        cls.shared = cls.address("support@x.example", **reading)
        addresses = cls.annas | cls.shared
        addresses.account_id.forward_notice = "Code 123456"
        cls.env["mail.external.mailbox"].search(
            [("account_id", "in", addresses.account_id.ids)]
        ).unlink()
        cls.mailboxes = cls.env["mail.external.mailbox"].create(
            [
                {
                    "account_id": address.account_id.id,
                    "next_look": "2026-01-01",
                    "last_look": "2026-01-01",
                    "answer_count": 3,
                    "unrelated_count": 40,
                }
                for address in addresses
            ]
        )
        cls.folders = cls.env["mail.external.folder"].create(
            [
                {"account_id": account.id, "path": "Customers"}
                for account in addresses.account_id
            ]
        )
        cls.private, cls.of_company = cls.env["mail.external.arrival"].create(
            [
                {
                    "key": address.email,
                    "account_id": address.account_id.id,
                    "address_id": address.id,
                    "user_id": address.user_id.id,
                    "company_id": address.company_id.id,
                    "kind": "answer",
                    "state": "quarantine",
                    "reason": "not_understood",
                    "sender": "clara@customer.example",
                    "subject": "A secret",
                    "raw": base64.b64encode(RAW),
                }
                for address in addresses
            ]
        )
        other = cls.env["res.company"].create({"name": "Other"})
        cls.stranger = new_test_user(
            cls.env,
            "ext_other",
            "base.group_user,mail_external_account.group_manager",
            company_id=other.id,
            company_ids=[Command.set(other.ids)],
            email="other@x.example",
        )
        cls.portal = new_test_user(
            cls.env, "ext_portal", "base.group_portal", email="portal@x.example"
        )
        cls.admin = cls.env.ref("base.user_admin")
        # Everybody may export, so that a refusal is about the record.
        exporters = cls.anna | cls.bohdan | cls.manager | cls.stranger | cls.admin
        export = cls.env.ref("base.group_allow_export")
        exporters.write({"group_ids": [Command.link(export.id)]})
        everything = cls.private | cls.of_company
        cls.cases = (
            (cls.anna, cls.private),
            (cls.bohdan, everything.browse()),
            (cls.manager, cls.of_company),
            (cls.admin, cls.of_company),
            (cls.stranger, everything.browse()),
            (cls.portal, everything.browse()),
        )


class TestQuarantineRights(ReadingRightsCase):
    """Everybody by every route: the mail of a mailbox is its owner's business."""

    def test_search_and_group(self):
        everything = self.private | self.of_company
        domain = [("id", "in", everything.ids)]
        for user, seen in self.cases:
            arrivals = everything.with_user(user).browse()
            with self.subTest(user=user.login):
                if user == self.portal:
                    for call in (
                        lambda a: a.search(domain),
                        lambda a: a._read_group(domain, ["sender"]),
                    ):
                        with self.assertRaises(AccessError):
                            call(arrivals)
                    continue
                self.assertEqual(arrivals.search(domain).sudo(), seen)
                [(count,)] = arrivals._read_group(domain, [], ["__count"])
                self.assertEqual(count, len(seen))
                named = arrivals.name_search("A secret")
                self.assertEqual({id_ for id_, _name in named}, set(seen.ids))
                attachments = self.env["ir.attachment"].with_user(user)
                found = attachments.search(
                    [
                        ("res_model", "=", everything._name),
                        ("res_id", "in", everything.ids),
                        ("res_field", "=", "raw"),
                    ]
                )
                self.assertEqual(set(found.mapped("res_id")), set(seen.ids))

    def test_read_export_and_act(self):
        for user, seen in self.cases:
            for arrival in self.private | self.of_company:
                own = arrival.with_user(user)
                calls = (
                    lambda a: a.read(["subject", "sender", "reason_text", "raw"]),
                    # a portal user may export nothing at all, and is told so
                    lambda a: a.export_data(["subject", "raw"]),
                    lambda a: a.web_read({"subject": {}, "raw": {}}),
                )
                with self.subTest(user=user.login, arrival=arrival.key):
                    if arrival in seen:
                        for call in calls:
                            self.assertIn("A secret", str(call(own)))
                    else:
                        for call in (
                            *calls,
                            lambda a: a.action_retry(),
                            lambda a: a.action_dismiss(),
                        ):
                            refusal = UserError if user == self.portal else AccessError
                            with self.assertRaises(refusal):
                                call(own)
                    for call in (
                        lambda a: a.write({"state": "done"}),
                        lambda a: a.unlink(),
                        lambda a: a.create({"key": "x"}),
                    ):
                        with self.assertRaises(AccessError):
                            call(own)
        self.assertEqual(self.private.state, "quarantine")
        self.assertEqual(base64.b64decode(self.private.raw), RAW)

    def test_the_owner_and_the_manager_decide(self):
        self.private.with_user(self.anna).action_dismiss()
        self.of_company.with_user(self.manager).action_dismiss()
        self.assertEqual(self.private.state, "dismissed")
        self.assertEqual(self.of_company.state, "dismissed")
        self.assertFalse(self.private.raw or self.of_company.raw)


class TestMailboxRights(ReadingRightsCase):
    """The facts about a mailbox, on the address and in its own tables."""

    def facts(self, address, user):
        own = address.with_user(user)
        values = own.read(FACTS)[0]
        values.pop("id")
        account = address.account_id.with_user(user)
        if account.has_access("read"):
            values |= account.read(FORWARDING)[0]
        return {name: value for name, value in values.items() if value}

    def test_the_owner_and_managers_see_the_facts(self):
        for address, user, quarantine in (
            (self.annas, self.anna, 1),
            (self.annas, self.manager, 0),
            (self.shared, self.manager, 1),
            (self.shared, self.admin, 1),
        ):
            facts = self.facts(address, user)
            with self.subTest(address=address.email, user=user.login):
                self.assertEqual(facts["mailbox_status"], "Works.")
                self.assertEqual(facts["mailbox_answer_count"], 3)
                self.assertEqual(facts["mailbox_unrelated_count"], 40)
                self.assertEqual(facts.get("quarantine_count", 0), quarantine)
                self.assertIn("123456", facts["forward_confirmation"])

    def test_who_only_sends_sees_none(self):
        self.assertFalse(self.facts(self.shared, self.bohdan))
        account = self.shared.account_id.with_user(self.bohdan)
        for call in (
            lambda: account.read(FORWARDING),
            lambda: account.web_read({"mailbox_ids": {"fields": {"run": {}}}}),
            lambda: account.web_read({"folder_ids": {"fields": {"path": {}}}}),
            lambda: account.action_connect(),
        ):
            with self.assertRaises(AccessError):
                call()

    def test_the_tables_behind(self):
        for user, visible in (
            (self.anna, self.annas),
            (self.bohdan, self.annas.browse()),
            (self.manager, self.annas | self.shared),
            (self.stranger, self.annas),
        ):
            for records in (self.mailboxes, self.folders):
                found = records.with_user(user).search([("id", "in", records.ids)])
                with self.subTest(user=user.login, model=records._name):
                    self.assertLessEqual(found.sudo().account_id, visible.account_id)
                    if user != self.stranger:
                        self.assertEqual(found.sudo().account_id, visible.account_id)
                    hidden = records.filtered(
                        lambda r, v=visible.account_id: r.account_id not in v
                    )
                    for record in hidden:
                        with self.assertRaises(AccessError):
                            record.with_user(user).read([])

    def test_folders_are_the_owners_choice(self):
        folders = self.env["mail.external.folder"]
        account = self.annas.account_id
        before = self.mailboxes.filtered(lambda m: m.account_id == account)
        values = {"account_id": self.annas.account_id.id, "name": "Клієнти & Co"}
        new = folders.with_user(self.anna).create(values)
        self.assertEqual(new.path, "&BBoEOwRWBFQEPQRCBDg- &- Co")
        self.assertEqual(new.name, "Клієнти & Co")
        self.assertFalse(new.state, "starts from now")
        self.assertLessEqual(before.next_look, self.env.cr.now())
        for user, address in (
            (self.bohdan, self.annas),
            (self.bohdan, self.shared),
            (self.anna, self.shared),
            (self.portal, self.annas),
        ):
            with self.assertRaises(UserError):
                folders.with_user(user).create(
                    {**values, "account_id": address.account_id.id}
                )
        for changed in (
            {"path": "Other"},
            {"state": {}},
            {"account_id": self.shared.account_id.id},
        ):
            with self.assertRaises(UserError):
                new.with_user(self.anna).write(changed)
        for wrong in ({"name": " "}, {"path": "A\r\nB"}, {"name": "A", "state": {}}):
            with self.assertRaises(UserError):
                folders.with_user(self.anna).create(
                    {"account_id": self.annas.account_id.id, **wrong}
                )
        with self.assertRaises(AccessError):
            new.with_user(self.bohdan).unlink()
        new.with_user(self.anna).unlink()

    def test_fetching_is_not_for_who_only_sends(self):
        for user, address in (
            (self.bohdan, self.annas),
            (self.bohdan, self.shared),
            (self.portal, self.annas),
        ):
            with self.assertRaises(AccessError):
                address.with_user(user).action_fetch_now()
        self.annas.with_user(self.anna).action_fetch_now()


class TestSourceDownload(ReadingRightsCase, HttpCase):
    def test_the_source_is_downloaded_by_who_may_see_it(self):
        for user, seen in self.cases:
            self.authenticate(user.login, user.login)
            for arrival in self.private | self.of_company:
                answer = self.url_open(
                    f"/web/content/{arrival._name}/{arrival.id}/raw?download=1"
                    "&filename_field=raw_name"
                )
                with self.subTest(user=user.login, arrival=arrival.key):
                    if arrival in seen:
                        self.assertEqual(answer.content, RAW)
                        self.assertIn(".eml", answer.headers["Content-Disposition"])
                    else:
                        self.assertNotIn(b"Private", answer.content)
                        self.assertNotEqual(answer.status_code, 200)
