"""Several scheduled actions share the work of sending and of reading."""

from contextlib import contextmanager

from odoo import fields
from odoo.exceptions import ValidationError
from odoo.tools import mute_logger

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
        crons = self.env["ir.cron"]
        for text, threads in (("", 8), ("3", 3), ("0", 1), ("many", 8), ("-2", 8)):
            parameters.set_param("mail_external_account.deliver_threads", text)
            self.assertEqual(crons._external_threads("deliver", 8), threads, text)

    def test_copies_go_with_the_addon(self):
        """Uninstalling deletes what has an external id of the addon."""
        self.choose(external_deliver_crons=2)
        names = self.crons("_cron_deliver").get_external_id().values()
        for name in names:
            self.assertTrue(name.startswith("mail_external_account."), name)

    def test_the_others_are_woken_when_there_is_much_to_do(self):
        self.choose(external_deliver_crons=3)
        first, *others = self.crons("_cron_deliver")
        running = self.env["ir.cron"].with_context(cron_id=others[0].id)
        before = self.env["ir.cron.trigger"].search([])
        running._external_wake_others("deliver")
        woken = (self.env["ir.cron.trigger"].search([]) - before).cron_id
        self.assertEqual(woken, first | others[1])


class TestCronsGone(ExternalAccountCase):
    """An administrator deleted or archived scheduled actions: people work on."""

    CRONS = "odoo.addons.mail_external_account.models.ir_cron"

    def crons(self):
        codes = ["model._cron_deliver()", "model._cron_fetch()"]
        crons = self.env["ir.cron"].with_context(active_test=False)
        return crons.search([("code", "in", codes)], order="id")

    def ways(self):
        """Each way in which they can be gone, by its name."""
        queue = self.env.ref("mail.ir_cron_mail_scheduler_action")
        by_sql = "DELETE FROM ir_cron WHERE id = ANY(%s)"
        return {
            "deleted": lambda: self.crons().unlink(),
            "archived": lambda: self.crons().write({"active": False}),
            "by SQL": lambda: self.env.cr.execute(by_sql, [self.crons().ids]),
            "Odoo's own too": lambda: (self.crons() | queue).unlink(),
        }

    @contextmanager
    def gone(self, way):
        """They are gone meanwhile, and the log says so."""
        with self.env.cr.savepoint() as savepoint:
            way()
            self.env.invalidate_all()
            with self.assertLogs(self.CRONS, "WARNING") as logged:
                yield
            self.assertIn("was deleted or archived", logged.output[0])
            savepoint.rollback()
        self.env.registry.clear_cache()
        self.env.invalidate_all()

    def test_posting_and_retrying(self):
        self.address("a@x.example", self.anna)
        for name, way in self.ways().items():
            with self.subTest(name), self.gone(way):
                self.post_and_retry()

    def post_and_retry(self):
        mail = self.external_mails(self.post(self.anna))
        self.assertEqual(mail.state, "outgoing")
        later = self.post(
            self.anna,
            scheduled_date=fields.Datetime.add(fields.Datetime.now(), hours=1),
        )
        self.env["mail.message.schedule"].search(
            [("mail_message_id", "=", later.id)]
        ).force_send()
        self.assertTrue(self.external_mails(later))
        mail.state = "exception"
        mail.action_retry()
        mail.send()
        self.assertEqual(mail.state, "outgoing")

    def test_connecting_reading_and_fetching(self):
        address = self.address(
            "a@x.example", self.anna, receive_replies=True, incoming_protocol="imap"
        )
        for name, way in self.ways().items():
            with self.subTest(name), self.gone(way):
                self.connect_and_fetch(address)

    def connect_and_fetch(self, address):
        address.account_id._resume()
        pressed = address.with_user(self.anna).action_fetch_now()
        self.assertEqual(pressed["tag"], "display_notification")
        self.assertIn("deleted or archived", pressed["params"]["message"])
        self.env["mail.external.arrival"]._let_notifications_leave()
        address.with_user(self.anna).active = False
        address.unlink()

    @mute_logger(CRONS)
    def test_settings_tell_and_make_them_again(self):
        settings = self.env["res.config.settings"]
        for way in (
            lambda: self.crons().unlink(),
            lambda: self.crons().write({"active": False}),
        ):
            way()
            shown = settings.create({"external_allow_private_hosts": True})
            self.assertEqual(shown.external_deliver_crons, 0)
            self.assertEqual(shown.external_fetch_crons, 0)
            shown.execute()  # nobody is kept from their other settings
            self.assertFalse(self.crons().filtered("active"))
            numbers = {"external_deliver_crons": 1, "external_fetch_crons": 2}
            settings.create(numbers).execute()
            again = self.crons()
            self.assertTrue(all(again.mapped("active")))
            self.assertEqual(
                again.mapped("code").count("model._cron_deliver()"), 1, again
            )
            self.assertEqual(len(again), 3)
            for name in again.get_external_id().values():
                self.assertTrue(name.startswith("mail_external_account."), name)
            address = self.address("a@x.example", self.anna)
            self.post(self.anna)
            triggered = self.env["ir.cron.trigger"].search(
                [("cron_id", "in", again.ids)]
            )
            self.assertTrue(triggered)
            address.unlink()
            settings.create({"external_fetch_crons": 1}).execute()

    def test_a_copy_works_without_the_original(self):
        self.env["res.config.settings"].create({"external_deliver_crons": 2}).execute()
        original, copy = self.crons().filtered(lambda c: "deliver" in c.code)
        original.unlink()
        self.address("a@x.example", self.anna)
        self.post(self.anna)
        triggers = self.env["ir.cron.trigger"].search([("cron_id", "=", copy.id)])
        self.assertTrue(triggers)

    def test_a_caller_wakes_no_other_scheduled_action(self):
        other = self.env.ref("mail.ir_cron_module_update_notification")
        crons = self.env["ir.cron"].with_context(cron_id=other.id)
        crons._external_trigger("deliver")
        self.assertFalse(
            self.env["ir.cron.trigger"].search([("cron_id", "=", other.id)])
        )
