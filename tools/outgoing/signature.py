"""The signature that the full composer shows below the text."""

from lxml import etree
from lxml import html as lxml_html
from odoo.tools.mail import is_html_empty

# mail/static/src/core/web/composer_patch.js marks it so
_CONTAINER = "o-signature-container"


def swap_signature(body, signature, add=False):
    """Exchange the signature in ``body``; without one it stays as it is.

    A signature that the writer deleted stays deleted, and one in a message that is
    quoted stays as it was: the writer's own is not inside of anything. Where there is
    none to show its place is kept, as an empty line, for the next exchange.

    :param str body: HTML of the composer
    :param str signature: sanitized HTML
    :param bool add: below the text, when there is no signature yet
    """
    if not body or (_CONTAINER not in body and not add):
        return body
    try:
        tree = lxml_html.fragment_fromstring(str(body), create_parent="div")
        new = lxml_html.fragment_fromstring(
            f'<div data-o-mail-quote="1"><br>-- <br>{signature}</div>'
        )
    except (etree.ParserError, etree.XMLSyntaxError):
        return body
    container = _container_of(tree)
    if container is None and add:
        container = etree.SubElement(tree, "div", {"class": _CONTAINER})
    if container is not None:
        for child in list(container):
            container.remove(child)
        container.text = None
        container.append(etree.Element("br") if is_html_empty(signature) else new)
    return lxml_html.tostring(tree, encoding="unicode")[5:-6]  # the parent <div>


def _container_of(tree):
    for element in tree:
        if _CONTAINER in (element.get("class") or "").split():
            return element
    return None
