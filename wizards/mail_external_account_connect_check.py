from odoo import fields, models


class MailExternalAccountConnectCheck(models.TransientModel):
    """One line of the connection test. Written by the server only."""

    _name = "mail.external.account.connect.check"
    _description = "Connection Test Result"
    _order = "id"
    # As long as they count for ``connect/turn.py``; core's settings keep them for less.
    _transient_max_hours = 25.0
    _transient_max_count = 0

    # Lines outlive their window: they count for the limit of tests of their user.
    wizard_id = fields.Many2one(
        "mail.external.account.connect", ondelete="set null", index=True
    )
    # Until when it counts as under way, in case nobody notes its end.
    running_until = fields.Datetime(readonly=True)
    step = fields.Char(required=True, readonly=True)
    ok = fields.Boolean(readonly=True)
    # Whether the host is an internal one.
    is_private = fields.Boolean(readonly=True)
    # Which settings and which password were tested, as a keyed hash.
    fingerprint = fields.Char(required=True, groups=fields.NO_ACCESS)
