"""Several scheduled actions share the work of sending and of reading."""

from odoo.exceptions import ValidationError

from .common import ExternalAccountCase


class TestCrons(ExternalAccountCase):
    def choose(self, **values):
        self.env["res.config.settings"].create(values).execute()

    def crons(self, method):
        code = f"model.{method}()"
        return self.env["ir.cron"].search([("code", "=", code)], order="id")

    def test_as_many_as_chosen_do_the_same(self):
        original = self.crons("_cron_fetch")
        self.assertEqual(len(original), 1)
        self.choose(external_fetch_crons=3)
        three = self.crons("_cron_fetch")
        self.assertEqual(len(three), 3)
        self.assertEqual(len(set(three.mapped("name"))), 3)
        self.assertEqual(three.mapped("interval_type"), ["minutes"] * 3)
        self.assertEqual(len(self.crons("_cron_deliver")), 1)
        # what was chosen is shown, and stays when other settings are saved
        shown = self.env["res.config.settings"].create({})
        self.assertEqual(shown.external_fetch_crons, 3)
        shown.execute()
        self.assertEqual(self.crons("_cron_fetch"), three)
        self.choose(external_fetch_crons=1)
        self.assertEqual(self.crons("_cron_fetch"), original)

    def test_a_number_that_cannot_be(self):
        for number in (0, -1, 17):
            with self.assertRaisesRegex(ValidationError, "Reading Side by Side"):
                self.choose(external_fetch_crons=number)
            self.assertEqual(len(self.crons("_cron_fetch")), 1)

    def test_how_many_accounts_at_a_time(self):
        parameters = self.env["ir.config_parameter"]
        accounts = self.env["mail.external.account"]
        for text, threads in (("", 8), ("3", 3), ("0", 1), ("many", 8), ("-2", 8)):
            parameters.set_param("mail_external_account.deliver_threads", text)
            self.assertEqual(accounts._threads("deliver", 8), threads, text)

    def test_copies_go_with_the_addon(self):
        """Uninstalling deletes what has an external id of the addon."""
        self.choose(external_deliver_crons=2)
        names = self.crons("_cron_deliver").get_external_id().values()
        for name in names:
            self.assertTrue(name.startswith("mail_external_account."), name)

    def test_the_others_are_woken_when_there_is_much_to_do(self):
        self.choose(external_deliver_crons=3)
        first, *others = self.crons("_cron_deliver")
        running = self.env["mail.external.account"].with_context(cron_id=others[0].id)
        before = self.env["ir.cron.trigger"].search([])
        running._wake_identical_crons("deliver")
        woken = (self.env["ir.cron.trigger"].search([]) - before).cron_id
        self.assertEqual(woken, first | others[1])
