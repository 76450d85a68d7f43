"""Who may open the connect window of an account, and connect addresses for whom."""

from odoo.exceptions import AccessError


def check_account(account):
    """:raise AccessError: this user may not connect ``account``"""
    if not account._may_connect():
        raise _not_theirs(account.env)


def check_values(env, vals):
    """Look at values of a window, before anything is done with them.

    :raise AccessError: they name an account of somebody else
    """
    account_id = vals.get("account_id", env.context.get("default_account_id"))
    if isinstance(account_id, dict):  # so an onchange may name it as well
        account_id = account_id.get("id")
    if env.su or not account_id:
        return
    account = env["mail.external.account"].browse(account_id)
    if not (account.has_access("read") and account._may_connect()):
        raise _not_theirs(env)


def check_owner(window):
    """:raise AccessError: this user may not connect an address for this owner"""
    env, owner = window.env, window._owner()
    if window.account_id:
        check_account(window.account_id)
    _check_company(env, window.company_id, owner)
    account = env["mail.external.account"]
    if account._is_manager():
        if not account._manages_owner(owner, window.company_id):
            raise AccessError(
                env._(
                    "%s works in no company of yours: their addresses are "
                    "connected by themselves or by a manager of their company.",
                    owner.name,
                )
            )
        return
    if window.is_company or window.user_id != env.user:
        raise AccessError(
            env._(
                "You can connect addresses of your own only. Company addresses "
                "are connected by a manager."
            )
        )
    if not account._personal_allowed():
        raise AccessError(
            env._("Your administrator does not allow personal external addresses.")
        )


def _check_company(env, company, owner):
    """:raise AccessError: the user, or the owner, does not belong to the company"""
    if company and company.id not in env.user._get_company_ids():
        raise AccessError(env._("You do not belong to the company of this address."))
    # Else nobody would be left who may see it: neither the owner nor a manager.
    # sudo: where a colleague works is asked by yes or no
    if company and owner and company not in owner.sudo().company_ids:
        raise AccessError(
            env._(
                "%(employee)s does not belong to %(company)s: choose the address's "
                "company anew, or none.",
                employee=owner.name,
                company=company.name,
            )
        )


def _not_theirs(env):
    return AccessError(env._("Only the owner or a manager may change this address."))
