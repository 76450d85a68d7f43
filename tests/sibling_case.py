from odoo.exceptions import AccessError
from odoo.fields import Command
from odoo.tests import new_test_user

from .common import ConnectCase

ALIAS = "sales@brand-a.example"
WINDOW = "mail.external.account.connect"


class SiblingCase(ConnectCase):
    """Anna's account, connected in the window with a password."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other = cls.env["res.company"].create({"name": "Company B"})
        cls.stranger = new_test_user(
            cls.env,
            "ext_b",
            "base.group_user,mail_external_account.group_manager",
            email="ext_b@corp.example",
            company_id=cls.other.id,
            company_ids=[Command.set(cls.other.ids)],
        )
        cls.second_manager = new_test_user(
            cls.env,
            "ext_manager_2",
            "base.group_user,mail_external_account.group_manager",
            email="manager2@corp.example",
        )

    def setUp(self):
        super().setUp()
        self.annas = self.saved(self.window())
        self.account = self.annas.account_id

    def saved(self, window):
        """The address, after all that the window asks for."""
        self.passed(window)
        if not window.proof:
            self.vouched(window)
        window.action_save()
        return window.address_id.sudo()

    def vouched(self, window):
        """As if the code had been entered."""
        window.sudo().proof_token = window._proof_fingerprint("code")
        window.invalidate_recordset()

    def sibling_window(self, account=None, user=None, email=ALIAS, **values):
        """The window of "another address" as the screen opens it."""
        account = (account or self.account).with_user(user or self.anna)
        context = account.action_add_address()["context"]
        windows = self.env[WINDOW].with_user(user or self.anna)
        return windows.with_context(**context).create({"email": email, **values})

    def connected(self, email, user=None, company=None, **values):
        """Another account, by its own sign-in."""
        owner = {"user_id": (user or self.anna).id}
        if company:
            owner = {"is_company": True, "user_id": False, "company_id": company.id}
        return self.saved(self.window(user, email=email, **owner, **values))

    def secrets(self, account):
        model = self.env["mail.external.secret"]
        return model.search([("account_id", "=", account.id)])

    def refused(self, call, *args, **kw):
        with self.assertRaises(AccessError):  # which rolls back
            call(*args, **kw)
        self.env.invalidate_all()
