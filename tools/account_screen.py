"""What the screens of an address show of the account behind it."""

from .explanations import cause_and_remedy
from .notices import SIGN_IN_PATH
from .sign_in_codes import SIGN_IN_AGAIN

# Fields of mail.external.address.
NAMES = (
    *("sibling_count", "account_label", "connection", "failure_text"),
    "signs_in_again",
    *("failure_answer", "last_check", "delivery_next_try", "can_fetch"),
    *("password_warning", "sign_in_instead"),
    *("mailbox_status", "mailbox_failed", "mailbox_last_look"),
    *("mailbox_answer_count", "mailbox_unrelated_count"),
)


def shown(address):
    """The values of ``NAMES``, for who may see the account: the caller looks at that.

    :param address: one mail.external.address
    :return: dict name -> value
    """
    hidden = address.sudo()
    account = hidden.account_id._origin  # of an address that is not saved yet
    mailbox, own = account.mailbox_ids, account._own_address()
    code = hidden.failure_code or account.failure_code
    below = own != hidden and own.active
    values = {
        "list_name": below and f"↳ {address.email}",
        "sibling_count": len(account.address_ids - hidden),
        "account_label": own != hidden and own.email,
        "connection": account._connection_text(),
        "signs_in_again": address.active and signs_in_again(address.account_id),
        "failure_text": code and " ".join(cause_and_remedy(address.env, code)),
        "failure_answer": hidden.failure_reply or account.failure_reply,
        "last_check": account.last_check,
        "delivery_next_try": account.delivery_next_try,
        "password_warning": account.password_warning,
        "sign_in_instead": account.sign_in_instead,
    }
    if not address.receive_replies:
        return values
    return {
        **values,
        "can_fetch": (
            bool(mailbox) and account._reads_mailbox() and address._may_connect()
        ),
        "mailbox_status": account.mailbox_status,
        "mailbox_failed": account.mailbox_failed,
        "mailbox_last_look": mailbox.last_look,
        "mailbox_answer_count": mailbox.answer_count,
        "mailbox_unrelated_count": mailbox.unrelated_count,
    }


def signs_in_again(account):
    """Whether signing in with the mail service again is what mends the account, and
    the reader may do it.

    :param account: one mail.external.account, which the reader sees
    """
    hidden = account.sudo()
    codes = {hidden.failure_code, hidden.mailbox_ids.failure_code}
    return (
        hidden.auth_method == "oauth2"
        and hidden.active
        and not codes.isdisjoint(SIGN_IN_AGAIN)
        and account._may_connect()
    )


def sign_in_again(account):
    """:return: the action that leads to the page of the mail service"""
    url = f"{SIGN_IN_PATH}{account.id}"
    return {"type": "ir.actions.act_url", "url": url, "target": "new"}


def reading_words(account):
    """Whether reading the mailbox fails, and one text about it; in superuser mode.

    :return: (bool, str or False when answers are not received here)
    """
    mailbox = account.mailbox_ids
    failed_folder = account.folder_ids.filtered("failure_code")[:1]
    if not account.receives:
        return False, False
    if account.incoming_protocol == "forwarded":
        return False, account.env._("The mailbox forwards to Odoo.")
    if account.state == "refused" and account.auth_method == "oauth2":
        return True, account.env._("Stopped, until somebody signs in again.")
    if account.state == "refused":
        return True, account.env._(
            "Stopped, because sending is refused. Choose “Connect” and test the "
            "settings again."
        )
    if mailbox.failure_code:
        return True, mailbox.failure_text
    if failed_folder:
        return True, account.env._(
            "The folder “%(folder)s” fails. %(text)s",
            folder=failed_folder.name,
            text=failed_folder.failure_text,
        )
    if not mailbox.last_look:
        return False, account.env._("Waits for its first turn.")
    return False, account.env._("Works.")
