from odoo import api, models

from ..tools.outgoing.inline_images import with_few_open_tags


class MailRenderMixin(models.AbstractModel):
    """Core looks for links from every "<" on to the next ">": of thousands in a row,
    as a comment may have them, that takes minutes, each time a mail is tried."""

    _inherit = "mail.render.mixin"

    @api.model
    def _replace_local_links(self, html, base_url=None):
        if html and self.env["mail.external.sender"]._any_configured():
            html = with_few_open_tags(html)
        return super()._replace_local_links(html, base_url=base_url)
