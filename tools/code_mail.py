"""The mail with the code that proves an address, and nobody else's way to its text.

Who can make Odoo show them this mail proves an address that is not theirs. So it goes
to exactly one recipient, and when it comes back into Odoo, or an answer that quotes it
does, it is dropped: from a mailbox, forwarded, or by core's gateway
(``tools/incoming/facts.py`` tells it). Later, when the
code is worthless, it is mail like any other: otherwise anybody who ever got a code
could have the mail of others dropped, by a mark in what these quote.
"""

import time
from email.utils import parseaddr
from smtplib import SMTPException

from markupsafe import Markup
from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from ..mailkit.answers.token import html_mark, reference, text_mark
from ..mailkit.message.address import Address
from . import trusted_context, vault
from .trusted_context import as_odoo

# RFC 3834, and what Exchange heeds: nobody's program is to answer a code.
HEADERS = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}
#: Odoo's own mail server does not take a mail.
NOT_SENT = (MailDeliveryException, SMTPException)


def send(env, email, subject, text, minutes, headers=None):
    """Mail a code now, through Odoo's own server and in Odoo's name.

    Where it does not leave, nothing of it stays that could be sent, or read, later.

    :param str email: the one recipient
    :param str text: with no word that a user chose: a name may hold a mark that leads
        the mail, or an answer to it, to a record where that user reads it
    :param int minutes: how long what is in it counts
    :param dict headers: further ones, besides ``HEADERS``
    :return: its Message-ID
    :raise NOT_SENT: Odoo's own server did not take it
    """
    company = env.company.sudo()
    sender = company.default_from_email or company.email_formatted
    values, first, last = signed_values(env, sender, minutes)
    # OdooBot's: a mail of the user's could leave by a server of their own, and be read
    # by them while it waits
    mail = as_odoo(env["mail.mail"]).create(
        {
            **values,
            "headers": repr({**HEADERS, **(headers or {})}),
            "author_id": env.ref("base.partner_root").id,
            "email_from": sender,
            "reply_to": sender,
            "email_to": email,
            "subject": subject,
            "body_html": Markup("%s<p>%s</p><p>%s</p>") % (first, text, last),
            # Core would delete one that did not leave as well, and tell nobody.
            "auto_delete": False,
        }
    )
    try:
        with trusted_context.sole_recipient.during(Address(email).key):
            mail.send(raise_exception=True)
        # What core takes for an invalid recipient raises nothing (``mail.mail._send``).
        if mail.state == "exception":
            raise MailDeliveryException(mail.failure_reason or "")
    except NOT_SENT:
        mail.unlink()
        raise
    mail.filtered(lambda sent: sent.state == "sent").unlink()
    return values["message_id"]


def signed_values(env, sender, minutes):
    """Values of ``mail.mail`` that tell a code mail wherever it, or a quote, comes up.

    :param str sender: its From
    :param int minutes: how long the code may be entered
    :return: (dict for ``create``, HTML for the beginning of its body, a line for the
        end): some programs quote only the first lines, others only the last ones
    :raise UserError: no usable key is configured
    """
    # Twice as long: clocks differ.
    mark = vault.signers(env)[0].code_mark(int(time.time()) + 2 * 60 * minutes)
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    name = reference(mark, domain)
    values = {"message_id": name, "references": name}
    return values, Markup(html_mark(mark)), text_mark(mark).strip()  # noqa: S704
