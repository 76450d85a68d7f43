from odoo.addons.mail.tools.discuss import Store

from .common import ExternalAccountCase

# As many addresses an account.
SIBLINGS = 5
ACCOUNTS = """
    INSERT INTO mail_external_account
        (active, user_id, company_id, state, incoming_protocol,
         auth_method)
    SELECT true, CASE WHEN n % 2 = 0 THEN %s END, %s, 'working', 'none',
           'password'
      FROM generate_series(1, 1000) n
 RETURNING id, user_id
"""
ADDRESSES = """
    INSERT INTO mail_external_address
        (account_id, email, is_main, active, sequence, user_id, company_id, state,
         layout, new_mail)
    SELECT a.id, 'a' || a.id || '.' || n || '@scale.example', n = 1, true, 10,
           a.user_id, a.company_id, 'working', 'plain', 'ignore'
      FROM mail_external_account a, generate_series(1, %s) n
     WHERE a.id = ANY(%s)
 RETURNING id, user_id
"""
BINDINGS = """
    INSERT INTO mail_external_address_project (address_id, project_id, is_default)
    SELECT address, project, false
      FROM unnest(%s::int[]) address, unnest(%s::int[]) project
"""
ALLOWED = """
    INSERT INTO mail_external_address_user_rel
        (mail_external_address_id, res_users_id)
    SELECT address, %s FROM unnest(%s::int[]) address
"""


class TestSenderScale(ExternalAccountCase):
    """What the sender costs, in queries: per post, per chatter, and among many."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        addresses = cls.env["mail.external.address"].with_context(active_test=False)
        addresses.search([]).unlink()

    def count(self, function):
        self.env.flush_all()
        self.env.invalidate_all()
        before = self.env.cr.sql_log_count
        function()
        self.env.flush_all()
        return self.env.cr.sql_log_count - before

    def warm_count(self, function):
        function()
        return min(self.count(function) for _ in range(3))

    def add_thousands(self):
        """5,000 addresses of 1,000 accounts of others, 2,000 bindings."""
        cr = self.env.cr
        cr.execute(ACCOUNTS.replace(" % 2", " %% 2"), [self.bohdan.id, self.company.id])
        cr.execute(ADDRESSES, [SIBLINGS, [account for account, _user in cr.fetchall()]])
        rows = cr.fetchall()
        self.assertEqual(len(rows), 5000)
        shared = [address for address, owner in rows if not owner]
        cr.execute(ALLOWED, [self.bohdan.id, shared])
        bound = [address for address, _owner in rows[:1000]]
        cr.execute(BINDINGS, [bound, (self.project_a | self.project_b).ids])
        self.env.invalidate_all()

    def test_choosing_among_thousands_takes_no_more_queries(self):
        own = self.address("anna@a.example", self.anna, [(self.project_a, True)])
        shared = self.address("info@a.example")
        senders = self.env["mail.external.sender"].with_user(self.anna)

        def choose():
            options = senders._sender_options(self.task.sudo())
            self.assertEqual([row.id for row, _ in options], [own.id, shared.id])

        def choose_cold():
            self.env.registry.clear_cache()
            choose()

        few = self.warm_count(choose_cold), self.warm_count(choose)
        self.add_thousands()
        many = self.warm_count(choose_cold), self.warm_count(choose)
        self.assertEqual(many, few)

    def queued_post(self):
        # Odoo's own mail only queues as well: the same work on both sides
        anna = self.anna.with_context(mail_notify_force_send=False)
        return self.post(anna, self.task.with_context(mail_notify_force_send=False))

    def test_posting_with_an_account_takes_one_more_query_at_most(self):
        without = self.warm_count(self.queued_post)
        self.address("anna@a.example", self.anna, [(self.project_a, True)])
        # It starts the delivery. The wake-up after the commit isn't counted here.
        self.assertLessEqual(self.warm_count(self.queued_post), without + 1)
        self.assertTrue(self.external_mails(self.queued_post()))
        self.add_siblings()
        self.assertLessEqual(self.warm_count(self.queued_post), without + 1)

    def add_siblings(self):
        """Five aliases of Anna's account, with which it is two for the project."""
        account = self.env["mail.external.address"].search([]).account_id
        for number in range(5):
            bindings = [(self.project_a, False)] if number == 0 else []
            email = f"anna{number}@a.example"
            self.address(email, self.anna, bindings, account_id=account.id)
        self.assertEqual(len(account.address_ids), 6)

    def test_opening_a_chatter_takes_one_more_query_at_most(self):
        task = self.task.with_user(self.anna)

        def open_chatter():
            store = Store().add(
                task, as_thread=True, request_list=["followers", "suggestedRecipients"]
            )
            return store.add(messages.with_user(self.anna)).get_result()

        messages = self.queued_post() | self.queued_post()
        without = self.warm_count(open_chatter)
        self.address("anna@a.example", self.anna, [(self.project_a, True)])
        messages = self.queued_post() | self.queued_post()
        self.external_mails(messages).sudo()._postprocess_sent_message(
            messages.notification_ids.res_partner_id, []
        )
        self.assertLessEqual(self.warm_count(open_chatter), without + 1)
        self.add_siblings()
        self.assertLessEqual(self.warm_count(open_chatter), without + 1)

    def test_patterns_and_the_customers_address_cost_no_more_with_many(self):
        """Names that differ from record to record, and who was written to."""
        self.company.external_sender_policy = "customer"
        task = self.task.with_user(self.anna)
        name = "{author} of {company} at {project}"

        def costs():
            choose = self.warm_count(lambda: task._external_senders_data())
            return choose, self.warm_count(self.queued_post)

        for number in range(2):
            self.address(f"a{number}@a.example", self.anna, sender_name=name)
        few = costs()
        for number in range(2, 12):
            self.address(f"a{number}@a.example", self.anna, sender_name=name)
        self.assertEqual(costs(), few)
