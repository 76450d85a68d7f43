"""The RFC 5322 messages of one mail.mail, in the address's name.

Core's own methods make the content. What is ours, in this order: From, Reply-To and
envelope, because ``mail.mail`` shares its From with the message and with every other
row of it; the marks by which an answer is known; images inside the mail; URLs of images
that core's conversion to text can bear.
"""

import re
from datetime import timezone
from email.utils import make_msgid
from types import SimpleNamespace
from typing import NamedTuple

from lxml import etree
from lxml import html as lxml_html
from markupsafe import escape
from odoo.exceptions import UserError
from odoo.tools.mail import email_domain_extract, email_normalize, html2plaintext

from ...mailkit.answers.token import html_mark, reference, text_mark
from ...mailkit.message.address import Address
from ...mailkit.message.address_fields import MAX_FROM, parse
from .. import trusted_context, vault

# Characters of a recipient with a name, of a file's name and of its ending: what is
# longer, Python's email package reads and folds for minutes.
_MOST_NAMED, _MOST_NAME, _MOST_ENDING = 500, 255, 10

# The layout with the brand's logo marks the picture so, and gives it no source.
_LOGO_CLASS = "o_external_brand_logo"
_IMAGE = re.compile(r"<img\b[^<>]*>")
_IMAGE_ROUTE = re.compile(r"/web/(?:image|content)/(\d{1,10})(?=[-/?]|$)")
_MOST_ID = 2**31 - 1
# Characters of a URL that may be one of Odoo's images.
_MOST_ROUTE = 2000

# Longer URLs of images take core's html2plaintext a time that grows with their square.
_MOST_PLAIN = 1000
_STAND_IN = "long-image-address-%d."
_STOOD_IN = re.compile(r"long-image-address-(\d{1,6})\.")


class InvalidRecipient(NamedTuple):
    code: str  # failure_type of mail.mail


class BuiltMessage(NamedTuple):
    sender: str  # envelope sender
    recipients: list  # envelope recipients, ASCII addresses
    message_id: str
    content: bytes


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


