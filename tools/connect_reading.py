"""How replies come in, in the connect window: what has to be right, and be secret."""

import base64
import secrets

from odoo.exceptions import UserError

MAX_LOOK_BACK_DAYS = 90


def check(window):
    """:raise UserError: receiving replies cannot work so"""
    if not window.receive_replies:
        return
    env = window.env
    if window.is_address_only and window.incoming_protocol == "none":
        raise UserError(
            env._(
                "Receive Replies: nothing comes in by the account %s. Switch it off; "
                "then replies go to Odoo's own address. Or connect the account so that "
                "its mailbox is read.",
                window.account_id.display_name,
            )
        )
    if window.incoming_protocol == "none":
        raise UserError(
            env._(
                "Receive Replies: choose how they come in: IMAP, POP3 or forwarded "
                "to Odoo. Or switch it off; then replies go to Odoo's own address."
            )
        )
    if window.is_address_only:
        _check_new_mail(window)
        return
    if window.forward_problem:
        raise UserError(window.forward_problem)
    if not window._chosen_folders():
        raise UserError(env._("Folders: choose at least one, usually the inbox."))
    if not 0 <= window.look_back_days <= MAX_LOOK_BACK_DAYS:
        raise UserError(
            env._(
                "Look Back: enter a number of days from 0 (from now on) to %s.",
                MAX_LOOK_BACK_DAYS,
            )
        )
    _check_new_mail(window)


def _check_new_mail(window):
    if not window.is_company or window.new_mail != "task":
        return
    project = window.new_mail_project_id
    if not project:
        raise UserError(
            window.env._("Tasks In: choose the project that new mail goes to.")
        )
    if project != window.address_id.sudo().new_mail_project_id:
        project.check_access("read")


def no_domain(env):
    """Why there is no address that a mailbox could redirect to."""
    return env._(
        "Odoo has no address that mail could be redirected to, because it has no "
        "alias domain. Ask your administrator to set one in Settings / General "
        "Settings / Alias Domain, or choose IMAP or POP3."
    )


def make_forward_tokens(windows):
    """The secret of an account stays, unless another person gets the address."""
    for window in windows.filtered(lambda w: w.incoming_protocol == "forwarded"):
        hidden = window.sudo()
        known = _known_token(window)
        token = known or hidden.forward_token
        if not token or (not known and token == hidden.account_id.forward_token):
            token = _new_token()
        if token != hidden.forward_token:
            hidden.forward_token = token


def _known_token(window):
    account = window.account_id.sudo()
    same_owner = account.user_id == window._owner()
    return account.forward_token if same_owner and window._may_see() else False


def _new_token():
    """26 letters of base32, 130 bits: what ``incoming/gateway.py`` looks for."""
    return base64.b32encode(secrets.token_bytes(20)).decode().lower()[:26]
