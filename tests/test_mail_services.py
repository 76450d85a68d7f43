import copy

from odoo.tests import TransactionCase, tagged

from ..tools import mail_services

NEW = {
    "name": "New Mail",
    "domains": "new.example",
    "smtp_host": "smtp.new.example",
    "smtp_port": 465,
    "smtp_security": "ssl",
    "note": "Switch it on first.",
}


@tagged("post_install", "-at_install")
class TestMailServices(TransactionCase):
    """An update brings new values to what nobody changed, and keeps the rest."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["res.lang"]._activate_lang("uk_UA")
        cls.addon = cls.env["ir.module.module"].search(
            [("name", "=", "mail_external_account")]
        )
        cls.addon._update_translations("uk_UA")
        cls.data = mail_services.read()
        cls.fastmail, cls.gmx = (
            cls.env.ref(f"mail_external_account.provider_{name}")
            for name in ("fastmail", "gmx")
        )

    def update(self, **changes):
        """As an update of the addon with other data does it.

        :param changes: name without "provider_" -> values that are new or other ones
        """
        data = copy.deepcopy(self.data)
        for name, values in changes.items():
            data.setdefault(f"provider_{name}", {}).update(values)
        mail_services.load(self.env, data)
        self.env.invalidate_all()

    def before_there_was_a_record(self):
        """As a database has it into which the presets came from XML, once."""
        self.env["mail.external.provider.shipped"].search([]).unlink()
        first = mail_services.read(mail_services.FIRST)
        for name in self.data:
            preset = self.env.ref(f"mail_external_account.{name}")
            if name not in first:
                preset.unlink()
                continue
            values = dict(first[name])
            texts = values.pop("translations", {})
            written = {
                field: values.get(field, preset._fields[field].default)
                for field in self.data[name] | values
            }
            defaults = preset.default_get(list(written))
            preset.write({f: values.get(f, defaults.get(f, False)) for f in written})
            for field, translated in texts.items():
                preset.update_field_translations(field, {"uk_UA": translated["uk"]})
        self.forget_who_wrote()

    def forget_who_wrote(self):
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE mail_external_provider"
            " SET is_trusted = NULL, unproven_fields = NULL"
        )
        self.env.invalidate_all()

    def test_everything_of_the_data_comes(self):
        for name, values in self.data.items():
            preset = self.env.ref(f"mail_external_account.{name}")
            for field, value in values.items():
                shown = "\n".join(value) if isinstance(value, list) else value
                with self.subTest(f"{name} {field}"):
                    found = preset[field]
                    if field == "password_ends":
                        found = str(found)
                    self.assertEqual(found, shown)
            self.assertTrue(preset.is_trusted, name)

    def test_new_values_come_to_what_nobody_changed(self):
        self.fastmail.smtp_port = 2465
        self.update(
            fastmail={"smtp_port": 587, "smtp_security": "starttls", "limit_day": 9},
            gmx={"imap_host": "imap2.gmx.net", "saves_sent": True},
        )
        self.assertEqual(self.fastmail.smtp_port, 2465)
        self.assertEqual(self.fastmail.smtp_security, "starttls")
        self.assertEqual(self.fastmail.limit_day, 9)
        self.assertEqual(self.gmx.imap_host, "imap2.gmx.net")
        self.assertTrue(self.gmx.saves_sent)
        # once more, with other values: the change of this database is not forgotten
        self.update(
            fastmail={"smtp_port": 25, "smtp_security": "ssl"},
            gmx={"imap_host": "imap3.gmx.net"},
        )
        self.assertEqual(self.fastmail.smtp_port, 2465)
        self.assertEqual(self.fastmail.smtp_security, "ssl")
        self.assertFalse(self.fastmail.limit_day)
        self.assertEqual(self.gmx.imap_host, "imap3.gmx.net")
        self.assertFalse(self.gmx.saves_sent)

    def test_what_was_emptied_or_switched_stays(self):
        self.gmx.write({"help_url": False, "saves_sent": True, "active": False})
        self.gmx.limit_day = 0
        self.update(gmx={"help_url": "https://new.example/", "limit_day": 5})
        self.assertFalse(self.gmx.help_url)
        self.assertTrue(self.gmx.saves_sent)
        self.assertFalse(self.gmx.active)
        self.assertEqual(self.gmx.limit_day, 5)

    def test_deleted_ones_stay_deleted(self):
        count = self.env["mail.external.provider"].search_count([])
        self.gmx.unlink()
        for port in (587, 588):
            self.update(gmx={"smtp_port": port})
            self.assertFalse(self.env.ref("mail_external_account.provider_gmx", False))
        self.assertEqual(self.env["mail.external.provider"].search_count([]), count - 1)

    def test_new_ones_come_once(self):
        self.update(new=NEW)
        preset = self.env.ref("mail_external_account.provider_new")
        self.assertEqual(preset.smtp_host, "smtp.new.example")
        self.assertTrue(preset.is_trusted)
        preset.unlink()
        self.update(new={**NEW, "smtp_port": 587})
        self.assertFalse(self.env.ref("mail_external_account.provider_new", False))

    def test_a_service_that_is_gone_from_the_data_stays(self):
        data = {name: v for name, v in self.data.items() if name != "provider_gmx"}
        mail_services.load(self.env, data)
        self.assertEqual(self.gmx.smtp_host, "mail.gmx.net")

    def test_ones_own_presets_are_left_alone(self):
        own = self.env["mail.external.provider"].create({"name": "GMX", "sequence": 1})
        self.update(gmx={"name": "GMX 2"})
        self.assertEqual(own.name, "GMX")
        self.assertEqual(self.gmx.name, "GMX 2")

    def test_texts_language_by_language(self):
        english, ukrainian = {"lang": "en_US"}, {"lang": "uk_UA"}
        other = self.env.ref("mail_external_account.provider_other")
        translated = other.with_context(**ukrainian).name
        self.assertNotEqual(translated, "Other server")
        self.gmx.with_context(**ukrainian).note = "Наше пояснення"
        self.fastmail.with_context(**english).note = "Our explanation"
        self.update(
            other={"name": "Any other server"},
            gmx={"note": "New text"},
            fastmail={"note": "New text"},
        )
        self.assertEqual(other.with_context(**english).name, "Any other server")
        self.assertEqual(self.gmx.with_context(**english).note, "New text")
        self.assertEqual(self.gmx.with_context(**ukrainian).note, "Наше пояснення")
        self.assertEqual(self.fastmail.with_context(**english).note, "Our explanation")
        self.update()
        self.assertEqual(other.with_context(**english).name, "Other server")
        self.assertEqual(other.with_context(**ukrainian).name, translated)
        self.assertEqual(self.gmx.with_context(**ukrainian).note, "Наше пояснення")
        self.assertEqual(self.fastmail.with_context(**english).note, "Our explanation")

    def test_other_words_of_a_translation(self):
        """A later version has other Ukrainian words for the same English."""
        other = self.env.ref("mail_external_account.provider_other")
        translated = other.with_context(lang="uk_UA").name
        row = self.env["mail.external.provider.shipped"].search(
            [("xmlid", "=", "provider_other")]
        )
        row.shipped = {**row.shipped, "name": {"en_US": other.name, "uk": "Щось інше"}}
        other.with_context(lang="uk_UA").name = "Щось інше"
        self.update()
        self.assertEqual(other.with_context(lang="uk_UA").name, translated)

    def test_a_language_that_comes_later(self):
        """Its texts come from the same files, and are nobody's change."""
        other = self.env.ref("mail_external_account.provider_other")
        other.update_field_translations("name", {"uk_UA": False})
        self.assertEqual(other.with_context(lang="uk_UA").name, "Other server")
        self.update()
        self.assertNotEqual(other.with_context(lang="uk_UA").name, "Other server")

    def test_a_database_from_before(self):
        self.before_there_was_a_record()
        self.fastmail.smtp_host = "smtp.here.example"
        self.gmx.with_context(lang="uk_UA").note = "Наше пояснення"
        self.env.ref("mail_external_account.provider_webde").unlink()
        self.env.ref("mail_external_account.provider_yahoo").active = False
        own = self.env["mail.external.provider"].create({"name": "Own"})
        self.forget_who_wrote()
        self.update()
        gmail = self.env.ref("mail_external_account.provider_gmail")
        self.assertEqual(gmail.oauth_kind, "google")
        self.assertEqual(gmail.note, self.data["provider_gmail"]["note"])
        self.assertTrue(gmail.is_trusted)
        self.assertEqual(self.fastmail.smtp_host, "smtp.here.example")
        self.assertFalse(self.fastmail.is_trusted)
        self.assertEqual(self.fastmail.unproven_names, "SMTP Host")
        self.assertTrue(self.gmx.mx_patterns is False and self.gmx.is_trusted)
        self.assertEqual(self.gmx.with_context(lang="uk_UA").note, "Наше пояснення")
        self.assertFalse(self.env.ref("mail_external_account.provider_webde", False))
        yahoo = self.env.ref("mail_external_account.provider_yahoo")
        self.assertFalse(yahoo.active)
        self.assertTrue(yahoo.mx_patterns)
        self.assertTrue(self.env.ref("mail_external_account.provider_aol"))
        self.assertFalse(own.is_trusted)
        self.assertEqual(own.name, "Own")

    def test_what_an_update_does_to_trust(self):
        manager = self.env["res.users"].create(
            {
                "name": "M",
                "login": "m_services",
                "group_ids": [
                    (4, self.env.ref("mail_external_account.group_manager").id)
                ],
            }
        )
        self.gmx.with_user(manager).smtp_host = "smtp.evil.example"
        self.fastmail.with_user(manager).smtp_host = "smtp2.fastmail.com"
        self.update(fastmail={"smtp_host": "smtp2.fastmail.com"}, gmx={"imap_port": 9})
        self.assertEqual(self.gmx.smtp_host, "smtp.evil.example")
        self.assertEqual(self.gmx.imap_port, 9)
        self.assertFalse(self.gmx.is_trusted)
        self.assertTrue(self.fastmail.is_trusted, "it is as it comes now")

    def test_no_two_services_for_a_domain(self):
        seen = {}
        for name, values in self.data.items():
            for domain in values.get("domains", "").split(", "):
                if domain:
                    self.assertNotIn(domain, seen, f"{name} and {seen.get(domain)}")
                    seen[domain] = name
