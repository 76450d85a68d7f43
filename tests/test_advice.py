from ..mailkit.checks import CheckResult, Step
from ..mailkit.round_trip import Fate, compare
from ..tools.connect import round_trip, test
from ..tools.service_habits import PARTS
from .common import ConnectCase

FACTS = {
    **{"seen": 1, "junk": 0, "removed": 1, "message_id": "kept", "name": "kept"},
    **{"reply_to": "kept", "references": "kept", "thread_index": "kept"},
    **{"text_mark": "kept", "html_mark": "kept"},
}


class TestAdvice(ConnectCase):
    """What a mail to oneself has shown is kept, whatever a server made of it."""

    def test_octets_that_the_database_does_not_take(self):
        window = self.window(self.anna)
        head = "Subject: a\0b \udc80\r\nX-Odd: \x01\x7f\xff\r\n"
        facts = {**FACTS, "head": head, "rule": 1, "word": 2, "domain": "a\0.test"}
        result = CheckResult(Step.ROUND_TRIP, True, 1.0, facts, None)
        window._keep_round_trip(result, test.settings_fingerprint(window))
        self.env.flush_all()
        self.env.invalidate_all()
        kept = window._round_trip_facts()
        self.assertIn("X-Odd", kept["head"])
        self.assertNotIn("\0", kept["head"])

    def test_addresses_of_every_kind(self):
        for email in (
            "anna@brand-a.example",
            "o'neil+x@brand-a.example",
            "ганна@brand-a.example",
            "anna@xn--80a1acn3a.xn--j1amh",
            "ганна@xn--80a1acn3a.xn--j1amh",
        ):
            window = self.window(self.anna, email=email)
            with self.subTest(email):
                letter = round_trip.letter(window, email, email)
                self.assertTrue(letter.sent.is_ours(letter.content))
                head, _blank, _body = letter.content.partition(b"\r\n\r\n")
                back = compare(letter.sent, head, letter.content)
                fates = {getattr(back, name) for name in (*PARTS, "sender")}
                self.assertEqual(fates, {Fate.KEPT})
