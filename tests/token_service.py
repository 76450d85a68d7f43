"""An authorization server on this machine, as far as Odoo sees it: its token endpoint.

It gives tokens for codes and renews them, by the rules of RFC 6749 and RFC 7636; what
it is to do wrong, a test says (``answers``). The page where people sign in is
``visit``.
"""

import base64
import hashlib
import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


class TokenService:
    """A context manager. ``life``: seconds of an access token. ``asked``: the forms that
    came. ``answers``: what is answered next, a dict each (an error's has "error"), or a
    function of the form."""

    client_id = "odoo"
    client_secret = "s1-of-the-application"
    scope = "openid email mail"

    def __init__(self):
        self.life = 3600
        self.asked = []
        self.answers = []
        self._codes = {}
        self._logins = {}  # refresh token -> who signed in
        self._access = {}  # access token -> refresh token

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def visit(self, url, login, client_id=None):
        """What the page ``url`` sends the browser back with, once ``login`` has signed
        in there.

        :param client_id: of another application than asked
        """
        asked = dict(parse_qsl(urlsplit(url).query))
        code = secrets.token_urlsafe(24)
        client_id = client_id or asked["client_id"]
        challenge, address = asked["code_challenge"], asked["redirect_uri"]
        self._codes[code] = (login, challenge, address, client_id)
        return {"code": code, "state": asked["state"]}

    def end(self, login):
        """No token of theirs is good any more."""
        self._logins = {
            token: who for token, who in self._logins.items() if who != login
        }

    def is_good(self, access_token):
        return self._access.get(access_token) in self._logins

    def answer(self, form):
        """:return: (status, dict)"""
        self.asked.append(form)
        if self.answers:
            answer = self.answers.pop(0)
            answer = answer(form) if callable(answer) else answer
            return (400 if "error" in answer else 200), answer
        own = (form.get("client_id"), form.get("client_secret"))
        if own != (self.client_id, self.client_secret):
            return 401, {"error": "invalid_client"}
        if form.get("grant_type") == "refresh_token":
            refresh = form.get("refresh_token")
            login = self._logins.get(refresh)
        else:
            login, refresh = self._redeemed(form), secrets.token_urlsafe(24)
        if not login:
            return 400, {"error": "invalid_grant"}
        return 200, self.tokens(login, refresh)

    def _redeemed(self, form):
        login, *known = self._codes.pop(form.get("code"), (None,))
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        told = [challenge, form.get("redirect_uri"), form.get("client_id")]
        return login if known == told else None

    def tokens(self, login, refresh="", claims=None):
        """A good answer.

        :param claims: of the id_token, where they are others than who signed in
        """
        access = secrets.token_urlsafe(24)
        refresh = refresh or secrets.token_urlsafe(24)
        self._logins[refresh], self._access[access] = login, refresh
        claims = json.dumps({"email": login} if claims is None else claims)
        body = base64.urlsafe_b64encode(claims.encode()).decode().rstrip("=")
        return {
            "access_token": access,
            "refresh_token": refresh,
            "token_type": "Bearer",
            "expires_in": self.life,
            "scope": self.scope,
            "id_token": f"e30.{body}.",
        }

    def __enter__(self):
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_error):
        self._server.shutdown()
        self._server.server_close()


def _handler(service):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers.get("Content-Length") or 0)
            form = dict(parse_qsl(self.rfile.read(length).decode()))
            status, answer = service.answer(form)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args):
            pass

    return Handler
