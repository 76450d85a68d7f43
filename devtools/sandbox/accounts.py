"""Who can sign in, who may send as whom, and which recipients are refused."""

from dataclasses import dataclass

PASSWORD = "sandbox"  # noqa: S105 - of every mailbox, told to whoever tries the demo
APP_PASSWORD = "app-pass-word"  # noqa: S105 - likewise
SECURE_LOGIN = "secure@brand-a.test"

DOMAINS = ("brand-a.test", "brand-b.test", "customer.test", "corp.test")

#: Mailboxes that are there from the start. Any other address gets one with its first
#: mail, and any address of `DOMAINS` can sign in.
ADDRESSES = (
    "anna@brand-a.test",
    "support@brand-a.test",
    SECURE_LOGIN,
    "anna@brand-b.test",
    "bohdan@brand-b.test",
    "support@brand-b.test",
    "client@customer.test",
    "second@customer.test",
    "notifications@corp.test",
    "admin@corp.test",
    "anna@corp.test",
    "bohdan@corp.test",
    "olena@corp.test",
)

#: Further addresses of a mailbox: who signs in there may send from them, and what is
#: written to them lies in it. Nobody signs in by their names.
ALIASES = {
    "hello@brand-a.test": "anna@brand-a.test",
    "sales@brand-a.test": "support@brand-a.test",
}

NOBODY = "nobody@customer.test"
FULL = "full@customer.test"


@dataclass(frozen=True)
class Reply:
    """An SMTP answer: `code`, and lines that begin with the enhanced code."""

    code: int
    text: str


WRONG_PASSWORD = Reply(535, "5.7.8 Error: authentication failed: wrong password")
# Gmail's words, so that what a user of Gmail meets can be seen here.
NEED_APP_PASSWORD = Reply(
    534,
    "5.7.9 Application-specific password required. For more information, go to\n"
    "5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor",
)
NEED_TLS = Reply(530, "5.7.0 Must issue a STARTTLS command first")
NEED_SIGN_IN = Reply(530, "5.7.0 Authentication required")

REFUSED_RECIPIENTS = {
    NOBODY: Reply(
        550,
        f"5.1.1 <{NOBODY}>: Recipient address rejected: "
        "User unknown in virtual mailbox table",
    ),
    FULL: Reply(452, f"4.2.2 <{FULL}>: The mailbox is full, try again later"),
}


def mailbox_of(address: str) -> str:
    """The mailbox in which mail to ``address`` lies."""
    return ALIASES.get(address.lower(), address.lower())


def refused_sign_in(login: str, password: str) -> Reply | None:
    """Why this login with this password is refused; None when it is right."""
    login = login.lower()
    local, _, domain = login.rpartition("@")
    if login == SECURE_LOGIN and password == PASSWORD:
        return NEED_APP_PASSWORD
    wanted = APP_PASSWORD if login == SECURE_LOGIN else PASSWORD
    nobodys = login in REFUSED_RECIPIENTS or login in ALIASES
    known = bool(local) and domain in DOMAINS and not nobodys
    return None if known and password == wanted else WRONG_PASSWORD


def refused_sender(login: str, sender: str) -> Reply | None:
    """Why `login` may not send as `sender` (Postfix's words); None when it may."""
    if login.lower() in (sender.lower(), mailbox_of(sender)):
        return None
    return Reply(
        553,
        f"5.7.1 <{sender}>: Sender address rejected: not owned by user {login}",
    )
