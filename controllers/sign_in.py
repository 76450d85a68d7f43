from odoo import http
from odoo.exceptions import AccessError, UserError
from odoo.http import request
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.urls import url_quote

from ..tools.connect import sign_in
from ..tools.connect.turn import BUSY
from ..tools.oauth2 import authorization
from ..tools.trusted_context import own_request

PAGE = "mail_external_account.sign_in_page"
_ROOT = "/mail_external_account"
# What is in the address of these pages is nobody's, neither is what they show.
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; "
    "style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    # No page that is opened from here, or that opened it, gets hold of the other.
    "Cross-Origin-Opener-Policy": "same-origin",
}
# Seconds until a page that waits for something asks again.
_AGAIN = "3"


class SignIn(http.Controller):
    """A sign-in at a mail service: what the browser opens on its way there and back.

    No parameter says where anything leads to: to the service's page as an administrator
    entered it, and back to a page of ours whose address holds no code.
    """

    @http.route(
        f"{_ROOT}/sign_in/window/<int:window_id>",
        type="http",
        auth="user",
        methods=["GET"],
        readonly=False,
    )
    def sign_in_window(self, window_id, **_values):
        """To the service's page, for a connect window of this user."""
        _check_get()
        window = request.env["mail.external.account.connect"].browse(window_id)
        try:
            window.check_access("write")
            return _to_service(window.exists())
        except (AccessError, UserError) as error:
            return _page(403, text=error.args[0])

    @http.route(
        f"{_ROOT}/sign_in/<int:account_id>",
        type="http",
        auth="user",
        methods=["GET"],
        readonly=False,
    )
    def sign_in_again(self, account_id, **_values):
        """To the service's page, for an account whose sign-in has ended."""
        _check_get()
        windows = request.env["mail.external.account.connect"]
        try:
            window = windows._open_for_sign_in(account_id)
            if window.auth_method != "oauth2":
                return _redirect(_go_on(window))
            return _to_service(window)
        except (AccessError, UserError) as error:
            return _page(403, text=error.args[0])

    # Whoever is logged in no more is asked to log in, without what the service said:
    # core's own way (auth="user") would write it into one more address.
    @http.route(
        f"{_ROOT}/oauth2/<string:key>",
        type="http",
        auth="public",
        methods=["GET"],
        readonly=False,
    )
    def callback(self, key, **_values):
        """Back from a service, once, with its answer."""
        _check_get()
        values, env = request.httprequest.args, request.env
        if not env.user._is_internal():
            row = authorization.begun_by_anybody(env, values)
            return _redirect(f"/web/login?redirect={url_quote(_page_of(row))}")
        try:
            with own_request.during():
                row = authorization.finish(env, key, values)
        except UserError as error:
            if getattr(error, "context", None) != BUSY:
                raise
            return _page(200, text=error.args[0], goes_on=True)
        return _redirect(_page_of(row))

    @http.route(
        f"{_ROOT}/signed_in/<int:row_id>", type="http", auth="user", methods=["GET"]
    )
    def signed_in(self, row_id, **_values):
        """What came of a sign-in, for whoever began it."""
        env = request.env
        # sudo: nobody has access rights on sign-ins; this one is the user's own
        row = env[sign_in.MODEL].sudo().browse(row_id).exists()
        if row.create_uid != env.user or not row.wizard_id:
            return _page(
                404,
                text=env._(
                    "This answer belongs to no sign-in that you have begun here in the "
                    "last minutes, so it was not used. Go back to Odoo and choose "
                    "“Sign in” there once more."
                ),
            )
        return _page(200, **_result(row))


def _result(row):
    """What is told of a sign-in: values of the page."""
    env, window = row.env, row.wizard_id
    known = {"window_id": window.id, "go_on": _go_on(window)}
    if row.tokens_sealed:
        text = env._("You are signed in. Odoo now tests the address.")
        if row.hint:
            text = env._("Signed in as %s. Odoo now tests the address.", row.hint)
        return {**known, "text": text, "is_good": True}
    known["again"] = _start(window)
    if row.failure_text:
        return {**known, "text": row.failure_text, "reply": row.failure_reply}
    if row.is_used and row.write_date > authorization.recently():
        return {"text": env._("You are being signed in."), "goes_on": True}
    return {
        **known,
        "text": env._("This sign-in was not finished. Sign in once more."),
    }


def _to_service(window):
    if not window:
        raise UserError(
            request.env._(
                "The connect window has been closed meanwhile, or it was open for too "
                "long. Open it anew in Odoo."
            )
        )
    return _redirect(authorization.start(window))


def _check_get():
    """Werkzeug allows HEAD wherever GET is; but nothing may happen on it."""
    if request.httprequest.method != "GET":
        raise MethodNotAllowed(valid_methods=["GET"])


def _start(window):
    return f"{_ROOT}/sign_in/window/{window.id}"


def _page_of(row):
    return f"{_ROOT}/signed_in/{row.id or 0}"


def _go_on(window):
    """Where the connect window is opened again."""
    return f"/odoo/external_account_go_on?window_id={window.id}"


def _redirect(location):
    """
    :param str location: ours, or a page that an administrator entered
    """
    response = request.redirect(location, code=303, local=False)
    response.headers.update(_HEADERS)
    return response


def _page(status, **values):
    known = {
        **dict.fromkeys(("window_id", "go_on", "again", "reply", "is_good", "goes_on")),
        **values,
    }
    response = request.render(PAGE, known, status=status)
    response.headers.update(_HEADERS)
    if known["goes_on"]:
        response.headers["Refresh"] = _AGAIN
    return response
