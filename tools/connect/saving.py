"""What the connect window saves, after rights, test and proof were checked.

The only place that writes an account's connection, and whose address leaves by whose
sign-in. Plain functions in superuser mode; ``window`` is the one connect window.
"""

import base64
import secrets

from odoo import fields
from odoo.exceptions import UserError
from odoo.fields import Command

from ...models.mail_external_connection_mixin import READ_PROTOCOLS
from .. import notices, vault
from . import sign_in, test

MAX_LOOK_BACK_DAYS = 90


def save(window, proof):
    """Write the account, unless the window is about an address only, and the address.

    :param str proof: how the address is proven, see mail.external.address.proof
    :return: mail.external.address in superuser mode
    """
    before = _owner_and_email(window)
    if window.is_address_only:
        address = _write_address(window, window.account_id.sudo(), proof)
        habits = window._service_habits()
        if habits:
            address.account_id.service_habits = habits
        address.account_id._follow_reading()
    else:
        folders, anew = window._chosen_folders(), window._starts_reading()
        account = _write_account(
            window,
            {
                **_owner_values(window),
                **_connection_values(window),
                **_mailbox_values(window),
                "active": True,
            },
        )
        address = _write_address(window, account, proof)
        _store_sign_in(window, account)
        account._set_up_reading(folders, anew)
    notices.tell_of_connection(address, *before)
    address.account_id._resume()
    return address


def keep_draft(window):
    """A new address, or one that is a draft, without connection."""
    before = _owner_and_email(window)
    values = {**_owner_values(window), "state": "draft"}
    address = _write_address(window, _write_account(window, values), False)
    notices.tell_of_connection(address, *before)


def _owner_and_email(window):
    """Whose the address was, and which one, before anything of it is written."""
    address = window.address_id.sudo()
    return address.user_id, address.email


def _write_account(window, values):
    # sudo: rights were checked before; connection fields are written only here
    account = window.account_id.sudo()
    if account:
        if account.user_id.id != values["user_id"]:
            _leave_owner(window, account)
        account.write(values)
    else:
        account = window.env["mail.external.account"].sudo().create(values)
        window.sudo().account_id = account
    return account


def _leave_owner(window, account):
    """An account goes to another owner: nothing that was shown, allowed or kept for
    the former one goes along. Its other addresses are removed ones, see
    ``check_new_owner``."""
    addresses = account.with_context(active_test=False).address_ids
    account.former_address_ids = [Command.clear()]
    addresses.write(
        {
            "allowed_user_ids": [Command.clear()],
            "allowed_group_ids": [Command.clear()],
            "new_mail": "ignore",
            "new_mail_project_id": False,
            **_proof_values(window, False),
        }
    )
    for address in addresses:
        address.company_id = address.company_id or window.company_id


def _write_address(window, account, proof):
    # sudo: see above
    address = window.address_id.sudo()
    values = {
        **_address_values(window),
        **_proof_values(window, proof),
        "account_id": account.id,
        "company_id": window.company_id.id or account.company_id.id,
        "failure_code": False,
        "failure_reply": False,
    }
    if proof:  # it was tested; a draft receives nothing yet
        values.update(_replies_values(window))
    if not address:
        siblings = account.with_context(active_test=False).address_ids
        address = address.create({**values, "is_main": not siblings})
        window.sudo().address_id = address
    else:
        if address.account_id != account:
            values.update(_move_values(address, account))
        address.write({**values, "active": True})
    window.project_ids._bind(address)
    return address


def _move_values(address, account):
    """Bindings, access, name and history stay; answers may still come into the mailbox
    of the former account, which is read until that is removed."""
    former = address.account_id
    if former.receives:
        former.former_address_ids = [Command.link(address.id)]
    account.former_address_ids = [Command.unlink(address.id)]
    return {"is_main": not account.with_context(active_test=False).address_ids}


# The account's part


def _owner_values(window):
    """Whose it is, and at which mail service: a draft keeps this, too."""
    return {
        "user_id": False if window.is_company else window.user_id.id,
        "company_id": window.company_id.id,
        "provider_id": window.provider_id.id,
    }


