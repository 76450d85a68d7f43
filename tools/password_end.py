"""Accounts with a password at mail services that give passwords up.

What their owners and managers see, and what owners are told before the day: 30, 7 and
1 days before, and once more when it has passed; each once, also where it is learnt
later or the scheduled action missed days.
"""

from markupsafe import Markup
from odoo import fields
from odoo.tools import format_date
from odoo.tools.translate import LazyTranslate

from . import notices

_lt = LazyTranslate(__name__)

_ENDS = (
    _lt("%(emails)s: the password works until %(date)s"),
    _lt(
        "From then on %(service)s takes no passwords from programs: mail from "
        "%(emails)s would wait, and answers would not be read."
    ),
)
_ENDED = (
    _lt("%(emails)s: the mail service gives up passwords"),
    _lt(
        "%(service)s takes no passwords from programs any more. If mail from "
        "%(emails)s still leaves, that can end at any time."
    ),
)


def services(env):
    """The presets of services that give up passwords."""
    # Archived ones too: whoever archives a preset does not change the service.
    providers = env["mail.external.provider"].sudo().with_context(active_test=False)
    return providers.search(
        ["|", ("password_works", "=", False), ("password_ends", "!=", False)]
    )


def service(account, known=None):
    """The service of an account with a password, if it gives up passwords.

    :param known: what ``services`` found, where the caller has it
    :return: mail.external.provider in superuser mode, or none
    """
    found = account.sudo().provider_id
    if account.auth_method != "password" or account.state == "draft":
        return found.browse()
    if not found.smtp_host:  # chosen as "Other server", or by hand
        email = account.sudo()._own_address().email
        found = found._find_for_server(account.smtp_host, email)
    return found & (services(account.env) if known is None else known)


def words(account, provider):
    """
    :param provider: of ``service``
    :return: a sentence for the screens; "" where nothing ends
    """
    env = account.env
    if not provider:
        return ""
    if not provider.password_works or provider.password_ends < _today(account):
        return env._("%s takes no passwords from programs any more.", provider.name)
    return env._(
        "%(service)s takes passwords from programs until %(date)s.",
        service=provider.name,
        date=format_date(env, provider.password_ends),
    )


def instead(provider):
    """Whom to sign in with instead; False where the service has no such sign-in."""
    return provider.oauth_kind and provider._sign_in_name()


def announce(env):
    """Tell owners what is due, one notice for each owner, service and step."""
    known = services(env)
    if not known:
        return
    accounts = env["mail.external.account"].search(
        [("auth_method", "=", "password"), ("state", "=", "working")]
    )
    due = {}
    for account in accounts:
        provider = service(account, known)
        if mark := _due(account, provider):
            account.password_end_told = mark
            key = (account.user_id, account.company_id, provider, mark)
            due[key] = due.get(key, accounts.browse()) | account
    for (_owner, _company, provider, mark), found in due.items():
        _tell(found, provider, ended=mark.endswith(":-1"))


def _today(account):
    return fields.Date.context_today(account)


def _due(account, provider):
    """What is to be told of an account now: "<day>:<step>"; "" when it was, already.

    When the service puts its day off, people are told anew.
    """
    if not provider:
        return ""
    if not provider.password_works:
        day, step = "", -1
    else:
        day = fields.Date.to_string(provider.password_ends)
        step = notices.step_before(provider.password_ends, _today(account))
    if step is None:
        return ""
    told_day, _colon, told = (account.password_end_told or ":").rpartition(":")
    if told and int(told) <= step and day in (told_day, ""):
        return ""
    return f"{day}:{step}"


def _tell(accounts, provider, *, ended):
    """One notice about accounts of one owner, in the language of each reader."""
    account = accounts[0]
    emails = ", ".join(each._emails_text() for each in accounts)
    about = accounts.address_ids if len(accounts) > 1 else account._own_address()
    for told in notices.in_their_languages(account._people()):
        env, named = told.env, provider.with_env(told.env)
        subject, body = (env._(text) for text in (_ENDED if ended else _ENDS))
        names = {
            "emails": emails,
            "service": named.name,
            "date": format_date(env, provider.password_ends),
        }
        notices.tell(
            about,
            told,
            subject % names,
            _with_links(env, body % names, named, accounts),
        )


def _with_links(env, body, provider, accounts):
    """What to do instead, leading straight to the connect windows."""
    if not provider.oauth_kind:
        what = env._("Ask the mail service how programs sign in from then on.")
        return Markup("<p>%s %s</p>") % (body, what)
    name = provider._sign_in_name()
    what = env._(
        "Sign in with %s instead of the password: addresses, projects and what waits "
        "stay as they are.",
        name,
    )
    if not all(
        provider._application(each.company_id or each.user_id.company_id)
        for each in accounts
    ):
        what += " " + env._(
            "That is not set up yet: an administrator has to register Odoo there once."
        )
    links = Markup("").join(
        Markup('<p><a href="%s">%s</a></p>')
        % (
            f"{each.get_base_url()}{notices.SIGN_IN_PATH}{each.id}",
            env._(
                "Sign in with %(service)s instead (%(emails)s)",
                service=name,
                emails=each._emails_text(),
            ),
        )
        for each in accounts
    )
    return Markup("<p>%s %s</p>%s") % (body, what, links)
