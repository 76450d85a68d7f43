from odoo.tests import warmup

from .common import ExternalAccountCase


class TestQueries(ExternalAccountCase):
    """With no address configured the addon adds no query."""

    def count(self, function):
        self.env.flush_all()
        self.env.invalidate_all()
        before = self.env.cr.sql_log_count
        function()
        self.env.flush_all()
        return self.env.cr.sql_log_count - before

    def without_addresses(self):
        self.env["mail.external.address"].search([]).unlink()
        # `warmup` rolls its first run back, and leaves in the caches what it had read
        for cache in ("default", "stable"):
            self.env.registry.clear_cache(cache)

    def posting_costs(self):
        self.post(self.anna)  # warm
        return min(self.count(lambda: self.post(self.anna)) for _ in range(3))

    @warmup
    def test_posting_without_and_with_accounts(self):
        self.without_addresses()
        without = self.posting_costs()
        self.address("a@x.example", self.bohdan)
        others = self.posting_costs()
        self.assertEqual(others, without, "somebody else's address costs nothing")
        account = self.env["mail.external.address"].search([]).account_id
        for number in range(5):
            alias = f"a{number}@x.example"
            self.address(alias, self.bohdan, account_id=account.id)
        self.assertEqual(self.posting_costs(), without, "nor do five of one account")

    @warmup
    def test_mail_of_cores_gateway_without_accounts(self):
        """Who hears of it is asked for mail out of mailboxes: there can be none."""
        self.without_addresses()

        def costs(message_type):
            def post():
                self.post(self.env.ref("base.user_root"), message_type=message_type)

            post()
            return min(self.count(post) for _ in range(3))

        self.assertEqual(costs("email"), costs("comment"))

    @warmup
    def test_reading_messages_without_accounts(self):
        from odoo.addons.mail.tools.discuss import Store

        self.without_addresses()
        message = self.post(self.anna)

        def read():
            Store().add(message.with_user(self.anna)).get_result()

        read()
        without = self.count(read)
        self.address("a@x.example", self.anna)
        sent = self.post(self.anna)
        read()
        self.assertEqual(self.count(read), without)
        messages = sent | self.post(self.anna) | self.post(self.anna)

        def read_many():
            Store().add(messages.with_user(self.anna)).get_result()

        read_many()
        self.assertLessEqual(self.count(read_many), without + 6)
