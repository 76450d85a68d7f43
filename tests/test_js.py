from odoo.addons.web.tests.test_js import unit_test_error_checker
from odoo.tests import HttpCase, no_retry, tagged

SUITE = "@mail_external_account"


def _hoot_id(name):
    """Hoot's id of a suite, as ``generateHash`` of web/static/lib/hoot computes it."""
    result = 0
    for char in name:
        result = ((result << 5) - result + ord(char)) & 0xFFFFFFFF
    return f"{result:08x}"


@tagged("post_install", "-at_install")
class TestWebClient(HttpCase):
    """Runs the addon's own tests of the web client (static/tests) in a browser."""

    @no_retry
    def test_unit_desktop(self):
        self.browser_js(
            "/web/tests?headless&loglevel=2&preset=desktop&timeout=15000"
            f"&id={_hoot_id(SUITE)}",
            "",
            "",
            login="admin",
            timeout=300,
            success_signal="[HOOT] Test suite succeeded",
            error_checker=unit_test_error_checker,
        )
