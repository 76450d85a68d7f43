"""A signed-in user of a running Odoo, over the routes that the web client uses."""

import http.cookiejar
import json
import urllib.error
import urllib.request
import xmlrpc.client
from typing import Any


class OdooRpcError(Exception):
    """The server's refusal: ``str()`` is its message, ``name`` its exception's name."""

    def __init__(self, error: dict[str, Any]) -> None:
        data = error.get("data") or {}
        super().__init__(data.get("message") or error.get("message"))
        self.name = str(data.get("name") or "")
        self.debug = str(data.get("debug") or "")


class OdooClient:
    """One session of one user; ``uid`` and ``context`` are the session's."""

    def __init__(self, url: str, database: str, login: str, password: str) -> None:
        """Sign in.

        :raises OdooRpcError: when login and password are refused
        """
        self.url = url
        self._credentials = (database, login, password)
        cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPCookieProcessor(cookies),
        )
        credentials = {"db": database, "login": login, "password": password}
        session = self.post("/web/session/authenticate", credentials)
        self.uid: int = session["uid"]
        self.context: dict[str, Any] = session["user_context"]

    def post(self, route: str, params: dict[str, Any]) -> Any:
        """Call a JSON-RPC route, e.g. ``/mail/message/post``; return its result.

        :raises OdooRpcError: when the server answers with an error
        """
        body = {"jsonrpc": "2.0", "method": "call", "id": 1, "params": params}
        request = urllib.request.Request(  # noqa: S310 (the url is our own server's)
            self.url + route,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=120) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            raise OdooRpcError(
                {"message": f"HTTP {error.code} {error.reason}"}
            ) from None
        if "error" in answer:
            raise OdooRpcError(answer["error"])
        return answer.get("result")

    def get(self, route: str) -> bytes:
        """Return what a GET request answers, e.g. of ``/web/content/...``."""
        with self._opener.open(self.url + route, timeout=120) as response:
            return bytes(response.read())

    def call(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a public method; a keyword ``context`` goes on top of the user's."""
        context = {**self.context, **kwargs.pop("context", {})}
        return self.post(
            f"/web/dataset/call_kw/{model}/{method}",
            {
                "model": model,
                "method": method,
                "args": list(args),
                "kwargs": {**kwargs, "context": context},
            },
        )

    def call_xml(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """As ``call``, over XML-RPC; only ``context`` is the caller's.

        :raises xmlrpc.client.Fault: when the server answers with an error
        """
        database, _login, password = self._credentials
        server = xmlrpc.client.ServerProxy(f"{self.url}/xmlrpc/2/object")
        call = (database, self.uid, password, model, method, args, kwargs)
        return server.execute_kw(*call)

    def call_json2(
        self, key: str, model: str, method: str, ids: list[int], **kwargs: Any
    ) -> Any:
        """As ``call``, over JSON-2 with an API key of the user.

        :raises OdooRpcError: when the server answers with an error
        """
        request = urllib.request.Request(  # noqa: S310 (the url is our own server's)
            f"{self.url}/json/2/{model}/{method}",
            data=json.dumps({"ids": ids, **kwargs}).encode(),
            headers={
                "Content-Type": "application/json",
                "Authorization": f"bearer {key}",
            },
        )
        try:
            with self._opener.open(request, timeout=120) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            said = json.loads(error.read() or b"{}")
            raise OdooRpcError({"message": said.get("message", str(error))}) from None
