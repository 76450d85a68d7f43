import base64

from odoo.exceptions import UserError
from odoo.modules.neutralize import neutralize_database

from ..tools.outgoing.run import next_delivery
from .common import ConnectCase

SECRET = b"Whole and private mail"


class TestNeutralize(ConnectCase):
    """A copy of the database: Odoo's own code makes it harmless."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        domain = cls.env["mail.alias.domain"].create({"name": "corp.example"})
        cls.company.alias_domain_id = domain
        cls.address_a = cls.address(
            "a@x.example",
            cls.anna,
            proof="code",
            receive_replies=True,
            incoming_protocol="imap",
            keep_sent_copy=True,
            forward_token="a" * 26,
            forward_notice="https://mail.example/confirm?token=1",
        )
        cls.address_a.account_id._set_up_reading([("INBOX", False)], anew=True)
        cls.address_a.account_id.folder_ids.state = {"uid": 7}
        cls.env["mail.external.secret"].create(
            {
                "account_id": cls.address_a.account_id.id,
                "purpose": "smtp",
                "sealed": "sealed",
            }
        )
        cls.application = cls.env["mail.external.application"].create(
            {
                "kind": "google",
                "client_id": "1-a.apps.googleusercontent.com",
                "client_secret": "GOCSPX-secret",
            }
        )
        cls.env["mail.external.sent.copy"].create(
            {
                "account_id": cls.address_a.account_id.id,
                "message_id_header": "<copy@x.example>",
                "sent": "2026-01-01",
                "content": base64.b64encode(SECRET),
            }
        )
        cls.arrival = cls.env["mail.external.arrival"].create(
            {
                "key": "kept",
                "account_id": cls.address_a.account_id.id,
                "address_id": cls.address_a.id,
                "user_id": cls.anna.id,
                "state": "quarantine",
                "reason": "loop",
                "raw": base64.b64encode(SECRET),
            }
        )

    def neutralize(self):
        self.env.flush_all()
        neutralize_database(self.env.cr)
        self.env.invalidate_all()

    def left_in(self, *models):
        return {
            name: count for name in models if (count := self.env[name].search_count([]))
        }

    def sources(self):
        """Attachments that hold the mail."""
        domain = [("res_field", "in", ("raw", "content"))]
        domain.append(("res_model", "=like", "mail.external.%"))
        return self.env["ir.attachment"].search(domain)

    def test_accounts(self):
        self.neutralize()
        account = self.address_a.account_id
        self.assertEqual(account.state, "draft")
        self.assertEqual(self.address_a.state, "draft")
        for name in ("forward_token", "forward_notice", "mailbox_ids"):
            self.assertFalse(account[name], name)
        self.assertFalse(self.address_a.proof)
        self.assertFalse(self.address_a.account_id.folder_ids.state)
        self.assertFalse(self.env["mail.external.secret"].search([]))
        self.assertFalse(self.application.has_secret)
        self.assertFalse(self.application.is_ready)
        self.assertFalse(self.address_a.account_id._reads_mailbox())
        self.assertEqual(self.address_a.email, "a@x.example")

    def test_open_windows_codes_and_proofs(self):
        """Neither who had a code can enter it in the copy, nor who was vouched for."""
        asked = self.window(smtp_host="smtp.corp.example")
        asked.action_send_code()
        vouched = self.window(
            self.manager,
            smtp_host="smtp.corp.example",
            email="b@x.example",
            receive_replies=True,
            incoming_protocol="forwarded",
            incoming_password="hunter3",
            project_ids=[(0, 0, {"project_id": self.project_a.id})],
        )
        vouched.action_vouch()
        self.passed(vouched)
        self.env["mail.external.account.connect.folder"].create(
            {"wizard_id": vouched.id, "path": "Private", "name": "Private"}
        )
        self.env["mail.external.account.connect.sign.in"].create(
            {"wizard_id": vouched.id, "application_id": self.application.id}
        )
        hidden = (asked | vouched).sudo()
        self.assertTrue(hidden[0].code_hash and hidden[1].proof_token)
        self.assertTrue(hidden[1].password_sealed and hidden[1].forward_token)
        windows = [
            name
            for name, model in self.env.registry.items()
            if name.startswith("mail.external.account.connect") and model._auto
        ]
        self.assertEqual(set(self.left_in(*windows)), set(windows))
        self.neutralize()
        self.assertFalse(self.left_in(*windows))
        self.assertFalse(hidden.exists())

    def test_mail_that_was_fetched_or_waits_for_a_folder(self):
        self.assertEqual(len(self.sources()), 2)
        self.neutralize()
        self.assertFalse(self.sources())
        self.assertFalse(
            self.left_in("mail.external.sent.copy", "mail.external.mailbox")
        )
        self.assertEqual(self.arrival.state, "dismissed")
        self.assertFalse(self.arrival.raw)
        before = self.env["mail.message"].search_count([])
        self.arrival.with_user(self.anna).action_retry()
        self.assertEqual(self.env["mail.message"].search_count([]), before)

    def test_mail_that_waits_to_leave(self):
        message = self.post(self.anna)
        mail = self.external_mails(message)
        self.assertEqual(mail.state, "outgoing")
        self.neutralize()
        self.assertEqual(mail.state, "exception")
        self.assertTrue(message.exists())
        [note] = message.notification_ids.filtered(lambda n: n.mail_mail_id == mail)
        self.assertEqual(note.notification_status, "exception")
        self.assertFalse(next_delivery(self.env))

    def test_the_addresses_are_used_by_nobody(self):
        self.env["mail.external.sender"]._clear_sender_cache()
        self.neutralize()
        self.env.registry.clear_cache()
        self.assertFalse(self.post(self.anna).external_address_id)
        with self.assertRaises(UserError):
            self.address_a.with_user(self.anna).action_fetch_now()

    def test_every_table_was_thought_of(self):
        """A new model of ours has to be looked at here: what is in it in a copy?"""
        known = {
            "mail.external.account",
            "mail.external.account.connect",
            "mail.external.account.connect.check",
            "mail.external.account.connect.folder",
            "mail.external.account.connect.project",
            "mail.external.account.connect.sign.in",
            "mail.external.address",
            "mail.external.address.project",
            "mail.external.application",
            "mail.external.arrival",
            "mail.external.delivery",
            "mail.external.folder",
            "mail.external.import",
            "mail.external.import.line",
            "mail.external.mailbox",
            "mail.external.part",
            "mail.external.provider",
            "mail.external.provider.shipped",
            "mail.external.secret",
            "mail.external.seen",
            "mail.external.sent.copy",
        }
        ours = {
            name
            for name, model in self.env.registry.items()
            if name.startswith("mail.external.") and not model._abstract
        }
        self.assertEqual(ours, known)
