from odoo import api, models

# So many "<" may stand before one ">".
_MOST_OPEN = 50


class MailRenderMixin(models.AbstractModel):
    """Core looks for links from every "<" on to the next ">": of thousands in a row,
    as a comment may have them, that takes minutes, each time a mail is tried."""

    _inherit = "mail.render.mixin"

    @api.model
    def _replace_local_links(self, html, base_url=None):
        if html and self.env["mail.external.sender"]._any_configured():
            html = _with_few_open_tags(html)
        return super()._replace_local_links(html, base_url=base_url)


def _with_few_open_tags(body):
    """The body with most of the "<" escaped of which many stand before one ">".

    In sound HTML one does; comments may have a few.
    """
    pieces = body.split(">")
    for number, piece in enumerate(pieces):
        if piece.count("<") > _MOST_OPEN:
            first, sign, rest = piece.partition("<")
            pieces[number] = str(first) + sign + str(rest).replace("<", "&lt;")
    return body.__class__(">".join(map(str, pieces)))
