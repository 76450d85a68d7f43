import time

from ..mailkit import oauth
from ..mailkit.errors import MailError
from ..tools import vault
from ..tools.oauth2 import tokens
from .common import ExternalAccountCase


class TokenCase(ExternalAccountCase):
    """Anna signed in with her mail service; no service is asked here.

    What one answers is given to ``tokens.settle``, as whoever asked it would. The
    cursors that the renewal has for itself are part of the test's transaction.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.application = cls.env["mail.external.application"].create(
            {
                "name": "Example Mail",
                "kind": "other",
                "client_id": "odoo",
                "authorization_endpoint": "https://login.example.com/auth",
                "token_endpoint": "https://login.example.com/token",
                "revocation_endpoint": "https://login.example.com/revoke",
                "scopes": "mail",
            }
        )
        vault.seal_application_secret(cls.application, "s1")
        cls.own = cls.signed_in("anna@own.example", cls.anna)
        cls.account = cls.own.account_id

    def setUp(self):
        super().setUp()
        self.registry_enter_test_mode()

    @classmethod
    def signed_in(cls, email, user=None, **values):
        """An address whose account signs in with the mail service, for an hour."""
        address = cls.address(
            email,
            user,
            **{
                "auth_method": "oauth2",
                "application_id": cls.application.id,
                "incoming_protocol": "imap",
                "incoming_host": "imap.example.com",
                "incoming_port": 993,
                "incoming_security": "ssl",
                "incoming_login": email,
                "receive_replies": True,
                **values,
            },
        )
        vault.store_tokens(address.account_id, cls.gave("at-1", "rt-1"), f"of {email}")
        address.account_id._set_up_reading([("INBOX", False)], anew=True)
        return address

    @classmethod
    def gave(cls, access, refresh, life=3600.0, hint=""):
        return oauth.Tokens(access, refresh, time.time() + life, ("mail",), hint)

    def row(self, account=None):
        row = self.env["mail.external.secret"].search(
            [("account_id", "=", (account or self.account).id)]
        )
        row.invalidate_recordset()
        return row

    def pass_time(self, seconds, account=None):
        """As if so much time had passed for what is kept of the sign-in."""
        self.env.flush_all()
        names = ("token_ends", "renew_at", "lease_until", "retry_at")
        sets = ", ".join(f"{n} = {n} - %(t)s * interval '1 second'" for n in names)
        self.env.cr.execute(
            f"UPDATE mail_external_secret SET {sets} WHERE id = %(id)s",  # noqa: S608
            {"t": seconds, "id": self.row(account).id},
        )

    def look(self, lease="mine", refused="", account=None):
        self.env.flush_all()
        account = account or self.account
        return tokens.look(self.env, account.id, "smtp", lease, refused)

    def settle(self, renewal, outcome):
        try:
            return tokens.settle(self.env, renewal, outcome)
        finally:
            self.env.invalidate_all()

    def failure(self, function, *args, **kwargs):
        """The MailError of a call; ``assertRaises`` would roll back what it did."""
        try:
            function(*args, **kwargs)
        except MailError as error:
            return error
        return self.fail("no MailError")

    def token(self, account=None):
        """What is kept now."""
        self.env.invalidate_all()
        return vault.stored_tokens(self.env, account or self.account)

    def told(self, user):
        """The notices that a user has got since asked last, the newest last."""
        known = vars(self).setdefault("_known", {}).setdefault(user, [])
        messages = self.env["mail.message"].search(
            [
                ("message_type", "=", "user_notification"),
                ("notified_partner_ids", "in", user.partner_id.ids),
                ("id", "not in", known),
            ],
            order="id",
        )
        known += messages.ids
        return messages