def _connection_values(window):
    """The tested connection, with which the account works from now on."""
    values = window._connection_values()
    if window.incoming_protocol not in READ_PROTOCOLS:
        names = ("host", "port", "security", "login")
        values.update({f"incoming_{name}": False for name in names})
    lines = test.results(window).values()
    return {
        **values,
        "sign_in_user_id": window._sign_in_user().id,
        # Only where it was needed: later the name of a host may mean another one.
        "allow_private_host": window.allow_private_host
        and any(line.is_private for line in lines),
        "state": "working",
        "failure_code": False,
        "failure_reply": False,
        "last_check": fields.Datetime.now(),
        **_habits_values(window),
    }


def _habits_values(window):
    """What a mail to oneself has shown of the service; of another service nothing that
    is known is true any more."""
    habits = window._service_habits()
    known = window.account_id.sudo()
    if habits or (known and known.smtp_host != window.smtp_host):
        return {"service_habits": habits}
    return {}


def _mailbox_values(window):
    """How the account reads its mailbox, or gets its mail."""
    values = {
        "look_back_days": window.look_back_days,
        "keep_sent_copy": window.keep_sent_copy and window.incoming_protocol == "imap",
    }
    if window.incoming_protocol == "forwarded":
        values["forward_token"] = window.sudo().forward_token
        if values["forward_token"] != window.account_id.sudo().forward_token:
            values["forward_notice"] = False
    return values


def _store_sign_in(window, account):
    """What the account signs in with from now on; in the window nothing is left."""
    if window.auth_method != "oauth2":
        _store_passwords(window, account)
    elif row := sign_in.newest(window):
        tokens = sign_in.tokens_of(window, row)
        vault.store_tokens(account, tokens, row.grant)
    sign_in.forget(window)
    window.sudo().write({"password_sealed": False, "incoming_password_sealed": False})


def _store_passwords(window, account):
    """Seal the tested passwords for ``account``."""
    tested = test.passwords(window)
    stored = window.env["mail.external.secret"].sudo()
    stored.search([("account_id", "=", account.id)]).unlink()
    for purpose, secret in (("smtp", tested.smtp), ("incoming", tested.incoming)):
        if secret is None or (
            purpose == "incoming" and window.incoming_protocol not in READ_PROTOCOLS
        ):
            continue
        vault.store_password(account, purpose, secret)


# The address's part


def _address_values(window):
    """The address and who may use it; its bindings are lines, see ``_bind``."""
    users, groups = window.allowed_user_ids, window.allowed_group_ids
    company = window.is_company
    return {
        "email": window.email,
        "sender_name": window.sender_name,
        "is_default": window.is_default,
        "allowed_user_ids": [Command.set(users.ids if company else [])],
        "allowed_group_ids": [Command.set(groups.ids if company else [])],
    }


def _replies_values(window):
    """What is done with the mail that comes to the address."""
    makes_task = window.is_company and window.new_mail == "task"
    return {
        "receive_replies": window.receive_replies,
        "new_mail": "task" if makes_task else "ignore",
        "new_mail_project_id": makes_task and window.new_mail_project_id.id,
    }


def _proof_values(window, proof):
    """Who proved the address, and when: not anew where it is the same proof.

    :param proof: as ``_current_proof``; False: nobody did
    """
    known = window.address_id.sudo()
    if proof and known.proof == proof and window._is_of_same_owner(known):
        user, date = known.proof_user_id.id, known.proof_date
    else:
        user, date = proof and window.env.uid, proof and fields.Datetime.now()
    return {"proof": proof, "proof_user_id": user, "proof_date": date}


# What has to be right before


def check_once(window):
    """:raise UserError: the owner has an account with this sign-in already"""
    account = window._same_account()
    if account:
        raise UserError(
            window.env._(
                "SMTP User: %(login)s is connected already, as %(account)s. One "
                "sign-in can have several addresses: add this one to that account, "
                "which needs no password, and the mailbox is read once.",
                login=window.smtp_login,
                account=account.display_name,
            )
        )


def check_replies(window):
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
    if window.fetched_problem:
        raise UserError(window.fetched_problem)
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


# Forwarding to Odoo


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
