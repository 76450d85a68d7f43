"""Who may open the connect window of an account, and connect addresses for whom."""

from odoo.exceptions import AccessError, UserError
from odoo.tools import escape_psql

from ...mailkit.message.address import Address
from ...models.mail_external_connection_mixin import READ_PROTOCOLS
from . import sign_in


def check_account(account):
    """:raise AccessError: this user may not connect an account, or an address"""
    if not account._may_connect():
        raise not_theirs(account.env)


def check_values(env, vals):
    """Look at values of a window, before anything is done with them.

    :raise AccessError: they name an account, or an address, of somebody else
    """
    if env.su:
        return
    for name, model in (
        ("account_id", "mail.external.account"),
        ("address_id", "mail.external.address"),
    ):
        record_id = vals.get(name, env.context.get(f"default_{name}"))
        if isinstance(record_id, dict):  # so an onchange may name it as well
            record_id = record_id.get("id")
        if not record_id:
            continue
        record = env[model].browse(record_id)
        if not (record.has_access("read") and record._may_connect()):
            raise not_theirs(env)


def check_owner(window):
    """:raise AccessError: this user may not connect an address for this owner"""
    env, owner = window.env, window._owner()
    for record in (window.account_id, window.address_id):
        if record:
            check_account(record)
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


def not_theirs(env):
    return AccessError(env._("Only the owner or a manager may change this address."))


def targets(address):
    """The accounts of the same owner that an address may move to, for this user."""
    accounts = address.env["mail.external.account"].search(
        [
            ("user_id", "=", address.user_id.id),
            ("state", "=", "working"),
            ("id", "!=", address.account_id.id),
        ]
    )
    company = address.account_id.company_id
    return accounts.filtered(
        lambda account: (
            account._may_connect()
            and (account.user_id or account.company_id == company)
        )
    )


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


def check_sign_in(window):
    """Whose sign-in a company's account may be opened with, and what for.

    A person may open a mailbox of the company with their own sign-in. Nobody else can
    use it, and their own mailbox is neither read nor sent from.

    :raise AccessError: it is a colleague's
    :raise UserError: it is not said whose it is, or their own mailbox would be opened
    """
    env = window.env
    if window.auth_method == "oauth2":
        _check_new_tokens(window)
    if not window.is_company:
        return
    account = window.account_id.sudo()
    signer = account.sign_in_user_id if window.is_address_only else None
    if signer and signer != env.user:
        raise AccessError(
            env._(
                "%(account)s was opened with the sign-in of %(name)s: only they can "
                "add addresses to it.",
                account=account.display_name,
                name=signer.name,
            )
        )
    signer = signer or window._sign_in_user()
    if signer:
        _check_not_their_own(window, signer)
    if not window.is_address_only:
        _check_nobodys(window, signer)


def _check_new_tokens(window):
    """Whose mailbox is opened with the tokens that this user just got for the window.

    :raise AccessError: a colleague's, which a service may let them open
    :raise UserError: their own, for the company
    """
    env, row = window.env, sign_in.newest(window)
    if not row:
        return
    is_itself = sign_in.names_mailbox(window, row.hint)
    if not window.is_company:
        owner = window._owner()
        if owner != env.user and not is_itself:
            raise AccessError(
                env._(
                    "Only %(name)s can sign in for their own address: let them choose "
                    "“Sign in” in their preferences, or sign in here themselves.",
                    name=owner.name,
                )
            )
        return
    own = _mailboxes_of(env.user)
    # Who signed in is a person, and named so: that mailbox is theirs, too.
    named = set() if is_itself else {Address.of(row.hint).mailbox}
    for field, name in _opened_names(window):
        label = window._fields[field].get_description(env)["string"]
        # It may have a user name besides its address, as which it is not known.
        if _names(name, own if field == "email" else own | named):
            raise UserError(
                env._(
                    "%(field)s: %(name)s is your own mailbox. Enter the name of the "
                    "shared mailbox; or connect it as your personal address.",
                    field=label,
                    name=name,
                )
            )
        people = _people_of(env, name) | _connected_by(env, name)
        if not is_itself and people - env.user:
            raise AccessError(
                env._(
                    "%(field)s: %(name)s is the mailbox of a colleague. Only they can "
                    "sign in to connect it.",
                    field=label,
                    name=name,
                )
            )


