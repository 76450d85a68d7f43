"""The RFC 5322 messages of one mail.mail, in the address's name.

Core's own methods make the content; From, Reply-To and envelope are set here, because
``mail.mail`` shares its From with the message and with every other row of it.
"""

from types import SimpleNamespace
from typing import NamedTuple

from markupsafe import escape
from odoo.tools.mail import email_normalize, html2plaintext

from ...mailkit.connection.settings import normalize_address
from ...mailkit.errors import MailError
from ...mailkit.message.addresses import parse
from ...mailkit.message.from_header import MAX_FROM, address_key
from .. import trusted_context
from .answer_marks import NO_MARKS, marks_of
from .inline_images import (
    LOGO_CLASS,
    embed_images,
    with_all_addresses,
    without_logo,
)

# Characters of a recipient with a name, of a file's name and of its ending: what is
# longer, Python's email package reads and folds for minutes.
_MOST_NAMED, _MOST_NAME, _MOST_ENDING = 500, 255, 10


class InvalidRecipient(NamedTuple):
    code: str  # failure_type of mail.mail


class BuiltMessage(NamedTuple):
    sender: str  # envelope sender
    recipients: list  # envelope recipients, ASCII addresses
    message_id: str
    content: bytes


def envelope_form(address):
    """The address as it stands in envelopes, its domain in ASCII (RFC 5891)."""
    try:
        return normalize_address(address or "")
    except MailError:
        return address


def build_messages(mail):
    """Core's list of mails for ``mail``, each ready to be sent.

    :return: iterator of (partner or empty recordset, normalised addresses,
        BuiltMessage or InvalidRecipient), see ``mail.mail._prepare_outgoing_list``
    """
    followers = {}
    if "/mail/unfollow" in (mail.body_html or ""):
        followers = mail.env["mail.followers"]._get_mail_doc_to_followers(mail.ids)
    emails = mail._prepare_outgoing_list(doc_to_followers=followers)
    for email in emails:  # one at a time: each holds its attachments once more
        yield (
            email["partner_id"] or mail.env["res.partner"],
            email["email_to_normalized"],
            _build(mail, email),
        )


def message_is_automatic(message):
    """Whether nobody wrote it; a customer's words that are relayed are somebody's."""
    return message.external_origin == "project" and message.message_type not in (
        "comment",
        "email",
    )


def _alternative(email):
    """Core's text of the body, but for the logo: a link to it says nothing there."""
    body = email["body"] or ""
    if LOGO_CLASS not in body:
        return email["body_alternative"]
    return html2plaintext(without_logo(body))


def _shown(addresses):
    """Recipients with their names, unless one of these is no name of anybody."""
    if all(len(address) <= _MOST_NAMED for address in addresses):
        return addresses
    return [address.email for address in parse(addresses) if address.email]


def _named(attachments):
    """Attachments with names that a header takes."""
    for name, content, mimetype in attachments:
        stem, dot, ending = (name or "").rpartition(".")
        if len(name or "") > _MOST_NAME:
            name = f"{(stem or ending)[:_MOST_NAME]}{dot}{ending[:_MOST_ENDING]}"
        yield name, content, mimetype


def _headers(mail, email, marks):
    """Further headers of a mail."""
    # The alias domain's bounce address belongs to Odoo's own server; from a real
    # mailbox delivery reports go to the mailbox.
    headers = {k: v for k, v in email["headers"].items() if k.lower() != "return-path"}
    if message_is_automatic(mail.mail_message_id):
        headers["Auto-Submitted"] = "auto-generated"  # RFC 3834: answers with no note
    if marks.thread_index:
        headers["Thread-Index"] = marks.thread_index
    return headers


def _build(mail, email):
    address = mail.sending_address_id
    # Core compares these with addresses whose domains it has made ASCII.
    validated = [envelope_form(address) for address in email["email_to_normalized"]]
    server = mail.env["ir.mail_server"].with_context(send_validated_to=validated)

    def whole():
        # the body that core had before it was shortened for it
        return mail.env["mail.render.mixin"]._replace_local_links(mail.body_html)

    marks = marks_of(mail) if address.receive_replies else NO_MARKS
    message = server._build_email__(
        email_from=address._email_from(mail.mail_message_id),
        email_to=_shown(email["email_to"]),
        subject=(email["subject"] or "")[:MAX_FROM],
        body=with_all_addresses(email["body"], whole, escape) + marks.html,
        body_alternative=with_all_addresses(_alternative(email), whole) + marks.text,
        email_cc=_shown(email["email_cc"]),
        # Odoo's own address, unless answers are read from the mailbox
        reply_to=address._email_from(mail.mail_message_id)
        if address.receive_replies
        else (email["reply_to"] or mail.email_from or "")[:MAX_FROM],
        attachments=list(_named(email["attachments"])),
        message_id=email["message_id"],
        references=" ".join(filter(None, (email["references"], marks.reference))),
        object_id=email["object_id"],
        subtype="html",
        subtype_alternative="plain",
        headers=_headers(mail, email, marks),
    )
    embed_images(mail, message)
    # What core asks of a session: which From it may carry, and no forced one.
    session = SimpleNamespace(from_filter=address.email, smtp_from=False)
    try:
        with trusted_context.carried.during(
            trusted_context.Carried(frozenset({address_key(address.email)}))
        ):
            sender, recipients, message = server._prepare_email_message__(
                message, session
            )
    except AssertionError:
        missing = not any(email["email_to"]) or not email["email_to_normalized"]
        return InvalidRecipient(
            "mail_email_missing" if missing else "mail_email_invalid"
        )
    # 7 bit: arrives whole also behind servers without 8BITMIME (RFC 6152)
    content = message.as_bytes(policy=message.policy.clone(cte_type="7bit"))
    return BuiltMessage(
        sender=email_normalize(sender) or sender,
        recipients=list(dict.fromkeys(recipients)),
        message_id=message["Message-Id"],
        content=content,
    )
