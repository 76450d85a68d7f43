"""The brand's logo and the message's own images travel inside the mail.

A link to Odoo's server shows nothing to a customer who cannot reach it, and most mail
programs block remote images. So ``<img src=".../web/image/7...">`` of an attachment
that belongs to the message becomes a part of the mail (RFC 2392 ``cid:`` link).
"""

import re
from email.utils import make_msgid
from typing import NamedTuple

from lxml import etree
from lxml import html as lxml_html

# The layout with the brand's logo marks the picture so, and gives it no source.
LOGO_CLASS = "o_external_brand_logo"
_IMAGE = re.compile(r"<img\b[^<>]*>")
_IMAGE_ROUTE = re.compile(r"/web/(?:image|content)/(\d{1,10})(?=[-/?]|$)")
_MOST_ID = 2**31 - 1
# Characters of an address that may be one of Odoo's images.
_MOST_ROUTE = 2000
# Longer addresses take core's html2plaintext a time that grows with their square.
_MOST_PLAIN = 1000
# So many "<" may stand before one ">".
_MOST_OPEN = 50
_STAND_IN = "long-image-address-%d."
_STOOD_IN = re.compile(r"long-image-address-(\d{1,6})\.")


class _Image(NamedTuple):
    cid: str
    content: bytes
    mimetype: str
    name: str


def without_logo(body):
    """The body without the pictures of ``LOGO_CLASS``, which have no source."""
    return _IMAGE.sub(lambda tag: "" if LOGO_CLASS in tag[0] else tag[0], body)


def with_few_open_tags(body):
    """The body with most of the "<" escaped of which many stand before one ">".

    In sound HTML one does; comments may have a few.
    """
    pieces = body.split(">")
    for number, piece in enumerate(pieces):
        if piece.count("<") > _MOST_OPEN:
            first, sign, rest = piece.partition("<")
            pieces[number] = str(first) + sign + str(rest).replace("<", "&lt;")
    return body.__class__(">".join(map(str, pieces)))


def with_short_addresses(body):
    """For core's ``html2plaintext``: see ``with_all_addresses``.

    :return: the body with something short instead of each long address of an image;
        the very same text when there is none
    """
    if len(body) <= _MOST_PLAIN or "<img" not in body.lower():
        return body
    tree = _parsed(body)
    images = [] if tree is None else _long_addresses(tree)
    for number, (image, _source) in enumerate(images):
        image.set("src", _STAND_IN % number)
    return lxml_html.tostring(tree, encoding="unicode") if images else body


def with_all_addresses(text, body, written=str):
    """Put the long addresses back into what came of a body with short ones.

    :param body: called for the body with all of them
    :param written: how an address stands in such a text
    """
    if _STAND_IN.partition("%")[0] not in text:
        return text
    tree = _parsed(body())
    images = [] if tree is None else _long_addresses(tree)
    sources = {str(n): written(source) for n, (_image, source) in enumerate(images)}
    return _STOOD_IN.sub(lambda found: sources.get(found[1], found[0]), text)


def _long_addresses(tree):
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


def embed_images(mail, message):
    """Embed images into ``message`` (EmailMessage) where they may be.

    Only attachments of the mail, or those whose access token stands in the link, are
    read: what the author may not show to the customer does not leave by this way.
    """
    part = message.get_body(("html",))
    if part is None:
        return
    body = part.get_content()
    if "/web/" not in body and LOGO_CLASS not in body:
        return
    tree = _parsed(body)
    if tree is None:
        return
    found = {}
    known = _named_attachments(mail, tree)
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
    if LOGO_CLASS in (image.get("class") or ""):
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


def _named_attachments(mail, tree):
    """{id: attachment} of all that the images may be, in one query."""
    ids = {_attachment_id(image.get("src") or "") for image in tree.iter("img")}
    # sudo: whether one may leave is decided in _attachment_of
    attachments = mail.env["ir.attachment"].sudo().browse(ids - {0}).exists()
    return {attachment.id: attachment for attachment in attachments}


def _attachment_id(source):
    """The id in an image's address; 0: it is none of Odoo's."""
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