def _opened_names(window):
    """:return: list of (name of a field, name of a mailbox that is opened)"""
    names = ["email", "smtp_login"]
    if window.incoming_protocol in READ_PROTOCOLS:
        names.append("incoming_login")
    return [(name, window[name] or "") for name in names]


def _check_not_their_own(window, signer):
    env, own = window.env, _mailboxes_of(signer)
    if Address.of(window.email).mailbox in own:
        raise UserError(
            env._(
                "E-mail Address: %s is your own. Connect it as your personal address, "
                "not as one of the company.",
                window.email,
            )
        )
    login = window.incoming_login or ""
    if window.incoming_protocol in READ_PROTOCOLS and _names(login, own):
        raise UserError(
            env._(
                "Incoming User: %s opens your own mailbox, which would be read for the "
                "company. Enter the user name that opens the shared mailbox (with some "
                "services user/mailbox), or choose to receive no replies.",
                login,
            )
        )


def _check_nobodys(window, signer):
    """A company's account is not opened with an employee's sign-in unawares, nor with
    a colleague's as one's own.

    :param signer: who says that it is theirs, or nobody
    """
    env, mailbox = window.env, Address.of(window.email).mailbox
    for login in {window.smtp_login or "", window.incoming_login or ""}:
        if "@" not in login or Address.of(login).mailbox == mailbox:
            continue
        found = _people_of(env, login)
        if env.user in found and signer:
            continue
        if found == env.user:
            raise UserError(
                env._(
                    "SMTP User: %s is your own sign-in. Tick “My Own Sign-In”: then "
                    "nobody else can use it for anything else.",
                    login,
                )
            )
        if found:
            raise AccessError(
                env._(
                    "SMTP User: %s is the sign-in of a colleague. Only they can open a "
                    "mailbox of the company with it.",
                    login,
                )
            )


def _people_of(env, login):
    """The employees whose e-mail, or whose login in Odoo, a user name is."""
    # sudo: whose it is, of people whom this user may not see
    people = env["res.users"].sudo()
    for pattern in _patterns(login):
        people |= people.search(
            [
                ("share", "=", False),
                *("|", ("email_normalized", "=ilike", pattern)),
                ("login", "=ilike", pattern),
            ]
        )
    return people.filtered(lambda user: _names(login, _emails(user)))


def _connected_by(env, name):
    """The employees who have connected a mailbox as their own."""
    # sudo: see above; removed ones do not count, whatever the caller's context says
    addresses = env["mail.external.address"].sudo().with_context(active_test=True)
    for pattern in _patterns(name):
        addresses |= addresses.search(
            [
                ("email", "=ilike", pattern),
                ("state", "!=", "draft"),
                ("user_id.active", "=", True),
                ("user_id.share", "=", False),
            ]
        )
    return addresses.filtered(
        lambda address: _names(name, {Address.of(address.email).mailbox})
    ).user_id


def _patterns(name):
    """Which addresses a user name, with a domain or not, may be, for =ilike."""
    mailbox = Address.of(name).mailbox or name.strip().lower()
    local = escape_psql(mailbox.rpartition("@")[0] or mailbox)
    return (f"{local}@%", f"{local}+%") if local else ()


def _mailboxes_of(user):
    """Keys of the mailboxes that are a person's own."""
    # sudo: of the user themselves
    addresses = user.env["mail.external.address"].sudo()
    addresses = addresses.with_context(active_test=False)
    personal = addresses.search([("user_id", "=", user.id)]).mapped("email")
    return _emails(user) | {Address.of(email).mailbox for email in personal}


def _emails(user):
    texts = (user.email_normalized, user.login)
    return {Address.of(text).mailbox for text in texts if text and "@" in text}


def _names(login, mailboxes):
    """Whether a user name is that of one of these mailboxes, with a domain or not."""
    key, known = login.strip().lower(), {each for each in mailboxes if each}
    return Address.of(key).mailbox in known or key in {
        mailbox.rpartition("@")[0] for mailbox in known
    }
