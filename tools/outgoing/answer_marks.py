"""What our mail carries so that its answer is known, see ``mailkit.answers.token``."""

from datetime import timezone
from typing import NamedTuple

from odoo.exceptions import UserError
from odoo.tools.mail import email_domain_extract

from ...mailkit.answers.token import html_mark, reference, text_mark
from .. import vault


class Marks(NamedTuple):
    """One mark in its three forms; ``html`` and ``text`` end the bodies."""

    reference: str
    thread_index: str
    html: str
    text: str


NO_MARKS = Marks("", "", "", "")


def marks_of(mail):
    """The marks of one mail.mail that leaves through an address.

    None without a key: the mail is not sent then anyway, but waits for it.
    """
    message = mail.mail_message_id
    try:
        signer = vault.signers(mail.env)[0]
    except UserError:
        return NO_MARKS
    token = signer.token(message.id, mail.sending_address_id.id)
    domain = email_domain_extract(mail.sending_address_id.email)
    return Marks(
        reference(token, domain),
        signer.thread_index(
            _first_id(message), message.create_date.replace(tzinfo=timezone.utc)
        ),
        html_mark(token),
        text_mark(token),
    )


def _first_id(message):
    """Outlook groups by this: the first mail of the conversation stands for all."""
    if not (message.model and message.res_id):
        return message.id
    first = message.search(
        [
            ("model", "=", message.model),
            ("res_id", "=", message.res_id),
            ("external_address_id", "!=", False),
        ],
        order="id",
        limit=1,
    )
    return first.id or message.id
