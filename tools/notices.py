"""What people are told: by a notification, and for a moment on their screen.

Whoever's address or connection somebody else changes is told of it, and somebody is
told when one of them stops.
"""

import logging

from markupsafe import Markup
from odoo import SUPERUSER_ID
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY
from odoo.tools.translate import LazyTranslate

from .explanations import cause_and_remedy
from .sign_in_codes import SIGN_IN_AGAIN
from .trusted_context import as_odoo

_logger = logging.getLogger(__name__)
_lt = LazyTranslate(__name__)

# Where the owner of an account signs in with the mail service again, by its id.
SIGN_IN_PATH = "/mail_external_account/sign_in/"
# When what ends is announced: days before; -1: it has passed.
DAYS_BEFORE = (30, 7, 1, -1)
# What another person did -> (subject, text); %(emails)s are the addresses.
_CHANGES = {
    "connected": (
        _lt("Connected in your name: %(emails)s"),
        _lt(
            "%(name)s connected %(emails)s as your external address: mail can leave "
            "from it in your name. If you did not expect that, ask %(name)s or your "
            "administrator."
        ),
    ),
    "changed": (
        _lt("Connected anew: %(emails)s"),
        _lt(
            "%(name)s saved other settings for your external address %(emails)s: how "
            "its mail leaves and comes in. If you did not expect that, ask %(name)s or "
            "your administrator."
        ),
    ),
    "moved": (
        _lt("No longer your external address: %(emails)s"),
        _lt(
            "%(name)s gave %(emails)s to another owner: you cannot send from there any "
            "more. If you did not expect that, ask %(name)s or your administrator."
        ),
    ),
    "archived": (
        _lt("Archived: %(emails)s"),
        _lt(
            "%(name)s archived %(emails)s: nothing leaves from there, and the mailbox "
            "is not read any more, until it is taken up again."
        ),
    ),
    "taken_up": (
        _lt("Taken up again: %(emails)s"),
        _lt(
            "%(name)s took %(emails)s out of the archive: mail can leave from there in "
            "your name. If you did not expect that, ask %(name)s or your administrator."
        ),
    ),
    "deleted": (
        _lt("Deleted: %(emails)s"),
        _lt(
            "%(name)s deleted your external address %(emails)s: nothing leaves from "
            "there any more. The mailbox itself is as it was."
        ),
    ),
    "folders": (
        _lt("Other folders are read: %(emails)s"),
        _lt(
            "%(name)s changed which folders of your mailbox %(emails)s Odoo reads. If "
            "you did not expect that, ask %(name)s or your administrator."
        ),
    ),
}


def tell_of_change(env, owner, kind, emails, about=None):
    """Tell ``owner`` what somebody else did; it never stops who does it.

    What Odoo does by itself has words of its own where they are needed (``tell``).

    :param owner: an employee; none: it is the company's
    :param str kind: see ``_CHANGES``
    :param emails: the addresses that it is about
    :param about: a record that the notice leads to
    """
    # sudo: where and in which language a colleague is told
    doer, owner = env.user, owner.sudo()
    if not owner.active or owner.id == doer.id or doer.id == SUPERUSER_ID:
        return
    # As Odoo, and without the caller's context: that could hide the notice.
    as_told = as_odoo(owner).with_context(lang=owner.lang)
    subject, text = (as_told.env._(message) for message in _CHANGES[kind])
    names = {"name": doer.name, "emails": ", ".join(emails)}
    tell(about, as_told, subject % names, text % names)


def tell_owners(addresses, kind):
    """One notification for each owner, whatever number of addresses it is about."""
    for owner, owned in addresses.grouped("user_id").items():
        tell_of_change(addresses.env, owner, kind, owned.mapped("email"), owned)


def tell_of_connection(address, former, email):
    """The connect window wrote this address.

    :param former: the employee whose it was before; none of a new one, or of a
        company's
    :param email: the address then
    """
    env, owner = address.env, address.user_id
    if former != owner:
        tell_of_change(env, former, "moved", [email])
    if address.state != "draft":  # which sends nothing in anybody's name
        kind = "changed" if former == owner else "connected"
        tell_of_change(env, owner, kind, [address.email], address)


def tell_of_stop(address, code):
    """The mail server refuses this sender: tell the employee, or the managers."""
    env, owner = address.env, address.user_id
    people = owner or managers_of(address, owner, address.company_id)
    tell(
        address,
        people,
        env._("%s: the mail server refused this sender", address.email),
        env._(
            "Mail from %(email)s waits until the address was tested again. %(text)s",
            email=address.email,
            text=" ".join(cause_and_remedy(env, code)),
        ),
    )


