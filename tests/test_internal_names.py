from unittest.mock import patch

from ..mailkit.connection import network
from .common import ConnectCase

# As an employee would try: none of them leads to a public server.
NAMES = (
    "localhost",  # there is such a name
    "localhost.",
    "no-such-name.invalid",  # there is none
    "no-such-name",
    "127.0.0.1",
    "[::1]",
    "::ffff:127.0.0.1",
    "2130706433",
    "10.255.255.1",
    "fe80::1%none0",
)


class TestInternalNames(ConnectCase):
    """Which names the internal network has is not told to who may not reach it."""

    def setUp(self):
        super().setUp()
        # How long a refusal takes is tested where it is done, see tests/unit.
        self.startPatcher(patch.object(network, "_WHOLE_SECOND", 0.01))

    def answers(self, user, step, **values):
        """What the window says to each name, but the name itself."""
        prefix = step.partition("_")[0]
        told = []
        for name in NAMES:
            settings = {f"{prefix}_host": name, f"{prefix}_port": 9, **values}
            data = self.window(user, **settings).run_check(step)
            self.assertGreaterEqual(data.pop("milliseconds"), 0)
            data["label"] = data["label"].replace(name, "")
            if data not in told:
                told.append(data)
        return told

    def test_an_employee_is_told_the_same_of_all(self):
        reading = {"receive_replies": True, "incoming_protocol": "imap"}
        for step, values in (
            ("smtp_host", {}),
            ("smtp_port", {}),
            ("incoming_login", {**reading, "incoming_login": "anna"}),
        ):
            with self.subTest(step=step):
                [told] = self.answers(self.anna, step, **values)
                self.assertFalse(told["ok"])
                self.assertEqual((told["field"], told["reply"]), ("host", ""))
                self.assertIn("no server of this name", told["cause"])
                self.assertIn("Check the spelling", told["remedy"])
                self.assertIn("ask your administrator", told["remedy"])
        lines = self.env["mail.external.account.connect.check"].search([])
        self.assertFalse(any(lines.mapped("is_private")))

    def test_a_manager_is_told_the_reason(self):
        told = self.answers(self.manager, "smtp_host")
        self.assertTrue(any(line["ok"] for line in told))
        [unknown] = {line["cause"] for line in told if not line["ok"]}
        self.assertEqual(unknown, "There is no server of this name.")