def _build(mail, email):
    address = mail.sending_address_id
    # Core compares these with addresses whose domains it has made ASCII.
    validated = [
        Address(each).envelope or each for each in email["email_to_normalized"]
    ]
    server = mail.env["ir.mail_server"].with_context(send_validated_to=validated)
    message = _email_message(server, mail, email)
    _embed_images(mail, message)
    # What core asks of a session: which From it may carry, and no forced one.
    session = SimpleNamespace(from_filter=address.email, smtp_from=False)
    try:
        with trusted_context.carried.during(
            trusted_context.Carried(frozenset({Address(address.email).key}))
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


def _email_message(server, mail, email):
    """Header and bodies, as an EmailMessage."""
    address, marks = mail.sending_address_id, _answer_marks(mail)
    email_from = address._email_from(mail.mail_message_id)
    # Odoo's own address, unless answers are read from the mailbox
    reply_to = (email["reply_to"] or mail.email_from or "")[:MAX_FROM]

    def whole():
        # the body that core had before it was shortened for it
        return mail.env["mail.render.mixin"]._replace_local_links(mail.body_html)

    return server._build_email__(
        email_from=email_from,
        email_to=_without_long_names(email["email_to"]),
        subject=(email["subject"] or "")[:MAX_FROM],
        body=_with_whole_urls(email["body"], whole, escape) + marks.html,
        body_alternative=_with_whole_urls(_alternative(email), whole) + marks.text,
        email_cc=_without_long_names(email["email_cc"]),
        reply_to=email_from if address.receive_replies else reply_to,
        attachments=list(_with_short_names(email["attachments"])),
        message_id=email["message_id"],
        references=" ".join(filter(None, (email["references"], marks.reference))),
        object_id=email["object_id"],
        subtype="html",
        subtype_alternative="plain",
        headers=_headers(mail, email, marks),
    )


def _nobody_wrote(message):
    """Whether nobody wrote it; a customer's words that are relayed are somebody's."""
    return message.external_origin == "project" and message.message_type not in (
        "comment",
        "email",
    )


def _alternative(email):
    """Core's text of the body, but for the logo: a link to it says nothing there."""
    body = email["body"] or ""
    if _LOGO_CLASS not in body:
        return email["body_alternative"]
    return html2plaintext(_without_logo(body))


def _without_long_names(addresses):
    """Recipients with their names, unless one of these is no name of anybody."""
    if all(len(address) <= _MOST_NAMED for address in addresses):
        return addresses
    return [address.email for address in parse(addresses) if address.email]


def _with_short_names(attachments):
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
    if _nobody_wrote(mail.mail_message_id):
        headers["Auto-Submitted"] = "auto-generated"  # RFC 3834: answers with no note
    if marks.thread_index:
        headers["Thread-Index"] = marks.thread_index
        # known by it: the copy that a service makes under an id of its own
        headers["X-Odoo-Message-Id"] = email["message_id"]
    return headers


# The marks by which an answer is known


class AnswerMarks(NamedTuple):
    """One mark in its forms, see ``mailkit.answers.token``; ``html`` and ``text`` end
    the bodies."""

    reference: str
    thread_index: str
    html: str
    text: str


_NO_MARKS = AnswerMarks("", "", "", "")


def _answer_marks(mail):
    """What one mail carries so that its answer is known; nothing where none is read.

    Nothing without a key either: the mail is not sent then anyway, but waits for it.
    """
    if not mail.sending_address_id.receive_replies:
        return _NO_MARKS
    message = mail.mail_message_id
    try:
        signer = vault.signers(mail.env)[0]
    except UserError:
        return _NO_MARKS
    token = signer.token(message.id, mail.sending_address_id.id)
    domain = email_domain_extract(mail.sending_address_id.email)
    return AnswerMarks(
        reference(token, domain),
        signer.thread_index(
            _first_id_of(message), message.create_date.replace(tzinfo=timezone.utc)
        ),
        html_mark(token),
        text_mark(token),
    )


def _first_id_of(message):
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


# Images inside the mail


class _Image(NamedTuple):
    cid: str
    content: bytes
    mimetype: str
    name: str


def _without_logo(body):
    """The body without the pictures of ``_LOGO_CLASS``, which have no source."""
    return _IMAGE.sub(lambda tag: "" if _LOGO_CLASS in tag[0] else tag[0], body)


def _embed_images(mail, message):
    """Make images parts of ``message`` (EmailMessage; RFC 2392, ``cid:`` links).

    A link to Odoo's server shows nothing to a customer who cannot reach it, and most
    mail programs block remote images: so the brand's logo and the message's own images
    travel inside the mail.

    Only attachments of the mail, or those whose access token stands in the link, are
    read: what the author may not show to the customer does not leave by this way.
    """
    part = message.get_body(("html",))
    if part is None:
        return
    body = part.get_content()
    if "/web/" not in body and _LOGO_CLASS not in body:
        return
    tree = _parsed(body)
    if tree is None:
        return
    found = {}
    known = _attachments_in(mail, tree)
    for image in tree.iter("img"):
        key = _key_of(mail, image, known)
        if not key:
            continue
        if key not in found:
            found[key] = _Image(make_msgid(domain="odoo"), *_content_of(mail, key))
        image.set("src", f"cid:{found[key].cid[1:-1]}")
    if not found:
        return
    part.set_content(
        lxml_html.tostring(tree, encoding="unicode"), subtype="html", charset="utf-8"
    )
    for image in found.values():
        maintype, _slash, subtype = image.mimetype.partition("/")
        part.add_related(
            image.content,
            maintype,
            subtype,
            cid=image.cid,
            filename=image.name,
            disposition="inline",
        )


def _key_of(mail, image, known):
    """Return "logo", the attachment, or None for an image that stays as it is."""
    if _LOGO_CLASS in (image.get("class") or ""):
        return "logo" if _logo_of(mail) else None
    source = image.get("src") or ""
    return _attachment_of(mail, source, known.get(_attachment_id(source)))


def _logo_of(mail):
    return mail.sending_address_id._brand_image(mail.mail_message_id.record_company_id)


def _content_of(mail, key):
    if key == "logo":
        content, mimetype = _logo_of(mail)
        return content, mimetype, f"logo.{mimetype.partition('/')[2]}"
    return key.raw, key.mimetype, key.name


def _attachments_in(mail, tree):
    """{id: attachment} of all that the images may be, in one query."""
    ids = {_attachment_id(image.get("src") or "") for image in tree.iter("img")}
    # sudo: whether one may leave is decided in _attachment_of
    attachments = mail.env["ir.attachment"].sudo().browse(ids - {0}).exists()
    return {attachment.id: attachment for attachment in attachments}


def _attachment_id(source):
    """The id in an image's URL; 0: it is none of Odoo's."""
    match = _IMAGE_ROUTE.search(source[:_MOST_ROUTE])
    if not match or len(source) > _MOST_ROUTE or {*"\"'"} & {*source[match.end() :]}:
        return 0
    number = int(match[1])
    return number if number <= _MOST_ID else 0


def _attachment_of(mail, source, attachment):
    if not attachment or not (attachment.mimetype or "").startswith("image/"):
        return None
    token = attachment.access_token
    if attachment in mail.sudo().attachment_ids or (token and token in source):
        return attachment if attachment.raw else None
    return None


# Long URLs of images


def with_short_urls(body):
    """For core's ``html2plaintext``: see ``_with_whole_urls``.

    :return: the body with something short instead of each long URL of an image;
        the very same text when there is none
    """
    if len(body) <= _MOST_PLAIN or "<img" not in body.lower():
        return body
    tree = _parsed(body)
    images = [] if tree is None else _long_urls(tree)
    for number, (image, _source) in enumerate(images):
        image.set("src", _STAND_IN % number)
    return lxml_html.tostring(tree, encoding="unicode") if images else body


def _with_whole_urls(text, body, written=str):
    """Put the long URLs back into what came of a body with short ones.

    :param body: called for the body with all of them
    :param written: how a URL stands in such a text
    """
    if _STAND_IN.partition("%")[0] not in text:
        return text
    tree = _parsed(body())
    images = [] if tree is None else _long_urls(tree)
    sources = {str(n): written(source) for n, (_image, source) in enumerate(images)}
    return _STOOD_IN.sub(lambda found: sources.get(found[1], found[0]), text)


def _long_urls(tree):
    """[(img element, its source)] in the order in which they stand; core passes by
    those that hold the picture itself."""
    images = [(image, image.get("src") or "") for image in tree.iter("img")]
    return [
        (image, source)
        for image, source in images
        if len(source) > _MOST_PLAIN and not source.startswith("data:")
    ]


def _parsed(body):
    try:
        return lxml_html.fromstring(body)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None
