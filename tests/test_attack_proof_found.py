"""Ways around the proof of an address that an attack found."""

import base64
import time
from unittest.mock import patch

from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user

from ..tools import vault
from .proof_case import CEO, ProofCase


class TestSpellings(ProofCase):
    def test_a_code_is_sent_to_an_address_with_capitals(self):
        for email, recipient in (
            ("Anna.K@brand-a.example", "anna.k@brand-a.example"),
            ("ANNA@Brand-A.Example", "anna@brand-a.example"),
            ("Anna@поштa.example", "anna@xn--a-0tbcn3a.example"),
        ):
            window = self.attempt(email)
            with self.mock_smtplib_connection():
                window.action_send_code()
            [sent] = self.emails
            self.assertEqual(sent["smtp_to_list"], [recipient])


class TestArchived(ProofCase):
    """What is archived counts for nothing, whoever asks, with whatever context."""

    def setUp(self):
        super().setUp()
        self.everything = {"active_test": False}
        self.registry.clear_all_caches()

    def test_an_archived_address_is_in_no_from(self):
        mine = self.address(CEO, self.bohdan, proof="manager")
        shared = self.address("desk@brand-a.example")
        (mine | shared).active = False
        self.address("other@brand-a.example", self.bohdan, proof="manager")
        senders = self.env["mail.external.sender"]
        asked = senders.with_user(self.bohdan).with_context(**self.everything)
        for name, args in (
            ("_addresses_of", (self.bohdan.id,)),
            ("_external_addresses", ()),
        ):
            # the caller fills the cache, then all are answered from it
            getattr(asked, name)(*args)
            self.assertEqual(getattr(senders, name)(*args), {"other@brand-a.example"})

    def test_an_archived_address_is_not_offered(self):
        self.address(CEO, self.bohdan, active=False)
        self.address("desk@brand-a.example", active=False)
        mine = self.address("mine@brand-a.example", self.bohdan)
        task = self.task.with_user(self.bohdan)
        senders = self.env["mail.external.sender"].with_user(self.bohdan)
        senders.with_context(**self.everything)._sender_options(task)
        self.assertEqual(senders._usable_ids(task), {mine.id})

    def test_an_archived_preset_proves_nothing(self):
        self.provider.active = False
        window = self.window(self.bohdan, email=CEO).with_context(**self.everything)
        self.passed(window)
        self.assertFalse(window.proof)
        with self.assertRaisesRegex(UserError, "not shown yet"):
            window.action_save()


class TestAccessEnds(ProofCase):
    def test_who_leaves_a_company_leaves_its_addresses(self):
        """From whatever side, at once: what may be used is cached."""
        other = self.env["res.company"].create({"name": "Another"})
        self.address(CEO, company_id=other.id)
        senders = self.env["mail.external.sender"]
        bohdan = self.bohdan.id
        for record, field, joins, leaves in (
            (self.bohdan, "company_ids", Command.link(other.id), other.id),
            (other, "user_ids", Command.link(bohdan), bohdan),
        ):
            with self.subTest(field):
                record.write({field: [joins]})
                self.assertEqual(senders._addresses_of(bohdan), {CEO})
                record.write({field: [Command.unlink(leaves)]})
                self.assertFalse(senders._addresses_of(bohdan))


