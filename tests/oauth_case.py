from urllib.parse import parse_qs, urlsplit

from werkzeug.datastructures import MultiDict

from ..mailkit.oauth import Tokens
from ..tools.connect import sign_in
from ..tools.oauth2 import authorization
from .common import ConnectCase
from .token_service import TokenService

WINDOW = "mail.external.account.connect"


class OauthCase(ConnectCase):
    """A mail service where people sign in, which an administrator set up."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.service = cls.enterClassContext(TokenService())
        cls.application = cls.new_application("Example")
        cls.provider.write(
            {
                "oauth_kind": "other",
                "application_id": cls.application.id,
                "imap_security": "ssl",
            }
        )

    def setUp(self):
        super().setUp()
        self.service.asked.clear()
        self.service.answers.clear()
        self.service.life = 3600

    @classmethod
    def new_application(cls, name, **values):
        return cls.env["mail.external.application"].create(
            {
                "name": name,
                "kind": "other",
                "client_id": cls.service.client_id,
                "client_secret": cls.service.client_secret,
                "authorization_endpoint": f"{cls.service.url}/auth",
                "token_endpoint": f"{cls.service.url}/token",
                "scopes": cls.service.scope,
                "allow_private_host": True,
                **values,
            }
        )

    def oauth_window(self, user=None, **values):
        """A window in which "Sign in with Example" was pressed."""
        window = self.window(
            user, password=False, provider_id=self.provider.id, **values
        )
        window.action_sign_in()
        return window

    def begun(self, window):
        """Somebody is sent to the service's page.

        :return: its address, and the row that waits for the answer
        """
        url = authorization.start(window)
        domain = [("wizard_id", "=", window.id)]
        rows = self.env[sign_in.MODEL].search(domain, order="id desc", limit=1)
        return url, rows

    def finish(self, values, user=None, key=None):
        """The service's answer comes back with the browser of ``user``."""
        env = self.env(user=user or self.anna)
        key = key or self.application.key
        return authorization.finish(env, key, MultiDict(values))

    def signed_in(self, window, hint=None):
        """As if ``hint`` had signed in at the service's page, for this window.

        :return: the row with the tokens
        """
        url, _row = self.begun(window)
        answer = self.service.visit(url, window.email if hint is None else hint)
        row = self.finish(answer, window.env.user)
        self.assertFalse(row.failure_text)
        window.invalidate_recordset()
        return row

    def given(self, window, hint):
        """As ``signed_in``, at Google or Microsoft, which are not asked here."""
        _url, row = self.begun(window)
        row.write({"is_used": True, "grant": "g1", "hint": hint})
        tokens = Tokens("at-1", "rt-1", None, (), hint)
        sign_in.store(window, row, tokens)
        window.invalidate_recordset()
        return row

    def connected(self, user=None, hint=None, **values):
        """A saved account that signs in with the service."""
        window = self.oauth_window(user, **values)
        self.signed_in(window, hint)
        self.passed(window)
        if not window.proof:
            window.sudo().proof_token = window._proof_fingerprint("code")
            window.invalidate_recordset()
        window.action_save()
        return window.address_id.account_id

    def question(self, url):
        """The parameters of the service's page."""
        return {name: value for name, [value] in parse_qs(urlsplit(url).query).items()}
