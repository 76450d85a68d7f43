"""The signature that the full composer shows below the text."""

from lxml import etree
from lxml import html as lxml_html
from odoo.tools.mail import is_html_empty

# mail/static/src/core/web/composer_patch.js marks it so
_CONTAINER = "o-signature-container"


def swap_signature(body, signature):
    """Exchange the signature in ``body``; without one it stays as it is.

    A signature that the writer deleted stays deleted, and one in a message that is
    quoted stays as it was: the writer's own is not inside of anything.

    :param str body: HTML of the composer
    :param str signature: sanitized HTML
    """
    if not body or _CONTAINER not in body:
        return body
    try:
        tree = lxml_html.fragment_fromstring(str(body), create_parent="div")
        new = lxml_html.fragment_fromstring(
            f'<div data-o-mail-quote="1"><br>-- <br>{signature}</div>'
        )
    except (etree.ParserError, etree.XMLSyntaxError):
        return body
    for container in tree:
        if _CONTAINER in (container.get("class") or "").split():
            for child in list(container):
                container.remove(child)
            container.text = None
            if not is_html_empty(signature):
                container.append(new)
            break
    return lxml_html.tostring(tree, encoding="unicode")[5:-6]  # the parent <div>
