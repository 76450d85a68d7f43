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
LOGO = re.compile(rf"<img[^>]*\b{LOGO_CLASS}\b[^>]*>")
_IMAGE_ROUTE = re.compile(r"/web/(?:image|content)/(\d+)(?:[-/?][^\"']*)?$")


class _Image(NamedTuple):
    cid: str
    content: bytes
    mimetype: str
    name: str


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
    try:
        tree = lxml_html.fromstring(body)
    except (etree.ParserError, etree.XMLSyntaxError):
        return
    found = {}
    for image in tree.iter("img"):
        key = _key_of(mail, image)
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


def _key_of(mail, image):
    """Return "logo", the attachment, or None for an image that stays as it is."""
    if LOGO_CLASS in (image.get("class") or ""):
        return "logo" if _logo_of(mail) else None
    return _attachment_of(mail, image.get("src") or "")


def _logo_of(mail):
    return mail.sending_account_id._brand_image(mail.mail_message_id.record_company_id)


def _content_of(mail, key):
    if key == "logo":
        content, mimetype = _logo_of(mail)
        return content, mimetype, f"logo.{mimetype.partition('/')[2]}"
    return key.raw, key.mimetype, key.name


def _attachment_of(mail, source):
    match = _IMAGE_ROUTE.search(source)
    if not match:
        return None
    # sudo: whether it may leave is decided below
    attachment = mail.env["ir.attachment"].sudo().browse(int(match[1])).exists()
    if not attachment or not (attachment.mimetype or "").startswith("image/"):
        return None
    token = attachment.access_token
    if attachment in mail.sudo().attachment_ids or (token and token in source):
        return attachment if attachment.raw else None
    return None
