"""Images of the message's own attachments travel inside the mail.

A link to Odoo's server shows nothing to a customer who cannot reach it, and most mail
programs block remote images. So ``<img src=".../web/image/7...">`` of an attachment
that belongs to the message becomes a part of the mail (RFC 2392 ``cid:`` link).
"""

import re
from email.utils import make_msgid

from lxml import etree
from lxml import html as lxml_html

_IMAGE_ROUTE = re.compile(r"/web/(?:image|content)/(\d+)(?:[-/?][^\"']*)?$")


def embed_images(mail, message):
    """Embed linked images into ``message`` (EmailMessage) where they may be.

    Only attachments of the mail, or those whose access token stands in the link, are
    read: what the author may not show to the customer does not leave by this way.
    """
    part = message.get_body(("html",))
    if part is None or "/web/" not in (body := part.get_content()):
        return
    try:
        tree = lxml_html.fromstring(body)
    except (etree.ParserError, etree.XMLSyntaxError):
        return
    found = {}
    for image in tree.iter("img"):
        attachment = _attachment_of(mail, image.get("src") or "")
        if attachment:
            cid, _attachment = found.setdefault(
                attachment.id, (make_msgid(domain="odoo"), attachment)
            )
            image.set("src", f"cid:{cid[1:-1]}")
    if not found:
        return
    part.set_content(
        lxml_html.tostring(tree, encoding="unicode"), subtype="html", charset="utf-8"
    )
    for cid, attachment in found.values():
        maintype, _slash, subtype = attachment.mimetype.partition("/")
        part.add_related(
            attachment.raw,
            maintype,
            subtype,
            cid=cid,
            filename=attachment.name,
            disposition="inline",
        )


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
