"""What stands in a header and what leaves are two things in Python's ``email``."""

import email.policy
from email.message import EmailMessage

from odoo.tests import BaseCase, tagged

from ..models.ir_mail_server import has_breaks, join_lines, written

INJECTED = "=?utf-8?q?x=0D=0AFrom:_ceo=40brand-a.test=0D=0A=0D=0AText?="


def nested(text, depth=1):
    for _time in range(depth):
        text = "=?utf-8?q?{}?=".format("".join(f"={ord(sign):02X}" for sign in text))
    return text


@tagged("post_install", "-at_install")
class TestLeaving(BaseCase):
    def message(self, name, text):
        message = EmailMessage(policy=email.policy.SMTP)
        message[name] = text
        return message

    def test_no_field_becomes_two(self):
        deep = INJECTED
        for _time in range(7):
            deep = nested(f"x\r\nFrom: ceo@brand-a.test {deep}")
        forms = [
            INJECTED,
            f"Hello {INJECTED} é",
            f"){INJECTED}",
            f"{INJECTED}: x;",
            "=?utf-8?b?eA1Gcm9tOiBjZW9AYnJhbmQtYS50ZXN0?=",
            "=?utf-8?q?x=0AFrom:_ceo=40brand-a.test?=",
            "=?utf-8?q?x=0DFrom:_ceo=40brand-a.test?=",
            "=?utf-8?q?x=0D=0A?=",
            "=?utf-8?q?x=0D=0A_=0D=0AText?=",
            nested(INJECTED),
            nested(INJECTED, 2),
            deep,
        ]
        for name in ("Subject", "References", "To", "Cc", "X-Other"):
            for text in forms:
                try:
                    message = self.message(name, text)
                except ValueError:
                    continue  # Python refuses it
                with self.subTest(name=name, text=text):
                    message["From"] = "me@brand-a.test"
                    join_lines(message)
                    self.assertFalse(has_breaks(message))
                    message.set_content("Body")
                    parsed = email.message_from_bytes(message.as_bytes())
                    self.assertEqual(parsed.get_all("From"), ["me@brand-a.test"])
                    self.assertEqual(parsed.get_payload().strip(), "Body")

    def test_sound_fields_stay_as_they_are(self):
        message = self.message("Subject", "Grüße " * 40)
        message["From"] = '"Doe, John" <john@brand-a.test>'
        message["Resent-From"] = "a@b.test"
        message["Resent-From"] = "c@d.test"
        before = message.as_bytes()
        join_lines(message)
        self.assertEqual(message.as_bytes(), before)
        self.assertEqual(written(message, "resent-from"), ["a@b.test", "c@d.test"])

    def test_what_cannot_be_read_is_written_all_the_same(self):
        message = self.message("From", "[ceo@brand-a.test")
        self.assertEqual(written(message, "From"), ["[ceo@brand-a.test"])
