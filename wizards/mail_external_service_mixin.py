from odoo import api, fields, models

from ..models.mail_external_connection_mixin import READ_PROTOCOLS
from ..tools import odoo_servers
from ..tools.connect import guidance


class MailExternalServiceMixin(models.AbstractModel):
    """What the connect window says of the mail service before the first test: what has
    to be done there, and whether Odoo's own servers read the mailbox already.

    The window that inherits this has the fields of ``mail.external.connection.mixin``
    and ``receive_replies``, and the method ``_may_see``.
    """

    _name = "mail.external.service.mixin"
    _inherit = "mail.external.connection.mixin"
    _description = "Words about a Mail Service"

    provider_note = fields.Text(related="provider_id.note", string="Service Note")
    provider_help_url = fields.Char("Help Page", compute="_compute_provider_help_url")
    guidance = fields.Html(compute="_compute_guidance", sanitize=False)
    app_password = fields.Selection(related="provider_id.app_password")
    fetched_problem = fields.Char(
        compute="_compute_fetched_problem", help="Odoo's own server reads it already."
    )

    @api.depends("provider_id.help_url")
    def _compute_provider_help_url(self):
        for window in self:
            window.provider_help_url = window.provider_id._help_link()

    @api.depends("provider_id", "auth_method", "incoming_protocol")
    def _compute_guidance(self):
        for window in self:
            window.guidance = guidance.before(window)

    @api.depends_context("uid")
    @api.depends(
        *("receive_replies", "incoming_protocol", "incoming_host", "incoming_login"),
    )
    def _compute_fetched_problem(self):
        for window in self:
            reads = window.incoming_protocol in READ_PROTOCOLS
            found = window.receive_replies and reads and window._may_see()
            servers = found and odoo_servers.reading(
                self.env, window.incoming_host, window.incoming_login
            )
            window.fetched_problem = bool(servers) and odoo_servers.words_of_reader(
                self.env, servers
            )
