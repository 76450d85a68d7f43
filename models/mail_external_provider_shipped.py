from odoo import fields, models


class MailExternalProviderShipped(models.Model):
    """What the addon's data last said of a mail service, see ``mail_services``.

    A preset's field was changed here where it says something else. One that is listed,
    and has no preset any more, was deleted here.
    """

    _name = "mail.external.provider.shipped"
    _description = "Mail Service as It Came"
    _rec_name = "xmlid"

    xmlid = fields.Char(
        required=True, help="Name of the preset's external id, without the addon's."
    )
    shipped = fields.Json(help="See tools/mail_services.py: _snapshot.")

    _xmlid_once = models.UniqueIndex("(xmlid)", "A mail service comes once.")