def tell_of_refused_sign_in(account, people, code, *, is_sending):
    """An account stopped: those who can mend it are told, each in their language.

    :param str code: see ``explanations``
    :param bool is_sending: mail waits; otherwise answers are not read
    """
    about, emails = account._own_address(), account._emails_text()
    for told in in_their_languages(people):
        names = {"email": emails, "text": " ".join(cause_and_remedy(told.env, code))}
        if account.auth_method == "oauth2" and code in SIGN_IN_AGAIN:
            subject, body = _words_of_ended_sign_in(told.env, account, names)
        else:
            subject = told.env._("%s: the mail server refused the sign-in", emails)
            body = (
                told.env._(
                    "Mail from %(email)s waits until the sign-in works again. %(text)s",
                    **names,
                )
                if is_sending
                else told.env._(
                    "Answers to %(email)s are not read until the sign-in works again. "
                    "%(text)s",
                    **names,
                )
            )
        tell(about, told, subject, body)


def _words_of_ended_sign_in(env, account, names):
    """:return: (subject, body), with what leads straight to the mail service"""
    body = env._(
        "Mail from %(email)s waits, and answers are not read, until you sign in again. "
        "%(text)s",
        **names,
    )
    link = f"{account.get_base_url()}{SIGN_IN_PATH}{account.id}"
    subject = env._("%s: sign in again", names["email"])
    return subject, Markup('<p>%s</p><p><a href="%s">%s</a></p>') % (
        body,
        link,
        env._("Sign in again"),
    )


def in_their_languages(people):
    """Users to be told the same, those who read one language together.

    :return: iterator of res.users, as Odoo and in the environment of their language
    """
    for lang, users in people.grouped("lang").items():
        yield as_odoo(users).with_context(lang=lang)


def step_before(day, today):
    """Which of the steps of an announcement is due: 30, 7 and 1 days before, and -1
    once the day has passed.

    :return: int, or None: it is too early
    """
    left = (day - today).days
    return min((step for step in DAYS_BEFORE if left <= step), default=None)


def tell(record, users, subject, body):
    """Notify users; of one record with a link to it. It never stops who does it.

    :param record: a recordset; only one record is linked. None: nothing to lead to
    """
    if not users.partner_id:
        return
    # What was done before must not be taken for a fault of the notice.
    users.env.flush_all()
    try:
        with users.env.cr.savepoint():
            _notify(record, users, subject, body)
    except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY:
        raise
    except Exception:
        _logger.exception("Users %s were not told: %s", users.ids, subject)


def _notify(record, users, subject, body):
    one = record if record is not None and len(record) == 1 else None
    # Now: what a scheduled action notifies waits for the hourly queue otherwise.
    # As Odoo: nothing of the context of who has caused it gets into the mail.
    thread = as_odoo(users.env["mail.thread"])
    thread = thread.with_context(mail_notify_force_send=True)
    thread.message_notify(
        partner_ids=users.partner_id.ids,
        model=one._name if one else False,
        res_id=one.id if one else False,
        subject=subject,
        body=body,
    )


def tell_administrators(record, texts, names, company=None):
    """Tell those who administer Odoo, each in their language.

    :param record: what it is about, which the notice leads to
    :param texts: (subject, text), lazy translations
    :param names: function: environment with a language -> what stands in the texts
    :param company: whose affair it is; none: of all companies
    """
    group = record.env.ref("base.group_system")
    # sudo: who administers Odoo, and in which language they read
    everybody = group.sudo().all_user_ids.filtered(
        lambda user: user.active and not user.share
    )
    of_company = everybody.filtered(lambda user: company in user.company_ids)
    for told in in_their_languages(of_company or everybody):
        subject, text = (told.env._(text) for text in texts)
        values = names(told.env)
        tell(record, told, subject % values, text % values)


def managers_of(record, owner, company):
    """The managers who answer for an owner's accounts, see ``_manages_owner``.

    :param record: a record of ours; its environment counts
    """
    group = record.env.ref("mail_external_account.group_manager")
    account = record.env["mail.external.account"]
    return group.sudo().all_user_ids.filtered(
        lambda user: (
            not user.share and account.with_user(user)._manages_owner(owner, company)
        )
    )


def on_screen(kind, text, *, closes=True):
    """What a button returns: the client action that shows a text for a moment.

    :param str kind: "success", "info", "warning" or "danger"
    :param bool closes: whether the window that the button stands in is closed
    """
    params = {"type": kind, "message": text}
    if closes:
        params["next"] = {"type": "ir.actions.act_window_close"}
    return {
        "type": "ir.actions.client",
        "tag": "display_notification",
        "params": params,
    }
