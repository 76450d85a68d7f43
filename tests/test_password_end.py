from datetime import timedelta

from odoo import fields

from ..tools import password_end
from .common import ExternalAccountCase


class TestPasswordEnd(ExternalAccountCase):
    """Accounts at services that give up passwords say so before the day."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.service = cls.env.ref("mail_external_account.provider_microsoft365")
        cls.own = cls.at("anna@firm.example", cls.anna, provider_id=cls.service.id)

    @classmethod
    def at(cls, email, user=None, **values):
        values = {"smtp_host": "smtp.office365.com", **values}
        return cls.address(email, user, **values)

    def days_left(self, days):
        self.service.password_ends = fields.Date.today() + timedelta(days=days)

    def told(self):
        """What is announced now: list of (who, subject, text)."""
        notices = self.env["mail.message"].sudo()
        before = notices.search([], limit=1, order="id desc")
        password_end.announce(self.env)
        found = notices.search([("id", ">", before.id)], order="id")
        return [
            (each.notified_partner_ids.mapped("name"), each.subject, each.body)
            for each in found
            if "@firm.example" in (each.subject or "")
        ]

    def test_thirty_seven_and_one_day_before_once_each(self):
        seen = []
        for days in (45, 31, 30, 29, 12, 8, 7, 6, 2, 1, 0, -1, -2, -40):
            self.days_left(days)
            # the same service's day, seen from another today
            self.env.cr.execute(
                "UPDATE mail_external_account SET password_end_told ="
                " regexp_replace(password_end_told, '^[0-9-]*:', %s)",
                [f"{self.service.password_ends}:"],
            )
            self.env.invalidate_all()
            if found := self.told():
                [(who, _subject, _body)] = found
                self.assertEqual(who, ["Anna K"])
                seen.append(days)
            self.assertFalse(self.told(), "once each")
        self.assertEqual(seen, [30, 7, 1, -1])

    def test_learnt_later(self):
        self.days_left(3)
        [(_who, subject, body)] = self.told()
        self.assertIn("anna@firm.example", subject)
        self.assertIn("Sign in with Microsoft instead", body)
        self.assertIn(f"/sign_in/{self.own.account_id.id}", body)

    def test_put_off(self):
        self.days_left(1)
        self.assertTrue(self.told())
        self.days_left(400)
        self.assertFalse(self.told())
        self.days_left(25)
        self.assertTrue(self.told())

    def test_switched_off_without_a_day(self):
        self.service.password_works = False
        self.assertEqual(len(self.told()), 1)
        self.assertFalse(self.told())
        self.assertIn("no passwords", self.own.password_warning)

    def test_the_day_is_over_and_then_taken_out_of_the_preset(self):
        self.days_left(-1)
        self.assertEqual(len(self.told()), 1)
        self.service.write({"password_works": False, "password_ends": False})
        self.assertFalse(self.told(), "that it has passed is known")

    def test_passwords_work_again_until_a_day(self):
        self.service.password_works = False
        self.assertTrue(self.told())
        self.service.password_works = True
        self.days_left(25)
        self.assertEqual(len(self.told()), 1)
        self.assertFalse(self.told())
        self.days_left(-1)
        self.assertEqual(len(self.told()), 1)

    def test_who_is_told(self):
        self.own.account_id.state = "draft"
        for name, values in (
            ("draft", {"state": "draft"}),
            ("sign-in", {"auth_method": "oauth2"}),
            ("elsewhere", {"smtp_host": "smtp.example.com"}),
        ):
            address = self.at(f"{name}@firm.example", self.bohdan, **values)
            self.days_left(7)
            with self.subTest(name):
                self.assertFalse(self.told())
                self.assertFalse(address.password_warning)

    def test_managers_of_a_companys(self):
        self.own.account_id.state = "draft"
        self.at("info@firm.example", provider_id=self.service.id)
        self.at("sales@firm.example", provider_id=self.service.id)
        self.days_left(7)
        [(who, subject, body)] = self.told()
        self.assertIn("Manager", who)
        for email in ("info@firm.example", "sales@firm.example"):
            self.assertIn(email, subject)
            self.assertIn(email, body)

    def test_known_by_its_server(self):
        """Where people chose "Other server", or the preset of another name."""
        self.own.account_id.state = "draft"
        for values in (
            {"provider_id": False},
            {"provider_id": self.env.ref("mail_external_account.provider_other").id},
            {"smtp_host": "SMTP.Office365.com."},
        ):
            address = self.at("bohdan@firm.example", self.bohdan, **values)
            self.days_left(7)
            with self.subTest(values):
                self.assertIn("Microsoft 365", address.password_warning)
                self.assertEqual(len(self.told()), 1)
            address.unlink()

    def test_who_sees_it(self):
        self.days_left(20)
        for user in (self.anna, self.manager):
            address = self.own.with_user(user)
            self.assertIn("until", address.password_warning)
            self.assertEqual(address.sign_in_instead, "Microsoft")
            self.assertIn("until", address.account_id.password_warning)
        shared = self.at("info@firm.example", provider_id=self.service.id)
        self.assertFalse(shared.with_user(self.bohdan).password_warning)

    def test_in_the_readers_language(self):
        self.env["res.lang"]._activate_lang("uk_UA")
        self.anna.lang = "uk_UA"
        self.days_left(7)
        day = self.service.password_ends
        [(_who, subject, _body)] = self.told()
        self.assertIn(day.strftime("%d.%m.%Y"), subject)
