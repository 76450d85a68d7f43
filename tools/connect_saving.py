"""What the connect window saves, after rights, test and proof were checked.

The only place that writes an account's connection, and whose address leaves by whose
sign-in. Plain functions in superuser mode; ``window`` is the one connect window.
"""

from odoo import fields
from odoo.exceptions import UserError
from odoo.fields import Command

from . import connect_test, owner_notices
from .destination import CONNECTION, READ_PROTOCOLS


def save(window, proof):
    """Write the account, unless the window is about an address only, and the address.

    :param str proof: how the address is proven, see mail.external.address.proof
    :return: mail.external.address in superuser mode
    """
    before = _owner_and_email(window)
    if window.is_address_only:
        address = _write_address(window, window.account_id.sudo(), proof)
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
        connect_test.store_passwords(window, account)
        account._set_up_reading(folders, anew)
    owner_notices.tell_of_connection(address, *before)
    address.account_id._resume()
    return address


def keep_draft(window):
    """A new address, or one that is a draft, without connection."""
    before = _owner_and_email(window)
    values = {**_owner_values(window), "state": "draft"}
    address = _write_address(window, _write_account(window, values), False)
    owner_notices.tell_of_connection(address, *before)


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
    values = {name: window[name] for name in CONNECTION}
    if window.incoming_protocol not in READ_PROTOCOLS:
        names = ("host", "port", "security", "login")
        values.update({f"incoming_{name}": False for name in names})
    lines = connect_test.results(window).values()
    return {
        **values,
        "provider_id": window.provider_id.id,
        "sign_in_user_id": window._sign_in_user().id,
        # Only where it was needed: later the name of a host may mean another one.
        "allow_private_host": window.allow_private_host
        and any(line.is_private for line in lines),
        "state": "working",
        "failure_code": False,
        "failure_reply": False,
        "last_check": fields.Datetime.now(),
    }


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


def check_target(window):
    """:raise UserError: there is no account for the address, or not one of its owner"""
    env, account = window.env, window.account_id
    if not account:
        raise UserError(env._("Mail Account: choose to which one the address moves."))
    hidden, address = account.sudo(), window.address_id.sudo()
    if hidden.state == "draft" or not hidden.active:
        raise UserError(
            env._("Mail Account: connect it first, then add addresses to it.")
        )
    same = address and (
        hidden.user_id == address.user_id
        and (hidden.user_id or hidden.company_id == address.account_id.company_id)
    )
    if address and not same:
        raise _elsewhere(window, account)


def _elsewhere(window, record):
    return UserError(
        window.env._(
            "Mail Account: %s belongs to somebody else. An address moves between "
            "accounts of the same owner only.",
            record.sudo(False).display_name,
        )
    )


def check_new_owner(window):
    """:raise UserError: an account with other addresses would go to another owner, or
    an address without its account, whose mailbox is read on for the former owner"""
    env, account = window.env, window.account_id.sudo()
    address = window.address_id.sudo()
    others = account.address_ids - address
    if address and address.account_id != account:
        former, company = address.account_id, window.company_id
        owner = window._owner()
        if former.user_id != owner or not (owner or former.company_id == company):
            raise _elsewhere(window, account or address)
    if others and account.user_id != window._owner():
        raise UserError(
            env._(
                "Owner: %(others)s would go along to the new owner of %(account)s. "
                "Remove them, or move them to another account; then add them anew.",
                others=", ".join(others.mapped("email")),
                account=window.email,
            )
        )


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