class TestOtherCompanies(ProofCase):
    """A manager has no say about the people and addresses of other companies."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other = cls.env["res.company"].create(
            {
                "name": "Another",
                "email": "Office <office@another.example>",
                "alias_domain_id": cls.env["mail.alias.domain"]
                .create({"name": "mail.another.example"})
                .id,
            }
        )
        cls.boss = new_test_user(
            cls.env,
            "login@another.example",
            "base.group_user",
            email="Boss <Boss@another.example>",
            company_id=cls.other.id,
            company_ids=[Command.set(cls.other.ids)],
        )

    def addresses(self):
        return (
            "boss@another.example",
            "boss+private@another.example",
            "login@another.example",
            "office@another.example",
            "Office+x@another.example",
        )

    def test_a_manager_vouches_for_none_of_theirs(self):
        for address in (*self.addresses(), "anything@mail.another.example"):
            window = self.attempt(address, self.manager, user_id=self.manager.id)
            with self.subTest(address), self.assertRaisesRegex(AccessError, "another"):
                window.action_vouch()
        window = self.attempt("new@another.example", self.manager, is_company=True)
        window.company_id = self.company
        window.action_vouch()
        self.assertEqual(window.proof, "manager")
        self.manager.company_ids |= self.other
        window = self.attempt("boss@another.example", self.manager)
        window.action_vouch()

    def test_a_domain_written_in_letters_of_another_script(self):
        self.boss.email = "boss@приклад.example"
        window = self.attempt("boss@приклад.example", self.manager)
        with self.assertRaisesRegex(AccessError, "another company"):
            window.action_vouch()

    def test_a_preset_of_a_managers_own_proves_none_of_theirs(self):
        presets = self.env["mail.external.provider"].with_user(self.manager)
        preset = presets.create(
            {
                "name": "Mine",
                "domains": "another.example",
                "smtp_host": "smtp.evil.example",
                "smtp_port": 465,
                "smtp_security": "ssl",
            }
        )
        for user in (self.manager, self.bohdan):
            for address in self.addresses():
                window = self.attempt(address, user, user_id=user.id)
                with self.subTest(f"{user.login} {address}"):
                    self.assertFalse(window.proof)
        window = self.attempt("boss@another.example", self.boss, user_id=self.boss.id)
        self.assertFalse(window.proof)
        preset.with_user(self.env.ref("base.user_admin")).action_trust()
        window = self.attempt("boss@another.example", self.boss, user_id=self.boss.id)
        self.assertEqual(window.proof, "provider")
        for address in self.addresses():
            window = self.attempt(address, self.bohdan, user_id=self.bohdan.id)
            with self.subTest(f"after an administrator confirmed it {address}"):
                self.assertFalse(window.proof)


class TestMarkOfCodes(ProofCase):
    """Mail with a code is told, and no other mail is lost for it."""

    def setUp(self):
        super().setUp()
        self.code = self.code_mail(self.attempt())
        self.text = self.code.get_body(("plain",)).get_content()

    def comes_in(self, body, kind="text/plain; charset=utf-8"):
        raw = (
            "From: Ceo <ceo@brand-a.example>\r\nTo: jobs@corp.example\r\n"
            f"Subject: Hello\r\nMessage-ID: <{time.monotonic_ns()}@x.example>\r\n"
            f"MIME-Version: 1.0\r\nContent-Type: {kind}\r\n\r\n{body}"
        )
        return self.env["mail.thread"].message_process("project.task", raw)

    def test_quotes_that_leave_something_out(self):
        lines = self.text.splitlines()
        number = next(i for i, line in enumerate(lines) if "code there" in line)
        for quoted in (lines[: number + 1], lines[number:]):
            self.assertFalse(self.comes_in("\r\n".join(f"> {x}" for x in quoted)))

    def test_it_is_told_in_a_file(self):
        file = self.code.as_bytes()
        name = "application/octet-stream; name=code.eml"
        encoded = base64.encodebytes(file).decode()
        part = f"Content-Type: {name}\r\n{{}}\r\n\r\n{{}}\r\n--b--\r\n"
        kind = "multipart/mixed; boundary=b"
        for encoding, body in (
            ("X-A: b", file.decode("latin-1")),
            ("Content-Transfer-Encoding: base64", encoded),
        ):
            body = f"--b\r\n\r\nSee\r\n--b\r\n{part.format(encoding, body)}"
            self.assertFalse(self.comes_in(body, kind))

    def test_it_is_told_in_other_spellings(self):
        mark = self.code["Message-ID"].partition("<mea.")[2].partition("@")[0]
        half = f"{mark[:9]}{{}}{mark[9:]}"
        for between in ("&shy;", "&#8203;", "<wbr>", "<span></span>", "\u200b"):
            body = f"<p>mea.{half.format(between)}</p>"
            kind = "text/html; charset=utf-8"
            self.assertFalse(self.comes_in(body, kind), between)
        self.assertFalse(self.comes_in(f"<p>mea&#46;{mark}</p>", "text/html"))
        self.assertFalse(self.comes_in(f"<p>MEA.{mark.upper()}</p>", "text/html"))

    def test_it_is_told_behind_many_parts_and_deep_inside(self):
        kind = "multipart/mixed; boundary=b"
        many = "--b\r\n\r\nx\r\n" * 150
        self.assertFalse(self.comes_in(f"{many}--b\r\n\r\n{self.text}", kind))
        deep = self.text
        for number in range(12):
            deep = (
                f"Content-Type: multipart/mixed; boundary=d{number}\r\n\r\n"
                f"--d{number}\r\n{deep}\r\n--d{number}--\r\n"
            )
        self.assertFalse(self.comes_in(f"--b\r\n{deep}\r\n--b--\r\n", kind))

    def test_a_worthless_code_drops_nothing(self):
        """Else whoever got a code once could have others' mail dropped for ever."""
        self.assertFalse(self.comes_in(self.text))
        later = time.time() + 61 * 60
        with patch.object(time, "time", lambda: later):
            self.assertTrue(self.comes_in(self.text))
        with patch.object(time, "time", lambda: later - 10 * 60):
            self.assertFalse(self.comes_in(self.text))

    def test_nobody_prolongs_a_mark(self):
        signer = vault.signers(self.env)[0]
        token = signer.code_mark(1000)
        self.assertTrue(signer.is_code_mark(token, 1000))
        self.assertFalse(signer.is_code_mark(token, 1001))
        forged = base64.b32decode(token.upper())
        forged = base64.b32encode((2**31).to_bytes(4, "big") + forged[4:])
        self.assertFalse(signer.is_code_mark(forged.decode().lower(), 1000))


class TestOtherHeaders(ProofCase):
    def test_no_header_tells_of_somebody_elses_address(self):
        self.address(CEO, self.anna, proof="provider")
        message = self.post(
            self.bohdan,
            mail_headers={
                "Sender": f"Ceo <{CEO}>",
                "Resent-From": "somebody@customer.example",
                "resent-from": f"Ceo <{CEO}>",
                "Return-Path": CEO,
            },
        )
        with self.mock_smtplib_connection():
            message.sudo().mail_ids.filtered(lambda row: row.state == "outgoing").send()
        self.assertTrue(self.emails)
        for sent in self.emails:
            self.assertNotIn(CEO, f"{sent['message']}{sent['smtp_from']}")
