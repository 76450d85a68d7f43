from odoo.tests import TransactionCase, tagged


@tagged("post_install", "-at_install")
class TestDemo(TransactionCase):
    def test_the_customer_follows_the_demo_tasks(self):
        task = self.env.ref(
            "mail_external_account.demo_task_market", raise_if_not_found=False
        )
        if not task:
            self.skipTest("installed without demo data")
        self.assertIn("client@customer.test", task.message_partner_ids.mapped("email"))
